"""How often each object will be asked for at each edge, from what was asked for before.

Counts are exponentially weighted: a request of one half-life ago weighs half. An edge sees few
requests for most objects, its region sees many, so an edge's own counts are drawn towards the
region's shares, the more so the less its counts say. How much is estimated from the counts
themselves (empirical Bayes): the shares of edges are taken to be spread around the region's as
a Dirichlet distribution spreads, and the method of moments gives its concentration. A
premiere has no past: it starts with a share that somebody expects, until requests say otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

DAY_S = 86_400.0

_LEAST_WEIGHT = 0.01
"""A count that has faded below this is forgotten."""
_MOST_CONCENTRATION = 1e9
"""Edges that do not differ at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Premiere:
    """An object that nobody could ask for before."""

    key: str
    at_s: float
    """When it can first be asked for."""
    expected_share: float
    """Expected share of all requests of an edge, 0 to 1."""
    confidence_requests: float = 1000.0
    """The expectation weighs as much as so many requests of the region."""


class Popularity:
    """Counts of one region's edges.

    Args:
        half_life_s: A request this long ago weighs half of one now.
        most_keys: Keys kept for each edge; the least asked for are forgotten.
    """

    def __init__(self, *, half_life_s: float = 2 * DAY_S, most_keys: int = 200_000) -> None:
        if not half_life_s > 0 or most_keys < 1:
            raise ValueError("half_life_s and most_keys must be positive")
        self._half_life_s = half_life_s
        self._most_keys = most_keys
        self._counts: dict[str, dict[str, float]] = {}
        self._exposure_s: dict[str, float] = {}
        self._now_s = -math.inf
        self._concentration: float | None = None

    def __repr__(self) -> str:
        keys = sum(len(counts) for counts in self._counts.values())
        return f"<Popularity of {len(self._counts)} edges, {keys} counts>"

    def add(
        self, counts: Mapping[str, Mapping[str, int]], *, length_s: float, now_s: float
    ) -> None:
        """Add what each edge was asked for in the ``length_s`` before ``now_s``.

        All edges of the region at once, and at increasing times.

        Raises:
            ValueError: ``now_s`` is before that of an earlier call, or ``length_s`` not positive.
        """
        if now_s < self._now_s or not length_s > 0:
            raise ValueError("counts must be added in order of time, of a positive length")
        left = (
            0.0 if self._now_s == -math.inf else 0.5 ** ((now_s - self._now_s) / self._half_life_s)
        )
        self._now_s = now_s
        self._concentration = None
        for edge in self._counts.keys() | counts.keys():
            kept = {key: count * left for key, count in self._counts.get(edge, {}).items()}
            for key, count in counts.get(edge, {}).items():
                kept[key] = kept.get(key, 0.0) + count
            self._counts[edge] = self._bounded(kept)
            self._exposure_s[edge] = self._exposure_s.get(edge, 0.0) * left + length_s

    def counts(self, edge: str) -> Mapping[str, float]:
        """Weighted requests of one edge by key."""
        return MappingProxyType(self._counts.get(edge, {}))

    def shares(self, premieres: Iterable[Premiere] = ()) -> dict[str, float]:
        """Expected share of each key in the region's requests; they add up to about 1."""
        pooled: dict[str, float] = {}
        for counts in self._counts.values():
            for key, count in counts.items():
                pooled[key] = pooled.get(key, 0.0) + count
        total = sum(pooled.values())
        found = {key: count / total for key, count in pooled.items()} if total else {}
        for premiere in premieres:
            found[premiere.key] = self._share_of(premiere, pooled.get(premiere.key, 0.0), total)
        return found

    def concentration(self) -> float:
        """How alike the edges are: an edge's shares are worth as many requests of the region.

        Small when each edge has a taste of its own, large when all ask for the same.
        """
        if self._concentration is None:
            self._concentration = self._estimate_concentration()
        return self._concentration

    def _estimate_concentration(self) -> float:
        shares = self.shares()
        excess = expected = 0.0
        for counts in self._counts.values():
            total = sum(counts.values())
            if total <= 1:
                continue
            for key, share in shares.items():
                spread = total * share * (1 - share)
                excess += (counts.get(key, 0.0) - total * share) ** 2 - spread
                expected += spread * (total - 1)
        edges = len(self._counts)
        if edges < 2 or expected <= 0:
            return _MOST_CONCENTRATION
        # The shares were estimated from the same counts, which hides one edge's worth of spread.
        overlap = excess * edges / (edges - 1) / expected
        if overlap <= 1 / _MOST_CONCENTRATION:
            return _MOST_CONCENTRATION
        return max(0.0, 1 / min(1.0, overlap) - 1)

    def rates(self, edge: str, premieres: Iterable[Premiere] = ()) -> dict[str, float]:
        """Expected requests a day for each key at ``edge``; empty for an edge without requests."""
        counts = self._counts.get(edge, {})
        total, exposure_s = sum(counts.values()), self._exposure_s.get(edge, 0.0)
        if not total:
            return {}
        weight = self.concentration()
        per_day = total / exposure_s * DAY_S
        return {
            key: per_day * (counts.get(key, 0.0) + weight * share) / (total + weight)
            for key, share in self.shares(premieres).items()
        }

    def _share_of(self, premiere: Premiere, count: float, total: float) -> float:
        """The expectation, giving way to what was asked for since the premiere."""
        since_s = self._now_s - premiere.at_s
        seen = total * (1 - 0.5 ** (since_s / self._half_life_s)) if since_s > 0 else 0.0
        confidence = premiere.confidence_requests
        return (count + premiere.expected_share * confidence) / max(seen + confidence, 1e-9)

    def _bounded(self, counts: dict[str, float]) -> dict[str, float]:
        kept = {key: count for key, count in counts.items() if count >= _LEAST_WEIGHT}
        if len(kept) > self._most_keys:
            ranked = sorted(kept, key=lambda key: -kept[key])
            kept = {key: kept[key] for key in ranked[: self._most_keys]}
        return kept
