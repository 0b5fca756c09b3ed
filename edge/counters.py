"""Counters of one cache: requests, hits and bytes, and the ratios made of them.

Plain numbers, no clock and no exposition format. Hit ratios are counted over requests
for cacheable objects (GET and HEAD that passed the token check), never over keys,
renewals, refusals or health checks. A *hit* was answered from the cache's own copy
without waiting for the parent.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counters:
    """Counts of what a cache has done since it started."""

    requests: int = 0
    """Requests for cacheable objects."""
    hits: int = 0
    """Of those, answered from the cache without waiting for the parent."""
    collapsed: int = 0
    """Of those, answered by a fetch that another request caused."""
    revalidated: int = 0
    """Of those, answered from the cache after the parent confirmed it."""
    served_stale: int = 0
    """Of those, answered with a stale copy."""
    sent_bytes: int = 0
    """Body bytes sent for cacheable objects."""
    hit_bytes: int = 0
    """Of those, sent on hits."""
    fills: int = 0
    """Fetches from the parent that were started for cacheable objects."""
    fills_failed: int = 0
    """Of those, failed."""
    fetched_bytes: int = 0
    """Body bytes received from the parent for cacheable objects."""
    passed: int = 0
    """Requests passed through to the parent: keys, renewals, other methods."""
    shed: int = 0
    """Requests made in advance that were refused because viewers waited for others."""
    evictions: int = 0
    """Objects evicted to make room."""
    not_stored: int = 0
    """Complete objects that could have been stored but did not fit the disk or the policy."""
    dropped: int = 0
    """Stored objects that were found damaged or gone."""
    tokens_reused: int = 0
    """Uses after the first of tokens that ask for these to be noticed."""
    refusals: Counter[str] = field(default_factory=Counter)
    """Requests refused, by reason."""

    @property
    def hit_ratio(self) -> float:
        """Hits per request, 0 to 1; 0 before the first request."""
        return self.hits / self.requests if self.requests else 0.0

    @property
    def byte_hit_ratio(self) -> float:
        """Bytes sent on hits per byte sent, 0 to 1; 0 before the first byte."""
        return self.hit_bytes / self.sent_bytes if self.sent_bytes else 0.0
