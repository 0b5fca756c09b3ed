"""Figures and findings as people read them: units, rounding and whole sentences."""

from __future__ import annotations

from collections.abc import Sequence

from abr.wording import format_count
from bench.reports.sessions import Comparison, ReportData, Session


def seconds(value: float | None) -> str:
    """``0.42 s``; a dash for None."""
    if value is None:
        return "–"
    if value == 0:
        return "0 s"
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"


def megabits(value_bps: float | None) -> str:
    """``1.84 Mbit/s``; a dash for None."""
    if value_bps is None:
        return "–"
    value = value_bps / 1e6
    return f"{value:.2f} Mbit/s" if value < 100 else f"{value:.0f} Mbit/s"


def percent(ratio: float | None, digits: int = 1) -> str:
    """``81.3 %``; a dash for None."""
    return "–" if ratio is None else f"{100 * ratio:.{digits}f} %"


def signed_seconds(value: float | None) -> str:
    """``+0.12 s``; a dash for None."""
    return "–" if value is None else f"{value:+.2f} s".replace("-", "−")


def size(value_bytes: float) -> str:
    """``12.4 MB``, in powers of a thousand."""
    for unit in ("B", "kB", "MB", "GB"):
        if value_bytes < 1000 or unit == "GB":
            return f"{value_bytes:.0f} {unit}" if unit == "B" else f"{value_bytes:.1f} {unit}"
        value_bytes /= 1000
    raise AssertionError("the last unit always returns")


count = format_count


def listed(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def lead(data: ReportData) -> str:
    """What was run, and whether it went well, in one or two plain sentences."""
    algorithms = {session.label for session in data.sessions}
    traces = {(session.title, session.trace) for session in data.sessions}
    played_s = sum(session.qoe.played_s for session in data.sessions)
    live = sum(session.driver == "live" for session in data.sessions)
    how = f", {live} of them live over HTTP" if live else ", all simulated"
    first = (
        f"{count(len(algorithms), 'algorithm')} over {count(len(traces), 'network trace')}: "
        f"{count(len(data.sessions), 'session')}{how}, {_long(played_s)} of video played."
    )
    return first[0].upper() + first[1:]


def findings(data: ReportData) -> list[str]:
    """One sentence per trace on who did best, and one on the caches."""
    sentences = [_finding(comparison) for comparison in data.comparisons]
    asked = [tier for tier in data.tiers if tier.requests]
    if asked:
        nearest = asked[0]
        sentences.append(
            f"The {nearest.name} tier answered {percent(nearest.hit_ratio, 0)} of its requests "
            f"and {percent(nearest.byte_hit_ratio, 0)} of the bytes itself."
        )
    return sentences


def _finding(comparison: Comparison) -> str:
    best = comparison.leader
    where = f"Over {comparison.trace}"
    if best.qoe.startup_s is None:
        return f"{where} no playback began."
    rate = megabits(best.qoe.mean_bitrate_bps)
    stalled = (
        f"{count(best.qoe.stall_events, 'stall')}, {seconds(best.qoe.stall_s)}"
        if best.qoe.stall_events
        else "no stall"
    )
    if len({row.session.label for row in comparison.rows}) == 1:
        return f"{where}, {best.label} played at {rate} with {stalled}."
    if any(row.session.qoe.stall_events for row in comparison.rows):
        return f"{where}, {best.label} stalled least: {stalled}, at {rate} on average."
    return f"{where}, nothing stalled; {best.label} had the highest bitrate, {rate}."


def facts(session: Session) -> str:
    """One line under a session's heading."""
    qoe = session.qoe
    if qoe.startup_s is None:
        return f"Playback never began ({qoe.ended})."
    stalled = count(qoe.stall_events, "stall")
    if qoe.stall_events:
        stalled += f" of {seconds(qoe.stall_s)}" + (" in all" if qoe.stall_events > 1 else "")
    parts = [
        f"started after {seconds(qoe.startup_s)}",
        stalled,
        f"{megabits(qoe.mean_bitrate_bps)} on average",
        count(qoe.switches, "switch", "switches"),
    ]
    if qoe.ended not in ("complete", "stopped"):
        parts.append(f"ended early: {qoe.ended}")
    return ", ".join(parts)


def _long(value_s: float) -> str:
    return f"{value_s:.0f} s" if value_s < 120 else f"{value_s / 60:.1f} min"
