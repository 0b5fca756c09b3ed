"""The HTTP client of an edge, for one server it asks: a parent.

Connections go to the parent's address only, redirects are not followed, proxies of the
environment are not used, and every wait has a limit. Nothing of h11 leaves this module: failures
are raised as ``UpstreamError`` or ``UpstreamTimeoutError``, without the token.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import h11

from abr.errors import ConfigError, UpstreamError, UpstreamTimeoutError
from edge.caching.forwarding import climbs
from edge.config import EdgeConfig
from edge.server.tokencheck import KeySetAnswer
from edge.server.wire import (
    PIECE_BYTES,
    SLOW_PIECE_BYTES,
    Body,
    Exchange,
    OnInterim,
    Wire,
    fields_of,
    text_of,
)
from origin.httprules import join_fields
from origin.paths import PathError
from origin.tokens.redaction import redact

MAX_KEY_SET_BYTES = 64 << 10
"""A longer key set is refused."""

IDLE_S = 30.0
"""A connection is not used again after it was idle for so long."""

FULL_QUEUE_S = 0.01
"""Wait before a socket of this machine is tried again whose queue is full."""

REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""RFC 9110 §9.2.2: methods that may be sent again when a kept connection turns out to be dead."""


class BrokenAnswerError(UpstreamError):
    """The parent took the request, and what it answered was nothing whole.

    That may be due to the request: a parent that cannot be reached is another matter.
    """


class _BrokeOff(Exception):  # noqa: N818 -- never leaves this module
    """The connection ended, or made no sense, after the request was sent."""


@dataclass(slots=True)
class UpstreamResponse:
    """The head of the parent's response; ``pieces`` gives the body."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    """Names and values as received, one character per byte."""
    length_bytes: int | None
    """``Content-Length``; None when there is none."""
    asked_s: float
    """When it was asked for, seconds since the epoch."""
    arrived_s: float
    """When the head arrived."""
    _exchange: Exchange = field(repr=False)
    _where: str = ""

    def set_pace(self, *, fast: bool) -> None:
        """Say whether whoever takes the body is fast, so that a slow one holds little memory."""
        self._exchange.wire.set_pace(PIECE_BYTES if fast else SLOW_PIECE_BYTES)

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it arrives.

        Raises:
            UpstreamError: it broke off.
            UpstreamTimeoutError: nothing arrived within the idle limit.
        """
        with _wrap_errors(self._where):
            async for piece in self._exchange.pieces():
                yield piece


class Upstream:
    """Client to one parent; ``open`` before use, ``close`` after.

    Args:
        config: Limits, and how TLS is checked.
        base: Base URL of the parent.
        now: Seconds since the epoch.
        unix: Path of a socket to connect to instead of the address in ``base``.
    """

    def __init__(
        self, config: EdgeConfig, base: str, *, now: Callable[[], float], unix: str = ""
    ) -> None:
        parts = urlsplit(base)
        self.base = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        self._config = config
        self._now = now
        self._unix = unix
        self._path = parts.path.rstrip("/")
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._authority = parts.netloc
        self._tls = tls_context(config) if parts.scheme == "https" else None
        self._idle: deque[Wire] = deque()
        self._places = asyncio.Semaphore(config.upstream_connections)
        self._busy: set[Wire] = set()
        self._lent: set[Wire] = set()
        self._is_open = False

    def __repr__(self) -> str:
        state = f"{len(self._busy)} busy, {len(self._idle)} idle" if self._is_open else "closed"
        return f"<Upstream {self.base}, {state}>"

    def reconfigure(self, config: EdgeConfig) -> None:
        """Use other limits and certificates from now on; requests under way go on.

        Raises:
            ConfigError: the certificates cannot be used; then nothing has changed.
        """
        if self._tls is not None:
            self._tls = tls_context(config)
        self._config = config
        # Those that wait or have a place keep it: it is given back where it was taken.
        self._places = asyncio.Semaphore(config.upstream_connections)
        self._close_idle()

    def retire(self) -> None:
        """Take no requests any more; those under way end in peace."""
        self._is_open = False
        self._close_idle()

    def _close_idle(self) -> None:
        for wire in self._idle:
            wire.close()
        self._idle.clear()

    async def open(self) -> None:
        """Prepare to connect."""
        self._is_open = True

    async def close(self) -> None:
        """Close all connections."""
        self._is_open = False
        for wire in (*self._idle, *self._busy):
            wire.close()
        self._idle.clear()

    @asynccontextmanager
    async def ask(
        self,
        method: str,
        target: str,
        *,
        headers: list[tuple[str, str]],
        body: Body = None,
        on_interim: OnInterim | None = None,
    ) -> AsyncIterator[UpstreamResponse]:
        """One request to the parent.

        Args:
            method: Request method.
            target: Path and query as they are to be sent, starting with ``/``; or ``*``.
            headers: Header fields to send, one character per byte. ``Host`` is that of the
                parent unless it is among them.
            body: Request body: whole, or in pieces as they come; without a ``Content-Length``
                among the headers the pieces are sent in chunks.
            on_interim: Told about each informational response that comes before the final one.

        Raises:
            PathError: the request itself cannot be sent there.
            UpstreamError: it could not be reached or broke off.
            UpstreamTimeoutError: no head came within the limits.
        """
        assert self._is_open, "open() the upstream first"
        where = redact(self.base + target)
        asked_s = self._now()
        request = self._request(method, target, headers, body)
        with _wrap_errors(where):
            exchange, head = await self._start(request, body, on_interim or _ignore)
        try:
            fields = fields_of(head)
            yield UpstreamResponse(
                status=head.status_code,
                reason=text_of(head.reason),
                headers=fields,
                length_bytes=_length(fields),
                asked_s=asked_s,
                arrived_s=self._now(),
                _exchange=exchange,
                _where=where,
            )
        finally:
            await self._finish(exchange)

    async def _start(
        self,
        request: h11.Request,
        body: Body,
        on_interim: OnInterim,
    ) -> tuple[Exchange, h11.Response]:
        """Wait for a place, a connection and the head of the response, all within one limit.

        A place is given back with the head, and a request whose body comes at a client's pace
        takes none: clients that are slow on large bodies, either way, keep nobody waiting.
        """
        places = contextlib.nullcontext() if _is_paced(body) else self._places
        loop, limit_s = asyncio.get_running_loop(), self._config.first_byte_limit_s
        async with asyncio.timeout(limit_s) as limit:
            is_waiting = True

            def extend() -> None:
                if is_waiting:
                    limit.reschedule(loop.time() + limit_s)

            async with places:
                try:
                    return await self._exchange(request, body, on_interim, extend)
                finally:
                    is_waiting = False

    async def _exchange(
        self,
        request: h11.Request,
        body: Body,
        on_interim: OnInterim,
        extend: Callable[[], None],
    ) -> tuple[Exchange, h11.Response]:
        """Send a request; once more on a new connection when a kept one was dead."""
        repeatable = text_of(request.method) in REPEATABLE and not _is_paced(body)
        while True:
            wire, is_new = await self._wire()
            exchange = Exchange(wire, idle_limit_s=self._config.idle_limit_s)
            self._busy.add(wire)
            try:
                return exchange, await exchange.ask(request, body, on_interim, extend)
            except (OSError, h11.RemoteProtocolError) as exc:
                await self._finish(exchange)
                dead = not (is_new or exchange.has_received or isinstance(exc, TimeoutError))
                if not (dead and repeatable):
                    if isinstance(exc, TimeoutError):
                        raise
                    raise _BrokeOff(str(exc)) from exc
                for kept in self._idle:  # most likely dead as well
                    kept.close()
                self._idle.clear()
            except BaseException:
                await self._finish(exchange)
                raise

    async def _wire(self) -> tuple[Wire, bool]:
        """A connection, and whether it is new."""
        kept = self._kept()
        return (kept, False) if kept is not None else (await self._connect(), True)

    def _kept(self) -> Wire | None:
        """A connection that was kept and still seems to be good."""
        loop = asyncio.get_running_loop()
        while self._idle:
            wire = self._idle.pop()
            if wire.is_quiet and loop.time() < wire.idle_until_s:
                wire.set_pace(SLOW_PIECE_BYTES)
                return wire
            wire.close()
        return None

    async def _connect(self) -> Wire:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._config.connect_limit_s):
            if self._unix:
                sock = await _connected(self._unix)
                _, wire = await loop.create_unix_connection(Wire, sock=sock)
                return wire
            _, wire = await loop.create_connection(
                Wire,
                self._host,
                self._port,
                ssl=self._tls,
                server_hostname=self._host if self._tls else None,
                happy_eyeballs_delay=0.25,
            )
        return wire

    @property
    def has_place(self) -> bool:
        """Whether a request would not wait for others here."""
        is_full = len(self._lent) >= self._config.upstream_connections
        return self._is_open and not is_full and not self._places.locked()

    @property
    def start(self) -> tuple[str, str]:
        """What the path of a target is put after, and the ``Host`` of requests."""
        return self._path, self._authority

    def lend(self) -> Wire | None:
        """A kept connection for one exchange by others; it is given back or dropped."""
        wire = self._kept()
        if wire is not None:
            self._busy.add(wire)
            self._lent.add(wire)
        return wire

    async def lend_new(self) -> Wire:
        """A new connection, as ``lend``; those that are kept are most likely dead as well.

        Raises:
            OSError: it cannot be reached.
            TimeoutError: not within the limit.
        """
        wire = await self._connect()
        if not self._is_open:
            wire.close()
            raise ConnectionAbortedError("this parent is not asked any more")
        self._busy.add(wire)
        self._lent.add(wire)
        return wire

    def drop(self, wire: Wire) -> None:
        """Close a connection that was lent."""
        self._busy.discard(wire)
        self._lent.discard(wire)
        wire.close()

    def give_back(self, wire: Wire, *, keeps_s: float | None = None) -> None:
        """Keep a connection that was lent and whose exchange is over.

        Args:
            wire: The connection.
            keeps_s: How long the parent keeps it; None when it does not say.
        """
        self._busy.discard(wire)
        self._lent.discard(wire)
        if not (self._is_open and wire.is_quiet):
            wire.close()
            return
        idle_s = IDLE_S if keeps_s is None else min(IDLE_S, keeps_s)
        wire.idle_until_s = asyncio.get_running_loop().time() + idle_s
        self._idle.append(wire)

    async def _finish(self, exchange: Exchange) -> None:
        """Keep the connection of an exchange that is over, or close it."""
        await exchange.close()
        if exchange.can_go_on:
            self.give_back(exchange.wire, keeps_s=exchange.keeps_s)
        else:
            self.drop(exchange.wire)

    def _request(
        self, method: str, target: str, headers: list[tuple[str, str]], body: Body
    ) -> h11.Request:
        if not (target.startswith("/") or (target == "*" and method == "OPTIONS")):
            raise PathError("request target: not a path at the parent; no other server is asked")
        if self._path and climbs(target):
            raise PathError("request target: leads upwards, and so out of the parent's folder")
        fields = [(name, value) for name, value in headers]
        names = {name.lower() for name, _ in fields}
        if "host" not in names:
            fields.insert(0, ("Host", self._authority))
        if isinstance(body, bytes) and "content-length" not in names:
            fields.append(("Content-Length", str(len(body))))
        elif body is not None and not isinstance(body, bytes) and "content-length" not in names:
            fields.append(("Transfer-Encoding", "chunked"))
        base = self._path if target != "*" else ""
        try:
            return h11.Request(
                method=method.encode("latin-1"),
                target=(base + target).encode("latin-1"),
                headers=[
                    (name.encode("latin-1"), value.encode("latin-1")) for name, value in fields
                ],
            )
        except (h11.LocalProtocolError, ValueError) as exc:
            raise PathError("request: its target or a field cannot be sent on") from exc

    async def key_set(self, past_caches: bool) -> KeySetAnswer:
        """The parent's public keys.

        Args:
            past_caches: Have every tier above ask its parent as well.

        Raises:
            UpstreamError: they could not be fetched.
            UpstreamTimeoutError: not within the limits.
        """
        target = "/.well-known/jwks.json"
        where = self.base + target
        asking = [("Accept-Encoding", "identity")]
        if past_caches:
            asking.append(("Cache-Control", "no-cache"))
        async with self.ask("GET", target, headers=asking) as answer:
            if answer.status != 200:
                raise UpstreamError(f"{where}: status {answer.status}; expected a key set")
            data = b""
            async for piece in answer.pieces():
                data += piece
                if len(data) > MAX_KEY_SET_BYTES:
                    raise UpstreamError(f"{where}: longer than {MAX_KEY_SET_BYTES} bytes")
        try:
            found = json.loads(data)
        except ValueError as exc:
            raise UpstreamError(f"{where}: not JSON; expected a key set") from exc
        if not isinstance(found, dict):
            raise UpstreamError(f"{where}: not an object; expected a key set")
        return KeySetAnswer(
            jwks=found,
            headers=join_fields(answer.headers),
            asked_s=answer.asked_s,
            arrived_s=answer.arrived_s,
        )

    async def is_reachable(self) -> bool:
        """Whether the parent accepts a connection within the limit."""
        try:
            async with asyncio.timeout(self._config.connect_limit_s):
                _, writer = await asyncio.open_connection(self._host, self._port)
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True


def tls_context(config: EdgeConfig) -> ssl.SSLContext:
    """How parents are checked.

    Raises:
        ConfigError: the file with certificates cannot be used.
    """
    try:
        return ssl.create_default_context(cafile=config.parent_ca_file or None)
    except OSError as exc:
        raise ConfigError(
            f"edge.parent_ca_file: {config.parent_ca_file}: {exc.strerror or exc}; "
            "expected certificates in PEM"
        ) from exc


async def _connected(path: str) -> socket.socket:
    """A socket that is connected to another one of this machine.

    While the other's queue is full, connect() says EAGAIN and has done nothing (unix(7)); asyncio
    takes that for a connection under way.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        while True:
            with contextlib.suppress(BlockingIOError):
                sock.connect(path)
                return sock
            await asyncio.sleep(FULL_QUEUE_S)
    except BaseException:
        sock.close()
        raise


def _is_paced(body: Body) -> bool:
    """Whether a request body comes in pieces, as its sender sends them."""
    return body is not None and not isinstance(body, bytes)


def _ignore(_status: int, _reason: str, _fields: list[tuple[str, str]]) -> None:
    """Nobody wants to know about informational responses."""


def _length(fields: list[tuple[str, str]]) -> int | None:
    for name, value in fields:
        if name.lower() == "content-length":
            return int(value.split(",")[0])  # h11 has checked that they agree
    return None


@contextmanager
def _wrap_errors(where: str) -> Iterator[None]:
    """Turn what h11 and the network raise into our errors."""
    try:
        yield
    except _BrokeOff as exc:
        raise BrokenAnswerError(f"{where}: not a whole HTTP response: {redact(str(exc))}") from exc
    except TimeoutError as exc:
        raise UpstreamTimeoutError(
            f"{where}: no answer within the limit; check the parent or raise the edge's limits"
        ) from exc
    except OSError as exc:
        raise UpstreamError(f"{where}: {redact(str(exc)) or type(exc).__name__}") from exc
    except h11.RemoteProtocolError as exc:
        raise UpstreamError(f"{where}: not a whole HTTP response: {redact(str(exc))}") from exc
    except (h11.LocalProtocolError, ValueError) as exc:  # impossible addresses and fields
        raise UpstreamError(f"{where}: cannot be asked for: {redact(str(exc))}") from exc
