"""Draw capacities from the ``Copula`` of a model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from abr.generators.model import Copula
from abr.generators.portable import normal_quantile, normal_share
from abr.media import FloatArray

DRAWS = 3
"""Random numbers per period: slow process, fast process, noise."""


def draw_copula(copula: Copula, mean_level: float, chance: FloatArray) -> FloatArray:
    """Draw capacities in bits per second, 0 in outages.

    The result for K periods is a prefix of that for more.

    Args:
        copula: What to draw from.
        mean_level: Level of this trace's mean in the distribution of means, 0 to 1.
        chance: Random numbers strictly between 0 and 1, shape (K, ``DRAWS``).
    """
    normals = normal_quantile(chance)
    latent = _latent(copula, *normals.T)
    mean_bps = copula.mean_bps.at(mean_level)
    return mean_bps * copula.ratios.at_each(normal_share(latent))


def draw_copulas(copula: Copula, mean_levels: Sequence[float], chance: FloatArray) -> FloatArray:
    """``draw_copula`` for S traces at once, bit for bit, in a fraction of the time.

    Args:
        copula: What to draw from.
        mean_levels: One for each trace.
        chance: As in ``draw_copula``, shape (S, K, ``DRAWS``).

    Returns:
        Shape (S, K).
    """
    normals = normal_quantile(np.ascontiguousarray(chance.transpose(2, 1, 0)))
    latent = _latent(copula, *normals)
    means_bps = np.array([copula.mean_bps.at(level) for level in mean_levels])
    return means_bps[:, None] * copula.ratios.at_each(normal_share(latent)).T


def _latent(copula: Copula, slow: FloatArray, fast: FloatArray, noise: FloatArray) -> FloatArray:
    """The sum of the processes, from normal numbers of shape (K,) or, for S traces, (K, S)."""
    weights = (copula.slow_weight, copula.fast_weight, copula.noise_weight)
    whole = sum(weights)
    by_slow, by_fast, by_noise = (math.sqrt(weight / whole) for weight in weights)
    total = by_slow * _process(copula.slow_phi, slow)
    total += by_fast * _process(copula.fast_phi, fast)
    total += by_noise * noise
    return total


def _process(phi: float, normals: FloatArray) -> FloatArray:
    """First-order autoregressive, of unit variance from the start."""
    fresh = _innovation_scale(phi) * normals
    # Plain numbers are quicker one by one, rows of an array where there are several traces.
    shocks: Any = fresh.tolist() if fresh.ndim == 1 else fresh
    value: Any = normals[0]
    values = [value]
    for shock in shocks[1:]:
        value = phi * value + shock
        values.append(value)
    return np.array(values)


def _innovation_scale(phi: float) -> float:
    """Scale of the innovations that keeps an autoregressive process at unit variance."""
    return math.sqrt(1 - phi * phi)
