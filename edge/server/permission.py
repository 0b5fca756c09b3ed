"""Who may change what is stored: holders of a secret, or this machine when there is none."""

from __future__ import annotations

import hmac

from aiohttp import web

from origin.config import is_loopback

_OF_OTHERS = frozenset(
    {"forwarded", "origin", "sec-fetch-site", "via", "x-forwarded-for", "x-real-ip"}
)
"""Fields of proxies and of browsers; these send ``Origin`` with every POST (Fetch §3.2)."""


def is_permitted(request: web.Request, secret: str) -> bool:
    """Whether a request presents ``secret``, or comes from this machine if that is empty.

    What a proxy on this machine passes on does not come from it, nor does what a page asks for in a
    browser on it.
    """
    if secret:
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        return hmac.compare_digest(given, f"Bearer {secret}".encode())
    names = {name.decode("latin-1").lower() for name, _ in request.raw_headers}
    transport = request.transport
    peer = None if transport is None else transport.get_extra_info("peername")
    return peer is not None and is_loopback(peer[0]) and not names & _OF_OTHERS
