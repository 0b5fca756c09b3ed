"""Algorithms that plan for a linear QoE of their own, and are judged by another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from abr.qoe import Additive
from bench.analysis.metrics import Metric

PLANNERS = frozenset({"mpc", "robust-mpc", "fast-mpc", "abrkit-policy"})
"""Built-in ones whose ``stall_weight`` is that of a linear QoE in Mbit/s; 0 is the ladder's."""
LINEAR = frozenset({"qoe_lin", "linear"})
APART = 1.5
"""Weights within this factor are alike: 4.3 of Pensieve's ladder and the 4.5 of another."""


def planned_otherwise(
    header: Mapping[str, Any], score: Metric
) -> dict[tuple[float, float], list[str]]:
    """Which algorithms planned for another price of stalls than a linear QoE has.

    Args:
        header: Of the results.
        score: The QoE.

    Returns:
        Labels by what a second stalled cost in their plans, and what it costs in that QoE on the
        ladder where the two are farthest apart. Empty for QoEs in other units.
    """
    if not isinstance(score.model, Additive) or score.name.partition(":")[0] not in LINEAR:
        return {}
    ladders = [np.array(each["ladder_bps"], float) for each in header.get("presentations", ())]
    counted = [score.model.weigh(ladder).stall for ladder in ladders]
    found: dict[tuple[float, float], list[str]] = {}
    for each in header.get("algorithms", ()):
        weight = float(each.get("params", {}).get("stall_weight", 0.0))
        if each.get("name") not in PLANNERS or weight <= 0 or not counted:
            continue
        farthest = max(counted, key=lambda cost: _apart(weight, cost))
        if _apart(weight, farthest) > APART:
            found.setdefault((weight, farthest), []).append(str(each["label"]))
    return found


def _apart(one: float, other: float) -> float:
    """How many times the lesser the greater is."""
    low, high = sorted((one, other))
    return high / low if low > 0 else np.inf
