"""Algorithms that are told the network beforehand: whether they bound the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from abr.qoe import Additive
from bench.analysis.metrics import Metric
from player.bounds import why_no_bound

QOE = "qoe_lin"
LINEAR = "linear"


def why_unbounded(
    header: Mapping[str, Any], about: Mapping[str, Any], score: Metric | None = None
) -> str:
    """Why an algorithm that foresees the network is no upper bound in these results.

    Args:
        header: Of the results.
        about: The algorithm's entry there.
        score: The QoE that it should bound; what it plans for when None.

    Returns:
        Empty where it is a bound, and for algorithms that foresee nothing.
    """
    if not about.get("foresees"):
        return ""
    why = why_no_bound(str(header.get("preset", "abrkit")), header.get("player", {}))
    return why or ("" if score is None else _other_score(header, about, score))


def _other_score(header: Mapping[str, Any], about: Mapping[str, Any], score: Metric) -> str:
    """Its plan is for a linear QoE with the weights of its parameters."""
    params = about.get("params", {})
    planned = (float(params.get("stall_per_s", 4.3)), float(params.get("smooth_per_mbps", 1.0)))
    if score.model is None or not isinstance(score.model, Additive):
        weights = {(4.3, 1.0)} if score.name == QOE else set()
    elif score.name.partition(":")[0] in (QOE, LINEAR):
        ladders = [np.array(e["ladder_bps"], float) for e in header.get("presentations", ())]
        found = [score.model.weigh(ladder) for ladder in ladders]
        weights = {(each.stall, each.rise) for each in found}
    else:
        weights = set()
    if weights and all(np.allclose(each, planned) for each in weights):
        return ""
    return (
        f"it plans for a linear QoE with {planned[0]:g} per second stalled and {planned[1]:g} per "
        f"Mbit/s of change, not for {score.label}"
    )
