"""``bba-1`` by hand: reservoir from sizes ahead, chunk map, outage protection."""

from __future__ import annotations

import numpy as np
import pytest

from abr.algorithms import bba1
from abr.decision import begin
from abr.media import Presentation
from tests.fakes.observations import PRESENTATION, make_download, seen

PARAMS = bba1.Params()


def varied(sizes_of_lowest: list[float]) -> Presentation:
    """1 and 2 Mbit/s in 4 s segments; the lowest rung's sizes as parts of the mean."""
    parts = np.array(sizes_of_lowest)
    return Presentation(
        bitrates_bps=np.array([1e6, 2e6]),
        sizes_bytes=np.outer([5e5, 1e6], parts),
        durations_s=np.full(len(parts), 4.0),
    )


def test_the_reservoir_is_what_large_segments_would_cost() -> None:
    """20 segments of twice the mean: each plays 4 s and takes 8 s, so 80 s are lost."""
    presentation = varied([2.0] * 20 + [1.0] * 80)
    looked = seen(presentation=presentation, segment=0, max_buffer_s=240)
    assert bba1.reservoir_s(PARAMS, looked) == pytest.approx(80)


def test_the_reservoir_looks_two_buffers_ahead() -> None:
    """30 s of buffer: 60 s, that is 15 segments of 4 s, of which the last two are large."""
    presentation = varied([1.0] * 13 + [3.0] * 87)
    looked = seen(presentation=presentation, segment=0, max_buffer_s=30)
    assert bba1.reservoir_s(PARAMS, looked) == pytest.approx(2 * 8)


@pytest.mark.parametrize(
    ("parts", "max_buffer_s", "expected_s"),
    [
        (0.5, 240, 8),  # what would be gained is no reservoir
        (9.0, 240, 140),
        (9.0, 30, 17.5),  # 140 of 240 s
    ],
)
def test_the_reservoir_is_bounded(parts: float, max_buffer_s: float, expected_s: float) -> None:
    looked = seen(presentation=varied([parts] * 100), segment=0, max_buffer_s=max_buffer_s)
    assert bba1.reservoir_s(PARAMS, looked) == pytest.approx(expected_s)


@pytest.mark.parametrize(
    ("buffer_s", "last_rung", "rung"),
    # Of 240 s: reservoir 8 s, map from 1 to 8 Mbit/s up to 216 s, so 0.0337 Mbit/s each second.
    [
        (8, 3, 0),
        (8.1, 1, 1),  # 1.003 Mbit/s: above rung 0, below rung 2, stays
        (37.6, 0, 0),  # 1.996 Mbit/s do not reach rung 1
        (38, 0, 1),  # 2.01
        (120, 0, 2),  # 4.77 Mbit/s pass rung 1: the highest below
        (120, 2, 2),
        (37, 2, 1),  # 1.98 fall to rung 1 or below: the lowest above
        (215, 2, 2),  # 7.97
        (216, 0, 3),
    ],
)
def test_the_chunk_map_moves_when_a_neighbour_is_passed(
    buffer_s: float, last_rung: int, rung: int
) -> None:
    running = begin(bba1.make(), PRESENTATION)
    assert running.choose(seen(buffer_s, last_rung=last_rung, max_buffer_s=240)).rung == rung


def test_protection_grows_with_each_segment_that_raised_the_buffer() -> None:
    """Two of four: one was slow, one found the buffer three quarters full."""
    rule = bba1.make()
    state = rule.start(rule.params, PRESENTATION.bitrates_bps, PRESENTATION.durations_s)
    fast, slow = make_download(2e6), make_download(0.9e6)
    for buffer_s, download in ((20, fast), (20, slow), (179, fast), (180, fast)):
        bba1.delivered(rule.params, state, seen(buffer_s, max_buffer_s=240), download)
    assert state.protection_s[0] == pytest.approx(0.8)


def test_protection_shifts_the_reservoir() -> None:
    """200 fast segments gain 80 s at most, so below 88 s the lowest rung is played."""
    running = begin(bba1.make(), PRESENTATION)
    for _ in range(250):
        running.delivered(seen(20, max_buffer_s=240), make_download(2e6))
    below, above = (seen(b, last_rung=1, max_buffer_s=240) for b in (88, 88.1))
    assert [running.choose(below).rung, running.choose(above).rung] == [0, 1]


def test_what_is_out_of_range_is_refused() -> None:
    for wrong in ({"full_s": 0.0}, {"full_s": 300.0}, {"protection_step_s": -1.0}):
        with pytest.raises(ValueError, match=r"full_s|lengths"):
            bba1.make(**wrong)
