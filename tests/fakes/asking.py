"""Ask an algorithm what it was asked in a recorded session, compiled or not."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from abr.decision import Decision, Download, Observation, Progress, RunningAlgorithm
from abr.media import FloatArray
from player.batch.hooks import choose, delivered, reconsider, state_of, waited
from player.batch.tables import PresentationTable, downloads_so_far

CHOOSE, RECONSIDER, DELIVERED, WAITED = range(4)


class Question(NamedTuple):
    """One row of a record; what follows ``known`` is progress, a download or a wait."""

    kind: float
    now_s: float
    segment: float
    buffer_s: float
    max_buffer_s: float
    last_rung: float
    playing: float
    known: float
    """Downloads seen so far."""
    more: tuple[float, ...]


class Witness:
    """Stands between a player and an algorithm and writes down what is asked."""

    def __init__(self, running: RunningAlgorithm) -> None:
        self.running = running
        self.rows: list[list[float]] = []
        self.answers: list[tuple[float, ...]] = []
        self.history: list[Download] = []
        self.name = "witness"

    def choose(self, seen: Observation) -> Decision:
        return self._wrote(CHOOSE, seen, (), self.running.choose(seen))

    def reconsider(self, seen: Observation, progress: Progress) -> Decision:
        answer = self.running.reconsider(seen, progress)
        stay = Decision(progress.rung, 0.0, 0, -1)
        return self._wrote(RECONSIDER, seen, progress, stay if answer is None else answer)

    def delivered(self, seen: Observation, download: Download) -> None:
        self.running.delivered(seen, download)
        self.history.append(download)
        self._wrote(DELIVERED, seen, download, Decision(0))

    def waited(self, seen: Observation, wait_s: float) -> None:
        self.running.waited(seen, wait_s)
        self._wrote(WAITED, seen, (wait_s,), Decision(0))

    def _wrote(
        self, kind: int, seen: Observation, more: tuple[float, ...], answer: Decision
    ) -> Decision:
        row = [kind, *seen[:6], len(seen.downloads.end_s), *more]
        self.rows.append(row + [0.0] * (16 - len(row)))
        self.answers.append((answer.rung, answer.wait_s, answer.segment))
        return answer

    def record(self) -> FloatArray:
        return np.array(self.rows)


def answer(
    params: Any, state: Any, presentation: PresentationTable, history: FloatArray, row: FloatArray
) -> tuple[float, float, float]:
    """What the algorithm says to one row."""
    seen = Observation(
        row[1],
        int(row[2]),
        row[3],
        row[4],
        int(row[5]),
        row[6] != 0,
        presentation.ladder_bps,
        presentation.sizes_bytes,
        presentation.durations_s,
        downloads_so_far(history, int(row[7])),
    )
    if row[0] == CHOOSE:
        decision = choose(params, state, seen)
        return float(decision.rung), float(decision.wait_s), float(decision.segment)
    if row[0] == RECONSIDER:
        progress = Progress(
            row[8], int(row[9]), int(row[10]), row[11], row[12], row[13], row[14], row[15]
        )
        rung = min(reconsider(params, state, seen, progress).rung, progress.rung)
        return float(rung), 0.0, -1.0
    if row[0] == DELIVERED:
        download = Download(int(row[8]), int(row[9]), row[10], row[11], row[12], row[13])
        delivered(params, state, seen, download)
    else:
        waited(params, state, seen, row[8])
    return 0.0, 0.0, -1.0


def ask_all(
    params: Any,
    row: FloatArray,
    fields: NDArray[np.int64],
    presentation: PresentationTable,
    history: FloatArray,
    record: FloatArray,
    answers: FloatArray,
) -> None:
    """Answer every row of a record, in order."""
    state = state_of(row, fields)
    for i in range(record.shape[0]):
        rung, wait_s, segment = answer(params, state, presentation, history, record[i])
        answers[i, 0] = rung
        answers[i, 1] = wait_s
        answers[i, 2] = segment
