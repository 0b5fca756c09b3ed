"""Where the names of points go: beside them, over no other name and no other point.

Names are placed one after the other, each at the nearest free place around its point; a line
leads to one that had to go farther off. A name stays clear of its point's own bars, too, and of
others' where that does not take it far. One for which there is no room is left out: its point
has a mark of its own, and the table beside the chart has both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bench.reports.names import width_px as width_of

Point = tuple[float, float]

LINE_PX = 13.0
POINT_PX = 6.0
"""Half of the place that a point takes."""
GAP_PX = 9.0
"""From a point to a name beside it."""
RINGS_PX = (0.0, 12.0, 26.0, 42.0, 60.0, 80.0, 104.0, 130.0)
"""How much farther off a name may go."""
DIRECTIONS = 16
OWN_BAR_PX, OTHER_BAR_PX = 60.0, 14.0
"""How much farther off a name may go to lie over one bar less."""


class Box(NamedTuple):
    """A rectangle in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        """Whether both have a piece in common."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """Where a name stands, in pixels from its point."""

    dx_px: float
    dy_px: float
    """Of the middle of its near end."""
    is_left: bool
    """Whether it ends there instead of beginning."""
    is_led: bool
    """Whether a line leads to it."""


def place_labels(
    points: Sequence[Point],
    names: Sequence[str],
    *,
    width_px: float,
    height_px: float,
    bars: Sequence[Sequence[Box]] = (),
) -> list[Label | None]:
    """Find a place for each name.

    Args:
        points: In pixels, the origin at the top left. Those before others are named first.
        names: Of each point.
        width_px: Of the area that all names must lie in.
        height_px: Of the same.
        bars: Of each point, such as those of its intervals; of none when empty.

    Returns:
        A label for each point, None where there is no room.
    """
    taken = [Box(x - POINT_PX, y - POINT_PX, x + POINT_PX, y + POINT_PX) for x, y in points]
    found: list[Label | None] = []
    for place, ((x, y), name) in enumerate(zip(points, names, strict=True)):
        length_px = width_of(name)
        best: tuple[float, Label, Box] | None = None
        for ring_px, label in _candidates():
            if best is not None and best[0] <= ring_px:
                break
            box = _box(x, y, label, length_px)
            is_inside = box.left >= 0 and box.right <= width_px
            is_inside &= box.top >= 0 and box.bottom <= height_px
            if not is_inside or any(box.meets(other) for other in taken):
                continue
            cost_px = ring_px + _crossed_px(box, bars, place)
            if best is None or cost_px < best[0]:
                best = cost_px, label, box
        found.append(None if best is None else best[1])
        taken += [] if best is None else [best[2]]
    return found


def _crossed_px(box: Box, bars: Sequence[Sequence[Box]], own: int) -> float:
    """What a name in a box costs for the bars that it lies over."""
    return sum(
        OWN_BAR_PX if place == own else OTHER_BAR_PX
        for place, those in enumerate(bars)
        for bar in those
        if box.meets(bar)
    )


def _candidates() -> Iterator[tuple[float, Label]]:
    """Places around a point with how far off they are: the nearest first, right before left."""
    turn = 2 * math.pi / DIRECTIONS
    order = sorted(range(DIRECTIONS), key=lambda k: (abs(math.sin(k * turn)), -math.cos(k * turn)))
    for ring_px in RINGS_PX:
        for k in order:
            across, down = math.cos(k * turn), math.sin(k * turn)
            label = Label(
                dx_px=(GAP_PX + ring_px) * across,
                dy_px=(GAP_PX + LINE_PX / 4 + ring_px) * down,
                is_left=across < -1e-9,
                is_led=ring_px > 0,
            )
            yield ring_px, label


def _box(x: float, y: float, label: Label, length_px: float) -> Box:
    near = x + label.dx_px
    left = near - length_px if label.is_left else near
    middle = y + label.dy_px
    return Box(left, middle - LINE_PX / 2, left + length_px, middle + LINE_PX / 2)
