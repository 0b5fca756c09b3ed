"""``elastic`` by hand: the control law and its integral."""

from __future__ import annotations

import pytest

from abr.algorithms import elastic
from abr.decision import begin
from tests.fakes.observations import PRESENTATION, make_download, seen


def test_the_first_segment_is_of_the_lowest_rung() -> None:
    assert begin(elastic.make(), PRESENTATION).choose(seen()).rung == 0


@pytest.mark.parametrize(
    ("throughput_bps", "buffer_s", "rung"),
    # The last segment, 4 Mbit, took 4 Mbit / b; at the target the integral stays 0 and
    # b / (1 - 0.15) is asked for.
    [
        (1.6e6, 15, 0),  # 1.88 Mbit/s
        (1.71e6, 15, 1),  # 2.01
        (6.7e6, 15, 2),  # 7.88
        (6.9e6, 15, 3),  # 8.1, above the ladder
        (3.5e6, 5, 1),  # 1 - 0.05 + 0.001 x 11.4 = 0.961: 3.64
        (3.5e6, 25, 2),  # 1 - 0.25 - 0.0114 = 0.739: 4.74
    ],
)
def test_the_law_asks_for_more_when_the_buffer_is_above_its_target(
    throughput_bps: float, buffer_s: float, rung: int
) -> None:
    running = begin(elastic.make(), PRESENTATION)
    assert running.choose(seen(buffer_s, downloads=[make_download(throughput_bps)])).rung == rung


def test_the_integral_sums_the_distance_over_time() -> None:
    """2 s of download 5 s below the target, twice: -20 square seconds."""
    rule = elastic.make()
    state = rule.start(rule.params, PRESENTATION.bitrates_bps, PRESENTATION.durations_s)
    for _ in range(2):
        elastic.choose(rule.params, state, seen(10, downloads=[make_download(2e6)]))
    assert state.integral[0] == pytest.approx(-20)


def test_the_integral_rests_beyond_the_ladder() -> None:
    """Far too slow or far too fast, it moves no further in that direction."""
    rule = elastic.make()
    state = rule.start(rule.params, PRESENTATION.bitrates_bps, PRESENTATION.durations_s)
    elastic.choose(rule.params, state, seen(0, downloads=[make_download(1e5)]))
    elastic.choose(rule.params, state, seen(29, downloads=[make_download(1e8)]))
    assert state.integral[0] == 0


def test_what_is_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="window"):
        elastic.make(window=0)
