"""Passthrough: keys, renewals and other methods go to the parent unchanged.

Nothing is stored or shared, and the client sets the pace of the transfer.
"""

from __future__ import annotations

from aiohttp import web

from edge.caching.cachestatus import FIELD, CacheStatus, Forward, append_member
from edge.caching.forwarding import passable_headers
from edge.config import EdgeConfig
from edge.counters import Counters
from edge.server.upstream import Upstream, UpstreamResponse
from origin.server.sending import closing_on_failure, send_within

MAX_REQUEST_BODY_BYTES = 64 << 10
"""Largest request body that is forwarded."""

_NOT_FORWARDED = frozenset({"host", "content-length", "expect", "cookie"})


class Passthrough:
    """Forwards requests to the parent."""

    def __init__(self, config: EdgeConfig, *, upstream: Upstream, counters: Counters) -> None:
        self._config = config
        self._upstream = upstream
        self._counters = counters
        # With tokens, the path carries the permission; a bearer field would be a second copy.
        self._dropped = _NOT_FORWARDED | ({"authorization"} if config.require_token else set())

    def __repr__(self) -> str:
        return f"<Passthrough to {self._upstream!r}>"

    async def forward(self, request: web.Request, path: str, why: Forward) -> web.StreamResponse:
        """Send the client's method, fields and body to the parent, and its response back.

        Raises:
            AbrError: the parent failed; nothing was sent yet.
            ConnectionError: the client is gone, or got a part and was cut off.
        """
        self._counters.passed += 1
        body = await request.read()
        headers = passable_headers(list(request.headers.items()))
        forwarded = [pair for pair in headers if pair[0].lower() not in self._dropped]
        async with self._upstream.ask(
            request.method, path, headers=forwarded, body=body or None
        ) as answer:
            status = CacheStatus(cache=self._config.name, fwd=why)
            response = web.StreamResponse(
                status=answer.status, reason=answer.reason, headers=_fields(answer, status)
            )
            await response.prepare(request)
            with closing_on_failure(request):
                async for piece in answer.pieces():
                    await send_within(self._config.send_limit_s, response.write(piece))
            return response


def _fields(answer: UpstreamResponse, status: CacheStatus) -> list[tuple[str, str]]:
    passed = passable_headers(answer.headers)
    above = ", ".join(value for name, value in passed if name.lower() == FIELD.lower())
    fields = [pair for pair in passed if pair[0].lower() != FIELD.lower()]
    return [*fields, (FIELD, append_member(above, status))]
