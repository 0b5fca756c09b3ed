"""Sessions of several algorithms, aligned: the same network, presentation and seed.

A figure of one algorithm is over the sessions that it played. A difference of two is
over the sessions that both played, so that it is always paired. Sessions that failed,
or are not there, count in neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from abr.media import FloatArray
from bench.analysis.metrics import METRICS, Metric
from bench.analysis.stats import Resampled, cluster_sums, weigh
from bench.experiments.clusters import cluster_of_row, count_by_kind
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
    planned_clusters: Mapping[str, int]
    """Clusters of those, how many of each kind."""

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
        chosen = self.kind == self.kinds.index(kind)
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
        planned_clusters=count_by_kind(about[key][2] for key in every),
    )


def _numbered(names: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    """Different names in the order they come, and the place of each in that."""
    number = {name: place for place, name in enumerate(dict.fromkeys(names))}
    return tuple(number), np.array([number[name] for name in names], dtype=np.intp)


class Figures:
    """Every figure of every algorithm, and of every resample of the clusters.

    All algorithms are resampled with the same weights (see ``bench.analysis.stats``).

    Args:
        sessions: Who played what.
        columns: Numeric columns of the results.
        weights: How often each resample drew each cluster, shape (resamples, units).
        metrics: Which figures.
    """

    def __init__(
        self,
        sessions: Sessions,
        columns: Mapping[str, FloatArray],
        weights: FloatArray,
        metrics: Sequence[Metric] = METRICS,
    ) -> None:
        self.sessions = sessions
        self.metrics = tuple(metrics)
        self._weights = weights
        self._tops = [metric.top(columns) for metric in metrics]
        self._bottoms = [metric.bottom(columns) for metric in metrics]
        self.own = self._resample(np.arange(len(sessions.labels)), sessions.played)
        """Figures of each algorithm over the sessions that it played."""

    def __repr__(self) -> str:
        """Algorithms, sessions and resamples."""
        algorithms, sessions = self.sessions.played.shape
        return (
            f"<Figures of {algorithms} algorithms over {sessions} sessions, "
            f"{len(self._weights)} resamples>"
        )

    def pair(self, a: int, b: int, metrics: Sequence[int] | None = None) -> Resampled:
        """Figures of two algorithms, in that order, over the sessions that both played.

        Args:
            a: Place of the first.
            b: Place of the second.
            metrics: Which figures, by their place in ``self.metrics``; None: all.
        """
        metrics = range(len(self.metrics)) if metrics is None else metrics
        mine, others = self.sessions.played[a], self.sessions.played[b]
        if (mine == others).all():
            rows, columns = np.array([[a], [b]]), np.array([metrics])
            return Resampled(
                values=self.own.values[rows, columns],
                samples=self.own.samples[:, rows, columns],
                units=(self.own.units[a], self.own.units[b]),
            )
        return self.together((a, b), metrics)

    def together(
        self, algorithms: Sequence[int], metrics: Sequence[int] | None = None
    ) -> Resampled:
        """Figures of several algorithms over the sessions that all of them played.

        Args:
            algorithms: Their places, in the order wanted.
            metrics: Which figures, by their place in ``self.metrics``; None: all.
        """
        chosen = np.array(algorithms)
        shared = self.sessions.played[chosen].all(axis=0)
        return self._resample(chosen, np.stack([shared] * len(chosen)), metrics)

    def _resample(
        self, algorithms: NDArray[np.intp], played: Mask, metrics: Sequence[int] | None = None
    ) -> Resampled:
        """Figures of ``algorithms`` over the sessions of ``played``, a row for each."""
        metrics = range(len(self.metrics)) if metrics is None else metrics
        places, sessions = self.sessions.places[algorithms], self.sessions
        top, bottom = (
            cluster_sums(
                np.stack([np.where(played, columns[k][places], 0.0) for k in metrics], axis=1),
                sessions.unit,
                sessions.units,
            )
            for columns in (self._tops, self._bottoms)
        )
        units = [len(np.unique(sessions.unit[mask])) for mask in played]
        return weigh(top, bottom, self._weights, units=units)
