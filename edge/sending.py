"""Sending bodies to clients: from files by the kernel, at the client's own pace.

Bytes of a large body never pass through Python: the kernel copies them from the file
to the socket, so a slow client costs a file position and not memory. A body still
under way is sent as it grows.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from aiohttp import web
from multidict import CIMultiDict

from abr.errors import AbrError
from edge.spool import Piece
from origin.httprules import Plan, Span
from origin.tokens import redact

LOG = logging.getLogger("abr.edge")

INLINE_BYTES = 64 << 10
"""Bodies up to this size are read and sent with the head in one write."""

STEP_BYTES = 256 << 10
"""A client must take this much within the send limit."""


class Readable(Protocol):
    """A body, whole or under way."""

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


async def send_plan(
    request: web.Request,
    body: Readable,
    plan: Plan,
    fields: Iterable[tuple[str, str]],
    *,
    limit_s: float,
    sent: Callable[[int], None],
) -> web.StreamResponse:
    """Answer ``request`` as planned, while the body still arrives if need be.

    Args:
        request: The request being answered.
        body: Where the bytes are.
        plan: Status, and which bytes to send.
        fields: All header fields; those of the plan are not looked at.
        limit_s: Most seconds in which a client takes ``STEP_BYTES``.
        sent: Told the number of body bytes after each step.

    Raises:
        ConnectionError: the client is gone or too slow, or the body failed to arrive.
    """
    headers = CIMultiDict(fields)
    if not plan.body or (body.is_done and plan.body_bytes <= INLINE_BYTES):
        data = _read_inline(body, plan)
        sent(len(data))
        return web.Response(status=plan.status, headers=headers, body=data or None)
    response = web.StreamResponse(status=plan.status, headers=headers)
    await response.prepare(request)
    await guarded(request, _send_parts(request, response, body, plan, limit_s, sent))
    return response


async def send_as_it_comes(
    request: web.Request,
    body: Readable,
    status: int,
    fields: Iterable[tuple[str, str]],
    *,
    limit_s: float,
    sent: Callable[[int], None],
) -> web.StreamResponse:
    """Answer with a whole body that is not to be cut up; otherwise as ``send_plan``."""
    response = web.StreamResponse(status=status, headers=CIMultiDict(fields))
    await response.prepare(request)
    if request.method != "HEAD":
        await guarded(request, _send_all(response, body, limit_s, sent))
    return response


async def guarded(request: web.Request, sending: Awaitable[None]) -> None:
    """Send; on any trouble close the connection, so nobody takes a part for the whole.

    Raises:
        ConnectionError: the client is gone or too slow, or the body failed to arrive.
    """
    try:
        await sending
    except BaseException as exc:
        if request.transport is not None:
            request.transport.close()
        if isinstance(exc, AbrError):
            LOG.warning("closed a connection half-way: %s", redact(str(exc)))
            raise ConnectionResetError("the body failed half-way") from exc
        raise


async def within(limit_s: float, doing: Awaitable[None]) -> None:
    """Await one step of sending.

    Raises:
        ConnectionAbortedError: the client took longer than ``limit_s``.
    """
    try:
        async with asyncio.timeout(limit_s):
            await doing
    except TimeoutError as exc:
        raise ConnectionAbortedError(f"the client took over {limit_s:g} s") from exc


def _read_inline(body: Readable, plan: Plan) -> bytes:
    parts = []
    for part in plan.body:
        if isinstance(part, bytes):
            parts.append(part)
        else:
            pieces = body.pieces(part.start, part.start + part.length)
            parts.extend(_read(piece) for piece in pieces)
    return b"".join(parts)


async def _send_parts(
    request: web.Request,
    response: web.StreamResponse,
    body: Readable,
    plan: Plan,
    limit_s: float,
    sent: Callable[[int], None],
) -> None:
    for part in plan.body:
        if isinstance(part, bytes):
            await within(limit_s, response.write(part))
            sent(len(part))
        else:
            await _send_span(request, response, body, part, limit_s, sent)


async def _send_all(
    response: web.StreamResponse, body: Readable, limit_s: float, sent: Callable[[int], None]
) -> None:
    offset = 0
    while (available := await body.wait_beyond(offset)) > offset:
        available = min(available, offset + STEP_BYTES)
        for piece in body.pieces(offset, available):
            await within(limit_s, response.write(_read(piece)))
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
                await within(limit_s, response.write(_read(piece)))
            else:
                await within(limit_s, _sendfile(request, piece))
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


def _read(piece: Piece) -> bytes:
    return os.pread(piece.file.fileno(), piece.length, piece.offset)
