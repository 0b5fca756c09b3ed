"""Fetching from the parent: one task per fill, any number of readers.

A fill belongs to the edge and not to the client that caused it: clients come and go without
affecting it. The parent is asked once, without retries. The body is spooled to disk and can
be read at once; it counts as stored only when it is complete. Only a response that is of use to
nobody else goes straight to the one client that caused it, at that client's pace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from abr.errors import AbrError, UpstreamError, UpstreamTimeoutError
from edge.caching.decide import (
    Outcome,
    Rules,
    Uses,
    after_validation,
    conditions,
    confirms,
    head_confirms,
    judge,
)
from edge.caching.directives import CacheControl, control_of
from edge.caching.freshness import Freshness, assess
from edge.caching.hitformiss import HitForMiss
from edge.caching.purging import tags_of
from edge.caching.stored import StoredObject, VaryValue, storable_headers
from edge.caching.variants import Catalogue, variant_key, vary_values
from edge.collapse import Collapse, Joined
from edge.config import EdgeConfig
from edge.counters import Counters
from edge.index import CacheIndex
from edge.policies import EvictionPolicy
from edge.server.body import BodyStore
from edge.server.parents import ParentsClient
from edge.server.spool import Spool
from edge.server.upstream import UpstreamResponse
from edge.server.wanted import Wanted
from edge.server.wire import OnInterim
from origin.httpdate import http_date
from origin.httprules import join_fields
from origin.tokens import redact

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """Outcome of a fill, known as soon as the head of the parent's response has arrived."""

    status: int
    reason: str = ""
    headers: Headers = ()
    """Fields to answer with."""
    length_bytes: int | None = None
    direct: UpstreamResponse | None = None
    """The response itself, when it is of use to nobody but the request that caused it."""
    stores: bool = False
    """It will be stored once it is complete."""
    shares: bool = True
    """Waiting requests that ``vary`` selects may be answered with it."""
    vary: tuple[VaryValue, ...] = ()
    """Request fields that it depends on."""
    confirmed: StoredObject | None = None
    """The held object, which the parent confirmed (304)."""
    age_s: float = 0.0


class Fill:
    """One fetch under way and its readers; each reader calls ``leave`` once."""

    def __init__(self, key: str, base: str) -> None:
        self.key = key
        self.base = base
        """Lookup key of what is fetched."""
        self.is_outdated = False
        """What it fetches was changed meanwhile, so it is not stored."""
        self.spool: Spool | None = None
        """The body, from the head until the last user has left."""
        self.starter_left = asyncio.Event()
        """The request that caused the fill needs it no more."""
        self._users = 2  # the fetch itself, and the request that caused it
        self._head: asyncio.Future[Filled] = asyncio.get_running_loop().create_future()
        # Retrieve a failure that no reader waits for, or asyncio would log it.
        self._head.add_done_callback(lambda head: head.cancelled() or head.exception())
        self._interims: list[tuple[int, str, list[tuple[str, str]]]] = []
        self._listeners: list[OnInterim] = []

    def __repr__(self) -> str:
        state = "under way" if self._head.done() else "waits for its head"
        return f"<Fill {redact(self.key)}: {state}, {self._users} users>"

    async def head(self, on_interim: OnInterim | None = None) -> Filled:
        """Wait for the head of the response; cancelling this does not cancel the fill.

        Args:
            on_interim: Told about each informational response, those of the past first.

        Raises:
            AbrError: the fill failed before it arrived.
        """
        if on_interim is None:
            return await asyncio.shield(self._head)
        for interim in self._interims:
            on_interim(*interim)
        self._listeners.append(on_interim)
        try:
            return await asyncio.shield(self._head)
        finally:
            self._listeners.remove(on_interim)

    def add_interim(self, status: int, reason: str, fields: list[tuple[str, str]]) -> None:
        """Pass an informational response on to all who wait."""
        self._interims.append((status, reason, fields))
        for tell in tuple(self._listeners):
            tell(status, reason, fields)

    def enter(self) -> None:
        """Add a reader."""
        self._users += 1

    def leave(self) -> None:
        """Remove a reader; the last one closes the spool."""
        self._users -= 1
        if self._users == 0 and self.spool is not None:
            self.spool.close()

    def set_head(self, filled: Filled) -> None:
        """Wake all who wait for the head."""
        if not self._head.done():
            self._head.set_result(filled)

    def fail(self, error: AbrError) -> None:
        """Fail all who wait for the head, if it has not arrived."""
        if not self._head.done():
            self._head.set_exception(error)


@dataclass(slots=True)
class _Answer:
    """The parent's answer and what was made of it."""

    response: UpstreamResponse
    wanted: Wanted
    control: CacheControl
    fresh: Freshness
    uses: Uses
    headers: Headers
    vary: tuple[VaryValue, ...] = field(default=())


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

    def join(self, wanted: Wanted, *, held: StoredObject | None = None) -> Joined[Fill]:
        """The fill of ``wanted``: the one under way, or a new one; ``leave`` it when done.

        Args:
            wanted: What the parent is asked for, if this starts a fill.
            held: A stale object to validate, if there is one.
        """
        known = self._catalogue.secondary(wanted.key, wanted.facts.fields)
        key = variant_key(wanted.key, known)
        found = self._collapse.join(key)
        if found is not None:
            found.fill.enter()
            return found
        fill = Fill(key, wanted.key)
        self._fills.add(fill)
        self._counters.fills += 1
        task = asyncio.create_task(self._run(fill, wanted, held))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return self._collapse.start(key, fill)

    def make_room(self, policy: EvictionPolicy, *, capacity_bytes: int) -> None:
        """Go on with another eviction policy or size of the cache."""
        self._evict(self._index.change_policy(policy, capacity_bytes=capacity_bytes))

    async def close(self) -> None:
        """Cancel every fill and wait until all have cleaned up."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, fill: Fill, wanted: Wanted, held: StoredObject | None) -> None:
        try:
            async with asyncio.timeout(self._config.fill_limit_s) as limit:
                await self._fetch(fill, wanted, held, limit)
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

    async def _fetch(
        self, fill: Fill, wanted: Wanted, held: StoredObject | None, limit: asyncio.Timeout
    ) -> None:
        asking = [*wanted.asking, *conditions(held)]
        async with self._upstream.ask(
            "GET", wanted.target, headers=asking, on_interim=fill.add_interim, key=wanted.key
        ) as response:
            answer = self._read(response, wanted)
            if response.status == 304 and held is not None:
                fill.set_head(self._confirm(held, answer))
                return
            if held is not None:
                outcome = after_validation(response.status, stores=answer.uses.store)
                if outcome is Outcome.REPLACED:
                    self._forget(held.key)
            if answer.uses.is_for_one:
                self.uncacheable.note(wanted.key, now_s=self._now())
            else:
                self.uncacheable.forget(wanted.key)
            if not answer.uses.share:
                # Requests that come from now on could not be answered with it.
                self._collapse.finish(fill.key, fill)
            if answer.uses.store or (answer.uses.share and self._fits(response.length_bytes)):
                await self._spool(fill, answer)
            else:
                await self._hand_over(fill, answer, limit)

    def _read(self, response: UpstreamResponse, wanted: Wanted) -> _Answer:
        """What the head of a response means."""
        headers = join_fields(response.headers)
        control = control_of(headers, self._rules.targeted)
        fresh = assess(
            headers,
            control,
            asked_s=response.asked_s,
            arrived_s=response.arrived_s,
            status=response.status,
            defaults=self._rules.defaults,
        )
        uses = judge(
            wanted.facts,
            response.status,
            headers,
            control,
            fresh,
            length_bytes=response.length_bytes,
            rules=self._rules,
        )
        dropped = uses.dropped if self._rules.is_open else uses.dropped | {"set-cookie"}
        kept = storable_headers(response.headers, dropped=dropped if uses.store else frozenset())
        if "date" not in headers:  # RFC 9110 §6.6.1
            kept = (*kept, ("Date", http_date(int(response.arrived_s))))
        vary = vary_values(uses.vary, wanted.facts.fields)
        return _Answer(response, wanted, control, fresh, uses, kept, vary)

    def _filled(self, answer: _Answer, **more: object) -> Filled:
        response = answer.response
        return Filled(
            status=response.status,
            reason=response.reason,
            headers=answer.headers,
            length_bytes=response.length_bytes,
            shares=answer.uses.share,
            vary=answer.vary,
            age_s=answer.fresh.age_s,
            **more,  # type: ignore[arg-type]  # as given
        )

    async def _hand_over(self, fill: Fill, answer: _Answer, limit: asyncio.Timeout) -> None:
        """Let the request that caused the fill read the response itself."""
        limit.reschedule(None)  # from here on the client sets the pace, within its own limits
        fill.set_head(self._filled(answer, direct=answer.response))
        await fill.starter_left.wait()

    async def _spool(self, fill: Fill, answer: _Answer) -> None:
        length = answer.response.length_bytes
        stores = answer.uses.store
        reserved = stores and length is not None and self._reserve(fill.key, length)
        spool = fill.spool = self._store.spool()
        try:
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

    async def _keep(self, spool: Spool, answer: _Answer) -> None:
        """Store a complete spool, or release its reservation."""
        size_bytes = spool.written_bytes
        base = answer.wanted.key
        response = answer.response
        kept = None
        try:
            kept = await self._store.keep(
                spool,
                StoredObject(
                    key=variant_key(base, answer.vary),
                    body="",
                    size_bytes=size_bytes,
                    sha256=spool.sha256,
                    headers=answer.headers,
                    stored_s=response.arrived_s,
                    fresh=answer.fresh,
                    base=base,
                    status=response.status,
                    reason=response.reason,
                    vary=answer.vary,
                    tags=tags_of(answer.headers),
                ),
            )
        finally:
            if kept is None:
                self._index.release(size_bytes)
        if kept is not None:
            self._index.commit(kept.entry())
            self._evict(self._catalogue.add(kept))
            return
        if self._store.is_let_go:
            return
        # The disk holds less than the index assumes: make room for the next object.
        self._counters.not_stored += 1
        self._evict(self._index.shed(2 * size_bytes))

    def outdate(self, base: str) -> None:
        """Let no fill of a lookup key be stored or joined: what it fetches has changed."""
        for fill in self._fills:
            if fill.base == base:
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

    def _confirm(self, held: StoredObject, answer: _Answer) -> Filled:
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
