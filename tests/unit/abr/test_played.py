"""Sums over what was shown: the numbers behind mean bit rate, switches and utility."""

from __future__ import annotations

import math

import pytest

from abr.played import Played, part_played_s, sum_played, utilities_of

LADDER_BPS = [1e6, 2e6, 4e6]
UTILITIES = utilities_of(LADDER_BPS)


def test_rates_are_weighted_by_time_and_changes_are_not() -> None:
    """Rungs 0, 2, 2 and 1, of 4, 4, 4 and 2 s."""
    got = sum_played(LADDER_BPS, UTILITIES, [4.0, 4.0, 4.0, 2.0], [0, 2, 2, 1], 4, math.inf)
    assert got.time_s == 14.0
    assert got.bitrate_time_bits == 40e6  # 4 + 16 + 16 + 4 Mbit
    assert got.mean_bitrate_bps == 40e6 / 14
    assert got.switches == 2
    assert got.bitrate_change_bps == 5e6  # 3 up, 2 down
    assert got.utility_time_s == pytest.approx(8 * math.log(4) + 2 * math.log(2))
    assert got.utility_change == pytest.approx(math.log(4) + math.log(2))


def test_of_the_last_segment_only_what_was_shown_counts() -> None:
    """The viewer left 1 s into the second segment."""
    got = sum_played(LADDER_BPS, UTILITIES, [4.0, 4.0, 4.0], [0, 1, 2], 2, 5.0)
    assert (got.time_s, got.bitrate_time_bits, got.mean_bitrate_bps) == (5.0, 6e6, 1.2e6)
    assert (got.switches, got.bitrate_change_bps) == (1, 1e6)


def test_nothing_played_is_all_zero() -> None:
    assert sum_played(LADDER_BPS, UTILITIES, [4.0], [0], 0, 0.0) == Played(0, 0, 0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("played_s", "part_s"), [(7.0, 0.0), (8.0, 0.0), (9.5, 1.5), (12.0, 4.0), (99.0, 4.0)]
)
def test_the_part_of_a_segment_lies_between_nothing_and_all(played_s: float, part_s: float) -> None:
    """8 s were before it, and it lasts 4 s."""
    assert part_played_s(played_s, 8.0, 4.0) == part_s
