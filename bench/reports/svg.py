"""The little of SVG that our charts need: axes, lines, dots, bars and words.

A chart is as wide as its place and has a fixed height. Places across are therefore
written in percent and places down in pixels; a line is drawn in a nested picture that is
stretched sideways while its stroke is not. Colours are classes or CSS variables, so that
one picture serves light, dark and paper. Every text from outside is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

Point = tuple[float, float]

STRETCH = 1000
"""Width of a nested picture in its own units."""
TOLERANCE_PX = 0.35
"""Points are left out of a line where it moves by less than this."""


@dataclass(frozen=True, slots=True)
class Axis:
    """Values from one end of a panel to the other; ``high`` may be below ``low``."""

    low: float
    high: float

    def share(self, value: float) -> float:
        """Where a value lies, 0 at the low end and 1 at the high; held within the axis."""
        return min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)

    def ticks(self, most: int) -> list[float]:
        """Round values within the axis, at most ``most`` of them and usually fewer."""
        span = abs(self.high - self.low)
        step = 10 ** math.floor(math.log10(span / most))
        step *= next(each for each in (1, 2, 5, 10) if span / (each * step) <= most)
        first = math.ceil(min(self.low, self.high) / step - 1e-9)
        last = math.floor(max(self.low, self.high) / step + 1e-9)
        return [round(k * step, 10) for k in range(first, last + 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """An area with two axes, as wide as the chart."""

    x: Axis
    y: Axis
    top_px: float
    height_px: float

    @property
    def bottom_px(self) -> float:
        """Where the low end of ``y`` is."""
        return self.top_px + self.height_px

    def place_x(self, value: float) -> str:
        """Place of a value along x, in percent."""
        return f"{format_number(100 * self.x.share(value), 2)}%"

    def place_y(self, value: float) -> str:
        """Place of a value along y, in pixels from the top of the chart."""
        return format_number(self.bottom_px - self.height_px * self.y.share(value))

    def draw_grid(self, most: int, suffix: str = "") -> str:
        """Lines across at round values of y, named left of the panel."""
        return "".join(
            f'<line class="grid" x2="100%" y1="{self.place_y(tick)}" y2="{self.place_y(tick)}"/>'
            f'<text class="tick" x="-8" y="{self.place_y(tick)}" dy=".35em" text-anchor="end">'
            f"{tick:g}{suffix}</text>"
            for tick in self.y.ticks(most)
        )

    def draw_scale(self, most: int, suffix: str = "") -> str:
        """Names of round values of x, below the panel."""
        low = format_number(self.bottom_px)
        return "".join(
            f'<line class="rule" x1="{self.place_x(tick)}" x2="{self.place_x(tick)}" y1="{low}" '
            f'y2="{format_number(self.bottom_px + 5)}"/>'
            + self.draw_words(f"{tick:g}{suffix}", tick, self.bottom_px + 18, kind="tick")
            for tick in self.x.ticks(most)
        )

    def draw_line(
        self,
        pieces: Iterable[Sequence[Point]],
        *,
        kind: str = "",
        style: str = "",
        is_filled: bool = False,
    ) -> str:
        """One line of several pieces; filled down to the low end of y when asked.

        Args:
            pieces: Points of each piece, in the units of the axes.
            kind: CSS class.
            style: CSS beside it.
            is_filled: Begin and end each piece at the low end of y.
        """
        drawn = "".join(self._piece(piece, is_filled=is_filled) for piece in pieces if piece)
        attributes = _attribute("class", kind) + _attribute("style", style)
        height = format_number(self.height_px)
        return (
            f'<svg y="{format_number(self.top_px)}" width="100%" height="{height}" '
            f'viewBox="0 0 {STRETCH} {height}" preserveAspectRatio="none" '
            f'overflow="visible"><path{attributes} d="{drawn}"/></svg>'
        )

    def _piece(self, points: Sequence[Point], *, is_filled: bool) -> str:
        placed = [
            (STRETCH * self.x.share(x), self.height_px * (1 - self.y.share(y))) for x, y in points
        ]
        if is_filled:
            low = self.height_px
            placed = [(placed[0][0], low), *placed, (placed[-1][0], low)]
        return draw_path(simplify(placed, TOLERANCE_PX))

    def draw_band(self, start: float, end: float, *, kind: str, title: str) -> str:
        """The whole height of the panel from one value of x to another."""
        width = 100 * (self.x.share(end) - self.x.share(start))
        return (
            f'<rect{_attribute("class", kind)} x="{self.place_x(start)}" '
            f'y="{format_number(self.top_px)}" width="{format_number(width, 2)}%" '
            f'height="{format_number(self.height_px)}">'
            f"<title>{escape(title)}</title></rect>"
        )

    def draw_upright(self, value: float, *, kind: str) -> str:
        """A line from top to bottom at a value of x."""
        at = self.place_x(value)
        return (
            f'<line{_attribute("class", kind)} x1="{at}" x2="{at}" '
            f'y1="{format_number(self.top_px)}" y2="{format_number(self.bottom_px)}"/>'
        )

    def draw_bar(self, start: Point, end: Point, *, style: str) -> str:
        """A straight line between two points."""
        return (
            f'<line x1="{self.place_x(start[0])}" y1="{self.place_y(start[1])}" '
            f'x2="{self.place_x(end[0])}" y2="{self.place_y(end[1])}"{_attribute("style", style)}/>'
        )

    def draw_dot(
        self, point: Point, *, radius_px: float, title: str, kind: str = "", style: str = ""
    ) -> str:
        """A circle that says ``title`` under the pointer."""
        attributes = _attribute("class", kind) + _attribute("style", style)
        return (
            f'<circle{attributes} cx="{self.place_x(point[0])}" cy="{self.place_y(point[1])}" '
            f'r="{format_number(radius_px)}"><title>{escape(title)}</title></circle>'
        )

    def draw_mark(self, point: Point, path: str, *, title: str, style: str) -> str:
        """A shape about a point, given as a path about the origin; it says ``title``."""
        return (
            f'<svg class="at" x="{self.place_x(point[0])}" y="{self.place_y(point[1])}">'
            f'<path d="{path}"{_attribute("style", style)}><title>{escape(title)}</title></path>'
            "</svg>"
        )

    def draw_label(
        self, text: str, point: Point, *, dx_px: float, dy_px: float, is_left: bool, is_led: bool
    ) -> str:
        """A name ``dx_px`` and ``dy_px`` away from a point, with a line to it when ``is_led``."""
        x, y = format_number(dx_px), format_number(dy_px)
        line = f'<line class="leader" x2="{x}" y2="{y}"/>' if is_led else ""
        anchor = ' text-anchor="end"' if is_left else ""
        return (
            f'<svg class="at" x="{self.place_x(point[0])}" y="{self.place_y(point[1])}">{line}'
            f'<text class="named" x="{x}" y="{y}" dy=".35em"{anchor}>{escape(text)}</text></svg>'
        )

    def draw_words(
        self, text: str, x: float, y_px: float, *, kind: str = "", anchor: str = "middle"
    ) -> str:
        """A text at a value of x, its baseline ``y_px`` below the top of the chart."""
        return draw_words(text, self.place_x(x), y_px, kind=kind, anchor=anchor)


def draw_words(text: str, x: str, y_px: float, *, kind: str = "", anchor: str = "start") -> str:
    """A text anywhere in a chart."""
    attributes = _attribute("class", kind)
    attributes += "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text{attributes} x="{x}" y="{format_number(y_px)}">{escape(text)}</text>'


def draw_group(parts: Iterable[str], *, kind: str = "", place: int | None = None) -> str:
    """Parts that belong together; ``place`` says to which algorithm, for the page's script."""
    data = "" if place is None else f' data-a="{place}"'
    return f"<g{_attribute('class', kind)}{data}>{''.join(parts)}</g>"


def draw_chart(parts: Iterable[str], *, height_px: float, label: str) -> str:
    """A whole chart, to stand in a page."""
    return (
        f'<svg class="plot" width="100%" height="{format_number(height_px)}" role="img" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


def draw_path(points: Iterable[Point]) -> str:
    """The ``d`` of a path through ``points``."""
    return "".join(_steps([(format_number(x), format_number(y)) for x, y in points]))


def _steps(points: Sequence[tuple[str, str]]) -> Iterator[str]:
    for k, (x, y) in enumerate(points):
        if k == 0:
            yield f"M{x} {y}"
        elif y == points[k - 1][1]:
            yield f"H{x}"
        elif x == points[k - 1][0]:
            yield f"V{y}"
        else:
            yield f"L{x} {y}"


def simplify(points: Sequence[Point], tolerance: float) -> list[Point]:
    """Those of ``points`` without which the line would move by more than ``tolerance``.

    Source: Douglas and Peucker, "Algorithms for the reduction of the number of points
    required to represent a digitized line", Cartographica 10(2), 1973.
    """
    kept = {0, len(points) - 1}
    open_ends = [(0, len(points) - 1)]
    while open_ends:
        first, last = open_ends.pop()
        away, farthest = max(
            (
                (_distance(points[k], points[first], points[last]), k)
                for k in range(first + 1, last)
            ),
            default=(0.0, first),
        )
        if away > tolerance:
            kept.add(farthest)
            open_ends += [(first, farthest), (farthest, last)]
    return [points[k] for k in sorted(kept)]


def _distance(point: Point, start: Point, end: Point) -> float:
    """From a point to the straight piece between two others."""
    along = (end[0] - start[0], end[1] - start[1])
    from_start = (point[0] - start[0], point[1] - start[1])
    length2 = along[0] ** 2 + along[1] ** 2
    share = (from_start[0] * along[0] + from_start[1] * along[1]) / length2 if length2 else 0.0
    share = min(max(share, 0.0), 1.0)
    return math.hypot(from_start[0] - share * along[0], from_start[1] - share * along[1])


def format_number(value: float, digits: int = 1) -> str:
    """A number without noughts that say nothing."""
    text = f"{value:.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def _attribute(name: str, value: str) -> str:
    return f' {name}="{escape(value)}"' if value else ""
