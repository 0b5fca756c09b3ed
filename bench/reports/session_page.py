"""A report as one HTML page that needs nothing but itself.

Turns ``ReportData`` into text: charts by ``bench.reports.session_charts``, words by
``bench.reports.wording``, the rest by the template beside this module. The page's own
policy forbids it every request and every script, so it looks the same with and without
a network.
"""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from bench.reports import wording
from bench.reports.session_charts import draw_session, find_scale
from bench.reports.sessions import ReportData, Session
from bench.reports.templating import template

HEADS: tuple[tuple[str, str], ...] = (
    ("startup_s", "Startup"),
    ("stall_events", "Stalls"),
    ("stall_s", "Stalled"),
    ("rebuffer_ratio", "Rebuffer ratio"),
    ("mean_bitrate_bps", "Mean bitrate"),
    ("switches", "Switches"),
)
"""Columns of the comparison: field of a score, and its heading."""


def render_page(data: ReportData) -> str:
    """The whole page as text."""
    return template("report.html.j2").render(
        data=data,
        lead=wording.write_lead(data),
        findings=wording.write_findings(data),
        words=wording,
        heads=HEADS,
        cells=_cells,
        shares=_shares,
        cautions=wording.write_cautions(data),
        charts=_charts(data),
        provenance=_provenance,
    )


def _charts(data: ReportData) -> dict[int, Markup]:
    """The chart of each session by its number; sessions of one trace share their axes."""
    return {
        session.number: Markup(draw_session(session, scale))  # noqa: S704  # escapes its texts
        for comparison in data.comparisons
        for sessions in [[row.session for row in comparison.rows]]
        for scale in [find_scale(sessions)]
        for session in sessions
    }


def _cells(session: Session) -> dict[str, tuple[str, str]]:
    """Text of each compared figure, and what belongs beside it in small print.

    Dashes for a failed session: it has no figure that could stand beside those of others.
    """
    if session.failure is not None:
        return {name: ("–", "") for name, _ in HEADS}
    qoe = session.qoe
    of_all = f"of {wording.format_seconds(qoe.rebuffer_denominator_s)}"
    return {
        "startup_s": (wording.format_seconds(qoe.startup_s), ""),
        "stall_events": (str(qoe.stall_events), ""),
        "stall_s": (wording.format_seconds(qoe.stall_s), ""),
        "rebuffer_ratio": (wording.format_percent(qoe.rebuffer_ratio), of_all),
        "mean_bitrate_bps": (wording.format_bitrate(qoe.mean_bitrate_bps), ""),
        "switches": (str(qoe.switches), ""),
    }


def _shares(session: Session) -> list[dict[str, Any]]:
    """Time at each rung: share of the bar, place in the ladder (0-1) and words."""
    times_s = session.qoe.time_per_rung_s
    total_s = sum(times_s) or 1.0
    return [
        {
            "percent": 100 * time_s / total_s,
            "height": 100 * rung / max(len(times_s) - 1, 1),
            "words": f"rung {rung}{_rate(session, rung)}: {wording.format_seconds(time_s)} "
            f"({wording.format_percent(time_s / total_s, 0)})",
        }
        for rung, time_s in enumerate(times_s)
        if time_s > 0
    ]


def _rate(session: Session, rung: int) -> str:
    if rung >= len(session.ladder_bps):
        return ""
    return f" at {wording.format_bitrate(session.ladder_bps[rung])}"


def _provenance(session: Session) -> list[tuple[str, str]]:
    """What must be known to make a session again, as label and value."""
    about = session.provenance
    params = about.get("params", {})
    shaper = about.get("shaper", {})
    rows = [
        ("abrkit", about.get("version")),
        ("driver", session.driver),
        ("algorithm", _with_params(session.algorithm, params)),
        ("title", session.title),
        ("source", about.get("source")),
        ("presentation SHA-256", about.get("presentation_digest")),
        ("trace", session.trace),
        ("trace SHA-256", about.get("trace_digest")),
        ("player settings SHA-256", about.get("config_hash")),
        ("random seed", about.get("config", {}).get("seed")),
        ("ended", session.qoe.ended),
        ("command", about.get("command")),
    ]
    if shaper:
        rows.append(("shaping proxy", _shaping(shaper)))
    return [(label, str(value)) for label, value in rows if value not in (None, "")]


def _with_params(name: str, params: dict[str, Any]) -> str:
    values = ", ".join(f"{key}={value}" for key, value in params.items())
    return f"{name} ({values})" if values else name


def _shaping(shaper: dict[str, Any]) -> str:
    late_ms = [1000 * float(shaper.get(f"lateness_{q}_s", 0)) for q in ("p50", "p95", "max")]
    sent = wording.format_percent(shaper.get("delivered_ratio"))
    late = " / ".join(f"{value:.1f}" for value in late_ms)
    outside = (
        f"; {shaper['outside_bytes']} bytes passed outside" if "outside_bytes" in shaper else ""
    )
    return f"sent {sent} of what was due; timer late by {late} ms (median / p95 / most){outside}"
