"""The index of a cache: which objects are held, how large and how fresh they are.

This module decides what is held, fresh or evicted. It knows nothing of files and HTTP and
reads no clock: callers pass ``now_s``, seconds since the epoch, so an index outlives the
process that wrote it. The same index serves HTTP and a simulation over a request trace.

Invariant: ``held_bytes + reserved_bytes <= capacity_bytes``, where every object is
charged its body plus ``overhead_bytes``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from edge.policies import EvictionPolicy
from edge.usecounts import UseCounts

SHED_RATIO = 0.05
"""Most of what is held that one ``shed`` evicts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One held object."""

    key: str
    size_bytes: int
    """Body bytes."""
    stored_s: float
    """When the response (or its latest validation) arrived."""
    age_s: float = 0.0
    """Its age on arrival."""
    lifetime_s: float = 0.0
    """How long it is fresh, counted from age 0."""
    stale_while_revalidate_s: float = 0.0
    """How long past that it may be served while a new copy is fetched."""
    stale_if_error_s: float = 0.0
    """How long past that it may be served when the parent fails."""

    def age_at(self, now_s: float) -> float:
        """Age at ``now_s`` in seconds; a clock that is set back makes nothing younger."""
        return self.age_s + max(0.0, now_s - self.stored_s)


class Hit(NamedTuple):  # made for every request: a third of a frozen dataclass's time
    """The object is held and fresh."""

    entry: Entry
    age_s: float
    ttl_s: float
    """Seconds of freshness left; above 0."""


class Stale(NamedTuple):
    """The object is held but no longer fresh: it is validated before or while it is served."""

    entry: Entry
    age_s: float
    ttl_s: float
    """Seconds of freshness left: 0 or below."""
    may_serve_while_revalidating: bool
    """It may be served now, while it is validated (RFC 5861 §3)."""
    may_serve_if_error: bool
    """It may be served if the parent fails (RFC 5861 §4)."""


class Miss(NamedTuple):
    """The object is not held."""

    key: str


@dataclass(frozen=True, slots=True)
class Room:
    """Result of a request for room: whether it is granted, and what was evicted for it."""

    granted: bool
    evicted: tuple[str, ...] = ()


class CacheIndex:
    """Objects held by one cache, bounded by bytes.

    Args:
        capacity_bytes: Most bytes charged in all.
        policy: Chooses what is evicted; used by this index only.
        overhead_bytes: Charged for every object on top of its body.
    """

    def __init__(
        self, capacity_bytes: int, policy: EvictionPolicy, *, overhead_bytes: int = 0
    ) -> None:
        if capacity_bytes < 0 or overhead_bytes < 0:
            raise ValueError("capacity_bytes and overhead_bytes must not be negative")
        self.capacity_bytes = capacity_bytes
        self._policy = policy
        self._overhead_bytes = overhead_bytes
        self.use_counts = UseCounts()
        """Requests by key since they were last taken, held or not."""
        self._entries: dict[str, Entry] = {}
        self._pinned: dict[str, None] = {}
        self._pinned_bytes = 0
        self._held_bytes = 0
        self._reserved_bytes = 0

    def __repr__(self) -> str:
        held = f"{len(self)} objects, {self._held_bytes} of {self.capacity_bytes} bytes"
        return f"<CacheIndex {held}, {self._reserved_bytes} reserved>"

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    @property
    def held_bytes(self) -> int:
        """Bytes charged to held objects."""
        return self._held_bytes

    @property
    def reserved_bytes(self) -> int:
        """Bytes charged to objects that are being filled."""
        return self._reserved_bytes

    @property
    def pinned_bytes(self) -> int:
        """Bytes charged to pinned objects."""
        return self._pinned_bytes

    @property
    def pinned_keys(self) -> tuple[str, ...]:
        """Keys of pinned objects, those pinned first at the start."""
        return tuple(self._pinned)

    def keys(self) -> tuple[str, ...]:
        """Keys of all held objects, in no particular order."""
        return tuple(self._entries)

    def entries(self) -> tuple[Entry, ...]:
        """All held objects, in no particular order."""
        return tuple(self._entries.values())

    def lookup(self, key: str, *, now_s: float) -> Hit | Stale | Miss:
        """Look ``key`` up; counts as a use of it."""
        self.use_counts.add(key)
        entry = self._entries.get(key)
        if entry is None:
            return Miss(key)
        if key not in self._pinned:
            self._policy.use(key)
        age_s = entry.age_s
        if now_s > entry.stored_s:  # a clock that is set back makes nothing younger
            age_s += now_s - entry.stored_s
        ttl_s = entry.lifetime_s - age_s
        if ttl_s > 0:
            return Hit(entry, age_s, ttl_s)
        return Stale(
            entry=entry,
            age_s=age_s,
            ttl_s=ttl_s,
            may_serve_while_revalidating=-ttl_s < entry.stale_while_revalidate_s,
            may_serve_if_error=-ttl_s < entry.stale_if_error_s,
        )

    def use(self, key: str, times: int = 1) -> bool:
        """Count requests that were answered without ``lookup``; False: the object is not held."""
        self.use_counts.add(key, times)
        if key not in self._entries:
            return False
        if key not in self._pinned:
            self._policy.use(key, times)
        return True

    def reserve(self, key: str, size_bytes: int) -> Room:
        """Make room for an object about to be filled, evicting as needed.

        An object that does not fit beside other reservations, or that the policy does
        not admit, is refused and nothing is evicted. A granted reservation ends with
        ``commit`` or ``release``.
        """
        cost = size_bytes + self._overhead_bytes
        if cost + self._reserved_bytes + self._pinned_bytes > self.capacity_bytes:
            return Room(granted=False)
        if key not in self._entries and not self._policy.admits(key, cost):
            return Room(granted=False)
        self._reserved_bytes += cost
        return Room(granted=True, evicted=self._shrink())

    def release(self, size_bytes: int) -> None:
        """Release a reservation of ``size_bytes`` that was not committed."""
        self._reserved_bytes -= size_bytes + self._overhead_bytes
        assert self._reserved_bytes >= 0, "released more than was reserved"

    def commit(self, entry: Entry) -> None:
        """Turn a reservation of ``entry.size_bytes`` into a held object.

        An object held under the same key before is replaced, and the new one keeps its
        place in the order of eviction.
        """
        self.release(entry.size_bytes)
        held = self._entries.get(entry.key)
        if held is None:
            self._hold(entry)
            return
        self._entries[entry.key] = entry
        self._held_bytes += entry.size_bytes - held.size_bytes
        if entry.key in self._pinned:
            self._pinned_bytes += entry.size_bytes - held.size_bytes
        else:
            self._policy.resize(entry.key, entry.size_bytes + self._overhead_bytes)

    def restore(self, entry: Entry) -> Room:
        """Hold an object found on disk at the start; earlier ones are evicted for lack of room.

        Restore the object to keep longest last. One larger than the cache, or held
        already, is refused.
        """
        cost = entry.size_bytes + self._overhead_bytes
        if entry.key in self._entries:
            return Room(granted=False)
        if cost + self._reserved_bytes + self._pinned_bytes > self.capacity_bytes:
            return Room(granted=False)
        evicted = self._evict_to(self.capacity_bytes - self._reserved_bytes - cost)
        self._hold(entry)
        return Room(granted=True, evicted=evicted)

    def refresh(self, entry: Entry) -> bool:
        """Replace the freshness of a held object of the same key and size; False: not held."""
        held = self._entries.get(entry.key)
        if held is None:
            return False
        self._entries[entry.key] = replace(entry, size_bytes=held.size_bytes)
        return True

    def remove(self, key: str) -> bool:
        """Forget an object; False when it was not held."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return False
        self._held_bytes -= entry.size_bytes + self._overhead_bytes
        if key in self._pinned:
            del self._pinned[key]
            self._pinned_bytes -= entry.size_bytes + self._overhead_bytes
        else:
            self._policy.remove(key)
        return True

    def pin(self, key: str) -> bool:
        """Keep a held object whatever the policy thinks of it; False: not held, or pinned.

        For what was filled ahead of demand. A pinned object leaves by ``remove`` only.
        """
        entry = self._entries.get(key)
        if entry is None or key in self._pinned:
            return False
        self._policy.remove(key)
        self._pinned[key] = None
        self._pinned_bytes += entry.size_bytes + self._overhead_bytes
        return True

    def unpin(self, key: str) -> bool:
        """Hand a pinned object to the policy, like one that is new; False: not pinned."""
        if key not in self._pinned:
            return False
        cost = self._entries[key].size_bytes + self._overhead_bytes
        del self._pinned[key]
        self._pinned_bytes -= cost
        self._policy.add(key, cost)
        return True

    def change_policy(self, policy: EvictionPolicy, *, capacity_bytes: int) -> tuple[str, ...]:
        """Go on with another policy or size; returns what was evicted because it is smaller.

        The new policy learns of what is held, the oldest first, but of no use before. What is
        pinned stays so, unless that alone would not fit.
        """
        if self._pinned_bytes + self._reserved_bytes > capacity_bytes:
            self._pinned.clear()
            self._pinned_bytes = 0
        for key, entry in self._entries.items():
            if key not in self._pinned:
                policy.add(key, entry.size_bytes + self._overhead_bytes)
        self._policy, self.capacity_bytes = policy, capacity_bytes
        return self._shrink()

    def shed(self, size_bytes: int) -> tuple[str, ...]:
        """Evict to free ``size_bytes``, for a disk that holds less than ``capacity_bytes``.

        One call evicts at most ``SHED_RATIO`` of what is held (but at least one object), so
        that one large object that does not fit costs the cache little.
        """
        most_bytes = int(self._held_bytes * SHED_RATIO)
        return self._evict_to(self._held_bytes - max(1, min(size_bytes, most_bytes)))

    def _hold(self, entry: Entry) -> None:
        self._entries[entry.key] = entry
        self._held_bytes += entry.size_bytes + self._overhead_bytes
        self._policy.add(entry.key, entry.size_bytes + self._overhead_bytes)

    def _shrink(self) -> tuple[str, ...]:
        return self._evict_to(self.capacity_bytes - self._reserved_bytes)

    def _evict_to(self, most_bytes: int) -> tuple[str, ...]:
        evicted = []
        while self._held_bytes > most_bytes and len(self._entries) > len(self._pinned):
            key = self._policy.evict()
            entry = self._entries.pop(key)
            self._held_bytes -= entry.size_bytes + self._overhead_bytes
            evicted.append(key)
        return tuple(evicted)
