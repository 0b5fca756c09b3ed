"""What a report of an experiment says: figures and differences, each with its interval.

Rules of residence: results in, plain data out; no words, no charts. Only networks over
which every algorithm played every presentation count, so that all differences are
paired. Nothing is ranked: algorithms keep the order of the plan, and a difference is
called one only when its interval leaves zero out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from abr.media import FloatArray
from bench.analysis.metrics import BY_NAME, METRICS
from bench.analysis.stats import LEVEL, RESAMPLES, Estimate, Resampled, cluster_sums, resampled
from bench.experiments.results import Results, ResultsError

Verdict = Literal["better", "worse", "unclear", "base"]

FEW_NETWORKS = 10
"""Below this intervals are rough, and a report says so."""

OPTIMUM = "optimal"
"""Registered name of the algorithm that regret is measured against."""

CDFS = ("bitrate_bps", "stall_ratio", "qoe_lin", "startup_s")
"""Figures whose distribution over sessions is shown."""

CDF_POINTS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """An algorithm against the base, over the same networks."""

    estimate: Estimate
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One algorithm."""

    label: str
    foresees: bool
    """It was told the networks: an upper bound."""
    figures: Mapping[str, Estimate]
    """By metric."""
    differences: Mapping[str, Difference]
    """Against the base, by metric."""
    regret: Estimate | None
    """QoE_lin of the optimum minus its own; None without an optimum."""
    frontier_share: float | None
    """Share of resamples in which nobody had both more bitrate and fewer stalls; None for
    an upper bound."""
    on_frontier: bool
    """Whether that is so as measured."""
    never_began: int
    decision_us: Mapping[str, float] | None
    """``median_us`` and ``p99_us`` of a decision, where they were measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFigures:
    """One class of networks."""

    kind: str
    networks: int
    qoe: Mapping[str, Estimate]
    """QoE_lin by algorithm."""
    bitrate: Mapping[str, Estimate]
    stalled: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchReport:
    """Everything in a report."""

    name: str
    header: Mapping[str, Any]
    base: str
    standings: tuple[Standing, ...]
    classes: tuple[ClassFigures, ...]
    cdfs: Mapping[str, Mapping[str, tuple[tuple[float, float], ...]]]
    """By metric and algorithm: value and share of sessions at or below it."""
    sessions: int
    """Per algorithm."""
    networks: int
    left_out: int
    """Sessions that some algorithm lacks, left out for all."""
    resamples: int
    level: float
    seed: int
    optimum: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """Sessions that all algorithms have, aligned."""

    labels: tuple[str, ...]
    places: NDArray[np.intp]
    """Row of each algorithm's session, shape (algorithms, sessions)."""
    unit: NDArray[np.intp]
    """Which network each session was over, shape (sessions,)."""
    units: int
    kinds: tuple[str, ...]
    """Class of each network, shape (units,)."""
    left_out: int


def paired(results: Results) -> Paired:
    """Align the sessions of all algorithms.

    Raises:
        ResultsError: no session is there for every algorithm.
    """
    labels = results.algorithms
    found: dict[str, dict[tuple[Any, ...], int]] = {label: {} for label in labels}
    for place, row in enumerate(results.rows):
        key = (row["trace_digest"], row["presentation_digest"], row["seed"])
        found[row["algorithm"]][key] = place
    common = [key for key in found[labels[0]] if all(key in each for each in found.values())]
    if not common:
        raise ResultsError("no session was played by every algorithm; nothing can be compared")
    traces = list(dict.fromkeys(key[0] for key in common))
    number = {trace: unit for unit, trace in enumerate(traces)}
    kinds = {key[0]: results.rows[found[labels[0]][key]]["class"] for key in common}
    every = set().union(*found.values())
    return Paired(
        labels=labels,
        places=np.array([[found[label][key] for key in common] for label in labels]),
        unit=np.array([number[key[0]] for key in common]),
        units=len(traces),
        kinds=tuple(str(kinds[trace]) for trace in traces),
        left_out=len(every) - len(common),
    )


def sums(results: Results, pairs: Paired) -> tuple[FloatArray, FloatArray]:
    """Numerators and denominators per network, shape (algorithms, metrics, networks)."""
    tops, bottoms = [], []
    for metric in METRICS:
        tops.append(metric.top(results.numbers)[pairs.places])
        bottoms.append(metric.bottom(results.numbers)[pairs.places])
    return (
        cluster_sums(np.stack(tops, axis=1), pairs.unit, pairs.units),
        cluster_sums(np.stack(bottoms, axis=1), pairs.unit, pairs.units),
    )


def bench_report(
    results: Results,
    *,
    rng: np.random.Generator,
    seed: int,
    base: str | None = None,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    timing: Mapping[str, Any] | None = None,
) -> BenchReport:
    """Put a report together.

    Args:
        results: Of ``abr bench run``.
        rng: Where resamples come from.
        seed: Of ``rng``, to be told.
        base: Algorithm that the others are held against; the first when None.
        resamples: How many.
        level: Of the intervals.
        timing: Contents of ``timing.json``.

    Raises:
        ResultsError: there is no such algorithm, or nothing to compare.
    """
    pairs = paired(results)
    against = base or pairs.labels[0]
    if against not in pairs.labels:
        raise ResultsError(f"no algorithm {against!r}; expected one of {', '.join(pairs.labels)}")
    about = {each.get("label"): each for each in results.header.get("algorithms", ())}
    bounds = frozenset(label for label in pairs.labels if about.get(label, {}).get("foresees"))
    optimum = next(
        (label for label in pairs.labels if about.get(label, {}).get("name") == OPTIMUM), None
    )
    top, bottom = sums(results, pairs)
    drawn = resampled(top, bottom, rng, resamples=resamples)
    shares, best = frontier(drawn, [label not in bounds for label in pairs.labels])
    decisions = (timing or {}).get("decisions", {})
    startup = results.numbers["startup_s"][pairs.places]
    standings = tuple(
        Standing(
            label=label,
            foresees=label in bounds,
            figures={m.name: drawn.estimate(a, k, level=level) for k, m in enumerate(METRICS)},
            differences=_differences(drawn, a, pairs.labels.index(against), level),
            regret=_regret(drawn, pairs.labels, label, optimum, level),
            frontier_share=None if label in bounds else float(shares[a]),
            on_frontier=bool(best[a]),
            never_began=int(np.isnan(startup[a]).sum()),
            decision_us=decisions.get(label),
        )
        for a, label in enumerate(pairs.labels)
    )
    return BenchReport(
        name=results.name,
        header=results.header,
        base=against,
        standings=standings,
        classes=_classes(top, bottom, pairs, rng, resamples, level),
        cdfs={name: _cdfs(results, pairs, name) for name in CDFS},
        sessions=int(pairs.places.shape[1]),
        networks=pairs.units,
        left_out=pairs.left_out,
        resamples=resamples,
        level=level,
        seed=seed,
        optimum=optimum,
    )


def verdict(estimate: Estimate, *, is_more_better: bool) -> Verdict:
    """What an interval of a difference allows to say."""
    if not estimate.has_interval or estimate.low <= 0 <= estimate.high:
        return "unclear"
    return "better" if (estimate.low > 0) == is_more_better else "worse"


def _differences(drawn: Resampled, a: int, base: int, level: float) -> dict[str, Difference]:
    found = {}
    for k, metric in enumerate(METRICS):
        estimate = drawn.difference(a, base, k, level=level)
        said = verdict(estimate, is_more_better=metric.is_more_better) if a != base else "base"
        found[metric.name] = Difference(estimate=estimate, verdict=said)
    return found


def _regret(
    drawn: Resampled, labels: Sequence[str], label: str, optimum: str | None, level: float
) -> Estimate | None:
    if optimum is None:
        return None
    qoe = METRICS.index(BY_NAME["qoe_lin"])
    return drawn.difference(labels.index(optimum), labels.index(label), qoe, level=level)


def frontier(drawn: Resampled, competes: Sequence[bool]) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Who is bettered by nobody in both bitrate and stalls.

    Returns:
        The share of resamples in which that is so, and whether it is so as measured, per
        algorithm. Those that do not compete neither better anybody nor count.
    """
    bitrate = METRICS.index(BY_NAME["bitrate_bps"])
    stalled = METRICS.index(BY_NAME["stall_ratio"])
    allowed = np.array(competes)

    def undominated(figures: FloatArray) -> NDArray[np.bool_]:
        rate, stall = figures[..., bitrate], figures[..., stalled]
        as_good = (rate[..., None, :] >= rate[..., :, None]) & (
            stall[..., None, :] <= stall[..., :, None]
        )
        better = (rate[..., None, :] > rate[..., :, None]) | (
            stall[..., None, :] < stall[..., :, None]
        )
        found: NDArray[np.bool_] = ~(as_good & better & allowed).any(axis=-1) & allowed
        return found

    return undominated(drawn.samples).mean(axis=0), undominated(drawn.values)


def _classes(
    top: FloatArray,
    bottom: FloatArray,
    pairs: Paired,
    rng: np.random.Generator,
    resamples: int,
    level: float,
) -> tuple[ClassFigures, ...]:
    chosen = [BY_NAME[name] for name in ("qoe_lin", "bitrate_bps", "stall_ratio")]
    places = [METRICS.index(metric) for metric in chosen]
    found = []
    for kind in dict.fromkeys(pairs.kinds):
        here = np.array([each == kind for each in pairs.kinds])
        cut = np.ix_(np.arange(len(pairs.labels)), np.array(places), here.nonzero()[0])
        drawn = resampled(top[cut], bottom[cut], rng, resamples=resamples)
        qoe, bitrate, stalled = (
            {label: drawn.estimate(a, k, level=level) for a, label in enumerate(pairs.labels)}
            for k in range(3)
        )
        found.append(
            ClassFigures(
                kind=kind, networks=int(here.sum()), qoe=qoe, bitrate=bitrate, stalled=stalled
            )
        )
    return tuple(found)


def _cdfs(results: Results, pairs: Paired, name: str) -> dict[str, tuple[tuple[float, float], ...]]:
    metric = BY_NAME[name]
    top, bottom = metric.top(results.numbers), metric.bottom(results.numbers)
    found = {}
    for label, places in zip(pairs.labels, pairs.places, strict=True):
        counted = places[bottom[places] > 0]
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
