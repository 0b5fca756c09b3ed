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
from bench.analysis.classes import ClassFigures, figures_by_class
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
"""Where an algorithm stalled in fewer clusters, its interval rests on how stalls are spread
elsewhere; a report tells."""

MOST_IN_ONE = 0.5
"""Where one cluster holds more of the time stalled, figure and interval are hardly more than that
cluster; a report tells."""

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
    frontier_figures: Mapping[str, Estimate]
    """Bitrate and stalled over the sessions that every contestant played to its end; empty
    where it did not play them, or there are none."""
    frontier_share: float | None
    """Share of resamples, over those sessions, in which no other had both more bitrate and fewer
    stalls; None for an upper bound and where there are no such sessions."""
    on_frontier: bool
    """Whether no other had both as measured."""
    stalled_units: int
    """Clusters in which it stalled."""
    stalled_most: str
    """The cluster in which it stalled longest; empty where it never stalled."""
    stalled_most_share: float
    """Of all the time that it stalled, that in this cluster."""
    never_began: int
    decision_us: Mapping[str, float] | None
    """``median_us`` and ``p99_us`` of a decision, where they were measured."""
    played: int
    """Sessions that its figures are over."""
    lacks: int
    """Sessions that another algorithm played to their end and it did not: its figures are over
    fewer than those beside them."""
    failures: Failures


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
    shared: int
    """Sessions that every contestant played to its end: frontier and ranks are over these."""
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
    competes = _competes(results, sessions)
    shared = figures.shared([a for a, does in enumerate(competes) if does])
    standings = _standings(results, figures, weights, failures, against, level, timing or {})
    marks = [{name: d.p_value for name, d in each.differences.items()} for each in standings]
    report = BenchReport(
        name=results.name,
        header=results.header,
        base=against,
        standings=standings,
        classes=figures_by_class(results, sessions, level, metrics),
        metrics=tuple(metrics),
        rankings=rank(
            figures,
            competes,
            weights,
            base=sessions.labels.index(against),
            marks=marks,
            level=level,
        ),
        cdfs={},
        sessions=sessions.planned,
        networks=sessions.planned_networks,
        units=count_by_kind(sessions.clusters),
        left_out=sessions.left_out,
        shared=int(shared.sum()),
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
    competes = _competes(results, sessions)
    begun: Mask = np.any(sessions.played, axis=1)
    found = frontier(figures, competes, weights, level=level)
    differences = _differences(figures, labels.index(base), level)
    never_began = Counter(row["algorithm"] for row in results.rows if row["startup_s"] is None)
    qoe = figures.metrics.index(lead)
    stall = place_of(figures.metrics, "stall_ratio")
    most = [figures.most(a, stall) for a in range(len(labels))]
    decisions = timing.get("decisions", {})
    return tuple(
        Standing(
            label=label,
            foresees=bool(about.get(label, {}).get("foresees")),
            no_bound=why_unbounded(results.header, about.get(label, {}), lead),
            figures={
                m.name: figures.own_estimate(a, k, level=level)
                for k, m in enumerate(figures.metrics)
            },
            differences=differences[a],
            regret=None
            if optimum is None
            else figures.pair(labels.index(optimum), a).difference(0, 1, qoe, level=level),
            frontier_figures=found.figures[a],
            frontier_share=float(found.shares[a])
            if math.isfinite(found.shares[a]) and sessions.units > 1
            else None,
            on_frontier=bool(found.best[a]),
            stalled_units=figures.touched(a, stall),
            stalled_most=most[a][0] if most[a][1] else "",
            stalled_most_share=most[a][1],
            never_began=never_began[label],
            decision_us=decisions.get(label) if begun[a] else None,
            played=int(sessions.played[a].sum()),
            lacks=int((~sessions.played[a] & sessions.played.any(axis=0)).sum()),
            failures=failures[label],
        )
        for a, label in enumerate(labels)
    )


def _differences(figures: Figures, base: int, level: float) -> list[dict[str, Difference]]:
    """Every figure of every algorithm against the base; verdicts hold for all of them together."""
    pairs = [figures.pair(a, base) for a in range(len(figures.sessions.labels))]
    chances = [
        math.nan if a == base else pair.chance(0, 1, k, level=level)
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
