"""A plain reverse proxy of one site: any method, any status, any field, and the full URL as key.

Nothing of the edge's own is added that a client could see but ``Age``, ``Cache-Status`` and, when
it is missing, ``Date``. ``Host`` is that of the parent; with ``forward_host`` it is the client's,
which is then part of the key, because the parent may answer differently.

Sources: RFC 9112 §3.2 (forms of a target), RFC 9110 §7.6.2 (Max-Forwards), RFC 8586 (loops).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol
from urllib.parse import urlsplit

from aiohttp import web

from edge.caching.cachestatus import Forward
from edge.caching.decide import Request, invalidated
from edge.caching.directives import parse_request_control
from edge.caching.forwarding import forwarded_headers, has_looped, via_of
from edge.config import EdgeConfig
from edge.operations.cmcd import strip_query
from edge.operations.shedding import urgency_of
from edge.server.delivery import Delivery
from edge.server.passthrough import Passthrough
from edge.server.prefetch import shed_response
from edge.server.upstream import UpstreamResponse
from edge.server.wanted import Wanted, fields_of_request
from origin.httprules import join_fields
from origin.server.answers import error_response
from origin.server.connection import show
from origin.tokens.redaction import conceal, redact

_OF_THIS_HOP = frozenset({"expect", "host"})
_CONDITIONS = frozenset(
    {
        "if-match",
        "if-none-match",
        "if-modified-since",
        "if-unmodified-since",
        "if-range",
        "range",
    }
)
_OVERRIDES = frozenset(
    {
        "x-forwarded-host",
        "x-forwarded-prefix",
        "x-forwarded-server",
        "x-host",
        "x-http-method-override",
        "x-original-host",
        "x-original-url",
        "x-rewrite-url",
    }
)
"""Fields that some servers believe more than the URL. They are not in the key, so what is stored
must not depend on them; a request that passes through keeps them."""
_NOT_ASKED = _CONDITIONS | _OVERRIDES | {"content-length"}
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


Sheds = Callable[[Wanted], bool]
"""Whether a request is refused because viewers wait for others."""


class Shared(Protocol):
    """Asks the worker whose matter a request is."""

    async def __call__(
        self, request: web.Request, wanted: Wanted, *, may_borrow: bool = True
    ) -> web.StreamResponse | None:
        """Its answer; None when it is this one's matter."""
        ...


class Site:
    """Answers for a site."""

    def __init__(
        self,
        config: EdgeConfig,
        *,
        delivery: Delivery,
        passthrough: Passthrough,
        loop_id: str,
        shared: Shared,
        sheds: Sheds,
    ) -> None:
        self._delivery = delivery
        self._passthrough = passthrough
        self._loop_id = loop_id
        self._shared = shared
        self._sheds = sheds
        self._via = via_of(config.name)
        self.reconfigure(config)

    def __repr__(self) -> str:
        return f"<Site of {self._config.parent}>"

    def reconfigure(self, config: EdgeConfig) -> None:
        """Use other settings from now on."""
        self._config = config
        parts = urlsplit(config.parent)
        self._parent_host = parts.netloc
        self._parent_origin = f"{parts.scheme}://{parts.netloc}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer any request, and say what logs may show of it.

        Raises:
            AbrError: the parent was needed and failed; nothing was sent yet.
            ConnectionError: the client is gone, or got a part and was cut off.
        """
        show(request, conceal(request.raw_path))
        response = await self._answer(request)
        if response.status < 400:
            show(request, redact(request.raw_path))
        return response

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        fields = fields_of_request(request)
        headers = join_fields(fields)
        if has_looped(fields, self._loop_id):
            return error_response(508, "loop", "this request has been here before")
        refused = _stops_here(request.method, headers)
        if refused is not None:
            return refused
        if _leads_out(request.raw_path):
            return error_response(400, "bad-path", "the path leads out of the site, or holds %00")
        where = self._where(request, headers)
        if where is None:
            return error_response(400, "bad-path", "expected a path or an absolute URL")
        scheme, host, target = where
        base = f"{scheme}://{host}" if self._config.forward_host else self._parent_origin
        wanted = self._wanted(request, fields, headers, base, target)
        if self._sheds(wanted):
            return shed_response()
        elsewhere = await self._shared(request, wanted)
        if elsewhere is not None:
            return elsewhere
        if request.method in ("GET", "HEAD") and not request.body_exists:
            return await self._delivery.answer(request, wanted)
        why: Forward = "bypass" if request.method in ("GET", "HEAD") else "method"
        learn = partial(self._invalidate, request.method, base, target)
        return await self._passthrough.forward(request, wanted, why, on_head=learn)

    def _where(self, request: web.Request, headers: dict[str, str]) -> tuple[str, str, str] | None:
        """Scheme, host and target of a request; None when its target is in another form."""
        raw = request.raw_path
        if self._config.strip_cmcd:
            raw = strip_query(raw)
        scheme = "https" if request.secure else "http"
        host = headers.get("host") or self._parent_host
        if raw == "*" and request.method == "OPTIONS":
            return scheme, host.lower(), raw
        if not raw.startswith("/"):
            # RFC 9112 §3.2.2: the target's authority counts, and Host does not. It only names
            # what is asked for: the parent is asked all the same.
            named, colon, rest = raw.partition("://")
            scheme = named.lower()
            if not colon or scheme not in _DEFAULT_PORTS:
                return None
            host, slash, path = rest.partition("/")
            host, mark, query = host.partition("?")
            raw = f"/{mark}{query}" if mark else f"/{path}"
            if request.method == "OPTIONS" and not (slash or mark):
                raw = "*"  # RFC 9112 §3.2.4
            host = host.rpartition("@")[2]
        host = host.lower().removesuffix(_DEFAULT_PORTS[scheme])
        return (scheme, host, raw.partition("#")[0]) if host else None

    def _wanted(
        self,
        request: web.Request,
        fields: list[tuple[str, str]],
        headers: dict[str, str],
        base: str,
        target: str,
    ) -> Wanted:
        passing = forwarded_headers(
            fields, dropped=_OF_THIS_HOP, via=self._via, loop_id=self._loop_id
        )
        if "max-forwards" in headers and request.method in ("OPTIONS", "TRACE"):
            passing = [pair for pair in passing if pair[0].lower() != "max-forwards"]
            passing.append(("Max-Forwards", str(int(headers["max-forwards"]) - 1)))
        if self._config.forward_host:
            passing.insert(0, ("Host", urlsplit(base).netloc))
        return Wanted(
            key=self._key(base + target),
            target=target,
            urgency=urgency_of(headers, request.raw_path),
            facts=Request(
                method=request.method,
                fields=headers,
                control=parse_request_control(headers),
                has_credentials="authorization" in headers,
            ),
            asking=tuple(pair for pair in passing if pair[0].lower() not in _NOT_ASKED),
            range_text=headers.get("range", ""),
            passing=tuple(passing),
        )

    def wanted_next(self, target: str, asking: list[tuple[str, str]]) -> Wanted | None:
        """What a player will want next; None when the host would have to be guessed."""
        if self._config.forward_host:
            return None
        return Wanted(
            key=self._key(self._parent_origin + target),
            target=target,
            facts=Request(method="GET", fields={}),
            asking=tuple(asking),
            urgency="prefetch",
        )

    def _key(self, url: str) -> str:
        """The key of an absolute URL: without the parent's scheme and host, if it has them."""
        return url.removeprefix(self._parent_origin) if not self._config.forward_host else url

    def _invalidate(self, method: str, base: str, target: str, answer: UpstreamResponse) -> None:
        headers = join_fields(answer.headers)
        for url in invalidated(method, base + target, answer.status, headers):
            self._delivery.forget_all(self._key(url))


def _leads_out(target: str) -> bool:
    """Whether a target means something else to a server that resolves dots, or stops at a NUL.

    It leads above the root, or holds a NUL: caches and parents would disagree on what is meant.
    """
    path = target.partition("?")[0].lower()
    if ".." not in path and "%" not in path:
        return False
    for plain, coded in ((".", "%2e"), ("/", "%2f"), ("/", "%5c"), ("/", "\\")):
        path = path.replace(coded, plain)
    depth = 0
    for part in path.split("/")[1:]:
        depth += -1 if part == ".." else part not in ("", ".")
        if depth < 0:
            return True
    return "%00" in path


def _stops_here(method: str, headers: dict[str, str]) -> web.Response | None:
    """The answer to a request that may go no further; None when it may.

    RFC 9110 §7.6.2, §9.3.6 and §10.1.1.
    """
    if headers.get("expect", "100-continue").lower() != "100-continue":
        return error_response(417, "expectation", "only 100-continue can be met")
    if method == "CONNECT":
        return error_response(501, "method", "this is a reverse proxy and opens no tunnels")
    if method not in ("OPTIONS", "TRACE") or "max-forwards" not in headers:
        return None
    hops = headers["max-forwards"].strip()
    if not (hops.isascii() and hops.isdigit() and len(hops) < 10):
        return error_response(400, "bad-request", "Max-Forwards is not a number")
    if int(hops) > 0:
        return None
    if method == "TRACE":
        return error_response(405, "method", "TRACE ends here; requests are not echoed")
    return web.Response(status=204)
