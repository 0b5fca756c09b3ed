"""One connection to a parent: bytes in and out, and one exchange of HTTP/1.1 at a time.

h11 decides what the bytes mean; this module moves them, with flow control both ways, and gives
every wait a limit. A body that can be seen to be cut off is an error; one that ends where the
connection ends (HTTP/1.0) cannot be told from a whole one.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from contextlib import suppress

import h11

SLOW_PIECE_BYTES = 16 << 10
"""The same, when it is passed on to a client that has not proved fast."""

PIECE_BYTES = 64 << 10
"""Bytes that wait in memory on one connection before the parent is made to wait; so much is also
read in one go, or bodies that nobody takes would hold four times as much."""

MAX_HEAD_BYTES = 64 << 10
"""Longest head of a response."""

MAX_INTERIM = 32
"""Most informational responses before the final one."""

Fields = list[tuple[str, str]]
Body = bytes | AsyncIterable[bytes] | None
OnInterim = Callable[[int, str, Fields], None]
"""Told the status, phrase and fields of each informational response (1xx)."""

# RFC 9110 §10.1.4: we send no TE, so a coding other than chunked is not permitted. These name
# what was done to the body; another word, such as "identity", is a label without effect.
_REAL_CODINGS = (b"gzip", b"deflate", b"compress", b"chunked")
_CODING_LINE = re.compile(rb"\ntransfer-encoding:([^\r\n]*)", re.IGNORECASE)
_FRAMING_LINES = re.compile(rb"(?<=\n)(?:transfer-encoding|content-length):[^\n]*\n", re.IGNORECASE)
_HEAD_END = re.compile(rb"\n\r?\n")


class Wire(asyncio.Protocol):
    """A connection that is read when somebody wants bytes."""

    def __init__(self) -> None:
        self.idle_until_s = float("inf")
        """Loop time until which it may be used again after a pause."""
        self.on_news: Callable[[], None] | None = None
        """Called when bytes have come, or the end; ``take`` them then."""
        self._most_bytes = SLOW_PIECE_BYTES
        self._transport: asyncio.Transport | None = None
        self._received: list[bytes] = []
        self._received_bytes = 0
        self._ended = False
        self._error: Exception | None = None
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._may_write = True

    def __repr__(self) -> str:
        state = "ended" if self._ended else "open"
        return f"<Wire {state}, {self._received_bytes} bytes unread>"

    @property
    def is_quiet(self) -> bool:
        """Whether it is open and nothing has come that nobody asked for."""
        return not (self._ended or self._received) and self._transport is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.set_pace(SLOW_PIECE_BYTES)

    def set_pace(self, most_bytes: int) -> None:
        """Let so many bytes wait in memory before the sender waits."""
        self._most_bytes = most_bytes
        transport = self._transport
        if transport is not None and hasattr(transport, "max_size"):
            transport.max_size = most_bytes  # of asyncio's own loop: bytes read in one go

    def data_received(self, data: bytes) -> None:
        """Keep bytes, and make the sender wait when there are many."""
        self._received.append(data)
        self._received_bytes += len(data)
        if self._received_bytes >= self._most_bytes and self._transport is not None:
            self._transport.pause_reading()
        self._tell()

    def eof_received(self) -> bool:
        """Note that nothing more will come; we may still be sending."""
        self._ended = True
        self._tell()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake whoever waits."""
        self._ended = True
        self._error = self._error or exc
        self._may_write = True
        self._tell()
        _wake(self._writer)

    def pause_writing(self) -> None:
        """Make writers wait."""
        self._may_write = False

    def resume_writing(self) -> None:
        """Let writers go on."""
        self._may_write = True
        _wake(self._writer)

    async def read(self) -> bytes:
        """All bytes that have come, once there are some; none at the end.

        Raises:
            OSError: the connection broke.
        """
        while not self._received and not self._ended:
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        if not self._received and self._error is not None:
            raise self._error
        return self.take()

    def take(self) -> bytes:
        """All bytes that have come, without waiting; none when none have."""
        data = b"".join(self._received)
        self._received.clear()
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()  # does nothing when it was not paused
        self._received_bytes = 0
        return data

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come than what can be taken now."""
        return self._ended

    def send(self, data: bytes) -> None:
        """Send bytes, without waiting.

        Raises:
            OSError: the connection broke.
        """
        if self._transport is None or self._transport.is_closing():
            raise self._error or ConnectionResetError("the connection was closed")
        self._transport.write(data)

    async def write(self, data: bytes) -> None:
        """Send bytes, and wait while the parent does not take them.

        Raises:
            OSError: the connection broke.
        """
        self.send(data)
        while not self._may_write:
            self._writer = asyncio.get_running_loop().create_future()
            await self._writer

    def _tell(self) -> None:
        _wake(self._reader)
        if self.on_news is not None:
            self.on_news()

    def end_sending(self) -> None:
        """Send nothing more; what has been sent may still be answered."""
        if self._transport is not None and not self._transport.is_closing():
            if self._transport.can_write_eof():
                self._transport.write_eof()
            else:
                self._transport.close()

    def close(self) -> None:
        """Close it at once; nothing that is unsent is worth waiting for."""
        self._ended = True
        if self._transport is not None:
            self._transport.abort()


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)


class Exchange:
    """One request and its response on a wire; ``close`` it in any case.

    Raises:
        h11.ProtocolError: what came is not HTTP/1.1, or was cut off.
        OSError: the connection broke.
        TimeoutError: a limit passed.
    """

    def __init__(self, wire: Wire, *, idle_limit_s: float) -> None:
        self.wire = wire
        self.has_received = False
        """Whether anything of the response has come."""
        self.keeps_s: float | None = None
        """How long the parent says that it keeps the connection; None when it does not say."""
        self._idle_limit_s = idle_limit_s
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._unread: bytes | bytearray = b""  # what h11 has not seen
        self._in_head = True
        self._left: int | None = None  # bytes of a body of known length that have not come
        self._keeps_alive = False
        self._method = b""
        self._sending: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Exchange on {self.wire!r}: {self._http.states}>"

    @property
    def can_go_on(self) -> bool:
        """Whether the connection can be used for another exchange."""
        http = self._http
        if http.our_state is not h11.DONE or not self.wire.is_quiet or self._unread:
            return False
        if self._left is not None:
            return self._left == 0 and self._keeps_alive
        return http.their_state is h11.DONE and not http.trailing_data[0]

    async def ask(
        self, request: h11.Request, body: Body, on_interim: OnInterim, extend: Callable[[], None]
    ) -> h11.Response:
        """Send a request and wait for the head of the final response.

        Args:
            request: Method, target and fields.
            body: What follows them.
            on_interim: Told about each informational response.
            extend: Called when there was progress, so that waiting may go on.
        """
        if body is None or isinstance(body, bytes):
            await self._send_whole(request, body)
        else:
            # The parent may answer before it has all of the body.
            self._sending = asyncio.create_task(self._send_stream(request, body, extend))
        self._method = request.method
        head = await self._final_head(on_interim, extend)
        self.keeps_s = _kept_s(head.headers)
        return head

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it arrives."""
        while self._left is not None:
            # Of a body of known length there is nothing to parse: h11 would copy every byte.
            if not self._left:
                return
            if not self._unread:
                async with asyncio.timeout(self._idle_limit_s):
                    self._unread = await self.wire.read()
                if not self._unread:
                    raise h11.RemoteProtocolError(f"cut off {self._left} bytes before its end")
            piece, self._unread = self._unread[: self._left], self._unread[self._left :]
            self._left -= len(piece)
            yield bytes(piece)
        while True:
            event = await self._event(self._idle_limit_s)
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return  # RFC 9110 §6.5.1: trailers may be discarded
            else:
                raise h11.RemoteProtocolError("the connection ended within a body")

    async def close(self) -> None:
        """End it; a request that is still being sent is broken off."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
        if self._left is None and self._http.their_state is h11.SEND_BODY:
            self._skip_empty_body()

    def _skip_empty_body(self) -> None:
        """Note the end of a body of which nothing is left, such as that of a 304."""
        with suppress(h11.ProtocolError):
            self._http.next_event()

    async def _send_whole(self, request: h11.Request, body: bytes | None) -> None:
        data = self._http.send(request) or b""
        if body:
            data += self._http.send(h11.Data(data=body)) or b""
        data += self._http.send(h11.EndOfMessage()) or b""
        await self.wire.write(data)

    async def _send_stream(
        self, request: h11.Request, body: AsyncIterable[bytes], extend: Callable[[], None]
    ) -> None:
        try:
            await self.wire.write(self._http.send(request) or b"")
            async for piece in body:
                extend()
                # An answer that has come already is read before a write may find the end.
                await asyncio.sleep(0)
                await self.wire.write(self._http.send(h11.Data(data=piece)) or b"")
            await self.wire.write(self._http.send(h11.EndOfMessage()) or b"")
            extend()
        except OSError:
            # The client or the parent is gone. Only a broken connection tells the parent that
            # it has a part; a response that it has sent already is still read.
            self.wire.end_sending()

    async def _final_head(self, on_interim: OnInterim, extend: Callable[[], None]) -> h11.Response:
        for _ in range(MAX_INTERIM + 1):
            event = await self._event(None)
            if isinstance(event, h11.Response):
                self._in_head = False
                self._left = _length_of(event, self._method)
                self._keeps_alive = _keeps_alive(event)
                if self._unread and self._left is None:
                    self._http.receive_data(bytes(self._unread))
                    self._unread = b""
                return event
            if not isinstance(event, h11.InformationalResponse) or event.status_code == 101:
                raise h11.RemoteProtocolError("expected a response")
            extend()
            if event.status_code != 100:  # that one is between two neighbours
                on_interim(event.status_code, text_of(event.reason), fields_of(event))
        raise h11.RemoteProtocolError(f"more than {MAX_INTERIM} informational responses")

    async def _event(self, limit_s: float | None) -> h11.Event:
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                if not (self._in_head and self._give_head()):
                    await self._receive(limit_s)
            elif isinstance(event, h11.Event):
                return event
            else:
                raise h11.RemoteProtocolError("the connection is over")

    async def _receive(self, limit_s: float | None) -> None:
        async with asyncio.timeout(limit_s):
            data = await self.wire.read()
        self.has_received = self.has_received or bool(data)
        if not self._in_head:
            self._http.receive_data(data)
            return
        self._unread += data
        if not data:
            self._http.receive_data(bytes(self._unread))  # h11 says what is wrong with it
            self._http.receive_data(b"")
            self._unread = b""

    def _give_head(self) -> bool:
        """Give h11 the next head, if it is complete, without a transfer coding that is none.

        RFC 9112 §6.3: where chunked is not the last coding, the body ends with the connection.
        """
        end = _HEAD_END.search(self._unread, 0, MAX_HEAD_BYTES)
        if end is None:
            if len(self._unread) >= MAX_HEAD_BYTES:
                raise h11.RemoteProtocolError(f"a head of over {MAX_HEAD_BYTES} bytes")
            return False
        head, self._unread = bytes(self._unread[: end.end()]), self._unread[end.end() :]
        coding = _CODING_LINE.search(head)
        if coding is not None and not any(word in coding[1].lower() for word in _REAL_CODINGS):
            head = _FRAMING_LINES.sub(b"", head)
        self._http.receive_data(head)
        return True


def _length_of(head: h11.Response, method: bytes) -> int | None:
    """Bytes of the body, when a length says so; None when h11 has to find its end."""
    if method == b"HEAD" or head.status_code in (204, 304):
        return None
    length = None
    for name, value in head.headers:
        if name == b"transfer-encoding":
            return None
        if name == b"content-length":
            length = int(value)
    return length


def _keeps_alive(head: h11.Response) -> bool:
    words = [value.lower() for name, value in head.headers if name == b"connection"]
    return head.http_version >= b"1.1" and not any(b"close" in each for each in words)


_KEPT = re.compile(rb"timeout=([0-9]{1,6})")


def _kept_s(headers: Iterable[tuple[bytes, bytes]]) -> float | None:
    """Seconds in ``Keep-Alive: timeout=5``, less one for what is under way."""
    for name, value in headers:
        found = _KEPT.search(value) if name == b"keep-alive" else None
        if found is not None:
            return float(found[1]) - 1.0
    return None


def text_of(data: bytes) -> str:
    """Text of a head: one character per byte, so that it can be sent on unchanged."""
    return data.decode("latin-1")


def fields_of(message: h11.Response | h11.InformationalResponse) -> Fields:
    """Fields of a message, names as received."""
    return [(text_of(name), text_of(value)) for name, value in message.headers.raw_items()]
