"""Statistics of a trace: mean, spread and correlation of capacity, and outages.

All of them describe one pass of the trace, so the end rule does not matter, and are
weighted by time: a period of 10 s counts ten times as much as one of 1 s, and splitting a
period in two changes nothing. With d_k the length of period k, c_k its capacity and
D the sum of all d_k:

================= ====================================================================
mean              m = sum(d_k c_k) / D
percentile p      the smallest capacity c with sum(d_k where c_k <= c) >= p/100 D; always
                  a capacity of the trace, never interpolated
coefficient of    sqrt(sum(d_k (c_k - m)^2) / D) / m
variation
autocorrelation   of the means x_1 … x_n of whole seconds, with y_i = x_i - mean(x):
at lag L          sum(y_i y_(i+L)) / sum(y_i^2) over all valid i: the usual biased
                  estimator, which tends to 0 as L approaches n
outage            a maximal stretch with c_k < 100 kbit/s throughout
================= ====================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from abr.media import FloatArray
from abr.trace import Trace

PERCENTILES = (5, 25, 50, 75, 95)
"""Percentiles computed by ``trace_stats``."""
LAGS = tuple(range(1, 11))
"""Lags of the autocorrelation, seconds."""
OUTAGE_BPS = 100e3
"""Below this capacity not even the lowest rung of a typical ladder can play."""
MAX_SECONDS = 1_000_000
"""The autocorrelation covers at most this many seconds from the start of a trace."""
_ROUNDING = 1e-9
"""Relative differences up to this are attributed to rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceStats:
    """Statistics of one trace; the module's docstring has the formulas."""

    name: str
    """Name of the trace."""
    duration_s: float
    """Length of one pass."""
    periods: int
    """Number of periods with a length above 0."""
    mean_bps: float
    """Mean capacity over time."""
    min_bps: float
    """Lowest capacity."""
    max_bps: float
    """Highest capacity."""
    percentiles_bps: tuple[float, ...]
    """Capacities at ``PERCENTILES``."""
    variation_ratio: float
    """Coefficient of variation: standard deviation over mean."""
    autocorrelation: tuple[float | None, ...]
    """Autocorrelation of means over 1 s at ``LAGS``; None if the trace is too short or constant."""
    outages: int
    """Number of outages."""
    outage_s: float
    """Total length of all outages."""
    longest_outage_s: float
    """Length of the longest outage."""
    outage_ratio: float
    """Share of time in outages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Statistics of several traces together, each weighted by its length."""

    traces: int
    """Number of traces."""
    duration_s: float
    """Total length of the traces."""
    mean_bps: float
    """Mean capacity over all their time."""
    min_bps: float
    """Lowest capacity anywhere."""
    max_bps: float
    """Highest capacity anywhere."""
    lowest_mean_bps: float
    """Mean of the slowest trace."""
    highest_mean_bps: float
    """Mean of the fastest trace."""
    outages: int
    """Number of outages."""
    outage_s: float
    """Total length of all outages."""
    longest_outage_s: float
    """Length of the longest outage."""
    outage_ratio: float
    """Share of all time in outages."""


def trace_stats(trace: Trace, *, outage_bps: float = OUTAGE_BPS) -> TraceStats:
    """Compute the statistics of one trace.

    Args:
        trace: The trace; its end rule does not matter.
        outage_bps: Capacity below this counts as an outage.
    """
    lengths_s = np.diff(trace.times_s)
    kept = lengths_s > 0
    lengths_s, capacity = lengths_s[kept], trace.capacity_bps[kept]
    mean = trace.mean_bps
    outages_s = _outages(lengths_s, capacity < outage_bps)
    return TraceStats(
        name=trace.name,
        duration_s=trace.duration_s,
        periods=len(capacity),
        mean_bps=mean,
        min_bps=float(capacity.min()),
        max_bps=float(capacity.max()),
        percentiles_bps=percentiles(lengths_s, capacity, PERCENTILES),
        variation_ratio=_variation(lengths_s, capacity / mean),
        autocorrelation=autocorrelation(second_means(trace), LAGS),
        outages=len(outages_s),
        outage_s=float(outages_s.sum()),
        longest_outage_s=float(outages_s.max(initial=0.0)),
        outage_ratio=float(outages_s.sum()) / trace.duration_s,
    )


def totals(stats: Sequence[TraceStats]) -> Totals:
    """Compute the statistics of several traces together.

    Raises:
        ValueError: ``stats`` is empty.
    """
    if not stats:
        raise ValueError("no traces; expected one or more")
    duration_s = sum(each.duration_s for each in stats)
    outage_s = sum(each.outage_s for each in stats)
    return Totals(
        traces=len(stats),
        duration_s=duration_s,
        mean_bps=sum(each.mean_bps * each.duration_s for each in stats) / duration_s,
        min_bps=min(each.min_bps for each in stats),
        max_bps=max(each.max_bps for each in stats),
        lowest_mean_bps=min(each.mean_bps for each in stats),
        highest_mean_bps=max(each.mean_bps for each in stats),
        outages=sum(each.outages for each in stats),
        outage_s=outage_s,
        longest_outage_s=max(each.longest_outage_s for each in stats),
        outage_ratio=outage_s / duration_s,
    )


def percentiles(
    lengths_s: FloatArray, capacity_bps: FloatArray, wanted: Sequence[float]
) -> tuple[float, ...]:
    """Smallest capacities at or below which the wanted percentages of time are spent.

    Args:
        lengths_s: Lengths of the periods, all above 0, shape (K,).
        capacity_bps: Their capacities, shape (K,).
        wanted: Percentages, 0 to 100.
    """
    order = np.argsort(capacity_bps, kind="stable")
    time_s = np.cumsum(lengths_s[order])
    # The margin keeps rounding in the sum of lengths from deciding whether 50 % is reached.
    needed_s = np.asarray(wanted) / 100 * time_s[-1] * (1 - _ROUNDING)
    at = np.minimum(np.searchsorted(time_s, needed_s), len(order) - 1)
    return tuple(capacity_bps[order][at].tolist())


def second_means(trace: Trace) -> FloatArray:
    """Mean capacity in each whole second of ``trace``, up to the first ``MAX_SECONDS``."""
    seconds = int(min(trace.duration_s * (1 + _ROUNDING), MAX_SECONDS))
    offered = np.concatenate([[0.0], np.cumsum(np.diff(trace.times_s) * trace.capacity_bps)])
    return np.diff(np.interp(np.arange(seconds + 1), trace.times_s, offered))


def autocorrelation(values: FloatArray, lags: Sequence[int]) -> tuple[float | None, ...]:
    """Autocorrelation of equally spaced values.

    Args:
        values: Shape (n,).
        lags: Distances, in values, 1 or more.

    Returns:
        One value for each lag; None for lags of n or more, and for all if the values
        are equal.
    """
    if len(values) == 0:
        return (None,) * len(lags)
    # In units of the largest, so that no square overflows or underflows.
    around = (values - values.mean()) / max(float(np.abs(values).max()), np.finfo(float).tiny)
    power = float(around @ around)
    if power <= len(values) * _ROUNDING**2:
        return (None,) * len(lags)
    return tuple(
        float(around[:-lag] @ around[lag:]) / power if lag < len(values) else None for lag in lags
    )


def _variation(lengths_s: FloatArray, share: FloatArray) -> float:
    """Standard deviation over time of capacities in units of their mean."""
    around = np.abs(share - 1)
    # In units of the largest, so that squares stay in range.
    unit = float(around.max()) or 1.0
    return unit * float(np.sqrt((lengths_s * (around / unit) ** 2).sum() / lengths_s.sum()))


def _outages(lengths_s: FloatArray, is_out: NDArray[np.bool_]) -> FloatArray:
    """Lengths of the runs of periods in which ``is_out`` holds."""
    edges = np.diff(np.concatenate([[0], is_out.astype(np.int8), [0]]))
    bounds_s = np.concatenate([[0.0], np.cumsum(lengths_s)])
    ends = bounds_s[np.flatnonzero(edges == -1)]
    return np.asarray(ends - bounds_s[np.flatnonzero(edges == 1)])
