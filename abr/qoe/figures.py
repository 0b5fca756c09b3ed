"""Quality of experience of one playback, computed from its log and nothing else.

Definitions (docs/formats.md repeats them beside the table that prints them):

* startup: play asked to first frame playable, manifests, keys and all; none when
  playback never began.
* stall: an interval without playback for lack of media, after startup. Pauses are
  not stalls. A stall still open when the session ends counts up to the end.
* rebuffer ratio: stalled / (played + stalled). Startup and pauses are outside.
* mean bitrate: nominal bit rate of each played rung (the playlist's mean, audio
  included), weighted by the media time played of it.
* switches: changes of rung between consecutive played segments.
* quality: the mean of each segment at the rung played, as measured when it was encoded,
  weighted by the media time played of it; its changes between consecutive segments.
* latency of a live stream: the end of the newest segment listed, less what is on screen,
  whenever a playlist brought news; between two such moments it changes only while nothing
  plays. The mean is over time, from the first frame on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from abr.arguments import expect, kind_of
from abr.errors import ArgumentError, LogFormatError
from abr.log import Record, SessionLog
from abr.played import part_played_s, sum_played, utilities_of

STALL_PENALTY = 4.3
"""QoE_lin loses this per second of stalling, in units of 1 Mbit/s played."""

CHANGE_PENALTY = 1.0
"""QoE_lin loses this per Mbit/s of change between consecutive segments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A stretch of time, seconds since play was asked."""

    start_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        """How long it lasted."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True, kw_only=True)
class QoE:
    """What a viewer got. Field names are those of the JSON object."""

    startup_s: float | None
    """None when playback never began."""
    stall_events: int
    stall_s: float
    rebuffer_ratio: float
    """stall_s / rebuffer_denominator_s; 0 when nothing was played."""
    rebuffer_denominator_s: float
    """played_s + stall_s."""
    played_s: float
    """Media seconds played."""
    paused_s: float
    mean_bitrate_bps: float
    """Weighted by media time played; 0 when nothing was played."""
    switches: int
    switch_bps: float
    """Sum of the absolute changes of nominal bit rate at the switches."""
    rungs: tuple[int, ...]
    """Rung per played segment."""
    time_per_rung_s: tuple[float, ...]
    """Media seconds played at each rung of the ladder."""
    elapsed_s: float
    """Play asked to end of session."""
    ended: str
    """Why the session ended: complete, stopped, or the error."""
    quality: ViewedQuality | None = None
    """None where the presentation was not measured."""
    live: LiveLatency | None = None
    """None where nothing grew while it was played."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewedQuality:
    """Measured quality of what was played."""

    metric: str
    """Such as ``vmaf``."""
    mean: float
    """Weighted by media time played; 0 when nothing was played."""
    lowest: float
    """Of any segment played."""
    change: float
    """Sum of the absolute changes between consecutive segments, switched or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveLatency:
    """How far behind the end of a live stream it was played."""

    hold_back_s: float
    """The distance that the server asks for, or three target durations."""
    target_duration_s: float
    """About how often there is a new segment."""
    start_s: float
    """Latency at the first frame."""
    mean_s: float
    """Over time."""
    highest_s: float
    end_s: float


LOG = "a SessionLog, such as player.simulate(...) returns, or player.files.read_log(path)"
UNFIT = (KeyError, IndexError, TypeError, ValueError, AttributeError)
"""What records raise that are not those of docs/formats.md."""


def unfit(exc: Exception) -> LogFormatError:
    """Of a log whose records are not those of a session."""
    return LogFormatError(
        f"the log cannot be scored ({type(exc).__name__}: {exc}); expected the records of "
        "docs/formats.md, as abrkit writes them: play again, or use the log as it was written"
    )


def stalls(log: SessionLog) -> list[Interval]:
    """Every stall of the playback, in order; an instant between pause and playing is none.

    Raises:
        ArgumentError: it is no log.
    """
    expect(log, SessionLog, "stalls(log=...)", LOG)
    return _stalls(log)


def _stalls(log: SessionLog) -> list[Interval]:
    return [interval for interval in _spent_in(log, "stalled") if interval.length_s > 0]


def summary(log: SessionLog) -> QoE:
    """Score a playback from its log.

    Raises:
        ArgumentError: it is no log.
        LogFormatError: it has no ``start`` record, or others than a session's.
    """
    return _summary(log, "summary")


def _summary(log: SessionLog, function: str) -> QoE:
    """The same, for ``function``."""
    expect(log, SessionLog, f"{function}(log=...)", LOG)
    start = next(log.of("start"), None)
    if start is None:
        raise LogFormatError(
            "the log has no start record: nothing was ever played or asked for; expected the log "
            "of a session"
        )
    try:
        return _summed(log, start)
    except UNFIT as exc:
        raise unfit(exc) from exc


def _summed(log: SessionLog, start: Record) -> QoE:
    end_s = log.records[-1]["t"]
    first = next((r for r in log.of("state") if r["to"] == "playing"), None)
    playing = _spent_in(log, "playing")
    stalled = _stalls(log)
    plays = list(log.of("play"))
    played_s = sum(interval.length_s for interval in playing)
    weights = played_of_each_s([float(record["duration_s"]) for record in plays], played_s)
    rungs = tuple(int(r["rung"]) for r in plays)
    stall_s = sum(interval.length_s for interval in stalled)
    ladder = int(log.provenance.get("rungs") or (max(rungs, default=-1) + 1))
    rates_bps = [1.0] * ladder
    for record in plays:
        rates_bps[int(record["rung"])] = float(record["bitrate_bps"])
    durations_s = [float(record["duration_s"]) for record in plays]
    utilities = utilities_of(rates_bps)
    played = sum_played(rates_bps, utilities, durations_s, rungs, len(plays), played_s)
    per_rung = [0.0] * ladder
    for rung, weight in zip(rungs, weights, strict=True):
        per_rung[rung] += weight
    ended = next((str(r["why"]) for r in log.of("ended")), "still open")
    return QoE(
        startup_s=None if first is None else first["t"] - start["t"],
        stall_events=len(stalled),
        stall_s=stall_s,
        rebuffer_ratio=stall_s / (played_s + stall_s) if played_s + stall_s > 0 else 0.0,
        rebuffer_denominator_s=played_s + stall_s,
        played_s=played_s,
        paused_s=sum(interval.length_s for interval in _spent_in(log, "paused")),
        mean_bitrate_bps=played.mean_bitrate_bps,
        switches=played.switches,
        switch_bps=played.bitrate_change_bps,
        rungs=rungs,
        time_per_rung_s=tuple(per_rung),
        elapsed_s=end_s - start["t"],
        ended=ended,
        quality=_viewed_quality(log, plays, weights),
        live=None if first is None else _live_latency(log, first["t"], end_s),
    )


def _live_latency(log: SessionLog, first_s: float, end_s: float) -> LiveLatency | None:
    records = list(log.of("live"))
    before = [record for record in records if record["t"] <= first_s]
    found = [*before[-1:], *records[len(before) :]]
    if not found:
        return None
    latencies_s = [float(record["latency_s"]) for record in found]
    times_s = [max(float(record["t"]), first_s) for record in found]
    weights = [after - at for at, after in pairwise([*times_s, max(end_s, times_s[-1])])]
    total_s = sum(weights)
    weighted = sum(a * b for a, b in zip(latencies_s, weights, strict=True))
    return LiveLatency(
        hold_back_s=float(found[-1]["hold_back_s"]),
        target_duration_s=float(found[-1]["target_duration_s"]),
        start_s=latencies_s[0],
        mean_s=weighted / total_s if total_s > 0 else latencies_s[0],
        highest_s=max(latencies_s),
        end_s=latencies_s[-1],
    )


def _viewed_quality(
    log: SessionLog, plays: Sequence[Record], weights: Sequence[float]
) -> ViewedQuality | None:
    metric = log.provenance.get("quality_metric")
    if metric is None or not all("quality" in record for record in plays):
        return None
    return view_quality(str(metric), [float(record["quality"]) for record in plays], weights)


def view_quality(metric: str, found: Sequence[float], weights: Sequence[float]) -> ViewedQuality:
    """Sum up the quality of what was played.

    Args:
        metric: What it was measured in.
        found: Of each segment of which something was played, in order.
        weights: Media seconds played of each.

    Raises:
        ArgumentError: they are no numbers, or not as many weights as figures.
    """
    expect(metric, str, "view_quality(metric=...)", 'text, such as "vmaf"')
    try:
        return _viewed(metric, found, weights)
    except (TypeError, ValueError) as exc:
        raise ArgumentError(
            f"view_quality(found=..., weights=...): {exc}; expected as many numbers in both"
        ) from exc


def _viewed(metric: str, found: Sequence[float], weights: Sequence[float]) -> ViewedQuality:
    total_s = sum(weights)
    mean = sum(q * s for q, s in zip(found, weights, strict=True)) / total_s if total_s > 0 else 0.0
    return ViewedQuality(
        metric=metric,
        mean=mean,
        lowest=min(found, default=0.0),
        change=sum(abs(after - before) for before, after in pairwise(found)),
    )


def as_dict(log: SessionLog) -> dict[str, Any]:
    """``summary`` as a JSON object, provenance included.

    ``quality`` is there where it was measured, ``live`` where the stream was.
    """
    found = asdict(_summary(log, "as_dict"))
    for name in ("quality", "live"):
        if found[name] is None:
            del found[name]
    return {**found, "provenance": log.provenance}


_EARLY_S = 0.05
"""Timers may be this early, or times rounded."""


def shortfall(log: SessionLog) -> str:
    """Why a session did not play what was asked of it; empty when it did.

    A session that was stopped when ``--duration`` said did what was asked; otherwise it was
    stopped because nothing more could come, or by a signal.
    """
    qoe = _summary(log, "shortfall")
    asked_s = log.provenance.get("stop_at_s", math.inf)
    is_as_asked = qoe.ended == "stopped" and qoe.elapsed_s >= asked_s - _EARLY_S
    if qoe.ended == "complete" or is_as_asked:
        return ""
    if qoe.ended.startswith("error: "):
        return qoe.ended.removeprefix("error: ")
    return (
        f"the session is {qoe.ended} after {qoe.elapsed_s:.1f} s, {qoe.played_s:.1f} s of them "
        "played, and nothing more could come; expected it to play to its end"
    )


def _spent_in(log: SessionLog, state: str) -> list[Interval]:
    """The intervals spent in one state; an open one ends with the log."""
    intervals = []
    since_s: float | None = None
    for record in log.of("state"):
        if record["to"] == state and since_s is None:
            since_s = record["t"]
        elif record["to"] != state and since_s is not None:
            intervals.append(Interval(start_s=since_s, end_s=record["t"]))
            since_s = None
    if since_s is not None:
        intervals.append(Interval(start_s=since_s, end_s=log.records[-1]["t"]))
    return intervals


def played_of_each_s(durations_s: Sequence[float], played_s: float) -> list[float]:
    """Media seconds played of each segment: all of it, except perhaps of the last.

    Raises:
        ArgumentError: they are no numbers.
    """
    try:
        weights = list(durations_s)
        if weights:
            weights[-1] = part_played_s(played_s, sum(weights[:-1]), weights[-1])
    except TypeError as exc:
        raise ArgumentError(
            f"played_of_each_s(durations_s=..., played_s=...): found {kind_of(durations_s)} and "
            f"{kind_of(played_s)}; expected a sequence of seconds, and seconds"
        ) from exc
    return weights


def qoe_lin(rates_bps: Sequence[float], stall_s: float, change_bps: float | None = None) -> float:
    """The linear score of one playback, per segment played; 0 when nothing was played.

    Source: Mao, Netravali, Alizadeh, "Neural Adaptive Video Streaming with Pensieve",
    SIGCOMM 2017, section 5.1, equation 5 with q(R) = R in Mbit/s and a stall penalty of
    4.3, after Yin et al., SIGCOMM 2015.

    deviation: startup counts nothing here; it is reported beside the score.

    Args:
        rates_bps: Nominal bit rate of each segment played, in order.
        stall_s: Stalled in all.
        change_bps: Absolute changes between neighbours, where they are summed up already.

    Raises:
        ArgumentError: they are no numbers.
    """
    try:
        if not len(rates_bps):
            return 0.0
        if change_bps is None:
            change_bps = sum(abs(after - before) for before, after in pairwise(rates_bps))
        score = (sum(rates_bps) - CHANGE_PENALTY * change_bps) / 1e6 - STALL_PENALTY * stall_s
        return score / len(rates_bps)
    except TypeError as exc:
        raise ArgumentError(
            f"qoe_lin(rates_bps=..., stall_s=...): {exc}; expected the bit/s of each segment "
            "played, as numbers, and seconds; linear().score(log) scores a log"
        ) from exc
