"""Charts of an experiment as SVG: intervals, frontier, distributions, classes.

Each algorithm has the mark and the line of ``bench.reports.marks`` in all of them. Every point
has its interval. An algorithm that played nothing has no mark.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from bench.analysis.metrics import Metric
from bench.analysis.standings import BenchReport, Standing
from bench.analysis.stats import Estimate
from bench.experiments.clusters import name_units
from bench.reports import svg
from bench.reports.figures import FEWER_SIGN
from bench.reports.labels import Box, place_labels
from bench.reports.marks import colour_of, dash_of, shape_of
from bench.reports.names import shorten, width_px

ROW_PX = 38
HEAD_PX = 26
FOOT_PX = 30
FRONTIER_PX = 380
CDF_PX = 190
CLASS_PX = 54
CLASS_ROW_PX = 14
BESIDE_PX = 9
"""From the end of an interval, or its mark, to the name beside it."""
MOST_BRIGHT = 8
"""With more algorithms than this, intervals of those off the frontier are faint."""
MOST_PX = {"forest": 250.0, "frontier": 220.0, "classes": 150.0}
"""What a name takes in a chart, at most; the pointer shows all of it."""
LEAST_STALLED = 0.1
"""The axis of time stalled goes this far, in percent, though nothing may have stalled."""
REACH = 0.5
"""How far the axes of the frontier go beyond its points for the sake of intervals, in spans."""
WIDTHS_PX = {"narrow": 300.0, "middle": 600.0, "wide": 1000.0}
"""Widths that names are placed for, by the class of the page's style that shows them."""

INKS = {"better": "var(--better)", "worse": "var(--stall-ink)"}


def forest_of(report: BenchReport) -> list[str]:
    """Figures whose differences are drawn: bitrate, stalls and every QoE."""
    return ["bitrate_bps", "stall_ratio", *(each.name for each in report.scores)]


def draw_forest(report: BenchReport, name: str) -> str:
    """Differences from the base in one figure: a row per algorithm, named above its mark."""
    metric = report.metric(name)
    rows = [each for each in report.standings if each.label != report.base and each.played]
    estimates = [each.differences[name].estimate.scaled(metric.scale) for each in rows]
    height_px = ROW_PX * max(len(rows), 1)
    panel = svg.Panel(
        x=_axis(estimates, also=(0.0,)),
        y=svg.Axis(max(len(rows), 1), 0),
        top_px=HEAD_PX,
        height_px=height_px,
    )
    parts = [_heading(metric), panel.draw_scale(4), panel.draw_upright(0, kind="zero")]
    for place, (each, shown) in enumerate(zip(rows, estimates, strict=True)):
        said = each.differences[name].verdict
        title = f"{each.label}: {_words(shown, metric, signed=True)}, {said}"
        called = shorten(each.label, MOST_PX["forest"])
        row = [svg.draw_words(called, "0", HEAD_PX + ROW_PX * (place + 0.4), kind="halo")]
        row += _row(panel, shown, place + 0.68, title, INKS.get(said, "var(--quiet)"))
        parts.append(svg.draw_group(row, place=report.standings.index(each)))
    label = f"Differences from {report.base}: {metric.label}; figures in the table below"
    return svg.draw_chart(parts, height_px=HEAD_PX + height_px + FOOT_PX, label=label)


def draw_frontier(report: BenchReport) -> str:
    """Bitrate against time stalled, each with both intervals; a line joins the undominated.

    All over the same sessions, those that every contestant played.
    """
    dots, panel = _dots(report), _frontier_panel(report)
    best = sorted((x.value, y.value) for _, each, x, y in dots if each.on_frontier)
    steps = best[:1]
    for (_, before), (stalled_at, rate_at) in pairwise(best):
        steps += [(stalled_at, before), (stalled_at, rate_at)]
    is_crowded = len(report.standings) > MOST_BRIGHT
    dots.sort(key=lambda dot: not dot[1].on_frontier)
    parts = [
        _heading(report.metric("bitrate_bps")),
        panel.draw_grid(6),
        panel.draw_scale(8, " %"),
        panel.draw_line([steps], style="stroke:var(--rule);stroke-width:5"),
        svg.draw_words(
            "Stalled, % of the time (less is better)",
            "50%",
            HEAD_PX + FRONTIER_PX + 38,
            kind="note",
            anchor="middle",
        ),
    ]
    parts += [_bars(panel, dot, is_faint=is_crowded and not dot[1].on_frontier) for dot in dots]
    parts += [_dot(panel, dot) for dot in reversed(dots)]
    parts += [_names(panel, dots, wide_px, kind) for kind, wide_px in WIDTHS_PX.items()]
    label = "Bitrate against time stalled; figures in the first table"
    return svg.draw_chart(parts, height_px=HEAD_PX + FRONTIER_PX + 46, label=label)


_Dot = tuple[int, Standing, Estimate, Estimate]
"""Place among all algorithms, the algorithm, time stalled and bitrate as shown."""


def is_clipped(report: BenchReport) -> bool:
    """Whether some interval goes on beyond the edge of the frontier's chart."""
    panel = _frontier_panel(report)
    return any(
        not axis.low <= end <= axis.high
        for _, _, x, y in _dots(report)
        for axis, estimate in ((panel.x, x), (panel.y, y))
        for end in (estimate.low, estimate.high)
        if math.isfinite(end)
    )


def _dots(report: BenchReport) -> list[_Dot]:
    rate, stall = report.metric("bitrate_bps"), report.metric("stall_ratio")
    return [
        (
            place,
            each,
            each.frontier_figures[stall.name].scaled(stall.scale),
            each.frontier_figures[rate.name].scaled(rate.scale),
        )
        for place, each in enumerate(report.standings)
        if each.frontier_figures
    ]


def _frontier_panel(report: BenchReport) -> svg.Panel:
    """Axes for the points; they leave the wider intervals room only as far as points allow.

    Rare stalls have intervals many times as long as the figures are apart.
    """
    dots = _dots(report)
    stalled = [x.value for _, _, x, _ in dots] or [0.0]
    most = max(stalled) + (max(stalled) - min(stalled) or max(stalled))
    shown = [x.within(-math.inf, max(most, LEAST_STALLED)) for _, _, x, _ in dots]
    return svg.Panel(
        x=_around([*_reach(shown), 0.0, LEAST_STALLED]),
        y=_around(_reach([y for _, _, _, y in dots])),
        top_px=HEAD_PX,
        height_px=FRONTIER_PX,
    )


def _reach(estimates: Sequence[Estimate]) -> list[float]:
    """Ends of what an axis must hold: all figures, half of the intervals, more where it is near."""
    values = [each.value for each in estimates] or [0.0]
    room = REACH * (max(values) - min(values))
    lows = sorted(each.low for each in estimates if each.has_interval)
    highs = sorted(each.high for each in estimates if each.has_interval)
    if not lows:
        return [min(values), max(values)]
    half = len(lows) // 2
    low = max(lows[0], min(min(values) - room, lows[half]))
    high = min(highs[-1], max(max(values) + room, highs[half]))
    return [min(low, *values), max(high, *values)]


def _bars(panel: svg.Panel, dot: _Dot, *, is_faint: bool) -> str:
    place, _, x, y = dot
    style = f"stroke:{colour_of(place)}" + (";opacity:.3" if is_faint else "")
    bars = []
    if x.has_interval:
        bars.append(panel.draw_bar((x.low, y.value), (x.high, y.value), style=style))
    if y.has_interval:
        bars.append(panel.draw_bar((x.value, y.low), (x.value, y.high), style=style))
    return svg.draw_group(bars, place=place)


def _boxes_of(panel: svg.Panel, dot: _Dot, wide_px: float) -> list[Box]:
    """The bars of a point in a chart of that width."""
    _, _, x, y = dot
    across_px = [wide_px * panel.x.share(end) for end in (x.low, x.value, x.high)]
    down_px = [panel.height_px * (1 - panel.y.share(end)) for end in (y.high, y.value, y.low)]
    boxes = []
    if x.has_interval:
        boxes.append(Box(across_px[0], down_px[1] - 1, across_px[2], down_px[1] + 1))
    if y.has_interval:
        boxes.append(Box(across_px[1] - 1, down_px[0], across_px[1] + 1, down_px[2]))
    return boxes


def _dot(panel: svg.Panel, dot: _Dot) -> str:
    place, each, x, y = dot
    title = f"{each.label}: {y.value:.3f} Mbit/s, stalled {x.value:.3f} %"
    fill = "var(--page)" if each.foresees else colour_of(place)
    style = f"fill:{fill};stroke:{'var(--page)' if not each.foresees else colour_of(place)}"
    mark = panel.draw_mark((x.value, y.value), shape_of(place), title=title, style=style)
    return svg.draw_group([mark], place=place)


def _names(panel: svg.Panel, dots: Sequence[_Dot], wide_px: float, kind: str) -> str:
    """Names beside their marks, as there is room in a chart of that width."""
    most_px = min(MOST_PX["frontier"], wide_px / 2)
    names = [shorten(each.label, most_px) for _, each, _, _ in dots]
    points = [
        (wide_px * panel.x.share(x.value), panel.height_px * (1 - panel.y.share(y.value)))
        for _, _, x, y in dots
    ]
    labels = place_labels(
        points,
        names,
        width_px=wide_px,
        height_px=panel.height_px,
        bars=[_boxes_of(panel, dot, wide_px) for dot in dots],
    )
    drawn = [
        svg.draw_group(
            [
                panel.draw_label(
                    name,
                    (x.value, y.value),
                    dx_px=label.dx_px,
                    dy_px=label.dy_px,
                    is_left=label.is_left,
                    is_led=label.is_led,
                )
            ],
            place=place,
        )
        for (place, _, x, y), name, label in zip(dots, names, labels, strict=True)
        if label is not None
    ]
    return svg.draw_group(drawn, kind=kind)


def draw_distribution(report: BenchReport, name: str) -> str:
    """Share of sessions at or below a value, one line per algorithm."""
    metric = report.metric(name)
    cdfs = [
        [(metric.scale * value, 100 * share) for value, share in report.cdfs[name][each.label]]
        for each in report.standings
    ]
    values = [value for points in cdfs for value, _ in points]
    panel = svg.Panel(
        x=_around(values or [0.0]), y=svg.Axis(0, 100), top_px=HEAD_PX, height_px=CDF_PX
    )
    parts = [_heading(metric), panel.draw_grid(4, " %"), panel.draw_scale(6)]
    for place, points in enumerate(cdfs):
        steps = [
            point
            for (_, before), (value, share) in pairwise(points)
            for point in ((value, before), (value, share))
        ]
        style = f"stroke:{colour_of(place)}"
        style += f";stroke-dasharray:{dash_of(place)}" if dash_of(place) else ""
        line = panel.draw_line([points[:1] + steps], kind="curve", style=style)
        parts.append(svg.draw_group([line], place=place))
    label = f"Distribution of {metric.label} over sessions"
    return svg.draw_chart(parts, height_px=HEAD_PX + CDF_PX + FOOT_PX, label=label)


def draw_classes(report: BenchReport) -> str:
    """The first QoE per class of network: a row per algorithm and class, with its interval."""
    metric = report.scores[0]
    played = [(place, each) for place, each in enumerate(report.standings) if each.played]
    step_px = max(CLASS_PX, CLASS_ROW_PX * len(played) + 30)
    height_px = step_px * len(report.classes)
    every = [kind.figures[metric.name][each.label] for kind in report.classes for _, each in played]
    panel = svg.Panel(x=_axis(every), y=svg.Axis(height_px, 0), top_px=HEAD_PX, height_px=height_px)
    parts = [_heading(metric), panel.draw_scale(8)]
    for k, kind in enumerate(report.classes):
        top_px = step_px * k
        parts.append(
            panel.draw_bar(
                (panel.x.low, top_px), (panel.x.high, top_px), style="stroke:var(--rule)"
            )
        )
        parts.append(
            svg.draw_words(
                f"{kind.kind} ({name_units(kind.units)})", "0", HEAD_PX + top_px + 17, kind="note"
            )
        )
        for row, (place, each) in enumerate(played):
            estimate = kind.figures[metric.name][each.label]
            if math.isfinite(estimate.value):
                title = f"{each.label}, {kind.kind}: {_words(estimate, metric)}"
                at_px = top_px + 28 + CLASS_ROW_PX * row
                drawn = list(_row(panel, estimate, at_px, title, colour_of(place), place))
                name = f"{each.label} {FEWER_SIGN}" if each.lacks else each.label
                drawn.append(_beside(panel, estimate, at_px, name))
                parts.append(svg.draw_group(drawn, place=place))
    label = f"{metric.label} by class of network; figures in the table below"
    return svg.draw_chart(parts, height_px=HEAD_PX + height_px + FOOT_PX, label=label)


def _row(
    panel: svg.Panel, shown: Estimate, y: float, title: str, ink: str, place: int = 0
) -> Iterator[str]:
    """An interval and its figure, with the mark of the ``place``-th algorithm."""
    if shown.has_interval:
        yield panel.draw_bar(
            (shown.low, y), (shown.high, y), style=f"stroke:{ink};stroke-width:1.5"
        )
    style = f"fill:{ink};stroke:var(--page)"
    yield panel.draw_mark((shown.value, y), shape_of(place), title=title, style=style)


def _beside(panel: svg.Panel, shown: Estimate, y: float, name: str) -> str:
    """A name beside an interval, where there is more room; on its end, where there is too little.

    How much a name takes is reckoned for a chart as wide as on the smallest screens for which
    names are placed.
    """
    name = shorten(name, MOST_PX["classes"])
    low, high = (shown.low, shown.high) if shown.has_interval else (shown.value, shown.value)
    left, right = panel.x.share(low), 1 - panel.x.share(high)
    is_left = left > right
    at, dx_px = (low, -BESIDE_PX) if is_left else (high, BESIDE_PX)
    if max(left, right) < (width_px(name) + BESIDE_PX) / WIDTHS_PX["middle"]:
        is_left, dx_px = not is_left, -dx_px
    return panel.draw_label(name, (at, y), dx_px=dx_px, dy_px=0, is_left=is_left, is_led=False)


def _axis(estimates: Sequence[Estimate], also: Iterable[float] = ()) -> svg.Axis:
    """An axis that holds every figure with its interval."""
    ends = [end for e in estimates for end in (e.value, e.low, e.high) if math.isfinite(end)]
    return _around([*ends, *also] or [0.0])


def _around(values: Sequence[float]) -> svg.Axis:
    """An axis that holds ``values``, with a little room on both sides."""
    low, high = min(values), max(values)
    room = 0.04 * (high - low) or max(abs(high), 1.0) * 0.1
    return svg.Axis(low - room, high + room)


def _heading(metric: Metric) -> str:
    unit = f", {metric.unit}" if metric.unit else ""
    words = metric.label if metric.is_score else f"{metric.label[0].upper()}{metric.label[1:]}"
    return svg.draw_words(f"{words}{unit}", "0", 14, kind="note")


def _words(shown: Estimate, metric: Metric, *, signed: bool = False) -> str:
    form = f"{'+' if signed else ''}.{metric.digits}f"
    text = format(shown.value, form)
    if shown.has_interval:
        text += f" [{format(shown.low, form)}, {format(shown.high, form)}]"
    return f"{text} {metric.unit}".strip()
