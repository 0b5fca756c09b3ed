"""Files of an inspected package over HTTP, every wait and size limited.

No query, token or user name of a URL gets into a name that is shown, nor an address into an error.
"""

from __future__ import annotations

import asyncio
import zlib
from types import TracebackType
from typing import Self
from urllib.parse import urljoin, urlsplit

import aiohttp

from transcode.inspection.facts import Delivery
from transcode.playlist.model import ByteRange
from transcode.run.sources import Answer, UnreadableError

MOST_REDIRECTS = 5
CONNECT_LIMIT_S = 10.0
REQUEST_LIMIT_S = 120.0
_AT_ONCE = 4
_PIECE_BYTES = 2**16
_ANY_HEADER = 47
"""``wbits`` of zlib: a header of gzip or of zlib."""


class HttpSource:
    """Files over HTTP, inside ``async with``."""

    is_stored = False

    def __init__(self, url: str) -> None:
        self.start = url
        self._places = asyncio.Semaphore(_AT_ONCE)

    def __repr__(self) -> str:
        return f"<HttpSource of {urlsplit(self.start).hostname}>"

    async def __aenter__(self) -> Self:
        """Open the client."""
        self._http = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=REQUEST_LIMIT_S, sock_connect=CONNECT_LIMIT_S),
            headers={"Accept-Encoding": "gzip, identity"},
            read_bufsize=_PIECE_BYTES,
            auto_decompress=False,  # which takes a stream that breaks off for a whole one
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every connection."""
        await self._http.close()

    def resolve(self, base: str, uri: str) -> str:
        """See ``Source``."""
        try:
            url = urljoin(base, uri)
            parts = urlsplit(url)
            port_is_right = parts.port is None or parts.port > 0
        except ValueError as exc:
            raise UnreadableError("an address that cannot be resolved") from exc
        if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_right:
            raise UnreadableError(
                f"an address of scheme {parts.scheme[:12] or 'none'}; expected http or https"
            )
        return url

    def name(self, address: str) -> str:
        """See ``Source``."""
        own, start = urlsplit(address), urlsplit(self.start)
        folder = start.path.rpartition("/")[0] + "/"
        if own.netloc == start.netloc and own.path.startswith(folder):
            return own.path.removeprefix(folder) or "playlist"
        last = own.path.rpartition("/")[2] or "playlist"
        return last if own.hostname == start.hostname else f"{own.hostname}/…/{last}"

    def size(self, address: str) -> int | None:
        """See ``Source``."""
        del address
        return None

    async def read(self, address: str, part: ByteRange | None, most_bytes: int) -> Answer:
        """See ``Source``."""
        async with self._places:
            try:
                return await self._read(address, part, most_bytes)
            except (aiohttp.ClientError, OSError, ValueError) as exc:
                raise UnreadableError(_in_words(exc)) from exc

    async def _read(self, address: str, part: ByteRange | None, most_bytes: int) -> Answer:
        headers = {}
        if part is not None:
            headers["Range"] = f"bytes={part.offset}-{part.offset + part.length - 1}"
            headers["Accept-Encoding"] = "identity"
        async with self._http.get(
            address, headers=headers, max_redirects=MOST_REDIRECTS
        ) as response:
            if response.status not in (200, 206):
                raise UnreadableError(f"status {response.status}")
            if part is not None and response.status != 206:
                raise UnreadableError("the server ignored a byte range")
            encoding = response.headers.get("Content-Encoding", "").strip().lower()
            plain = _Plain(encoding)
            body = bytearray()
            async for piece in response.content.iter_chunked(_PIECE_BYTES):
                body += plain.take(piece, most_bytes - len(body) + 1)
                if len(body) > most_bytes:
                    raise UnreadableError(f"over {most_bytes:,} bytes; expected less")
            plain.end()
            if part is not None and len(body) != part.length:
                raise UnreadableError(
                    f"{len(body):,} bytes of a range of {part.length:,}; the file is shorter"
                )
            return Answer(
                data=bytes(body),
                address=str(response.url),
                delivery=Delivery(
                    content_type=_type(response.headers.get("Content-Type", "")),
                    encoding=encoding,
                    was_redirected=bool(response.history),
                ),
            )


class _Plain:
    """A body as it arrives, its content encoding undone."""

    def __init__(self, encoding: str) -> None:
        if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise UnreadableError(f"encoded with {encoding[:12]}; gzip was offered")
        self._stream = None if encoding in ("", "identity") else zlib.decompressobj(_ANY_HEADER)

    def __repr__(self) -> str:
        return f"<_Plain {'as it is' if self._stream is None else 'decompressed'}>"

    def take(self, piece: bytes, most_bytes: int) -> bytes:
        """What a piece of the body stands for, at most so many bytes of it."""
        if self._stream is None:
            return piece
        try:
            found = self._stream.decompress(piece, most_bytes)
            while self._stream.eof and self._stream.unused_data and len(found) < most_bytes:
                rest = self._stream.unused_data
                self._stream = zlib.decompressobj(_ANY_HEADER)
                found += self._stream.decompress(rest, most_bytes - len(found))
        except zlib.error as exc:
            raise UnreadableError("its compression is damaged") from exc
        return found

    def end(self) -> None:
        """The body is over."""
        if self._stream is not None and not self._stream.eof:
            raise UnreadableError("its compression breaks off; the server has only a part of it")


def _type(header: str) -> str:
    """A content type without its parameters."""
    return header.partition(";")[0].strip().lower()


def _in_words(exc: Exception) -> str:
    """An exception of the client without its address, which may hold a token."""
    if isinstance(exc, TimeoutError):
        return f"no answer within {REQUEST_LIMIT_S:g} s"
    if isinstance(exc, aiohttp.TooManyRedirects):
        return f"over {MOST_REDIRECTS} redirects"
    if isinstance(exc, aiohttp.ClientPayloadError):
        return "the connection broke off in the body"
    if isinstance(exc, aiohttp.ClientConnectorError):
        return f"cannot connect: {exc.os_error.strerror or 'refused'}"
    if isinstance(exc, aiohttp.NonHttpUrlClientError):
        return "redirected to an address that is neither http nor https"
    if isinstance(exc, aiohttp.InvalidURL):
        return "not a usable URL"
    return f"the connection failed ({type(exc).__name__})"
