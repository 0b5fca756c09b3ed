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


class Ledger:
    """Bytes sent by every tier, from what its servers announce.

    A server announces what it sent since it started. When that is less than before it has
    started anew, and all of it counts.
    """

    def __init__(self) -> None:
        self._latest: dict[str, int] = {}
        self._sent: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"<Ledger of {len(self._latest)} servers, {sum(self._sent.values())} bytes>"

    def note(self, server: str, tier: str, sent_bytes: int) -> None:
        """Count what ``server`` sent since it announced itself before."""
        before = self._latest.get(server, 0)
        more = sent_bytes - before if sent_bytes >= before else sent_bytes
        self._latest[server] = sent_bytes
        self._sent[tier] = self._sent.get(tier, 0) + more

    def sent_bytes(self) -> dict[str, int]:
        """Bytes by tier."""
        return dict(self._sent)


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
