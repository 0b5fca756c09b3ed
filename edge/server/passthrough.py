"""Passthrough: what is not for the cache goes to the parent and back unchanged.

Nothing is stored or shared, bodies are streamed both ways, and the client sets the pace of the
transfer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial

from aiohttp import web

from edge.caching.cachestatus import FIELD, CacheStatus, Forward, append_member
from edge.caching.forwarding import passable_headers
from edge.config import EdgeConfig
from edge.counters import Counters
from edge.server.parents import ParentsClient
from edge.server.upstream import UpstreamResponse
from edge.server.wanted import Wanted, shown_to
from origin.server.sending import closing_on_failure, send_within
from origin.server.verbatim import respond, send_interim

MAX_REQUEST_BODY_BYTES = 64 << 10
"""Largest request body that a cache of titles forwards."""


QUICK_S = 0.005
"""A client that takes a piece within this keeps up."""

QUICK_PIECES = 32
"""So many in a row are more than what the kernel takes for a client that reads nothing."""


class Passthrough:
    """Forwards requests to the parent."""

    def __init__(self, config: EdgeConfig, *, upstream: ParentsClient, counters: Counters) -> None:
        self._config = config
        self._upstream = upstream
        self._counters = counters

    def __repr__(self) -> str:
        return f"<Passthrough to {self._upstream!r}>"

    def reconfigure(self, config: EdgeConfig) -> None:
        """Use other settings from now on."""
        self._config = config

    async def forward(
        self,
        request: web.Request,
        wanted: Wanted,
        why: Forward,
        *,
        on_head: Callable[[UpstreamResponse], None] | None = None,
    ) -> web.StreamResponse:
        """Send the client's method, fields and body to the parent, and its response back.

        Args:
            request: The request.
            wanted: What to ask the parent for; the fields are sent as they are there.
            why: Why it is forwarded.
            on_head: Told the head of the response.

        Raises:
            AbrError: the parent failed; nothing was sent yet.
            ConnectionError: the client is gone, or got a part and was cut off.
        """
        self._counters.passed += 1
        body: bytes | AsyncIterator[bytes] | None = None
        if request.body_exists:
            if request.headers.get("Expect", "").lower() == "100-continue":
                send_interim(request, 100, "Continue", ())  # RFC 9110 §10.1.1
            body = await request.read() if self._config.require_token else self._pieces(request)
        async with self._upstream.ask(
            request.method,
            wanted.target,
            headers=list(wanted.passing),
            body=body or None,
            on_interim=partial(_interim, request),
            key=wanted.key,
        ) as answer:
            if on_head is not None:
                on_head(answer)
            return await self.relay(request, answer, why)

    async def relay(
        self, request: web.Request, answer: UpstreamResponse, why: Forward
    ) -> web.StreamResponse:
        """Send a response of the parent to the client as it arrives."""
        status = CacheStatus(cache=self._config.name, fwd=why)
        response = respond(
            answer.status,
            answer.reason,
            shown_to(request, _fields(answer, status), is_open=not self._config.require_token),
            None,
            is_plain=not self._config.require_token,
        )
        await response.prepare(request)
        with closing_on_failure(request):
            if request.method != "HEAD":
                await self._send_body(answer, response)
            await send_within(self._config.send_limit_s, response.write_eof())
        return response

    async def _send_body(self, answer: UpstreamResponse, response: web.StreamResponse) -> None:
        """Pass a body on; small pieces for a client that does not keep up."""
        now, quick = asyncio.get_running_loop().time, 0
        async for piece in answer.pieces():
            began_s = now()
            await send_within(self._config.send_limit_s, response.write(piece))
            quick = quick + 1 if now() - began_s < QUICK_S else 0
            if quick in (0, QUICK_PIECES):
                answer.set_pace(fast=quick > 0)

    async def _pieces(self, request: web.Request) -> AsyncIterator[bytes]:
        """The body of a request as it arrives."""
        while True:
            try:
                async with asyncio.timeout(self._config.idle_limit_s):
                    piece = await request.content.readany()
            except TimeoutError as exc:
                raise ConnectionAbortedError("the client stopped sending its body") from exc
            if not piece:
                return
            yield piece


def _fields(answer: UpstreamResponse, status: CacheStatus) -> list[tuple[str, str]]:
    passed = passable_headers(answer.headers)
    above = ", ".join(value for name, value in passed if name.lower() == FIELD.lower())
    fields = [pair for pair in passed if pair[0].lower() != FIELD.lower()]
    return [*fields, (FIELD, append_member(above, status))]


def _interim(request: web.Request, status: int, reason: str, fields: list[tuple[str, str]]) -> None:
    send_interim(request, status, reason, passable_headers(fields))
