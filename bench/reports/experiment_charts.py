"""Charts of an experiment as plotly's JSON: intervals, frontier, distributions, classes.

Colours are CSS variables, put in by the page (see ``bench.reports.session_charts``):
``--series-1`` to ``--series-8``, then again with other dashes. Every point has its interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.analysis.metrics import BY_NAME, Metric
from bench.analysis.standings import BenchReport, Standing
from bench.analysis.stats import Estimate
from bench.reports.session_charts import Figure

COLOURS = 8
DASHES = ("solid", "dash", "dot")
SYMBOLS = ("circle", "diamond", "square", "triangle-up")
FOREST = ("bitrate_bps", "stall_ratio", "qoe_lin")
ROW_PX = 26
MOST_NAMED = 8
"""With more algorithms than this, those off the frontier are named on hovering only."""


def colour(place: int) -> str:
    """Of the ``place``-th algorithm."""
    return f"var(--series-{place % COLOURS + 1})"


def _base_layout(height: int) -> Figure:
    return {
        "height": height,
        "margin": {"l": 48, "r": 12, "t": 26, "b": 44},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 12, "color": "var(--quiet)"},
        "showlegend": False,
        "hovermode": "closest",
        "annotations": [],
        "hoverlabel": {
            "bgcolor": "var(--raised)",
            "bordercolor": "var(--rule)",
            "font": {"color": "var(--ink)"},
        },
    }


def _axis(**more: Any) -> Figure:
    return {
        "gridcolor": "var(--grid)",
        "zeroline": False,
        "tickfont": {"size": 11},
        "fixedrange": True,
        "linecolor": "var(--rule)",
    } | more


def _title(text: str, x: float, y: float = 1.0) -> Figure:
    place = {"x": x, "y": y, "xref": "paper", "yref": "paper", "showarrow": False}
    anchor = {"xanchor": "left", "yanchor": "bottom", "yshift": 6}
    return place | anchor | {"text": text, "font": {"size": 12, "color": "var(--quiet)"}}


def _unit(metric: Metric) -> str:
    return f"{metric.label[0].upper()}{metric.label[1:]}{f', {metric.unit}' if metric.unit else ''}"


def _error(estimates: Sequence[Estimate], metric: Metric) -> Figure:
    shown = [each.scaled(metric.scale) for each in estimates]
    return {
        "type": "data",
        "symmetric": False,
        "array": [round(e.high - e.value, 6) if e.has_interval else 0 for e in shown],
        "arrayminus": [round(e.value - e.low, 6) if e.has_interval else 0 for e in shown],
        "thickness": 1.5,
        "width": 0,
    }


def forest(report: BenchReport, name: str) -> Figure:
    """Differences to the base in one figure: a row per algorithm."""
    metric = BY_NAME[name]
    rows = [each for each in report.standings if each.label != report.base and each.played]
    inks = {"better": "var(--better)", "worse": "var(--stall-ink)", "unclear": "var(--quiet)"}
    data = []
    for each in rows:
        difference = each.differences[name]
        ink = inks.get(difference.verdict, "var(--quiet)")
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": [round(difference.estimate.value * metric.scale, 6)],
                "y": [each.label],
                "marker": {"size": 9, "color": ink},
                "error_x": _error([difference.estimate], metric) | {"color": ink},
                "hovertemplate": f"{each.label}: {_words(difference.estimate, metric)}"
                f"<br>{difference.verdict}<extra></extra>",
            }
        )
    layout = _base_layout(ROW_PX * max(len(rows), 1) + 84) | {
        "xaxis": _axis(zeroline=True, zerolinecolor="var(--quiet)", zerolinewidth=1, nticks=5),
        "yaxis": _axis(
            autorange="reversed",
            type="category",
            automargin=True,
            showgrid=False,
            tickfont={"size": 12, "color": "var(--ink)"},
        ),
    }
    layout["margin"] |= {"l": 8}
    layout["annotations"] = [_title(_unit(metric), 0)]
    return {"data": data, "layout": layout}


def _words(estimate: Estimate, metric: Metric) -> str:
    shown = estimate.scaled(metric.scale)
    text = f"{shown.value:+.{metric.digits}f}"
    if shown.has_interval:
        text += f" [{shown.low:+.{metric.digits}f}, {shown.high:+.{metric.digits}f}]"
    return f"{text} {metric.unit}".strip()


def frontier(report: BenchReport) -> Figure:
    """Bitrate against time stalled, each with both intervals; a line joins the undominated."""
    rate, stall = BY_NAME["bitrate_bps"], BY_NAME["stall_ratio"]
    best = sorted(
        (each for each in report.standings if each.on_frontier),
        key=lambda each: each.figures["stall_ratio"].value,
    )
    data: list[Figure] = [
        {
            "type": "scatter",
            "mode": "lines",
            "x": [round(each.figures["stall_ratio"].value * stall.scale, 6) for each in best],
            "y": [round(each.figures["bitrate_bps"].value * rate.scale, 6) for each in best],
            "line": {"color": "var(--rule)", "width": 5, "shape": "hv"},
            "hoverinfo": "skip",
        }
    ]
    is_crowded = len(report.standings) > MOST_NAMED
    data += [
        _dot(each, place, is_faint=is_crowded and not each.on_frontier)
        for place, each in enumerate(report.standings)
        if each.played
    ]
    layout = _base_layout(440) | {
        "xaxis": _axis(
            title={"text": "Stalled, % of the time  (← less is better)", "standoff": 8},
            rangemode="tozero",
        ),
        "yaxis": _axis(),
    }
    layout["annotations"] = [_title("Bitrate, Mbit/s", 0)]
    return {"data": data, "layout": layout}


def _dot(each: Standing, place: int, *, is_faint: bool) -> Figure:
    rate, stall = BY_NAME["bitrate_bps"], BY_NAME["stall_ratio"]
    x, y = each.figures["stall_ratio"], each.figures["bitrate_bps"]
    ink = colour(place)
    return {
        "type": "scatter",
        "mode": "markers" if is_faint else "markers+text",
        "opacity": 0.45 if is_faint else 1,
        "name": each.label,
        "x": [round(x.value * stall.scale, 6)],
        "y": [round(y.value * rate.scale, 6)],
        "text": [each.label],
        "textposition": ("top right", "bottom right")[place % 2],
        "cliponaxis": False,
        "textfont": {"size": 11, "color": "var(--ink)"},
        "marker": {
            "size": 10,
            "color": ink,
            "symbol": f"{SYMBOLS[place // COLOURS % 4]}{'-open' if each.foresees else ''}",
        },
        "error_x": _error([x], stall) | {"color": ink, "thickness": 1},
        "error_y": _error([y], rate) | {"color": ink, "thickness": 1},
        "hovertemplate": f"{each.label}<br>%{{y:.3f}} Mbit/s, stalled %{{x:.3f}} %<extra></extra>",
    }


def distribution(report: BenchReport, name: str) -> Figure:
    """Share of sessions at or below a value, one line per algorithm."""
    metric = BY_NAME[name]
    data = []
    for place, each in enumerate(report.standings):
        points = report.cdfs[name][each.label]
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": each.label,
                "x": [_short(value * metric.scale) for value, _ in points],
                "y": [round(100 * share, 2) for _, share in points],
                "line": {
                    "color": colour(place),
                    "width": 1.6,
                    "dash": DASHES[place // COLOURS % len(DASHES)],
                    "shape": "hv",
                },
                "hovertemplate": f"{each.label}: %{{y:.0f}} % of sessions ≤ "
                f"%{{x:.3g}} {metric.unit}<extra></extra>",
            }
        )
    layout = _base_layout(280) | {
        "xaxis": _axis(nticks=6),
        "yaxis": _axis(range=[0, 101], ticksuffix=" %", nticks=5),
    }
    layout["annotations"] = [_title(_unit(metric), 0)]
    return {"data": data, "layout": layout}


def by_class(report: BenchReport) -> Figure:
    """QoE_lin per class of network: a row per algorithm and class, with its interval."""
    metric = BY_NAME["qoe_lin"]
    data = []
    for place, each in enumerate(report.standings):
        estimates = [kind.qoe[each.label] for kind in report.classes]
        if not each.played:
            continue
        # Algorithms of one class stand below each other, in the order of the plan.
        offset = (place - (len(report.standings) - 1) / 2) * 0.8 / len(report.standings)
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": each.label,
                "x": [round(e.value * metric.scale, 6) for e in estimates],
                "y": [round(k + offset, 4) for k in range(len(estimates))],
                "marker": {
                    "size": 8,
                    "color": colour(place),
                    "symbol": SYMBOLS[place // COLOURS % 4],
                },
                "error_x": _error(estimates, metric) | {"color": colour(place)},
                "text": [
                    f"{each.label}, {kind.kind}: {_words(e, metric).lstrip('+')}"
                    for kind, e in zip(report.classes, estimates, strict=True)
                ],
                "hovertemplate": "%{text}<extra></extra>",
            }
        )
    step_px = max(60, 13 * len(report.standings))
    layout = _base_layout(step_px * len(report.classes) + 76) | {
        "xaxis": _axis(nticks=8),
        "yaxis": _axis(
            range=[len(report.classes) - 0.5, -0.5],
            tickvals=list(range(len(report.classes))),
            ticktext=[f"{kind.kind} ({kind.networks})" for kind in report.classes],
            automargin=True,
            showgrid=False,
            tickfont={"size": 12, "color": "var(--ink)"},
        ),
        "shapes": [
            {
                "type": "line",
                "xref": "paper",
                "x0": 0,
                "x1": 1,
                "y0": k + 0.5,
                "y1": k + 0.5,
                "line": {"color": "var(--rule)", "width": 1},
            }
            for k in range(len(report.classes) - 1)
        ],
    }
    layout["margin"] |= {"l": 8}
    layout["annotations"] = [_title("QoE_lin", 0)]
    return {"data": data, "layout": layout}


def _short(value: float) -> float:
    return float(f"{value:.5g}")
