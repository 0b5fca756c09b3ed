"""The two legs of a shaped connection, and what waits between them.

Towards the server bytes only travel one round trip long. Towards the client they wait
until the shared link says how many may leave. Ends and breaks of either side reach the
other in order: after the bytes before them, a clean end as a clean end and a break as
a reset. ``player.shaping.proxy`` owns the link and the clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from dataclasses import dataclass
from typing import Literal, Protocol

from player.shaping.alarms import Alarms
from player.shaping.pacing import QUANTUM_BYTES, SharedPacer

# Seen from the server: with the 64 kB segments of loopback its kernel would buffer 4 MB.
# Up to about this size it reckons with 2 kB of memory for each, above with 4.
_SEGMENT_BYTES = 1380
# What a request and its answer spend on loopback between the two legs and in here: part of
# the round trip that is asked for, and so taken off the delay.
_HOPS_S = 0.0003
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShaperConfig:
    """Sizes and limits of the shaping proxy."""

    quantum_bytes: int = QUANTUM_BYTES
    """Bytes that leave the link at once."""
    gap_s: float = 0.005
    """Longest pause of the senders that does not count as silence, seconds."""
    queue_bytes: int = 16384
    """Bytes held per connection and direction before its sender is paused."""
    queue_s: float = 0.1
    """On a fast link, hold this many seconds of its capacity instead when that is more."""
    read_s: float = 0.01
    """Worth of the trace's highest capacity that one read of the server's leg may bring."""
    socket_buffer_bytes: int = 32768
    """Kernel buffer asked for in each direction of both legs."""
    max_connections: int = 64
    """Open connections of the client; further ones are reset at once."""
    connect_timeout_s: float = 5.0
    """Longest wait for the server to accept a connection, seconds."""
    interval_s: float = 0.5
    """Length of the report's intervals, seconds."""
    tick_s: float = 0.001
    """Shortest time between two departures; what is due meanwhile leaves together, seconds."""
    cross_flows: int = 0
    """Endless downloads of others that share the link."""
    buffer_bytes: int = 0
    """Buffer at the bottleneck that a new transfer may find filled; 0: none is modelled."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 0
    """Port to listen on; 0: the system chooses."""


class Reading(Protocol):
    """How one connection takes bytes from its server; see ``player.shaping.departures``."""

    def room_bytes(self) -> float:
        """How much more the event loop may read now."""
        ...

    def arrived(self) -> None:
        """The event loop read something."""
        ...

    def left(self, size_bytes: int) -> None:
        """``size_bytes`` that waited went to the client."""
        ...

    def stop(self) -> None:
        """One of the two sides is gone."""
        ...


class Link(Protocol):
    """What a connection needs of the link that it shares."""

    config: ShaperConfig
    alarms: Alarms

    def rtt_s(self) -> float:
        """Round-trip time now."""
        ...

    def accept(self, client: asyncio.Transport) -> Connection | None:
        """A client connected; None turns it away."""
        ...

    def reading(
        self, connection: Connection, server: asyncio.Transport, sock: socket.socket
    ) -> Reading:
        """How ``connection`` is to take bytes from its server."""
        ...

    def queueing_s(self) -> float:
        """What a packet would wait now in the buffer of the bottleneck, seconds."""
        ...

    def offer(self, flow: int, size_bytes: int) -> None:
        """Bytes of ``flow`` arrived at the link."""
        ...

    def block(self, flow: int, is_blocked: bool) -> None:
        """The client takes no more of ``flow`` for now, or takes it again."""
        ...

    def forget(self, flow: int) -> None:
        """The connection of ``flow`` is gone."""
        ...


class Connection:
    """One connection of the client: two legs, a delay line up and a paced queue down.

    Attributes:
        flow: Its number on the link.
        down_bytes: What waits for the link.
        client_takes: The client's kernel buffer has room.
    """

    def __init__(self, link: Link, flow: int, client: asyncio.Transport) -> None:
        self.flow = flow
        self._link = link
        self._loop = asyncio.get_running_loop()
        self._limit_bytes = link.config.queue_bytes
        self._client = client
        self.write = client.write
        self.client_takes = True
        self._server: asyncio.Transport | None = None
        # The answer to the first packet also waits in the buffer of the bottleneck.
        self._opened_s = self._loop.time() + link.queueing_s()
        self._closed = False
        # Towards the server: what is on its way and when it arrives; None is the end.
        self._up: deque[tuple[float, bytes | None]] = deque()
        self._up_bytes = 0
        self._up_ended = False
        self._server_takes = True
        # Towards the client: what waits for the link, and what comes after it.
        self._down: deque[memoryview] = deque()
        self.down_bytes = 0
        self._reading: Reading | None = None
        self._break: OSError | None = None
        self._down_end: Literal["open", "eof", "close", "reset"] = "open"

    def join(self, pacer: SharedPacer, now_s: float) -> None:
        """Take part in a link that begins anew, with all that still waits."""
        if not self.client_takes:
            pacer.block(self.flow, now_s)
        pacer.offer(self.flow, self.down_bytes, now_s)

    def from_client(self, data: bytes | None) -> None:
        """Put ``data`` (None: the end) on its way to the server, one round trip long."""
        now_s = self._loop.time()
        rtt_s = self._link.rtt_s()
        due_s = max(now_s, self._opened_s + rtt_s) + max(rtt_s - _HOPS_S, 0.0)
        if self._up:
            due_s = max(due_s, self._up[-1][0])
        self._up.append((due_s, data))
        self._up_bytes += len(data or b"")
        if self._up_bytes > self._limit_bytes:
            self._client.pause_reading()
        self._link.alarms.call_at(due_s, self._forward)

    def _forward(self) -> None:
        now_s = self._loop.time() + self._link.alarms.lead_s
        while self._server is not None and self._up and self._up[0][0] <= now_s:
            data = self._up.popleft()[1]
            if data is None:
                self._up_ended = True
                self._server.write_eof()
                self._finish()
            else:
                self._up_bytes -= len(data)
                self._server.write(data)
        self._let_client_send()

    def server_takes(self, takes: bool) -> None:
        """The server's kernel buffer has room again, or is full."""
        self._server_takes = takes
        if takes:
            self._let_client_send()
        else:
            self._client.pause_reading()

    def _let_client_send(self) -> None:
        if self._server_takes and self._up_bytes <= self._limit_bytes and not self._closed:
            self._client.resume_reading()

    def server_opened(self, server: asyncio.Transport, sock: socket.socket) -> None:
        """The server accepted; what is due by now goes out at once."""
        self._server = server
        if self._closed:
            abort(server)
        else:
            self._reading = self._link.reading(self, server, sock)
            self._forward()

    def room_bytes(self) -> float:
        """How much more the event loop may read from the server now."""
        return 1 if self._reading is None else self._reading.room_bytes()

    def from_server(self, data: bytes) -> None:
        """The event loop read ``data``."""
        self.take(data)
        if self._reading is not None:
            self._reading.arrived()

    def take(self, data: bytes) -> None:
        """``data`` arrived at the link."""
        if not self._closed:
            self._down.append(memoryview(data))
            self.down_bytes += len(data)
            self._link.offer(self.flow, len(data))

    def deliver(self, size_bytes: int) -> None:
        """``size_bytes`` left the link: hand them to the client."""
        self.down_bytes -= size_bytes
        first = self._down[0]
        if len(first) > size_bytes:
            self._down[0] = first[size_bytes:]
            self._client.write(first[:size_bytes])
        else:
            self._client.write(self._popped(size_bytes))
        if self._reading is not None:
            self._reading.left(size_bytes)
        if self._down_end != "open":
            self._finish()

    def lend(self) -> memoryview:
        """All that waits, in one piece; it is to come back by ``restore``."""
        return memoryview(self._popped(self.down_bytes))

    def restore(self, piece: memoryview) -> None:
        """What is left of what was lent, with what was read meanwhile."""
        self._down.clear()
        self._down.append(piece)
        self.down_bytes = len(piece)

    def _popped(self, size_bytes: int) -> bytes | memoryview:
        pieces = []
        while size_bytes > 0:
            piece = self._down.popleft()
            if len(piece) > size_bytes:
                self._down.appendleft(piece[size_bytes:])
                piece = piece[:size_bytes]
            size_bytes -= len(piece)
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def set_client_takes(self, takes: bool) -> None:
        """The client's kernel buffer has room again, or is full."""
        self.client_takes = takes
        self._link.block(self.flow, not takes)

    def server_ended(self) -> None:
        """The server sends no more, but may still read."""
        self._down_end = "eof"
        self._finish()

    def server_broke(self, error: OSError) -> None:
        """Reading from the server failed."""
        self._break = error
        if self._server is not None:
            self._server.abort()  # and then it is lost

    def server_lost(self, error: Exception | None) -> None:
        """The server's side is gone; the client learns of it after what waits."""
        self._stop_reading()
        self._server = None
        self._down_end = "close" if (error or self._break) is None else "reset"
        self._finish()

    def _stop_reading(self) -> None:
        if self._reading is not None:
            self._reading.stop()
            self._reading = None

    def client_lost(self) -> None:
        """The client's side is gone: what it had waiting or under way is worthless."""
        self._closed = True
        self._stop_reading()
        self._down.clear()
        self._up.clear()
        if self._server is not None:
            abort(self._server)
        self._link.forget(self.flow)

    def close(self) -> None:
        """Break the connection off on both sides."""
        abort(self._client)

    def _finish(self) -> None:
        """Pass on the server's end once nothing waits before it."""
        if self.down_bytes or self._closed or self._down_end == "open":
            return
        if self._down_end == "reset":
            abort(self._client)
        elif self._down_end == "close":
            self._client.close()
        elif self._up_ended and self._server is not None:
            self._server.close()
        else:
            self._client.write_eof()


class ClientLeg(asyncio.Protocol):
    """The proxy's side of the client's connection."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._connection: Connection | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The client connected."""
        assert isinstance(transport, asyncio.Transport)
        transport.set_write_buffer_limits(high=self._link.config.socket_buffer_bytes)
        self._connection = self._link.accept(transport)

    def data_received(self, data: bytes) -> None:
        """The client sent a piece."""
        if self._connection is not None:
            self._connection.from_client(data)

    def eof_received(self) -> bool:
        """The client sends no more, but may still read."""
        if self._connection is not None:
            self._connection.from_client(None)
        return True

    def pause_writing(self) -> None:
        """The client's buffer is full."""
        if self._connection is not None:
            self._connection.set_client_takes(False)

    def resume_writing(self) -> None:
        """The client's buffer has room."""
        if self._connection is not None:
            self._connection.set_client_takes(True)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client's side is gone."""
        if self._connection is not None:
            self._connection.client_lost()


class ServerLeg(asyncio.BufferedProtocol):
    """The proxy's side of the connection to the server; reads small pieces."""

    def __init__(self, connection: Connection, sock: socket.socket, read_bytes: int) -> None:
        self._connection = connection
        self._sock = sock
        self._buffer = memoryview(bytearray(read_bytes))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The server accepted."""
        assert isinstance(transport, asyncio.Transport)
        self._connection.server_opened(transport, self._sock)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next piece goes: no more than there is room for."""
        room_bytes = self._connection.room_bytes()
        return self._buffer[: max(int(room_bytes), 1)]

    def buffer_updated(self, nbytes: int) -> None:
        """The server sent a piece of ``nbytes``."""
        self._connection.from_server(bytes(self._buffer[:nbytes]))

    def eof_received(self) -> bool:
        """The server sends no more, but may still read."""
        self._connection.server_ended()
        return True

    def pause_writing(self) -> None:
        """The server's buffer is full."""
        self._connection.server_takes(False)

    def resume_writing(self) -> None:
        """The server's buffer has room."""
        self._connection.server_takes(True)

    def connection_lost(self, exc: Exception | None) -> None:
        """The server's side is gone."""
        self._connection.server_lost(exc)


def tcp_socket(family: int, buffer_bytes: int, read_bytes: int = 0) -> socket.socket:
    """A socket whose buffers are small from the start, and that asyncio knows as TCP.

    Args:
        family: IPv4 or IPv6.
        buffer_bytes: What to ask for in each direction.
        read_bytes: What to ask for towards us instead, when given.
    """
    # Protocol 0 would work, but asyncio then leaves Nagle's algorithm on.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer_bytes)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, read_bytes or buffer_bytes)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _SEGMENT_BYTES)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with contextlib.suppress(OSError, AttributeError):  # pacing comes from the trace alone
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
    return sock


def abort(transport: asyncio.Transport) -> None:
    """Close with a reset, as a broken connection would, not with a clean end."""
    with contextlib.suppress(OSError):  # already closed by the other side
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()
