"""A report of an experiment as data: figures and differences, each with its interval.

Results in, plain data out; no words, no charts. A figure is over the sessions that the
algorithm played to their end, a difference over those that both played, so that it is
always paired; failed sessions are counted beside (``bench.experiments.failures``). Nothing
is ranked: algorithms keep the order of the plan, and a difference is called one only
when its interval excludes zero.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from abr.media import FloatArray
from bench.analysis.bounds import why_unbounded
from bench.analysis.frontier import frontier
from bench.analysis.metrics import METRICS, Metric, place_of, scores_of
from bench.analysis.pairing import Figures, Mask, Sessions, align, difference_of
from bench.analysis.rankings import Rankings, rank
from bench.analysis.stats import LEVEL, RESAMPLES, Estimate, draw_weights, holm
from bench.experiments.clusters import count_by_kind
from bench.experiments.failures import Failures, failures_by_algorithm
from bench.experiments.results import Results, ResultsError

Verdict = Literal["better", "worse", "unclear", "base"]

FEW_UNITS = 20
"""Below this intervals hold the truth less often than they say; a report tells."""

FEW_STALLED = 10
"""Where an algorithm stalled in fewer clusters, its stall ratio may be anything; a report tells."""

OPTIMUM = "optimal"
"""Registered name of the algorithm that regret is measured against."""

CDF_POINTS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """An algorithm against the base, over the same networks."""

    estimate: Estimate
    p_value: float
    """Of no difference, with regard to how many differences there are (Holm); ``nan`` where
    nothing differs or nothing can be told."""
    verdict: Verdict
    """Better or worse where ``p_value`` is below one minus the report's level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One algorithm."""

    label: str
    foresees: bool
    """It is told the network beforehand: an upper bound, no contestant."""
    no_bound: str
    """But no bound here, and why; empty for all others."""
    figures: Mapping[str, Estimate]
    """By metric."""
    differences: Mapping[str, Difference]
    """Against the base, by metric."""
    regret: Estimate | None
    """QoE of the optimum minus its own; None without an optimum that bounds it."""
    frontier_share: float | None
    """Share of resamples in which no other had both more bitrate and fewer stalls; None for
    an upper bound and for an algorithm that played nothing."""
    on_frontier: bool
    """Whether no other had both as measured."""
    stalled_units: int
    """Clusters in which it stalled."""
    never_began: int
    decision_us: Mapping[str, float] | None
    """``median_us`` and ``p99_us`` of a decision, where they were measured."""
    played: int
    """Sessions that its figures are over."""
    failures: Failures


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFigures:
    """One class of networks."""

    kind: str
    networks: int
    units: Mapping[str, int]
    """Its clusters, how many of each kind."""
    figures: Mapping[str, Mapping[str, Estimate]]
    """Bitrate, stalled and every QoE, by metric and algorithm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchReport:
    """Everything in a report."""

    name: str
    header: Mapping[str, Any]
    base: str
    standings: tuple[Standing, ...]
    classes: tuple[ClassFigures, ...]
    """Figures by class of network."""
    metrics: tuple[Metric, ...]
    """Every figure of it; the first QoE among them leads."""
    rankings: Rankings | None
    """Orders under each QoE; None where there is one QoE only, or nothing to put in order."""
    cdfs: Mapping[str, Mapping[str, tuple[tuple[float, float], ...]]]
    """By metric and algorithm: value and share of sessions at or below it."""
    sessions: int
    """Planned for each algorithm."""
    networks: int
    units: Mapping[str, int]
    """What is independent among them, which is what intervals are over: how many clusters of
    each kind."""
    left_out: int
    """Sessions that some algorithm lacks or failed; they count in the figures of those
    that played them, and in no difference to one that did not."""
    resamples: int
    """Of shares of the frontier."""
    level: float
    seed: int
    optimum: str | None

    @property
    def comparisons(self) -> int:
        """Differences between algorithms that verdicts hold for together."""
        every = (d for each in self.standings for d in each.differences.values())
        return sum(not math.isnan(each.p_value) for each in every)

    @property
    def has_intervals(self) -> bool:
        """Whether there is more than one cluster: one alone cannot tell how figures vary."""
        return sum(self.units.values()) > 1

    @property
    def scores(self) -> tuple[Metric, ...]:
        """The QoEs among its figures, one or more."""
        return scores_of(self.metrics)

    @property
    def shown(self) -> tuple[Metric, ...]:
        """What is looked at first: bitrate, stalls, every QoE and startup."""
        named = ("bitrate_bps", "stall_ratio", "startup_s")
        return tuple(each for each in self.metrics if each.is_score or each.name in named)

    def metric(self, name: str) -> Metric:
        """The figure of that name."""
        return self.metrics[place_of(self.metrics, name)]


def bench_report(
    results: Results,
    *,
    rng: np.random.Generator,
    seed: int,
    base: str | None = None,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    timing: Mapping[str, Any] | None = None,
    metrics: Sequence[Metric] = METRICS,
) -> BenchReport:
    """Put a report together.

    Args:
        results: Of ``abr bench run``.
        rng: Where resamples for shares of the frontier come from.
        seed: Of ``rng``, to be told.
        base: Algorithm that the others are held against; the first when None.
        resamples: How many.
        level: Of the intervals.
        timing: Contents of ``timing.json``.
        metrics: Figures to report, one QoE or more among them.

    Raises:
        ResultsError: there is no such algorithm, nothing to compare, or every session failed.
    """
    sessions, lead = align(results), scores_of(metrics)[0]
    failures = failures_by_algorithm(results)
    against = _base_of(results, sessions, failures, base)
    weights = draw_weights(sessions.units, rng, resamples=resamples)
    figures = Figures(sessions, results.numbers, metrics)
    if not _has_pairs(sessions, against):
        raise ResultsError(
            f"no session was played by both {against} and another algorithm; "
            "nothing can be compared"
        )
    report = BenchReport(
        name=results.name,
        header=results.header,
        base=against,
        standings=_standings(results, figures, weights, failures, against, level, timing or {}),
        classes=_classes(results, sessions, level, metrics),
        metrics=tuple(metrics),
        rankings=rank(figures, _competes(results, sessions), weights, level=level),
        cdfs={},
        sessions=sessions.planned,
        networks=sessions.planned_networks,
        units=count_by_kind(sessions.clusters),
        left_out=sessions.left_out,
        resamples=resamples,
        level=level,
        seed=seed,
        optimum=_optimum_of(results, sessions, lead),
    )
    cdfs = {metric.name: _cdfs(results, sessions, metric) for metric in report.shown}
    return replace(report, cdfs=cdfs)


def _base_of(
    results: Results, sessions: Sessions, failures: Mapping[str, Failures], base: str | None
) -> str:
    """The algorithm to hold the others against.

    Raises:
        ResultsError: there is no such algorithm, or it played no session to its end.
    """
    labels = sessions.labels
    begun: Mask = np.any(sessions.played, axis=1)
    if not begun.any():
        said = "; ".join(f"{label}: {each}" for label, each in failures.items())
        raise ResultsError(f"{results.name}: every session failed, there is no figure: {said}")
    if base is None:
        return labels[int(begun.argmax())]
    if base not in labels:
        raise ResultsError(f"no algorithm {base!r}; expected one of {', '.join(labels)}")
    if not begun[labels.index(base)]:
        raise ResultsError(f"{base}: {failures[base]}; name another base")
    return base


def _has_pairs(sessions: Sessions, base: str) -> bool:
    """Whether any other algorithm that played anything shares a session with the base."""
    mine = sessions.played[sessions.labels.index(base)]
    others = [
        played
        for label, played in zip(sessions.labels, sessions.played, strict=True)
        if label != base and played.any()
    ]
    return not others or any((mine & played).any() for played in others)


def _competes(results: Results, sessions: Sessions) -> list[bool]:
    """Which algorithms are contestants that played something."""
    about = _about(results)
    return [
        bool(played.any()) and not about.get(label, {}).get("foresees")
        for label, played in zip(sessions.labels, sessions.played, strict=True)
    ]


def _about(results: Results) -> dict[str, Mapping[str, Any]]:
    return {str(each.get("label")): each for each in results.header.get("algorithms", ())}


def _optimum_of(results: Results, sessions: Sessions, score: Metric) -> str | None:
    """Label of the offline optimum, where it played anything and bounds a QoE."""
    about = _about(results)
    return next(
        (
            label
            for label, played in zip(sessions.labels, sessions.played, strict=True)
            if about.get(label, {}).get("name") == OPTIMUM
            and played.any()
            and not why_unbounded(results.header, about[label], score)
        ),
        None,
    )


def _standings(
    results: Results,
    figures: Figures,
    weights: FloatArray,
    failures: Mapping[str, Failures],
    base: str,
    level: float,
    timing: Mapping[str, Any],
) -> tuple[Standing, ...]:
    sessions, about = figures.sessions, _about(results)
    lead = scores_of(figures.metrics)[0]
    labels, optimum = sessions.labels, _optimum_of(results, sessions, lead)
    foresees = [bool(about.get(label, {}).get("foresees")) for label in labels]
    begun = [bool(played.any()) for played in sessions.played]
    competes = [b and not f for b, f in zip(begun, foresees, strict=True)]
    shares, best = frontier(figures, competes, weights)
    differences = _differences(figures, labels.index(base), level)
    never_began = Counter(row["algorithm"] for row in results.rows if row["startup_s"] is None)
    qoe = figures.metrics.index(lead)
    stall = place_of(figures.metrics, "stall_ratio")
    decisions = timing.get("decisions", {})
    return tuple(
        Standing(
            label=label,
            foresees=foresees[a],
            no_bound=why_unbounded(results.header, about.get(label, {}), lead),
            figures={
                m.name: figures.own_estimate(a, k, level=level)
                for k, m in enumerate(figures.metrics)
            },
            differences=differences[a],
            regret=None
            if optimum is None
            else figures.pair(labels.index(optimum), a).difference(0, 1, qoe, level=level),
            frontier_share=float(shares[a]) if competes[a] and sessions.units > 1 else None,
            on_frontier=bool(best[a]),
            stalled_units=figures.touched(a, stall),
            never_began=never_began[label],
            decision_us=decisions.get(label) if begun[a] else None,
            played=int(sessions.played[a].sum()),
            failures=failures[label],
        )
        for a, label in enumerate(labels)
    )


def _differences(figures: Figures, base: int, level: float) -> list[dict[str, Difference]]:
    """Every figure of every algorithm against the base; verdicts hold for all of them together."""
    pairs = [figures.pair(a, base) for a in range(len(figures.sessions.labels))]
    chances = [
        math.nan if a == base else pair.chance(0, 1, k)
        for a, pair in enumerate(pairs)
        for k in range(len(figures.metrics))
    ]
    together = iter(holm(chances))
    found = []
    for a, pair in enumerate(pairs):
        of_one = {}
        for k, metric in enumerate(figures.metrics):
            estimate = difference_of(pair, 0, 1, k, metric, level=level)
            p = next(together)
            said = verdict(estimate.value, p, level=level, is_more_better=metric.is_more_better)
            of_one[metric.name] = Difference(
                estimate=estimate, p_value=p, verdict="base" if a == base else said
            )
        found.append(of_one)
    return found


def verdict(difference: float, p: float, *, level: float, is_more_better: bool) -> Verdict:
    """What a difference with this p-value allows to say."""
    if not p < 1 - level:
        return "unclear"
    return "better" if (difference > 0) == is_more_better else "worse"


def _classes(
    results: Results, sessions: Sessions, level: float, metrics: Sequence[Metric]
) -> tuple[ClassFigures, ...]:
    found = []
    shown = [m for m in metrics if m.is_score or m.name in ("bitrate_bps", "stall_ratio")]
    for kind in sessions.kinds:
        here = sessions.of_class(kind)
        own = Figures(here, results.numbers, shown)
        figures = {
            metric.name: {
                label: own.own_estimate(a, k, level=level) for a, label in enumerate(here.labels)
            }
            for k, metric in enumerate(shown)
        }
        found.append(
            ClassFigures(
                kind=kind,
                networks=len(np.unique(here.networks)),
                units=count_by_kind(here.clusters),
                figures=figures,
            )
        )
    return tuple(found)


def _cdfs(
    results: Results, sessions: Sessions, metric: Metric
) -> dict[str, tuple[tuple[float, float], ...]]:
    top, bottom = metric.top(results.numbers), metric.bottom(results.numbers)
    found = {}
    for label, places, played in zip(
        sessions.labels, sessions.places, sessions.played, strict=True
    ):
        counted = places[played & (bottom[places] > 0)]
        values = np.sort(top[counted] / bottom[counted])
        found[label] = _steps(values)
    return found


def _steps(values: FloatArray) -> tuple[tuple[float, float], ...]:
    """Points of an empirical distribution, at most ``CDF_POINTS`` and the first."""
    if not len(values):
        return ()
    count = len(values)
    ranks = np.unique(np.linspace(1, count, min(count, CDF_POINTS)).round().astype(int))
    return ((float(values[0]), 0.0), *((float(values[r - 1]), float(r / count)) for r in ranks))
