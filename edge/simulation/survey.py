"""What a request log holds: how many requests, how many objects of how many bytes.

Up to a million objects are counted exactly. Beyond, only a share of them is kept, chosen by a
hash of the key, and the totals are estimated from it: memory does not grow with the log.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from edge.simulation.requests import Request

MOST_KEPT = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFacts:
    """Totals of a request log."""

    requests: int
    requested_bytes: int
    objects: int
    """Different keys."""
    footprint_bytes: int
    """Sum of the sizes of all objects: a cache of this size would never evict."""
    is_estimate: bool
    """Objects and footprint are estimated from a sample of the keys."""
    length_s: float
    """From the earliest request to the latest."""


class Survey:
    """Adds up a request log; each object counts with the size it has first."""

    def __init__(self, most_kept: int = MOST_KEPT) -> None:
        self._most_kept = most_kept
        self._sizes: dict[int, int] = {}
        self._mask = 0  # objects are kept whose hash has none of these bits
        self._requests = self._requested_bytes = 0
        self._first_s, self._last_s = float("inf"), float("-inf")

    def __repr__(self) -> str:
        return f"<Survey of {self._requests} requests, {len(self._sizes)} objects kept>"

    def feed(self, requests: Iterable[Request]) -> None:
        """Add requests."""
        for t_s, key, size_bytes in requests:
            self._requests += 1
            self._requested_bytes += size_bytes
            self._first_s = min(self._first_s, t_s)
            self._last_s = max(self._last_s, t_s)
            mark = zlib.crc32(key.encode("utf-8", "surrogatepass"))
            if not mark & self._mask and mark not in self._sizes:
                self._sizes[mark] = size_bytes
                if len(self._sizes) > self._most_kept:
                    self._keep_half()

    def facts(self) -> LogFacts:
        """The totals so far."""
        scale = self._mask + 1
        return LogFacts(
            requests=self._requests,
            requested_bytes=self._requested_bytes,
            objects=len(self._sizes) * scale,
            footprint_bytes=sum(self._sizes.values()) * scale,
            is_estimate=scale > 1,
            length_s=max(0.0, self._last_s - self._first_s),
        )

    def _keep_half(self) -> None:
        self._mask = self._mask << 1 | 1
        self._sizes = {mark: size for mark, size in self._sizes.items() if not mark & self._mask}
