"""How alike two sets of traces are: distance of distributions, memory, outages.

Series are capacities at equal periods, as ``resample`` makes them, one array per trace.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from abr.media import FloatArray
from abr.trace import Trace

_ROUND_UP = 1e-9


def resample(trace: Trace, period_s: float) -> FloatArray:
    """Mean capacity of each whole period of one pass, bits per second, shape (K,).

    What is left over at the end is not used; K is 0 for a trace shorter than a period.
    """
    count = int(trace.duration_s / period_s + _ROUND_UP)
    offered = np.concatenate([[0.0], np.cumsum(np.diff(trace.times_s) * trace.capacity_bps)])
    by_bound = np.interp(np.arange(count + 1) * period_s, trace.times_s, offered)
    # A difference of sums: below a millionth of a bit per second it is rounding.
    rates = np.diff(by_bound) / period_s
    return np.where(rates < 1e-6 * trace.mean_bps, 0.0, rates)


def ks_distance(one: FloatArray, other: FloatArray) -> float:
    """Kolmogorov-Smirnov distance: the largest gap between two empirical distributions.

    Raises:
        ValueError: one of them is empty.
    """
    if len(one) == 0 or len(other) == 0:
        raise ValueError("expected at least one value on each side")
    at = np.concatenate([one, other])
    below_one = np.searchsorted(np.sort(one), at, side="right") / len(one)
    below_other = np.searchsorted(np.sort(other), at, side="right") / len(other)
    return float(np.max(np.abs(below_one - below_other)))


def autocorrelation(series: Sequence[FloatArray], lags: int) -> tuple[float, ...]:
    """Autocorrelation at lags 1 to ``lags``: of each trace about its own mean, averaged.

    Traces weigh by their length. Those that are constant, or not longer than ``lags``
    periods, say nothing and are left out.

    Returns:
        nan for every lag when all traces are left out.
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
    """Share of periods with a capacity under ``below_bps``, or of 0."""
    values = np.concatenate([np.zeros(0), *series])
    return float(np.mean((values < below_bps) | (values == 0))) if len(values) else 0.0
