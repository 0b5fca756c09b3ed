"""An in-process TCP proxy that makes a loopback server look like a traced network.

All connections of one client share one link: what comes from the server is paced to
the trace by ``player.shaping.pacing``; what goes to the server is only delayed. One round trip
is charged when a connection opens and one for every request.

What keeps the figures honest: small kernel buffers on both legs, set before connect and
listen, so that a server cannot believe bytes delivered that still wait here; Nagle's
algorithm off on both legs; one timer for the whole link, which sends all that became
due, so that a late timer loses nothing. Limits: no packet loss, no slow start; capacity
is payload; the delay of a loaded access link is modelled where ``buffer_bytes`` is set,
and only for what begins while others wait; pieces of a fast link leave together, once
every ``tick_s``.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from abr.defaults import RTT_S
from abr.errors import PortInUseError
from abr.trace import Trace
from player.shaping.alarms import Alarms
from player.shaping.config import ShaperConfig
from player.shaping.connection import Connection, Reader
from player.shaping.departures import Departures
from player.shaping.grid import GridDepartures, Ticker
from player.shaping.ledger import Ledger, ShaperReport
from player.shaping.legs import ClientLeg, ServerLeg
from player.shaping.pacing import SharedPacer
from player.shaping.prompt import PromptDepartures
from player.shaping.sockets import abort, tcp_socket

__all__ = ["Shaper", "ShaperConfig", "ShaperReport"]

MOST_SERVERS = 64
"""Most servers that one client reaches over the link."""


class Shaper:
    """The proxy, as an async context manager: listening inside the ``async with``.

    Attributes:
        host: Address the client should connect to.
        port: Port the client should connect to.
    """

    def __init__(
        self,
        trace: Trace,
        upstream_host: str,
        upstream_port: int,
        *,
        rtt_s: float = RTT_S,
        config: ShaperConfig | None = None,
        alarms: Alarms | None = None,
        ticker: Ticker | None = None,
        listening: socket.socket | None = None,
        on_start: Callable[[float], None] | None = None,
    ) -> None:
        """Describe the link between a client and ``upstream_host:upstream_port``.

        Args:
            trace: Capacity towards the client; its own round-trip times win over ``rtt_s``.
            upstream_host: Where the server listens.
            upstream_port: Where the server listens.
            rtt_s: Round-trip time where the trace gives none, seconds.
            config: Sizes and limits.
            alarms: Timers shared with other links of this event loop; its own when None.
            ticker: Send at its ticks, as the other links that have it; None: when due.
            listening: A socket that is bound already, to listen on instead of a new one.
            on_start: Called with the event-loop time that became trace time 0.
        """
        self.host = ""
        self.port = 0
        self.upstream = (upstream_host, upstream_port)
        self.config = config or ShaperConfig()
        self.trace = trace
        self.start_s: float | None = None
        self._rtt_s = rtt_s
        self._ids = itertools.count()
        self._connections: dict[int, Connection] = {}
        self._refused = 0
        self._dials = asyncio.TaskGroup()
        self._dialling: set[asyncio.Task[None]] = set()
        self._doors: dict[tuple[str, int], _Door] = {}
        self._given_alarms = alarms
        self._listening = listening
        self._on_start = on_start
        self._departures: Departures = (
            PromptDepartures(self) if ticker is None else GridDepartures(self, ticker)
        )
        self._renew_link()

    def __repr__(self) -> str:
        host, port = self.upstream
        return (
            f"<Shaper {self.host}:{self.port} to {host}:{port} at {self.now_s():.3f} s, "
            f"{len(self._connections)} connections>"
        )

    async def __aenter__(self) -> Self:
        """Begin to listen.

        Raises:
            PortInUseError: the address cannot be listened on.
        """
        self._loop = asyncio.get_running_loop()
        listening = self._listening or _bound_socket(self.config)
        listening.listen(self.config.max_connections)
        self.alarms = self._given_alarms or Alarms(self._loop)
        self.host, self.port = listening.getsockname()[:2]
        await self._dials.__aenter__()
        await self._open_door(self.upstream, listening)
        return self

    async def route(self, host: str, port: int) -> tuple[str, int]:
        """Where a client connects to reach another server over the same link.

        Raises:
            OSError: too many servers, or no address to listen on.
        """
        server = (host, port)
        if server not in self._doors:
            if len(self._doors) >= MOST_SERVERS:
                raise OSError(f"more than {MOST_SERVERS} servers behind one link")
            config = replace(self.config, port=0)
            listening = _bound_socket(config)
            listening.listen(config.max_connections)
            await self._open_door(server, listening)
        return self._doors[server].at

    def leads_to(self, at: tuple[str, int]) -> bool:
        """Whether ``at`` is where clients connect to cross the link."""
        return any(door.at == at for door in self._doors.values())

    async def _open_door(self, server: tuple[str, int], listening: socket.socket) -> None:
        door = self._doors[server] = _Door(self, server, listening.getsockname()[:2])
        door.listener = await self._loop.create_server(
            lambda: ClientLeg(self, door.accept), sock=listening
        )

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening and close every connection, whatever is under way."""
        listeners = [door.listener for door in self._doors.values() if door.listener is not None]
        for listener in listeners:
            listener.close()
        for connection in tuple(self._connections.values()):
            connection.close()
        for dial in tuple(self._dialling):
            dial.cancel()
        self._departures.stop()
        await self._dials.__aexit__(None, None, None)
        for _ in range(3):  # the client's leg ends, then the server's, then their sockets
            await asyncio.sleep(0)
        for listener in listeners:
            await listener.wait_closed()
        if self._given_alarms is None:
            self.alarms.close()

    def start_clock(self, now_s: float | None = None) -> None:
        """Make ``now_s`` (event-loop time; None: this instant) trace time 0.

        Without a call the trace begins with the first byte. A second call begins the
        trace and the report anew, and keeps connections and what they have waiting.
        """
        self._departures.stop()
        self.start_s = self._loop.time() if now_s is None else now_s
        self._renew_link()
        for connection in self._connections.values():
            connection.join(self.pacer, self.now_s())
        self._departures.changed()
        if self._on_start is not None:
            self._on_start(self.start_s)

    def now_s(self) -> float:
        """Trace time now, in seconds; 0 before the clock is started."""
        if self.start_s is None:
            return 0.0
        return max(0.0, self._loop.time() - self.start_s)

    @property
    def report(self) -> ShaperReport:
        """What was offered and delivered so far, and how late the timer was."""
        self._advanced_s()
        return self._ledger.report(self._departures.lateness, refused_connections=self._refused)

    def _renew_link(self) -> None:
        config = self.config
        self.pacer = SharedPacer(
            self.trace,
            quantum_bytes=config.quantum_bytes,
            gap_s=config.gap_s,
            cross_flows=config.cross_flows,
            buffer_bytes=config.buffer_bytes,
        )
        self._ledger = Ledger(self.trace, interval_s=config.interval_s)

    def rtt_s(self) -> float:
        """Round-trip time now."""
        return self.trace.rtt_at(self.now_s(), self._rtt_s)

    def reader_for(
        self, connection: Connection, server: asyncio.Transport, sock: socket.socket
    ) -> Reader:
        """How ``connection`` is to take bytes from its server."""
        return self._departures.reader_for(connection, server, sock)

    def queueing_s(self) -> float:
        """What a packet would wait now in the buffer of the bottleneck, seconds."""
        self._departures.settle()
        standing_bytes = self.pacer.standing_bytes() if self.config.buffer_bytes else 0
        if standing_bytes == 0:
            return 0.0
        now_s = self.now_s()
        wait_s = self.trace.finish_time(now_s, standing_bytes) - now_s
        return min(wait_s, self.config.connect_timeout_s)

    def offer(self, flow: int, size_bytes: int) -> None:
        """Bytes of ``flow`` arrived at the link; the first start the clock."""
        if self.start_s is None:
            self.start_clock()  # the connection joins with all it has, these bytes too
        elif self.pacer.queued_bytes(flow) >= self.config.quantum_bytes:
            self.pacer.offer(flow, size_bytes, 0.0)  # behind what waits: nothing else changes
        else:
            now_s = self._advanced_s()
            self.pacer.offer(flow, size_bytes, now_s)
            self._departures.arrived(now_s)

    def block(self, flow: int, is_blocked: bool) -> None:
        """The client takes no more of ``flow`` for now, or takes it again."""
        change = self.pacer.block if is_blocked else self.pacer.unblock
        change(flow, self._advanced_s())
        self._departures.changed()

    def forget(self, flow: int) -> None:
        """The connection of ``flow`` is gone."""
        self._connections.pop(flow, None)
        self.pacer.drop(flow, self._advanced_s())
        self._departures.changed()

    def _advanced_s(self) -> float:
        self._departures.settle()
        now_s = self.now_s()
        self._ledger.advance(now_s, backlogged=self.pacer.is_backlogged)
        return now_s

    def send(self, now_s: float, *, until_s: float) -> None:
        """Send what is due by ``until_s``."""
        ledger, pacer = self._ledger, self.pacer
        crossed_bytes = pacer.cross_bytes
        for flow, size_bytes in pacer.due(until_s):
            ledger.add_delivered(size_bytes, now_s)
            self._connections[flow].deliver(size_bytes)
        if self.config.cross_flows:
            ledger.add_crossed(pacer.cross_bytes - crossed_bytes, now_s)
        if not pacer.is_backlogged:
            ledger.advance(now_s, backlogged=True)

    def note_sent_alone(
        self, flow: int, *, arrived_bytes: int, sent_bytes: int, since_s: float
    ) -> None:
        """``flow``, the only one that waits, got and sent so much since ``since_s``."""
        self.pacer.offer(flow, arrived_bytes, since_s)
        self.pacer.take_alone(flow, sent_bytes)
        self._ledger.add_delivered(sent_bytes, since_s)

    def accept(self, client: asyncio.Transport, server: Server) -> Connection | None:
        """A client connected: dial ``server`` for it, or turn it away."""
        if len(self._connections) >= self.config.max_connections:
            self._refused += 1
            abort(client)
            return None
        connection = Connection(self, next(self._ids), client)
        self._connections[connection.flow] = connection
        dial = self._dials.create_task(self._dial(connection, server))
        self._dialling.add(dial)
        dial.add_done_callback(self._dialling.discard)
        return connection

    async def _dial(self, connection: Connection, server: Server) -> None:
        """Open the server's side of a connection; a failure resets the client's side."""
        config = self.config
        try:
            async with asyncio.timeout(config.connect_timeout_s):
                sock = await self._connected_socket(server)
                await self._loop.create_connection(
                    lambda: ServerLeg(connection, sock, config.socket_buffer_bytes), sock=sock
                )
        except OSError:  # refused, unreachable, unknown name, or the time limit
            connection.close()

    async def _connected_socket(self, server: Server) -> socket.socket:
        config = self.config
        read_bytes = self._departures.receive_bytes
        error = OSError(f"{server.host}: no address")
        for family, address in await server.addresses(self._loop):
            sock = tcp_socket(family, config.socket_buffer_bytes, read_bytes)
            try:
                await self._loop.sock_connect(sock, address)
            except OSError as exc:
                sock.close()
                error = exc
            except BaseException:
                sock.close()
                raise
            else:
                return sock
        raise error


class Server:
    """A server behind the link, and its addresses once they are known."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self._addresses: list[tuple[int, Any]] = []  # family and what connect takes
        with contextlib.suppress(socket.gaierror):
            found = socket.getaddrinfo(host, port, flags=socket.AI_NUMERICHOST)
            self._addresses = [(found[0][0], found[0][4])]

    def __repr__(self) -> str:
        return f"<Server {self.host}:{self.port}>"

    async def addresses(self, loop: asyncio.AbstractEventLoop) -> list[tuple[int, Any]]:
        """Family and address of each of its sockets; a name is looked up once."""
        if not self._addresses:
            found = await loop.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
            self._addresses = [(family, address) for family, _, _, _, address in found]
        return self._addresses


class _Door:
    """A place to listen for the clients of one server."""

    def __init__(self, shaper: Shaper, server: tuple[str, int], at: tuple[str, int]) -> None:
        self.at = at
        self.listener: asyncio.Server | None = None
        self._shaper, self._server = shaper, Server(*server)

    def __repr__(self) -> str:
        return f"<_Door {self.at[0]}:{self.at[1]} to {self._server!r}>"

    def accept(self, client: asyncio.Transport) -> Connection | None:
        """A client connected."""
        return self._shaper.accept(client, self._server)


def _bound_socket(config: ShaperConfig) -> socket.socket:
    sock = tcp_socket(
        socket.AF_INET6 if ":" in config.host else socket.AF_INET, config.socket_buffer_bytes
    )
    try:
        if config.port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((config.host, config.port))
    except OSError as exc:
        sock.close()
        where = f"{config.host}:{config.port}" if config.port else config.host
        raise PortInUseError(
            f"{where}: the shaping proxy cannot listen here ({exc.strerror}); "
            "give an address of this machine and ports that are free"
        ) from exc
    return sock
