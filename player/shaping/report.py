"""What a run over emulated links reports: sums over the clients, and each by itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from player.shaping.ledger import ShaperReport


class Sums:
    """The columns of several reports, added interval by interval."""

    def __init__(self, reports: Sequence[ShaperReport]) -> None:
        """Add up ``reports``, whose intervals have the same length; at least one."""
        self.interval_s = reports[0].interval_s
        self.offered_bytes = _add_columns([report.offered_bytes for report in reports])
        self.backlogged_bytes = _add_columns([report.backlogged_bytes for report in reports])
        self.delivered_bytes = _add_columns([report.delivered_bytes for report in reports])
        self.cross_bytes = _add_columns([report.cross_bytes for report in reports])

    def __repr__(self) -> str:
        sent_bytes = sum(self.delivered_bytes)
        return f"<Sums of {len(self.delivered_bytes)} intervals, {sent_bytes:.0f} bytes delivered>"


def is_overloaded(reports: Sequence[ShaperReport]) -> bool:
    """Whether any link could not do what its trace asked."""
    return any(report.is_overloaded for report in reports)


def as_dict(listens: Sequence[str], reports: Sequence[ShaperReport]) -> dict[str, Any]:
    """One JSON object: the sums per interval, then every client with its own columns."""
    sums = Sums(reports)
    clients = []
    for listen, report in zip(listens, reports, strict=True):
        columns = {
            "offered_bytes": [round(value) for value in report.offered_bytes],
            "wanted_bytes": [round(value) for value in report.backlogged_bytes],
            "delivered_bytes": list(report.delivered_bytes),
            "cross_bytes": list(report.cross_bytes),
        }
        clients.append({"listen": listen, **report.as_dict(), "intervals": columns})
    return {
        "is_overloaded": is_overloaded(reports),
        "interval_s": sums.interval_s,
        "offered_bytes": [round(value) for value in sums.offered_bytes],
        "wanted_bytes": [round(value) for value in sums.backlogged_bytes],
        "delivered_bytes": [round(value) for value in sums.delivered_bytes],
        "cross_bytes": [round(value) for value in sums.cross_bytes],
        "clients": clients,
    }


def as_text(reports: Sequence[ShaperReport], *, most_rows: int = 40) -> str:
    """The same for people: a row per interval, then one line on the whole."""
    sums = Sums(reports)
    lines = ["    from    offered     wanted  delivered      cross   delivered/wanted"]
    lines.append("       s     Mbit/s     Mbit/s     Mbit/s     Mbit/s")
    rows = list(
        zip(
            sums.offered_bytes,
            sums.backlogged_bytes,
            sums.delivered_bytes,
            sums.cross_bytes,
            strict=True,
        )
    )
    scale = 8e-6 / sums.interval_s
    for index, row in list(enumerate(rows))[-most_rows:]:
        rates = "".join(f"{value * scale:11.3f}" for value in row)
        sent = row[2] + row[3]
        ratio = f"{sent / row[1]:.3f}" if row[1] > 0.1 * row[0] else "-"
        lines.append(f"{index * sums.interval_s:8.1f}{rates}{ratio:>18}")
    if len(rows) > most_rows:
        lines.insert(2, f"     ... {len(rows) - most_rows} rows before these; --json has all")
    lines.append(_summary_line(reports))
    return "\n".join(lines)


def kernel_text(report: Mapping[str, Any]) -> str:
    """The report of the kernel backend, for people."""
    scale = 8e-6 / report["interval_s"]
    lines = [
        "    from    offered  delivered     queued",
        "       s     Mbit/s     Mbit/s      bytes",
    ]
    columns = (report["offered_bytes"], report["delivered_bytes"], report["backlog_bytes"])
    for index, (offered, delivered, queued) in enumerate(zip(*columns, strict=True)):
        rates = f"{offered * scale:11.3f}{delivered * scale:11.3f}"
        lines.append(f"{index * report['interval_s']:8.1f}{rates}{queued:11}")
    lines.append(f"kernel: {report['in_kernel']}")
    lines.append(f"user space: {report['in_user_space']}")
    if report["missing"]:
        lines.append(f"this kernel lacks: {', '.join(report['missing'])}")
    lines.append(
        f"{report['drops']} packets dropped; rate changed late p95 "
        f"{1000 * report['late_p95_s']:.2f} ms, at most {1000 * report['late_max_s']:.2f} ms"
    )
    if report["is_overloaded"]:
        lines.append("OVERLOADED: this machine was too busy; do not believe these figures")
    return "\n".join(lines)


def _summary_line(reports: Sequence[ShaperReport]) -> str:
    ratios = [r.delivered_ratio for r in reports if not math.isnan(r.delivered_ratio)]
    span = f"{min(ratios):.4f} to {max(ratios):.4f}" if ratios else "- (nothing was asked for)"
    late_ms = 1000 * max(report.lateness_p95_s for report in reports)
    most_ms = 1000 * max(report.lateness_max_s for report in reports)
    text = (
        f"{len(reports)} client{'s' if len(reports) > 1 else ''}; delivered/wanted {span}; "
        f"timers late p95 {late_ms:.2f} ms, at most {most_ms:.2f} ms"
    )
    refused = sum(report.refused_connections for report in reports)
    if refused:
        text += f"; {refused} connections turned away"
    if is_overloaded(reports):
        text += "\nOVERLOADED: this machine was too busy; do not believe the figures of this run"
    return text


def _add_columns(columns: Sequence[Sequence[float]]) -> list[float]:
    return [sum(values) for values in zip_longest(*columns, fillvalue=0)]
