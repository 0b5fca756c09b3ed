"""The edge as a web application: token, cache, fill, answer.

Every request passes the same steps: understand the path, check the token, look into
the index, join or start a fill when needed, answer. A refused request asks nothing of
the parent. What a client gets never depends on whether another one stays connected.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from aiohttp import web

from abr.errors import AbrError, InputError, PeerError, TokenError
from edge import policies
from edge.answers import (
    Field,
    answer_fields,
    error_body,
    error_fields,
    representation,
    with_cors,
)
from edge.body import DISK_OVERHEAD_BYTES, BodyStore, Spool
from edge.cachestatus import FIELD, CacheStatus, Forward, appended
from edge.collapse import Joined
from edge.config import EdgeConfig
from edge.filling import Fill, Filled, Fills
from edge.gate import Gate
from edge.index import CacheIndex, Hit, Miss, Stale
from edge.metrics import EdgeCollector
from edge.sending import INLINE_BYTES, Readable, read_inline, send_all, send_plan
from edge.sidecar import StoredObject, passable_headers
from edge.tally import Tally
from edge.upstream import Upstream, UpstreamResponse, wall_clock_s
from origin.cors import CORS, PREFLIGHT
from origin.httprules import Plan, joined, plan_response
from origin.paths import Target, object_path, parse_target
from origin.tokens import redact

LOG = logging.getLogger("edge")

MAX_REQUEST_BODY_BYTES = 64 << 10
"""Largest request body that is passed on."""

_NOT_FORWARDED = frozenset({"host", "content-length", "expect", "cookie"})


class Edge:
    """One edge: its cache, its keys and its counters."""

    def __init__(self, config: EdgeConfig, folder: Path, *, now: Callable[[], float]) -> None:
        self.config = config
        self.tally = Tally()
        self.index = CacheIndex(
            config.cache_bytes,
            policies.make(config.policy, capacity_bytes=config.cache_bytes),
            overhead_bytes=DISK_OVERHEAD_BYTES,
        )
        self._now = now
        self._store = BodyStore(folder, fsync=config.fsync)
        self._upstream = Upstream(config, now=now)
        self._gate = Gate(self._upstream.key_set, now=now, refresh_s=config.keys_refresh_s)
        self._fills = Fills(
            config,
            store=self._store,
            index=self.index,
            upstream=self._upstream,
            tally=self.tally,
            now=now,
        )
        self._metrics = EdgeCollector(
            tier=config.tier,
            name=config.name,
            tally=self.tally,
            index=self.index,
            fills_under_way=lambda: self._fills.under_way,
            disk_troubles=lambda: self._store.disk_troubles,
        )

    async def running(self, _app: web.Application) -> AsyncIterator[None]:
        """Open everything, and close it in the end; for ``cleanup_ctx``."""
        stored = await asyncio.to_thread(self._store.open)
        try:
            for each in stored:
                room = self.index.restore(each.entry())
                for key in (*room.evicted, *(() if room.granted else (each.key,))):
                    self._store.remove(key)
            await self._upstream.open()
            if self.config.require_token and not await self._gate.refresh():
                LOG.warning("no keys from the parent yet: %s", self._gate.trouble)
            yield
        finally:
            await self._fills.close()
            await self._upstream.close()
            self._store.close()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer any request."""
        try:
            return await self._handle(request)
        except TokenError as exc:
            self.tally.refusals[exc.reason] += 1
            return _error(exc.http_status, exc.reason, exc)
        except InputError as exc:
            return _error(exc.http_status, "bad-request", exc)
        except AbrError as exc:
            LOG.warning("%s", redact(str(exc)))
            timed_out = isinstance(exc, TimeoutError)
            return _error(504 if timed_out else exc.http_status, "parent-failed", exc)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if not self.config.require_token:
            return await self._plain(request)
        if request.method == "OPTIONS":
            return web.Response(status=204, headers=PREFLIGHT)
        target = parse_target(request.raw_path, request.headers.get("Authorization"))
        own = await self._own(target)
        if own is not None:
            return own
        if target.kind not in ("object", "key", "renew"):
            return _error(404, "not-found", InputError("nothing here; playback is at the origin"))
        methods = ("GET", "POST") if target.kind == "renew" else ("GET", "HEAD")
        if request.method not in methods:
            return _not_allowed(methods)
        await self._gate.admit(target)
        assert target.token is not None
        path = object_path(target.token, target.title, target.path)
        if target.kind == "object":
            return await self._object(request, target.cache_key, path)
        return await self._pass(request, path, "bypass")

    async def _plain(self, request: web.Request) -> web.StreamResponse:
        """A request to a reverse proxy that checks no tokens: the whole URL is the key."""
        own = await self._own(_own_target(request.raw_path))
        if own is not None:
            return own
        path = request.raw_path if request.raw_path.startswith("/") else "/"
        if request.method not in ("GET", "HEAD"):
            answer = await self._pass(request, path, "method")
            if request.method not in ("OPTIONS", "TRACE") and answer.status < 400:
                self._forget(path)  # RFC 9111 §4.4
            return answer
        return await self._object(
            request, path, path, authorized="Authorization" in request.headers
        )

    async def _own(self, target: Target) -> web.Response | None:
        """Answers about the edge itself; None when something else is asked for."""
        if target.kind == "metrics":
            kind = "text/plain; version=0.0.4; charset=utf-8"
            return web.Response(body=self._metrics.text(), headers={"Content-Type": kind})
        if target.kind == "healthz":
            return await self._health()
        if target.kind == "jwks" and self.config.require_token:
            keys = self._gate.jwks()
            if keys is None:
                await self._gate.refresh()
                keys = self._gate.jwks()
            if keys is None:
                raise PeerError(self._gate.trouble or "no keys yet")
            fields = dict(CORS) | {"Cache-Control": "max-age=60"}
            return web.json_response(keys, headers=fields)
        return None

    async def _health(self) -> web.Response:
        reachable = await self._upstream.is_reachable()
        able = self._gate.has_keys or not self.config.require_token
        facts = {
            "status": "ok" if able and reachable else "degraded",
            "name": self.config.name,
            "tier": self.config.tier,
            "parent": {"url": self._upstream.base, "reachable": reachable},
            "has_keys": self._gate.has_keys,
            "objects": len(self.index),
            "held_bytes": self.index.held_bytes,
            "capacity_bytes": self.index.capacity_bytes,
        }
        return web.json_response(facts, status=200 if able else 503)

    async def _object(
        self, request: web.Request, key: str, path: str, *, authorized: bool = False
    ) -> web.StreamResponse:
        self.tally.requests += 1
        found = self.index.lookup(key, now_s=self._now())
        held = None if isinstance(found, Miss) else self._store.objects.get(key)
        if isinstance(found, Hit) or (isinstance(found, Stale) and found.usable):
            status = self._status(hit=True, ttl_s=found.ttl_s)
            answer = held and await self._held(request, held, status, is_hit=True)
            if answer:
                if isinstance(found, Stale) and held is not None:
                    self.tally.served_stale += 1
                    self._fills.join(key, path, held=held, authorized=authorized).fill.leave()
                return answer
            self._drop(key)
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
        """Answer with what a fill brings, or with what is held should it bring nothing."""
        why: Forward = "uri-miss" if held is None else "stale"
        collapsed = not place.started
        can_salvage = isinstance(found, Stale) and found.salvageable
        try:
            filled = await place.fill.head()
        except PeerError as exc:
            answer = held and can_salvage and await self._salvage(request, held, found, None)
            if answer:
                LOG.warning("served stale: %s", redact(str(exc)))
                return answer
            raise
        if filled.confirmed is not None:
            status = self._status(fwd=why, fwd_status=304, collapsed=collapsed)
            answer = await self._held(request, filled.confirmed, status, is_hit=False)
            if answer:
                self.tally.revalidated += 1
                return answer
            self._drop(filled.confirmed.key)
            return await self._pass(request, path, why)
        if filled.status >= 500 and held and can_salvage:
            answer = await self._salvage(request, held, found, filled.status)
            if answer:
                return answer
        if filled.is_passed or (collapsed and not filled.shares):
            return await self._pass(request, path, why)
        self.tally.collapsed += collapsed
        status = self._status(fwd=why, stored=filled.stores, collapsed=collapsed)
        assert place.fill.spool is not None
        return await self._from_spool(request, place.fill.spool, filled, status)

    async def _salvage(
        self, request: web.Request, held: StoredObject, found: object, fwd_status: int | None
    ) -> web.StreamResponse | None:
        """Serve a stale object because the parent failed."""
        assert isinstance(found, Stale)
        status = self._status(
            hit=True, fwd_status=fwd_status, ttl_s=found.ttl_s, detail="parent-failed"
        )
        answer = await self._held(request, held, status, is_hit=True)
        if answer is not None:
            self.tally.served_stale += 1
        return answer

    async def _held(
        self, request: web.Request, held: StoredObject, status: CacheStatus, *, is_hit: bool
    ) -> web.StreamResponse | None:
        """Answer from the cache; None when the body is gone or damaged."""
        body = await self._store.read(held)
        if body is None:
            return None
        self.tally.hits += is_hit
        headers = joined(held.headers)
        plan = plan_response(
            request.method, request.headers.items(), representation(headers, held.size_bytes)
        )
        fields = answer_fields(
            held.headers,
            plan,
            age_s=held.entry().age_at(self._now()),
            status=status,
            cors=self.config.require_token,
        )
        try:
            return await self._send(request, body, plan, fields, is_whole=True, is_hit=is_hit)
        finally:
            body.close()

    async def _from_spool(
        self, request: web.Request, spool: Spool, filled: Filled, status: CacheStatus
    ) -> web.StreamResponse:
        """Answer with a body that is still arriving."""
        headers = joined(filled.headers)
        plan = None
        if filled.length_bytes is not None and filled.status == 200:
            held = representation(headers, filled.length_bytes)
            plan = plan_response(request.method, request.headers.items(), held)
        fields = answer_fields(
            filled.headers,
            plan,
            age_s=filled.age_s,
            status=status,
            cors=self.config.require_token,
        )
        if plan is not None:
            return await self._send(
                request, spool, plan, fields, is_whole=spool.is_done, is_hit=False
            )
        if filled.length_bytes is not None:
            fields.append(("Content-Length", str(filled.length_bytes)))
        response = web.StreamResponse(status=filled.status, headers=fields)
        await response.prepare(request)
        if request.method != "HEAD":
            await self._guarded(
                request,
                send_all(
                    request,
                    response,
                    spool,
                    limit_s=self.config.send_limit_s,
                    sent=lambda count: self._sent(count, is_hit=False),
                ),
            )
        return response

    async def _send(
        self,
        request: web.Request,
        body: Readable,
        plan: Plan,
        fields: list[Field],
        *,
        is_whole: bool,
        is_hit: bool,
    ) -> web.StreamResponse:
        """Carry out a plan: small whole bodies in one write, others from the file."""
        if not plan.body or (is_whole and plan.body_bytes <= INLINE_BYTES):
            data = read_inline(body, plan)
            self._sent(len(data), is_hit=is_hit)
            return web.Response(status=plan.status, headers=fields, body=data or None)
        response = web.StreamResponse(status=plan.status, headers=fields)
        await response.prepare(request)
        await self._guarded(
            request,
            send_plan(
                request,
                response,
                body,
                plan,
                limit_s=self.config.send_limit_s,
                sent=lambda count: self._sent(count, is_hit=is_hit),
            ),
        )
        return response

    async def _guarded(self, request: web.Request, sending: Awaitable[None]) -> None:
        """Send; on any trouble close the connection, so nobody takes a part for the whole."""
        try:
            await sending
        except BaseException as exc:
            if request.transport is not None:
                request.transport.close()
            if isinstance(exc, AbrError):
                LOG.warning("closed a connection half-way: %s", redact(str(exc)))
                raise ConnectionResetError("the body failed half-way") from exc
            raise

    async def _pass(self, request: web.Request, path: str, why: Forward) -> web.StreamResponse:
        """Hand a request to the parent as it is; nothing is stored or shared."""
        self.tally.passed += 1
        body = await request.content.read(MAX_REQUEST_BODY_BYTES + 1)
        if len(body) > MAX_REQUEST_BODY_BYTES:
            return _error(413, "too-large", InputError("request body over 64 KiB"))
        headers = [
            pair
            for pair in passable_headers(list(request.headers.items()))
            if pair[0].lower() not in _NOT_FORWARDED and self._may_forward(pair[0])
        ]
        async with self._upstream.ask(
            request.method, path, headers=headers, body=body or None
        ) as answer:
            return await self._passed(request, answer, self._status(fwd=why))

    async def _passed(
        self, request: web.Request, answer: UpstreamResponse, status: CacheStatus
    ) -> web.StreamResponse:
        passed = passable_headers(answer.headers)
        above = [value for name, value in passed if name.lower() == FIELD.lower()]
        fields = [pair for pair in passed if pair[0].lower() != FIELD.lower()]
        fields.append((FIELD, appended(", ".join(above), status)))
        if self.config.require_token:
            fields = with_cors(fields)
        response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=fields)
        await response.prepare(request)
        await self._guarded(request, _copy(answer, response))
        return response

    def _may_forward(self, name: str) -> bool:
        # With tokens, the path carries the permission; a bearer field would be a second copy.
        return not (self.config.require_token and name.lower() == "authorization")

    def _status(self, **facts: object) -> CacheStatus:
        return CacheStatus(cache=self.config.name, **facts)  # type: ignore[arg-type]  # as given

    def _sent(self, count: int, *, is_hit: bool) -> None:
        self.tally.sent_bytes += count
        if is_hit:
            self.tally.hit_bytes += count

    def _drop(self, key: str) -> None:
        """Forget an object that was found damaged."""
        self.tally.dropped += self._forget(key)

    def _forget(self, key: str) -> bool:
        self._store.remove(key)
        return self.index.remove(key)


EDGE = web.AppKey("edge", Edge)
"""Where ``make_app`` keeps its edge: ``app[EDGE].tally`` and so on."""


def make_app(
    config: EdgeConfig, *, cache_dir: Path, now: Callable[[], float] = wall_clock_s
) -> web.Application:
    """An edge in front of ``config.parent``.

    Args:
        config: Its settings.
        cache_dir: Folder for bodies; made when missing, kept when the edge stops.
        now: Seconds since the epoch.

    Raises:
        ConfigError: a setting cannot be used.
        ResourceError: at start-up, when another edge uses the folder.
    """
    edge = Edge(config.check(), cache_dir, now=now)
    app = web.Application()
    app[EDGE] = edge
    app.router.add_route("*", "/{anything:.*}", edge.handle)
    app.cleanup_ctx.append(edge.running)
    return app


async def _copy(answer: UpstreamResponse, response: web.StreamResponse) -> None:
    async for piece in answer.pieces():
        await response.write(piece)


def _own_target(raw_path: str) -> Target:
    path = raw_path.partition("?")[0]
    if path == "/healthz":
        return Target(kind="healthz")
    return Target(kind="metrics" if path == "/metrics" else "unknown")


def _error(status: int, word: str, error: AbrError) -> web.Response:
    return web.Response(
        status=status,
        headers=error_fields(error),
        body=error_body(word, redact(str(error))),
    )


def _not_allowed(methods: tuple[str, ...]) -> web.Response:
    error = InputError(f"only {', '.join(methods)} here")
    answer = _error(405, "method-not-allowed", error)
    answer.headers["Allow"] = ", ".join((*methods, "OPTIONS"))
    return answer
