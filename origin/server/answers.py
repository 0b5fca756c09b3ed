"""The answers that origin and edges have in common: errors, JSON, refusals, preflights."""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence

from aiohttp import hdrs, web

from abr.errors import TokenError
from origin.cors import PREFLIGHT
from origin.httpdate import http_date
from origin.metrics import CONTENT_TYPE
from origin.tokens.carriage import bearer_secret

SERVER_NAME = "abrkit"
"""The ``Server`` field; versions would only help an attacker (RFC 9110 §10.2.4)."""


def error_response(
    status: int, error: str, message: str, headers: dict[str, str] | None = None
) -> web.Response:
    """A JSON body ``{"error", "message"}``, never stored by caches."""
    body = json.dumps({"error": error, "message": message}) + "\n"
    fields = {"Cache-Control": "no-store", **(headers or {})}
    return web.Response(status=status, text=body, content_type="application/json", headers=fields)


def json_response(
    value: object, *, status: int = 200, cache_control: str = "no-store"
) -> web.Response:
    """``value`` as JSON, on one line."""
    return web.Response(
        status=status,
        text=json.dumps(value) + "\n",
        content_type="application/json",
        headers={"Cache-Control": cache_control},
    )


def metrics_response(text: bytes) -> web.Response:
    """Counters in the form that Prometheus reads."""
    return web.Response(
        body=text, headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"}
    )


def token_response(refusal: TokenError) -> web.Response:
    """What a client is told whose token is refused: the reason, also in a field of its own."""
    fields = {"Abr-Refusal": refusal.reason, **dict(refusal.fields)}
    return error_response(refusal.http_status, refusal.reason, str(refusal), fields)


def moved_response(location: str, *, status: int = 307) -> web.Response:
    """Where else to ask for the same thing; not kept by anybody, for the URL holds a token."""
    return web.Response(
        status=status, headers={"Location": location, "Cache-Control": "private, no-store"}
    )


def preflight_response() -> web.Response:
    """The answer to OPTIONS, which needs no token."""
    return web.Response(status=204, headers=dict(PREFLIGHT))


def method_response(allowed: Sequence[str]) -> web.Response:
    """What a client is told whose method is none of ``allowed`` (RFC 9110 §15.5.6)."""
    fields = {"Allow": ", ".join((*allowed, "OPTIONS"))}
    return error_response(405, "method", f"expected {' or '.join(allowed)}", fields)


def close_after(response: web.Response) -> web.Response:
    """``response``, after which the connection is closed."""
    response.force_close()
    return response


def presents(request: web.BaseRequest, secret: str) -> bool:
    """Whether ``request`` presents ``secret`` as a bearer, compared in constant time."""
    given = bearer_secret(request.headers.get(hdrs.AUTHORIZATION)) or ""
    # Bytes that are not UTF-8 arrive as surrogates.
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), secret.encode())


def key_set_response(jwks: object, *, fresh_s: int, now_s: float) -> web.Response:
    """Public keys for the next tier, with the time by which tokens are judged here.

    Other caches are asked not to keep it: some do not say how old what they give is, and the
    keys would be used for longer, and the time be wrong.
    """
    response = json_response(jwks, cache_control=f"private, max-age={fresh_s}")
    response.headers["Date"] = http_date(int(now_s))
    return response
