"""Charts of a report: curves in, plotly figures out; the one place that knows plotly.

A figure is a plain dictionary of plotly's JSON form. Colours are written as CSS
variables, ``var(--name)``; the page puts in their values, again whenever light turns
to dark. No figure refers to anything outside the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from plotly.offline import get_plotlyjs

from bench.reports.curves import Curve, Dot
from bench.reports.sessions import Session

Figure = dict[str, Any]

HEIGHT_PX = 380
RATE_DOMAIN = (0.41, 0.92)
BUFFER_DOMAIN = (0.0, 0.27)
HEADROOM = 3.0
"""Capacity far above the ladder is cut off at this multiple of the top bit rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Ends of the axes that sessions of one trace share, so that eyes can compare."""

    end_s: float
    rate_bps: float
    buffer_s: float


def library() -> str:
    """The source text of plotly.js, to be put into the page once."""
    return str(get_plotlyjs())


def shared_scale(sessions: Sequence[Session]) -> Scale:
    """Axes that hold every one of ``sessions``."""
    top_bps = max((bps for s in sessions for bps in s.ladder_bps), default=1e6)
    rates = [dot.throughput_bps for s in sessions for dot in s.curves.downloads]
    rates += [bps for s in sessions for bps in _known(s.curves.capacity_bps)]
    levels = [level for s in sessions for level in _known(s.curves.buffer_s)]
    return Scale(
        end_s=max(1.0, *(s.curves.end_s for s in sessions)),
        rate_bps=1.06 * max(1.1 * top_bps, min(max(rates, default=0.0), HEADROOM * top_bps)),
        buffer_s=1.08 * max([4.0, *levels]),
    )


def session_figure(session: Session, scale: Scale) -> Figure:
    """Capacity, rungs and downloads above; the buffer below; stalls through both."""
    drawn = session.curves
    step_s = scale.end_s / 240
    data = []
    if drawn.capacity_bps is not None:
        data.append(_capacity(_dense(drawn.capacity_bps, step_s)))
    data.append(_bitrate(_dense(drawn.bitrate_bps, step_s)))
    finished = [dot for dot in drawn.downloads if not dot.is_abandoned]
    abandoned = [dot for dot in drawn.downloads if dot.is_abandoned]
    data.append(_dots(finished, "measured", {"size": 7, "color": "var(--measured)"}))
    if abandoned:
        marker = {"size": 9, "symbol": "x-thin", "line": {"width": 2, "color": "var(--measured)"}}
        data.append(_dots(abandoned, "given up", marker))
    data.append(_buffer(_dense(drawn.buffer_s, step_s)))
    return {"data": data, "layout": _layout(session, scale)}


def _capacity(curve: Curve) -> Figure:
    return _line(curve, "capacity", {"color": "var(--capacity)", "width": 1}) | {
        "fill": "tozeroy",
        "fillcolor": "var(--capacity-fill)",
    }


def _bitrate(curve: Curve) -> Figure:
    return _line(curve, "chosen rung", {"color": "var(--chosen)", "width": 3})


def _line(curve: Curve, name: str, line: Figure) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": _rounded(curve.times_s),
        "y": _rounded(curve.values, 1e-6),
        "line": line,
        "hovertemplate": f"{name} %{{y:.2f}} Mbit/s<extra></extra>",
    }


def _dots(dots: Sequence[Dot], name: str, marker: Figure) -> Figure:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": _rounded([dot.end_s for dot in dots]),
        "y": _rounded([dot.throughput_bps for dot in dots], 1e-6),
        "marker": {"line": {"width": 1, "color": "var(--page)"}} | marker,
        "text": [
            f"segment {d.segment}, rung {d.rung}: {d.size_bytes / 1000:.0f} kB in {d.took_s:.2f} s"
            for d in dots
        ],
        "hovertemplate": f"{name} %{{y:.2f}} Mbit/s (%{{text}})<extra></extra>",
    }


def _buffer(curve: Curve) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "buffer",
        "x": _rounded(curve.times_s),
        "y": _rounded(curve.values),
        "yaxis": "y2",
        "line": {"color": "var(--buffer)", "width": 1.5},
        "fill": "tozeroy",
        "fillcolor": "var(--buffer-fill)",
        "hovertemplate": "buffer %{y:.1f} s<extra></extra>",
    }


def _layout(session: Session, scale: Scale) -> Figure:
    axis = {
        "gridcolor": "var(--grid)",
        "zeroline": False,
        "tickfont": {"size": 11},
        "fixedrange": True,
    }
    panels = [
        _panel_title("Mbit/s", 0.995),
        _panel_title("Buffer, seconds of video", BUFFER_DOMAIN[1] + 0.075),
    ]
    return {
        "height": HEIGHT_PX,
        "margin": {"l": 34, "r": 8, "t": 4, "b": 40},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 12, "color": "var(--quiet)"},
        "showlegend": False,
        "hovermode": "x unified",
        "hoversubplots": "axis",
        "hoverlabel": {
            "bgcolor": "var(--raised)",
            "bordercolor": "var(--rule)",
            "font": {"color": "var(--ink)"},
        },
        "uirevision": "kept",
        "xaxis": axis
        | {
            "anchor": "y2",
            "range": [0, round(scale.end_s, 3)],
            "showgrid": False,
            "ticks": "outside",
            "ticklen": 6,
            "tickcolor": "var(--rule)",
            "ticksuffix": " s",
            "hoverformat": ".1f",
            "spikecolor": "var(--quiet)",
            "spikethickness": -1,
            "spikedash": "solid",
            "fixedrange": False,
        },
        "yaxis": axis
        | {"domain": RATE_DOMAIN, "range": [0, round(scale.rate_bps / 1e6, 3)], "nticks": 6},
        "yaxis2": axis
        | {"domain": BUFFER_DOMAIN, "range": [0, round(scale.buffer_s, 2)], "nticks": 4},
        "shapes": _bands(session) + _first_frame_line(session),
        "annotations": panels + _notes(session, scale),
    }


def _panel_title(text: str, y: float) -> Figure:
    return {
        "text": text,
        "x": 0,
        "y": y,
        "xref": "paper",
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "middle",
        "showarrow": False,
        "font": {"size": 12, "color": "var(--quiet)"},
    }


def _bands(session: Session) -> list[Figure]:
    return [
        {
            "type": "rect",
            "x0": round(stall.start_s, 3),
            "x1": round(stall.end_s, 3),
            "yref": y_axis,
            "y0": 0,
            "y1": 1,
            "line": {"width": 0},
            "fillcolor": "var(--stall)",
            "layer": "below",
        }
        for stall in session.curves.stalls
        for y_axis in ("y domain", "y2 domain")
    ]


def _first_frame_line(session: Session) -> list[Figure]:
    if session.curves.first_frame_s is None:
        return []
    at_s = round(session.curves.first_frame_s, 3)
    line = {"width": 1.5, "dash": "dot", "color": "var(--ink)"}
    return [
        {"type": "line", "x0": at_s, "x1": at_s, "yref": axis, "y0": 0, "y1": 1, "line": line}
        for axis in ("y domain", "y2 domain")
    ]


def _notes(session: Session, scale: Scale) -> list[Figure]:
    """The first frame's time, the stalls' lengths, and capacity above the axis."""
    small = {"showarrow": False, "yref": "paper", "font": {"size": 11, "color": "var(--quiet)"}}
    notes = []
    if (first_s := session.curves.first_frame_s) is not None:
        text = f"first frame {first_s:.2f} s"
        # Right of the line, unless it stands so late that the words would leave the chart.
        side = "left" if first_s < 0.7 * scale.end_s else "right"
        place = {"x": first_s, "y": RATE_DOMAIN[1], "xanchor": side, "yanchor": "bottom"}
        notes.append(small | place | {"text": text})
    for stall in session.curves.stalls:
        if stall.length_s >= 0.06 * scale.end_s:  # shorter bands have no room for words
            place = {"x": (stall.start_s + stall.end_s) / 2, "y": RATE_DOMAIN[1]}
            ink = {"font": {"size": 11, "color": "var(--stall-ink)"}}
            text = f"stalled {stall.length_s:.1f} s"
            notes.append(small | place | ink | {"yanchor": "bottom", "text": text, "name": "stall"})
    highest_bps = max(_known(session.curves.capacity_bps), default=0.0)
    if highest_bps > scale.rate_bps:
        text = f"capacity up to {highest_bps / 1e6:.0f} Mbit/s, cut off"
        place = {"x": 1, "y": 1.0, "xref": "paper", "xanchor": "right", "yanchor": "middle"}
        notes.append(small | place | {"text": text})
    return notes


def _dense(curve: Curve, step_s: float) -> Curve:
    """The same line with a point at least every ``step_s``, so that hovering finds it."""
    if not curve.times_s:  # nothing was ever on screen
        return curve
    times: list[float | None] = []
    values: list[float | None] = []
    for (a_s, a), (b_s, b) in zip(
        zip(curve.times_s, curve.values, strict=True),
        zip((*curve.times_s[1:], None), (*curve.values[1:], None), strict=True),
        strict=True,
    ):
        times.append(a_s)
        values.append(a)
        if a_s is None or a is None or b_s is None or b is None:
            continue
        cuts = int((b_s - a_s) / step_s)
        for share in (k / (cuts + 1) for k in range(1, cuts + 1)):
            times.append(a_s + share * (b_s - a_s))
            values.append(a + share * (b - a))
    return Curve(times_s=tuple(times), values=tuple(values))


def _known(curve: Curve | None) -> list[float]:
    return [] if curve is None else [value for value in curve.values if value is not None]


def _rounded(values: Sequence[float | None], factor: float = 1.0) -> list[float | None]:
    return [None if value is None else round(value * factor, 3) for value in values]
