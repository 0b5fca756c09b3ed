"""The built-in presentations, with variable bit rate.

Their segment sizes are random: the cost of a scene scales all rungs together and lasts a
few segments, and each rung varies a little on its own. The mean of every rung is its
nominal bit rate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from abr.errors import InputError
from abr.media import Presentation

SCENE_SPREAD = 0.30
"""Standard deviation of the logarithm of a scene's cost."""
SCENE_MEMORY = 0.75
"""Correlation of that logarithm between neighbouring segments."""
RUNG_SPREAD = 0.05
"""Standard deviation of the logarithm of a rung's own variation."""
MOST_RATIO = 2.0
"""No segment is larger than this many times its rung's nominal size, as encoders are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Parameters of a random presentation."""

    bitrates_bps: tuple[float, ...]
    segments: int
    segment_s: float


BUILTIN: Mapping[str, Shape] = {
    "vbr-6": Shape(
        bitrates_bps=(3e5, 7.5e5, 1.2e6, 1.85e6, 2.85e6, 4.5e6), segments=75, segment_s=4.0
    ),
    "vbr-10": Shape(
        bitrates_bps=(2.3e5, 3.3e5, 4.8e5, 6.9e5, 9.9e5, 1.43e6, 2.06e6, 2.96e6, 4.26e6, 6e6),
        segments=100,
        segment_s=3.0,
    ),
}
"""By name: 5 minutes each."""


def draw(shape: Shape, rng: np.random.Generator, *, title: str) -> Presentation:
    """Draw a presentation with variable bit rate."""
    innovations = rng.standard_normal(shape.segments)
    scenes = np.empty(shape.segments)
    level = float(innovations[0])
    for index, fresh in enumerate(innovations):
        if index:
            level = SCENE_MEMORY * level + float(np.sqrt(1 - SCENE_MEMORY**2)) * float(fresh)
        scenes[index] = level
    rungs = len(shape.bitrates_bps)
    own = rng.standard_normal((rungs, shape.segments))
    cost = np.exp(SCENE_SPREAD * scenes + RUNG_SPREAD * own)
    cost = np.minimum(cost / cost.mean(axis=1, keepdims=True), MOST_RATIO)
    cost /= cost.mean(axis=1, keepdims=True)
    nominal = np.array(shape.bitrates_bps)[:, None] * shape.segment_s / 8
    return Presentation(
        bitrates_bps=np.array(shape.bitrates_bps),
        sizes_bytes=np.maximum(np.round(nominal * cost), 1.0),
        durations_s=np.full(shape.segments, shape.segment_s),
        title=title,
    )


def builtin(name: str, seed: int = 0) -> Presentation:
    """The built-in presentation ``name``; its title ends in the seed unless that is 0.

    Raises:
        InputError: there is none of that name.
    """
    shape = BUILTIN.get(name)
    if shape is None:
        raise InputError(f"unknown presentation {name!r}; expected one of {', '.join(BUILTIN)}")
    title = name if seed == 0 else f"{name}-{seed}"
    return draw(shape, np.random.default_rng(seed), title=title)
