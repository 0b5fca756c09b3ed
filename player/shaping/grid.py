"""Departures of many links at the same instants, with bytes pulled when they are due."""

from __future__ import annotations

import asyncio
import math
import socket

from player.shaping.alarms import Alarms
from player.shaping.connection import Connection, Reader
from player.shaping.departures import PacedLink, hold_bytes, receive_bytes, reserve_bytes
from player.shaping.ledger import Lateness

# Ticks' worth of the highest capacity that the kernel may hold of a server's bytes.
_TICKS_READ = 2


class Ticker:
    """Ticks of one event loop, for all links that send together; silent when none waits."""

    def __init__(self, alarms: Alarms, tick_s: float) -> None:
        """Tick at multiples of ``tick_s`` of the loop's clock."""
        self._loop = asyncio.get_running_loop()
        self._alarms = alarms
        self.tick_s = tick_s
        self._due_s = -math.inf
        self._busy: dict[GridDepartures, None] = {}
        self.lateness = Lateness()

    def __repr__(self) -> str:
        return f"<Ticker every {self.tick_s:g} s for {len(self._busy)} links>"

    def add(self, departures: GridDepartures) -> None:
        """Tick for ``departures`` until they are discarded."""
        self._busy[departures] = None
        if self._due_s == -math.inf:
            self._arm()

    def discard(self, departures: GridDepartures) -> None:
        """Do not tick for ``departures``."""
        self._busy.pop(departures, None)

    def _arm(self) -> None:
        ticks = math.floor((self._loop.time() + self._alarms.lead_s) / self.tick_s) + 1
        self._due_s = ticks * self.tick_s
        self._alarms.call_at(self._due_s, self._tick)

    def _tick(self) -> None:
        now_s = self._loop.time()
        self.lateness.add(now_s - self._due_s)
        self._due_s = -math.inf
        if self._busy:
            self._arm()  # first, so that a link that fails stops no other
        for departures in tuple(self._busy):
            departures.tick(now_s)


class GridDepartures:
    """A link that sends at the ticks of others, and pulls what it sends."""

    __slots__ = ("_link", "_lone", "_pulled", "_ticker", "lateness", "receive_bytes")

    def __init__(self, link: PacedLink, ticker: Ticker) -> None:
        self._link = link
        self._ticker = ticker
        self._pulled: dict[_PulledReader, None] = {}
        self.lateness = ticker.lateness
        self._lone: _LoneFlow | None = None
        self.receive_bytes = receive_bytes(link, _TICKS_READ * ticker.tick_s)

    def __repr__(self) -> str:
        kind = "one flow alone" if self._lone is not None else f"{len(self._pulled)} pulled"
        return f"<GridDepartures every {self._ticker.tick_s:g} s, {kind}>"

    def reader_for(
        self, connection: Connection, server: asyncio.Transport, sock: socket.socket
    ) -> Reader:
        """Pulled at the ticks while busy, pushed by the event loop while not."""
        return _PulledReader(self, connection, server, sock)

    def changed(self) -> None:
        """Tick while somebody waits."""
        if self._link.start_s is not None and self._link.pacer.is_backlogged:
            self._ticker.add(self)
        else:
            self._ticker.discard(self)

    def arrived(self, now_s: float) -> None:
        """The next tick sends it."""
        self.changed()

    def stop(self) -> None:
        """No more ticks."""
        self.settle()
        self._ticker.discard(self)

    def settle(self) -> None:
        """Write down what a flow did alone since the books were last right."""
        lone, self._lone = self._lone, None
        if lone is not None:
            lone.close()

    def tick(self, loop_s: float) -> None:
        """Pull what is due by ``loop_s`` of the loop's clock, and send it."""
        if self._lone is not None:
            if self._lone.tick(loop_s):
                return
            self.settle()
        link = self._link
        assert link.start_s is not None, "a link that waits has begun"
        now_s = max(0.0, loop_s - link.start_s)
        if self._pulled:
            open_bytes = link.pacer.open_bytes(now_s)
            least_bytes = max(open_bytes, reserve_bytes(link, now_s))
            hungry = [each for each in self._pulled if each.connection.down_bytes <= least_bytes]
            for reader in hungry:
                reader.pull(open_bytes)
        link.send(now_s, until_s=now_s)
        if not link.pacer.is_backlogged:
            self._ticker.discard(self)
        elif len(self._pulled) == 1:
            (reader,) = self._pulled
            if link.pacer.lone_flow == reader.connection.flow:
                self._lone = _LoneFlow(link, reader, link.start_s, now_s)

    def hold_bytes(self) -> int:
        """How much one connection may have waiting."""
        return hold_bytes(self._link, self._link.now_s())

    def pull_from(self, reader: _PulledReader) -> None:
        """The event loop no longer reads for ``reader``."""
        self.settle()
        self._pulled[reader] = None

    def leave(self, reader: _PulledReader) -> None:
        """The event loop reads for ``reader``, or nobody does."""
        self.settle()
        self._pulled.pop(reader, None)


class _LoneFlow:
    """Ticks of a flow that has its link for itself, with next to no bookkeeping.

    With hundreds of links the memory that a tick touches is what it costs. So what waits
    is one piece here, and the books of link, pacer and connection are written when they
    are wanted, at the latest at the end of the ledger's interval.
    """

    __slots__ = (
        "_at",
        "_begun_bits",
        "_begun_s",
        "_link",
        "_piece",
        "_pulled_bytes",
        "_quantum_bytes",
        "_reader",
        "_reserve_bytes",
        "_sent_bytes",
        "_start_s",
        "_trace",
        "_until_s",
        "_write",
    )

    def __init__(
        self, link: PacedLink, reader: _PulledReader, start_s: float, now_s: float
    ) -> None:
        self._link = link
        self._reader = reader
        self._reserve_bytes = reserve_bytes(link, now_s)
        self._trace = link.trace
        self._start_s = start_s
        self._begun_s = now_s
        interval_s = link.config.interval_s
        self._until_s = start_s + interval_s * (math.floor(now_s / interval_s) + 1)
        self._quantum_bytes = link.config.quantum_bytes
        self._begun_bits = link.pacer.used_bits
        self._pulled_bytes = self._sent_bytes = 0
        self._piece = reader.connection.lend()
        self._at = 0
        self._write = reader.connection.write

    def __repr__(self) -> str:
        return f"<_LoneFlow since {self._begun_s:.3f} s, {self._sent_bytes} bytes sent>"

    def tick(self, loop_s: float) -> bool:
        """Send what is due; False where that takes the long way."""
        if loop_s >= self._until_s:
            return False
        offered_bits = self._trace.bits_by(loop_s - self._start_s)
        open_bytes = int((offered_bits - self._begun_bits) / 8) - self._sent_bytes
        at = self._at
        left_bytes = len(self._piece) - at
        if left_bytes <= open_bytes or left_bytes <= self._reserve_bytes:
            if not self._refill(open_bytes):
                return False
            at = 0
        size_bytes = open_bytes - open_bytes % self._quantum_bytes
        if size_bytes:
            self._sent_bytes += size_bytes
            self._at = at + size_bytes
            # Last, because a client that takes no more ends this from in there.
            self._write(self._piece[at : at + size_bytes])
        return True

    def _refill(self, open_bytes: int) -> bool:
        left = self._piece[self._at :]
        data = self._reader.receive(open_bytes + 1 - len(left), len(left))
        self._pulled_bytes += len(data)
        self._piece = memoryview(b"".join((left, data)))
        self._at = 0
        return len(self._piece) > open_bytes

    def close(self) -> None:
        """Write the books."""
        connection = self._reader.connection
        connection.restore(self._piece[self._at :])
        self._link.note_sent_alone(
            connection.flow,
            arrived_bytes=self._pulled_bytes,
            sent_bytes=self._sent_bytes,
            since_s=self._begun_s,
        )


class _PulledReader:
    """Bytes are fetched when they are due to leave, without waking up for them.

    While less waits than a link can carry, the event loop reads instead.
    """

    def __init__(
        self,
        departures: GridDepartures,
        connection: Connection,
        server: asyncio.Transport,
        sock: socket.socket,
    ) -> None:
        self._departures = departures
        self.connection = connection
        self._server = server
        self._sock = sock

    def __repr__(self) -> str:
        return f"<_PulledReader of {self.connection!r}>"

    def room_bytes(self) -> float:
        return self._departures.hold_bytes() - self.connection.down_bytes

    def arrived(self) -> None:
        if self.connection.down_bytes:
            self._server.pause_reading()
            self._departures.pull_from(self)

    def left(self, size_bytes: int) -> None:
        """Nothing: the next tick sees what is left."""

    def stop(self) -> None:
        self._departures.leave(self)

    def pull(self, open_bytes: int) -> None:
        """Have more than ``open_bytes`` waiting, or let the event loop read again."""
        connection = self.connection
        if not connection.client_takes:
            return
        wanted_bytes = open_bytes + 1 - connection.down_bytes
        data = self.receive(wanted_bytes, connection.down_bytes)
        if data:
            connection.take(data)
        if len(data) < wanted_bytes:  # an end is met again by the event loop
            self.stop()
            self._server.resume_reading()

    def receive(self, wanted_bytes: int, waiting_bytes: int) -> bytes:
        """What the server sent, at least ``wanted_bytes`` if there are so many."""
        room_bytes = self._departures.hold_bytes() - waiting_bytes
        try:
            return self._sock.recv(max(wanted_bytes, room_bytes))
        except BlockingIOError:
            return b""
        except OSError as error:  # it would not be told a second time
            self.connection.server_broke(error)
            return b""
