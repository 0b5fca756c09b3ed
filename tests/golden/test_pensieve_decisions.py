"""The buffer-based rule and BOLA of the Pensieve family, decision by decision."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from abr.algorithms import bba0, bola_pensieve
from abr.decision import NO_DOWNLOADS, Observation, begin
from abr.media import Presentation, constant_presentation

HERE = Path(__file__).parent
GOLD = HERE.parents[2] / "shared" / "gold"
RULES = {"bb": bba0.make(), "bola": bola_pensieve.make()}
LADDER_BPS = (300e3, 750e3, 1200e3, 1850e3, 2850e3, 4300e3)

# Buffer levels and rungs of the first session of the reference file (steady 5.2 Mbit/s).
STEADY_BB = [
    (4.0, 0), (7.760024, 1), (11.351294, 3), (14.093707, 4), (16.08039, 5), (14.596578, 4),
]  # fmt: skip


def seen_at(presentation: Presentation, segment: int, buffer_s: float) -> Observation:
    return Observation(
        0.0, segment, buffer_s, 60.0, 0, True,
        presentation.bitrates_bps, presentation.sizes_bytes, presentation.durations_s, NO_DOWNLOADS,
    )  # fmt: skip


@pytest.mark.parametrize(("buffer_s", "rung"), STEADY_BB)
def test_bba_0_decides_as_in_the_golden_rows(buffer_s: float, rung: int) -> None:
    presentation = constant_presentation(LADDER_BPS, segments=48, segment_s=4)
    assert begin(RULES["bb"], presentation).choose(seen_at(presentation, 1, buffer_s)).rung == rung


def test_rules_decide_as_in_the_full_reference_file() -> None:
    """The rung of each row follows from the buffer after the row before; row 0 is not asked."""
    if not GOLD.is_dir():
        pytest.skip("the reference figures of the Pensieve family are not beside this checkout")
    movie = json.loads((GOLD / "movie" / "B_6rung_4s.json").read_text())
    held = json.loads((GOLD / "pensieve.json").read_text())
    presentation = Presentation(
        bitrates_bps=np.array(held["bitrates_kbps"]) * 1e3,
        sizes_bytes=np.round(np.array(movie["segment_sizes_bits"][:48]).T / 8),
        durations_s=np.full(48, 4.0),
    )
    checked = 0
    for session in held["sessions"]:
        running = begin(RULES[session["alg"]], presentation)
        rows = session["rows"]
        for segment, (before, row) in enumerate(itertools.pairwise(rows), 1):
            where = (session["net"], session["alg"], segment)
            assert running.choose(seen_at(presentation, segment, before[3])).rung == row[0], where
            checked += 1
    assert checked == 28 * 47
