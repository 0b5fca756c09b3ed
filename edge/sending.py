"""Sending bodies to clients: from files by the kernel, at the client's own pace.

Bytes of a large body never pass through Python: the kernel copies them from the file
to the socket, so a slow client costs a file position and not memory. A body still
under way is sent as it grows.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import web

from edge.body import Piece
from origin.httprules import Plan, Span

INLINE_BYTES = 64 << 10
"""Bodies up to this size are read and sent with the head in one write."""

STEP_BYTES = 1 << 20
"""Most bytes for which one send limit holds."""


class Readable(Protocol):
    """A body, whole or under way."""

    def pieces(self, start: int, stop: int) -> list[Piece]:
        """Where the bytes from ``start`` up to ``stop`` are."""
        ...

    async def wait_beyond(self, offset: int) -> int:
        """Bytes that can be read, once they are more than ``offset`` or all there are."""
        ...


def read_inline(body: Readable, plan: Plan) -> bytes:
    """The bytes of ``plan``, all of which must be there already."""
    parts = []
    for part in plan.body:
        if isinstance(part, bytes):
            parts.append(part)
        else:
            pieces = body.pieces(part.start, part.start + part.length)
            parts.extend(_read(piece) for piece in pieces)
    return b"".join(parts)


async def send_plan(
    request: web.Request,
    response: web.StreamResponse,
    body: Readable,
    plan: Plan,
    *,
    limit_s: float,
    sent: Callable[[int], None],
) -> None:
    """Send the body of ``plan`` on a prepared response.

    Args:
        request: The request being answered.
        response: Its response, already prepared.
        body: Where the bytes are.
        plan: Which bytes to send.
        limit_s: Most seconds for a step of at most ``STEP_BYTES``.
        sent: Told the number of bytes after each step.

    Raises:
        ConnectionError: the client is gone or too slow.
        AbrError: the body failed to arrive.
    """
    for part in plan.body:
        if isinstance(part, bytes):
            await _within(limit_s, response.write(part))
            sent(len(part))
        else:
            await _send_span(request, response, body, part, limit_s, sent)


async def send_all(
    request: web.Request,
    response: web.StreamResponse,
    body: Readable,
    *,
    limit_s: float,
    sent: Callable[[int], None],
) -> None:
    """Send a body of unknown length until it ends; errors as in ``send_plan``."""
    offset = 0
    while (available := await body.wait_beyond(offset)) > offset:
        for piece in body.pieces(offset, available):
            await _within(limit_s, response.write(_read(piece)))
            sent(piece.length)
        offset = available


async def _send_span(
    request: web.Request,
    response: web.StreamResponse,
    body: Readable,
    span: Span,
    limit_s: float,
    sent: Callable[[int], None],
) -> None:
    offset, stop = span.start, span.start + span.length
    while offset < stop:
        available = min(stop, offset + STEP_BYTES, await body.wait_beyond(offset))
        if available <= offset:
            raise ConnectionResetError("the body is shorter than promised")
        for piece in body.pieces(offset, available):
            if piece.length < INLINE_BYTES // 4:
                await _within(limit_s, response.write(_read(piece)))
            else:
                await _within(limit_s, _sendfile(request, piece))
            sent(piece.length)
        offset = available


async def _sendfile(request: web.Request, piece: Piece) -> None:
    transport = request.transport
    if transport is None or transport.is_closing():
        raise ConnectionResetError("the client is gone")
    loop = asyncio.get_running_loop()
    try:
        # Waits until earlier writes have left, so the head is never overtaken.
        count = await loop.sendfile(
            transport, piece.file, piece.offset, piece.length, fallback=False
        )
    except (asyncio.SendfileNotAvailableError, RuntimeError) as exc:
        # What asyncio raises when the first attempt finds the connection gone.
        raise ConnectionResetError("the client is gone") from exc
    if count != piece.length:
        raise ConnectionResetError("the file of the body was cut")


async def _within(limit_s: float, doing: Awaitable[None]) -> None:
    try:
        async with asyncio.timeout(limit_s):
            await doing
    except TimeoutError as exc:
        raise ConnectionAbortedError(f"the client took over {limit_s:g} s") from exc


def _read(piece: Piece) -> bytes:
    return os.pread(piece.file.fileno(), piece.length, piece.offset)
