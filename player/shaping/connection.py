"""A shaped connection: what waits between its two legs.

Towards the server bytes only travel one round trip long. Towards the client they wait
until the shared link says how many may leave. Ends and breaks of either side reach the
other in order: after the bytes before them, a clean end as a clean end and a break as
a reset. ``player.shaping.proxy`` owns the link and the clock.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from typing import Literal, Protocol

from player.shaping.alarms import Alarms
from player.shaping.config import ShaperConfig
from player.shaping.pacing import SharedPacer
from player.shaping.sockets import abort

# What a request and its answer spend on loopback between the two legs and in here: part of
# the round trip that is asked for, and so taken off the delay.
_HOPS_S = 0.0003


class Reader(Protocol):
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


class ConnectionLink(Protocol):
    """What a connection needs of the link that it shares."""

    config: ShaperConfig
    alarms: Alarms

    def rtt_s(self) -> float:
        """Round-trip time now."""
        ...

    def reader_for(
        self, connection: Connection, server: asyncio.Transport, sock: socket.socket
    ) -> Reader:
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

    def __init__(self, link: ConnectionLink, flow: int, client: asyncio.Transport) -> None:
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
        self._reader: Reader | None = None
        self._break: OSError | None = None
        self._down_end: Literal["open", "eof", "close", "reset"] = "open"

    def __repr__(self) -> str:
        return (
            f"<Connection {self.flow}, {self._up_bytes} bytes up, {self.down_bytes} bytes down"
            f"{', closed' if self._closed else ''}>"
        )

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
            self._reader = self._link.reader_for(self, server, sock)
            self._forward()

    def room_bytes(self) -> float:
        """How much more the event loop may read from the server now."""
        return 1 if self._reader is None else self._reader.room_bytes()

    def from_server(self, data: bytes) -> None:
        """The event loop read ``data``."""
        self.take(data)
        if self._reader is not None:
            self._reader.arrived()

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
        if self._reader is not None:
            self._reader.left(size_bytes)
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
        """Reader from the server failed."""
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
        if self._reader is not None:
            self._reader.stop()
            self._reader = None

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
