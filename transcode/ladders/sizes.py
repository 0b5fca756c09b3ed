"""Sizes of rungs: the master's shape, in even numbers."""

from __future__ import annotations

import math
from collections.abc import Callable

from transcode.masters.master import Master


def scale_into(master: Master, box_width: float, box_height: float) -> float:
    """Factor by which the master fits into a box; for upright pictures the box is turned."""
    width, height = master.width, master.height
    if height > width:
        box_width, box_height = box_height, box_width
    return min(box_width / width, box_height / height)


def scale_to_area(master: Master, box_width: float, box_height: float) -> float:
    """Factor by which the master gets as many pixels as a box has, whatever its shape."""
    return math.sqrt(box_width * box_height / (master.width * master.height))


def largest_fitting(
    width: int, height: int, fits: Callable[[int, int], bool]
) -> tuple[int, int] | None:
    """The largest size of this shape, not above it, that ``fits``; None when none does."""
    low, high = 0.0, 1.0
    if fits(width, height):
        return width, height
    best = None
    for _ in range(16):  # to a part in 65,536: below one pixel
        middle = (low + high) / 2
        size = _shaped(width, height, middle)
        if fits(*size):
            low, best = middle, size
        else:
            high = middle
    return best


def size_of(master: Master, scale: float) -> tuple[int, int]:
    """An even width and height, not above the master's unless that is 1 pixel.

    Neither falls below 2, and then the other is not made smaller either: the shape is kept.
    """
    scale = min(1.0, max(scale, 2 / min(master.width, master.height)))
    return _shaped(master.width, master.height, scale)


def _shaped(width: int, height: int, scale: float) -> tuple[int, int]:
    """The longer side to the nearest even number; the other as near as can be to its shape."""
    if height > width:
        long, short = _shaped(height, width, scale)
        return short, long
    long = _even(width * scale, width)
    return long, _even(long * height / width, height)


def _even(length: float, most: int) -> int:
    return max(2, min(most - most % 2, 2 * round(length / 2)))
