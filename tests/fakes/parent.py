"""A parent for edges, on loopback: slow, broken or correct on demand, and counting.

Objects are served below ``/t/<token>/<title>/`` without looking at the token (edges
have to), and at their bare path for edges that check none. What was asked for is in
``asked``, token-free.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.config import EdgeConfig
from edge.server.app import EDGE, Edge, make_app
from origin.config import ServerLimits
from origin.server.door import Door
from origin.server.httpserver import listening, make_application
from origin.server.trustanswers import TrustAnswers
from origin.tokens.pathtoken import TokenIssuer
from origin.tokens.revocation import DenyList, Kind, Revocation
from origin.tokens.trustfeed import PATH, digest_of

LIMITS = ServerLimits(shutdown_s=1.0)

IMMUTABLE = "public, max-age=31536000, immutable"


@dataclass(slots=True)
class Thing:
    """One object of the fake parent."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Cache-Control": IMMUTABLE})
    first_byte_s: float = 0.0
    """Wait before the head."""
    body_s: float = 0.0
    """Time over which the body is spread after the head."""
    breaks_after: int | None = None
    """Bytes after which the connection is closed."""
    drops: bool = False
    """Close the connection instead of an answer."""
    chunked: bool = False
    """Send no length."""
    last_piece: asyncio.Event | None = None
    """The last sixteenth of the body is sent when this is set."""


class FakeParent:
    """Serves ``things`` by their token-free path."""

    def __init__(self) -> None:
        self.things: dict[str, Thing] = {}
        self.asked: list[str] = []
        self.seen: list[web.Request] = []
        self.issuer = TokenIssuer(Ed25519PrivateKey.generate())
        self.key_sets_asked = 0
        self.seen_for_keys: list[web.Request] = []
        self.key_set_headers = {"Date": ""}  # which says nothing about any clock
        self.url = ""
        self.is_cut_off = False
        """Break off every connection, with no answer."""
        self.feeds_asked = 0
        self.denied = DenyList()
        self.feed = TrustAnswers(
            self.denied, keys=lambda: digest_of(self.issuer.jwks()), epoch=secrets.token_hex(8)
        )
        self.now: Callable[[], float] = time.time  # noqa: TID251 -- the Date of answers

    def add(self, path: str, body: bytes = b"", **more: object) -> Thing:
        """Add an object."""
        thing = Thing(body, **more)  # type: ignore[arg-type]  # tests give the right types
        self.things[path] = thing
        return thing

    def revoke(self, kind: Kind, value: str) -> None:
        """Revoke for an hour, and tell at once."""
        now_s = self.now()
        entry = Revocation(
            kind=kind, value=value, until_s=now_s + 3600, changed_ms=int(1000 * now_s)
        )
        self.denied.merge((entry,), now_s=now_s)
        self.feed.wake()

    async def close_feed(self, _app: web.Application) -> None:
        """Let nobody wait for news any more."""
        self.feed.close()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer anything."""
        if self.is_cut_off:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if request.path == "/.well-known/jwks.json":
            self.key_sets_asked += 1
            self.seen_for_keys.append(request)
            return web.json_response(self.issuer.jwks(), headers=self.key_set_headers)
        if request.path == PATH:
            self.feeds_asked += 1
            return await self.feed.answer(request)
        parts = request.path.split("/")
        path = "/" + "/".join(parts[3:]) if parts[1:2] == ["t"] else request.path
        self.asked.append(path)
        self.seen.append(request)
        thing = self.things.get(path)
        if thing is None:
            return web.Response(status=404, text="no such thing")
        await asyncio.sleep(thing.first_byte_s)
        if thing.drops:
            assert request.transport is not None
            request.transport.close()
        headers = thing.headers | {"Date": formatdate(self.now(), usegmt=True)}
        etag = thing.headers.get("ETag")
        if etag is not None and request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers=headers)
        return await self._send(request, thing, headers)

    async def _send(
        self, request: web.Request, thing: Thing, headers: dict[str, str]
    ) -> web.StreamResponse:
        response = web.StreamResponse(status=thing.status, headers=headers)
        if not thing.chunked:
            response.content_length = len(thing.body)
        await response.prepare(request)
        step = max(1, len(thing.body) // 16)
        sent = 0
        for start in range(0, len(thing.body), step):
            piece = thing.body[start : start + step]
            if thing.breaks_after is not None and sent + len(piece) > thing.breaks_after:
                await response.write(piece[: thing.breaks_after - sent])
                await asyncio.sleep(0.05)
                assert request.transport is not None
                request.transport.close()
                break
            if thing.last_piece is not None and start + step >= len(thing.body):
                await thing.last_piece.wait()
            await response.write(piece)
            await asyncio.sleep(thing.body_s / 16)
            sent += len(piece)
        return response


@asynccontextmanager
async def fake_parent() -> AsyncIterator[FakeParent]:
    """A fake parent that listens."""
    parent = FakeParent()
    app = make_application(parent.handle)
    app.on_shutdown.append(parent.close_feed)
    async with listening(app, host="127.0.0.1", port=0, limits=LIMITS) as where:
        parent.url = where.url
        yield parent


@dataclass(slots=True)
class RunningEdge:
    """An edge that listens."""

    url: str
    edge: Edge
    door: Door = field(default_factory=lambda: Door(ServerLimits()))


@asynccontextmanager
async def running_edge(
    parent_url: str, folder: Path, *, now: object = None, **settings: object
) -> AsyncIterator[RunningEdge]:
    """An edge in front of ``parent_url`` that keeps its cache in ``folder``."""
    config = EdgeConfig(parent=parent_url, **settings)  # type: ignore[arg-type]  # right types
    clock = {} if now is None else {"now": now}
    app = make_app(config, cache_dir=folder, **clock)  # type: ignore[arg-type]  # as above
    async with listening(app, host="127.0.0.1", port=0, limits=LIMITS) as where:
        yield RunningEdge(where.url, app[EDGE], where.door)
