"""Departures of a link that wakes by itself, when the next piece is due."""

from __future__ import annotations

import asyncio
import math
import socket

from player.shaping.alarms import Alarm
from player.shaping.connection import Connection, Reader
from player.shaping.departures import PacedLink, hold_bytes, receive_bytes
from player.shaping.ledger import Lateness

# How long the room for waiting bytes may follow the capacity late, seconds.
_HOLD_S = 0.02


class PromptDepartures:
    """A link that wakes by itself, when the next piece is due."""

    def __init__(self, link: PacedLink) -> None:
        self._link = link
        self._alarm: Alarm | None = None
        self._due_s = math.inf
        self._sent_s = -math.inf
        self._held_s = -math.inf
        self.lateness = Lateness()
        self.receive_bytes = receive_bytes(link, link.config.read_s)
        self.hold_bytes = self.first_bytes = 0
        self._set_room(0.0)

    def __repr__(self) -> str:
        return f"<PromptDepartures, next at {self._due_s:.4f} s>"

    def reader_for(
        self, connection: Connection, server: asyncio.Transport, sock: socket.socket
    ) -> Reader:
        """Pushed by the event loop, into a room that starts small and grows."""
        return _PushedReader(self, connection, server, self._link.config.quantum_bytes)

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
        self.hold_bytes = hold_bytes(self._link, now_s)
        gap_bytes = int(config.gap_s * self._link.trace.capacity_at(now_s) / 8)
        self.first_bytes = max(config.quantum_bytes, gap_bytes)


class _PushedReader:
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

    def __repr__(self) -> str:
        return f"<_PushedReader {'open' if self._is_open else 'paused'} of {self._connection!r}>"

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
