"""Curves through measured points, and the hull over several of them.

Arrays in, arrays out. Curves keep between the points that they join and go nowhere beyond
them: a figure that was not measured, or lies between two that were, is not made up.

Method: monotone piecewise cubics with slopes by a weighted harmonic mean; the monotone chain
for the hull.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from abr.media import FloatArray


def interpolate(at: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
    """Values between measured points, never above or below the neighbours'.

    Args:
        at: Where, shape (P,); taken to the nearest end outside of ``x``.
        x: Places measured, ascending, shape (M,).
        y: What was measured there, shape (M, …).

    Returns:
        Shape (P, …).

    Raises:
        ValueError: shapes differ, or ``x`` does not rise.
    """
    if len(x) != len(y) or len(x) == 0 or not (np.diff(x) > 0).all():
        raise ValueError("expected as many values as places, and rising places")
    at = np.clip(at, x[0], x[-1])
    if len(x) == 1:
        return np.repeat(y, len(at), axis=0)
    shape = (-1,) + (1,) * (y.ndim - 1)
    gaps = np.diff(x).reshape(shape)
    rises = np.diff(y, axis=0) / gaps
    slopes = _slopes(gaps, rises)
    left = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2)
    width = gaps[left]
    t = (at - x[left]).reshape(shape) / width
    values: FloatArray = (
        (1 + 2 * t) * (1 - t) ** 2 * y[left]
        + t * (1 - t) ** 2 * width * slopes[left]
        + t**2 * (3 - 2 * t) * y[left + 1]
        - t**2 * (1 - t) * width * slopes[left + 1]
    )
    return values


def _slopes(gaps: FloatArray, rises: FloatArray) -> FloatArray:
    """Slopes at the points: none at a turn, the weighted harmonic mean elsewhere."""
    slopes = np.concatenate([rises[:1], rises[:1], rises[1:]])[: len(rises) + 1].copy()
    slopes[0], slopes[-1] = rises[0], rises[-1]
    before, after = rises[:-1], rises[1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (gaps[:-1] + 2 * gaps[1:]) / (3 * (gaps[:-1] + gaps[1:]))
        joined = before * after / (share * after + (1 - share) * before)
    slopes[1:-1] = np.where(before * after > 0, joined, 0.0)
    return slopes


def upper_hull(x: Sequence[float] | FloatArray, y: Sequence[float] | FloatArray) -> list[int]:
    """Which points lie on the hull from the first of largest slope up to the highest.

    Args:
        x: Cost of each point, such as the logarithm of its rate.
        y: Worth of each point, such as its quality.

    Returns:
        Their numbers, by rising cost; worth rises with it, and ever more slowly.
    """
    order = sorted(range(len(x)), key=lambda i: (x[i], -y[i]))
    hull: list[int] = []
    for i in order:
        if hull and y[i] <= y[hull[-1]]:
            continue
        while len(hull) > 1 and _is_below(x, y, hull[-2], hull[-1], i):
            hull.pop()
        hull.append(i)
    return hull


def _is_below(
    x: Sequence[float] | FloatArray, y: Sequence[float] | FloatArray, a: int, b: int, c: int
) -> bool:
    """Whether point ``b`` lies on or below the line from ``a`` to ``c``."""
    return bool((x[b] - x[a]) * (y[c] - y[a]) - (y[b] - y[a]) * (x[c] - x[a]) >= 0)
