"""Sending what a ``Plan`` says: small bodies in one write, large ones by the kernel.

The kernel copies large bodies from the file to the socket, so that a client that reads
slowly costs a file position and no memory.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable
from typing import BinaryIO

from aiohttp import web

from origin.httprules import Plan, Span

INLINE_BYTES = 64 << 10
"""Bodies up to this size are read and sent with the head."""

STEP_BYTES = 256 << 10
"""A client must take this much within the limit."""


async def send(
    request: web.Request, plan: Plan, content: bytes | BinaryIO, *, limit_s: float
) -> web.StreamResponse:
    """Answer ``request`` as planned.

    Args:
        request: The request being answered.
        plan: Status, fields and which bytes.
        content: The whole object, or a file of it opened for reading.
        limit_s: Most seconds in which a client takes ``STEP_BYTES``.

    Raises:
        ConnectionError: the client is gone or too slow, or the file was cut.
    """
    if plan.body_bytes <= INLINE_BYTES or isinstance(content, bytes):
        body = b"".join(_bytes_of(part, content) for part in plan.body)
        inline = web.Response(status=plan.status, body=body or None)
        _set_fields(inline, plan)
        return inline
    response = web.StreamResponse(status=plan.status)
    _set_fields(response, plan)
    await response.prepare(request)
    for part in plan.body:
        if isinstance(part, bytes):
            await _within(limit_s, response.write(part))
        else:
            await _send_span(request, content, part, limit_s)
    await response.write_eof()
    return response


def _set_fields(response: web.StreamResponse, plan: Plan) -> None:
    for name, value in plan.headers:
        response.headers[name] = value


def _bytes_of(part: bytes | Span, content: bytes | BinaryIO) -> bytes:
    if isinstance(part, bytes):
        return part
    if isinstance(content, bytes):
        return content[part.start : part.start + part.length]
    data = os.pread(content.fileno(), part.length, part.start)
    if len(data) != part.length:
        raise ConnectionResetError("the file was cut while it was read")
    return data


async def _send_span(request: web.Request, content: BinaryIO, span: Span, limit_s: float) -> None:
    for offset in range(span.start, span.start + span.length, STEP_BYTES):
        count = min(STEP_BYTES, span.start + span.length - offset)
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client is gone")
        await _within(limit_s, _sendfile(transport, content, offset, count))


async def _sendfile(
    transport: asyncio.WriteTransport, content: BinaryIO, offset: int, count: int
) -> None:
    loop = asyncio.get_running_loop()
    try:
        # Waits until earlier writes have left, so the head is never overtaken.
        sent = await loop.sendfile(transport, content, offset, count)
    except RuntimeError as exc:  # what asyncio says when the connection is closing
        raise ConnectionResetError("the client is gone") from exc
    if sent != count:
        raise ConnectionResetError("the file was cut while it was sent")


async def _within(limit_s: float, doing: Awaitable[object]) -> None:
    try:
        async with asyncio.timeout(limit_s):
            await doing
    except TimeoutError as exc:
        raise ConnectionAbortedError(f"the client took over {limit_s:g} s") from exc
