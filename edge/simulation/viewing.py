"""Requests of people who watch films: a log to compare caches with, made from chance alone.

Titles are chosen by Zipf's law. A viewer starts at the beginning, or now and then where an
earlier evening ended, watches one segment after the other, and may leave after any of them.
Each viewer has a usual rung, for a moment another. Segments of one rung differ in size, and
each has the same size for everyone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.simulation.requests import Request

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewing:
    """What is watched, and how."""

    titles: int = 1500
    zipf_exponent: float = 0.9
    viewers: int = 14_200
    """Viewings in all."""
    length_s: float = 86_400.0
    """They start within this time, evenly."""
    segment_s: float = 4.0
    segments_per_title: tuple[int, int] = (300, 1500)
    """Fewest and most; drawn for each title."""
    rungs_bps: tuple[int, ...] = (300_000, 750_000, 1_500_000, 3_000_000, 4_500_000, 6_000_000)
    rung_weights: tuple[float, ...] = (0.04, 0.08, 0.15, 0.28, 0.25, 0.20)
    """How usual each rung is among viewers."""
    watched_segments: float = 75.0
    """Mean of the segments after which a viewer leaves, if the title does not end before."""
    resume_ratio: float = 0.15
    """Viewers that start somewhere inside."""
    switch_ratio: float = 0.05
    """Segments of another rung than the viewer's usual one: a neighbour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLog:
    """Requests in order of time, one row each; arrays are read-only."""

    times_s: FloatArray
    objects: IntArray
    """Which object: a number that means the same throughout the log."""
    sizes_bytes: IntArray

    def __len__(self) -> int:
        return len(self.times_s)

    @property
    def footprint_bytes(self) -> int:
        """Sum of the sizes of all different objects."""
        _, first = np.unique(self.objects, return_index=True)
        return int(self.sizes_bytes[first].sum())

    @property
    def distinct(self) -> int:
        """Number of different objects."""
        return len(np.unique(self.objects))

    def requests(self) -> Iterator[Request]:
        """The rows; the key of an object is its number."""
        rows = zip(
            self.times_s.tolist(), self.objects.tolist(), self.sizes_bytes.tolist(), strict=True
        )
        for t_s, number, size_bytes in rows:
            yield Request(t_s, str(number), size_bytes)


def watch(viewing: Viewing, rng: np.random.Generator) -> RequestLog:
    """The requests of all viewers, merged in order of time."""
    count, rungs = viewing.viewers, len(viewing.rungs_bps)
    low, high = viewing.segments_per_title
    lengths = rng.integers(low, high, viewing.titles, endpoint=True)
    title = rng.choice(viewing.titles, count, p=zipf(viewing.titles, viewing.zipf_exponent))
    first = np.where(
        rng.random(count) < viewing.resume_ratio,
        rng.integers(0, 1 << 40, count) % lengths[title],
        0,
    )
    watched = np.minimum(rng.geometric(1 / viewing.watched_segments, count), lengths[title] - first)
    weights = np.array(viewing.rung_weights)
    usual = rng.choice(rungs, count, p=weights / weights.sum())
    start_s = np.sort(rng.random(count)) * viewing.length_s

    viewer = np.repeat(np.arange(count), watched)
    step = np.arange(len(viewer)) - np.repeat(np.cumsum(watched) - watched, watched)
    times_s = start_s[viewer] + step * viewing.segment_s
    moved = np.where(rng.random(len(viewer)) < viewing.switch_ratio, 1, 0)
    moved *= rng.choice(np.array([-1, 1]), len(viewer))
    rung = np.clip(usual[viewer] + moved, 0, rungs - 1)
    objects = (title[viewer] * high + first[viewer] + step) * rungs + rung
    order = np.argsort(times_s, kind="stable")
    objects, rung = objects[order], rung[order]
    return RequestLog(
        times_s=_frozen(times_s[order]),
        objects=_frozen(objects.astype(np.int64)),
        sizes_bytes=_frozen(_sizes_bytes(viewing, objects, rung, rng)),
    )


def zipf(count: int, exponent: float) -> FloatArray:
    """Shares of ``count`` items of which item ``n`` weighs ``n`` to the power ``-exponent``."""
    weights = np.arange(1, count + 1, dtype=np.float64) ** -exponent
    return np.asarray(weights / weights.sum())


def _sizes_bytes(
    viewing: Viewing, objects: IntArray, rung: IntArray, rng: np.random.Generator
) -> IntArray:
    """Sizes around the rung's rate, a fifth more or less; each object has one."""
    _, inverse = np.unique(objects, return_inverse=True)
    spread = rng.lognormal(-0.02, 0.2, int(inverse.max()) + 1 if len(inverse) else 0)
    mean_bytes = np.array(viewing.rungs_bps)[rung] * viewing.segment_s / 8
    return np.maximum(1, mean_bytes * spread[inverse]).astype(np.int64)


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array
