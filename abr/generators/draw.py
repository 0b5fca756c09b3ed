"""Draw a trace from a model, a seed and a duration."""

from __future__ import annotations

import math

import numpy as np

from abr.errors import ModelError
from abr.generators import chain, copula
from abr.generators.model import KINDS, Kind, Model
from abr.generators.portable import uniforms
from abr.media import FloatArray
from abr.trace import Trace

_ATTEMPTS = 100
_MIN_S = 0.001
_MAX_PERIODS = 5_000_000


def generate(
    model: Model, *, seed: int, duration_s: float = 300.0, kind: Kind | None = None
) -> Trace:
    """Draw one trace; equal arguments give identical traces on every machine.

    Args:
        model: The model to draw from.
        seed: 0 or more; each seed gives a different trace of the class.
        duration_s: Length of the trace. The last period is cut short if this is not a
            multiple of the model's period.
        kind: ``chain`` or ``copula``; None for the model's default.

    Returns:
        A looping trace named ``MODEL-KIND-SEED``, in whole bits per second. A draw that is
        a single outage is repeated with other random numbers.

    Raises:
        ValueError: the seed is negative, or the duration is below a millisecond or above
            5 million periods.
        ModelError: the kind is unknown, or the model yields nothing but outages.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"seed is {seed!r}; expected a whole number of 0 or more")
    if not _MIN_S <= duration_s <= _MAX_PERIODS * model.period_s:
        raise ValueError(
            f"duration_s is {duration_s!r}; expected {_MIN_S:g} to "
            f"{_MAX_PERIODS * model.period_s:g}"
        )
    kind = kind or model.default_kind
    if kind not in KINDS:
        raise ModelError(f"{model.name}: kind {kind!r}; expected one of {', '.join(KINDS)}")
    # The quotient is rounded: without the margin 1.1 s would be 12 periods of 0.1 s.
    periods = max(math.ceil(duration_s / model.period_s - 1e-9), 1)
    bounds = [min(k * model.period_s, duration_s) for k in range(periods + 1)]
    bounds[-1] = duration_s
    for attempt in range(_ATTEMPTS):
        capacity = _draw(model, kind, seed, attempt, periods)
        if capacity.any():
            return Trace(
                times_s=np.array(bounds),
                capacity_bps=capacity,
                name=f"{model.name}-{kind}-{seed}",
            )
    raise ModelError(
        f"{model.name}: {_ATTEMPTS} draws of {duration_s:g} s were nothing but outage; "
        "draw a longer trace, or check the outages of the model"
    )


def _draw(model: Model, kind: Kind, seed: int, attempt: int, periods: int) -> FloatArray:
    """Draw capacities in whole bits per second, one per period."""
    width = chain.DRAWS if kind == "chain" else copula.DRAWS
    chance = uniforms(seed, attempt, 1 + periods * width)
    table = chance[1:].reshape(periods, width)
    level = float(chance[0])
    if kind == "chain":
        return np.rint(chain.draw_chain(model.chain, level, table))
    return np.rint(copula.draw_copula(model.copula, level, table))
