"""The door of a server: who may come in, and how all are let out when it ends.

Connections are counted, in all and by address, and refused beyond the limits. When the server
is to end, it accepts nobody any more, answers with ``Connection: close``, and closes what stays
idle; nobody who was let in is cut off before the time is up.
"""

from __future__ import annotations

import asyncio
import resource
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from origin.config import ServerLimits
from origin.latency import Waits

if TYPE_CHECKING:
    from origin.server.connection import Connection

FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nCache-Control: no-store\r\n"
    b"Content-Type: application/json\r\nContent-Length: 63\r\nConnection: close\r\n\r\n"
    b'{"error": "full", "message": "too many connections; try again"}'
)
"""What a client is told that is not let in."""

LEAST_CONNECTIONS = 16
"""So many are let in however few descriptors there are."""

LOOK_S = 0.1
"""How often it is looked who has become idle."""


class Answered(NamedTuple):
    """One request whose answer is over."""

    method: str
    target: str
    """Path and query as received; may hold a token."""
    fields: Sequence[tuple[bytes, bytes]] | bytes
    """Header fields of the request: pairs, or as received."""
    status: int
    cache_status: str
    size_bytes: int
    """Size of the whole object; -1: not known."""
    sent_bytes: int
    first_byte_s: float
    """From the request to the head of the answer."""
    took_s: float
    """From the request to the end of the answer."""


class Door:
    """The door of one server; ``limits`` may be replaced, and holds for those who come then."""

    def __init__(self, limits: ServerLimits) -> None:
        self.limits = limits
        self.is_draining = False
        """Nobody is let in any more, and whoever has an answer is to leave."""
        self.on_answered: Callable[[Answered], None] | None = None
        """Told about each request when its answer is over."""
        self.waits = Waits()
        """From each request to the head of its answer; ready ones count as under 1 ms."""
        self.refused = 0
        """Connections that were not let in."""
        self.accepted = 0
        """Connections that were."""
        self.is_empty = asyncio.Event()
        """Set while nobody is inside."""
        self.is_empty.set()
        self._inside: set[Connection] = set()
        self._by_address: Counter[str] = Counter()
        self._server: asyncio.Server | None = None
        self._listener: socket.socket | None = None
        self._connect: Callable[[], asyncio.BaseProtocol] | None = None

    def __repr__(self) -> str:
        state = "draining" if self.is_draining else "open"
        return f"<Door {state}: {len(self._inside)} inside, {self.refused} refused>"

    @property
    def inside(self) -> int:
        """Connections that are open."""
        return len(self._inside)

    def admit(self, connection: Connection, address: str) -> bool:
        """Let a connection in, if there is room; those let in ``leave``."""
        most, most_each = self.most_connections, self.limits.connections_per_address
        if len(self._inside) >= most or (most_each and self._by_address[address] >= most_each):
            self.refused += 1
            return False
        self.accepted += 1
        self._inside.add(connection)
        self.is_empty.clear()
        self._by_address[address] += 1
        return True

    def leave(self, connection: Connection, address: str) -> None:
        """Note that a connection is gone."""
        if connection in self._inside:
            self._inside.discard(connection)
            if not self._inside:
                self.is_empty.set()
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]

    @property
    def most_connections(self) -> int:
        """Most connections: as set, but half the descriptors are for files and the parents."""
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        room = max(LEAST_CONNECTIONS, soft // 2) if soft >= 0 else 1 << 20
        return min(self.limits.connections or room, room)

    async def listen(
        self, sock: socket.socket, connect: Callable[[], asyncio.BaseProtocol]
    ) -> None:
        """Accept connections on a bound socket."""
        loop = asyncio.get_running_loop()
        self._listener, self._connect = sock, connect
        self._server = await loop.create_server(connect, sock=sock, backlog=self.limits.backlog)

    def give_away(self) -> socket.socket | None:
        """Accept nobody any more, and return the socket for another process; None: it is closed.

        Who knocks from now on waits for that process.
        """
        if self._server is None or self._listener is None:
            return None
        sock = self._listener.dup()
        self._server.close()
        self._server = None
        return sock

    def close(self) -> None:
        """Accept nobody any more; whoever knocked already is let in."""
        if self._server is None or self._listener is None:
            return
        waiting = _accept_all(self._listener)
        self._server.close()
        self._server = None
        for sock in waiting:
            task = asyncio.ensure_future(self._let_in(sock))
            task.add_done_callback(_ignore_outcome)

    async def drain(self, *, limit_s: float) -> None:
        """Accept nobody any more, and wait until all have got their answers and are gone.

        Args:
            limit_s: Most seconds; whoever is inside then is not cut off here.
        """
        loop = asyncio.get_running_loop()
        until_s = loop.time() + limit_s
        self.is_draining = True
        self.close()
        while not self.is_empty.is_set() and loop.time() < until_s:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(LOOK_S, limit_s)):
                    await self.is_empty.wait()
            # One that sends its next request now still gets an answer; closing an idle
            # connection at once would race with that request.
            for connection in tuple(self._inside):
                if connection.idle_s() >= self.limits.drain_idle_s:
                    connection.force_close()  # aiohttp's close() leaves the socket open

    async def _let_in(self, sock: socket.socket) -> None:
        assert self._connect is not None
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(self._connect, sock)


class Refusal(asyncio.Protocol):
    """Takes the place of a connection that is not let in, until it is closed."""

    def __repr__(self) -> str:
        return "<Refusal>"


def _accept_all(listener: socket.socket) -> list[socket.socket]:
    """Connections that the kernel has accepted: closing the socket would reset them."""
    found: list[socket.socket] = []
    while True:
        try:
            # asyncio hands out its sockets in a wrapper that accepts nothing.
            sock, _ = listener.accept()
        except OSError:
            return found
        sock.setblocking(False)
        found.append(sock)


def _ignore_outcome(task: asyncio.Future[Any]) -> None:
    if not task.cancelled():
        task.exception()
