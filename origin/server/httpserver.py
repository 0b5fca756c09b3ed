"""An aiohttp application on a socket: limits, errors, start and stop.

Shared by origin and edges. It adds to aiohttp a limit on the time that a request's head
may take, refusal of ambiguous requests, CORS fields and JSON on every error, an access log
without tokens, one-line errors for busy ports, and a time limit for stopping.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp.http_parser
from aiohttp import hdrs, web
from aiohttp.http import SERVER_SOFTWARE, HttpVersion11
from multidict import CIMultiDict

from abr.errors import AbrError, ConfigError, PortInUseError, ToolMissingError
from origin.config import ServerLimits
from origin.cors import CORS, for_page
from origin.framing import find_fault
from origin.keyhead import KeyHeads
from origin.paths import Target, parse_target
from origin.server.answers import SERVER_NAME, close_after, error_response
from origin.server.connection import (
    UNSENT_BYTES,
    Connection,
    CookiePages,
    added_to_answer,
    shown,
)
from origin.server.door import Door
from origin.server.lanes import Lane
from origin.server.quick import Quick, QuickConnection, quick_trouble
from origin.server.tls import encrypted
from origin.simplehead import SimpleHeads
from origin.tokens.carriage import COMMON_FIELD, Fields
from origin.tokens.redaction import redact

LOGGER = logging.getLogger("abr.http")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a server can be reached."""

    host: str
    port: int
    scheme: str = "http"
    door: Door = field(default_factory=lambda: Door(ServerLimits()))
    """Its connections, and how to let them out."""

    @property
    def url(self) -> str:
        """Base URL, without a slash at the end; a wildcard address is named as loopback."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104  # shown, not bound
        return f"{self.scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"


@asynccontextmanager
async def listening(
    app: web.Application,
    *,
    host: str,
    port: int,
    limits: ServerLimits | None = None,
    tls: ssl.SSLContext | None = None,
    sock: socket.socket | None = None,
    reuse_port: bool = False,
    unix: str = "",
) -> AsyncIterator[Listening]:
    """Serve ``app`` while the context is open.

    Args:
        app: Made by ``make_application``, so that errors look alike.
        host: Address or name to listen on.
        port: Port; 0 takes a free one.
        limits: Sizes and times; the defaults when None.
        tls: Certificate and key, as ``tls_context`` loads them; None for plain HTTP.
        sock: A socket that listens already, in place of ``host`` and ``port``; it is closed here.
        reuse_port: Share the port with other processes of this user that say so as well.
        unix: Path of a socket on which other processes of this server are served as well.

    Raises:
        PortInUseError: the address is taken, not ours, or not permitted.
        ConfigError: the host has no address.
        ToolMissingError: aiohttp lacks its C extensions.
    """
    require_c_extensions()
    limits = limits or ServerLimits()
    door = Door(limits)
    if sock is None:
        sock = await bind(host, port, reuse_port=reuse_port)
    try:
        # aiohttp waits for its limit twice: for responses to end, and after cancelling them.
        runner = web.AppRunner(
            app, handler_cancellation=True, shutdown_timeout=limits.shutdown_s / 2
        )
        await runner.setup()
        try:
            manager, loop = runner.server, asyncio.get_running_loop()
            assert manager is not None
            manager.request_handler = app[_SERVICE].handle
            service = app[_SERVICE]
            manager.request_factory = service.make_request
            (quick, lane), heads, key_heads = _short_cuts_of(app), SimpleHeads(), KeyHeads()
            pages: CookiePages = app.get(COOKIE_PAGES, tuple)

            def connect() -> asyncio.BaseProtocol:
                connection = (
                    Connection(manager, loop, door)
                    if quick is None and lane is None
                    else QuickConnection(
                        manager,
                        loop,
                        door,
                        quick,
                        heads,
                        lane=lane,
                        key_heads=key_heads,
                        takes_any_method=service.takes_any_method,
                    )
                )
                connection.cookie_pages = pages
                return connection if tls is None else encrypted(connection, tls, loop, limits)

            await door.listen(sock, connect)
            inner = await _serve_unix(
                unix, lambda: Connection(manager, loop, Door(limits)), limits.backlog
            )
            try:
                host, port = sock.getsockname()[:2]
                yield Listening(host, port, "http" if tls is None else "https", door)
            finally:
                door.close()
                if inner is not None:
                    inner.close()
        finally:
            await runner.cleanup()
    finally:
        sock.close()


async def _serve_unix(
    path: str, connect: Callable[[], Connection], backlog: int
) -> asyncio.Server | None:
    if not path:
        return None
    return await asyncio.get_running_loop().create_unix_server(connect, path, backlog=backlog)


async def bind(host: str, port: int, *, reuse_port: bool = False) -> socket.socket:
    """A socket bound to ``host`` and ``port``, ready to listen.

    Raises:
        PortInUseError, ConfigError: as ``listening``.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise ConfigError(f"host {host!r}: no such address; expected one of this machine") from exc
    family, _, _, _, address = found[0]
    # With protocol 0, asyncio would not recognise TCP and would leave Nagle's algorithm on.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        # Connections inherit it; ``Connection`` lifts it for clients that prove fast.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        sock.bind(address)
    except OSError as exc:
        sock.close()
        why = _BIND_ERRORS.get(exc.errno or 0, exc.strerror)
        raise PortInUseError(f"{host}:{port}: {why}") from exc
    except OverflowError as exc:
        sock.close()
        raise ConfigError(f"port {port}; expected 0 to 65535") from exc
    return sock


async def bind_all(
    host: str, port: int, count: int, *, reuse_port: bool = False
) -> list[socket.socket]:
    """``count`` sockets bound to the same address, over which the kernel spreads connections.

    Raises:
        PortInUseError, ConfigError: as ``listening``.
    """
    with await bind(
        host, port, reuse_port=reuse_port
    ) as alone:  # sharing a port with a stranger would not be noticed
        port = alone.getsockname()[1]
    return [await bind(host, port, reuse_port=True) for _ in range(count)]


_BIND_ERRORS = {
    errno.EADDRINUSE: "the port is taken; choose another with --port, or 0 for a free one",
    errno.EACCES: "not permitted; choose a port from 1024 up with --port",
    errno.EADDRNOTAVAIL: "it is not an address of this machine; choose another with --host",
}


def _short_cuts_of(app: web.Application) -> tuple[Quick | None, Lane | None]:
    """The ``Quick`` and the ``Lane`` of an application; None for what it lacks or must not use."""
    quick, lane = app.get(QUICK), app.get(LANE)
    trouble = quick_trouble()
    if trouble and not (quick is None and lane is None):
        LOGGER.warning("the short cut for hot objects is off, and that for keys: %s", trouble)
        return None, None
    return quick, lane


def require_c_extensions() -> None:
    """Refuse to serve with aiohttp's HTTP parser in pure Python.

    It is slow, and has repeatedly been vulnerable to request smuggling.

    Raises:
        ToolMissingError: the C extensions are missing; the message tells how to install them.
    """
    parser = aiohttp.http_parser
    if parser.HttpRequestParser is parser.HttpRequestParserPy:
        raise ToolMissingError(
            "aiohttp: its C extensions are missing; unset AIOHTTP_NO_EXTENSIONS, and run "
            "`pip install --force-reinstall --only-binary aiohttp aiohttp`"
        )


def make_application(
    answer: Handler,
    *,
    limits: ServerLimits | None = None,
    client_max_bytes: int = 64 << 10,
    adds_fields: bool = True,
) -> web.Application:
    """An application that passes every request that is safe to ``answer``.

    Of aiohttp's applications it uses start and stop only: neither router nor middlewares. They
    would decode and normalise the path, and cost more than a whole answer does.

    Args:
        answer: Reads ``request.raw_path``: nothing was decoded or normalised.
        limits: Sizes of heads.
        client_max_bytes: Most bytes of a request body that can be read.
        adds_fields: Give every response the fields that let players of any site use it. Without,
            methods that nobody has heard of are passed on too.
    """
    app = web.Application()
    app[_SERVICE] = _Service(
        answer, (limits or ServerLimits()).head_bytes, client_max_bytes, adds_fields
    )
    return app


class _Service:
    """How requests are made and answered."""

    def __init__(
        self, answer: Handler, head_bytes: int, client_max_bytes: int, adds_fields: bool
    ) -> None:
        self._answer, self._head_bytes = answer, head_bytes
        self._client_max_bytes = client_max_bytes
        self._make = _Request if adds_fields else _PlainRequest
        self.takes_any_method = not adds_fields
        """Whether methods that the parser does not know are passed to the application."""

    def __repr__(self) -> str:
        return f"<_Service {self._answer!r}>"

    def make_request(
        self, message: Any, payload: Any, protocol: Any, writer: Any, task: asyncio.Task[None]
    ) -> web.Request:
        loop = asyncio.get_running_loop()
        if isinstance(protocol, Connection):
            protocol.note_request()
        if self.takes_any_method and isinstance(protocol, QuickConnection):
            assert protocol.any_method is not None
            message = protocol.any_method.restore(message)
        is_foreign = not (1, 0) <= message.version <= (1, 1)
        if is_foreign:  # the answer is in a version of ours
            message = message._replace(version=HttpVersion11)
        request = self._make(
            message, payload, protocol, writer, task, loop, client_max_size=self._client_max_bytes
        )
        if is_foreign:
            request[_FOREIGN] = True
        return request

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        assert isinstance(request, web.Request)
        if _FOREIGN in request:
            return close_after(error_response(505, "version", "expected HTTP/1.0 or HTTP/1.1"))
        http_1_1 = request.version >= (1, 1)
        problem = find_fault(request.raw_headers, http_1_1=http_1_1, head_bytes=self._head_bytes)
        if problem is not None:
            return close_after(error_response(problem.status, "bad-request", problem.message))
        return await _answer_safely(request, self._answer)


class _PlainRequest(web.Request):
    """A request of a client who may have to leave after its answer."""

    def __repr__(self) -> str:
        return f"<_PlainRequest {shown(self)}>"

    @property
    def keep_alive(self) -> bool:
        """Whether the connection stays open after the answer."""
        protocol = self._protocol
        is_last = isinstance(protocol, Connection) and protocol.is_last
        return super().keep_alive and not is_last

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        if isinstance(self._protocol, Connection):
            self._protocol.note_head()
        await super()._prepare_hook(response)


class _Request(_PlainRequest):
    """A request whose answers get the fields that all our answers have."""

    def __repr__(self) -> str:
        return f"<_Request {shown(self)}>"

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        if isinstance(self._protocol, Connection):
            self._protocol.note_head()
            page = self.headers.get(hdrs.ORIGIN, "")
            if page and page in self._protocol.cookie_pages():
                response.headers.update(dict(for_page(page)))
                response.headers.add(hdrs.VARY, "Origin")
        add_fields(response.headers)
        for name, value in added_to_answer(self):
            response.headers.add(name, value)


COOKIE_PAGES: web.AppKey[CookiePages] = web.AppKey("cookie_pages")
"""Where an application keeps which pages may send cookies."""

_FOREIGN = web.RequestKey("is_foreign", bool)
"""Of requests in another version of HTTP than 1.0 and 1.1."""

_SERVICE = web.AppKey("service", _Service)

QUICK = web.AppKey("quick", Quick)
"""Where an application keeps the ``Quick`` that its connections ask first."""

LANE = web.AppKey("lane", Lane)
"""Where an application keeps the ``Lane`` for requests for keys."""


async def _answer_safely(request: web.Request, answer: Handler) -> web.StreamResponse:
    """The response of ``answer``; an exception becomes a response too, unless one has begun."""
    try:
        return await answer(request)
    except web.HTTPException as exc:
        response = error_response(exc.status, "refused", exc.reason)
    except AbrError as exc:
        LOGGER.warning("%s: %s", shown(request), redact(str(exc)))
        response = error_response(exc.http_status, "failed", redact(str(exc)))
    except ConnectionError:
        raise
    except Exception as exc:
        LOGGER.exception("%s failed", shown(request))
        if _has_begun(request):
            raise ConnectionResetError("the response broke off") from exc
        return close_after(error_response(500, "internal", "something failed here; see the log"))
    if _has_begun(request):
        raise ConnectionResetError("the response broke off")
    return response


def _has_begun(request: web.BaseRequest) -> bool:
    return request.writer.output_size > 0


def target_of(request: web.Request) -> Target:
    """What ``request`` is for.

    Raises:
        PathError: its target is malformed; see ``parse_target``.
    """
    headers = request.headers
    fields = Fields(
        authorization=", ".join(headers.getall(hdrs.AUTHORIZATION, ())),
        common=headers.get(COMMON_FIELD, ""),
        cookie="; ".join(headers.getall(hdrs.COOKIE, ())),
    )
    return parse_target(request.raw_path, fields)


def add_fields(headers: CIMultiDict[str]) -> None:
    """Add the fields that all our answers have, where they are not set."""
    for name, value in CORS:
        headers.setdefault(name, value)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    if headers.get(hdrs.SERVER, SERVER_SOFTWARE) == SERVER_SOFTWARE:
        headers[hdrs.SERVER] = SERVER_NAME
