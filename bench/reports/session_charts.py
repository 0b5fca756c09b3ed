"""Charts of a report: the curves of a session as SVG.

Capacity, rungs and downloads above, the buffer below, stalls through both, on one time
axis. Colours are CSS classes of ``templates/charts.css``. What lies under the pointer
says its figures; no script is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from bench.reports import svg
from bench.reports.curves import Curve, Dot
from bench.reports.sessions import Session
from bench.reports.wording import describe_experience

HEIGHT_PX = 320
RATE_PX = (26, 168)
"""Top and height of the upper panel."""
BUFFER_PX = (226, 66)
"""Top and height of the lower panel."""
HEADROOM = 3.0
"""Capacity far above the ladder is cut off at this multiple of the top bit rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Ends of the axes that sessions of one trace share, so that eyes can compare."""

    end_s: float
    rate_bps: float
    buffer_s: float


def find_scale(sessions: Sequence[Session]) -> Scale:
    """Axes that hold every one of ``sessions``."""
    top_bps = max((bps for s in sessions for bps in s.ladder_bps), default=1e6)
    shown = [bps for s in sessions for bps in _known(s.curves.bitrate_bps)]
    rates = [dot.throughput_bps for s in sessions for dot in s.curves.downloads]
    rates += [bps for s in sessions for bps in _known(s.curves.capacity_bps)]
    levels = [level for s in sessions for level in _known(s.curves.buffer_s)]
    return Scale(
        end_s=max(1.0, *(s.curves.end_s for s in sessions)),
        rate_bps=1.1 * max([*shown, min(max(rates, default=top_bps), HEADROOM * top_bps)]),
        buffer_s=1.08 * max([4.0, *levels]),
    )


def draw_session(session: Session, scale: Scale) -> str:
    """The chart of one session, as wide as its place in a page."""
    label = f"{session.label} over {session.trace}: {describe_experience(session)}"
    return svg.draw_chart(draw_parts(session, scale), height_px=HEIGHT_PX, label=label)


def draw_parts(session: Session, scale: Scale) -> Iterator[str]:
    """What a chart consists of, for a place of any width and ``HEIGHT_PX``."""
    x = svg.Axis(0, scale.end_s)
    rate = svg.Panel(
        x=x, y=svg.Axis(0, scale.rate_bps / 1e6), top_px=RATE_PX[0], height_px=RATE_PX[1]
    )
    buffer = svg.Panel(
        x=x, y=svg.Axis(0, scale.buffer_s), top_px=BUFFER_PX[0], height_px=BUFFER_PX[1]
    )
    drawn = session.curves
    yield svg.draw_words("Mbit/s", "-36", RATE_PX[0] - 12, kind="note")
    yield svg.draw_words("Buffer, seconds of video", "-36", BUFFER_PX[0] - 10, kind="note")
    yield rate.draw_grid(5) + buffer.draw_grid(3) + buffer.draw_scale(8, " s")
    for stall in drawn.stalls:
        title = f"stalled {stall.length_s:.2f} s, from {stall.start_s:.1f} s"
        for panel in (rate, buffer):
            yield panel.draw_band(stall.start_s, stall.end_s, kind="stall", title=title)
    if drawn.capacity_bps is not None:
        pieces = _pieces(drawn.capacity_bps, 1e-6)
        yield rate.draw_line(pieces, kind="capacity", is_filled=True)
    yield buffer.draw_line(_pieces(drawn.buffer_s), kind="buffer", is_filled=True)
    yield rate.draw_line(_pieces(drawn.bitrate_bps, 1e-6), kind="chosen")
    yield "".join(_download(rate, dot) for dot in drawn.downloads)
    yield from _notes(session, scale, rate, buffer)


def _download(panel: svg.Panel, dot: Dot) -> str:
    """A dot where a download ended; a cross where it was given up."""
    title = (
        f"{'given up: ' if dot.is_abandoned else ''}segment {dot.segment}, rung {dot.rung}: "
        f"{dot.size_bytes / 1000:.0f} kB in {dot.took_s:.2f} s, "
        f"{dot.throughput_bps / 1e6:.2f} Mbit/s"
    )
    at = (dot.end_s, dot.throughput_bps / 1e6)
    if not dot.is_abandoned:
        return panel.draw_dot(at, radius_px=3, kind="measured", title=title)
    return (
        f'<text class="cross" x="{panel.place_x(at[0])}" y="{panel.place_y(at[1])}" dy=".35em" '
        f'text-anchor="middle">×<title>{escape(title)}</title></text>'
    )


def _notes(session: Session, scale: Scale, rate: svg.Panel, buffer: svg.Panel) -> Iterator[str]:
    """The first frame's time, the stalls' lengths, and capacity above the axis."""
    above_px = RATE_PX[0] - 12
    first_s = session.curves.first_frame_s
    if first_s is not None:
        yield rate.draw_upright(first_s, kind="first") + buffer.draw_upright(first_s, kind="first")
        is_late = first_s > 0.8 * scale.end_s  # the words would leave the chart
        yield rate.draw_words(
            f"\u2002first frame {first_s:.2f} s",  # a gap to what is written on the left
            first_s,
            above_px,
            kind="note",
            anchor="end" if is_late else "start",
        )
    for stall in session.curves.stalls:
        middle_s = (stall.start_s + stall.end_s) / 2
        # Shorter bands have no room for words, nor has the corner of the first frame.
        if stall.length_s >= 0.06 * scale.end_s and middle_s >= 0.28 * scale.end_s:
            text = f"stalled {stall.length_s:.1f} s"
            yield rate.draw_words(text, middle_s, RATE_PX[0] - 12, kind="stalled")
    highest_bps = max(_known(session.curves.capacity_bps), default=0.0)
    if highest_bps > scale.rate_bps:
        text = f"capacity up to {highest_bps / 1e6:.0f} Mbit/s, cut off"
        yield svg.draw_words(text, "100%", above_px, kind="note", anchor="end")


def _pieces(curve: Curve, factor: float = 1.0) -> list[list[svg.Point]]:
    """The unbroken pieces of a curve."""
    pieces: list[list[svg.Point]] = [[]]
    for time_s, value in zip(curve.times_s, curve.values, strict=True):
        if time_s is None or value is None:
            pieces.append([])
        else:
            pieces[-1].append((time_s, factor * value))
    return [piece for piece in pieces if piece]


def _known(curve: Curve | None) -> list[float]:
    return [] if curve is None else [value for value in curve.values if value is not None]
