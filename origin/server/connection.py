"""One connection of a client: aiohttp's, with limits, and with bodies sent by the kernel.

It adds to aiohttp a limit on the time and size of an unfinished head, a limit on how long a
client may take nothing of what is written, ``send_file``, and an access log without tokens.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Collection
from typing import Any

import aiohttp.http_exceptions
from aiohttp import hdrs, web
from aiohttp.abc import AbstractAccessLogger
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

from origin.cors import CORS
from origin.server.answers import SERVER_NAME, close_after, error_response
from origin.server.door import FULL, Answered, Door, Refusal
from origin.server.filesender import FileSender, PieceSender

LOGGER = logging.getLogger("abr.http")
ACCESS_LOGGER = logging.getLogger("abr.access")


UNSENT_BYTES = 64 << 10
"""Most bytes of a connection that wait in the kernel before they are sent, so that the log is
accurate and an abandoned download stops early; unless the client is known to be fast."""

FAST_BYTES_PER_S, SLOW_BYTES_PER_S = 4 << 20, 1 << 20
"""Of a client that takes a body faster than the first, the kernel may hold what it likes, until
one is slower than the second: waking up for every 64 KiB costs more than copying them."""


_SHOWN = web.RequestKey("shown", str)
_ADDED = web.RequestKey("added", tuple[tuple[str, str], ...])


CookiePages = Callable[[], Collection[str]]
"""Sites whose pages may send cookies, such as ``https://player.example``."""


def show(request: web.BaseRequest, path: str) -> None:
    """Let logs name ``request`` by this path, which holds nothing secret."""
    request[_SHOWN] = path


def shown(request: web.BaseRequest) -> str:
    """What logs name ``request`` by: its method, and its path once somebody has allowed it.

    What strangers send is not logged: a token that was altered a little cannot be told from a
    path, and is still most of a token.
    """
    method = request.method if request.method.isalpha() and len(request.method) < 16 else "-"
    return f"{method} {request.get(_SHOWN, '-')}"


def add_to_answer(request: web.BaseRequest, fields: tuple[tuple[str, str], ...]) -> None:
    """Give the answer to ``request`` these fields too, whoever makes it."""
    request[_ADDED] = fields


def added_to_answer(request: web.BaseRequest) -> tuple[tuple[str, str], ...]:
    """What ``add_to_answer`` was told."""
    added: tuple[tuple[str, str], ...] = request.get(_ADDED, ())
    return added


class AccessLog(AbstractAccessLogger):
    """One line for each response, tokens taken out."""

    @property
    def enabled(self) -> bool:
        """Whether its level is logged at all."""
        return self.logger.isEnabledFor(logging.INFO)

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Write the line; ``time`` is the seconds it took."""
        log_access(
            self.logger,
            request.remote,
            shown(request),
            response.status,
            response.body_length,
            time,
        )


def log_access(
    logger: logging.Logger, remote: str | None, line: str, status: int, count: int, took_s: float
) -> None:
    """Write one line about a response whose body had ``count`` bytes."""
    logger.info('%s "%s" %d, %d B sent, %.1f ms', remote, line, status, count, 1000 * took_s)


def _answered(
    request: web.BaseRequest, response: web.StreamResponse, first_byte_s: float, took_s: float
) -> Answered:
    has_body = request.method != "HEAD" and response.status not in (204, 304)
    length = response.content_length
    size_bytes = -1 if length is None or response.status not in (200, 206) else length
    if response.status == 206:
        total = response.headers.get(hdrs.CONTENT_RANGE, "").rpartition("/")[2]
        size_bytes = int(total) if total.isascii() and total.isdigit() else -1
    return Answered(
        request.method,
        request.raw_path,
        request.raw_headers,
        response.status,
        response.headers.get("Cache-Status", ""),
        size_bytes,
        # What the kernel copied from a file has not gone through aiohttp's writer.
        (response.body_length if length is None else length) if has_body else 0,
        max(0.0, first_byte_s),
        took_s,
    )


class Connection(web.RequestHandler):
    """aiohttp's connection with limits and ``send_file``.

    aiohttp closes idle connections only: one that sends a byte now and then stays open.
    """

    __slots__ = (
        "_address", "_alarm", "_asked_s", "_body", "_body_alarm", "_body_bytes", "_door", "_head_s",
        "_is_fast", "_limits", "_made_s", "_sender", "_socket", "_stall_alarm",
        "_unfinished_bytes", "_wire", "cookie_pages",
    )  # fmt: skip

    def __init__(self, manager: Any, loop: asyncio.AbstractEventLoop, door: Door) -> None:
        limits = door.limits
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
        self.cookie_pages: CookiePages = tuple
        self._door, self._limits = door, limits
        if door.on_answered is not None:
            self._logging_enabled = True  # of aiohttp: note when a request came
        self._asked_s = self._head_s = 0.0  # loop times of the latest request and its answer
        self._address = ""
        self._made_s = loop.time()
        self._body: StreamReader | None = None  # of a request, while it comes
        self._body_bytes = 0
        self._body_alarm: asyncio.TimerHandle | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._stall_alarm: asyncio.TimerHandle | None = None
        self._unfinished_bytes = 0
        self._is_fast = False
        self._sender: FileSender | PieceSender | None = None
        self._wire: asyncio.Transport | None = None
        self._socket: socket.socket | None = None  # None: only the transport may write

    def __repr__(self) -> str:
        state = "closed" if self.transport is None else "open"
        return f"<Connection of {self.peername}: {state}, {self._request_count} requests>"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, if there is room: set limits and alarms."""
        assert isinstance(transport, asyncio.Transport)
        peer = transport.get_extra_info("peername")
        self._address = str(peer[0]) if isinstance(peer, tuple) else ""
        if not self._door.admit(self, self._address):
            transport.set_protocol(Refusal())
            transport.write(FULL)
            transport.close()
            return
        super().connection_made(transport)
        self._wire = transport
        if transport.get_extra_info("sslcontext") is None:
            # So that draining means that nothing is left: send_file must not overtake it.
            transport.set_write_buffer_limits(high=0)
            self._socket = getattr(transport.get_extra_info("socket"), "_sock", None)
        else:
            transport.set_write_buffer_limits(high=64 << 10)
        self._set_alarm()

    def data_received(self, data: bytes) -> None:
        """Take what the client sent."""
        before = self._request_count
        super().data_received(data)
        if self._request_count != before:
            self._unfinished_bytes = 0
            self._stop_alarm()
            self._watch_body()
        elif self._body is not None:
            self._body_bytes += len(data)
        elif self._waiter is not None and not self._waiter.done():  # otherwise it is of a body
            self._unfinished_bytes += len(data)
            if self._unfinished_bytes > 2 * self._limits.head_bytes:
                self.force_close()
            elif self._alarm is None:
                self._set_alarm()

    def connection_lost(self, exc: BaseException | None) -> None:
        """End: stop alarms and what is being sent."""
        self._door.leave(self, self._address)
        self._stop_alarm()
        self._stop_stall_alarm()
        self._stop_body_alarm()
        if self._sender is not None:
            self._sender.abort(exc or ConnectionResetError("the client is gone"))
        super().connection_lost(exc)

    def idle_s(self) -> float:
        """Seconds since it was last made use of; 0 while a request or an answer is under way."""
        waiter = self._waiter
        if waiter is None or waiter.done() or self._messages or self._unfinished_bytes:
            return 0.0
        used_s = self._next_keepalive_close_time - self._keepalive_timeout
        return self._loop.time() - max(self._made_s, used_s)

    @property
    def is_last(self) -> bool:
        """Whether the answer under way is the last on this connection."""
        return self._door.is_draining

    def note_head(self) -> None:
        """Note that the head of an answer is about to be sent."""
        self._head_s = self._loop.time()
        self._door.waits.add(self._head_s - self._asked_s)

    def note_request(self) -> None:
        """Note that a request is about to be answered."""
        self._asked_s = self._loop.time()

    def log_access(
        self, request: web.BaseRequest, response: web.StreamResponse, time: float | None
    ) -> None:
        """Log an answer and tell about it; ``time`` is when the request came."""
        if time is None:
            return
        took_s = self._loop.time() - time
        if self.access_logger is not None and self.access_logger.enabled:
            self.access_logger.log(request, response, took_s)
        if self._door.on_answered is not None:
            self._door.on_answered(_answered(request, response, self._head_s - time, took_s))

    def pause_writing(self) -> None:
        """Note that the client takes its time."""
        super().pause_writing()
        assert self._wire is not None
        self._watch_stall(self._wire.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Note that the client took what was written."""
        super().resume_writing()
        self._stop_stall_alarm()
        if self._sender is not None:
            self._sender.resume()

    async def send_file(
        self,
        file: int,
        offset: int,
        length: int,
        *,
        limit_s: float,
        on_sent: Callable[[int], None],
    ) -> None:
        """Send bytes of a file to the client, after what was written before.

        Args:
            file: Descriptor of the file.
            offset: First byte to send.
            length: Number of bytes to send.
            limit_s: Most seconds in which a client takes 256 KiB.
            on_sent: Told the number of bytes after each step.

        Raises:
            ConnectionError: the client is gone or too slow, or the file was cut.
            OSError: the file cannot be read.
        """
        if self.transport is None or self.transport.is_closing():
            raise ConnectionResetError("the client is gone")
        if self._paused:
            await self._drain_helper()
        done: asyncio.Future[None] = self._loop.create_future()

        def end(error: BaseException | None) -> None:
            if not done.done():
                done.set_result(None) if error is None else done.set_exception(error)

        self._sender = self._make_sender(b"", file, offset, length, limit_s, on_sent, end, False)
        try:
            self._sender.start()
            await done
        finally:
            self._sender.abort(ConnectionAbortedError("the response was given up"))
            self._sender = None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what could not be parsed; aiohttp would quote it, with a token, in its log."""
        if request.writer.output_size > 0:
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
        response = close_after(error_response(status, "bad-request", text))
        # No application is involved in this response, so its fields are added here.
        response.headers.update(dict(CORS))
        response.headers[hdrs.SERVER] = SERVER_NAME
        return response

    def _make_sender(
        self,
        lead: bytes,
        file: int,
        offset: int,
        length: int,
        limit_s: float,
        on_sent: Callable[[int], None],
        on_done: Callable[[BaseException | None], None],
        is_warm: bool,
    ) -> FileSender | PieceSender:
        if self._socket is not None:
            return FileSender(
                self._socket,
                lead,
                file,
                offset,
                length,
                limit_s=limit_s,
                on_pace=self._note_pace,
                on_sent=on_sent,
                on_done=on_done,
                is_warm=is_warm,
            )
        assert self.transport is not None
        return PieceSender(
            self.transport,
            lead,
            file,
            offset,
            length,
            has_room=self._has_room,
            on_sent=on_sent,
            on_done=on_done,
            is_warm=is_warm,
        )

    def _note_pace(self, count: int, took_s: float) -> None:
        """Let the kernel hold more for a client that took so many bytes fast, or less again."""
        is_fast = count > took_s * (SLOW_BYTES_PER_S if self._is_fast else FAST_BYTES_PER_S)
        if count >= 4 * UNSENT_BYTES and is_fast != self._is_fast and self._socket is not None:
            self._is_fast = is_fast
            if self._socket.family == socket.AF_UNIX:
                return
            self._socket.setsockopt(
                socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, 0 if is_fast else UNSENT_BYTES
            )

    def _has_room(self) -> bool:
        return not self._paused

    def _watch_body(self) -> None:
        """Watch how fast the body of the latest request comes, if it is not there already."""
        self._stop_body_alarm()
        payload = self._messages[-1][1] if self._messages else EMPTY_PAYLOAD
        if payload is not EMPTY_PAYLOAD and not payload.is_eof():
            self._body, self._body_bytes = payload, 0
            self._body_alarm = self._loop.call_later(self._limits.body_s, self._check_body)

    def _stop_body_alarm(self) -> None:
        self._body = None
        if self._body_alarm is not None:
            self._body_alarm.cancel()
            self._body_alarm = None

    def _check_body(self) -> None:
        """Cut off a client whose body comes too slowly, unless it is we who do not read it."""
        assert self._wire is not None
        limits, self._body_alarm = self._limits, None
        if self._body is None or self._body.is_eof():
            self._body = None
            return
        if self._wire.is_reading() and self._body_bytes < limits.body_bytes_per_s * limits.body_s:
            LOGGER.info("%s: its request body came too slowly", self._address)
            self._wire.abort()
            return
        self._body_bytes = 0
        self._body_alarm = self._loop.call_later(limits.body_s, self._check_body)

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

    def _watch_stall(self, unsent_bytes: int) -> None:
        self._stall_alarm = self._loop.call_later(
            self._limits.send_s, self._check_stall, unsent_bytes
        )

    def _stop_stall_alarm(self) -> None:
        if self._stall_alarm is not None:
            self._stall_alarm.cancel()
            self._stall_alarm = None

    def _check_stall(self, before_bytes: int) -> None:
        """Cut off a client that takes too little of what waits; closing would wait for it."""
        assert self._wire is not None
        unsent_bytes = self._wire.get_write_buffer_size()
        least_bytes = min(before_bytes, self._limits.send_s * self._limits.send_bytes_per_s)
        if before_bytes - unsent_bytes < least_bytes:
            self._wire.abort()
        else:
            self._watch_stall(unsent_bytes)
