"""Sessions of several algorithms, aligned: the same network, presentation and seed.

A figure of one algorithm is over the sessions that it played. A difference of two is
over the sessions that both played, so that it is always paired. Sessions that failed,
or are not there, count in neither.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from abr.media import FloatArray
from bench.analysis.metrics import METRICS, Metric
from bench.analysis.rarity import most_of
from bench.analysis.stats import Estimate, Measured, cluster_sums, measure, ratio
from bench.experiments.clusters import cluster_of_row
from bench.experiments.failures import planned_labels, why_row_failed
from bench.experiments.results import Results

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """The sessions that some algorithm played, as columns."""

    labels: tuple[str, ...]
    """Every algorithm of the plan, in its order."""
    places: NDArray[np.intp]
    """Row of each algorithm's session, shape (algorithms, sessions); -1 where there is none."""
    played: Mask
    """Whether the algorithm played it, same shape."""
    unit: NDArray[np.intp]
    """Cluster of the network that each session was over, shape (sessions,)."""
    clusters: tuple[str, ...]
    """Names of the clusters over which anything was played, shape (units,)."""
    kind: NDArray[np.intp]
    """Class of the network that each session was over, shape (sessions,)."""
    kinds: tuple[str, ...]
    """Names of the classes."""
    networks: NDArray[np.intp]
    """Network of each session, shape (sessions,)."""
    planned: int
    """Sessions per algorithm, those included that all of them failed."""
    planned_networks: int
    """Networks of those."""

    @property
    def units(self) -> int:
        """How many clusters are resampled."""
        return len(self.clusters)

    @property
    def left_out(self) -> int:
        """Sessions that count in some figures only, or in none."""
        return self.planned - int(self.played.all(axis=0).sum())

    def of_class(self, kind: str) -> Sessions:
        """Those over networks of one class."""
        return self.only(self.kind == self.kinds.index(kind))

    def only(self, chosen: Mask) -> Sessions:
        """Some of them.

        Args:
            chosen: Which, shape (sessions,).
        """
        there, unit = np.unique(self.unit[chosen], return_inverse=True)
        return replace(
            self,
            places=self.places[:, chosen],
            played=self.played[:, chosen],
            unit=unit,
            clusters=tuple(self.clusters[place] for place in there),
            kind=self.kind[chosen],
            networks=self.networks[chosen],
        )


def align(results: Results) -> Sessions:
    """Put the sessions of all algorithms side by side."""
    why = [why_row_failed(row) for row in results.rows]
    labels = tuple(dict.fromkeys([*planned_labels(results.header), *results.algorithms]))
    found: dict[str, dict[tuple[Any, ...], int]] = {label: {} for label in labels}
    about: dict[tuple[Any, ...], tuple[str, str, str]] = {}
    """Of each session its network, its network's class and cluster."""
    for place, row in enumerate(results.rows):
        key = (row["trace_digest"], row["presentation_digest"], row["seed"])
        found[row["algorithm"]][key] = place
        if key not in about:
            about[key] = (row["trace_digest"], str(row["class"]), cluster_of_row(row))
    every = list(dict.fromkeys(key for rows in found.values() for key in rows))
    counted = [
        key
        for key in every
        if any(key in rows and why[rows[key]] is None for rows in found.values())
    ]
    networks, kinds, clusters = (_numbered([about[key][k] for key in counted]) for k in range(3))
    shape = (len(labels), len(counted))
    places = [[found[label].get(key, -1) for key in counted] for label in labels]
    rows = np.array(places, dtype=np.intp).reshape(shape)
    is_whole = np.array([reason is None for reason in why])
    return Sessions(
        labels=labels,
        places=rows,
        played=(rows >= 0) & is_whole[rows],
        unit=clusters[1],
        clusters=clusters[0],
        kind=kinds[1],
        kinds=kinds[0],
        networks=networks[1],
        planned=len(every),
        planned_networks=len({about[key][0] for key in every}),
    )


def _numbered(names: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    """Different names in the order they come, and the place of each in that."""
    number = {name: place for place, name in enumerate(dict.fromkeys(names))}
    return tuple(number), np.array([number[name] for name in names], dtype=np.intp)


class Figures:
    """Every figure of every algorithm, and of every pair.

    Args:
        sessions: Who played what.
        columns: Numeric columns of the results.
        metrics: Which figures.
    """

    def __init__(
        self,
        sessions: Sessions,
        columns: Mapping[str, FloatArray],
        metrics: Sequence[Metric] = METRICS,
    ) -> None:
        self.sessions = sessions
        self.metrics = tuple(metrics)
        self._columns = columns
        self._tops = [metric.top(columns) for metric in metrics]
        self._bottoms = [metric.bottom(columns) for metric in metrics]
        everyone = np.arange(len(sessions.labels))
        self._own_tops, bottoms = self._sums(everyone, sessions.played, range(len(self.metrics)))
        self.own = self._measure(self._own_tops, bottoms, range(len(self.metrics)))
        """Figures of each algorithm over the sessions that it played."""
        self._drawn: dict[tuple[int, tuple[int, ...], bytes], FloatArray] = {}

    def __repr__(self) -> str:
        """Algorithms, sessions and clusters."""
        algorithms, sessions = self.sessions.played.shape
        return (
            f"<Figures of {algorithms} algorithms over {sessions} sessions, "
            f"{self.sessions.units} clusters>"
        )

    def pair(self, a: int, b: int) -> Measured:
        """Figures of two algorithms, in that order, over the sessions that both played.

        Args:
            a: Place of the first.
            b: Place of the second.
        """
        mine, others = self.sessions.played[a], self.sessions.played[b]
        if (mine == others).all():
            chosen = [a, b]
            return replace(
                self.own,
                values=self.own.values[chosen],
                parts=self.own.parts[chosen],
                loads=self.own.loads[chosen],
            )
        return self.together((a, b))

    def together(self, algorithms: Sequence[int], metrics: Sequence[int] | None = None) -> Measured:
        """Figures of several algorithms over the sessions that all of them played.

        Args:
            algorithms: Their places, in the order wanted.
            metrics: Which figures, by their place in ``self.metrics``; None: all.
        """
        metrics = range(len(self.metrics)) if metrics is None else metrics
        chosen = np.array(algorithms)
        played = np.stack([self.shared(algorithms)] * len(chosen))
        return self._measure(*self._sums(chosen, played, metrics), metrics)

    def shared(self, algorithms: Sequence[int]) -> Mask:
        """Which sessions all of them played to their end; none where there is no algorithm."""
        found: Mask = np.all(self.sessions.played[list(algorithms)], axis=0)
        return found if len(algorithms) else np.zeros_like(found)

    def over(self, chosen: Mask) -> Figures:
        """The same figures over some of the sessions.

        Args:
            chosen: Which, shape (sessions,).
        """
        return Figures(self.sessions.only(chosen), self._columns, self.metrics)

    def own_estimate(self, a: int, k: int, *, level: float) -> Estimate:
        """One figure of one algorithm, within what such a figure can be."""
        return self.own.estimate(a, k, level=level).within(*bounds_of(self.metrics[k]))

    def touched(self, a: int, k: int) -> int:
        """In how many clusters there was anything to count for a figure."""
        return int(np.count_nonzero(self._own_tops[a, k]))

    def most(self, a: int, k: int) -> tuple[str, float]:
        """The cluster with most of what a figure counts, and its share of all of it."""
        place, share = most_of(self._own_tops[a, k])
        return self.sessions.clusters[place], share

    def draw(
        self, algorithms: Sequence[int], metrics: Sequence[int], weights: FloatArray
    ) -> FloatArray:
        """As ``together``, in each resample: shape (resamples, algorithms, metrics).

        Args:
            algorithms: Their places, in the order wanted.
            metrics: Which figures, by their place in ``self.metrics``.
            weights: How often each resample drew each cluster, always the same.
        """
        shared = self.shared(algorithms)
        return np.stack([self._draw(a, shared, metrics, weights) for a in algorithms], axis=1)

    def _draw(
        self, a: int, played: Mask, metrics: Sequence[int], weights: FloatArray
    ) -> FloatArray:
        key = (a, tuple(metrics), played.tobytes())
        if key not in self._drawn:
            top, bottom = self._sums(np.array([a]), played[None], metrics)
            self._drawn[key] = ratio(weights @ top[0].T, weights @ bottom[0].T)
        return self._drawn[key]

    def _measure(self, top: FloatArray, bottom: FloatArray, metrics: Sequence[int]) -> Measured:
        return measure(top, bottom, is_rare=[self.metrics[k].is_rare for k in metrics])

    def _sums(
        self, algorithms: NDArray[np.intp], played: Mask, metrics: Sequence[int]
    ) -> tuple[FloatArray, FloatArray]:
        """Tops and bottoms by cluster, over the sessions of ``played``, a row for each."""
        places, sessions = self.sessions.places[algorithms], self.sessions
        top, bottom = (
            cluster_sums(
                np.stack([np.where(played, columns[k][places], 0.0) for k in metrics], axis=1),
                sessions.unit,
                sessions.units,
            )
            for columns in (self._tops, self._bottoms)
        )
        return top, bottom


def difference_of(
    pair: Measured, a: int, base: int, k: int, metric: Metric, *, level: float
) -> Estimate:
    """``a`` minus ``base`` in one figure, within what such a difference can be."""
    low, high = bounds_of(metric)
    return pair.difference(a, base, k, level=level).within(low - high, high - low)


def bounds_of(metric: Metric) -> tuple[float, float]:
    """Between what such a figure can be: a share is at most 1, and only a QoE may be negative."""
    return -math.inf if metric.is_score else 0.0, 1.0 if metric.unit == "%" else math.inf
