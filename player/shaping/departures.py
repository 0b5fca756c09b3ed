"""When a link sends, and how its connections take bytes from their servers.

Two ways, chosen once for a link. *Prompt*: it wakes by itself when something is due, and
what a server sends is pushed to it by the event loop. That is exact to a millisecond and
costs several wake-ups for each of them. *Grid*: many links of one process send together,
at the ticks of one ``Ticker``, and pull what they need from sockets that the event loop
does not watch meanwhile; it watches again where a pull comes up short. How much may leave
is the pacer's business in both, so neither gains or loses capacity.
"""

from __future__ import annotations

import asyncio
import math
import socket
from typing import Protocol

from abr.trace import Trace
from player.shaping.alarms import Alarm, Alarms
from player.shaping.ledger import Lateness
from player.shaping.legs import Connection, Reading, ShaperConfig
from player.shaping.pacing import SharedPacer

# How long the room for waiting bytes may follow the capacity late, seconds.
_HOLD_S = 0.02
# Smallest receive buffer towards the server: two or three segments.
_READ_BYTES = 4096
# Ticks' worth of the highest capacity that the kernel may hold of a server's bytes.
_TICKS_READ = 2


class PacedLink(Protocol):
    """What departures need of the link that they serve."""

    config: ShaperConfig
    alarms: Alarms

    @property
    def trace(self) -> Trace:
        """Its capacity."""
        ...

    @property
    def pacer(self) -> SharedPacer:
        """Who waits, and what may leave; a new one when the clock starts anew."""
        ...

    @property
    def start_s(self) -> float | None:
        """Event-loop time of trace time 0; None before the first byte."""
        ...

    def now_s(self) -> float:
        """Trace time now."""
        ...

    def send(self, now_s: float, *, until_s: float) -> None:
        """Send what is due by ``until_s``."""
        ...

    def sent_alone(self, flow: int, *, arrived_bytes: int, sent_bytes: int, since_s: float) -> None:
        """``flow``, the only one that waits, got and sent so much since ``since_s``."""
        ...


class Departures(Protocol):
    """When a link sends: see the module."""

    receive_bytes: int
    """Kernel buffer asked for on the server's leg, towards us."""

    @property
    def lateness(self) -> Lateness:
        """How late its wake-ups were."""
        ...

    def settle(self) -> None:
        """Bring the books of the link up to date, because they are about to be used."""
        ...

    def changed(self) -> None:
        """Other flows wait than before, or none does."""
        ...

    def arrived(self, now_s: float) -> None:
        """A flow that had next to nothing waiting got bytes."""
        ...

    def stop(self) -> None:
        """Send nothing until the next change."""
        ...

    def reading(
        self, connection: Connection, server: asyncio.Transport, sock: socket.socket
    ) -> Reading:
        """How ``connection`` is to take bytes from its server."""
        ...


def _hold_bytes(link: PacedLink, now_s: float) -> int:
    """How much one connection may have waiting before its sender is held back."""
    config = link.config
    rate_byteps = link.trace.capacity_at(now_s) / 8
    return max(config.queue_bytes, int(config.queue_s * rate_byteps), config.buffer_bytes)


def _reserve_bytes(link: PacedLink, now_s: float) -> int:
    """How much a busy connection should have waiting, for ticks that come late."""
    return _hold_bytes(link, now_s) // 4


def _receive_bytes(link: PacedLink, worth_s: float) -> int:
    """Kernel buffer for ``worth_s`` of the highest capacity, within bounds."""
    peak_bytes = int(worth_s * float(link.trace.capacity_bps.max()) / 8)
    return min(max(peak_bytes, _READ_BYTES), link.config.socket_buffer_bytes)


class PromptDepartures:
    """A link that wakes by itself, when the next piece is due."""

    def __init__(self, link: PacedLink) -> None:
        self._link = link
        self._alarm: Alarm | None = None
        self._due_s = math.inf
        self._sent_s = -math.inf
        self._held_s = -math.inf
        self.lateness = Lateness()
        self.receive_bytes = _receive_bytes(link, link.config.read_s)
        self.hold_bytes = self.first_bytes = 0
        self._set_room(0.0)

    def reading(
        self, connection: Connection, server: asyncio.Transport, sock: socket.socket
    ) -> Reading:
        """Pushed by the event loop, into a room that starts small and grows."""
        return _Pushed(self, connection, server, self._link.config.quantum_bytes)

    def changed(self) -> None:
        """Wake when the next piece is due."""
        due_s = self._next_s()
        if due_s == self._due_s and self._alarm is not None:
            return
        self._forget_alarm()
        self._due_s = due_s
        start_s = self._link.start_s
        if start_s is not None and due_s < math.inf:
            self._alarm = self._link.alarms.call_at(start_s + due_s, self._send)

    def arrived(self, now_s: float) -> None:
        """Send at once what is due at once: an alarm would only come later."""
        if self._next_s() <= now_s + self._link.alarms.lead_s:
            self._due_s = now_s
            self._send()
        else:
            self.changed()

    def settle(self) -> None:
        """The books are always right."""

    def stop(self) -> None:
        """No alarm, and as if nothing had left yet."""
        self._forget_alarm()
        self._due_s, self._sent_s = math.inf, -math.inf
        self.lateness = Lateness()
        self._set_room(0.0)

    def _next_s(self) -> float:
        return max(self._link.pacer.next_departure_s(), self._sent_s + self._link.config.tick_s)

    def _send(self) -> None:
        self._forget_alarm()
        link = self._link
        now_s = link.now_s()
        self._sent_s = max(now_s, self._due_s)
        if now_s - self._held_s > _HOLD_S:
            self._set_room(now_s)
        self.lateness.add(now_s - self._due_s)
        link.send(now_s, until_s=now_s + link.alarms.lead_s)
        self.changed()

    def _forget_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _set_room(self, now_s: float) -> None:
        self._held_s = now_s
        config = self._link.config
        self.hold_bytes = _hold_bytes(self._link, now_s)
        gap_bytes = int(config.gap_s * self._link.trace.capacity_at(now_s) / 8)
        self.first_bytes = max(config.quantum_bytes, gap_bytes)


class _Pushed:
    """Bytes come when the event loop sees them, once for every piece that leaves.

    A server whose bytes vanish in quick succession takes this for a fast network, and its
    kernel (BBR above all) takes megabytes from it ahead of the client. So while bytes wait
    there is one read for each departure, and the room for them grows by what leaves.
    """

    def __init__(
        self,
        departures: PromptDepartures,
        connection: Connection,
        server: asyncio.Transport,
        quantum_bytes: int,
    ) -> None:
        self._departures = departures
        self._connection = connection
        self._server = server
        self._quantum_bytes = quantum_bytes
        self._earned_bytes = 0.0
        self._is_open = True

    def room_bytes(self) -> float:
        room_bytes = max(self._earned_bytes, self._departures.first_bytes)
        return min(room_bytes, self._departures.hold_bytes) - self._connection.down_bytes

    def arrived(self) -> None:
        if self._is_open and self._connection.down_bytes:
            self._is_open = False
            self._server.pause_reading()

    def left(self, size_bytes: int) -> None:
        self._earned_bytes += size_bytes / 4
        if not self._is_open and self.room_bytes() >= self._quantum_bytes:
            self._is_open = True
            self._server.resume_reading()

    def stop(self) -> None:
        """Nothing to undo: a transport that is gone may be resumed."""


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

    __slots__ = ("_lane", "_link", "_pulled", "_ticker", "lateness", "receive_bytes")

    def __init__(self, link: PacedLink, ticker: Ticker) -> None:
        self._link = link
        self._ticker = ticker
        self._pulled: dict[_Pulled, None] = {}
        self.lateness = ticker.lateness
        self._lane: _Lane | None = None
        self.receive_bytes = _receive_bytes(link, _TICKS_READ * ticker.tick_s)

    def reading(
        self, connection: Connection, server: asyncio.Transport, sock: socket.socket
    ) -> Reading:
        """Pulled at the ticks while busy, pushed by the event loop while not."""
        return _Pulled(self, connection, server, sock)

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
        """Write down what a flow alone did since the books were last right."""
        lane, self._lane = self._lane, None
        if lane is not None:
            lane.close()

    def tick(self, loop_s: float) -> None:
        """Pull what is due by ``loop_s`` of the loop's clock, and send it."""
        if self._lane is not None:
            if self._lane.tick(loop_s):
                return
            self.settle()
        link = self._link
        assert link.start_s is not None, "a link that waits has begun"
        now_s = max(0.0, loop_s - link.start_s)
        if self._pulled:
            open_bytes = link.pacer.open_bytes(now_s)
            least_bytes = max(open_bytes, _reserve_bytes(link, now_s))
            hungry = [each for each in self._pulled if each.connection.down_bytes <= least_bytes]
            for reading in hungry:
                reading.pull(open_bytes)
        link.send(now_s, until_s=now_s)
        if not link.pacer.is_backlogged:
            self._ticker.discard(self)
        elif len(self._pulled) == 1:
            (reading,) = self._pulled
            if link.pacer.lone_flow == reading.connection.flow:
                self._lane = _Lane(link, reading, link.start_s, now_s)

    def hold_bytes(self) -> int:
        """How much one connection may have waiting."""
        return _hold_bytes(self._link, self._link.now_s())

    def pull_from(self, reading: _Pulled) -> None:
        """The event loop no longer reads for ``reading``."""
        self.settle()
        self._pulled[reading] = None

    def leave(self, reading: _Pulled) -> None:
        """The event loop reads for ``reading``, or nobody does."""
        self.settle()
        self._pulled.pop(reading, None)


class _Lane:
    """Ticks of a flow that has its link for itself, with next to no bookkeeping.

    With hundreds of links the memory that a tick touches is what it costs. So what waits
    is one piece here, and the books of link, pacer and connection are written when they
    are wanted, at the latest with the ledger's interval: a lane lasts no longer.
    """

    __slots__ = (
        "_at",
        "_begun_bits",
        "_begun_s",
        "_link",
        "_piece",
        "_pulled_bytes",
        "_quantum_bytes",
        "_reading",
        "_reserve_bytes",
        "_sent_bytes",
        "_start_s",
        "_trace",
        "_until_s",
        "_write",
    )

    def __init__(self, link: PacedLink, reading: _Pulled, start_s: float, now_s: float) -> None:
        self._link = link
        self._reading = reading
        self._reserve_bytes = _reserve_bytes(link, now_s)
        self._trace = link.trace
        self._start_s = start_s
        self._begun_s = now_s
        interval_s = link.config.interval_s
        self._until_s = start_s + interval_s * (math.floor(now_s / interval_s) + 1)
        self._quantum_bytes = link.config.quantum_bytes
        self._begun_bits = link.pacer.used_bits
        self._pulled_bytes = self._sent_bytes = 0
        self._piece = reading.connection.lend()
        self._at = 0
        self._write = reading.connection.write

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
            # Last, because a client that takes no more closes the lane from in there.
            self._write(self._piece[at : at + size_bytes])
        return True

    def _refill(self, open_bytes: int) -> bool:
        left = self._piece[self._at :]
        data = self._reading.receive(open_bytes + 1 - len(left), len(left))
        self._pulled_bytes += len(data)
        self._piece = memoryview(b"".join((left, data)))
        self._at = 0
        return len(self._piece) > open_bytes

    def close(self) -> None:
        """Write the books."""
        connection = self._reading.connection
        connection.restore(self._piece[self._at :])
        self._link.sent_alone(
            connection.flow,
            arrived_bytes=self._pulled_bytes,
            sent_bytes=self._sent_bytes,
            since_s=self._begun_s,
        )


class _Pulled:
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
