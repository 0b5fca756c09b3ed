"""How far up a figure may be that is 0 in most clusters, such as the time stalled.

The cluster with most of the stalls is in few samples. A sample without it has a figure that
is too low, with little spread: no interval that is made of its spread alone holds the truth as
often as it says. What such a sample does show is in how many clusters there was a stall, and
how long stalls are as a rule. Stalled times of those that stall are spread about lognormally
(79 recordings, three algorithms: standard deviation of the logarithm 1.4 to 1.8, skewness
−0.5 to 0.6; households that differ more: 1.7 to 2.5), so the mean follows from the two:

    θ = p · exp(μ + σ² / 2) / (mean of the denominators)

with p = k / n the share of clusters that stalled, μ the mean of the logarithms and σ given. The
logarithm of that has the variance (1 − p) / k + σ² / k.

``tests/perf/interval_coverage.py`` measures what it is worth. Source of the form: Aitchison's
delta distribution of 1955, as the reference of EnvStats 2.4.0 has it (ZeroModifiedLognormal).
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from abr.media import FloatArray
from bench.analysis.stats import Estimate

SPREAD = 1.7
"""Standard deviation of the logarithm of the time stalled in a cluster that stalls (measured)."""

SEEN_OFTEN = 30
"""With so many clusters that stalled, the spread of the sample says enough."""


def with_tail(estimate: Estimate, top: FloatArray, bottom: FloatArray, *, level: float) -> Estimate:
    """An interval that reaches as far up as what was not seen may take the figure.

    The lower end stays, and is hardly ever too high (measured), so that the whole of what an
    interval may miss is above.

    Args:
        estimate: By the spread of the sample.
        top: Numerator of each cluster, not below 0, shape (clusters,).
        bottom: Denominator of each; 0 where a cluster has no part.
        level: Share of such intervals that hold the truth.

    Returns:
        The same without an interval where no cluster has anything: that tells of no upper end.
    """
    counted = bottom > 0
    seen, n = top[counted & (top > 0)], int(counted.sum())
    k = len(seen)
    if k == 0:
        return Estimate(value=estimate.value, low=math.nan, high=math.nan)
    if k >= SEEN_OFTEN or not estimate.has_interval:
        return estimate
    middle = math.log(k / n) + float(np.log(seen).mean()) + SPREAD**2 / 2
    error = math.sqrt((1 - k / n + SPREAD**2) / k)
    reach = middle + NormalDist().inv_cdf(level) * error
    high = math.exp(min(reach, 700.0)) / float(bottom[counted].mean())
    return Estimate(value=estimate.value, low=estimate.low, high=max(estimate.high, high))


def most_of(top: FloatArray) -> tuple[int, float]:
    """The cluster with most of a figure that is nowhere below 0: its place, and its share of all.

    The share is 0 where there is nothing.
    """
    total = float(top.sum())
    place = int(top.argmax())
    return place, float(top[place]) / total if total > 0 else 0.0


def highest_share_unseen(clusters: int, *, level: float) -> float:
    """Of how many clusters something may hold that none of ``clusters`` had, at most.

    The share p that leaves a chance of 1 − ``level`` to see none: (1 − p)ⁿ = 1 − level.
    """
    return float(1 - (1 - level) ** (1 / clusters))
