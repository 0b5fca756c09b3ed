"""GreedyDual-Size-Frequency: what is small and often used stays longest.

Each object has the priority ``clock + uses / size``; the lowest leaves first, and the clock
rises to its priority, so that objects used long ago grow old. Many more requests hit than with
policies that are blind to sizes, but fewer bytes: in video it keeps low rungs.

Source: L. Cherkasova, "Improving WWW Proxies Performance with Greedy-Dual-Size-Frequency Caching
Policy", HP Laboratories report HPL-98-69R1, 1998; every miss costs the same here.

A use raises a priority and never lowers it, so a use only notes the new one: the heap learns
of it when the object comes up. A use takes constant time, an eviction logarithmic.
"""

from __future__ import annotations

import heapq

_SPARE_ENTRIES = 64
"""Entries of keys that are gone which the heap may always hold."""


class _Rank:
    """Where a held object stands."""

    __slots__ = ("born", "order", "priority", "size_bytes", "uses")

    def __init__(self, size_bytes: int, order: int) -> None:
        self.size_bytes = size_bytes
        self.uses = 1
        self.priority = 0.0
        self.order = self.born = order

    def __repr__(self) -> str:
        return f"<_Rank {self.priority:g}: {self.uses} uses of {self.size_bytes} bytes>"


class Gdsf:
    """Priorities of the objects of one cache; among equals, the older leaves first."""

    def __init__(self, _capacity_bytes: int = 0) -> None:
        self._ranks: dict[str, _Rank] = {}
        self._heap: list[tuple[float, int, str]] = []  # priority, order, key; may be out of date
        self._clock = 0.0
        self._order = 0

    def __repr__(self) -> str:
        return f"<Gdsf of {len(self._ranks)} keys, clock {self._clock:g}>"

    def admits(self, key: str, size_bytes: int) -> bool:
        """Every object is admitted."""
        return True

    def add(self, key: str, size_bytes: int) -> None:
        """``key`` gets the priority of one use."""
        self._order += 1
        rank = self._ranks[key] = _Rank(max(1, size_bytes), self._order)
        rank.priority = self._clock + 1 / rank.size_bytes
        if len(self._heap) > 2 * len(self._ranks) + _SPARE_ENTRIES:
            self._rebuild()
        else:
            heapq.heappush(self._heap, (rank.priority, rank.order, key))

    def use(self, key: str, times: int = 1) -> None:
        """Raise the priority of ``key``."""
        rank = self._ranks[key]
        self._order += 1
        rank.order = self._order
        rank.uses += times
        rank.priority = self._clock + rank.uses / rank.size_bytes

    def resize(self, key: str, size_bytes: int) -> None:
        """``key`` keeps its uses; a larger object has a lower priority."""
        uses = self._ranks[key].uses
        self.remove(key)
        self.add(key, size_bytes)
        if uses > 1:
            self.use(key, uses - 1)

    def remove(self, key: str) -> None:
        """Forget ``key``; its entry in the heap is dropped when it comes up."""
        del self._ranks[key]

    def evict(self) -> str:
        """Forget and return the key of the lowest priority; the clock rises to it."""
        while True:
            priority, order, key = heapq.heappop(self._heap)
            rank = self._ranks.get(key)
            if rank is None or order < rank.born:
                continue  # of a key that is gone, or that went and came back
            if order == rank.order:
                del self._ranks[key]
                self._clock = priority
                return key
            heapq.heappush(self._heap, (rank.priority, rank.order, key))

    def _rebuild(self) -> None:
        self._heap = [(rank.priority, rank.order, key) for key, rank in self._ranks.items()]
        heapq.heapify(self._heap)
