"""Capacities from slow and fast Gaussian movement: the ``Copula`` of a model, drawn."""

from __future__ import annotations

import math

import numpy as np

from abr.generators.model import Copula
from abr.generators.portable import normal_quantile, normal_share
from abr.media import FloatArray

DRAWS = 3
"""Random numbers per period: slow movement, fast movement, noise."""


def draw_copula(copula: Copula, mean_level: float, chance: FloatArray) -> FloatArray:
    """Capacities in bits per second, 0 in outages; fewer periods are the beginning of more.

    Args:
        copula: What to draw from.
        mean_level: Where in the distribution of means this trace lies, 0 to 1.
        chance: Numbers strictly between 0 and 1, shape (K, ``DRAWS``).
    """
    normals = normal_quantile(chance)
    latent = _latent(copula, normals.tolist())
    mean_bps = copula.mean_bps.at(mean_level)
    return mean_bps * copula.ratios.at_each(normal_share(np.array(latent)))


def _latent(copula: Copula, normals: list[list[float]]) -> list[float]:
    weights = (copula.slow_weight, copula.fast_weight, copula.noise_weight)
    whole = sum(weights)
    by_slow, by_fast, by_noise = (math.sqrt(weight / whole) for weight in weights)
    slow_phi, fast_phi = copula.slow_phi, copula.fast_phi
    slow_fresh, fast_fresh = _fresh(slow_phi), _fresh(fast_phi)
    slow = fast = 0.0
    values = []
    for k, (slow_shock, fast_shock, noise) in enumerate(normals):
        slow = slow_phi * slow + slow_fresh * slow_shock if k else slow_shock
        fast = fast_phi * fast + fast_fresh * fast_shock if k else fast_shock
        values.append(by_slow * slow + by_fast * fast + by_noise * noise)
    return values


def _fresh(phi: float) -> float:
    """What keeps the variance of an autoregressive process at 1."""
    return math.sqrt(1 - phi * phi)
