"""A cache as it announces itself: where it stands, and how it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from edge.config import EdgeConfig
from edge.tiers.leases import MAX_TITLES, ServerState
from edge.tiers.topology import Server

TITLES_S = 30.0
"""Titles are counted anew after this; counting goes through all keys."""

HOLDS_OBJECTS = 8
"""A title with fewer stored objects is not announced."""


class Place:
    """One cache in the tree.

    Args:
        server: Where it stands.
        capacity_bps: Bits per second that count as full load.
        sent_bytes: Tells the body bytes sent since the start.
        keys: Tells the keys of stored objects.
    """

    def __init__(
        self,
        server: Server,
        *,
        capacity_bps: float,
        sent_bytes: Callable[[], int],
        keys: Callable[[], Iterable[str]],
    ) -> None:
        self.server = server
        self._capacity_bps = capacity_bps
        self._sent_bytes = sent_bytes
        self._keys = keys
        self._latest: tuple[float, int] | None = None
        self._load = 0.0
        self._titles: frozenset[str] = frozenset()
        self._counted_s = float("-inf")

    def __repr__(self) -> str:
        return f"<Place of {self.server.name}, load {self._load:.2f}, {len(self._titles)} titles>"

    def state(self, *, now_s: float, draining: bool) -> ServerState:
        """Its state now; the load is the mean since the state was asked for before."""
        sent = self._sent_bytes()
        if self._latest is not None and now_s > self._latest[0]:
            rate_bps = 8 * (sent - self._latest[1]) / (now_s - self._latest[0])
            self._load = min(1.0, max(0.0, rate_bps / self._capacity_bps))
        self._latest = (now_s, sent)
        if now_s - self._counted_s >= TITLES_S:
            self._counted_s = now_s
            self._titles = titles_of(self._keys())
        return ServerState(load=self._load, draining=draining, sent_bytes=sent, titles=self._titles)


def titles_of(keys: Iterable[str]) -> frozenset[str]:
    """Titles of which a good part is held, by keys as ``/<title>/<path>``; the most held ones."""
    counts = Counter(key.split("/", 2)[1] for key in keys if key.startswith("/"))
    return frozenset(
        title for title, count in counts.most_common(MAX_TITLES) if count >= HOLDS_OBJECTS
    )


def place_of(
    config: EdgeConfig, *, sent_bytes: Callable[[], int], keys: Callable[[], Iterable[str]]
) -> Place:
    """The place of the edge with these settings."""
    host = f"[{config.host}]" if ":" in config.host else config.host
    server = Server(
        name=config.name,
        tier=config.tier,
        address=config.public_url.rstrip("/") or f"http://{host}:{config.port}",
        region=config.region,
        zone=config.zone,
    )
    return Place(server, capacity_bps=config.capacity_bps, sent_bytes=sent_bytes, keys=keys)
