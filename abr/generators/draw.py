"""Draw a trace from a model, a seed and a duration."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np

from abr.errors import ModelError
from abr.generators import chain, copula
from abr.generators.model import KINDS, Kind, Model
from abr.generators.portable import uniforms, uniforms_of
from abr.media import FloatArray, frozen_array
from abr.trace import Trace

_ATTEMPTS = 100
_MIN_S = 0.001
_MAX_PERIODS = 5_000_000
_FEW = 8
"""Fewer traces are faster drawn one by one."""
_MOST_AT_ONCE = 2**18
"""Periods of traces that are drawn together."""


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
    bounds_s, kind = _checked(model, seed, duration_s, kind)
    for attempt in range(_ATTEMPTS):
        capacity = _draw(model, kind, seed, attempt, len(bounds_s) - 1)
        if capacity.any():
            return _trace(model, kind, seed, bounds_s, capacity)
    raise ModelError(
        f"{model.name}: {_ATTEMPTS} draws of {duration_s:g} s were nothing but outage; "
        "draw a longer trace, or check the outages of the model"
    )


def generate_many(
    model: Model, *, seeds: Sequence[int], duration_s: float = 300.0, kind: Kind | None = None
) -> list[Trace]:
    """``generate`` for each of ``seeds``, faster where there are many.

    Raises:
        ValueError, ModelError: as ``generate``.
    """
    if not seeds:
        return []
    bounds_s, known = [_checked(model, seed, duration_s, kind) for seed in seeds][-1]
    periods = len(bounds_s) - 1
    if known != "copula" or len(seeds) < _FEW:
        return [generate(model, seed=seed, duration_s=duration_s, kind=kind) for seed in seeds]
    found: list[Trace] = []
    step = max(_MOST_AT_ONCE // periods, 1)
    for start in range(0, len(seeds), step):
        some = seeds[start : start + step]
        chance = uniforms_of(some, 0, 1 + periods * copula.DRAWS)
        table = chance[:, 1:].reshape(len(some), periods, copula.DRAWS)
        drawn = np.rint(copula.draw_copulas(model.copula, chance[:, 0].tolist(), table))
        found += [
            _trace(model, known, seed, bounds_s, capacity)
            if capacity.any()
            else generate(model, seed=seed, duration_s=duration_s, kind=kind)
            for seed, capacity in zip(some, drawn, strict=True)
        ]
    return found


def _checked(
    model: Model, seed: int, duration_s: float, kind: Kind | None
) -> tuple[FloatArray, Kind]:
    """Bounds of the periods, and the kind of model."""
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
    return _bounds_s(model.period_s, duration_s), kind


@functools.lru_cache(maxsize=2)
def _bounds_s(period_s: float, duration_s: float) -> FloatArray:
    # The quotient is rounded: without the margin 1.1 s would be 12 periods of 0.1 s.
    periods = max(math.ceil(duration_s / period_s - 1e-9), 1)
    bounds_s = np.minimum(np.arange(periods + 1) * period_s, duration_s)
    bounds_s[-1] = duration_s
    return frozen_array(bounds_s)


def _trace(
    model: Model, kind: Kind, seed: int, bounds_s: FloatArray, capacity_bps: FloatArray
) -> Trace:
    name = f"{model.name}-{kind}-{seed}"
    return Trace(times_s=bounds_s, capacity_bps=capacity_bps, name=name)


def _draw(model: Model, kind: Kind, seed: int, attempt: int, periods: int) -> FloatArray:
    """Draw capacities in whole bits per second, one per period."""
    width = chain.DRAWS if kind == "chain" else copula.DRAWS
    chance = uniforms(seed, attempt, 1 + periods * width)
    table = chance[1:].reshape(periods, width)
    level = float(chance[0])
    if kind == "chain":
        return np.rint(chain.draw_chain(model.chain, level, table))
    return np.rint(copula.draw_copula(model.copula, level, table))
