"""How far up a mean may be of what is 0 in most clusters, such as the time stalled.

The cluster with most of the stalls is in few samples. A sample without it has a figure that
is too low, with little spread: no interval that is made of its spread alone holds the truth as
often as it says. What such a sample does show is in how many clusters there was a stall, and
how long stalls are as a rule. Stalled times of those that stall are spread about lognormally
(79 recordings, three algorithms: standard deviation of the logarithm 1.4 to 1.8, skewness
−0.5 to 0.6; households that differ more: 1.7 to 2.5), so the mean follows from the two:

    p · exp(μ + σ² / 2)

with p = k / n the share of clusters that stalled, μ the mean of the logarithms and σ given. The
logarithm of that has the variance (1 − p) / k + σ² / k. Of a difference the same holds of the
clusters in which one algorithm stalls longer, and of those in which the other does.

``tests/perf/interval_coverage.py`` measures what it is worth. Source of the form: Aitchison's
delta distribution of 1955, as the reference of EnvStats 2.4.0 has it (ZeroModifiedLognormal).
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from abr.media import FloatArray

SPREAD = 1.7
"""Standard deviation of the logarithm of the time stalled in a cluster that stalls (measured)."""

SEEN_OFTEN = 30
"""With so many clusters that stalled, the spread of the sample says enough."""

_NORMAL = NormalDist()


class _Tail(NamedTuple):
    """The logarithm of a mean."""

    middle: float
    error: float


def _tail_of(loads: FloatArray) -> _Tail | None:
    """None where nothing was seen, or enough."""
    seen, n = loads[loads > 0], len(loads)
    k = len(seen)
    if not 0 < k < SEEN_OFTEN:
        return None
    middle = math.log(k / n) + float(np.log(seen).mean()) + SPREAD**2 / 2
    return _Tail(middle, math.sqrt((1 - k / n + SPREAD**2) / k))


def reach(loads: FloatArray, *, miss: float) -> float:
    """How much higher than the mean of a sample the true one may be.

    Args:
        loads: Of each cluster, not below 0, shape (clusters,).
        miss: How often it may be higher still.

    Returns:
        0 where the sample itself says enough, or has nothing.
    """
    tail = _tail_of(loads)
    if tail is None:
        return 0.0
    high = math.exp(min(tail.middle + _NORMAL.inv_cdf(1 - miss) * tail.error, 700.0))
    return max(high - float(loads.mean()), 0.0)


def chance_above(loads: FloatArray, height: float) -> float:
    """How probable it is that the true mean is above ``height``: the ``miss`` that reaches it.

    0 where the sample itself says enough, or has nothing.
    """
    tail = _tail_of(loads)
    if tail is None:
        return 0.0
    return 1 - _NORMAL.cdf((math.log(height) - tail.middle) / tail.error) if height > 0 else 1.0


def most_of(loads: FloatArray) -> tuple[int, float]:
    """The cluster with most of what is nowhere below 0: its place, and its share of all.

    The share is 0 where there is nothing.
    """
    total = float(loads.sum())
    place = int(loads.argmax())
    return place, float(loads[place]) / total if total > 0 else 0.0


def highest_share_unseen(clusters: int, *, level: float) -> float:
    """Of how many clusters something may hold that none of ``clusters`` had, at most.

    The share p that leaves a chance of 1 − ``level`` to see none: (1 − p)ⁿ = 1 − level.
    """
    return float(1 - (1 - level) ** (1 / clusters))
