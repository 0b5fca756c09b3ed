"""A report of an experiment as text for a terminal, as CSV and as plain values."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from abr.wording import format_count
from bench.analysis.compare import Comparison, Finding
from bench.analysis.metrics import Metric
from bench.analysis.standings import FEW_UNITS, BenchReport, Standing
from bench.analysis.stats import Estimate
from bench.experiments.clusters import name_units
from bench.reports import qoe_text
from bench.reports.cautions import write_cautions, write_family, write_lead, write_units
from bench.reports.figures import FEWER_SIGN, format_figure, tidy
from bench.reports.names import columns_of, in_columns, pad
from bench.reports.wording import join_words

_SIGNS = {"better": " ▲", "worse": " ▼", "unclear": "  ", "base": "  "}


def report_text(report: BenchReport) -> str:
    """Tables for a terminal."""
    parts = [
        f"{report.name}: {write_lead(report)}",
        *(f"! {each}" for each in write_cautions(report)),
        "",
    ]
    lead, *more = report.scores
    names = _names(report)
    shown = [m for m in report.shown if m not in more]  # the page, CSV and JSON have all figures
    parts += _figure_tables(report, names, shown)
    if more:
        parts += _figure_tables(report, names, report.scores)
    if report.rankings is not None:
        heads = list(_short(report.scores).values())
        short = in_columns([each.label for each in report.standings])
        ranks = [(short[name], *r) for name, *r in qoe_text.rank_rows(report, report.rankings)]
        parts += [_table([("rank, 1 is best", *heads), *ranks]), ""]
    if agreements := qoe_text.write_agreements(report):
        parts += [*agreements, ""]
    called = _short(report.scores)[lead.name]
    extra = [("", "on the frontier", f"regret {called}", "decision us, median", "99 %")]
    rows = [(names[each.label], *_extra_row(each, lead)) for each in report.standings]
    parts += [_table([*extra, *rows]), ""]
    if len(report.classes) > 1:
        kinds = [f"{each.kind} ({name_units(each.units)})" for each in report.classes]
        rows = [
            (
                names[e.label],
                *(format_figure(c.figures[lead.name][e.label], lead) for c in report.classes),
            )
            for e in report.standings
        ]
        parts += [_table([(f"{called} by class", *kinds), *rows]), ""]
    parts += qoe_text.write_formulas(report)
    if report.has_intervals:
        percent = f"{100 * report.level:g} %"
        family = write_family(report.comparisons, level=report.level)
        marks = f" ▲ better, ▼ worse than {report.base}{family}."
        parts.append(
            f"In brackets: {percent} intervals over {write_units(report)}."
            f"{marks if report.comparisons else ''}"
        )
    if any(_is_marked(each) for each in report.standings):
        parts.append(
            f"{FEWER_SIGN} with failed sessions, or without some that others played: figures are "
            "over what it played. Differences are over the sessions of both, ranks and the "
            "frontier over those of all."
        )
    return "\n".join(parts)


def _figure_tables(
    report: BenchReport, names: Mapping[str, str], shown: Sequence[Metric]
) -> list[str]:
    """Figures of each algorithm, and their differences from the base."""
    heads = list(_heads(shown).values())
    rows = [
        (names[each.label], *(format_figure(each.figures[m.name], m) for m in shown))
        for each in report.standings
    ]
    parts = [_table([("", *heads), *rows]), ""]
    if len(report.standings) > 1:
        rows = [
            (
                names[each.label],
                *(
                    format_figure(each.differences[m.name].estimate, m, signed=True)
                    + _SIGNS[each.differences[m.name].verdict]
                    for m in shown
                ),
            )
            for each in report.standings
            if each.label != report.base
        ]
        parts += [_table([(f"minus {in_columns([report.base])[report.base]}", *heads), *rows]), ""]
    return parts


def _extra_row(each: Standing, lead: Metric) -> tuple[str, ...]:
    share = "–" if each.frontier_share is None else f"{100 * each.frontier_share:.0f} %"
    regret = "–" if each.regret is None else format_figure(each.regret, lead)
    if each.decision_us is None:
        return (share, regret, "–", "–")
    times = (f"{each.decision_us[name]:.1f}" for name in ("median_us", "p99_us"))
    return (share, regret, *times)


def _names(report: BenchReport) -> dict[str, str]:
    """What tables call each algorithm."""
    short = in_columns([each.label for each in report.standings])
    return {
        each.label: short[each.label]
        + (" (no bound here)" if each.no_bound else " (upper bound)" if each.foresees else "")
        + (f" {FEWER_SIGN}" if _is_marked(each) else "")
        for each in report.standings
    }


def _is_marked(each: Standing) -> bool:
    return bool(each.failures.failed or each.lacks)


def _short(metrics: Sequence[Metric]) -> dict[str, str]:
    """What tables call each figure, by its name; formulas below them have the whole label."""
    short = in_columns([metric.label for metric in metrics])
    return {metric.name: short[metric.label] for metric in metrics}


def _heads(metrics: Sequence[Metric]) -> dict[str, str]:
    """The same with units."""
    called = _short(metrics)
    return {m.name: f"{called[m.name]}{f' {m.unit}' if m.unit else ''}" for m in metrics}


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(columns_of, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            pad(cell, width, is_left=k == 0)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def comparison_text(found: Comparison) -> str:
    """What ``abr bench compare`` found: what failed, then one line per figure."""
    parts = [
        f"! {each.algorithm}, {side}: {failures}."
        for each in found.pairings
        for side, failures in (("base", each.base), ("candidate", each.candidate))
        if failures.failed
    ]
    parts += [
        f"! {each.algorithm}: compared over the {format_count(each.pairs, 'session')} that both "
        "played."
        for each in found.pairings
        if each.base.failed or each.candidate.failed
    ]
    parts += [
        f"! {each.algorithm} is no upper bound here: {each.no_bound}."
        for each in found.pairings
        if each.no_bound
    ]
    few = {name_units(each.units): each for each in found.pairings if each.pairs}
    parts += [
        f"! Only {units}: intervals are rough."
        for units, each in few.items()
        if sum(each.units.values()) < FEW_UNITS
    ]
    if found.findings:
        intervals = f"In brackets: {100 * found.level:g} % intervals over {join_words(list(few))}."
        family = write_family(found.comparisons, level=found.level, of="comparisons")
        marks = f"WORSE or better: beyond the margin{family}."
        parts += [_findings_table(found), "", f"{intervals} {marks}"]
    return "\n".join(parts)


def comparison_json(found: Comparison) -> dict[str, Any]:
    """The same as plain values; what is unknown is null."""
    plain: dict[str, Any] = without_nan(
        {
            "findings": [asdict(each) for each in found.findings],
            "pairings": [asdict(each) for each in found.pairings],
            "level": found.level,
        }
    )
    return plain


def _findings_table(found: Comparison) -> str:
    by_name, heads = {metric.name: metric for metric in found.metrics}, _heads(found.metrics)
    names = in_columns(list(dict.fromkeys(each.algorithm for each in found.findings)))
    rows = [("", "figure", "base", "candidate", "difference", "margin", "")]
    for each in found.findings:
        metric = by_name[each.metric]
        form = f".{metric.digits}f"
        rows.append(
            (
                names[each.algorithm],
                heads[each.metric],
                tidy(format(each.base * metric.scale, form)),
                tidy(format(each.candidate * metric.scale, form)),
                format_figure(each.difference, metric, signed=True),
                format(each.margin * metric.scale, form),
                _said(each),
            )
        )
    return _table(rows)


def _said(finding: Finding) -> str:
    if finding.is_worse:
        return "WORSE"
    if finding.is_better:
        return "better"
    return "within" if finding.is_proven else "not shown worse"


COLUMNS = ("table", "algorithm", "against", "class", "figure", "value", "low", "high", "says")


def report_csv(report: BenchReport) -> str:
    """Every figure of the report, one a row, in the units of its name."""
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_csv_rows(report))
    return sink.getvalue()


def _csv_rows(report: BenchReport) -> Iterator[tuple[Any, ...]]:
    for unit, count in report.units.items():
        yield ("units", "", "", "", unit, count, "", "", "")
    for each in report.standings:
        for metric in report.metrics:
            yield ("figure", each.label, "", "", metric.name, *_ends(each.figures[metric.name]), "")
        for name, difference in each.differences.items():
            if each.label != report.base:
                ends = _ends(difference.estimate)
                yield ("difference", each.label, report.base, "", name, *ends, difference.verdict)
        yield ("sessions", each.label, "", "", "played", each.played, "", "", "")
        yield ("sessions", each.label, "", "", "failed", each.failures.failed, "", "", "")
        for reason, times in each.failures.reasons:
            yield ("failure", each.label, "", "", "sessions", times, "", "", reason)
        yield ("stalls", each.label, "", "", "clusters", each.stalled_units, "", "", "")
        if each.stalled_most:
            share = each.stalled_most_share
            yield ("stalls", each.label, "", "", "most_in_one", share, "", "", each.stalled_most)
        if each.regret is not None:
            yield (
                "regret",
                each.label,
                report.optimum,
                "",
                report.scores[0].name,
                *_ends(each.regret),
                "",
            )
        if each.foresees:
            yield ("bound", each.label, "", "", "is_bound", int(not each.no_bound), "", "",
                   each.no_bound)  # fmt: skip
        if each.frontier_share is not None:
            said = "on frontier" if each.on_frontier else ""
            yield ("frontier", each.label, "", "", "share", each.frontier_share, "", "", said)
        for name, value in (each.decision_us or {}).items():
            yield ("decision", each.label, "", "", name, value, "", "", "")
    for kind in report.classes:
        for name, by_label in kind.figures.items():
            for label, estimate in by_label.items():
                yield ("class", label, "", kind.kind, name, *_ends(estimate), "")
    yield from qoe_text.csv_rows(report)


def _ends(estimate: Estimate) -> tuple[Any, ...]:
    return tuple(
        "" if math.isnan(value) else value
        for value in (estimate.value, estimate.low, estimate.high)
    )


def report_json(report: BenchReport) -> dict[str, Any]:
    """The report as one object; what is unknown is null."""
    found: dict[str, Any] = without_nan(
        {
            "name": report.name,
            "base": report.base,
            "sessions_per_algorithm": report.sessions,
            "networks": report.networks,
            "units": dict(report.units),
            "left_out": report.left_out,
            "comparisons": report.comparisons,
            "level": report.level,
            "resamples": report.resamples,
            "seed": report.seed,
            "optimum": report.optimum,
            "cautions": write_cautions(report),
            "algorithms": [asdict(each) for each in report.standings],
            "classes": [asdict(each) for each in report.classes],
            "qoe": qoe_text.scores_json(report),
            "rankings": qoe_text.rankings_json(report),
        }
    )
    return found


def without_nan(value: Any) -> Any:
    """The same tree with null where a number is not known."""
    if isinstance(value, dict):
        return {key: without_nan(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(each) for each in value]
    return None if isinstance(value, float) and math.isnan(value) else value
