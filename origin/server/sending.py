"""Sending bodies to clients: from files by the kernel, at each client's own pace.

Shared by origin and edges. Bytes of a large body never pass through Python: the kernel
copies them from the file to the socket, so a slow client costs a file position and no
memory. A body that is still arriving is sent as it grows.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from io import FileIO
from typing import NamedTuple, Protocol

from aiohttp import web
from multidict import CIMultiDict

from abr.errors import AbrError
from origin.httprules import Field, ResponsePlan, Span
from origin.server.connection import Connection
from origin.server.filesender import is_resident, warm
from origin.tokens.redaction import redact

LOGGER = logging.getLogger("abr.http")

INLINE_BYTES = 64 << 10
"""Bodies up to this size are read and sent with the head in one write."""

COPIED_BYTES = 16 << 10
"""Smaller pieces of a body are read and written instead of copied by the kernel."""


CHUNK_BYTES = 16 << 10
"""Size of a chunk when there is no length: each client that does not read holds one, twice."""


class Piece(NamedTuple):
    """A run of bytes in an open file."""

    file: FileIO
    offset: int
    length: int


class Readable(Protocol):
    """A body, whole or still arriving."""

    @property
    def is_done(self) -> bool:
        """Whether every byte is there."""
        ...

    def pieces(self, start: int, stop: int) -> list[Piece]:
        """Where the bytes from ``start`` up to ``stop`` are."""
        ...

    async def wait_beyond(self, offset: int) -> int:
        """Bytes that can be read, once they are more than ``offset`` or all there are."""
        ...


class FileBody:
    """A whole body in one file, open for reading; ``close`` when done."""

    is_done = True
    """Every byte is there."""

    def __init__(self, file: FileIO, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self._file = file

    def __repr__(self) -> str:
        state = "closed" if self._file.closed else "open"
        return f"<FileBody {self.size_bytes} bytes, {state}>"

    def pieces(self, start: int, stop: int) -> list[Piece]:
        """Where the bytes from ``start`` up to ``stop`` are."""
        return [Piece(self._file, start, stop - start)]

    async def wait_beyond(self, offset: int) -> int:
        """Bytes that can be read: all of them."""
        return self.size_bytes

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _count_nothing(_count: int) -> None:
    """Ignore how many bytes were sent."""


Make = Callable[[Iterable[Field], bytes | None], web.StreamResponse]
"""Makes a response of its fields and its body."""


def _make(status: int, fields: Iterable[Field], data: bytes | None) -> web.StreamResponse:
    if data is None:
        return web.StreamResponse(status=status, headers=CIMultiDict(fields))
    return web.Response(status=status, headers=CIMultiDict(fields), body=data or None)


async def send_plan(
    request: web.Request,
    plan: ResponsePlan,
    body: Readable,
    *,
    fields: Iterable[Field] | None = None,
    limit_s: float,
    on_sent: Callable[[int], None] = _count_nothing,
    make: Make | None = None,
) -> web.StreamResponse:
    """Answer ``request`` as planned, even while the body is still arriving.

    Args:
        request: The request being answered.
        plan: Status, fields and which bytes to send.
        body: Where the bytes are.
        fields: Header fields to answer with instead of the plan's.
        limit_s: Most seconds in which a client takes 256 KiB.
        on_sent: Told the number of body bytes after each step.
        make: Makes the response of its fields and its body, which is None when it follows in
            pieces; by default an ordinary one with the status of the plan.

    Raises:
        ConnectionError: the client is gone or too slow, or the body failed to arrive.
    """
    make = make or partial(_make, plan.status)
    headers = plan.headers if fields is None else fields
    if not plan.body or (body.is_done and plan.body_bytes <= INLINE_BYTES):
        data = b"".join([await _inline(part, body) for part in plan.body])
        on_sent(len(data))
        return make(headers, data)
    response = make(headers, None)
    await response.prepare(request)
    sender = _Sender(request, response, body, limit_s, on_sent)
    with closing_on_failure(request):
        await sender.send_parts(plan)
    return response


async def send_unplanned(
    request: web.Request,
    status: int,
    body: Readable,
    *,
    fields: Iterable[Field],
    limit_s: float,
    on_sent: Callable[[int], None] = _count_nothing,
    make: Make | None = None,
) -> web.StreamResponse:
    """Answer with all of a body, whose length may be unknown; otherwise as ``send_plan``."""
    response = (make or partial(_make, status))(fields, None)
    await response.prepare(request)
    if request.method != "HEAD":
        sender = _Sender(request, response, body, limit_s, on_sent)
        with closing_on_failure(request):
            await sender.send_all()
    return response


@contextmanager
def closing_on_failure(request: web.Request) -> Iterator[None]:
    """Close the connection of ``request`` when the block fails.

    The head promised a whole body, so only a broken connection tells the client that what
    it got is a part (RFC 9112 §8).

    Raises:
        ConnectionError: the client is gone or too slow, or the body failed to arrive.
    """
    try:
        yield
    except BaseException as exc:
        if request.transport is not None:
            request.transport.close()
        if isinstance(exc, AbrError):
            LOGGER.warning("closed a connection half-way: %s", redact(str(exc)))
            raise ConnectionResetError("the body failed half-way") from exc
        raise


async def send_within(limit_s: float, step: Awaitable[object]) -> None:
    """Await one step of sending.

    Raises:
        ConnectionAbortedError: the client took longer than ``limit_s``.
    """
    try:
        async with asyncio.timeout(limit_s):
            await step
    except TimeoutError as exc:
        raise ConnectionAbortedError(f"the client took over {limit_s:g} s") from exc


class _Sender:
    """One response under way, piece by piece."""

    def __init__(
        self,
        request: web.Request,
        response: web.StreamResponse,
        body: Readable,
        limit_s: float,
        on_sent: Callable[[int], None],
    ) -> None:
        self._request, self._response, self._body = request, response, body
        self._limit_s, self._on_sent = limit_s, on_sent

    def __repr__(self) -> str:
        return f"<_Sender {self._response.status} of {self._body!r}>"

    async def send_parts(self, plan: ResponsePlan) -> None:
        for part in plan.body:
            if isinstance(part, bytes):
                await send_within(self._limit_s, self._response.write(part))
                self._on_sent(len(part))
            else:
                await self._send_span(part)

    async def send_all(self) -> None:
        offset = 0
        while (available := await self._body.wait_beyond(offset)) > offset:
            available = min(available, offset + CHUNK_BYTES)
            for piece in self._body.pieces(offset, available):
                # Not by the kernel: without a length the body is sent in chunks.
                data = await _read(piece)
                await send_within(self._limit_s, self._write_all(data))
                self._on_sent(piece.length)
            offset = available

    async def _write_all(self, data: bytes) -> None:
        """Write, and wait until it is on its way: aiohttp would wait every 64 KiB only."""
        await self._response.write(data)
        await self._request.writer.drain()

    async def _send_span(self, span: Span) -> None:
        offset, stop = span.start, span.start + span.length
        while offset < stop:
            available = min(stop, await self._body.wait_beyond(offset))
            if available <= offset:
                raise ConnectionResetError("the body is shorter than promised")
            for piece in self._body.pieces(offset, available):
                await self._send_piece(piece)
            offset = available

    async def _send_piece(self, piece: Piece) -> None:
        connection = self._request.protocol
        if piece.length < COPIED_BYTES:
            data = await _read(piece)
            await send_within(self._limit_s, self._response.write(data))
            self._on_sent(piece.length)
            return
        assert isinstance(connection, Connection)
        await connection.send_file(
            piece.file.fileno(),
            piece.offset,
            piece.length,
            limit_s=self._limit_s,
            on_sent=self._on_sent,
        )


async def _inline(part: bytes | Span, body: Readable) -> bytes:
    return part if isinstance(part, bytes) else await read_span(body, part)


async def read_span(body: Readable, span: Span) -> bytes:
    """Bytes of a body that are there; a disk is waited for in a thread.

    Raises:
        ConnectionError: the file of the body was cut.
    """
    pieces = body.pieces(span.start, span.start + span.length)
    return b"".join([await _read(piece) for piece in pieces])


async def _read(piece: Piece) -> bytes:
    file = piece.file.fileno()
    if not is_resident(file, piece.offset, piece.length):
        await asyncio.to_thread(warm, os.dup(file), piece.offset, piece.length)
    data = os.pread(file, piece.length, piece.offset)
    if len(data) != piece.length:
        raise ConnectionResetError("the file of the body was cut")
    return data
