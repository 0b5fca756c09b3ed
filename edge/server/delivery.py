"""Delivery of objects: from the cache, or from a fill under way.

Permission is decided before: this module asks the index what is held, joins or starts a fill
if needed, and sends. What a client gets never depends on another client staying connected.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from aiohttp import web

from abr.errors import PeerError
from edge.caching.answers import answer_fields, representation
from edge.caching.cachestatus import CacheStatus, Forward
from edge.caching.stored import StoredObject
from edge.collapse import Joined
from edge.config import EdgeConfig
from edge.counters import Counters
from edge.index import CacheIndex, Hit, Miss, Stale
from edge.server.body import BodyStore
from edge.server.filling import Fill, Filled, Fills
from edge.server.passthrough import Passthrough
from edge.server.spool import Spool
from origin.httprules import join_fields, plan_response
from origin.server.sending import send_plan, send_unplanned
from origin.tokens import redact

LOG = logging.getLogger("abr.edge")


class Delivery:
    """Answers for objects."""

    def __init__(
        self,
        config: EdgeConfig,
        *,
        index: CacheIndex,
        store: BodyStore,
        fills: Fills,
        passthrough: Passthrough,
        counters: Counters,
        now: Callable[[], float],
    ) -> None:
        self._config = config
        self._index = index
        self._store = store
        self._fills = fills
        self._passthrough = passthrough
        self._counters = counters
        self._now = now

    def __repr__(self) -> str:
        return f"<Delivery from {self._index!r} and {self._fills!r}>"

    async def answer(
        self, request: web.Request, key: str, path: str, *, authorized: bool = False
    ) -> web.StreamResponse:
        """Answer a GET or HEAD for an object.

        Args:
            request: The request.
            key: Cache key.
            path: What to ask the parent for, if it must be asked.
            authorized: The request carries credentials that this edge does not check.

        Raises:
            AbrError: the parent was needed and failed; nothing was sent yet.
            ConnectionError: the client is gone, or got a part and was cut off.
        """
        self._counters.requests += 1
        found = self._index.lookup(key, now_s=self._now())
        held = None if isinstance(found, Miss) else self._store.objects.get(key)
        if isinstance(found, Hit) or (
            isinstance(found, Stale) and found.may_serve_while_revalidating
        ):
            status = self._status(hit=True, ttl_s=found.ttl_s)
            answer = held and await self._held(request, held, status, is_hit=True)
            if answer:
                if isinstance(found, Stale) and held is not None:
                    self._counters.served_stale += 1
                    self._fills.join(key, path, held=held, authorized=authorized).fill.leave()
                return answer
            self._drop(key, held)
            held = None
        place = self._fills.join(key, path, held=held, authorized=authorized)
        try:
            return await self._from_fill(request, path, place, found, held)
        finally:
            place.fill.leave()

    async def _from_fill(
        self,
        request: web.Request,
        path: str,
        place: Joined[Fill],
        found: Hit | Stale | Miss,
        held: StoredObject | None,
    ) -> web.StreamResponse:
        """Answer with the outcome of a fill, or with the held object if the fill fails."""
        why: Forward = "uri-miss" if held is None else "stale"
        collapsed = not place.started
        may_serve_stale = isinstance(found, Stale) and found.may_serve_if_error
        try:
            filled = await place.fill.head()
        except PeerError as exc:
            answer = (
                held
                and may_serve_stale
                and await self._serve_stale_if_error(request, held, found, None)
            )
            if answer:
                LOG.warning("served stale: %s", redact(str(exc)))
                return answer
            raise
        if filled.confirmed is not None:
            status = self._status(fwd=why, fwd_status=304, collapsed=collapsed)
            answer = await self._held(request, filled.confirmed, status, is_hit=False)
            if answer:
                self._counters.revalidated += 1
                return answer
            self._drop(filled.confirmed.key, filled.confirmed)
            return await self._passthrough.forward(request, path, why)
        if filled.status >= 500 and held and may_serve_stale:
            answer = await self._serve_stale_if_error(request, held, found, filled.status)
            if answer:
                return answer
        if filled.is_passed_through or (collapsed and not filled.shares):
            return await self._passthrough.forward(request, path, why)
        self._counters.collapsed += collapsed
        status = self._status(fwd=why, stored=filled.stores, collapsed=collapsed)
        assert place.fill.spool is not None
        return await self._from_spool(request, place.fill.spool, filled, status)

    async def _serve_stale_if_error(
        self, request: web.Request, held: StoredObject, found: object, fwd_status: int | None
    ) -> web.StreamResponse | None:
        """Serve a stale object because the parent failed (RFC 5861 §4)."""
        assert isinstance(found, Stale)
        status = self._status(
            hit=True, fwd_status=fwd_status, ttl_s=found.ttl_s, detail="parent-failed"
        )
        answer = await self._held(request, held, status, is_hit=True)
        if answer is not None:
            self._counters.served_stale += 1
        return answer

    async def _held(
        self, request: web.Request, held: StoredObject, status: CacheStatus, *, is_hit: bool
    ) -> web.StreamResponse | None:
        """Answer from the cache; None when the body is gone or damaged."""
        body = await self._store.read(held)
        if body is None:
            return None
        self._counters.hits += is_hit
        headers = join_fields(held.headers)
        now_s = self._now()
        plan = plan_response(
            request.method,
            request.headers.items(),
            representation(headers, held.size_bytes, now_s=now_s),
            now_s=now_s,
        )
        fields = answer_fields(
            held.headers,
            plan,
            age_s=held.entry().age_at(now_s),
            status=status,
        )
        try:
            return await send_plan(
                request,
                plan,
                body,
                fields=fields,
                limit_s=self._config.send_limit_s,
                on_sent=self._count_sent(is_hit=is_hit),
            )
        finally:
            body.close()

    async def _from_spool(
        self, request: web.Request, spool: Spool, filled: Filled, status: CacheStatus
    ) -> web.StreamResponse:
        """Answer with a body that is still arriving."""
        headers = join_fields(filled.headers)
        plan = None
        if filled.length_bytes is not None and filled.status == 200:
            now_s = self._now()
            held = representation(headers, filled.length_bytes, now_s=now_s)
            plan = plan_response(request.method, request.headers.items(), held, now_s=now_s)
        fields = answer_fields(
            filled.headers,
            plan,
            age_s=filled.age_s,
            status=status,
        )
        limit_s, on_sent = self._config.send_limit_s, self._count_sent(is_hit=False)
        if plan is not None:
            return await send_plan(
                request, plan, spool, fields=fields, limit_s=limit_s, on_sent=on_sent
            )
        if filled.length_bytes is not None:
            fields.append(("Content-Length", str(filled.length_bytes)))
        return await send_unplanned(
            request, filled.status, spool, fields=fields, limit_s=limit_s, on_sent=on_sent
        )

    def _status(self, **facts: object) -> CacheStatus:
        return CacheStatus(cache=self._config.name, **facts)  # type: ignore[arg-type]  # as given

    def _count_sent(self, *, is_hit: bool) -> Callable[[int], None]:
        """A function that counts bytes sent."""

        def count_sent(count: int) -> None:
            self._counters.sent_bytes += count
            if is_hit:
                self._counters.hit_bytes += count

        return count_sent

    def _drop(self, key: str, held: StoredObject | None) -> None:
        """Forget an object that was found damaged, unless a new copy has replaced it."""
        if self._store.objects.get(key) is held:
            self._counters.dropped += self.forget(key)

    def forget(self, key: str) -> bool:
        """Remove an object; False when it was not held."""
        self._store.remove(key)
        return self._index.remove(key)
