"""Charts of an experiment as SVG: intervals, frontier, distributions, classes.

Colours are CSS variables of the page: ``--series-1`` to ``--series-8``, then again with
other dashes. Every point has its interval. An algorithm that played nothing has no mark.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from bench.analysis.metrics import Metric
from bench.analysis.standings import BenchReport, Standing
from bench.analysis.stats import Estimate
from bench.reports import svg

COLOURS = 8
DASHES = ("", "6 4", "2 3")
ROW_PX = 38
HEAD_PX = 26
FOOT_PX = 30
FRONTIER_PX = 360
CDF_PX = 190
CLASS_PX = 54
CLASS_ROW_PX = 13
MOST_NAMED = 8
"""With more algorithms than this, those off the frontier are named under the pointer only."""

INKS = {"better": "var(--better)", "worse": "var(--stall-ink)"}


def colour_of(place: int) -> str:
    """Of the ``place``-th algorithm."""
    return f"var(--series-{place % COLOURS + 1})"


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
        parts.append(svg.draw_words(each.label, "0", HEAD_PX + ROW_PX * (place + 0.4)))
        parts += _row(panel, shown, place + 0.68, title, INKS.get(said, "var(--quiet)"))
    label = f"Differences from {report.base}: {metric.label}; figures in the table below"
    return svg.draw_chart(parts, height_px=HEAD_PX + height_px + FOOT_PX, label=label)


def draw_frontier(report: BenchReport) -> str:
    """Bitrate against time stalled, each with both intervals; a line joins the undominated."""
    rate, stall = report.metric("bitrate_bps"), report.metric("stall_ratio")
    shown = [
        (place, each, each.figures[stall.name].scaled(stall.scale), each.figures[rate.name])
        for place, each in enumerate(report.standings)
        if each.played and math.isfinite(each.figures[stall.name].value)
    ]
    dots = [(place, each, x, y.scaled(rate.scale)) for place, each, x, y in shown]
    panel = svg.Panel(
        x=_axis([x for _, _, x, _ in dots], also=(0.0,)),
        y=_axis([y for _, _, _, y in dots]),
        top_px=HEAD_PX,
        height_px=FRONTIER_PX,
    )
    best = sorted((x.value, y.value) for _, each, x, y in dots if each.on_frontier)
    steps = best[:1]
    for (_, before), (stalled_at, rate_at) in pairwise(best):
        steps += [(stalled_at, before), (stalled_at, rate_at)]
    is_crowded = len(report.standings) > MOST_NAMED
    parts = [
        _heading(rate),
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
    for place, each, stalled, bitrate in dots:
        is_named = each.on_frontier or not is_crowded
        parts += _dot(panel, place, each, stalled, bitrate, is_named=is_named)
    label = "Bitrate against time stalled; figures in the first table"
    return svg.draw_chart(parts, height_px=HEAD_PX + FRONTIER_PX + 46, label=label)


def _dot(
    panel: svg.Panel, place: int, each: Standing, x: Estimate, y: Estimate, *, is_named: bool
) -> Iterator[str]:
    ink = colour_of(place)
    fade = "" if is_named else ";opacity:.45"
    title = f"{each.label}: {y.value:.3f} Mbit/s, stalled {x.value:.3f} %"
    if x.has_interval:
        yield panel.draw_bar((x.low, y.value), (x.high, y.value), style=f"stroke:{ink}{fade}")
    if y.has_interval:
        yield panel.draw_bar((x.value, y.low), (x.value, y.high), style=f"stroke:{ink}{fade}")
    fill = "var(--page)" if each.foresees else ink
    style = f"fill:{fill};stroke:{ink};stroke-width:2{fade}"
    yield panel.draw_dot((x.value, y.value), radius_px=4.5, title=title, style=style)
    if is_named:
        is_right = panel.x.share(x.value) > 0.8
        y_px = float(panel.place_y(y.value)) + (-9, 17)[place % 2]
        anchor = "end" if is_right else "start"
        yield panel.draw_words(f" {each.label} ", x.value, y_px, kind="named", anchor=anchor)


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
        dash = DASHES[place // COLOURS % len(DASHES)]
        style = f"stroke:{colour_of(place)};stroke-width:1.6"
        style += f";stroke-dasharray:{dash}" if dash else ""
        parts.append(panel.draw_line([points[:1] + steps], style=style))
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
                f"{kind.kind} ({kind.networks})", "0", HEAD_PX + top_px + 17, kind="note"
            )
        )
        for row, (place, each) in enumerate(played):
            estimate = kind.figures[metric.name][each.label]
            if math.isfinite(estimate.value):
                title = f"{each.label}, {kind.kind}: {_words(estimate, metric)}"
                at_px = top_px + 28 + CLASS_ROW_PX * row
                parts += _row(panel, estimate, at_px, title, colour_of(place))
    label = f"{metric.label} by class of network; figures in the table below"
    return svg.draw_chart(parts, height_px=HEAD_PX + height_px + FOOT_PX, label=label)


def _row(panel: svg.Panel, shown: Estimate, y: float, title: str, ink: str) -> Iterator[str]:
    """An interval and its figure."""
    if shown.has_interval:
        yield panel.draw_bar(
            (shown.low, y), (shown.high, y), style=f"stroke:{ink};stroke-width:1.5"
        )
    yield panel.draw_dot((shown.value, y), radius_px=4.5, title=title, style=f"fill:{ink}")


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
    return svg.draw_words(
        f"{metric.label[0].upper()}{metric.label[1:]}{unit}", "0", 14, kind="note"
    )


def _words(shown: Estimate, metric: Metric, *, signed: bool = False) -> str:
    form = f"{'+' if signed else ''}.{metric.digits}f"
    text = format(shown.value, form)
    if shown.has_interval:
        text += f" [{format(shown.low, form)}, {format(shown.high, form)}]"
    return f"{text} {metric.unit}".strip()
