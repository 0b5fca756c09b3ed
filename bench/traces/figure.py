"""Traces as a picture: one panel each, all on the same axes; the one place that draws them.

Draws into memory with matplotlib's own canvases, so that no display is needed and no
global state is touched. The same traces give the same bytes with the same matplotlib.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from abr.errors import ToolMissingError
from abr.media import FloatArray
from abr.trace import Trace
from abr.traceedit import average
from abr.tracestats import OUTAGE_BPS, percentiles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_STEPS = 600
"""A trace of more periods is drawn as this many means."""
TITLE_LETTERS = 28
"""Longer names lose their middle."""

_FAR_APART = 20.0
_PANEL_INCHES = (3.5, 1.75)
_SINGLE_INCHES = (9.0, 3.6)
_LINE, _FILL, _OUT, _MEAN, _GRID, _INK = (
    "#1f6f8b", "#1f6f8b30", "#d1495b40", "#e0872d", "#e6e6e6", "#333333",
)  # fmt: skip
_STYLE: dict[Any, Any] = {
    "font.size": 8.0,
    "axes.edgecolor": "#bbbbbb",
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "xtick.color": "#777777",
    "ytick.color": "#777777",
    "svg.hashsalt": "abrkit",
}


class Steps(NamedTuple):
    """A curve of steps."""

    bounds_s: FloatArray
    """Shape (K+1,)."""
    bps: FloatArray
    """Shape (K,)."""


def steps_of(trace: Trace, mean_over_s: float | None = None) -> Steps:
    """What is drawn of a trace: its periods, or means over equal times where there are many.

    Args:
        trace: One pass of it is drawn.
        mean_over_s: Length of the means; None for periods as they are, but no more than
            ``MOST_STEPS``.
    """
    if mean_over_s is None and len(trace.capacity_bps) <= MOST_STEPS:
        return Steps(trace.times_s, trace.capacity_bps)
    means = average(trace, max(mean_over_s or 0.0, trace.duration_s / MOST_STEPS))
    return Steps(means.times_s, means.capacity_bps)


def picture(
    traces: Sequence[Trace],
    form: Literal["svg", "png"],
    *,
    columns: int | None = None,
    mean_over_s: float | None = None,
    is_log: bool = False,
    has_own_axes: bool = False,
    dpi: int = 150,
) -> bytes:
    """The file of a picture of traces.

    Args:
        traces: One or more, a panel each, row by row.
        form: The file's format.
        columns: Panels side by side; chosen by their number when None.
        mean_over_s: As in ``steps_of``.
        is_log: Whether the axis of capacity is logarithmic.
        has_own_axes: Whether each panel has axes of its own.
        dpi: Pixels per inch of a PNG.

    Raises:
        ToolMissingError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as exc:
        raise ToolMissingError(
            "matplotlib is not installed; it draws the pictures: pip install 'abrkit[plot]'"
        ) from exc
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # letters that the font does not have
        figure = Figure(layout="constrained")
        axes = _panels(figure, len(traces), columns or columns_for(len(traces)), has_own_axes)
        drawn = [(trace, steps_of(trace, mean_over_s)) for trace in traces]
        for group in [[k] for k in range(len(drawn))] if has_own_axes else [range(len(drawn))]:
            _draw([axes[k] for k in group], [drawn[k] for k in group], is_log=is_log)
        file = io.BytesIO()
        metadata = {"Date": None} if form == "svg" else {"Software": None}
        figure.savefig(file, format=form, dpi=dpi, metadata=metadata)
    return file.getvalue()


def columns_for(panels: int) -> int:
    """Panels side by side: wide for few, at most five."""
    return min(panels, 5, max(1, math.ceil(math.sqrt(panels * 0.8))))


def _panels(figure: Figure, count: int, columns: int, has_own_axes: bool) -> list[Axes]:
    """Empty panels in rows, and the names of the axes."""
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    width, height = _SINGLE_INCHES if count == 1 else _PANEL_INCHES
    figure.set_size_inches(max(width * columns, 5.0), height * rows + 0.35)
    shared = not has_own_axes
    grid = figure.subplots(rows, columns, sharex=shared, sharey=shared, squeeze=False)
    axes: list[Axes] = grid.ravel().tolist()
    for spare in axes[count:]:
        spare.set_visible(False)
    for panel in axes[max(0, count - columns) : count]:  # those above a spare one, too
        panel.tick_params(labelbottom=True)
    figure.supxlabel("seconds", fontsize=8)
    figure.supylabel("Mbit/s", fontsize=8)
    return axes[:count]


def _draw(axes: Sequence[Axes], drawn: Sequence[tuple[Trace, Steps]], *, is_log: bool) -> None:
    """Draw traces that share their axes."""
    top_mbps = shared_top_bps([steps for _, steps in drawn]) / 1e6
    least_mbps = min(float(steps.bps[steps.bps > 0].min()) for _, steps in drawn) / 1e6
    floor = min(max(least_mbps, top_mbps / 1e4), top_mbps) / 1.5 if is_log else 0.0
    for panel, (trace, steps) in zip(axes, drawn, strict=True):
        _panel(panel, trace, steps, floor)
        if is_log:
            panel.set_yscale("log")
    axes[0].set_xlim(0, max(trace.duration_s for trace, _ in drawn))
    axes[0].set_ylim(floor, top_mbps * (1.6 if is_log else 1.06))


def are_far_apart(traces: Sequence[Trace]) -> bool:
    """Whether some traces would hardly be seen on an axis that others fill."""
    means = [trace.mean_bps for trace in traces]
    return max(means) > _FAR_APART * min(means)


def shared_top_bps(drawn: Sequence[Steps]) -> float:
    """Upper end of an axis for all curves: their maximum, unless rare peaks would dominate it.

    One peak must not flatten everything else: what is reached in less than
    1 % of a trace's time may be cut off, if it is more than a quarter above the rest.
    """
    usual = []
    for steps in drawn:
        lengths_s = np.diff(steps.bounds_s)
        kept = lengths_s > 0
        usual.append(percentiles(lengths_s[kept], steps.bps[kept], (99,))[0])
    peak = max(float(steps.bps.max()) for steps in drawn)
    limit = 1.25 * max(usual)
    return min(peak, limit) if limit > 0 else peak


def _panel(axes: Axes, trace: Trace, steps: Steps, floor: float) -> None:
    mbps = steps.bps / 1e6
    axes.stairs(np.maximum(mbps, floor), steps.bounds_s, baseline=floor, fill=True, color=_FILL)
    axes.stairs(np.maximum(mbps, floor), steps.bounds_s, baseline=None, color=_LINE, linewidth=0.9)
    for begin_s, end_s in _outages(steps):
        axes.axvspan(begin_s, end_s, color=_OUT, linewidth=0)
    mean = trace.mean_bps / 1e6
    axes.plot(
        [0, trace.duration_s], [mean, mean], color=_MEAN, linewidth=0.9, linestyle=(0, (4, 2))
    )
    name = trace.name or "trace"
    if len(name) > TITLE_LETTERS:
        name = f"{name[: TITLE_LETTERS // 2 - 1]}…{name[-TITLE_LETTERS // 2 :]}"
    axes.set_title(name, fontsize=8, loc="left", parse_math=False)
    figures = f"mean {mean:.3g}, max {mbps.max():.3g}"
    axes.set_title(figures, fontsize=7, loc="right", color=_MEAN)
    axes.grid(visible=True, color=_GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=2, labelsize=7)


def _outages(steps: Steps) -> list[tuple[float, float]]:
    """Begin and end of every stretch that is drawn below the limit of an outage."""
    edges = np.diff(np.concatenate([[0], (steps.bps < OUTAGE_BPS).astype(np.int8), [0]]))
    begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return list(zip(steps.bounds_s[begins].tolist(), steps.bounds_s[ends].tolist(), strict=True))
