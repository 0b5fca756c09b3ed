"""Draw capacities from the ``Chain`` of a model."""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import accumulate

import numpy as np

from abr.generators.model import Chain
from abr.generators.portable import exp, normal_quantile
from abr.media import FloatArray

DRAWS = 2
"""Random numbers per period: the next state, and the variation within it."""

_CUT = 2.0


def draw_chain(chain: Chain, mean_level: float, chance: FloatArray) -> FloatArray:
    """Draw capacities in bits per second, 0 in outages.

    The mean of the trace is drawn from its quantiles, because a log-normal distribution
    fitted to them would be wider than what was observed.

    Args:
        chain: What to draw from.
        mean_level: Level of this trace's mean in the distribution of means, 0 to 1.
        chance: Random numbers strictly between 0 and 1, shape (K, ``DRAWS``).
    """
    states = np.array(_states(chain, chance[:, 0].tolist()))
    moves = np.array(_autoregressive(chain.within_phi, normal_quantile(chance[:, 1]).tolist()))
    moves = np.minimum(np.maximum(moves, -_CUT), _CUT)
    centre = np.array([0.0, *chain.log_ratio_mean])[states]
    spread = np.array([0.0, *chain.log_ratio_sigma])[states]
    shares = np.where(states == 0, 0.0, exp(centre + spread * moves))
    delivering = [share for share in shares.tolist() if share > 0]
    if not delivering:
        return shares
    # fsum rounds once, so the result does not depend on the order of the additions.
    scale = chain.mean_bps.at(mean_level) / (math.fsum(delivering) / len(delivering))
    return shares * scale


def _states(chain: Chain, chance: list[float]) -> list[int]:
    rows = [list(accumulate(row)) for row in chain.transition]
    row, states = list(accumulate(chain.initial)), []
    for level in chance:
        # The rows of a model file are rounded, so their sum is not exactly 1.
        state = min(bisect_right(row, level * row[-1]), len(row) - 1)
        states.append(state)
        row = rows[state]
    return states


def _autoregressive(phi: float, shocks: list[float]) -> list[float]:
    """A first-order autoregressive process, stationary with unit variance from the start."""
    fresh = math.sqrt(1 - phi * phi)
    value, values = 0.0, []
    for k, shock in enumerate(shocks):
        value = phi * value + fresh * shock if k else shock
        values.append(value)
    return values
