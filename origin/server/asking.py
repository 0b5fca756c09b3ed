"""What a request asks for, in the terms of tokens."""

from __future__ import annotations

from aiohttp import web

from origin.paths import Target
from origin.tokens.permission import Asked


def asked_of(request: web.Request, target: Target) -> Asked:
    """The facts of a request that a token can limit."""
    peer = None if request.transport is None else request.transport.get_extra_info("peername")
    return Asked(
        title=target.title,
        path=target.path,
        method=request.method,
        scheme=request.scheme,
        authority=request.host,
        address=peer[0] if isinstance(peer, tuple) else "",
    )
