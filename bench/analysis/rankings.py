"""The order of algorithms under each QoE, side by side, and where two QoEs disagree.

An order alone hides how little it may mean, so a rank comes with the range that the differences
leave open: an algorithm is behind those that are ahead of it beyond chance, before those that are
behind it, and anywhere between. Two QoEs disagree on a pair only when each puts it in order beyond
chance, in opposite directions. Ranges and disagreements follow from the same differences, all
pairs under all QoEs together, so that chance alone makes any of them wrong in at most 5 % of
reports. Upper bounds, which are no contestants, have no rank. Ranks are over the sessions that
every ranked algorithm played to its end.

Source: Al Mohamad, van Zwet, Goeman and Solari, "Simultaneous confidence sets for ranks using the
partitioning principle", arXiv 1708.02729, 2017 (ranges from pairs that are tested together).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from abr.media import FloatArray
from bench.analysis.metrics import place_of
from bench.analysis.pairing import Figures, Mask
from bench.analysis.stats import LEVEL, Estimate, Measured, holm


@dataclass(frozen=True, slots=True, kw_only=True)
class Rank:
    """Place of an algorithm under one QoE; 1 is the best."""

    place: int
    low: int | None
    high: int | None
    """Between these the differences leave its place open; None where one cluster cannot tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """Two algorithms that two QoEs put in opposite order, each beyond chance."""

    better: str
    """Under the first QoE."""
    worse: str
    first: Estimate
    """``better`` minus ``worse`` under the first, above 0."""
    second: Estimate
    """The same under the second, below 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Two QoEs compared."""

    first: str
    second: str
    """By name."""
    tau: Estimate
    """Kendall's tau-b of the two orders: 1 the same, -1 opposite."""
    disagreements: tuple[Disagreement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rankings:
    """Orders under each QoE."""

    ranks: Mapping[str, Mapping[str, Rank]]
    """By QoE and algorithm."""
    agreements: tuple[Agreement, ...]
    """Of every two QoEs."""
    sessions: int
    """Per algorithm, that the ranks are over."""


def rank(
    figures: Figures,
    competes: Sequence[bool],
    weights: FloatArray,
    *,
    base: int,
    marks: Sequence[Mapping[str, float]],
    level: float = LEVEL,
) -> Rankings | None:
    """Put algorithms in order under every QoE.

    Args:
        figures: With one QoE or more among its metrics.
        competes: Which algorithms are ranked.
        weights: How often each resample drew each cluster, shape (resamples, clusters).
        base: Place of the algorithm that differences are marked against.
        marks: p-value of each algorithm's difference from that, by metric, with regard to all that
            are marked.
        level: Of ranges and differences.

    Returns:
        None where fewer than two QoEs or two algorithms could be compared.
    """
    scores = [metric for metric in figures.metrics if metric.is_score]
    rivals = [a for a, does in enumerate(competes) if does]
    if len(scores) < 2 or len(rivals) < 2:
        return None
    columns = [place_of(figures.metrics, metric.name) for metric in scores]
    measured = figures.together(rivals, columns)
    values = measured.values
    if not np.isfinite(values).all():
        return None
    drawn = figures.draw(rivals, columns, weights)
    labels = [figures.sessions.labels[a] for a in rivals]
    can_tell = weights.shape[1] > 1
    samples = drawn[np.isfinite(drawn).all(axis=(1, 2)) & can_tell]
    against = {
        (rivals.index(base), r): [marks[a][metric.name] for metric in scores]
        for r, a in enumerate(rivals)
        if base in rivals and a != base
    }
    ahead = _ahead(measured, against, level)
    places = _places(values.T)
    ranks = {
        metric.name: {
            label: Rank(
                place=int(places[k, r]),
                low=1 + int(ahead[k, :, r].sum()) if can_tell else None,
                high=len(rivals) - int(ahead[k, r].sum()) if can_tell else None,
            )
            for r, label in enumerate(labels)
        }
        for k, metric in enumerate(scores)
    }
    agreements = tuple(
        Agreement(
            first=scores[i].name,
            second=scores[j].name,
            tau=_tau(values[:, [i, j]], samples[:, :, [i, j]], level),
            disagreements=_disagreements(measured, labels, ahead, (i, j), level),
        )
        for i, j in combinations(range(len(scores)), 2)
    )
    return Rankings(ranks=ranks, agreements=agreements, sessions=int(figures.shared(rivals).sum()))


def _ahead(
    measured: Measured, against: Mapping[tuple[int, int], Sequence[float]], level: float
) -> Mask:
    """Who is ahead of whom beyond chance, shape (QoEs, algorithms, algorithms).

    All pairs under all QoEs are one family (Holm).

    Args:
        measured: Figures of the algorithms under each QoE.
        against: Of pairs that have marks elsewhere, the p-values of these by QoE: no pair is surer
            here than there.
        level: How sure.
    """
    rivals, scores = measured.values.shape
    pairs = [(k, a, b) for k in range(scores) for a, b in combinations(range(rivals), 2)]
    chances = holm([measured.chance(a, b, k, level=level) for k, a, b in pairs])
    found = np.zeros((scores, rivals, rivals), dtype=np.bool_)
    for (k, a, b), p in zip(pairs, chances, strict=True):
        marked = next((against[pair][k] for pair in ((a, b), (b, a)) if pair in against), p)
        if p < 1 - level and marked < 1 - level:
            first, last = (a, b) if measured.values[a, k] > measured.values[b, k] else (b, a)
            found[k, first, last] = True
    return found


def _places(values: FloatArray) -> NDArray[np.intp]:
    """Place of each along the last axis, the highest first; equals share the better place."""
    ahead = values[..., None, :] > values[..., :, None]
    found: NDArray[np.intp] = 1 + ahead.sum(axis=-1)
    return found


def kendall_tau(first: FloatArray, second: FloatArray) -> FloatArray:
    """Kendall's tau-b along the last axis; nan where one of the two has equals only.

    Source: Kendall, "The treatment of ties in ranking problems", Biometrika 33, 1945.
    """
    pairs = np.triu_indices(first.shape[-1], 1)
    a, b = (np.sign(each[..., pairs[0]] - each[..., pairs[1]]) for each in (first, second))
    untied = np.sqrt((a != 0).sum(axis=-1) * (b != 0).sum(axis=-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        found: FloatArray = (a * b).sum(axis=-1) / untied
    return found


def _tau(values: FloatArray, samples: FloatArray, level: float) -> Estimate:
    """How far two QoEs agree on the order.

    Args:
        values: Figures under the two, shape (rivals, 2).
        samples: The same of every resample.
        level: Of the interval.
    """
    taus = kendall_tau(samples[..., 0], samples[..., 1])
    taus = taus[np.isfinite(taus)]
    tail = (1 - level) / 2
    low, high = np.quantile(taus, [tail, 1 - tail]) if len(taus) else (np.nan, np.nan)
    value = float(kendall_tau(values[:, 0], values[:, 1]))
    return Estimate(value=value, low=float(low), high=float(high))


def _disagreements(
    measured: Measured, labels: Sequence[str], ahead: Mask, scores: tuple[int, int], level: float
) -> tuple[Disagreement, ...]:
    """Pairs that two QoEs put in opposite order, each beyond chance."""
    one, other = scores
    opposite = np.argwhere(ahead[one] & ahead[other].T)
    return tuple(
        Disagreement(
            better=labels[a],
            worse=labels[b],
            first=measured.difference(a, b, one, level=level),
            second=measured.difference(a, b, other, level=level),
        )
        for a, b in opposite.tolist()
    )
