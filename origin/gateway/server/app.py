"""The web application of the playback service.

Endpoints::

    POST    /v1/playback                a session: URLs, token, place, heartbeats
    GET     /v1/titles                  what the account may watch
    GET     /v1/sessions                what plays on the account now
    POST    /v1/sessions/<id>/heartbeat keeps the place, and gives a fresh token
    DELETE  /v1/sessions/<id>           gives the place back
    GET, POST  /v1/revocations          for whoever holds the admin secret
    GET     /healthz  /metrics

A playback is asked for with the bearer of an account; heartbeats come with the session's token, so
they need nobody who knows accounts. While the state does not answer, heartbeats are accepted and
not noted; new sessions are refused at once.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import hdrs, web

from abr.errors import TokenError
from origin.config import ServerLimits
from origin.cors import PREFLIGHT
from origin.gateway.answers import (
    heartbeat_answer,
    is_within,
    playback_answer,
    session_entries,
    title_entry,
)
from origin.gateway.metrics import GatewayMetrics
from origin.gateway.ratelimit import RateLimit, bucket_of, client_address
from origin.gateway.refusals import GatewayRefusal, problem
from origin.gateway.routes import MAX_BODY_BYTES, METHODS, Route, parse_route, parse_wish
from origin.gateway.server.asking import Asking
from origin.gateway.server.guard import DependencyError
from origin.gateway.server.revoking import Revoking
from origin.gateway.server.service import Service
from origin.gateway.sessions import Session
from origin.server.answers import json_response, method_response, metrics_response
from origin.server.connection import show
from origin.server.httpserver import make_application
from origin.tokens.carriage import bearer_secret
from origin.tokens.permission import Permission

LOGGER = logging.getLogger("abr.gateway")

SWEEP_S = 60.0
"""What has ended is forgotten this often."""

_CHEAP = 0.1
"""Of a playback, what any other request counts for in the limit of an address."""


def make_app(service: Service, *, limits: ServerLimits | None = None) -> web.Application:
    """The playback service as an application; serve it with ``httpserver.listening``."""
    gateway = Gateway(service)
    app = make_application(
        gateway.answer, limits=limits or ServerLimits(), client_max_bytes=MAX_BODY_BYTES
    )
    app[GATEWAY] = gateway

    async def run(_app: web.Application) -> AsyncIterator[None]:
        async with gateway.running():
            yield

    app.cleanup_ctx.append(run)
    return app


@asynccontextmanager
async def serving(service: Service) -> AsyncIterator[Gateway]:
    """The playback service as part of another application, which calls its ``answer``."""
    gateway = Gateway(service)
    async with gateway.running():
        yield gateway


class Gateway:
    """Answers requests."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.metrics: GatewayMetrics = service.metrics
        self._config = service.config
        self._revoking = Revoking(service)
        self._by_address = RateLimit(service.config.address_rate)
        self._by_account = RateLimit(service.config.account_rate)

    def __repr__(self) -> str:
        return f"<Gateway of {self.service!r}>"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request and count it."""
        begin = time.perf_counter()
        name, status = "unknown", 499
        try:
            route = parse_route(request.raw_path)
            if route is not None:
                name = route.name
                show(request, route.shown)
            response = await self._dispatch(request, route)
            status = response.status
        except TokenError as exc:
            response = self._refused(_as_refusal(exc))
            status = response.status
        except GatewayRefusal as exc:
            response = self._refused(exc)
            status = response.status
        finally:
            self.metrics.count_response(name, status, seconds=time.perf_counter() - begin)
        return response

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While it is open, what has ended is forgotten now and then; afterwards all is closed."""
        await self.service.open()
        sweeper = asyncio.create_task(self._sweep())
        try:
            yield
        finally:
            sweeper.cancel()
            await asyncio.gather(sweeper, return_exceptions=True)
            await self.service.close()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            try:
                await self.service.sweep()
            except DependencyError as exc:
                LOGGER.info("%s", exc)

    async def _dispatch(self, request: web.Request, route: Route | None) -> web.StreamResponse:
        if request.method == "OPTIONS":
            return web.Response(status=204, headers=dict(PREFLIGHT) | _DELETE_TOO)
        if route is None:
            raise GatewayRefusal("not-found")
        if request.method not in METHODS[route.name]:
            return method_response(METHODS[route.name])
        if route.name not in {"healthz", "metrics"}:
            self._limit_address(request, 1.0 if route.name == "playback" else _CHEAP)
        handlers: dict[str, _Handler] = {
            "playback": self._playback,
            "titles": self._titles,
            "sessions": self._sessions,
            "session": self._end,
            "heartbeat": self._heartbeat,
            "revocations": self._revoking.answer,
            "healthz": self._healthz,
            "metrics": self._metrics,
        }
        return await handlers[route.name](request, route)

    async def _playback(self, request: web.Request, _route: Route) -> web.StreamResponse:
        wish = parse_wish(await _body(request))
        ask = self.service.asking()  # what a client takes to send its body is its own time
        device = wish.device or self.service.make_id()
        account = await ask.account(_bearer(request), device=device)
        wait_s = self._by_account.wait_s(account.name, now_s=_now_s())
        if wait_s:
            raise _too_many(wait_s, "of this account")
        if account.is_blocked:
            raise GatewayRefusal("account-blocked")
        index = await ask.index(wish.title)
        if not account.plan.includes(wish.title):
            raise GatewayRefusal("not-in-plan")
        if not is_within(index, account.plan.height):
            raise GatewayRefusal("too-tall")
        session = await ask.session(account, index=index, device=device)
        token = self.service.issue(session, account)
        return json_response(
            playback_answer(
                session,
                index,
                token,
                max_height=account.plan.height,
                base=self._config.public_base,
                player=wish.player,
                is_steered=self._config.steering,
                rules=self._config.leases,
                now_s=self.service.now_s(),
            )
        )

    async def _titles(self, request: web.Request, _route: Route) -> web.StreamResponse:
        ask = self.service.asking()
        account = await ask.account(_bearer(request), device="")
        plan = account.plan
        found = [
            title_entry(index, max_height=plan.height)
            for index in await ask.indexes()
            if plan.includes(index.title)
        ]
        return json_response({"titles": found})

    async def _sessions(self, request: web.Request, _route: Route) -> web.StreamResponse:
        ask = self.service.asking()
        account = await ask.account(_bearer(request), device="")
        running = await ask.running(account)
        return json_response(
            {"sessions": session_entries(running), "streams": account.plan.streams}
        )

    async def _heartbeat(self, request: web.Request, route: Route) -> web.StreamResponse:
        ask = self.service.asking()
        permission = await self._token_of(request, route.session, ask)
        session: Session | None = None
        try:
            session = await ask.beat(route.session, permission.account)
        except DependencyError:
            self.metrics.count_unnoted()
        token = self.service.renew(permission)
        rules, now_s = self._config.leases, self.service.now_s()
        return json_response(heartbeat_answer(permission, session, token, rules=rules, now_s=now_s))

    async def _end(self, request: web.Request, route: Route) -> web.StreamResponse:
        ask = self.service.asking()
        bearer = _bearer(request)
        try:
            tag = (await self._token_of(request, route.session, ask)).account
        except TokenError as exc:
            if exc.reason not in {"missing", "malformed", "unknown-key"}:
                raise
            # Whoever holds the account may end what plays on another device.
            tag = self.service.tag(await ask.account(bearer, device=""))
        await ask.end(route.session, tag)
        return web.Response(status=204, headers={"Cache-Control": "no-store"})

    async def _healthz(self, _request: web.Request, _route: Route) -> web.StreamResponse:
        asked = self.service.dependencies()
        is_well = all(state == "closed" for state in asked.values())
        return json_response(
            {
                "status": "ok" if is_well else "degraded",
                "role": "gateway",
                "dependencies": asked,
            }
        )

    async def _metrics(self, _request: web.Request, _route: Route) -> web.StreamResponse:
        return metrics_response(self.metrics.text())

    async def _token_of(self, request: web.Request, session: str, ask: Asking) -> Permission:
        """What the token of a request says, if it is one of this session that counts."""
        token = _bearer(request)
        permission = self.service.read_token(token)
        if permission.session != session:
            raise GatewayRefusal("not-yours")
        try:
            self.service.check_token(token, permission)
        except TokenError as exc:
            if exc.reason != "revoked":
                raise
            why = await ask.why_closed(session, permission.account)
            raise GatewayRefusal(why or "session-revoked") from exc
        return permission

    def _limit_address(self, request: web.Request, cost: float) -> None:
        forwarded = ",".join(request.headers.getall("X-Forwarded-For", ()))
        address = client_address(request.remote or "", forwarded, self._config.proxies)
        wait_s = self._by_address.wait_s(bucket_of(address), now_s=_now_s(), cost=cost)
        if wait_s:
            raise _too_many(wait_s, "from this address")

    def _refused(self, refusal: GatewayRefusal) -> web.Response:
        self.metrics.count_refusal(refusal.word)
        response = json_response(problem(refusal), status=refusal.status)
        response.content_type = "application/problem+json"
        response.headers["Abr-Refusal"] = refusal.word
        if refusal.status == 401:
            response.headers[hdrs.WWW_AUTHENTICATE] = "Bearer"
        if refusal.retry_after_s is not None:
            response.headers[hdrs.RETRY_AFTER] = str(refusal.retry_after_s)
        return response


_Handler = Callable[[web.Request, Route], Awaitable[web.StreamResponse]]
GATEWAY = web.AppKey("gateway", Gateway)
_DELETE_TOO = {"Access-Control-Allow-Methods": "GET, HEAD, POST, DELETE, OPTIONS"}


async def _body(request: web.Request) -> bytes:
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        body = bytes(MAX_BODY_BYTES + 1)
    if len(body) > MAX_BODY_BYTES:
        raise GatewayRefusal("bad-request", f"body: over {MAX_BODY_BYTES} bytes")
    return body


def _bearer(request: web.Request) -> str | None:
    return bearer_secret(request.headers.get(hdrs.AUTHORIZATION))


def _as_refusal(exc: TokenError) -> GatewayRefusal:
    """A token of a session that is refused, in the words of this service."""
    if exc.reason == "session-over":
        return GatewayRefusal("session-over")
    if exc.reason == "missing":  # its remedy is that of a server of titles
        text = "no token was given; send that of the session as `Authorization: Bearer ...`"
    elif exc.reason == "revoked":
        text = "the session's token was revoked; ask POST /v1/playback for a new session"
    else:
        text = f"the session's token: {exc}"
    return GatewayRefusal("bad-token", text, facts={"reason": exc.reason})


def _too_many(wait_s: float, whose: str) -> GatewayRefusal:
    seconds = max(1, int(wait_s + 0.999))
    return GatewayRefusal(
        "too-many-requests",
        f"too many requests {whose}; ask again in {seconds} s",
        retry_after_s=seconds,
    )


def _now_s() -> float:
    return asyncio.get_running_loop().time()
