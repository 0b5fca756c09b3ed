"""What is kept of the parent's answers: reservations, stored responses, evictions."""

from __future__ import annotations

from dataclasses import replace

from edge.caching.decide import Rules
from edge.caching.directives import control_of
from edge.caching.freshness import assess
from edge.caching.purging import tags_of
from edge.caching.stored import StoredObject
from edge.caching.variants import Catalogue, variant_key
from edge.counters import Counters
from edge.index import CacheIndex
from edge.policies import EvictionPolicy
from edge.server.body import BodyStore
from edge.server.reading import Answer
from edge.server.spool import Spool
from edge.server.upstream import UpstreamResponse
from origin.httprules import join_fields


class Keeper:
    """Keeps index, files and catalogue of one edge in step."""

    def __init__(
        self,
        *,
        rules: Rules,
        store: BodyStore,
        index: CacheIndex,
        catalogue: Catalogue,
        counters: Counters,
    ) -> None:
        self.rules = rules
        self._store = store
        self._index = index
        self._catalogue = catalogue
        self._counters = counters

    def __repr__(self) -> str:
        return f"<Keeper of {self._index!r}>"

    def spool(self) -> Spool:
        """A new empty body."""
        return self._store.spool()

    def release(self, size_bytes: int) -> None:
        """Give a reservation back."""
        self._index.release(size_bytes)

    def reserve(self, key: str, size_bytes: int) -> bool:
        """Make room for a body, evicting others; False when it is not to be stored."""
        room = self._index.reserve(key, size_bytes)
        self.evict(room.evicted)
        if not room.granted:
            self._counters.not_stored += 1
        return room.granted

    def evict(self, keys: tuple[str, ...]) -> None:
        """Remove stored responses to make room."""
        self._counters.evictions += len(keys)
        for key in keys:
            self._index.remove(key)
            self._store.remove(key)

    def forget(self, key: str) -> None:
        """Remove a stored response."""
        if self._index.remove(key):
            self._store.remove(key)

    async def keep(self, spool: Spool, answer: Answer) -> None:
        """Store a complete spool, or release its reservation."""
        size_bytes = spool.written_bytes
        base, part, response = answer.wanted.key, answer.part, answer.response
        kept = None
        try:
            kept = await self._store.keep(
                spool,
                StoredObject(
                    key=variant_key(base, answer.vary, part.start if part else None),
                    body="",
                    size_bytes=size_bytes,
                    sha256=spool.sha256,
                    headers=answer.kept,
                    stored_s=response.arrived_s,
                    fresh=answer.fresh,
                    base=base,
                    status=200 if part else response.status,
                    reason="" if part else response.reason,
                    vary=answer.vary,
                    start_byte=part.start if part else 0,
                    total_bytes=part.total if part else None,
                    tags=tags_of(answer.headers),
                ),
            )
        finally:
            if kept is None:
                self._index.release(size_bytes)
        if kept is not None:
            self._index.commit(kept.entry())
            self.evict(self._catalogue.add(kept))
            if part is None:
                self.forget_parts(base)  # the whole is worth more
            return
        if self._store.is_let_go:
            return
        self._counters.not_stored += 1
        self._shed(size_bytes)

    def forget_parts(self, base: str) -> None:
        """Remove the parts that are stored under a lookup key."""
        for held in self._catalogue.all_of(base):
            if held.is_part:
                self.forget(held.key)

    def give_up(self, size_bytes: int) -> None:
        """Give a reservation back: the disk holds less than the index assumes."""
        self._index.release(size_bytes)
        self._counters.not_stored += 1
        self._shed(size_bytes)

    def _shed(self, size_bytes: int) -> None:
        """Make room for the next object, if the disk is full."""
        if self._store.disk.wants_shedding():
            self.evict(self._index.shed(2 * size_bytes))

    def renew(self, held: StoredObject, response: UpstreamResponse) -> StoredObject:
        """A held object with the fields of a newer response about it, held in its place."""
        control = control_of(join_fields(response.headers), self.rules.targeted)
        dropped = control.no_cache_fields | control.private_fields
        if not self.rules.is_open:
            dropped |= {"set-cookie"}
        merged = held.refresh(
            response.headers, stored_s=response.arrived_s, fresh=held.fresh, dropped=dropped
        )
        headers = join_fields(merged.headers)
        age = join_fields(response.headers).get("age")
        fresh = assess(
            headers if age is None else {**headers, "age": age},
            control_of(headers, self.rules.targeted),
            asked_s=response.asked_s,
            arrived_s=response.arrived_s,
            status=held.status,
            defaults=self.rules.defaults,
        )
        updated = replace(merged, fresh=fresh)
        if self._index.refresh(updated.entry()):
            self._store.confirm(updated)
        return updated

    def make_room(self, policy: EvictionPolicy, *, capacity_bytes: int) -> None:
        """Go on with another eviction policy or size of the cache."""
        self.evict(self._index.change_policy(policy, capacity_bytes=capacity_bytes))
