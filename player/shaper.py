"""An in-process TCP proxy that makes a loopback server look like a traced network.

All connections of one client share one link: what comes from the server is paced to
the trace by ``player.pacing``; what goes to the server is only delayed. One round trip
is charged when a connection opens and one for every request.

What keeps the figures honest: small kernel buffers on both legs, set before connect and
listen, so that a server cannot believe bytes delivered that still wait here; Nagle's
algorithm off on both legs; one timer for the whole link, which sends all that became
due, so that a late timer loses nothing. Limits: no packet loss, no slow start, no
queueing delay of a loaded access link (bufferbloat); capacity is payload; single
departures are up to half a millisecond early or late on an idle machine.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import socket
from types import TracebackType
from typing import Self

from abr.errors import PortInUseError
from abr.trace import Trace
from player.pacing import Ledger, ShaperReport, SharedPacer
from player.shaper_legs import (
    TIMER_LEAD_S,
    ClientLeg,
    Connection,
    ServerLeg,
    ShaperConfig,
    abort,
    tcp_socket,
)

__all__ = ["Shaper", "ShaperConfig", "ShaperReport"]


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
        rtt_s: float = 0.04,
        config: ShaperConfig | None = None,
    ) -> None:
        """Describe the link between a client and ``upstream_host:upstream_port``.

        Args:
            trace: Capacity towards the client; its own round-trip times win over ``rtt_s``.
            upstream_host: Where the server listens.
            upstream_port: Where the server listens.
            rtt_s: Round-trip time where the trace gives none, seconds.
            config: Sizes and limits.
        """
        self.host = ""
        self.port = 0
        self.upstream = (upstream_host, upstream_port)
        self.config = config or ShaperConfig()
        self._trace = trace
        self._rtt_s = rtt_s
        self._ids = itertools.count()
        self._connections: dict[int, Connection] = {}
        self._refused = 0
        self._dials = asyncio.TaskGroup()
        self._dialling: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._start_s: float | None = None
        self._renew_link()

    async def __aenter__(self) -> Self:
        """Begin to listen.

        Raises:
            PortInUseError: the address cannot be listened on.
        """
        self._loop = asyncio.get_running_loop()
        listening = tcp_socket(
            socket.AF_INET6 if ":" in self.config.host else socket.AF_INET,
            self.config.socket_buffer_bytes,
        )
        try:
            listening.bind((self.config.host, 0))
            listening.listen(self.config.max_connections)
        except OSError as exc:
            listening.close()
            raise PortInUseError(
                f"{self.config.host}: the shaping proxy cannot listen here ({exc.strerror}); "
                "give an address of this machine"
            ) from exc
        self.host, self.port = listening.getsockname()[:2]
        await self._dials.__aenter__()
        self._server = await self._loop.create_server(lambda: ClientLeg(self), sock=listening)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening and close every connection, whatever is under way."""
        self._server.close()
        for connection in tuple(self._connections.values()):
            connection.close()
        for dial in tuple(self._dialling):
            dial.cancel()
        if self._timer is not None:
            self._timer.cancel()
        await self._dials.__aexit__(None, None, None)
        for _ in range(3):  # the client's leg ends, then the server's, then their sockets
            await asyncio.sleep(0)
        await self._server.wait_closed()

    def start_clock(self, now_s: float | None = None) -> None:
        """Make ``now_s`` (event-loop time; None: this instant) trace time 0.

        Without a call the trace begins with the first byte. A second call begins the
        trace and the report anew, and keeps connections and what they have waiting.
        """
        self._start_s = self._loop.time() if now_s is None else now_s
        self._renew_link()
        for connection in self._connections.values():
            connection.join(self._pacer, self.now_s())
        self._arm()

    def now_s(self) -> float:
        """Trace time now, in seconds; 0 before the clock is started."""
        if self._start_s is None:
            return 0.0
        return max(0.0, self._loop.time() - self._start_s)

    @property
    def report(self) -> ShaperReport:
        """What was offered and delivered so far, and how late the timer was."""
        self._advanced_s()
        return self._ledger.report(refused_connections=self._refused)

    def _renew_link(self) -> None:
        config = self.config
        self._pacer = SharedPacer(
            self._trace, quantum_bytes=config.quantum_bytes, gap_s=config.gap_s
        )
        self._ledger = Ledger(self._trace, interval_s=config.interval_s)
        self._due_s = math.inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def rtt_s(self) -> float:
        """Round-trip time now."""
        return self._trace.rtt_at(self.now_s(), self._rtt_s)

    def queue_bytes(self) -> int:
        """How much one connection may have waiting before its sender is paused."""
        enough_s = self.config.queue_s
        fast_bytes = int(enough_s * self._trace.capacity_at(self.now_s()) / 8)
        return max(self.config.queue_bytes, fast_bytes)

    def offer(self, flow: int, size_bytes: int) -> None:
        """Bytes of ``flow`` arrived at the link; the first start the clock."""
        if self._start_s is None:
            self.start_clock()  # the connection joins with all it has, these bytes too
        else:
            self._pacer.offer(flow, size_bytes, self._advanced_s())
            self._arm()

    def block(self, flow: int, is_blocked: bool) -> None:
        """The client takes no more of ``flow`` for now, or takes it again."""
        change = self._pacer.block if is_blocked else self._pacer.unblock
        change(flow, self._advanced_s())
        self._arm()

    def forget(self, flow: int) -> None:
        """The connection of ``flow`` is gone."""
        self._connections.pop(flow, None)
        self._pacer.drop(flow, self._advanced_s())
        self._arm()

    def _advanced_s(self) -> float:
        now_s = self.now_s()
        self._ledger.advance(now_s, backlogged=self._pacer.is_backlogged)
        return now_s

    def _arm(self) -> None:
        due_s = self._pacer.next_departure_s()
        if due_s == self._due_s and self._timer is not None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due_s = due_s
        self._timer = None
        if self._start_s is not None and due_s < math.inf:
            self._timer = self._loop.call_at(self._start_s + due_s - TIMER_LEAD_S, self._tick)

    def _tick(self) -> None:
        """Send everything that is due, then sleep until the next departure."""
        self._timer = None
        now_s = self.now_s()
        self._ledger.woke(now_s - self._due_s)
        self._ledger.advance(now_s, backlogged=True)
        for flow, size_bytes in self._pacer.due(now_s + TIMER_LEAD_S):
            self._ledger.delivered(size_bytes, now_s)
            self._connections[flow].deliver(size_bytes)
        self._arm()

    def accept(self, client: asyncio.Transport) -> Connection | None:
        """A client connected: dial the server for it, or turn it away."""
        if len(self._connections) >= self.config.max_connections:
            self._refused += 1
            abort(client)
            return None
        connection = Connection(self, next(self._ids), client)
        self._connections[connection.flow] = connection
        dial = self._dials.create_task(self._dial(connection))
        self._dialling.add(dial)
        dial.add_done_callback(self._dialling.discard)
        return connection

    async def _dial(self, connection: Connection) -> None:
        """Open the server's side of a connection; a failure resets the client's side."""
        config = self.config
        try:
            async with asyncio.timeout(config.connect_timeout_s):
                sock = await self._connected_socket()
                await self._loop.create_connection(
                    lambda: ServerLeg(connection, config.socket_buffer_bytes), sock=sock
                )
        except OSError:  # refused, unreachable, unknown name, or the time limit
            connection.close()

    async def _connected_socket(self) -> socket.socket:
        host, port = self.upstream
        found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        error = OSError(f"{host}: no address")
        for family, _, _, _, address in found:
            sock = tcp_socket(family, self.config.socket_buffer_bytes)
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
