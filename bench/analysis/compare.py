"""A candidate against a base: is it worse by more than is allowed?

A figure is worse beyond its margin when the whole interval of the difference lies beyond it, and
so far that chance alone condemns any figure of an equal algorithm in at most 5 % of comparisons,
however many there are (Holm). Better beyond its margin is the same on the other side.

The absence of a difference is not proof of equality: ``is_proven`` says whether the interval
excludes a worsening beyond the margin. A candidate that is to be proven in every figure must be
so in each, so that this needs no regard to their number.

A pair of sessions counts only where both were played to their end. A candidate that
fails where the base played is worse, whatever its figures say (``newly_failed``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np

from bench.analysis.bounds import why_unbounded
from bench.analysis.metrics import METRICS, Metric, place_of, scores_of
from bench.analysis.pairing import Figures, align, difference_of
from bench.analysis.stats import LEVEL, Estimate, Measured, holm
from bench.experiments.clusters import count_by_kind
from bench.experiments.failures import Failures, failures_by_algorithm, why_row_failed
from bench.experiments.results import Results, ResultsError

EXAMPLE_MARGIN = "stall_ratio=0.002"


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """How much worse a figure may be."""

    metric: str
    by: float
    """In the figure's unit; or a part of the base's figure."""
    is_relative: bool = False


def default_margins(metrics: Sequence[Metric] = METRICS) -> tuple[Margin, ...]:
    """What is looked at when nothing is said: 1 % of bitrate and QoE, 0.1 % of time stalled."""
    return (
        Margin(metric="bitrate_bps", by=0.01, is_relative=True),
        Margin(metric="stall_ratio", by=0.001),
        *(Margin(metric=each.name, by=0.01, is_relative=True) for each in scores_of(metrics)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One figure of one algorithm."""

    algorithm: str
    metric: str
    base: float
    candidate: float
    difference: Estimate
    """Candidate minus base; its interval stands alone."""
    margin: float
    """In the figure's unit."""
    p_value: float
    """Of no more than the margin, on the side on which it is, with regard to how many figures there
    are (Holm); ``nan`` where nothing can be told."""
    is_worse: bool
    """It is beyond the margin, and ``p_value`` below one minus the level."""
    is_better: bool
    """The same on the good side."""
    is_proven: bool
    """The whole interval is within the margin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """What two algorithms were compared over, and what failed."""

    algorithm: str
    pairs: int
    """Sessions that both played to their end; findings are over these."""
    units: Mapping[str, int]
    """What is independent among those, which is what intervals are over."""
    base: Failures
    candidate: Failures
    no_bound: str
    """Why the candidate, though told the network, is no upper bound; empty for all others."""
    newly_failed: int
    """Sessions that the base played to their end and the candidate did not, though it tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What comparing found."""

    findings: tuple[Finding, ...]
    pairings: tuple[Pairing, ...]
    """One for each algorithm compared."""
    metrics: tuple[Metric, ...] = METRICS
    """What the findings are figures of."""
    level: float = LEVEL
    """Of each interval; one minus this is the chance that any figure of an equal algorithm is
    called worse or better."""

    @property
    def comparisons(self) -> int:
        """Figures that are called worse or better with regard to one another."""
        return sum(not math.isnan(each.p_value) for each in self.findings)

    @property
    def worse(self) -> list[Finding]:
        """Figures that are worse beyond their margin."""
        return [each for each in self.findings if each.is_worse]

    @property
    def unproven(self) -> list[Finding]:
        """Figures that were not shown to be within their margin."""
        return [each for each in self.findings if not each.is_proven]

    @property
    def newly_failed(self) -> list[Pairing]:
        """Algorithms that fail where the base did not."""
        return [each for each in self.pairings if each.newly_failed]


def compare(
    base: Results,
    candidate: Results,
    *,
    margins: Sequence[Margin] | None = None,
    metrics: Sequence[Metric] = METRICS,
) -> Comparison:
    """Hold every algorithm of ``candidate`` against the same of ``base``.

    Args:
        base: What it is held against; both have the columns that ``metrics`` need.
        candidate: What may be worse.
        margins: How much worse which figures may be; ``default_margins`` when None.
        metrics: Figures there are.

    Raises:
        ResultsError: they share no algorithm or no sessions, or nothing was played.
    """
    here = failures_by_algorithm(candidate)
    shared = [label for label in here if label in failures_by_algorithm(base)]
    if not shared:
        raise ResultsError(
            f"no algorithm is in both: {', '.join(base.algorithms)} there, "
            f"{', '.join(candidate.algorithms)} here; give them the same label"
        )
    margins = _allowed(margins, metrics)
    compared = [_compare(base, candidate, (label, label), margins, metrics) for label in shared]
    return _all_of(compared, metrics)


def compare_two(
    results: Results,
    base: str,
    candidate: str,
    *,
    margins: Sequence[Margin] | None = None,
    metrics: Sequence[Metric] = METRICS,
) -> Comparison:
    """Hold one algorithm of an experiment against another.

    Raises:
        ResultsError: there is no such algorithm, or they share no sessions.
    """
    margins = _allowed(margins, metrics)
    return _all_of([_compare(results, results, (base, candidate), margins, metrics)], metrics)


def _all_of(
    compared: Sequence[tuple[list[Finding], Pairing]], metrics: Sequence[Metric]
) -> Comparison:
    """Put comparisons together, each with regard to all.

    Raises:
        ResultsError: there is not one pair of sessions in them.
    """
    pairings = tuple(pairing for _, pairing in compared)
    if not any(pairing.pairs or pairing.newly_failed for pairing in pairings):
        said = "; ".join(
            f"{each.algorithm}: base: {each.base}; candidate: {each.candidate}" for each in pairings
        )
        raise ResultsError(f"every session failed, nothing can be compared: {said}")
    alone = list(chain.from_iterable(findings for findings, _ in compared))
    together = holm([each.p_value for each in alone])
    return Comparison(
        findings=tuple(_judged(each, p) for each, p in zip(alone, together, strict=True)),
        pairings=pairings,
        metrics=tuple(metrics),
    )


def _part_of(results: Results, label: str, called: str) -> tuple[Results, Failures]:
    """Sessions of one algorithm under another name, and its failures.

    Raises:
        ResultsError: there is none of that label.
    """
    failures = failures_by_algorithm(results)
    if label not in failures:
        raise ResultsError(f"no algorithm {label!r}; expected one of {', '.join(failures)}")
    places = [k for k, row in enumerate(results.rows) if row["algorithm"] == label]
    rows = [{**results.rows[k], "algorithm": called} for k in places]
    numbers = {name: column[places] for name, column in results.numbers.items()}
    return replace(results, rows=rows, numbers=numbers), failures[label]


def _together(before: Results, after: Results) -> Results:
    """Sessions of two in one, with the numbers that both have."""
    return Results(
        header={"algorithms": [{"label": "base"}, {"label": "candidate"}]},
        rows=[*before.rows, *after.rows],
        numbers={
            name: np.concatenate([column, after.numbers[name]])
            for name, column in before.numbers.items()
            if name in after.numbers
        },
    )


def _compare(
    base: Results,
    candidate: Results,
    labels: tuple[str, str],
    margins: Sequence[Margin],
    metrics: Sequence[Metric],
) -> tuple[list[Finding], Pairing]:
    """Compare one algorithm of each; each finding stands alone.

    Raises:
        ResultsError: there is no such algorithm, or the two share no session.
    """
    before, base_failures = _part_of(base, labels[0], "base")
    after, candidate_failures = _part_of(candidate, labels[1], "candidate")
    both = _together(before, after)
    sessions = align(both) if both.rows else None
    pairs, newly_failed = 0, 0
    units: Mapping[str, int] = {}
    if sessions is not None:
        first, second = sessions.played
        pairs = int((first & second).sum())
        units = count_by_kind(sessions.clusters[k] for k in sessions.unit[first & second])
        failed_rows = first & ~second & (sessions.places[1] >= 0)
        absent = int((first & (sessions.places[1] < 0)).sum())
        lost_runs = candidate_failures.failed - sum(1 for row in after.rows if why_row_failed(row))
        newly_failed = int(failed_rows.sum()) + min(absent, lost_runs)
    if not (pairs or base_failures.failed or candidate_failures.failed):
        raise ResultsError(
            f"{labels[1]}: base and candidate share no session (network, presentation and seed); "
            "play both from one plan"
        )
    pairing = Pairing(
        algorithm=labels[1],
        pairs=pairs,
        units=units,
        base=base_failures,
        candidate=candidate_failures,
        no_bound=why_unbounded(candidate.header, _about(candidate, labels[1])),
        newly_failed=newly_failed,
    )
    if sessions is None or not pairs:
        return [], pairing
    tested = [metrics[place_of(metrics, margin.metric)] for margin in margins]
    pair = Figures(sessions, both.numbers, tested).pair(0, 1)
    findings = [
        _finding(pair, k, metric, labels[1], margin)
        for k, (metric, margin) in enumerate(zip(tested, margins, strict=True))
    ]
    return findings, pairing


def _about(results: Results, label: str) -> Mapping[str, Any]:
    every = results.header.get("algorithms", ())
    return next((each for each in every if each.get("label") == label), {})


def _finding(pair: Measured, k: int, metric: Metric, algorithm: str, margin: Margin) -> Finding:
    """One figure of the candidate (1) against the base (0), over the sessions of both."""
    before, after = (float(pair.values[a, k]) for a in (0, 1))
    difference = difference_of(pair, 1, 0, k, metric, level=LEVEL)
    allowed = margin.by * abs(before) if margin.is_relative else margin.by
    worsening = difference.scaled(-1.0 if metric.is_more_better else 1.0)
    is_more = difference.value > 0
    chance = pair.chance_beyond(1, 0, k, allowed if is_more else -allowed, is_above=is_more)
    return Finding(
        algorithm=algorithm,
        metric=metric.name,
        base=before,
        candidate=after,
        difference=difference,
        margin=allowed,
        p_value=chance,
        is_worse=worsening.has_interval and worsening.value > allowed,
        is_better=worsening.has_interval and worsening.value < -allowed,
        is_proven=worsening.has_interval and worsening.high <= allowed,
    )


def _judged(alone: Finding, p: float) -> Finding:
    """A finding with regard to all that it is among."""
    is_sure = p < 1 - LEVEL
    return replace(
        alone,
        p_value=p,
        is_worse=alone.is_worse and is_sure,
        is_better=alone.is_better and is_sure,
    )


def margin_from(text: str) -> Margin:
    """``stall_ratio=0.002`` or ``bitrate_bps=2%`` from a command line.

    Which figures there are is known once there are results.

    Raises:
        ResultsError: no figure, or no number of 0 or more.
    """
    name, equals, value = (part.strip() for part in text.rpartition("="))
    if not (equals and name):
        raise ResultsError(f"margin {text!r}; expected FIGURE=NUMBER, such as {EXAMPLE_MARGIN}")
    is_relative = value.endswith("%")
    try:
        by = float(value.removesuffix("%")) / (100 if is_relative else 1)
    except ValueError:
        by = float("nan")
    if not 0 <= by < float("inf"):
        raise ResultsError(f"margin {text!r}; expected a number of 0 or more, such as 2% or 0.002")
    return Margin(metric=name, by=by, is_relative=is_relative)


def _allowed(margins: Sequence[Margin] | None, metrics: Sequence[Metric]) -> Sequence[Margin]:
    """The margins to test; that of a QoE may be named by its label.

    Raises:
        ResultsError: one is of no figure that there is.
    """
    if margins is None:
        return default_margins(metrics)
    known = {metric.name: metric.name for metric in metrics}
    labels = {metric.label: metric.name for metric in metrics if metric.is_score}
    found = []
    for each in margins:
        if each.metric not in labels | known:
            raise ResultsError(f"margin of {each.metric!r}; expected one of {', '.join(known)}")
        found.append(replace(each, metric=(labels | known)[each.metric]))
    return found
