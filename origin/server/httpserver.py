"""An aiohttp application on a socket: limits, errors, start and stop.

Shared by origin and edges. It adds to aiohttp a limit on the time that a request's head
may take, refusal of ambiguous requests, CORS fields and JSON on every error, an access log
without tokens, one-line errors for busy ports, and a time limit for stopping.
"""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp.http_exceptions
import aiohttp.http_parser
from aiohttp import hdrs, web
from aiohttp.abc import AbstractAccessLogger
from aiohttp.http import SERVER_SOFTWARE

from abr.errors import AbrError, ConfigError, PortInUseError, TokenError, ToolMissingError
from origin.config import ServerLimits
from origin.cors import CORS, PREFLIGHT
from origin.framing import find_fault
from origin.metrics import CONTENT_TYPE
from origin.paths import Target, parse_target
from origin.tokens import redact

LOGGER = logging.getLogger("abr.http")
ACCESS_LOGGER = logging.getLogger("abr.access")

SERVER_NAME = "abrkit"
"""The ``Server`` field; versions would only help an attacker (RFC 9110 §10.2.4)."""

UNSENT_BYTES = 65536
"""Most bytes of a connection that wait in the kernel before they are sent."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a server can be reached."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """Base URL, without a slash at the end; a wildcard address is named as loopback."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104  # shown, not bound
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


@asynccontextmanager
async def listening(
    app: web.Application, *, host: str, port: int, limits: ServerLimits | None = None
) -> AsyncIterator[Listening]:
    """Serve ``app`` while the context is open.

    Args:
        app: Made by ``make_application``, so that errors look alike.
        host: Address or name to listen on.
        port: Port; 0 takes a free one.
        limits: Sizes and times; the defaults when None.

    Raises:
        PortInUseError: the address is taken, not ours, or not permitted.
        ConfigError: the host has no address.
        ToolMissingError: aiohttp lacks its C extensions.
    """
    require_c_extensions()
    limits = limits or ServerLimits()
    sock = await bind(host, port)
    try:
        # aiohttp waits for its limit twice: for responses to end, and after cancelling them.
        runner = web.AppRunner(
            app, handler_cancellation=True, shutdown_timeout=limits.shutdown_s / 2
        )
        await runner.setup()
        try:
            manager, loop = runner.server, asyncio.get_running_loop()
            assert manager is not None
            server = await loop.create_server(
                lambda: _Connection(manager, loop, limits), sock=sock, backlog=limits.backlog
            )
            try:
                yield Listening(*sock.getsockname()[:2])
            finally:
                server.close()
        finally:
            await runner.cleanup()
    finally:
        sock.close()


async def bind(host: str, port: int) -> socket.socket:
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
        # Connections inherit it. The kernel then buffers little for a slow client, so the
        # access log is accurate and an abandoned download stops early.
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


_BIND_ERRORS = {
    errno.EADDRINUSE: "the port is taken; choose another with --port, or 0 for a free one",
    errno.EACCES: "not permitted; choose a port from 1024 up with --port",
    errno.EADDRNOTAVAIL: "it is not an address of this machine; choose another with --host",
}


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

    Args:
        answer: Reads ``request.raw_path``: nothing was decoded or normalised.
        limits: Sizes of heads.
        client_max_bytes: Most bytes of a request body that can be read.
        adds_fields: Give every response the fields that let players of any site use it.
    """
    head_bytes = (limits or ServerLimits()).head_bytes

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        # The router is bypassed, because it decodes and normalises the path.
        del handler
        http_1_1 = request.version >= (1, 1)
        problem = find_fault(request.raw_headers, http_1_1=http_1_1, head_bytes=head_bytes)
        if problem is not None:
            return _close_after(error_response(problem.status, "bad-request", problem.message))
        return await _answer_safely(request, answer)

    app = web.Application(middlewares=[guard], client_max_size=client_max_bytes)
    if adds_fields:
        app.on_response_prepare.append(_add_fields)
    return app


async def _answer_safely(request: web.Request, answer: Handler) -> web.StreamResponse:
    """The response of ``answer``; an exception becomes a response too, unless one has begun."""
    try:
        return await answer(request)
    except web.HTTPException as exc:
        response = error_response(exc.status, "refused", exc.reason)
    except AbrError as exc:
        LOGGER.warning("%s %s: %s", request.method, redact(request.raw_path), redact(str(exc)))
        response = error_response(exc.http_status, "failed", redact(str(exc)))
    except ConnectionError:
        raise
    except Exception as exc:
        LOGGER.exception("%s %s failed", request.method, redact(request.raw_path))
        if _has_begun(request):
            raise ConnectionResetError("the response broke off") from exc
        return _close_after(error_response(500, "internal", "something failed here; see the log"))
    if _has_begun(request):
        raise ConnectionResetError("the response broke off")
    return response


def _has_begun(request: web.BaseRequest) -> bool:
    return request.writer.output_size > 0


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
    fields = {"Abr-Refusal": refusal.reason}
    return error_response(refusal.http_status, refusal.reason, str(refusal), fields)


def preflight_response() -> web.Response:
    """The answer to OPTIONS, which needs no token."""
    return web.Response(status=204, headers=dict(PREFLIGHT))


def method_response(allowed: Sequence[str]) -> web.Response:
    """What a client is told whose method is none of ``allowed`` (RFC 9110 §15.5.6)."""
    fields = {"Allow": ", ".join((*allowed, "OPTIONS"))}
    return error_response(405, "method", f"expected {' or '.join(allowed)}", fields)


def target_of(request: web.Request) -> Target:
    """What ``request`` is for.

    Raises:
        PathError: its target is malformed; see ``parse_target``.
    """
    authorization = ", ".join(request.headers.getall(hdrs.AUTHORIZATION, ()))
    return parse_target(request.raw_path, authorization)


def _close_after(response: web.Response) -> web.Response:
    response.force_close()
    return response


async def _add_fields(_request: web.BaseRequest, response: web.StreamResponse) -> None:
    for name, value in CORS:
        response.headers.setdefault(name, value)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    if response.headers.get(hdrs.SERVER) == SERVER_SOFTWARE:
        response.headers[hdrs.SERVER] = SERVER_NAME


class AccessLog(AbstractAccessLogger):
    """One line for each response, tokens taken out."""

    @property
    def enabled(self) -> bool:
        """Whether its level is logged at all."""
        return self.logger.isEnabledFor(logging.INFO)

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Write the line; ``time`` is the seconds it took."""
        self.logger.info(
            '%s "%s %s" %d, %d B sent, %.1f ms',
            request.remote,
            request.method,
            redact(request.raw_path),
            response.status,
            response.body_length,
            1000 * time,
        )


class _Connection(web.RequestHandler):
    """aiohttp's connection with a limit on the time and size of an unfinished head.

    aiohttp closes idle connections only: one that sends a byte now and then stays open.
    """

    __slots__ = ("_alarm", "_limits", "_unfinished_bytes")

    def __init__(self, manager: Any, loop: asyncio.AbstractEventLoop, limits: ServerLimits) -> None:
        super().__init__(
            manager,
            loop=loop,
            keepalive_timeout=limits.keepalive_s,
            max_line_size=limits.field_bytes,
            max_field_size=limits.field_bytes,
            max_headers=limits.fields,
            lingering_time=2.0,
            access_log_class=AccessLog,
            access_log=ACCESS_LOGGER,
            logger=LOGGER,
        )
        self._limits = limits
        self._alarm: asyncio.TimerHandle | None = None
        self._unfinished_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._set_alarm()

    def data_received(self, data: bytes) -> None:
        before = self._request_count
        super().data_received(data)
        if self._request_count != before:
            self._unfinished_bytes = 0
            self._stop_alarm()
        elif not self._request_in_progress:  # otherwise it is part of a body
            self._unfinished_bytes += len(data)
            if self._unfinished_bytes > 2 * self._limits.head_bytes:
                self.force_close()
            elif self._alarm is None:
                self._set_alarm()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_alarm()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what could not be parsed; aiohttp would quote it, with a token, in its log."""
        if _has_begun(request):
            raise ConnectionResetError("the response broke off")
        if isinstance(exc, aiohttp.http_exceptions.LineTooLong):
            status = 431
        if status >= 500:
            LOGGER.error("internal error: %s", type(exc).__name__, exc_info=exc)
        else:
            LOGGER.info("%s: malformed request (%s)", request.remote, type(exc).__name__)
        text = (
            "the request is not HTTP/1.1 as this server accepts it"
            if status < 500
            else "internal error"
        )
        response = _close_after(error_response(status, "bad-request", text))
        # No application is involved in this response, so its fields are added here.
        response.headers.update(dict(CORS))
        response.headers[hdrs.SERVER] = SERVER_NAME
        return response

    def _set_alarm(self) -> None:
        self._alarm = self._loop.call_later(self._limits.header_s, self._too_slow)

    def _stop_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _too_slow(self) -> None:
        self._alarm = None
        if self._request_in_progress:
            self._set_alarm()
        else:
            self.force_close()
