"""Figures of traces, worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abr.trace import Trace
from abr.tracestats import (
    LAGS,
    MAX_SECONDS,
    autocorrelation,
    percentiles,
    second_means,
    totals,
    trace_stats,
)

STEPS = Trace.from_periods([(1, 4e6), (2, 1e6), (1, 0), (4, 2e6)], name="steps")


def test_figures_weigh_by_time() -> None:
    """Mean (4 + 2 + 0 + 8) / 8 = 1.75 Mbit/s; squares 5.0625, 2·0.5625, 3.0625, 4·0.0625."""
    stats = trace_stats(STEPS)
    assert (stats.name, stats.duration_s, stats.periods) == ("steps", 8, 4)
    assert (stats.mean_bps, stats.min_bps, stats.max_bps) == (1.75e6, 0, 4e6)
    assert stats.variation_ratio == pytest.approx(math.sqrt(9.5 / 8) / 1.75)


def test_a_percentile_is_a_capacity_the_trace_has() -> None:
    """1 s of 0 is 12.5 % of the time, up to 1 Mbit/s it is 37.5 %, up to 2 Mbit/s 87.5 %."""
    assert trace_stats(STEPS).percentiles_bps == (0, 1e6, 2e6, 2e6, 4e6)
    lengths, capacity = np.array([1.0, 1.0]), np.array([3.0, 1.0])
    assert percentiles(lengths, capacity, (0, 49, 50, 51, 100)) == (1, 1, 1, 3, 3)


def test_rounded_lengths_do_not_move_a_percentile() -> None:
    """Ten times 0.1 s is not 1 s in binary; the median stays the lower half."""
    lengths = np.full(20, 0.1)
    capacity = np.array([1.0] * 10 + [2.0] * 10)
    assert percentiles(lengths, capacity, (50,)) == (1,)


def test_outages_are_runs_below_the_limit() -> None:
    """Neighbours count once; the limit itself is no outage; a period of no length divides none."""
    trace = Trace.from_periods(
        [(2, 0), (1, 99e3), (5, 1e6), (1, 100e3), (3, 0), (0, 9e6), (1, 50e3), (7, 1e6)]
    )
    stats = trace_stats(trace)
    assert (stats.outages, stats.outage_s, stats.longest_outage_s) == (2, 7, 4)
    assert stats.outage_ratio == 7 / 20
    strict = trace_stats(trace, outage_bps=1)
    assert (strict.outages, strict.outage_s, strict.longest_outage_s) == (2, 5, 3)
    assert trace_stats(Trace.constant(1e6)).outages == 0


def test_an_outage_may_be_all_there_is() -> None:
    """A link of 50 kbit/s: one outage, all of the time."""
    stats = trace_stats(Trace.constant(50e3))
    assert (stats.outages, stats.outage_ratio, stats.longest_outage_s) == (1, 1, 1)


def test_periods_without_length_count_for_nothing() -> None:
    stats = trace_stats(Trace.from_periods([(0, 9e9), (1, 2e6), (0, 0), (1, 2e6)]))
    assert (stats.periods, stats.min_bps, stats.max_bps) == (2, 2e6, 2e6)
    assert stats.variation_ratio == 0


def test_seconds_hold_the_means_of_what_lies_in_them() -> None:
    """0.5 s of 4 and 0.5 s of 2 make 3; the half second at the end is no whole one."""
    trace = Trace.from_periods([(0.5, 4e6), (1.5, 2e6), (0.5, 9e6)])
    assert second_means(trace).tolist() == [3e6, 2e6]


def test_autocorrelation_of_two_values_in_turn() -> None:
    """y = +1 -1 +1 -1: power 4, lag 1 -3/4, lag 2 +2/4, lag 3 -1/4, no lag 4."""
    assert autocorrelation(np.array([3.0, 1.0, 3.0, 1.0]), (1, 2, 3, 4)) == (
        -0.75,
        0.5,
        -0.25,
        None,
    )


def test_what_never_changes_or_is_too_short_has_no_autocorrelation() -> None:
    none = (None,) * len(LAGS)
    assert trace_stats(Trace.constant(1e6)).autocorrelation == none
    assert trace_stats(Trace.from_periods([(0.3, 1e6 / 3)] * 100)).autocorrelation == none
    assert trace_stats(Trace.from_periods([(0.1, 1e6), (0.2, 5e6)])).autocorrelation == none


def test_a_trace_of_many_years_is_looked_at_in_part() -> None:
    trace = Trace.from_periods([(1e12, 1e6), (1e12, 2e6)])
    assert len(second_means(trace)) == MAX_SECONDS
    assert trace_stats(trace).mean_bps == 1.5e6


def test_totals_weigh_traces_by_their_length() -> None:
    """(1.75 · 8 + 0.05 · 2) / 10 Mbit/s; outages 1 s and 2 s of 10 s."""
    slow = Trace.from_periods([(2, 50e3)], name="slow")
    both = totals([trace_stats(STEPS), trace_stats(slow)])
    assert (both.traces, both.duration_s) == (2, 10)
    assert both.mean_bps == pytest.approx(1.41e6)
    assert (both.min_bps, both.max_bps) == (0, 4e6)
    assert (both.lowest_mean_bps, both.highest_mean_bps) == (50e3, 1.75e6)
    assert (both.outages, both.outage_s, both.longest_outage_s, both.outage_ratio) == (2, 3, 2, 0.3)
    with pytest.raises(ValueError, match="no traces"):
        totals([])


periods = st.lists(
    st.tuples(st.floats(0, 1e4), st.one_of(st.just(0.0), st.floats(0, 1e200))), min_size=1
).filter(lambda rows: any(length > 1e-6 and rate > 1e-6 for length, rate in rows))


@given(periods)
def test_every_trace_has_finite_figures_in_order(rows: list[tuple[float, float]]) -> None:
    """Whatever the rates: no warning, no nan, percentiles between the ends."""
    stats = trace_stats(Trace.from_periods(rows))
    values = [stats.min_bps, *stats.percentiles_bps, stats.max_bps]
    assert values == sorted(values)
    assert math.isfinite(stats.variation_ratio)
    assert all(r is None or -1.0001 <= r <= 1.0001 for r in stats.autocorrelation)
    assert 0 <= stats.outage_ratio <= 1 + 1e-9
    assert stats.longest_outage_s <= stats.outage_s + 1e-9


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 5)), min_size=2, max_size=20))
def test_cutting_every_period_in_two_changes_nothing(rows: list[tuple[int, int]]) -> None:
    if not any(rate for _, rate in rows):
        return  # no such trace
    whole = trace_stats(Trace.from_periods(rows))
    halves = trace_stats(Trace.from_periods([(s / 2, r) for s, r in rows for _ in range(2)]))
    assert whole.percentiles_bps == halves.percentiles_bps
    assert whole.variation_ratio == pytest.approx(halves.variation_ratio)
    assert whole.outage_s == halves.outage_s
    assert whole.autocorrelation == pytest.approx(halves.autocorrelation)
