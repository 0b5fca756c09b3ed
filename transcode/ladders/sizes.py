"""Sizes of rungs: the master's shape, in even numbers."""

from __future__ import annotations

from transcode.masters.master import Master


def scale_into(master: Master, box_width: float, box_height: float) -> float:
    """Factor by which the master fits into a box; for upright pictures the box is turned."""
    width, height = master.width, master.height
    if height > width:
        box_width, box_height = box_height, box_width
    return min(box_width / width, box_height / height)


def size_of(master: Master, scale: float) -> tuple[int, int]:
    """The nearest even width and height, not above the master's unless that is 1 pixel."""
    return _even(master.width, scale), _even(master.height, scale)


def _even(length: int, scale: float) -> int:
    most = length - length % 2
    return max(2, min(most, 2 * round(length * scale / 2)))
