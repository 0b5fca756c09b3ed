"""Fetching from the parent: one task per fill, any number of readers.

A fill belongs to the edge and not to the client that caused it: clients come and go without
affecting it. The parent is asked once, without retries. The body is spooled to disk and can
be read at once; it counts as stored only when it is complete.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from abr.errors import AbrError, UpstreamError, UpstreamTimeoutError
from edge.caching.decide import Outcome, Request, Rules, Uses, after_validation, conditions, judge
from edge.caching.directives import CacheControl, control_of
from edge.caching.freshness import Defaults, Freshness, assess
from edge.caching.stored import StoredObject, storable_headers
from edge.collapse import Collapse, Joined
from edge.config import EdgeConfig
from edge.counters import Counters
from edge.index import CacheIndex
from edge.server.body import BodyStore
from edge.server.spool import Spool
from edge.server.upstream import Upstream, UpstreamResponse
from origin.httprules import join_fields
from origin.tokens import redact

_NOT_KEPT = frozenset({"set-cookie"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """Outcome of a fill, known as soon as the head of the parent's response has arrived."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    """Fields to answer with."""
    length_bytes: int | None = None
    is_passed_through: bool = False
    """The body is too large to spool: each request is passed through to the parent."""
    stores: bool = False
    """It will be stored once it is complete."""
    shares: bool = True
    """All waiting requests may be answered with it, or only the one that caused it."""
    confirmed: StoredObject | None = None
    """The held object, which the parent confirmed (304)."""
    age_s: float = 0.0


class Fill:
    """One fetch under way and its readers; each reader calls ``leave`` once."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.spool: Spool | None = None
        """The body, from the head until the last user has left."""
        self._users = 2  # the fetch itself, and the request that caused it
        self._head: asyncio.Future[Filled] = asyncio.get_running_loop().create_future()
        # Retrieve a failure that no reader waits for, or asyncio would log it.
        self._head.add_done_callback(lambda head: head.cancelled() or head.exception())

    def __repr__(self) -> str:
        state = "under way" if self._head.done() else "waits for its head"
        return f"<Fill {redact(self.key)}: {state}, {self._users} users>"

    async def head(self) -> Filled:
        """Wait for the head of the response; cancelling this does not cancel the fill.

        Raises:
            AbrError: the fill failed before it arrived.
        """
        return await asyncio.shield(self._head)

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


class Fills:
    """All fills of one edge: ``join`` starts or joins one, ``close`` ends them."""

    def __init__(
        self,
        config: EdgeConfig,
        *,
        store: BodyStore,
        index: CacheIndex,
        upstream: Upstream,
        counters: Counters,
        now: Callable[[], float],
    ) -> None:
        self._config = config
        self._store = store
        self._index = index
        self._upstream = upstream
        self._counters = counters
        self._now = now
        self._rules = Rules(
            max_object_bytes=config.max_object_bytes,
            defaults=Defaults(stale_if_error_s=config.stale_if_error_s),
        )
        self._collapse: Collapse[Fill] = Collapse()
        # Fills outlive the requests that start them and end independently of each other, so
        # they are kept here and not in a task group, which the first failure would cancel.
        self._tasks: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Fills {self._collapse!r}>"

    @property
    def under_way(self) -> int:
        """Number of fills under way."""
        return len(self._collapse)

    def join(
        self, key: str, target: str, *, held: StoredObject | None = None, authorized: bool = False
    ) -> Joined[Fill]:
        """The fill of ``key``: the one under way, or a new one; ``leave`` it when done.

        Args:
            key: Cache key.
            target: What to ask the parent for, if this starts a fill.
            held: A stale object to validate, if there is one.
            authorized: The request carries credentials that this edge does not check.
        """
        found = self._collapse.join(key)
        if found is not None:
            found.fill.enter()
            return found
        fill = Fill(key)
        self._counters.fills += 1
        task = asyncio.create_task(self._run(fill, target, held, authorized))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return self._collapse.start(key, fill)

    async def close(self) -> None:
        """Cancel every fill and wait until all have cleaned up."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(
        self, fill: Fill, target: str, held: StoredObject | None, authorized: bool
    ) -> None:
        try:
            async with asyncio.timeout(self._config.fill_limit_s):
                await self._fetch(fill, target, held, authorized)
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
            fill.leave()

    async def _fetch(
        self, fill: Fill, target: str, held: StoredObject | None, authorized: bool
    ) -> None:
        asking = [("Accept-Encoding", "identity"), *conditions(held)]
        async with self._upstream.ask("GET", target, headers=asking) as answer:
            headers = join_fields(answer.headers)
            control = control_of(headers)
            fresh = self._freshness(answer, headers, control)
            if answer.status == 304 and held is not None:
                fill.set_head(self._confirm(held, answer, fresh))
                return
            allowed = judge(
                Request(fields={}, has_credentials=authorized),
                answer.status,
                headers,
                control,
                fresh,
                length_bytes=answer.length_bytes,
                rules=self._rules,
            )
            if answer.length_bytes is None:
                allowed = replace(allowed, store=False)
            if (
                held is not None
                and after_validation(answer.status, stores=allowed.store) is Outcome.REPLACED
            ):
                self._forget(held.key)
            await self._spool(fill, answer, fresh, allowed)

    async def _spool(
        self, fill: Fill, answer: UpstreamResponse, fresh: Freshness, allowed: Uses
    ) -> None:
        length = answer.length_bytes
        headers = storable_headers(answer.headers, dropped=allowed.dropped | _NOT_KEPT)
        if length is not None and length > self._config.max_object_bytes:
            fill.set_head(Filled(status=answer.status, headers=headers, is_passed_through=True))
            return
        stores = allowed.store and length is not None and self._reserve(fill.key, length)
        spool = fill.spool = self._store.spool()
        try:
            fill.set_head(
                Filled(
                    status=answer.status,
                    headers=headers,
                    length_bytes=length,
                    stores=stores,
                    shares=allowed.share,
                    age_s=fresh.age_s,
                )
            )
            await self._copy(fill.key, answer, spool)
            if stores:
                stores = False  # _keep ends the reservation in any case
                await self._keep(fill.key, spool, headers, answer, fresh)
        except AbrError as exc:
            spool.fail(exc)
            raise
        except BaseException:
            spool.fail(UpstreamError(f"{fill.key}: the edge stopped fetching it"))
            raise
        finally:
            if stores and length is not None:
                self._index.release(length)

    async def _copy(self, key: str, answer: UpstreamResponse, spool: Spool) -> None:
        limit = self._config.max_object_bytes
        async for piece in answer.pieces():
            spool.write(piece)
            self._counters.fetched_bytes += len(piece)
            if spool.written_bytes > limit:
                raise UpstreamError(f"{key}: over {limit} bytes; raise max_object_bytes")
        length = answer.length_bytes
        if length is not None and spool.written_bytes != length:
            raise UpstreamError(f"{key}: ended after {spool.written_bytes} of {length} bytes")
        spool.finish()

    async def _keep(
        self,
        key: str,
        spool: Spool,
        headers: tuple[tuple[str, str], ...],
        answer: UpstreamResponse,
        fresh: Freshness,
    ) -> None:
        """Store a complete spool, or release its reservation."""
        size_bytes = spool.written_bytes
        kept = None
        try:
            kept = await self._store.keep(
                spool,
                StoredObject(
                    key=key,
                    body="",
                    size_bytes=size_bytes,
                    sha256=spool.sha256,
                    headers=headers,
                    stored_s=answer.arrived_s,
                    fresh=fresh,
                    status=answer.status,
                ),
            )
        finally:
            if kept is None:
                self._index.release(size_bytes)
        if kept is not None:
            self._index.commit(kept.entry())
            return
        # The disk holds less than the index assumes: make room for the next object.
        self._counters.not_stored += 1
        self._evict(self._index.shed(2 * size_bytes))

    def _confirm(self, held: StoredObject, answer: UpstreamResponse, fresh: Freshness) -> Filled:
        updated = held.refresh(answer.headers, stored_s=answer.arrived_s, fresh=fresh)
        if self._index.refresh(updated.entry()):
            self._store.confirm(updated)
        return Filled(status=304, headers=updated.headers, confirmed=updated, age_s=fresh.age_s)

    def _reserve(self, key: str, size_bytes: int) -> bool:
        room = self._index.reserve(key, size_bytes)
        self._evict(room.evicted)
        if not room.granted:
            self._counters.not_stored += 1
        return room.granted

    def _evict(self, keys: tuple[str, ...]) -> None:
        self._counters.evictions += len(keys)
        for key in keys:
            self._store.remove(key)

    def _forget(self, key: str) -> None:
        if self._index.remove(key):
            self._store.remove(key)

    def _freshness(
        self, answer: UpstreamResponse, headers: Mapping[str, str], control: CacheControl
    ) -> Freshness:
        return assess(
            headers,
            control,
            asked_s=answer.asked_s,
            arrived_s=answer.arrived_s,
            status=answer.status,
            defaults=self._rules.defaults,
        )
