"""Figures by class of network, each with intervals over what is independent in the class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.analysis.metrics import Metric
from bench.analysis.pairing import Figures, Sessions
from bench.analysis.stats import Estimate
from bench.experiments.clusters import count_by_kind
from bench.experiments.results import Results


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFigures:
    """One class of networks."""

    kind: str
    networks: int
    units: Mapping[str, int]
    """Its clusters, how many of each kind."""
    figures: Mapping[str, Mapping[str, Estimate]]
    """Bitrate, stalled and every QoE, by metric and algorithm."""


def figures_by_class(
    results: Results, sessions: Sessions, level: float, metrics: Sequence[Metric]
) -> tuple[ClassFigures, ...]:
    """Figures over the networks of each class alone.

    Args:
        results: Where the numbers are.
        sessions: Of all classes.
        level: Of intervals.
        metrics: Figures there are; bitrate, stalls and every QoE are taken.
    """
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
