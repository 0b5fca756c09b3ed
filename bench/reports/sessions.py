"""What a report says: session logs and cache counts as one tree of plain data.

Scores come from ``abr.qoe`` and curves from ``bench.reports.curves``, both computed from logs
and nothing else. This module groups and compares; it knows no HTML and no charts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from abr.errors import LogFormatError, TraceFormatError
from abr.log import SessionLog
from abr.media import frozen_array
from abr.qoe import QoE, summary
from abr.trace import Trace
from bench.analysis.agreement import Gap, gap_between
from bench.experiments.failures import Failures, failures_of, why_playback_failed
from bench.reports.curves import Curves, curves

UNSHAPED = "no trace"
"""Stands for the trace of a session over the network as it is."""

BETTER: Mapping[str, Callable[[float], float]] = {
    "startup_s": lambda value: value,
    "stall_events": lambda value: value,
    "stall_s": lambda value: value,
    "rebuffer_ratio": lambda value: value,
    "mean_bitrate_bps": lambda value: -value,
    "switches": lambda value: value,
}
"""Figures that are compared between algorithms; the smallest of these values is best."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One playback of a report."""

    number: int
    """Place in the report, from 1; its page anchor is ``session-{number}``."""
    algorithm: str
    label: str
    """The algorithm, with those parameters in which sessions of this report differ."""
    driver: str
    """virtual, live or replay."""
    trace: str
    title: str
    ladder_bps: tuple[float, ...]
    qoe: QoE
    curves: Curves
    failure: str | None
    """Why its figures are compared with none; None for a playback that began and either
    reached the end of its media or was stopped on purpose."""
    is_overloaded: bool
    """The machine was too busy for a live run to be trusted."""
    log: SessionLog

    @property
    def provenance(self) -> Mapping[str, Any]:
        """The first line of the log."""
        return self.log.provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One session in a comparison, with the figures in which none was better."""

    session: Session
    best: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The sessions that played one presentation over one trace."""

    trace: str
    title: str
    rows: tuple[Row, ...]

    @property
    def played(self) -> tuple[Session, ...]:
        """The sessions that did not fail; only these are compared."""
        return tuple(row.session for row in self.rows if row.session.failure is None)

    @property
    def leader(self) -> Session | None:
        """Least stalled time first, then highest mean bitrate; None when all failed."""
        return min(
            self.played,
            key=lambda each: (round(each.qoe.stall_s, 3), -each.qoe.mean_bitrate_bps),
            default=None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """What one cache, or one tier of caches, answered itself."""

    name: str
    requests: int
    hits: int
    sent_bytes: int
    hit_bytes: int

    @property
    def hit_ratio(self) -> float | None:
        """Hits over requests; None without requests."""
        return self.hits / self.requests if self.requests else None

    @property
    def byte_hit_ratio(self) -> float | None:
        """Bytes answered from the cache over all bytes sent; None without bytes."""
        return self.hit_bytes / self.sent_bytes if self.sent_bytes else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The same playback, simulated and over HTTP, and how far apart they came out."""

    virtual: Session
    live: Session
    gap: Gap


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderRung:
    """A line of a ladder table; what is unknown is None."""

    bitrate_bps: float
    width: int | None = None
    height: int | None = None
    frame_rate: float | None = None
    codecs: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportData:
    """Everything on the page."""

    heading: str
    sessions: tuple[Session, ...]
    comparisons: tuple[Comparison, ...]
    tiers: tuple[Tier, ...]
    pairs: tuple[Pair, ...]
    ladders: Mapping[str, tuple[LadderRung, ...]]
    """By title, lowest rung first."""
    commands: tuple[str, ...]
    """How to make this page again."""

    @property
    def failures(self) -> Mapping[str, Failures]:
        """Failed sessions by the algorithm's label; only algorithms that have any."""
        counts = Counter(each.label for each in self.sessions)
        reasons: dict[str, list[str]] = {}
        for each in self.sessions:
            if each.failure is not None:
                reasons.setdefault(each.label, []).append(each.failure)
        return {label: failures_of(counts[label], why) for label, why in reasons.items()}


def failures_json(data: ReportData) -> dict[str, Any]:
    """How many sessions failed, and by algorithm how many and why, as plain values."""
    return {
        "failed": sum(each.failed for each in data.failures.values()),
        "failures": {label: asdict(each) for label, each in data.failures.items()},
    }


def report_data(
    logs: Sequence[SessionLog],
    *,
    heading: str = "Playback report",
    traces: Sequence[Trace] = (),
    cache_stats: Mapping[str, Mapping[str, float]] | None = None,
    ladders: Mapping[str, Sequence[LadderRung]] | None = None,
    commands: Sequence[str] = (),
) -> ReportData:
    """Put sessions and cache counts together.

    Args:
        logs: The sessions, in the order they should be shown within their trace.
        heading: Title of the page.
        traces: Traces that logs may refer to by digest; their capacity is drawn.
        cache_stats: Per tier ``requests, hits, bytes, hit_bytes``, nearest the player
            first.
        ladders: Rungs by title, where more than bit rates is known.
        commands: Command lines that made the logs.

    Raises:
        LogFormatError: there is no log, a log without a start, or counts that are
            missing or not possible.
    """
    if not logs:
        raise LogFormatError("no session log; expected at least one to report on")
    known = {trace.digest(): trace for trace in traces}
    unordered = [_session(number, log, known) for number, log in enumerate(logs, start=1)]
    places = list(dict.fromkeys((s.title, s.trace) for s in unordered))
    ordered = sorted(unordered, key=lambda s: places.index((s.title, s.trace)))
    sessions = tuple(
        replace(session, number=number, label=_label(session, ordered))
        for number, session in enumerate(ordered, start=1)
    )
    return ReportData(
        heading=heading,
        sessions=sessions,
        comparisons=tuple(_comparison(place, sessions) for place in places),
        tiers=tuple(_tier(name, counts) for name, counts in (cache_stats or {}).items()),
        pairs=tuple(_pairs(sessions)),
        ladders=_ladders(sessions, ladders or {}),
        commands=tuple(commands),
    )


def _session(number: int, log: SessionLog, traces: Mapping[str, Trace]) -> Session:
    about = log.provenance
    try:
        qoe = summary(log)
    except ValueError as exc:
        raise LogFormatError(f"session {number}: {exc}") from exc
    digest = str(about.get("trace_digest", ""))
    trace = traces.get(digest) or _recorded_trace(about)
    return Session(
        number=number,
        algorithm=str(about.get("algorithm", "none")),
        label=str(about.get("algorithm", "none")),
        driver=str(about.get("driver", "unknown")),
        trace=str(about.get("trace") or digest[:12] or UNSHAPED),
        title=str(about.get("title", "")),
        ladder_bps=tuple(float(bps) for bps in about.get("ladder_bps", ())),
        qoe=qoe,
        curves=curves(log, trace),
        failure=why_playback_failed(qoe),
        is_overloaded=bool(about.get("shaper", {}).get("is_overloaded", False)),
        log=log,
    )


def _label(session: Session, sessions: Sequence[Session]) -> str:
    others = [_params(s) for s in sessions if s.algorithm == session.algorithm]
    apart = [
        f"{name}={value}"
        for name, value in _params(session).items()
        if any(other.get(name) != value for other in others)
    ]
    return f"{session.algorithm} ({', '.join(apart)})" if apart else session.algorithm


def _params(session: Session) -> Mapping[str, Any]:
    return session.provenance.get("params") or {}


def _recorded_trace(about: Mapping[str, Any]) -> Trace | None:
    """The trace that a log carries itself, as ``trace_data``; None without one."""
    data = about.get("trace_data")
    if not isinstance(data, Mapping):
        return None
    try:
        return Trace(
            times_s=frozen_array(data["times_s"]),
            capacity_bps=frozen_array(data["capacity_bps"]),
            end=data.get("end", "loop"),
            name=str(about.get("trace", "")),
        )
    except (KeyError, TypeError, ValueError, TraceFormatError) as exc:
        raise LogFormatError(f"trace_data of a session log: {exc}; expected a trace") from exc


def _comparison(place: tuple[str, str], sessions: Sequence[Session]) -> Comparison:
    title, trace = place
    members = [s for s in sessions if (s.title, s.trace) == place]
    best: dict[int, set[str]] = {session.number: set() for session in members}
    for name, cost in BETTER.items():
        costs = {
            s.number: round(cost(value), 6)
            for s in members
            if s.failure is None and (value := getattr(s.qoe, name)) is not None
        }
        if len(set(costs.values())) > 1:
            for number in (n for n, value in costs.items() if value == min(costs.values())):
                best[number].add(name)
    rows = tuple(Row(session=s, best=frozenset(best[s.number])) for s in members)
    return Comparison(trace=trace, title=title, rows=rows)


def _tier(name: str, counts: Mapping[str, float]) -> Tier:
    try:
        requests, hits, sent, hit = (
            int(counts[key]) for key in ("requests", "hits", "bytes", "hit_bytes")
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise LogFormatError(
            f"cache counts of {name!r}: {exc!r}; expected requests, hits, bytes and hit_bytes"
        ) from exc
    if not (0 <= hits <= requests and 0 <= hit <= sent):
        raise LogFormatError(
            f"cache counts of {name!r}: {hits} hits of {requests} requests, {hit} of {sent} "
            "bytes; expected no more hits than requests"
        )
    return Tier(name=name, requests=requests, hits=hits, sent_bytes=sent, hit_bytes=hit)


def _pairs(sessions: Sequence[Session]) -> list[Pair]:
    """Every live session beside the first virtual one of the same kind; none that failed."""
    played = [session for session in sessions if session.failure is None]
    virtual = {_kind(s): s for s in reversed(played) if s.driver == "virtual"}
    return [
        Pair(virtual=simulated, live=live, gap=gap_between(simulated.log, live.log))
        for live in played
        if live.driver == "live" and (simulated := virtual.get(_kind(live)))
    ]


def _kind(session: Session) -> tuple[str, ...]:
    about = session.provenance
    return (
        session.algorithm,
        repr(sorted(_params(session).items())),
        str(about.get("trace_digest", session.trace)),
        session.title,
    )


def _ladders(
    sessions: Sequence[Session], given: Mapping[str, Sequence[LadderRung]]
) -> dict[str, tuple[LadderRung, ...]]:
    ladders = {title: tuple(rungs) for title, rungs in given.items()}
    for session in sessions:
        if session.ladder_bps:
            rungs = tuple(LadderRung(bitrate_bps=bps) for bps in session.ladder_bps)
            ladders.setdefault(session.title, rungs)
    return ladders
