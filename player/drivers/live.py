"""The live driver: real HTTP on an event loop.

Reports bytes and times to a ``PlaybackSession`` and opens what was sealed; limits,
retries and everything else are the session's. Media is checked and thrown away unless
a ``MediaSink`` wants it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Protocol
from urllib.parse import urlsplit

import aiohttp

from abr.errors import MediaError
from abr.log import SessionLog
from player.actions import Abort, Action, Ended, Fetch, KeyUse, WakeAt, Want
from player.retry import Failure
from player.session import PlaybackSession
from transcode.encryption import decrypt

CONNECT_LIMIT_S = 10.0
MOST_BODY_BYTES = 256 * 2**20
"""A larger response is refused: no segment of any ladder is this big."""
MOST_TEXT_BYTES = 16 * 2**20
READ_BYTES = 2**16

_READ = frozenset({"multivariant", "media", "token"})
"""Kinds whose bodies the session itself reads."""


class MediaSink(Protocol):
    """Where opened media goes, for those who want to look at it."""

    def add(self, want: Want, data: bytes) -> None:
        """One initialisation section or segment, in the clear."""
        ...


class LiveDriver:
    """Drives one session over HTTP until it ends.

    Args:
        session: A fresh session whose source is an HTTP URL.
        via: ``(host, port)`` of a proxy that stands in for the server of the source's URL.
        sink: Takes the opened media.
        stop_at_s: The viewer leaves then, seconds since play was asked.
        on_start: Called at the instant play is asked; a network starts its clock here.
        on_progress: Called with the session after every input.
    """

    def __init__(
        self,
        session: PlaybackSession,
        *,
        source: str,
        via: tuple[str, int] | None = None,
        sink: MediaSink | None = None,
        stop_at_s: float = math.inf,
        on_start: Callable[[], None] | None = None,
        on_progress: Callable[[PlaybackSession], None] | None = None,
    ) -> None:
        self._session = session
        self._server = urlsplit(source).netloc
        self._via = via
        self._sink = sink
        self._stop_at_s = stop_at_s
        self._on_start = on_start
        self._on_progress = on_progress
        self._keys: dict[str, bytes] = {}
        self._sealed: list[tuple[int, Want, bytes]] = []
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._over = asyncio.Event()
        self._fault: BaseException | None = None
        self._start_s = 0.0

    async def run(self) -> SessionLog:
        """Play to the end and return the log. Cancelling stops the session cleanly."""
        loop = asyncio.get_running_loop()
        connector = aiohttp.TCPConnector(
            limit=self._session.config.connections, keepalive_timeout=600.0
        )
        limits = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_LIMIT_S)
        async with aiohttp.ClientSession(
            connector=connector,
            timeout=limits,
            headers={"Accept-Encoding": "identity"},
            auto_decompress=False,
            read_bufsize=READ_BYTES,
        ) as self._http:
            if self._on_start is not None:
                self._on_start()
            self._start_s = loop.time()
            stop = loop.call_at(self._start_s + min(self._stop_at_s, 1e9), self._stop)
            try:
                self._apply(self._session.start(0.0))
                await self._over.wait()
            except asyncio.CancelledError:
                self._session.stop(self._now_s())
                raise
            finally:
                stop.cancel()
                self._set_alarm(math.inf)
                await self._end_tasks()
        if self._fault is not None:
            raise self._fault
        return self._session.log

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time() - self._start_s

    def _stop(self) -> None:
        self._tell(lambda: self._session.stop(self._now_s()))

    def _tell(self, report: Callable[[], tuple[Action, ...]]) -> None:
        """Pass an input to the session; a fault (of an algorithm, say) ends the run."""
        if self._over.is_set():
            return
        try:
            self._apply(report())
        except Exception as exc:  # noqa: BLE001  # raised again by run()
            self._fault = exc
            self._over.set()
            return
        if self._on_progress is not None:
            self._on_progress(self._session)

    def _apply(self, actions: tuple[Action, ...]) -> None:
        for action in actions:
            match action:
                case Fetch(request_id=request_id):
                    self._tasks[request_id] = asyncio.create_task(self._fetch(action))
                case Abort(request_id=request_id):
                    task = self._tasks.pop(request_id, None)
                    if task is not None and task is not asyncio.current_task():
                        task.cancel()
                case WakeAt(time_s=time_s):
                    self._set_alarm(time_s)
                case Ended():
                    self._over.set()

    def _set_alarm(self, time_s: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if math.isfinite(time_s):
            loop = asyncio.get_running_loop()
            self._alarm = loop.call_at(self._start_s + time_s, self._wake)

    def _wake(self) -> None:
        self._alarm = None
        self._tell(lambda: self._session.wake(self._now_s()))

    async def _end_tasks(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- one request -----------------------------------------------------------

    async def _fetch(self, fetch: Fetch) -> None:
        request_id, want = fetch.request_id, fetch.want
        try:
            body = await self._transfer(fetch)
        except _RefusedError as exc:
            failure = exc.failure
            self._tell(lambda: self._session.failed(request_id, self._now_s(), failure))
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            failure = _as_failure(exc)
            self._tell(lambda: self._session.failed(request_id, self._now_s(), failure))
        else:
            if want.kind == "key":
                self._keys[want.url] = body
            self._tell(lambda: self._session.finished(request_id, self._now_s(), body))
            self._open(request_id, want, body)
        finally:
            self._tasks.pop(request_id, None)

    async def _transfer(self, fetch: Fetch) -> bytes:
        request_id, want = fetch.request_id, fetch.want
        url, headers, server_name = self._routed(fetch.url)
        if want.byte_range is not None:
            start, length = want.byte_range
            headers["Range"] = f"bytes={start}-{start + length - 1}"
        async with self._http.get(url, headers=headers, server_hostname=server_name) as response:
            final_url = self._unrouted(str(response.url)) if response.history else None
            if response.status not in (200, 206):
                raise _RefusedError(_refusal(response))
            if want.byte_range is not None and response.status != 206:
                raise _RefusedError(
                    Failure("content", response.status, message="the server ignored a byte range")
                )
            self._tell(
                lambda: self._session.response_started(request_id, self._now_s(), url=final_url)
            )
            body = bytearray()
            most = MOST_TEXT_BYTES if want.kind in _READ else MOST_BODY_BYTES
            async for piece in response.content.iter_any():
                body += piece
                if len(body) > most:
                    raise _RefusedError(Failure("content", message=f"more than {most} bytes"))
                size = len(piece)
                self._tell(lambda n=size: self._session.received(request_id, n, self._now_s()))  # type: ignore[misc]  # lambda default
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

    # --- opening media -----------------------------------------------------------

    def _open(self, request_id: int, want: Want, body: bytes) -> None:
        """Open what has arrived, as soon as its key is here."""
        if want.kind in ("init", "segment"):
            self._sealed.append((request_id, want, body))
        waiting, self._sealed = self._sealed, []
        for item in waiting:
            each_id, each, data = item
            if each.key is not None and each.key.url not in self._keys:
                self._sealed.append(item)
                continue
            try:
                clear = data if each.key is None else self._opened(data, each.key)
            except (MediaError, ValueError) as exc:
                failure = Failure("content", message=f"{each.kind} {each.segment}: {exc}")
                self._tell(
                    lambda i=each_id, f=failure: self._session.failed(i, self._now_s(), f)  # type: ignore[misc]  # lambda defaults
                )
                return
            if self._sink is not None:
                self._sink.add(each, clear)

    def _opened(self, data: bytes, use: KeyUse) -> bytes:
        return decrypt(data, self._keys[use.url], use.iv)


class _RefusedError(Exception):
    """A response that is no use; carries the failure to report."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.kind)
        self.failure = failure


def _refusal(response: aiohttp.ClientResponse) -> Failure:
    reason = response.headers.get("Abr-Refusal", "")[:40]
    return Failure("status", response.status, reason=reason)


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
