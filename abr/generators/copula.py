"""Draw capacities from the ``Copula`` of a model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import numpy as np

from abr.generators.model import Copula
from abr.generators.portable import normal_quantile, normal_share
from abr.media import FloatArray

DRAWS = 3
"""Random numbers per period: slow process, fast process, noise."""
_Level = TypeVar("_Level", float, FloatArray)


def draw_copula(copula: Copula, mean_level: float, chance: FloatArray) -> FloatArray:
    """Draw capacities in bits per second, 0 in outages.

    The result for K periods is a prefix of that for more.

    Args:
        copula: What to draw from.
        mean_level: Level of this trace's mean in the distribution of means, 0 to 1.
        chance: Random numbers strictly between 0 and 1, shape (K, ``DRAWS``).
    """
    normals = normal_quantile(chance)
    latent = _latent(copula, normals.tolist())
    mean_bps = copula.mean_bps.at(mean_level)
    return mean_bps * copula.ratios.at_each(normal_share(np.array(latent)))


def draw_copulas(copula: Copula, mean_levels: Sequence[float], chance: FloatArray) -> FloatArray:
    """``draw_copula`` for S traces at once, bit for bit, in a fraction of the time.

    Args:
        copula: What to draw from.
        mean_levels: One for each trace.
        chance: As in ``draw_copula``, shape (S, K, ``DRAWS``).

    Returns:
        Shape (S, K).
    """
    normals = normal_quantile(chance).transpose(1, 2, 0)
    latent = np.array(_latent(copula, normals)).T
    means_bps = np.array([copula.mean_bps.at(level) for level in mean_levels])
    return means_bps[:, None] * copula.ratios.at_each(normal_share(latent))


def _latent(copula: Copula, normals: Iterable[Iterable[_Level]]) -> list[_Level]:
    weights = (copula.slow_weight, copula.fast_weight, copula.noise_weight)
    whole = sum(weights)
    by_slow, by_fast, by_noise = (math.sqrt(weight / whole) for weight in weights)
    slow_phi, fast_phi = copula.slow_phi, copula.fast_phi
    slow_fresh, fast_fresh = _innovation_scale(slow_phi), _innovation_scale(fast_phi)
    slow: Any = 0.0
    fast: Any = 0.0
    values: list[_Level] = []
    for k, (slow_shock, fast_shock, noise) in enumerate(normals):
        slow = slow_phi * slow + slow_fresh * slow_shock if k else slow_shock
        fast = fast_phi * fast + fast_fresh * fast_shock if k else fast_shock
        values.append(by_slow * slow + by_fast * fast + by_noise * noise)
    return values


def _innovation_scale(phi: float) -> float:
    """Scale of the innovations that keeps an autoregressive process at unit variance."""
    return math.sqrt(1 - phi * phi)
