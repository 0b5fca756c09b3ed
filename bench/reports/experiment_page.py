"""A report of an experiment as one HTML page that needs nothing but itself."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from abr.wording import format_count
from bench.analysis.metrics import Metric
from bench.analysis.rankings import Rank
from bench.analysis.standings import BenchReport, Standing
from bench.experiments.clusters import name_units
from bench.reports import experiment_charts as charts
from bench.reports.cautions import write_cautions, write_family, write_lead, write_units
from bench.reports.figures import FEWER_SIGN, format_figure
from bench.reports.marks import key_line, key_mark
from bench.reports.qoe_text import write_agreements
from bench.reports.templating import template
from bench.reports.wording import join_words

NAMED = 4
"""A finding names algorithms one by one up to this many."""


def render_page(report: BenchReport, *, commands: Sequence[str] = ()) -> str:
    """The whole page as text.

    Args:
        report: What it says.
        commands: How to make it again.
    """
    others = [each for each in report.standings if each.label != report.base]
    drawn = {"frontier": charts.draw_frontier(report)}
    drawn |= {f"cdf-{name}": charts.draw_distribution(report, name) for name in report.cdfs}
    if others:
        drawn |= {
            f"diff-{name}": charts.draw_forest(report, name) for name in charts.forest_of(report)
        }
    if len(report.classes) > 1:
        drawn["classes"] = charts.draw_classes(report)
    script = template("bench.js").render()
    return template("bench.html.j2").render(
        report=report,
        others=others,
        lead=write_lead(report),
        cautions=write_cautions(report),
        findings=write_findings(report),
        metrics=report.metrics,
        qoe=report.scores[0],
        shown=format_figure,
        ranked=_ranked(report),
        agreements=write_agreements(report),
        units=name_units,
        fewer=FEWER_SIGN,
        family=write_family(report.comparisons, level=report.level),
        mark=lambda place, each: _safe(key_mark(place, is_hollow=each.foresees)),
        line=lambda place: _safe(key_line(place)),
        charts={name: _safe(text) for name, text in drawn.items()},
        forest=[f"diff-{name}" for name in charts.forest_of(report)],
        cdfs=[f"cdf-{name}" for name in report.cdfs],
        is_clipped=charts.is_clipped(report),
        percent=f"{100 * report.level:g} %",
        provenance=_provenance(report),
        commands=commands,
        script=_safe(script),
        script_hash=_hash_of(script),
    )


def _ranked(report: BenchReport) -> dict[str, dict[str, Rank]]:
    """Ranks by algorithm and QoE."""
    found: dict[str, dict[str, Rank]] = {}
    for name, by_label in (report.rankings.ranks if report.rankings else {}).items():
        for label, place in by_label.items():
            found.setdefault(label, {})[name] = place
    return found


def _safe(text: str) -> Markup:
    """Text that was escaped where it was made, or is our own."""
    return Markup(text)  # noqa: S704


def _hash_of(script: str) -> str:
    """What the page's policy names the one script by that may run."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def write_findings(report: BenchReport) -> list[str]:
    """What the intervals allow to say, in sentences: nothing where there are none."""
    if not report.has_intervals:
        return []
    rivals = [e for e in report.standings if e.label != report.base and not e.foresees]
    sentences = []
    for name, more, less in (
        ("bitrate_bps", "a higher bitrate", "a lower one"),
        ("stall_ratio", "fewer stalls", "more of them"),
        *((each.name, f"a better {each.label}", "a worse one") for each in report.scores),
    ):
        better = [e for e in rivals if e.differences[name].verdict == "better"]
        worse = [e for e in rivals if e.differences[name].verdict == "worse"]
        if better or worse:
            parts = [f"{_named(better)} had {more}"] if better else []
            parts += (
                [f"{_named(worse)} {less if better else _alone(report.metric(name))}"]
                if worse
                else []
            )
            sentences.append(f"Against {report.base}, {join_words(parts)}.")
    if rivals and not sentences:
        sentences.append(f"No difference from {report.base} is larger than chance explains.")
    sure = [e for e in report.standings if (e.frontier_share or 0) >= report.level]
    if sure and sum(e.frontier_share is not None for e in report.standings) > 1:
        verb = "is" if len(sure) == 1 else "are"
        sentences.append(
            f"{_named(sure)} {verb} on the frontier in {100 * report.level:g} % of resamples or "
            "more: nobody else has both more bitrate and fewer stalls."
        )
    return sentences


def _alone(metric: Metric) -> str:
    known = {"bitrate_bps": "had a lower bitrate", "stall_ratio": "had more stalls"}
    return known.get(metric.name, f"had a worse {metric.label}")


def _named(standings: Sequence[Standing]) -> str:
    if len(standings) > NAMED:
        return f"{len(standings)} algorithms"
    return join_words([each.label for each in standings])


def _provenance(report: BenchReport) -> list[tuple[str, str]]:
    about = report.header
    method = "Student's t without the skewness (Hall 1992); rare stalls with a lognormal tail"
    rows: list[tuple[str, Any]] = [
        ("abrkit", about.get("abrkit")),
        ("rules of simulation", about.get("preset")),
        (
            "player settings",
            json.dumps(about.get("player", {})) if about.get("player") else "default",
        ),
        ("seeds of the plan", ", ".join(map(str, about.get("seeds", ())))),
        (
            "networks",
            f"{report.networks}, in {format_count(len(report.classes), 'class', 'classes')}",
        ),
        ("intervals", f"over {write_units(report)}: {method}"),
        ("shares of the frontier", f"{report.resamples} resamples, seed {report.seed}"),
    ]
    for each in about.get("presentations", ()):
        ladder = ", ".join(f"{bps / 1e6:g}" for bps in each["ladder_bps"])
        rows.append((f"presentation {each['title']}", f"{ladder} Mbit/s; SHA-256 {each['digest']}"))
    for each in about.get("algorithms", ()):
        params = ", ".join(f"{key}={value}" for key, value in each.get("params", {}).items())
        rows.append((each["label"], f"{each['name']} ({params or 'no parameters'})"))
    return [(label, str(value)) for label, value in rows if value not in (None, "")]
