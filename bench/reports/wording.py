"""Figures and findings as people read them: units, rounding and whole sentences."""

from __future__ import annotations

from collections.abc import Sequence

from abr.qoe import QoE
from abr.wording import format_count
from bench.reports.sessions import Comparison, ReportData, Session

MOSTLY = 0.5
"""Share of the time from which a viewer would say mostly."""


def format_seconds(value: float | None) -> str:
    """``0.42 s``; a dash for None."""
    if value is None:
        return "–"
    if value == 0:
        return "0 s"
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"


def format_bitrate(value_bps: float | None) -> str:
    """``1.84 Mbit/s``; a dash for None."""
    if value_bps is None:
        return "–"
    value = value_bps / 1e6
    return f"{value:.2f} Mbit/s" if value < 100 else f"{value:.0f} Mbit/s"


def format_percent(ratio: float | None, digits: int = 1) -> str:
    """``81.3 %``; a dash for None."""
    return "–" if ratio is None else f"{100 * ratio:.{digits}f} %"


def format_size(value_bytes: float) -> str:
    """``12.4 MB``, in powers of a thousand."""
    for unit in ("B", "kB", "MB", "GB"):
        if value_bytes < 1000 or unit == "GB":
            return f"{value_bytes:.0f} {unit}" if unit == "B" else f"{value_bytes:.1f} {unit}"
        value_bytes /= 1000
    raise AssertionError("the last unit always returns")


def join_words(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def write_lead(data: ReportData) -> str:
    """What was played, in a sentence."""
    algorithms = {session.label for session in data.sessions}
    traces = {(session.title, session.trace) for session in data.sessions}
    played_s = sum(session.qoe.played_s for session in data.sessions)
    live = sum(session.driver == "live" for session in data.sessions)
    how = f", {live} of them live over HTTP" if live else ", all simulated"
    first = (
        f"{format_count(len(algorithms), 'algorithm')} over "
        f"{format_count(len(traces), 'network trace')}: "
        f"{format_count(len(data.sessions), 'session')}{how}, {_long(played_s)} of video played."
    )
    return first[0].upper() + first[1:]


def write_findings(data: ReportData) -> list[str]:
    """One sentence per trace on who did best, and one on the caches."""
    sentences = [_finding(comparison) for comparison in data.comparisons]
    asked = [tier for tier in data.tiers if tier.requests]
    if asked:
        nearest = asked[0]
        sentences.append(
            f"The {nearest.name} tier answered {format_percent(nearest.hit_ratio, 0)} of its "
            f"requests and {format_percent(nearest.byte_hit_ratio, 0)} of the bytes itself."
        )
    return sentences


def write_cautions(data: ReportData) -> list[str]:
    """Which sessions failed and why, what that means for the figures, and which bounds are none."""
    failed = [f"{label}: {failures}." for label, failures in data.failures.items()]
    if failed:
        failed.append("Failed sessions are marked and left out of every comparison.")
    unbound = {
        session.label: session.provenance["no_upper_bound"]
        for session in data.sessions
        if "no_upper_bound" in session.provenance
    }
    return [*failed, *(f"{name} is no upper bound here: {why}." for name, why in unbound.items())]


def describe_sessions(data: ReportData) -> list[str]:
    """A line for each session on what its viewer would have noticed, then what failed."""
    lines = [
        f"{each.label} over {each.trace} ({each.driver}): {describe_experience(each)}"
        for each in data.sessions
    ]
    return [*lines, *(f"! {caution}" for caution in write_cautions(data))]


def _finding(comparison: Comparison) -> str:
    best = comparison.leader
    where = f"Over {comparison.trace}"
    if best is None:
        return f"{where}, every session failed."
    rate = format_bitrate(best.qoe.mean_bitrate_bps)
    stalled = (
        f"{format_count(best.qoe.stall_events, 'stall')}, {format_seconds(best.qoe.stall_s)}"
        if best.qoe.stall_events
        else "no stall"
    )
    if len({session.label for session in comparison.played}) == 1:
        return f"{where}, {best.label} played at {rate} with {stalled}."
    if any(session.qoe.stall_events for session in comparison.played):
        return f"{where}, {best.label} stalled least: {stalled}, at {rate} on average."
    return f"{where}, nothing stalled; {best.label} had the highest bitrate, {rate}."


def describe_experience(session: Session) -> str:
    """What the viewer of a session would have noticed, in one plain sentence.

    ``Started after 0.4 s; froze twice, 3.1 s in all; picture mostly at 1.2 Mbit/s,
    sharpness changed 6 times.``
    """
    qoe = session.qoe
    if qoe.startup_s is None:
        return f"Never started: {session.failure}."
    parts = [f"Started after {_brief(qoe.startup_s)}", _freezes(qoe), _picture(session)]
    if qoe.live is not None:
        target = f"{_brief(qoe.live.hold_back_s)} asked for"
        parts.append(f"{_brief(qoe.live.mean_s)} behind the live edge on average ({target})")
    if session.failure is not None:
        parts.append(f"broke off after {_long(qoe.played_s)} of video: {session.failure}")
    return "; ".join(parts) + "."


def _freezes(qoe: QoE) -> str:
    if not qoe.stall_events:
        return "never froze"
    in_all = "" if qoe.stall_events == 1 else " in all"
    return f"froze {_times(qoe.stall_events)}, {_brief(qoe.stall_s)}{in_all}"


def _picture(session: Session) -> str:
    """Which bit rate was on screen most, and how often it changed."""
    times_s, changes = session.qoe.time_per_rung_s, session.qoe.switches
    longest_s, total_s = max(times_s, default=0.0), sum(times_s)
    if longest_s <= 0:
        return "no picture for any time"
    rung = times_s.index(longest_s)
    known = rung < len(session.ladder_bps)
    at = _short_rate(session.ladder_bps[rung]) if known else f"rung {rung}"
    if longest_s == total_s:
        how = f"picture always at {at}"
    elif longest_s >= MOSTLY * total_s:
        how = f"picture mostly at {at}"
    else:
        how = f"picture at {_short_rate(session.qoe.mean_bitrate_bps)} on average"
    return f"{how}, sharpness {f'changed {_times(changes)}' if changes else 'never changed'}"


def _times(number: int) -> str:
    """``once``, ``twice``, ``3 times``."""
    return {1: "once", 2: "twice"}.get(number, f"{number} times")


def _brief(value_s: float) -> str:
    """``0.4 s``: no finer than a viewer would notice."""
    return f"{value_s:.2f} s" if value_s < 0.05 else f"{value_s:.1f} s"


def _short_rate(value_bps: float) -> str:
    """``1.2 Mbit/s``, or ``350 kbit/s`` below one."""
    return f"{value_bps / 1e6:.1f} Mbit/s" if value_bps >= 1e6 else f"{value_bps / 1e3:.0f} kbit/s"


def _long(value_s: float) -> str:
    return f"{value_s:.0f} s" if value_s < 120 else f"{value_s / 60:.1f} min"
