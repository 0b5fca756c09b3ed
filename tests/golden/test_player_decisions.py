"""Every recorded decision of the JavaScript players' own code, asked of our rules again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from abr.algorithms import dashjs, hls_js, l2a, lol_plus, shaka
from abr.decision import (
    Download,
    Observation,
    Progress,
    RunningAlgorithm,
    begin,
    downloads_from,
)
from abr.media import Presentation

HERE = Path(__file__).parent
MAKERS: dict[str, tuple[Any, int]] = {
    "dashjs": (dashjs.make, 686),
    "hls_js": (hls_js.make, 1016),
    "l2a": (l2a.make, 420),
    "lol_plus": (lol_plus.make, 420),
    "shaka": (shaka.make, 420),
}
"""Each rule, and how many decisions of the player's code are recorded."""
ASKED, UNDER_WAY, DONE = range(3)


def title(session: dict[str, Any]) -> Presentation:
    """What was played."""
    ladder, percent = session["ladder"], session["percent"]
    sizes = [[rate * session["segmentMs"] * part // 800000 for part in percent] for rate in ladder]
    return Presentation(
        bitrates_bps=np.array(ladder, dtype=np.float64),
        sizes_bytes=np.array(sizes, dtype=np.float64),
        durations_s=np.full(len(percent), session["segmentMs"] / 1e3),
    )


def differences(session: dict[str, Any], running: RunningAlgorithm) -> tuple[int, list[Any]]:
    """How many answers were compared, and those that differ.

    After a difference we go on from what the player did.
    """
    presentation = title(session)
    history: list[Download] = []
    segment, rung, last_rung, start_s = -1, -1, -1, 0.0
    compared = 0
    differing: list[Any] = []

    def seen(now_ms: float, buffer_ms: float) -> Observation:
        return Observation(
            now_ms / 1e3, segment, buffer_ms / 1e3, session["maxBufferMs"] / 1e3, last_rung,
            segment > 0, presentation.bitrates_bps, presentation.sizes_bytes,
            presentation.durations_s, downloads_from(history),
        )  # fmt: skip

    # A download's first byte stands in its last row, so all are looked up beforehand.
    firsts = _first_bytes(session["rows"])
    for row in session["rows"]:
        if row[0] == ASKED:
            segment += 1
            _, now_ms, buffer_ms, rung, wait_ms = row
            answer = running.choose(seen(now_ms, buffer_ms))
            compared += 1
            if answer.rung != rung or abs(answer.wait_s - wait_ms / 1e3) > 1e-6:
                differing.append((session["seed"], segment, row, answer))
            start_s = (now_ms + round(wait_ms)) / 1e3
        elif row[0] == UNDER_WAY:
            now_ms, received, buffer_ms, target = row[1:5]
            progress = Progress(
                now_ms / 1e3, segment, rung, float(presentation.sizes_bytes[rung, segment]),
                float(received), start_s, firsts[start_s], buffer_ms / 1e3,
            )  # fmt: skip
            lower = running.reconsider(seen(now_ms, buffer_ms), progress)
            compared += 1
            if (-1 if lower is None else lower.rung) != target:
                differing.append((session["seed"], segment, row, lower))
            if target >= 0:
                rung, start_s = target, now_ms / 1e3
        else:
            _, first_ms, end_ms, buffer_ms = row
            size = float(presentation.sizes_bytes[rung, segment])
            download = Download(segment, rung, size, start_s, first_ms / 1e3, end_ms / 1e3)
            history.append(download)
            last_rung = rung
            running.delivered(seen(end_ms, buffer_ms), download)
    return compared, differing


def _first_bytes(rows: list[list[float]]) -> dict[float, float]:
    """First byte by request time, in seconds; an abandoned download tells its own."""
    firsts: dict[float, float] = {}
    start_s = 0.0
    for row in rows:
        if row[0] == ASKED:
            start_s = (row[1] + round(row[4])) / 1e3
        elif row[0] == UNDER_WAY and row[4] >= 0:
            firsts[start_s] = row[5] / 1e3
            start_s = row[1] / 1e3
        elif row[0] == DONE:
            firsts[start_s] = row[1] / 1e3
    return firsts


@pytest.mark.parametrize("name", MAKERS)
def test_rules_decide_as_the_players_code_did(name: str) -> None:
    """Every rung, wait and abandonment equals the recorded one."""
    make, expected = MAKERS[name]
    recorded = json.loads((HERE / f"{name}_decisions.json").read_text())
    total, differing = 0, []
    for session in recorded["sessions"]:
        compared, those = differences(session, begin(make(), title(session)))
        total += compared
        differing += those
    print(f"{name}: {total - len(differing)} of {total} decisions equal")
    assert not differing, differing[:5]
    assert total == expected
