"""What delivery costs: bytes by the tier that they left, times that tier's price.

A byte that a viewer gets costs the price of the viewer's tier; on a miss, also that of each tier
it came through. So every tier between a viewer and the holder adds its price once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge.tiers.topology import Topology

GB = 1e9
"""Bytes in the unit of prices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TierCost:
    """One line of the account."""

    tier: str
    sent_bytes: int
    cost: float


def account(sent_bytes: Mapping[str, int], topology: Topology) -> tuple[TierCost, ...]:
    """Bytes sent by each tier and what they cost, in the order of the topology.

    Raises:
        ConfigError: a tier is not in the topology.
    """
    for tier in sent_bytes:
        topology.rank(tier)
    return tuple(
        TierCost(
            tier=tier.name,
            sent_bytes=sent_bytes.get(tier.name, 0),
            cost=sent_bytes.get(tier.name, 0) / GB * tier.cost_per_gb,
        )
        for tier in topology.tiers
    )
