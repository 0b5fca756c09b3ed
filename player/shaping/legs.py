"""The two legs of a shaped connection, as protocols of an event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from player.shaping.connection import Connection, ConnectionLink


class ClientLeg(asyncio.Protocol):
    """The proxy's side of the client's connection."""

    def __init__(
        self, link: ConnectionLink, accept: Callable[[asyncio.Transport], Connection | None]
    ) -> None:
        self._link, self._accept = link, accept
        self._connection: Connection | None = None

    def __repr__(self) -> str:
        return f"<ClientLeg of {self._connection!r}>"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The client connected."""
        assert isinstance(transport, asyncio.Transport)
        transport.set_write_buffer_limits(high=self._link.config.socket_buffer_bytes)
        self._connection = self._accept(transport)

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

    def __repr__(self) -> str:
        return f"<ServerLeg of {self._connection!r}>"

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
