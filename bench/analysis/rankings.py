"""The order of algorithms under each QoE, side by side, and where two QoEs disagree.

An order alone hides how little it may mean, so a rank comes with the range that it has over
resamples, and two QoEs disagree on a pair only when each shows a difference beyond chance,
in opposite directions. Upper bounds, which are no contestants, have no rank. Ranks are over
the sessions that every ranked algorithm played to its end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from abr.media import FloatArray
from bench.analysis.metrics import Metric, place_of
from bench.analysis.pairing import Figures
from bench.analysis.stats import LEVEL, Estimate, holm


@dataclass(frozen=True, slots=True, kw_only=True)
class Rank:
    """Place of an algorithm under one QoE; 1 is the best."""

    place: int
    low: int | None
    high: int | None
    """Between these it was in all but the tails of the resamples; None where one cluster cannot
    tell."""


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
    figures: Figures, competes: Sequence[bool], weights: FloatArray, *, level: float = LEVEL
) -> Rankings | None:
    """Put algorithms in order under every QoE.

    Args:
        figures: With one QoE or more among its metrics.
        competes: Which algorithms are ranked.
        weights: How often each resample drew each cluster, shape (resamples, clusters).
        level: Of ranges and differences.

    Returns:
        None where fewer than two QoEs or two algorithms could be compared.
    """
    scores = [metric for metric in figures.metrics if metric.is_score]
    rivals = [a for a, does in enumerate(competes) if does]
    if len(scores) < 2 or len(rivals) < 2:
        return None
    columns = [place_of(figures.metrics, metric.name) for metric in scores]
    values = figures.together(rivals, columns).values
    if not np.isfinite(values).all():
        return None
    drawn = figures.draw(rivals, columns, weights)
    labels = [figures.sessions.labels[a] for a in rivals]
    can_tell = weights.shape[1] > 1
    samples = drawn[np.isfinite(drawn).all(axis=(1, 2)) & can_tell]
    ranks = {
        metric.name: _ranks(labels, values[:, k], samples[:, :, k], level)
        for k, metric in enumerate(scores)
    }
    both = figures.sessions.played[rivals].all(axis=0)
    agreements = tuple(
        _agreement(figures, rivals, (scores[i], scores[j]), values[:, [i, j]],
                   samples[:, :, [i, j]], level)
        for i, j in combinations(range(len(scores)), 2)
    )  # fmt: skip
    return Rankings(ranks=ranks, agreements=agreements, sessions=int(both.sum()))


def _ranks(
    labels: Sequence[str], values: FloatArray, samples: FloatArray, level: float
) -> dict[str, Rank]:
    places, tail = _places(values).tolist(), (1 - level) / 2
    if not len(samples):
        return {
            label: Rank(place=place, low=None, high=None)
            for label, place in zip(labels, places, strict=True)
        }
    ends = np.quantile(_places(samples), [tail, 1 - tail], axis=0, method="closest_observation")
    return {
        label: Rank(place=place, low=int(low), high=int(high))
        for label, place, low, high in zip(labels, places, *ends, strict=True)
    }


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


def _agreement(
    figures: Figures,
    rivals: Sequence[int],
    scores: tuple[Metric, Metric],
    values: FloatArray,
    samples: FloatArray,
    level: float,
) -> Agreement:
    """How far two QoEs agree.

    Args:
        figures: Where differences come from.
        rivals: Places of the algorithms that are ranked.
        scores: The two.
        values: Their figures, shape (rivals, 2).
        samples: The same of every resample.
        level: Of intervals.
    """
    taus = kendall_tau(samples[..., 0], samples[..., 1])
    taus = taus[np.isfinite(taus)]
    tail = (1 - level) / 2
    low, high = np.quantile(taus, [tail, 1 - tail]) if len(taus) else (np.nan, np.nan)
    tau = Estimate(
        value=float(kendall_tau(values[:, 0], values[:, 1])), low=float(low), high=float(high)
    )
    return Agreement(
        first=scores[0].name,
        second=scores[1].name,
        tau=tau,
        disagreements=_disagreements(figures, rivals, scores, level),
    )


def _disagreements(
    figures: Figures, rivals: Sequence[int], scores: tuple[Metric, Metric], level: float
) -> tuple[Disagreement, ...]:
    """Pairs in opposite order under two QoEs, beyond chance for all pairs together (Holm)."""
    one, other = (place_of(figures.metrics, metric.name) for metric in scores)
    labels, pairs, chances = figures.sessions.labels, [], []
    for a, b in combinations(rivals, 2):
        pair = figures.pair(a, b)
        first, second = (pair.difference(0, 1, k, level=level) for k in (one, other))
        is_opposite = first.value * second.value < 0
        chance = max(pair.chance(0, 1, k) for k in (one, other)) if is_opposite else 1.0
        chances.append(chance)
        if first.value > 0:
            pairs.append((a, b, first, second))
        else:
            pairs.append((b, a, first.scaled(-1), second.scaled(-1)))
    return tuple(
        Disagreement(better=labels[better], worse=labels[worse], first=first, second=second)
        for (better, worse, first, second), p in zip(pairs, holm(chances), strict=True)
        if p < 1 - level
    )
