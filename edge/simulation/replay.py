"""One cache fed with the requests of a log: the index that serves HTTP, without the HTTP.

An object that is not held is stored if the policy admits it, one that is held but no longer
fresh is validated and found unchanged, as segments are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from edge.index import CacheIndex, Entry, Hit, Miss
from edge.simulation.requests import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of the requests after the warm-up."""

    warm_up_requests: int
    """Requests before, which are not counted below."""
    requests: int
    hits: int
    """Answered from the cache without asking the parent."""
    validated: int
    """Answered from the cache after the parent had confirmed the object."""
    refused: int
    """Misses that were not stored: larger than the cache, or not admitted by the policy."""
    evicted: int
    """Objects evicted."""
    requested_bytes: int
    hit_bytes: int
    """Bytes that the parent did not have to send."""
    held_objects: int
    """At the end."""
    held_bytes: int

    @property
    def hit_ratio(self) -> float:
        """Share of requests answered without asking the parent; nan without requests."""
        return self.hits / self.requests if self.requests else math.nan

    @property
    def byte_hit_ratio(self) -> float:
        """Share of bytes that the parent did not have to send; nan without bytes."""
        return self.hit_bytes / self.requested_bytes if self.requested_bytes else math.nan


class Replay:
    """Feeds requests to an index and counts what becomes of them.

    Args:
        index: An empty index; used by this replay only.
        warm_up_requests: The first so many requests fill the cache and are not counted.
        lifetime_s: How long a stored or validated object is fresh.
    """

    def __init__(
        self, index: CacheIndex, *, warm_up_requests: int = 0, lifetime_s: float = math.inf
    ) -> None:
        self._index = index
        self._warm_up_left = self._warm_up_requests = warm_up_requests
        self._lifetime_s = lifetime_s
        self._requests = self._hits = self._validated = self._refused = self._evicted = 0
        self._requested_bytes = self._hit_bytes = 0

    def __repr__(self) -> str:
        return f"<Replay: {self._hits} hits of {self._requests} requests, {self._index!r}>"

    def feed(self, requests: Iterable[Request]) -> None:
        """Answer ``requests`` in their order."""
        waiting = iter(requests)
        if self._warm_up_left:
            self._answer(islice(waiting, self._warm_up_left))
            self._warm_up_left -= self._requests
            self._forget_counts()
        self._answer(waiting)

    def outcome(self) -> Outcome:
        """The counts so far."""
        return Outcome(
            warm_up_requests=self._warm_up_requests - self._warm_up_left,
            requests=self._requests,
            hits=self._hits,
            validated=self._validated,
            refused=self._refused,
            evicted=self._evicted,
            requested_bytes=self._requested_bytes,
            hit_bytes=self._hit_bytes,
            held_objects=len(self._index),
            held_bytes=self._index.held_bytes,
        )

    def _answer(self, requests: Iterator[Request]) -> None:
        lookup = self._index.lookup
        asked = hits = asked_bytes = hit_bytes = 0
        for t_s, key, size_bytes in requests:
            asked += 1
            asked_bytes += size_bytes
            found = lookup(key, now_s=t_s)
            if found.__class__ is Miss:
                self._store(t_s, key, size_bytes)
                continue
            hit_bytes += size_bytes
            if found.__class__ is Hit:
                hits += 1
            else:
                self._validated += 1
                self._index.refresh(self._entry(t_s, key, size_bytes))
        self._requests += asked
        self._hits += hits
        self._requested_bytes += asked_bytes
        self._hit_bytes += hit_bytes

    def _store(self, t_s: float, key: str, size_bytes: int) -> None:
        room = self._index.reserve(key, size_bytes)
        self._evicted += len(room.evicted)
        if room.granted:
            self._index.commit(self._entry(t_s, key, size_bytes))
        else:
            self._refused += 1

    def _entry(self, t_s: float, key: str, size_bytes: int) -> Entry:
        return Entry(key=key, size_bytes=size_bytes, stored_s=t_s, lifetime_s=self._lifetime_s)

    def _forget_counts(self) -> None:
        self._requests = self._hits = self._validated = self._refused = self._evicted = 0
        self._requested_bytes = self._hit_bytes = 0
