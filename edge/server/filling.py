"""Fetching from the parent: one task per fill, any number of readers.

A fill belongs to the edge and not to the client that caused it: clients come and go without
affecting it. The parent is asked once, without retries. The body is spooled to disk and can
be read at once; it counts as stored only when it is complete. Only a response that is of use to
nobody else goes straight to the one client that caused it, at that client's pace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from abr.errors import AbrError, UpstreamError, UpstreamTimeoutError
from edge.caching.decide import (
    Outcome,
    Rules,
    after_validation,
    conditions,
    confirms,
    head_confirms,
)
from edge.caching.directives import control_of
from edge.caching.freshness import assess
from edge.caching.hitformiss import HitForMiss
from edge.caching.parts import Window
from edge.caching.purging import Purge, tags_of
from edge.caching.stored import StoredObject
from edge.caching.variants import Catalogue, variant_key
from edge.collapse import Collapse, Joined
from edge.config import EdgeConfig
from edge.counters import Counters
from edge.index import CacheIndex
from edge.policies import EvictionPolicy
from edge.server.body import BodyStore
from edge.server.fill import Fill, Filled
from edge.server.parents import ParentsClient
from edge.server.reading import Answer, read_answer
from edge.server.spool import Spool
from edge.server.upstream import UpstreamResponse
from edge.server.wanted import Wanted
from origin.httprules import join_fields


class Fills:
    """All fills of one edge: ``join`` starts or joins one, ``close`` ends them."""

    def __init__(
        self,
        config: EdgeConfig,
        *,
        rules: Rules,
        store: BodyStore,
        index: CacheIndex,
        catalogue: Catalogue,
        upstream: ParentsClient,
        counters: Counters,
        now: Callable[[], float],
    ) -> None:
        self.uncacheable = HitForMiss(ttl_s=config.hit_for_miss_s)
        """Keys whose responses were of use to one client only."""
        self._config = config
        self._rules = rules
        self._store = store
        self._index = index
        self._catalogue = catalogue
        self._upstream = upstream
        self._counters = counters
        self._now = now
        self._collapse: Collapse[Fill] = Collapse()
        # Fills outlive the requests that start them and end independently of each other, so
        # they are kept here and not in a task group, which the first failure would cancel.
        self._tasks: set[asyncio.Task[None]] = set()
        self._fills: set[Fill] = set()

    def __repr__(self) -> str:
        return f"<Fills {self._collapse!r}>"

    def reconfigure(self, config: EdgeConfig, rules: Rules) -> None:
        """Use other settings from now on; fills under way keep their time limit."""
        self._config, self._rules = config, rules
        self.uncacheable.ttl_s = config.hit_for_miss_s

    @property
    def under_way(self) -> int:
        """Number of fills under way."""
        return len(self._collapse)

    def join(
        self,
        wanted: Wanted,
        *,
        held: StoredObject | None = None,
        window: Window | None = None,
        tag: str = "",
    ) -> Joined[Fill]:
        """The fill of ``wanted``: the one under way, or a new one; ``leave`` it when done.

        Args:
            wanted: What the parent is asked for, if this starts a fill.
            held: A stale object to validate, if there is one.
            window: The part that is asked for; None for the whole.
            tag: Strong entity tag of the representation that the part must be of.
        """
        key = self._fill_key(wanted, window)
        found = self._collapse.join(key)
        if found is not None:
            found.fill.enter()
            return found
        fill = Fill(key, wanted.key)
        self._fills.add(fill)
        self._counters.fills += 1
        asking = [*wanted.asking, *conditions(held)]
        if window is not None:
            asking += [("Range", str(window)), *([("If-Range", tag)] if tag else [])]
        task = asyncio.create_task(self._run(fill, wanted, held, window, asking))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return self._collapse.start(key, fill)

    def make_room(self, policy: EvictionPolicy, *, capacity_bytes: int) -> None:
        """Go on with another eviction policy or size of the cache."""
        self._evict(self._index.change_policy(policy, capacity_bytes=capacity_bytes))

    def _fill_key(self, wanted: Wanted, window: Window | None) -> str:
        known = self._catalogue.secondary(wanted.key, wanted.facts.fields)
        return variant_key(wanted.key, known, None if window is None else window.start)

    def will_hold(self, wanted: Wanted, window: Window) -> bool:
        """Whether the whole is being fetched, and will hold the part about as soon as a slice."""
        found = self._collapse.join(self._fill_key(wanted, None))
        spool = None if found is None else found.fill.spool
        if found is None or spool is None or found.fill.ignores_ranges:
            return found is not None
        return spool.written_bytes + 2 * self._config.slice_bytes > window.start

    async def close(self) -> None:
        """Cancel every fill and wait until all have cleaned up."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(
        self,
        fill: Fill,
        wanted: Wanted,
        held: StoredObject | None,
        window: Window | None,
        asking: list[tuple[str, str]],
    ) -> None:
        try:
            async with (
                asyncio.timeout(self._config.fill_limit_s) as limit,
                self._upstream.ask(
                    "GET",
                    wanted.target,
                    headers=asking,
                    on_interim=fill.add_interim,
                    key=wanted.key,
                ) as response,
            ):
                await self._take(
                    fill, read_answer(response, wanted, window, self._rules), held, limit
                )
        except AbrError as exc:
            self._counters.fills_failed += 1
            fill.fail(exc)
        except TimeoutError:
            self._counters.fills_failed += 1
            limit_s = self._config.fill_limit_s
            fill.fail(UpstreamTimeoutError(f"{fill.key}: not fetched within {limit_s:g} s"))
        finally:
            fill.fail(UpstreamError(f"{fill.key}: the edge stopped fetching it"))
            self._collapse.finish(fill.key, fill)
            self._fills.discard(fill)
            fill.leave()

    async def _take(
        self, fill: Fill, answer: Answer, held: StoredObject | None, limit: asyncio.Timeout
    ) -> None:
        """Do with an answer what it may be used for."""
        response, wanted = answer.response, answer.wanted
        if response.status == 304 and held is not None:
            fill.set_head(self._confirm(held, answer))
            return
        if held is not None:
            outcome = after_validation(response.status, stores=answer.uses.store)
            if outcome is Outcome.REPLACED:
                self._forget(held.key)
        fill.tags = tags_of(answer.kept)
        if answer.uses.is_for_one:
            if response.status != 416:  # which is about the range, not about the object
                self.uncacheable.note(wanted.key, now_s=self._now())
        else:
            self.uncacheable.forget(wanted.key)
        if not answer.uses.share:
            # Requests that come from now on could not be answered with it.
            self._collapse.finish(fill.key, fill)
        elif answer.part is None:
            self._offer_to_all(fill, wanted)
        if answer.uses.store or (answer.uses.share and self._fits(response.length_bytes)):
            await self._spool(fill, answer)
        else:
            await self._hand_over(fill, answer, limit)

    def _offer_to_all(self, fill: Fill, wanted: Wanted) -> None:
        """Let requests for the whole join a fill that was to fetch a part, and got the whole."""
        key = self._fill_key(wanted, None)
        fill.ignores_ranges = key != fill.key
        if fill.ignores_ranges and self._collapse.join(key) is None:
            self._collapse.finish(fill.key, fill)
            fill.key = key
            self._collapse.start(key, fill)

    def _filled(self, answer: Answer, **more: object) -> Filled:
        response = answer.response
        return Filled(
            status=response.status,
            reason=response.reason,
            headers=answer.headers,
            kept=answer.kept,
            length_bytes=response.length_bytes,
            shares=answer.uses.share,
            vary=answer.vary,
            part=answer.part,
            age_s=answer.fresh.age_s,
            **more,  # type: ignore[arg-type]  # as given
        )

    async def _hand_over(self, fill: Fill, answer: Answer, limit: asyncio.Timeout) -> None:
        """Let the request that caused the fill read the response itself."""
        limit.reschedule(None)  # from here on the client sets the pace, within its own limits
        fill.set_head(self._filled(answer, direct=answer.response))
        await fill.starter_left.wait()

    async def _spool(self, fill: Fill, answer: Answer) -> None:
        length = answer.response.length_bytes
        stores = answer.uses.store
        reserved = stores and length is not None and self._reserve(fill.key, length)
        spool = fill.spool = self._store.spool()
        try:
            if reserved and length and not spool.allocate(length):
                reserved = stores = False
                self._make_room(length)
            # Only with a length is it known now that there is room for all of it.
            fill.set_head(self._filled(answer, stores=reserved))
            await self._copy(fill.key, answer.response, spool)
            if stores and length is None:
                length = spool.written_bytes
                reserved = not fill.is_outdated and self._reserve(fill.key, length)
            if reserved and not fill.is_outdated:
                reserved = False  # _keep ends the reservation in any case
                await self._keep(spool, answer)
            spool.finish()
        except AbrError as exc:
            spool.fail(exc)
            raise
        except BaseException:
            spool.fail(UpstreamError(f"{fill.key}: the edge stopped fetching it"))
            raise
        finally:
            if reserved and length is not None:
                self._index.release(length)

    async def _copy(self, key: str, response: UpstreamResponse, spool: Spool) -> None:
        limit = self._config.max_object_bytes
        async for piece in response.pieces():
            spool.write(piece)
            self._counters.fetched_bytes += len(piece)
            if spool.written_bytes > limit:
                raise UpstreamError(f"{key}: over {limit} bytes; raise max_object_bytes")
        length = response.length_bytes
        if length is not None and spool.written_bytes != length:
            raise UpstreamError(f"{key}: ended after {spool.written_bytes} of {length} bytes")

    async def _keep(self, spool: Spool, answer: Answer) -> None:
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
            self._evict(self._catalogue.add(kept))
            if part is None:
                self.forget_parts(base)  # the whole is worth more
            return
        if self._store.is_let_go:
            return
        self._counters.not_stored += 1
        self._evict(self._index.shed(2 * size_bytes))  # for the next one: see _make_room

    def forget_parts(self, base: str) -> None:
        """Remove the parts that are stored under a lookup key."""
        for held in self._catalogue.all_of(base):
            if held.is_part:
                self._forget(held.key)

    def outdate(self, base: str) -> None:
        """Let no fill of a lookup key be stored or joined: what it fetches has changed."""
        for fill in self._fills:
            if fill.base == base:
                fill.is_outdated = True
                self._collapse.finish(fill.key, fill)

    def outdate_purged(self, purge: Purge) -> None:
        """Let nothing be stored that was asked for before a purge that selects it."""
        for fill in self._fills:
            if purge.selects(fill.base, fill.tags):
                fill.is_outdated = True
                self._collapse.finish(fill.key, fill)

    def learn_from_head(self, held: StoredObject, response: UpstreamResponse) -> None:
        """Renew or forget a held object after the answer to a HEAD (RFC 9111 §4.3.5)."""
        headers = join_fields(response.headers)
        if response.status == held.status:
            if head_confirms(held, headers):
                self.renew(held, response)
            else:
                self._forget(held.key)
        elif response.status == 304 and confirms(held, headers):
            self.renew(held, response)

    def _make_room(self, size_bytes: int) -> None:
        """Give a reservation back: the disk holds less than the index assumes."""
        self._index.release(size_bytes)
        self._counters.not_stored += 1
        self._evict(self._index.shed(2 * size_bytes))  # for the next object

    def _confirm(self, held: StoredObject, answer: Answer) -> Filled:
        """Renew a held object after a 304."""
        response = answer.response
        updated = held
        if confirms(held, join_fields(response.headers)):
            updated = self.renew(held, response)
        return Filled(
            status=304,
            headers=updated.headers,
            confirmed=updated,
            age_s=updated.age_at(self._now()),
            vary=updated.vary,
        )

    def renew(self, held: StoredObject, response: UpstreamResponse) -> StoredObject:
        """A held object with the fields of a newer response about it, held in its place."""
        control = control_of(join_fields(response.headers), self._rules.targeted)
        dropped = control.no_cache_fields | control.private_fields
        if not self._rules.is_open:
            dropped |= {"set-cookie"}
        merged = held.refresh(
            response.headers, stored_s=response.arrived_s, fresh=held.fresh, dropped=dropped
        )
        headers = join_fields(merged.headers)
        age = join_fields(response.headers).get("age")
        fresh = assess(
            headers if age is None else {**headers, "age": age},
            control_of(headers, self._rules.targeted),
            asked_s=response.asked_s,
            arrived_s=response.arrived_s,
            status=held.status,
            defaults=self._rules.defaults,
        )
        updated = replace(merged, fresh=fresh)
        if self._index.refresh(updated.entry()):
            self._store.confirm(updated)
        return updated

    def _fits(self, length_bytes: int | None) -> bool:
        return length_bytes is not None and length_bytes <= self._config.max_object_bytes

    def _reserve(self, key: str, size_bytes: int) -> bool:
        room = self._index.reserve(key, size_bytes)
        self._evict(room.evicted)
        if not room.granted:
            self._counters.not_stored += 1
        return room.granted

    def _evict(self, keys: tuple[str, ...]) -> None:
        self._counters.evictions += len(keys)
        for key in keys:
            self._index.remove(key)
            self._store.remove(key)

    def _forget(self, key: str) -> None:
        if self._index.remove(key):
            self._store.remove(key)
