"""Delivery of objects: from the cache, or from a fill under way.

Permission is decided before: this module lets ``edge.caching.decide`` say what is done with the
stored responses, joins or starts a fill if needed, and sends. What a client gets never depends on
another client staying connected.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from aiohttp import web

from abr.errors import PeerError, UpstreamTimeoutError
from edge.caching.answers import answer_fields, representation
from edge.caching.cachestatus import CacheStatus, Forward
from edge.caching.decide import Act, Decision, Rules, decide
from edge.caching.forwarding import passable_headers
from edge.caching.stored import StoredObject
from edge.caching.variants import Catalogue, vary_values
from edge.collapse import Joined
from edge.config import EdgeConfig
from edge.counters import Counters
from edge.index import CacheIndex
from edge.server.body import BodyStore
from edge.server.fill import Fill, Filled
from edge.server.filling import Fills
from edge.server.hotpath import HotObjects
from edge.server.passthrough import Passthrough
from edge.server.ranging import Ranging
from edge.server.spool import Spool
from edge.server.stocktaking import Stocktaking
from edge.server.upstream import UpstreamResponse
from edge.server.wanted import Wanted, fields_of_request, shown_to
from origin.httprules import ResponsePlan, join_fields, plan_response
from origin.server.answers import error_response
from origin.server.sending import send_plan, send_unplanned
from origin.server.verbatim import respond, send_interim
from origin.tokens.redaction import redact

LOG = logging.getLogger("abr.edge")

_NOT_OURS = 3
"""How often a request may wait for a fill that turns out to be of another variant."""


class Delivery:
    """Answers for objects."""

    def __init__(
        self,
        config: EdgeConfig,
        *,
        rules: Rules,
        index: CacheIndex,
        catalogue: Catalogue,
        store: BodyStore,
        stock: Stocktaking,
        fills: Fills,
        ranging: Ranging,
        passthrough: Passthrough,
        hot: HotObjects,
        counters: Counters,
        now: Callable[[], float],
    ) -> None:
        self._config = config
        self._rules = rules
        self._index = index
        self._catalogue = catalogue
        self._store = store
        self._stock = stock
        self.on_forget: Callable[[str], None] = lambda _base: None
        """Told each lookup key that ``forget_all`` is about to forget."""
        self._fills = fills
        self._ranging = ranging
        self._passthrough = passthrough
        self._hot = hot
        self._counters = counters
        self._now = now

    def __repr__(self) -> str:
        return f"<Delivery from {self._index!r} and {self._fills!r}>"

    def reconfigure(self, config: EdgeConfig, rules: Rules) -> None:
        """Use other settings from now on."""
        self._config, self._rules = config, rules

    async def answer(self, request: web.Request, wanted: Wanted) -> web.StreamResponse:
        """Answer a GET or HEAD for an object.

        Raises:
            AbrError: the parent was needed and failed; nothing was sent yet.
            ConnectionError: the client is gone, or got a part and was cut off.
        """
        self._counters.requests += 1
        for _ in range(_NOT_OURS):
            if self._stock.lacks(wanted.key):
                await self._stock.prepare(wanted.key)
            decision = self._decide(wanted)
            if decision.act is Act.FAIL:
                status = self._status(fwd=None, detail="only-if-cached")
                return error_response(
                    504, "not-stored", "nothing stored answers it", {"Cache-Status": str(status)}
                )
            held = decision.stored
            if held is not None and decision.act in (Act.USE, Act.USE_AND_VALIDATE):
                answer = await self._use(request, wanted, held, decision)
                if answer is not None:
                    return answer
                continue  # it was damaged, and is forgotten
            if self._rules.is_open and request.method == "HEAD":
                return await self._ask_head(request, wanted, decision)
            if held is None and self._fills.uncacheable.covers(wanted.key, now_s=self._now()):
                return await self._passthrough.forward(request, wanted, "bypass")
            if held is None:
                ranged = await self._ranging.answer(request, wanted)
                if ranged == "again":
                    continue
                if ranged != "whole":
                    return ranged
            place = self._fills.join(wanted, held=held)
            try:
                answer = await self._from_fill(request, wanted, place, decision)
            finally:
                place.fill.leave()
                if place.started:
                    place.fill.starter_left.set()
            if answer is not None:
                return answer
        return await self._passthrough.forward(request, wanted, "miss")

    async def answer_from(
        self, request: web.Request, stored: StoredObject, decision: Decision
    ) -> web.StreamResponse | None:
        """Answer with a stored response that another worker holds; None when its body is gone."""
        status = self._status(hit=True, ttl_s=decision.ttl_s)
        answer = await self._held(request, stored, status, is_hit=True)
        self._counters.requests += answer is not None
        return answer

    def _decide(self, wanted: Wanted) -> Decision:
        decision = decide(wanted.facts, self._catalogue.all_of(wanted.key), now_s=self._now())
        self._index.use(wanted.key if decision.stored is None else decision.stored.key)
        return decision

    async def _use(
        self, request: web.Request, wanted: Wanted, held: StoredObject, decision: Decision
    ) -> web.StreamResponse | None:
        """Answer with a stored response; None when its body is gone or damaged."""
        status = self._status(hit=True, ttl_s=decision.ttl_s)
        answer = await self._held(request, held, status, is_hit=True)
        if answer is None:
            self.drop(held)
            return None
        self._counters.served_stale += decision.ttl_s <= 0
        if decision.act is Act.USE_AND_VALIDATE:
            place = self._fills.join(wanted, held=held)
            place.fill.leave()
            if place.started:
                place.fill.starter_left.set()
        return answer

    async def _from_fill(
        self, request: web.Request, wanted: Wanted, place: Joined[Fill], decision: Decision
    ) -> web.StreamResponse | None:
        """Answer with the outcome of a fill, or with the stored response if the fill fails.

        Returns:
            None when the outcome is not for this request: it has to be decided again.
        """
        collapsed = not place.started
        try:
            async with asyncio.timeout(self._patience_s(decision)):
                filled = await place.fill.head(partial(_interim, request))
        except (PeerError, TimeoutError) as exc:
            answer = await self._stale_if_error(request, decision, None)
            if answer is None and not isinstance(exc, PeerError):
                raise UpstreamTimeoutError(f"{wanted.key}: the parent is late") from exc
            if answer is None:
                raise
            LOG.warning("served stale: %s", redact(str(exc)) or "the parent is late")
            return answer
        if filled.confirmed is not None:
            return await self._confirmed(request, wanted, filled, decision, collapsed=collapsed)
        if filled.status >= 500:
            answer = await self._stale_if_error(request, decision, filled.status)
            if answer is not None:
                return answer
        if filled.direct is not None and not collapsed:
            return await self._passthrough.relay(request, filled.direct, decision.why)
        if collapsed and not self._serves(filled, wanted):
            return await self._alone(request, wanted, filled, decision.why)
        self._counters.collapsed += collapsed
        if collapsed:
            filled = replace(filled, headers=filled.kept)
        status = self._status(fwd=decision.why, stored=filled.stores, collapsed=collapsed)
        assert place.fill.spool is not None
        return await self._from_spool(request, place.fill.spool, filled, status)

    def _patience_s(self, decision: Decision) -> float | None:
        """How long to wait for the parent: not for ever when a stale response will do."""
        can_do_without = decision.stored is not None and decision.may_serve_if_error
        return self._config.stale_wait_s if can_do_without else None

    async def _alone(
        self, request: web.Request, wanted: Wanted, filled: Filled, why: Forward
    ) -> web.StreamResponse | None:
        """Answer a request whose fill was of no use to it; None when another one may be."""
        if filled.shares and filled.direct is None:
            return None  # it is of another variant
        return await self._passthrough.forward(request, wanted, why)

    def _serves(self, filled: Filled, wanted: Wanted) -> bool:
        """Whether a request that did not cause a fill may be answered with its outcome."""
        names = [name for name, _ in filled.vary]
        same = vary_values(names, wanted.facts.fields) == filled.vary
        return filled.shares and filled.direct is None and same

    async def _confirmed(
        self,
        request: web.Request,
        wanted: Wanted,
        filled: Filled,
        decision: Decision,
        *,
        collapsed: bool,
    ) -> web.StreamResponse | None:
        """Answer with a stored response that the parent has confirmed."""
        assert filled.confirmed is not None
        status = self._status(fwd=decision.why, fwd_status=304, collapsed=collapsed)
        answer = await self._held(request, filled.confirmed, status, is_hit=False)
        if answer is not None:
            self._counters.revalidated += 1
            return answer
        self.drop(filled.confirmed)
        return await self._passthrough.forward(request, wanted, decision.why)

    async def _stale_if_error(
        self, request: web.Request, decision: Decision, fwd_status: int | None
    ) -> web.StreamResponse | None:
        """Serve a stale object because the parent failed (RFC 5861 §4)."""
        if decision.stored is None or not decision.may_serve_if_error:
            return None
        status = self._status(
            hit=True, fwd_status=fwd_status, ttl_s=decision.ttl_s, detail="parent-failed"
        )
        answer = await self._held(request, decision.stored, status, is_hit=True)
        if answer is not None:
            self._counters.served_stale += 1
        return answer

    async def _ask_head(
        self, request: web.Request, wanted: Wanted, decision: Decision
    ) -> web.StreamResponse:
        """Forward a HEAD; its answer renews what is stored (RFC 9111 §4.3.5)."""
        return await self._passthrough.forward(
            request, wanted, decision.why, on_head=partial(self._learn, decision.stored)
        )

    def _learn(self, held: StoredObject | None, answer: UpstreamResponse) -> None:
        if held is not None:
            self._fills.learn_from_head(held, answer)

    async def _held(
        self, request: web.Request, held: StoredObject, status: CacheStatus, *, is_hit: bool
    ) -> web.StreamResponse | None:
        """Answer from the cache; None when the body is gone or damaged."""
        body = await self._store.read(held)
        if body is None:
            return None
        self._counters.hits += is_hit
        now_s = self._now()
        plan = _plan(request, held.status, held.headers, held.size_bytes, now_s)
        fields = answer_fields(held.headers, plan, age_s=held.age_at(now_s), status=status)
        if status.hit and plan.status == 200 and request.method == "GET":
            ready = shown_to(None, fields, is_open=self._rules.is_open)
            self._hot.offer(held, ready, body.pieces(0, held.size_bytes)[0].file.fileno())
        fields = shown_to(request, fields, is_open=self._rules.is_open)
        try:
            return await send_plan(
                request,
                plan,
                body,
                fields=fields,
                limit_s=self._config.send_limit_s,
                on_sent=self._count_sent(is_hit=is_hit),
                make=self._make(plan.status, held.status, held.reason),
            )
        except OSError as exc:
            if isinstance(exc, ConnectionError):
                raise
            self._store.disk.trouble(exc)
            self.drop(held)
            raise ConnectionResetError("the disk failed half-way") from exc
        finally:
            body.close()

    async def _from_spool(
        self, request: web.Request, spool: Spool, filled: Filled, status: CacheStatus
    ) -> web.StreamResponse:
        """Answer with a body that is still arriving."""
        now_s = self._now()
        length, is_whole = filled.length_bytes, spool.is_done
        if length is None and is_whole:
            length = spool.written_bytes
        plan = None
        if length is not None:
            plan = _plan(request, filled.status, filled.headers, length, now_s)
        fields = answer_fields(filled.headers, plan, age_s=filled.age_s, status=status)
        fields = shown_to(request, fields, is_open=self._rules.is_open)
        limit_s, on_sent = self._config.send_limit_s, self._count_sent(is_hit=False)
        make = self._make(plan.status if plan else filled.status, filled.status, filled.reason)
        if plan is not None:
            return await send_plan(
                request, plan, spool, fields=fields, limit_s=limit_s, on_sent=on_sent, make=make
            )
        return await send_unplanned(
            request,
            filled.status,
            spool,
            fields=fields,
            limit_s=limit_s,
            on_sent=on_sent,
            make=make,
        )

    def _make(self, status: int, own: int, reason: str) -> Callable[..., web.StreamResponse]:
        phrase = reason if status == own else None
        return partial(respond, status, phrase, is_plain=self._rules.is_open)

    def _status(self, **facts: object) -> CacheStatus:
        return CacheStatus(cache=self._config.name, **facts)  # type: ignore[arg-type]  # as given

    def _count_sent(self, *, is_hit: bool) -> Callable[[int], None]:
        """A function that counts bytes sent."""

        def count_sent(count: int) -> None:
            self._counters.sent_bytes += count
            if is_hit:
                self._counters.hit_bytes += count

        return count_sent

    def drop(self, held: StoredObject) -> None:
        """Forget an object that was found damaged, unless a new copy has replaced it."""
        if self._store.body_of(held.key) == held.body:
            self._counters.dropped += self.forget(held.key)

    def forget(self, key: str) -> bool:
        """Remove one stored response; False when it was not held."""
        self._store.remove(key)
        return self._index.remove(key)

    def forget_all(self, base: str) -> int:
        """Remove every stored response under a lookup key; the number of them."""
        self.on_forget(base)
        self._fills.outdate(base)
        self._stock.outdate(base)
        return sum(self.forget(held.key) for held in self._catalogue.all_of(base))


def _plan(
    request: web.Request,
    status: int,
    headers: tuple[tuple[str, str], ...],
    size_bytes: int,
    now_s: float,
) -> ResponsePlan:
    """Which part of a response is sent; conditions and ranges are for a 200 only."""
    asked = fields_of_request(request) if status == 200 else []
    shown = representation(join_fields(headers), size_bytes, now_s=now_s)
    plan = plan_response(request.method, asked, shown, now_s=now_s)
    return plan if status == 200 else replace(plan, status=status)


def _interim(request: web.Request, status: int, reason: str, fields: list[tuple[str, str]]) -> None:
    send_interim(request, status, reason, passable_headers(fields))
