"""The edge as a web application: parse the path, check the token, deliver.

A request that is refused does not reach the parent. Paths, errors and limits are those of
the origin, so a client cannot tell which tier it talks to.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from aiohttp import web

from abr.errors import AbrError, TokenError, UpstreamError
from edge import policies
from edge.body import DISK_OVERHEAD_BYTES, BodyStore
from edge.config import EdgeConfig
from edge.counters import Counters
from edge.delivery import Delivery
from edge.filling import Fills
from edge.index import CacheIndex
from edge.metrics import EdgeCollector
from edge.passthrough import MAX_REQUEST_BODY_BYTES, Passthrough
from edge.tokencheck import TokenCheck
from edge.upstream import Upstream, wall_clock_s
from origin.config import ServerLimits
from origin.httpserver import (
    error_response,
    json_response,
    make_application,
    method_response,
    metrics_response,
    preflight_response,
    target_of,
    token_response,
)
from origin.paths import METHODS, Kind, PathError, Target, object_path
from origin.tokens import redact

LOG = logging.getLogger("abr.edge")


class Edge:
    """One edge: its cache, its keys and its counters."""

    def __init__(self, config: EdgeConfig, folder: Path, *, now: Callable[[], float]) -> None:
        self.config = config
        self.counters = Counters()
        self.index = CacheIndex(
            config.cache_bytes,
            policies.make(config.policy, capacity_bytes=config.cache_bytes),
            overhead_bytes=DISK_OVERHEAD_BYTES,
        )
        self.upstream = Upstream(config, now=now)
        self._store = BodyStore(folder, fsync=config.fsync)
        self._token_check = TokenCheck(
            self.upstream.key_set, now=now, refresh_s=config.keys_refresh_s
        )
        self._fills = Fills(
            config,
            store=self._store,
            index=self.index,
            upstream=self.upstream,
            counters=self.counters,
            now=now,
        )
        self._passthrough = Passthrough(config, upstream=self.upstream, counters=self.counters)
        self._delivery = Delivery(
            config,
            index=self.index,
            store=self._store,
            fills=self._fills,
            passthrough=self._passthrough,
            counters=self.counters,
            now=now,
        )
        self._metrics = EdgeCollector(
            tier=config.tier,
            name=config.name,
            counters=self.counters,
            index=self.index,
            fills_under_way=lambda: self._fills.under_way,
            disk_troubles=lambda: self._store.disk.troubles,
        )

    def __repr__(self) -> str:
        return f"<Edge {self.config.name!r}: {self.index!r}, {self.upstream!r}>"

    @property
    def trouble(self) -> str:
        """Why tokens cannot be checked yet; empty when they can be, or need not be."""
        return "" if self._token_check.has_keys else self._token_check.trouble

    async def running(self, _app: web.Application) -> AsyncIterator[None]:
        """Open everything, and close it at the end; for ``cleanup_ctx``."""
        stored = await asyncio.to_thread(self._store.open)
        try:
            for each in stored:
                room = self.index.restore(each.entry())
                for key in (*room.evicted, *(() if room.granted else (each.key,))):
                    self._store.remove(key)
            await self.upstream.open()
            if self.config.require_token and not await self._token_check.refresh():
                LOG.info("no keys from the parent yet: %s", self._token_check.trouble)
            yield
        finally:
            await self._fills.close()
            await self.upstream.close()
            self._store.close()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer any request."""
        try:
            if self.config.require_token:
                return await self._answer_with_token(request)
            return await self._answer_any(request)
        except PathError as exc:
            return error_response(400, "bad-path", str(exc))
        except TokenError as exc:
            self.counters.refusals[exc.reason] += 1
            return token_response(exc)
        except AbrError as exc:
            text = redact(str(exc))
            LOG.warning("%s", text)
            status = 504 if isinstance(exc, TimeoutError) else exc.http_status
            return error_response(status, "parent-failed", text)

    async def _answer_with_token(self, request: web.Request) -> web.StreamResponse:
        """Answer a request to a cache of titles, where all but health and keys needs a token."""
        if request.method == "OPTIONS":
            return preflight_response()
        target = target_of(request)
        own = await self._answer_about_self(target)
        if own is not None:
            return own
        if target.kind not in _IN_TITLES:
            return error_response(404, "not-found", "no such object; playback is at the origin")
        if request.method not in METHODS[target.kind]:
            return method_response(METHODS[target.kind])
        await self._token_check.authorize(target)
        assert target.token is not None
        path = object_path(target.token, target.title, target.path)
        if target.kind == "object":
            return await self._delivery.answer(request, target.cache_key, path)
        return await self._passthrough.forward(request, path, "bypass")

    async def _answer_any(self, request: web.Request) -> web.StreamResponse:
        """Answer a request to a plain reverse proxy: no tokens, and the whole URL is the key."""
        path = request.raw_path
        own = await self._answer_about_self(
            Target(kind=_OWN.get(path.partition("?")[0], "unknown"))
        )
        if own is not None:
            return own
        if not path.startswith("/"):
            return error_response(400, "bad-path", "expected a path")
        if request.method in ("GET", "HEAD"):
            authorized = "Authorization" in request.headers
            return await self._delivery.answer(request, path, path, authorized=authorized)
        answer = await self._passthrough.forward(request, path, "method")
        if request.method not in ("OPTIONS", "TRACE") and answer.status < 400:
            self._delivery.forget(path)  # RFC 9111 §4.4: unsafe methods invalidate
        return answer

    async def _answer_about_self(self, target: Target) -> web.Response | None:
        """Answers about the edge itself; None when something else is asked for."""
        if target.kind == "metrics":
            return metrics_response(self._metrics.text())
        if target.kind == "healthz":
            return await self._health()
        if target.kind != "jwks":
            return None
        keys = self._token_check.jwks()
        if keys is None:
            await self._token_check.refresh()
            keys = self._token_check.jwks()
        if keys is None:
            raise UpstreamError(f"no keys yet; {self._token_check.trouble}")
        return json_response(keys, cache_control="public, max-age=60")

    async def _health(self) -> web.Response:
        reachable = await self.upstream.is_reachable()
        able = self._token_check.has_keys or not self.config.require_token
        facts = {
            "status": "ok" if able and reachable else "degraded",
            "role": "edge",
            "name": self.config.name,
            "tier": self.config.tier,
            "parent": {"url": self.upstream.base, "reachable": reachable},
            "has_keys": self._token_check.has_keys,
            "objects": len(self.index),
            "held_bytes": self.index.held_bytes,
            "capacity_bytes": self.index.capacity_bytes,
        }
        return json_response(facts, status=200 if able else 503)


EDGE = web.AppKey("edge", Edge)
"""Where ``make_app`` keeps its edge: ``app[EDGE].counters`` and so on."""

_IN_TITLES = frozenset({"object", "key", "renew"})
_OWN: dict[str, Kind] = {"/healthz": "healthz", "/metrics": "metrics"}


def make_app(
    config: EdgeConfig,
    *,
    cache_dir: Path,
    limits: ServerLimits | None = None,
    now: Callable[[], float] = wall_clock_s,
) -> web.Application:
    """An edge in front of ``config.parent``; serve it with ``origin.httpserver.listening``.

    Args:
        config: Its settings.
        cache_dir: Folder for bodies; made when missing, kept when the edge stops.
        limits: Sizes of request heads.
        now: Seconds since the epoch.

    Raises:
        ConfigError: a setting cannot be used.
        ResourceError: at start-up, when another edge uses the folder.
    """
    edge = Edge(config.check(), cache_dir, now=now)
    app = make_application(edge.answer, limits=limits, client_max_bytes=MAX_REQUEST_BODY_BYTES)
    app[EDGE] = edge
    app.cleanup_ctx.append(edge.running)
    return app
