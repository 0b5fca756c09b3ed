"""The HTTP client of an edge, for the one server it asks: its parent.

Connections go to the parent's address only, redirects are not followed, and every wait has a
limit. Nothing of aiohttp leaves this module: failures are raised as ``UpstreamError`` or
``UpstreamTimeoutError``, without the token.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from abr.errors import UpstreamError, UpstreamTimeoutError
from edge.config import EdgeConfig
from origin.tokens import redact

PIECE_BYTES = 256 << 10
"""Read buffer per connection to the parent."""

MAX_KEY_SET_BYTES = 64 << 10
"""A longer key set is refused."""


@dataclass(slots=True)
class UpstreamResponse:
    """The head of the parent's response; ``pieces`` gives the body."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    length_bytes: int | None
    """``Content-Length``; None when there is none."""
    asked_s: float
    """When it was asked for, seconds since the epoch."""
    arrived_s: float
    """When the head arrived."""
    _response: aiohttp.ClientResponse = field(repr=False)
    _where: str = ""

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it arrives.

        Raises:
            UpstreamError: it broke off.
            UpstreamTimeoutError: nothing arrived within the idle limit.
        """
        with _wrap_errors(self._where):
            async for piece in self._response.content.iter_any():
                yield piece


class Upstream:
    """Client to one parent; ``open`` before use, ``close`` after."""

    def __init__(self, config: EdgeConfig, *, now: Callable[[], float]) -> None:
        parts = urlsplit(config.parent)
        self.base = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        self._config = config
        self._now = now
        self._origin = URL(self.base).origin()
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        state = "closed" if self._session is None else "open"
        return f"<Upstream {self.base}, {state}>"

    async def open(self) -> None:
        """Prepare to connect."""
        config = self._config
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=config.upstream_connections),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=config.connect_limit_s, sock_read=config.idle_limit_s
            ),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=PIECE_BYTES,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            # A proxy from the environment would be another server.
            trust_env=False,
        )

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    @asynccontextmanager
    async def ask(
        self,
        method: str,
        target: str,
        *,
        headers: list[tuple[str, str]],
        body: bytes | None = None,
    ) -> AsyncIterator[UpstreamResponse]:
        """One request to the parent.

        Args:
            method: Request method.
            target: Path and query as they are to be sent, starting with ``/``.
            headers: Header fields to send.
            body: Request body, whole.

        Raises:
            UpstreamError: it could not be reached or broke off.
            UpstreamTimeoutError: no head came within the limits.
        """
        assert self._session is not None, "open() the upstream first"
        where = redact(self.base + target)
        url = URL(self.base + target, encoded=True)
        if not target.startswith("/") or url.origin() != self._origin:
            raise UpstreamError(f"{where}: not at the parent {self.base}; no other server is asked")
        asked_s = self._now()
        with _wrap_errors(where):
            async with asyncio.timeout(self._config.first_byte_limit_s):
                response = await self._session.request(
                    method, url, headers=headers, data=body, allow_redirects=False
                )
        async with response:
            yield UpstreamResponse(
                status=response.status,
                reason=response.reason or "",
                headers=list(response.headers.items()),
                length_bytes=response.content_length,
                asked_s=asked_s,
                arrived_s=self._now(),
                _response=response,
                _where=where,
            )

    async def key_set(self) -> dict[str, Any]:
        """The parent's public keys.

        Raises:
            UpstreamError: they could not be fetched.
            UpstreamTimeoutError: not within the limits.
        """
        target = "/.well-known/jwks.json"
        where = self.base + target
        async with self.ask("GET", target, headers=[("Accept-Encoding", "identity")]) as answer:
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
        return found

    async def is_reachable(self) -> bool:
        """Whether the parent accepts a connection within the limit."""
        port = self._origin.port
        assert self._origin.host is not None
        try:
            async with asyncio.timeout(self._config.connect_limit_s):
                _, writer = await asyncio.open_connection(self._origin.host, port)
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True


def wall_clock_s() -> float:
    """Seconds since the epoch: ages and token times outlive the process."""
    return time.time()  # noqa: TID251 -- the one place where an edge reads the wall clock


@contextmanager
def _wrap_errors(where: str) -> Iterator[None]:
    """Turn what aiohttp raises into our errors."""
    try:
        yield
    except TimeoutError as exc:
        raise UpstreamTimeoutError(
            f"{where}: no answer within the limit; check the parent or raise the edge's limits"
        ) from exc
    except (aiohttp.ClientError, OSError) as exc:
        raise UpstreamError(f"{where}: {redact(str(exc)) or type(exc).__name__}") from exc
    except ValueError as exc:  # aiohttp and yarl on impossible addresses and fields
        raise UpstreamError(f"{where}: cannot be asked for") from exc
