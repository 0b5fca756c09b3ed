"""HTTP for the live driver: one client, with failures in the player's words.

Limits on time are the session's, but for a connection's; limits on size are here.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp

from player.playback.actions import Want
from player.playback.decrypting import licence_request
from player.playback.retry import Failure

CONNECT_LIMIT_S = 10.0
MOST_BODY_BYTES = 256 * 2**20
"""A larger response is refused: no segment of any ladder is this big."""
MOST_TEXT_BYTES = 16 * 2**20
"""The same for what the session itself reads."""
READ_BYTES = 2**16

_READ_BY_SESSION = frozenset({"multivariant", "media", "token"})


class TransferError(Exception):
    """A request that failed; carries what to report."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


class HttpTransport:
    """Fetches over HTTP, inside ``async with``.

    Args:
        source: URL of the playback.
        via: ``(host, port)`` of a proxy that stands in for the server of ``source``.
        connections: Most connections to one server.
    """

    def __init__(
        self, source: str, *, via: tuple[str, int] | None = None, connections: int = 6
    ) -> None:
        self._server = urlsplit(source).netloc
        self._via = via
        self._connections = connections

    def __repr__(self) -> str:
        via = "" if self._via is None else f" via {self._via[0]}:{self._via[1]}"
        return f"<HttpTransport to {self._server.rpartition('@')[2]}{via}>"

    async def __aenter__(self) -> Self:
        """Open the client."""
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=600.0),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_LIMIT_S),
            headers={"Accept-Encoding": "identity"},
            auto_decompress=False,
            read_bufsize=READ_BYTES,
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

    async def fetch(
        self,
        want: Want,
        url: str,
        *,
        on_response: Callable[[str | None], None],
        on_piece: Callable[[int], None],
    ) -> bytes:
        """Get ``want`` from ``url`` and return its body.

        Args:
            want: What it is; its byte range is asked for.
            url: Where it is now.
            on_response: Called when a good response begins, with its URL if redirects led there.
            on_piece: Called with the size of every piece of the body.

        Raises:
            TransferError: it failed.
        """
        try:
            return await self._fetch(want, url, on_response, on_piece)
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            raise TransferError(_as_failure(exc)) from exc

    async def _fetch(
        self,
        want: Want,
        url: str,
        on_response: Callable[[str | None], None],
        on_piece: Callable[[int], None],
    ) -> bytes:
        url, headers, server_name = self._routed(url)
        if want.byte_range is not None:
            start, length = want.byte_range
            headers["Range"] = f"bytes={start}-{start + length - 1}"
        method, data = "GET", None
        if want.kind == "licence":
            method, data = "POST", licence_request(want.kid)
            headers["Content-Type"] = "application/json"
        async with self._http.request(
            method, url, headers=headers, data=data, server_hostname=server_name
        ) as response:
            _check(response, want)
            on_response(self._unrouted(str(response.url)) if response.history else None)
            body = bytearray()
            most = MOST_TEXT_BYTES if want.kind in _READ_BY_SESSION else MOST_BODY_BYTES
            async for piece in response.content.iter_any():
                body += piece
                if len(body) > most:
                    raise TransferError(Failure("content", message=f"more than {most} bytes"))
                on_piece(len(piece))
            return bytes(body)

    def _routed(self, url: str) -> tuple[str, dict[str, str], str | None]:
        """URL, headers and TLS name for a request, past the proxy when there is one."""
        parts = urlsplit(url)
        if self._via is None or parts.netloc != self._server:
            return url, {}, None
        host, port = self._via
        routed = parts._replace(netloc=f"{host}:{port}").geturl()
        name = parts.hostname if parts.scheme == "https" else None
        return routed, {"Host": parts.netloc}, name

    def _unrouted(self, url: str) -> str:
        """A URL the proxy answered for, as the server it stands for would be named."""
        parts = urlsplit(url)
        is_proxy = self._via is not None and parts.netloc == f"{self._via[0]}:{self._via[1]}"
        return parts._replace(netloc=self._server).geturl() if is_proxy else url


def _check(response: aiohttp.ClientResponse, want: Want) -> None:
    if response.status not in (200, 206):
        reason = response.headers.get("Abr-Refusal", "")[:40]
        raise TransferError(Failure("status", response.status, reason=reason))
    # RFC 9110, 14.2: a server may ignore Range and answer 200 with the whole file.
    if want.byte_range is not None and response.status != 206:
        message = "the server ignored a byte range"
        raise TransferError(Failure("content", response.status, message=message))


def _as_failure(exc: Exception) -> Failure:
    """A transport exception in our words; never the URL, which may hold a token."""
    if isinstance(exc, aiohttp.ClientPayloadError):
        return Failure("truncated", message="the connection broke off in the body")
    if isinstance(exc, TimeoutError):
        return Failure("timeout", message=f"no connection within {CONNECT_LIMIT_S:g} s")
    if isinstance(exc, aiohttp.ClientConnectorError):
        return Failure("connect", message=f"cannot connect: {exc.os_error.strerror or 'refused'}")
    if isinstance(exc, aiohttp.InvalidURL):
        return Failure("content", message="not a usable URL")
    return Failure("connect", message=f"the connection failed ({type(exc).__name__})")
