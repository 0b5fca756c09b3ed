"""``sustainable`` plays what the mean throughput so far would carry."""

from __future__ import annotations

import math

import pytest

from abr.algorithms import sustainable
from abr.decision import begin
from tests.fakes.observations import PRESENTATION, make_download, seen


def test_the_first_segment_is_of_the_lowest_rung() -> None:
    assert begin(sustainable.make(), PRESENTATION).choose(seen(0)).rung == 0


def test_the_mean_is_bits_over_time_not_a_mean_of_throughputs() -> None:
    """4 Mbit in 1 s, then 4 Mbit in 3 s: 8 Mbit in 4 s is 2 Mbit/s, though (4 + 1.33) / 2 > 2.6."""
    running = begin(sustainable.make(), PRESENTATION)
    for throughput_bps in (4e6, 4e6 / 3):
        running.delivered(seen(), make_download(throughput_bps))
    assert running.choose(seen()).rung == 1


@pytest.mark.parametrize(("safety", "rung"), [(1.0, 2), (0.99, 1), (2.0, 3), (0.1, 0)])
def test_a_rung_of_just_the_mean_is_sustained(safety: float, rung: int) -> None:
    running = begin(sustainable.make(safety=safety), PRESENTATION)
    running.delivered(seen(), make_download(4e6))
    assert running.choose(seen()).rung == rung


def test_safety_must_be_positive() -> None:
    with pytest.raises(ValueError, match="safety"):
        sustainable.make(safety=0)


@pytest.mark.parametrize("limit_bps", [0.0, 1e6, 1.9e6, 2e6, 7.9e6, 8e6, 1e9, math.inf, math.nan])
@pytest.mark.parametrize("rung", [-1, 0, 1, 2, 3])
def test_from_any_rung_the_same_rung_is_found(rung: int, limit_bps: float) -> None:
    ladder_bps = PRESENTATION.bitrates_bps
    found = sustainable.highest_near(ladder_bps, limit_bps, rung)
    assert found == sustainable.highest_within(ladder_bps, limit_bps)
