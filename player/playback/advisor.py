"""The algorithm of one playback: what it is shown, and what it has answered.

Observations are put together here, and only here. The session says when to ask; the
algorithm cannot tell which driver is running.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from abr.decision import (
    Algorithm,
    Decision,
    Download,
    Observation,
    Progress,
    RunningAlgorithm,
    begin,
)
from abr.errors import AlgorithmError
from abr.media import Presentation
from abr.trace import Trace
from player.playback.history import DownloadHistory
from player.playback.requests import INSTANT_S, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Where playback stands when the algorithm is asked."""

    now_s: float
    buffer_s: float
    max_buffer_s: float
    is_playing: bool
    presentation: Presentation


class Advisor:
    """Asks the algorithm and keeps what it may look back on."""

    def __init__(
        self, algorithm: Algorithm, presentation: Presentation, trace: Trace | None = None
    ) -> None:
        """Begin ``algorithm`` for one playback.

        Raises:
            AlgorithmError: it is no algorithm, or must know the network and there is no ``trace``.
        """
        self.running: RunningAlgorithm = begin(algorithm, presentation, trace)
        """The algorithm, with its name and parameters."""
        self.last_rung = -1
        """Rung of the newest video segment; -1 before the first."""
        self._history = DownloadHistory()

    def __repr__(self) -> str:
        done = len(self._history.columns().end_s)
        return f"<Advisor {self.running.name}, last rung {self.last_rung}, {done} downloads>"

    @property
    def throughput_bps(self) -> float:
        """Of the newest video segment, first-byte wait included; nan before the first."""
        done = self._history.columns()
        if not len(done.end_s):
            return math.nan
        return float(done.size_bytes[-1] * 8 / max(done.end_s[-1] - done.start_s[-1], INSTANT_S))

    def choose(self, segment: int, moment: Moment) -> Decision:
        """The rung of ``segment``.

        Raises:
            AlgorithmError: it wants to replace an earlier segment, which this player cannot.
        """
        decision = self.running.choose(self._observe(segment, moment))
        if decision.segment not in (-1, segment):
            raise AlgorithmError(
                f"algorithm {self.running.name!r} replaces segments in the buffer, which only "
                "`abr simulate --preset sabre` can do"
            )
        return decision

    def waited(self, segment: int, moment: Moment, wait_s: float) -> None:
        """The buffer was full for ``wait_s`` before ``segment`` may be asked for."""
        self.running.waited(self._observe(segment, moment), wait_s)

    def reconsider(self, request: Request, moment: Moment) -> Decision | None:
        """A lower rung for the video download under way; None carries on."""
        want = request.want
        progress = Progress(
            now_s=moment.now_s,
            segment=want.segment,
            rung=want.rung,
            size_bytes=float(moment.presentation.sizes_bytes[want.rung, want.segment]),
            received_bytes=request.received_bytes,
            start_s=request.start_s,
            first_byte_s=request.first_byte_s,
            buffer_s=moment.buffer_s,
        )
        return self.running.reconsider(self._observe(want.segment, moment), progress)

    def learn_from(self, request: Request, moment: Moment) -> None:
        """A video segment is complete: remember how it came, and tell the algorithm."""
        download = Download(
            segment=request.want.segment,
            rung=request.want.rung,
            size_bytes=request.received_bytes,
            start_s=request.start_s,
            first_byte_s=request.first_byte_s,
            end_s=moment.now_s,
        )
        self.last_rung = download.rung
        self._history.add(download)
        self.running.delivered(self._observe(download.segment, moment), download)

    def _observe(self, segment: int, moment: Moment) -> Observation:
        return Observation(
            now_s=moment.now_s,
            segment=segment,
            buffer_s=moment.buffer_s,
            max_buffer_s=moment.max_buffer_s,
            last_rung=self.last_rung,
            playing=moment.is_playing,
            ladder_bps=moment.presentation.bitrates_bps,
            sizes_bytes=moment.presentation.sizes_bytes,
            durations_s=moment.presentation.durations_s,
            downloads=self._history.columns(),
        )
