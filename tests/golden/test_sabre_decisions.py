"""Every decision of recorded sessions of the reference tool, asked of our rules again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from abr.algorithms import bola, throughput
from abr.decision import Download, Observation, Progress, begin, downloads_from
from abr.media import Presentation

HERE = Path(__file__).parent
GOLD = HERE.parents[2] / "shared" / "gold"
MAKERS: dict[str, Any] = {"bola": bola.make, "throughput": throughput.make}


def check(session: dict[str, Any]) -> int:
    """Ask for each decision with what was known then; how many there were."""
    segment_s, count = session["segment_ms"] / 1e3, session["segments"]
    rates = np.array(session["bitrates_kbps"]) * 1e3
    presentation = Presentation(
        bitrates_bps=rates,
        sizes_bytes=np.outer(rates * segment_s / 8, np.ones(count)),
        durations_s=np.full(count, segment_s),
    )
    running = begin(MAKERS[session["config"]](abandon=session["abandon"]), presentation)
    history: list[Download] = []
    last_rung = -1
    for number, row in enumerate(session["decisions"]):
        segment, rung, *figures, abandon_to, size_bits = row
        clock_s, buffer_s, wait_s, total_s = (ms / 1e3 for ms in figures[:4])
        got_bytes = figures[4] / 8
        seen = Observation(
            clock_s, segment, buffer_s, 25.0, last_rung, segment > 0,
            presentation.bitrates_bps, presentation.sizes_bytes, presentation.durations_s,
            downloads_from(history),
        )  # fmt: skip
        assert running.choose(seen).rung == rung, (number, row)
        first_s, end_s = clock_s + wait_s, clock_s + total_s
        if abandon_to is None:
            download = Download(segment, rung, got_bytes, clock_s, first_s, end_s)
            history.append(download)
            running.delivered(seen, download)
            last_rung = rung
            continue
        progress = Progress(
            end_s, segment, rung, size_bits / 8, got_bytes, clock_s, first_s,
            max(buffer_s - total_s, 0.0),
        )  # fmt: skip
        answer = running.reconsider(seen, progress)
        assert answer is not None, (number, row)
        assert answer.rung == abandon_to, (number, row)
    return len(session["decisions"])


def test_rules_decide_as_in_the_golden_table() -> None:
    golden = json.loads((HERE / "sabre_decisions.json").read_text())
    assert sum(check(session) for session in golden["sessions"]) == 180


def full_sessions() -> Iterator[dict[str, Any]]:
    """Sessions of the full reference file, in the shape of the golden table."""
    movies = {
        path.stem: json.loads(path.read_text()) for path in sorted((GOLD / "movie").glob("*.json"))
    }
    for session in json.loads((GOLD / "sabre_decisions.json").read_text())["sessions"]:
        movie = movies[session["movie"]]
        sizes = movie["segment_sizes_bits"]
        if session["config"] in MAKERS:
            yield {
                **session,
                "segment_ms": movie["segment_duration_ms"],
                "segments": len(sizes),
                "bitrates_kbps": movie["bitrates_kbps"],
                "decisions": [[*row, sizes[row[0]][row[1]]] for row in session["decisions"]],
            }


def test_rules_decide_as_in_the_full_reference_file() -> None:
    if not GOLD.is_dir():
        pytest.skip("the reference figures of Sabre are not beside this checkout")
    sessions = list(full_sessions())
    assert sum(check(session) for session in sessions) == 2893
    rows = [row for session in sessions for row in session["decisions"]]
    assert sum(abandon_to is not None for *_, abandon_to, _ in rows) == 493
