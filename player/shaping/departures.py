"""When a link sends, and how its connections take bytes from their servers.

There are two kinds, and a link has one of them. ``prompt``: it wakes by itself when
something is due, and what a server sends is pushed to it by the event loop. That is exact
to a millisecond and costs several wake-ups for each of them. ``grid``: many links of one
process send together, at the ticks of one ``Ticker``, and pull what they need from sockets
that the event loop does not watch meanwhile; it watches again where a pull comes up short.
How much may leave is the pacer's business in both, so neither gains or loses capacity.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Protocol

from abr.trace import Trace
from player.shaping.alarms import Alarms
from player.shaping.config import ShaperConfig
from player.shaping.connection import Connection, Reader
from player.shaping.ledger import Lateness
from player.shaping.pacing import SharedPacer

# Smallest receive buffer towards the server: two or three segments.
_READ_BYTES = 4096


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

    def note_sent_alone(
        self, flow: int, *, arrived_bytes: int, sent_bytes: int, since_s: float
    ) -> None:
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

    def reader_for(
        self, connection: Connection, server: asyncio.Transport, sock: socket.socket
    ) -> Reader:
        """How ``connection`` is to take bytes from its server."""
        ...


def hold_bytes(link: PacedLink, now_s: float) -> int:
    """How much one connection may have waiting before its sender is held back."""
    config = link.config
    rate_byteps = link.trace.capacity_at(now_s) / 8
    return max(config.queue_bytes, int(config.queue_s * rate_byteps), config.buffer_bytes)


def reserve_bytes(link: PacedLink, now_s: float) -> int:
    """How much a busy connection should have waiting, for ticks that come late."""
    return hold_bytes(link, now_s) // 4


def receive_bytes(link: PacedLink, worth_s: float) -> int:
    """Kernel buffer for ``worth_s`` of the highest capacity, within bounds."""
    peak_bytes = int(worth_s * float(link.trace.capacity_bps.max()) / 8)
    return min(max(peak_bytes, _READ_BYTES), link.config.socket_buffer_bytes)
