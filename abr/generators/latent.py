"""Fit the latent Gaussian process behind observed capacities, with two time scales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from abr.generators.portable import normal_quantile
from abr.media import FloatArray

_LAGS = 60
_SLOW = (0.0, 0.3, 0.5, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.995)
_FAST = tuple(k / 20 for k in range(20))


@dataclass(frozen=True, slots=True)
class TimeScales:
    """Weights and one-period correlations of a slow and a fast process."""

    slow_weight: float
    slow_phi: float
    fast_weight: float
    fast_phi: float


def latent_correlation(ratios: Sequence[FloatArray]) -> FloatArray:
    """Correlation of normal scores at lags 1, 2, ..., pooled over all traces.

    The score of a period is the normal quantile of its rank among all periods; equal
    capacities share their mean rank. Lags beyond a third of the length of the median trace
    are left out, because few pairs remain.
    """
    pooled = np.sort(np.concatenate(ratios))
    scores = [_scores(row, pooled) for row in ratios]
    power = float(np.mean(np.concatenate(scores) ** 2))
    reach = max(min(_LAGS, int(np.median([len(row) for row in ratios])) // 3), 2)
    found = []
    for lag in range(1, reach + 1):
        pairs = [row[lag:] * row[:-lag] for row in scores if len(row) > lag]
        found.append(float(np.mean(np.concatenate(pairs))) / power if power > 0 else 0.0)
    return np.array(found)


def _scores(row: FloatArray, pooled: FloatArray) -> FloatArray:
    below = np.searchsorted(pooled, row, side="left") + np.searchsorted(pooled, row, side="right")
    return normal_quantile(np.clip(below / (2 * len(pooled)), 1e-9, 1 - 1e-9))


def two_time_scales(correlation: FloatArray) -> TimeScales:
    """The sum of two exponentials closest to a correlation, by weighted least squares.

    Earlier lags count more. A grid search is followed by a finer one around the best pair;
    the weights are 0 or more and sum to at most 1.
    """
    lags = np.arange(1.0, len(correlation) + 1)
    importance = 1 / lags
    best = _best(correlation, lags, importance, _SLOW, _FAST)
    near_slow = tuple(1 - (1 - best.slow_phi) * f for f in (0.6, 0.7, 0.8, 0.9, 1, 1.15, 1.3))
    near_fast = tuple(min(max(best.fast_phi + d / 100, 0), 0.99) for d in range(-4, 5))
    return _best(correlation, lags, importance, near_slow, near_fast)


def _best(
    correlation: FloatArray,
    lags: FloatArray,
    importance: FloatArray,
    slow_grid: tuple[float, ...],
    fast_grid: tuple[float, ...],
) -> TimeScales:
    best, least = TimeScales(0.0, 0.0, 0.0, 0.0), float("inf")
    for slow_phi in slow_grid:
        for fast_phi in fast_grid:
            if fast_phi > slow_phi or not 0 <= slow_phi < 1:
                continue
            slow, fast = slow_phi**lags, fast_phi**lags
            for slow_weight, fast_weight in _weights(slow, fast, correlation, importance):
                error = slow_weight * slow + fast_weight * fast - correlation
                loss = float(importance @ error**2)
                if loss < least - 1e-12:
                    least = loss
                    best = TimeScales(
                        round(slow_weight, 4),
                        round(slow_phi, 5),
                        round(fast_weight, 4),
                        round(fast_phi, 5),
                    )
    return best


def _weights(
    slow: FloatArray, fast: FloatArray, target: FloatArray, importance: FloatArray
) -> list[tuple[float, float]]:
    """Candidate weights: the unconstrained optimum if it is feasible, and that on each edge."""
    ss, ff = float(importance @ slow**2), float(importance @ fast**2)
    sf = float(importance @ (slow * fast))
    st, ft = float(importance @ (slow * target)), float(importance @ (fast * target))
    found = [(_clip(st / ss) if ss > 0 else 0.0, 0.0), (0.0, _clip(ft / ff) if ff > 0 else 0.0)]
    apart = slow - fast
    length = float(importance @ apart**2)
    if length > 0:
        share = _clip(float(importance @ (apart * (target - fast))) / length)
        found.append((share, 1 - share))
    area = ss * ff - sf * sf
    if area > 1e-12:
        free = ((st * ff - ft * sf) / area, (ft * ss - st * sf) / area)
        if min(free) >= 0 and sum(free) <= 1:
            found.append(free)
    return found


def _clip(weight: float) -> float:
    return min(max(weight, 0.0), 1.0)
