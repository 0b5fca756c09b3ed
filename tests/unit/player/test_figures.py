"""The figures of one session, from its row of totals."""

from __future__ import annotations

import math

import pytest

from player.batch.figures import figures_of
from player.batch.tables import TOTALS

LADDER_BPS = [1e6, 2e6, 4e6]


def totals(**known: float) -> list[float]:
    return [known.get(name, 0.0) for name in TOTALS]


def test_only_the_segments_that_were_shown_count() -> None:
    """Rungs 0, 2 and 2, 1 s stalled: (1 + 4 + 4 - 4.3 - 3) / 3 by segment."""
    row = totals(
        shown=3, stall_s=1.0, stall_events=1, downloads=5, startup_s=0.5, bitrate_change_bps=3e6
    )
    got = figures_of(row, [0, 2, 2, 1, 0], LADDER_BPS)
    assert got.rungs == [0, 2, 2]
    assert got.qoe_lin == pytest.approx(1.7 / 3)
    assert (got.startup_s, got.stall_events, got.downloads) == (0.5, 1, 5)


def test_playback_that_never_began_has_no_startup_and_no_score() -> None:
    got = figures_of(totals(startup_s=math.nan), [], LADDER_BPS)
    assert got.startup_s is None
    assert got.qoe_lin == 0.0


def test_startup_that_a_simulator_counts_as_a_stall_is_taken_out() -> None:
    """Two stalls, the first of them the startup of 1.5 s."""
    row = totals(shown=1, stall_s=2.0, stall_events=2)
    got = figures_of(row, [0], LADDER_BPS, startup_in_stalls_s=1.5)
    assert (got.stall_s, got.stall_events) == (0.5, 1)
    assert got.qoe_lin == pytest.approx(1 - 4.3 * 0.5)


def test_rounding_leaves_no_stall_of_less_than_nothing() -> None:
    row = totals(shown=1, stall_s=1.5, stall_events=1)
    got = figures_of(row, [0], LADDER_BPS, startup_in_stalls_s=1.5 + 1e-12)
    assert (got.stall_s, got.stall_events) == (0.0, 0)
