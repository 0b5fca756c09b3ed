"""One session log as curves over time: what the charts of a report draw.

Times are seconds since play was asked. Nothing here knows how a chart looks or which
library draws it. A chart shows what was logged: the buffer falls only while playback
runs, a played rung is not drawn through a stall, capacity comes from the trace.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from abr.log import Record, SessionLog
from abr.qoe import Interval, stalls, summary
from abr.trace import Trace

MAX_STEPS = 600
"""A trace with more periods in the window is drawn as means over this many bins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Points of one line or cloud; ``None`` breaks a line."""

    times_s: tuple[float | None, ...] = ()
    values: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """One download of a video segment."""

    end_s: float
    """Last byte, or the moment it was given up."""
    throughput_bps: float
    """Bits received over request to end, so the wait for the first byte is included."""
    segment: int
    rung: int
    size_bytes: float
    took_s: float
    is_abandoned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """Everything drawn for one session."""

    end_s: float
    """End of the session, and of the time axis."""
    capacity_bps: Curve | None
    """Steps of the trace; None when the log does not say which trace."""
    bitrate_bps: Curve
    """Nominal bit rate of the segment on screen."""
    downloads: tuple[Dot, ...]
    buffer_s: Curve
    stalls: tuple[Interval, ...]
    first_frame_s: float | None
    """None when playback never began."""


def curves(log: SessionLog, trace: Trace | None = None) -> Curves:
    """The curves of one playback.

    Args:
        log: The session.
        trace: What its link could carry; None when it is not known.
    """
    end_s = float(log.records[-1]["t"]) if log.records else 0.0
    stalled = tuple(stalls(log))
    return Curves(
        end_s=end_s,
        capacity_bps=None if trace is None else capacity_curve(trace, end_s),
        bitrate_bps=_bitrate(list(log.of("play")), stalled, end_s),
        downloads=tuple(_downloads(log)),
        buffer_s=_buffer(log),
        stalls=stalled,
        first_frame_s=summary(log).startup_s,
    )


def capacity_curve(trace: Trace, end_s: float) -> Curve:
    """Capacity over ``[0, end_s]``, two points per step; means when there are too many."""
    bounds = _bounds(trace, end_s)
    if len(bounds) - 1 > MAX_STEPS:
        bounds = [end_s * i / MAX_STEPS for i in range(MAX_STEPS + 1)]
    times: list[float | None] = []
    values: list[float | None] = []
    for start_s, stop_s in pairwise(bounds):
        mean_bps = (trace.bits_by(stop_s) - trace.bits_by(start_s)) / (stop_s - start_s)
        if values and mean_bps == values[-1]:
            times[-1] = stop_s
            continue
        times += [start_s, stop_s]
        values += [mean_bps, mean_bps]
    return Curve(times_s=tuple(times), values=tuple(values))


def _bounds(trace: Trace, end_s: float) -> list[float]:
    """Distinct times in ``[0, end_s]`` at which the capacity may change."""
    once = [float(t_s) for t_s in trace.times_s]
    rounds = math.ceil(end_s / trace.duration_s) if trace.end == "loop" else 1
    if rounds * len(once) > 50 * MAX_STEPS:  # means are drawn anyway
        return [end_s * i / (MAX_STEPS + 2) for i in range(MAX_STEPS + 3)]
    times = [k * trace.duration_s + t_s for k in range(max(rounds, 1)) for t_s in once]
    return sorted({0.0, end_s, *(t_s for t_s in times if t_s < end_s)})


def _bitrate(plays: list[Record], stalled: tuple[Interval, ...], end_s: float) -> Curve:
    times: list[float | None] = []
    values: list[float | None] = []
    ends_s = [float(record["t"]) for record in plays[1:]] + [end_s]
    for record, stop_s in zip(plays, ends_s, strict=False):  # no plays, no end either
        at_s, bps = float(record["t"]), float(record["bitrate_bps"])
        for stall in stalled:
            if at_s <= stall.start_s < stop_s:
                times += [at_s, stall.start_s, None]
                values += [bps, bps, None]
                at_s = stall.end_s
        if at_s < stop_s:
            times += [at_s, stop_s]
            values += [bps, bps]
    return Curve(times_s=tuple(times), values=tuple(values))


def _downloads(log: SessionLog) -> list[Dot]:
    asked: dict[Any, Record] = {}
    dots = []
    sent_s: dict[Any, float] = {}
    for record in log.of("fetch", "sent", "finished", "abort"):
        if record["e"] == "fetch":
            if record.get("kind") == "segment" and record.get("track", "video") == "video":
                asked[record["id"]] = record
            continue
        if record["e"] == "sent":
            sent_s[record["id"]] = float(record["t"])
            continue
        fetch = asked.pop(record["id"], None)
        is_abandoned = record["e"] == "abort"
        size_bytes = float(record.get("received_bytes" if is_abandoned else "size_bytes", 0))
        if fetch is None:
            continue
        took_s = record["t"] - sent_s.get(record["id"], fetch["t"])
        if took_s <= 0 or size_bytes <= 0:
            continue
        dots.append(
            Dot(
                end_s=float(record["t"]),
                throughput_bps=8 * size_bytes / took_s,
                segment=int(fetch.get("segment", -1)),
                rung=int(fetch.get("rung", -1)),
                size_bytes=size_bytes,
                took_s=took_s,
                is_abandoned=is_abandoned,
            )
        )
    return dots


def _buffer(log: SessionLog) -> Curve:
    """Falls by one second per second while playing, jumps where media arrives."""
    times: list[float | None] = [0.0]
    values: list[float | None] = [0.0]
    at_s, level_s, is_playing = 0.0, 0.0, False
    for record in log.of("state", "buffer", "ended"):
        now_s = float(record["t"])
        level_s = max(0.0, level_s - (now_s - at_s if is_playing else 0.0))
        at_s = now_s
        times.append(now_s)
        values.append(level_s)
        if record["e"] == "state":
            is_playing = record["to"] == "playing"
        elif record["e"] == "buffer" and record["buffer_s"] != level_s:
            level_s = float(record["buffer_s"])
            times.append(now_s)
            values.append(level_s)
    return Curve(times_s=tuple(times), values=tuple(values))
