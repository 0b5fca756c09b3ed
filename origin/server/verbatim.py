"""Responses whose heads go out byte for byte as they were given.

aiohttp writes header fields as UTF-8 and adds some of its own. What an edge forwards holds any
byte (RFC 9110 §5.5), kept as one character each, and a reverse proxy adds nothing to it.
"""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_writer import StreamWriter
from multidict import CIMultiDict

from origin.httprules import Field

_ADDED = frozenset({"content-type", "server"})
"""Fields that aiohttp adds; plain responses have them only when they were given."""


class VerbatimResponse(web.Response):
    """A response whose body is at hand."""

    plain: frozenset[str] | None = None
    """Lower-case names that were given, when nothing else is to be added; None otherwise."""

    def __repr__(self) -> str:
        return f"<VerbatimResponse {self.status}>"

    async def _write_headers(self) -> None:
        _write_head(self, self._req, self._payload_writer, self.plain)
        if self._send_headers_immediately and self._payload_writer is not None:
            self._payload_writer.send_headers()


class VerbatimStream(web.StreamResponse):
    """A response whose body follows in pieces."""

    plain: frozenset[str] | None = None
    """As in ``VerbatimResponse``."""

    def __repr__(self) -> str:
        return f"<VerbatimStream {self.status}>"

    async def _write_headers(self) -> None:
        _write_head(self, self._req, self._payload_writer, self.plain)
        if self._send_headers_immediately and self._payload_writer is not None:
            self._payload_writer.send_headers()


def _write_head(
    response: web.StreamResponse,
    request: web.BaseRequest | None,
    writer: AbstractStreamWriter | None,
    plain: frozenset[str] | None,
) -> None:
    """Give the writer a head, which it sends together with the first piece of the body."""
    assert request is not None
    assert isinstance(writer, StreamWriter)
    unwanted = frozenset() if plain is None else _ADDED - plain
    version = request.version
    lines = [f"HTTP/{version[0]}.{version[1]} {response.status} {response.reason}"]
    for name, value in response.headers.items():
        if name.lower() not in unwanted:
            lines.append(f"{name}: {value}")
    text = "\r\n".join(lines)
    if text.count("\n") + 1 != len(lines) or text.count("\r") + 1 != len(lines):
        raise ValueError("a header field with a line break")
    writer._headers_buf = f"{text}\r\n\r\n".encode("latin-1")  # noqa: SLF001
    writer._headers_written = False  # noqa: SLF001


def respond(
    status: int,
    reason: str | None,
    fields: Iterable[Field],
    data: bytes | None,
    *,
    is_plain: bool = False,
) -> web.StreamResponse:
    """A response to send.

    Args:
        status: Its status.
        reason: Phrase of the status; None or empty for the usual one.
        fields: Its fields, one character per byte.
        data: Its whole body; None when it follows in pieces.
        is_plain: Add nothing that the connection does not need.
    """
    headers = CIMultiDict(fields)
    response: VerbatimResponse | VerbatimStream
    if data is None:
        response = VerbatimStream(status=status, reason=reason or None, headers=headers)
    else:
        response = VerbatimResponse(
            status=status, reason=reason or None, headers=headers, body=data or None
        )
    response.plain = frozenset(name.lower() for name in headers) if is_plain else None
    return response


def send_interim(request: web.Request, status: int, reason: str, fields: Iterable[Field]) -> None:
    """Send an informational response, if the client understands it and waits for the final one.

    RFC 9110 §15.2: never to a client of HTTP/1.0.
    """
    transport = request.transport
    if request.version < (1, 1) or transport is None or transport.is_closing():
        return
    if request.writer.output_size > 0:
        return  # the final response has begun
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in fields)]
    transport.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
