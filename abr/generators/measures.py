"""Compare two sets of traces: distance of distributions, autocorrelation, outages.

A series is one array per trace, of capacities in equal periods as returned by ``resample``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from abr.media import FloatArray
from abr.trace import Trace

_ROUND_UP = 1e-9


def resample(trace: Trace, period_s: float) -> FloatArray:
    """Mean capacity of each whole period of one pass, bits per second, shape (K,).

    An incomplete period at the end is dropped; K is 0 for a trace shorter than a period.
    """
    count = int(trace.duration_s / period_s + _ROUND_UP)
    offered = np.concatenate([[0.0], np.cumsum(np.diff(trace.times_s) * trace.capacity_bps)])
    by_bound = np.interp(np.arange(count + 1) * period_s, trace.times_s, offered)
    # Differences of cumulative sums: a rate below a millionth of the mean is rounding.
    rates = np.diff(by_bound) / period_s
    return np.where(rates < 1e-6 * trace.mean_bps, 0.0, rates)


def ks_distance(one: FloatArray, other: FloatArray) -> float:
    """Kolmogorov-Smirnov distance: the largest gap between two empirical distributions.

    Raises:
        ValueError: either is empty.
    """
    if len(one) == 0 or len(other) == 0:
        raise ValueError("expected at least one value on each side")
    at = np.concatenate([one, other])
    below_one = np.searchsorted(np.sort(one), at, side="right") / len(one)
    below_other = np.searchsorted(np.sort(other), at, side="right") / len(other)
    return float(np.max(np.abs(below_one - below_other)))


def autocorrelation(series: Sequence[FloatArray], lags: int) -> tuple[float, ...]:
    """Autocorrelation at lags 1 to ``lags`` of each trace about its own mean, averaged.

    The average is weighted by length. Traces that are constant, or no longer than ``lags``
    periods, are skipped.

    Returns:
        One value per lag; nan for every lag if all traces are skipped.
    """
    totals, weight = np.zeros(lags), 0.0
    for values in series:
        if len(values) <= lags:
            continue
        about = values - values.mean()
        power = float(about @ about)
        if power <= 1e-12 * float(values @ values):
            continue
        found = np.array([float(about[k:] @ about[:-k]) for k in range(1, lags + 1)]) / power
        totals += len(values) * found
        weight += len(values)
    if weight == 0:
        return (float("nan"),) * lags
    return tuple((totals / weight).tolist())


def outage_ratio(series: Sequence[FloatArray], below_bps: float) -> float:
    """Share of periods with a capacity below ``below_bps``, or equal to 0."""
    values = np.concatenate([np.zeros(0), *series])
    return float(np.mean((values < below_bps) | (values == 0))) if len(values) else 0.0
