"""What a report says of its QoEs: formulas, orders side by side, and where they disagree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from abr.qoe import Additive
from abr.wording import format_count
from bench.analysis.metrics import Metric
from bench.analysis.rankings import Agreement, Rank, Rankings
from bench.analysis.standings import BenchReport
from bench.analysis.stats import Estimate
from bench.reports.figures import format_figure

NAMED = 3
"""A sentence names this many disagreements; JSON and CSV have all."""


def write_formulas(report: BenchReport) -> list[str]:
    """A line for each QoE: what it is, with the weights that were used."""
    return [f"{metric.label}: {metric.formula}.{_from(metric)}" for metric in report.scores]


def _from(metric: Metric) -> str:
    return "" if metric.model is None else f" Source: {metric.model.source}."


def rank_rows(report: BenchReport, rankings: Rankings) -> Iterator[tuple[str, ...]]:
    """A row per algorithm: its place under each QoE, and the range that differences leave it."""
    for each in report.standings:
        if each.label in next(iter(rankings.ranks.values())):
            yield (
                each.label,
                *(write_rank(rankings.ranks[metric.name][each.label]) for metric in report.scores),
            )


def write_rank(rank: Rank) -> str:
    """``2 [1, 3]``."""
    return f"{rank.place}" if rank.low is None else f"{rank.place} [{rank.low}, {rank.high}]"


def write_agreements(report: BenchReport) -> list[str]:
    """What the ranks are over, and a sentence for every two QoEs."""
    ranked = [each for each in report.standings if each.played and not each.foresees]
    if len(report.scores) < 2 or len(ranked) < 2:
        return []
    if report.rankings is None:
        return ["No session was played to its end by every algorithm: there is no order of them."]
    over = format_count(report.rankings.sessions, "session")
    whole = [f"Ranks are over the {over} that all of them played to their end."]
    if report.rankings.sessions == report.sessions:
        whole = []
    return [*whole, *(_write_agreement(report, each) for each in report.rankings.agreements)]


def _write_agreement(report: BenchReport, found: Agreement) -> str:
    first, second = (report.metric(name) for name in (found.first, found.second))
    said = f"{first.label} and {second.label}: Kendall's tau {_tau(found.tau)}; "
    if not found.disagreements:
        return f"{said}they disagree on no pair of algorithms beyond chance."
    pairs = [
        f"{each.better} is better than {each.worse} by {first.label} "
        f"({format_figure(each.first, first, signed=True)}) and worse by {second.label} "
        f"({format_figure(each.second, second, signed=True)})"
        for each in found.disagreements[:NAMED]
    ]
    others = len(found.disagreements) - len(pairs)
    more = f"; and {others} more" if others else ""
    return f"{said}beyond chance {'; '.join(pairs)}{more}."


def _tau(tau: Estimate) -> str:
    if np.isnan(tau.value):
        return "–"
    text = f"{tau.value:.2f}"
    if tau.has_interval:
        text += f" [{tau.low:.2f}, {tau.high:.2f}]"
    return text.replace("-", "−")


def scores_json(report: BenchReport) -> list[dict[str, Any]]:
    """Each QoE as plain values, with its weights for every presentation."""
    return [
        {
            "name": metric.name,
            "label": metric.label,
            "formula": metric.formula,
            **({} if metric.model is None else _model_json(report, metric)),
        }
        for metric in report.scores
    ]


def _model_json(report: BenchReport, metric: Metric) -> dict[str, Any]:
    model = metric.model
    assert model is not None
    found: dict[str, Any] = {"source": model.source, "params": dict(model.params)}
    if isinstance(model, Additive):
        found["weights"] = {
            str(each["title"]): model.weigh(np.array(each["ladder_bps"]))._asdict()
            for each in report.header.get("presentations", ())
        }
    return found


def rankings_json(report: BenchReport) -> Mapping[str, Any] | None:
    """Orders and agreements as plain values."""
    return None if report.rankings is None else asdict(report.rankings)


def csv_rows(report: BenchReport) -> Iterator[tuple[Any, ...]]:
    """Formulas, ranks and agreements as rows of the report's CSV."""
    for metric in report.scores:
        yield ("formula", "", "", "", metric.name, "", "", "", metric.formula)
    if report.rankings is None:
        return
    for name, by_label in report.rankings.ranks.items():
        for label, rank in by_label.items():
            yield ("rank", label, "", "", name, rank.place, rank.low, rank.high, "")
    for each in report.rankings.agreements:
        yield ("tau", "", each.second, "", each.first, *_ends(each.tau), "")
        for pair in each.disagreements:
            for name, estimate in ((each.first, pair.first), (each.second, pair.second)):
                yield ("disagreement", pair.better, pair.worse, "", name, *_ends(estimate), "")


def _ends(estimate: Estimate) -> tuple[Any, ...]:
    ends = (estimate.value, estimate.low, estimate.high)
    return tuple("" if np.isnan(value) else value for value in ends)
