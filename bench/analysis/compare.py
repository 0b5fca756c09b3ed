"""A candidate against a base: is it worse by more than is allowed?

A figure is worse beyond its margin when the whole interval of the difference lies
beyond. Several figures are looked at together, so each interval is widened until the
chance that any of them says so of equal algorithms is at most 5 % (Bonferroni).

What was not shown is not shown to be well, either: each finding says how much worse the
candidate may still be, and ``is_proven`` whether that is within the margin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bench.analysis.metrics import BY_NAME, METRICS
from bench.analysis.standings import paired, sums
from bench.analysis.stats import RESAMPLES, Estimate, resampled
from bench.experiments.results import Results, ResultsError

FALSE_ALARMS = 0.05
"""Chance that equal algorithms are called worse, over all figures together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """How much worse a figure may be."""

    metric: str
    by: float
    """In the figure's unit; or a part of the base's figure."""
    is_relative: bool = False


MARGINS: tuple[Margin, ...] = (
    Margin(metric="bitrate_bps", by=0.01, is_relative=True),
    Margin(metric="stall_ratio", by=0.001),
    Margin(metric="qoe_lin", by=0.01, is_relative=True),
)
"""What is looked at when nothing is said: 1 % of bitrate and QoE, 0.1 % of time stalled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One figure of one algorithm."""

    algorithm: str
    metric: str
    base: float
    candidate: float
    difference: Estimate
    """Candidate minus base, with the widened interval."""
    margin: float
    """In the figure's unit."""
    is_worse: bool
    """Beyond the margin, surely."""
    is_proven: bool
    """Surely not beyond the margin."""


def compare(
    base: Results,
    candidate: Results,
    *,
    rng: np.random.Generator,
    margins: Sequence[Margin] = MARGINS,
    resamples: int = RESAMPLES,
) -> list[Finding]:
    """Hold every algorithm of ``candidate`` against the same of ``base``.

    Raises:
        ResultsError: they share no algorithm, or no sessions.
    """
    shared = [label for label in candidate.algorithms if label in base.algorithms]
    if not shared:
        raise ResultsError(
            f"no algorithm is in both: {', '.join(base.algorithms)} there, "
            f"{', '.join(candidate.algorithms)} here; give them the same label"
        )
    level = 1 - FALSE_ALARMS / (len(shared) * len(margins)) * 2
    return [
        finding
        for label in shared
        for finding in _compared(
            one_of(base, label), one_of(candidate, label), label, rng, margins, resamples, level
        )
    ]


def compare_two(
    results: Results,
    base: str,
    candidate: str,
    *,
    rng: np.random.Generator,
    margins: Sequence[Margin] = MARGINS,
    resamples: int = RESAMPLES,
) -> list[Finding]:
    """Hold one algorithm of an experiment against another.

    Raises:
        ResultsError: there is no such algorithm.
    """
    level = 1 - FALSE_ALARMS / len(margins) * 2
    first, second = one_of(results, base), one_of(results, candidate)
    return _compared(first, second, candidate, rng, margins, resamples, level)


def one_of(results: Results, label: str) -> Results:
    """The sessions of one algorithm.

    Raises:
        ResultsError: there is none of that label.
    """
    if label not in results.algorithms:
        raise ResultsError(
            f"no algorithm {label!r}; expected one of {', '.join(results.algorithms)}"
        )
    here = np.array([row["algorithm"] == label for row in results.rows])
    rows = [row for row in results.rows if row["algorithm"] == label]
    return replace(
        results, rows=rows, numbers={name: each[here] for name, each in results.numbers.items()}
    )


def _together(base: Results, candidate: Results) -> Results:
    """Both as two algorithms of one experiment."""
    rows: list[dict[str, Any]] = [{**row, "algorithm": "base"} for row in base.rows]
    rows += [{**row, "algorithm": "candidate"} for row in candidate.rows]
    numbers: Mapping[str, Any] = {
        name: np.concatenate([base.numbers[name], candidate.numbers[name]]) for name in base.numbers
    }
    return Results(header=base.header, rows=rows, numbers=numbers)


def _compared(
    base: Results,
    candidate: Results,
    label: str,
    rng: np.random.Generator,
    margins: Sequence[Margin],
    resamples: int,
    level: float,
) -> list[Finding]:
    both = _together(base, candidate)
    try:
        pairs = paired(both)
    except ResultsError as exc:
        raise ResultsError(
            f"{label}: base and candidate share no session (network, presentation and seed); "
            "play both from one plan"
        ) from exc
    drawn = resampled(*sums(both, pairs), rng, resamples=resamples)
    findings = []
    for margin in margins:
        k = METRICS.index(BY_NAME[margin.metric])
        before, after = (float(drawn.values[a, k]) for a in (0, 1))
        difference = drawn.difference(1, 0, k, level=level)
        if (drawn.samples[:, 1, k] == drawn.samples[:, 0, k]).all():  # the same, session by session
            difference = Estimate(value=0.0, low=0.0, high=0.0)
        allowed = margin.by * abs(before) if margin.is_relative else margin.by
        worsening = difference.scaled(-1.0 if BY_NAME[margin.metric].is_more_better else 1.0)
        findings.append(
            Finding(
                algorithm=label,
                metric=margin.metric,
                base=before,
                candidate=after,
                difference=difference,
                margin=allowed,
                is_worse=worsening.has_interval and worsening.low > allowed,
                is_proven=worsening.has_interval and worsening.high <= allowed,
            )
        )
    return findings


def margin_from(text: str) -> Margin:
    """``stall_ratio=0.002`` or ``bitrate_bps=2%`` from a command line.

    Raises:
        ResultsError: no such figure, or no number of 0 or more.
    """
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals or name not in BY_NAME:
        raise ResultsError(
            f"margin {text!r}; expected FIGURE=NUMBER, FIGURE of {', '.join(BY_NAME)}"
        )
    is_relative = value.endswith("%")
    try:
        by = float(value.removesuffix("%")) / (100 if is_relative else 1)
    except ValueError:
        by = float("nan")
    if not 0 <= by < float("inf"):
        raise ResultsError(f"margin {text!r}; expected a number of 0 or more, such as 2% or 0.002")
    return Margin(metric=name, by=by, is_relative=is_relative)
