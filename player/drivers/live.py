"""The live driver: real time on an event loop, bytes from a transport.

Reports bytes and times to a ``PlaybackSession``; limits, retries and everything else
are the session's. Media is decrypted, checked and thrown away unless a ``MediaSink``
wants it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Protocol

from abr.log import SessionLog
from player.drivers.transport import TransferError
from player.playback.actions import Abort, Action, Ended, Fetch, WakeAt, Want
from player.playback.decrypting import Arrival, Decrypter
from player.playback.retry import Failure
from player.playback.session import PlaybackSession

LATE_S = 0.002
"""What a request is late beyond this is told to the session: time of ours, not of the network."""

FOREVER_S = 1e9
"""Instead of infinity, where an event loop wants a time."""


class Transport(Protocol):
    """What gets bytes; ``HttpTransport`` is one."""

    async def fetch(
        self,
        want: Want,
        url: str,
        *,
        on_response: Callable[[str | None], None],
        on_piece: Callable[[int], None],
    ) -> bytes:
        """Get ``want`` from ``url``, say when it begins and how it grows; or ``TransferError``."""
        ...


class MediaSink(Protocol):
    """Where decrypted media goes, for those who want to look at it."""

    def add(self, want: Want, data: bytes) -> None:
        """One initialisation section or segment, in the clear."""
        ...


class LiveDriver:
    """Drives one session in real time until it ends.

    Args:
        session: A fresh session whose source is a URL.
        transport: Gets what the session asks for.
        sink: Takes the decrypted media.
        stop_at_s: The viewer leaves then, seconds since play was asked.
        on_start: Called at the instant play is asked; a network starts its clock here.
        on_progress: Called with the session after every input.
    """

    def __init__(
        self,
        session: PlaybackSession,
        transport: Transport,
        *,
        sink: MediaSink | None = None,
        stop_at_s: float = math.inf,
        on_start: Callable[[], None] | None = None,
        on_progress: Callable[[PlaybackSession], None] | None = None,
    ) -> None:
        self._session = session
        self._transport = transport
        self._sink = sink
        self._stop_at_s = stop_at_s
        self._on_start = on_start
        self._on_progress = on_progress
        self._decrypter = Decrypter()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._over = asyncio.Event()
        self._fault: BaseException | None = None
        self._start_s = 0.0
        self._told_s = 0.0

    def __repr__(self) -> str:
        return f"<LiveDriver of {self._session!r}, {len(self._tasks)} transfers>"

    async def run(self) -> SessionLog:
        """Play to the end and return the log. Cancelling stops the session cleanly.

        Raises:
            AlgorithmError: the algorithm breaks its contract.
            Exception: whatever the sink or ``on_progress`` raised.
        """
        loop = asyncio.get_running_loop()
        if self._on_start is not None:
            self._on_start()
        self._start_s = loop.time()
        stop = loop.call_at(self._start_s + min(self._stop_at_s, FOREVER_S), self._stop)
        try:
            self._apply(self._session.start(0.0), 0.0)
            await self._over.wait()
        finally:
            # Nothing once it has ended; cancelled, or by a fault, the log ends here.
            self._session.stop(self._now_s())
            stop.cancel()
            self._set_alarm(math.inf)
            await self._end_tasks()
        if self._fault is not None:
            raise self._fault
        return self._session.log

    def _now_s(self) -> float:
        """Seconds since play was asked, and never before what the session was told last."""
        return max(asyncio.get_running_loop().time() - self._start_s, self._told_s)

    def _stop(self) -> None:
        self._tell(self._session.stop)

    def _wake(self, due_s: float) -> None:
        self._alarm = None
        # Timers of event loops may be early, by the resolution of their clock or by rounding.
        self._told_s = max(self._told_s, due_s)
        self._tell(self._session.wake)

    def _tell(self, report: Callable[[float], tuple[Action, ...]]) -> None:
        """Pass an input to the session; a fault (of an algorithm, say) ends the run."""
        if self._over.is_set():
            return
        try:
            now_s = self._now_s()
            self._apply(report(now_s), now_s)
            if self._on_progress is not None:
                self._on_progress(self._session)
        except BaseException as exc:  # noqa: BLE001  # raised again by run(), whatever it is
            self._fail(exc)

    def _fail(self, fault: BaseException) -> None:
        self._fault = self._fault or fault
        self._over.set()

    def _apply(self, actions: tuple[Action, ...], asked_s: float) -> None:
        for action in actions:
            match action:
                case Fetch(request_id=request_id):
                    self._tasks[request_id] = asyncio.create_task(self._fetch(action, asked_s))
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
            self._alarm = loop.call_at(self._start_s + time_s, self._wake, time_s)

    async def _end_tasks(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _fetch(self, fetch: Fetch, asked_s: float) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self._now_s() > asked_s + LATE_S:
            self._tell(lambda now_s: self._session.sent(fetch.request_id, now_s))
        try:
            await self._transfer(fetch)
        except asyncio.CancelledError as exc:
            if task.cancelling():  # by an Abort, or at the end
                raise
            self._fail(exc)  # by what a transport or sink awaits or calls
        except BaseException as exc:  # noqa: BLE001  # nobody awaits this task; run() raises it
            self._fail(exc)
        finally:
            self._tasks.pop(fetch.request_id, None)

    async def _transfer(self, fetch: Fetch) -> None:
        """Get one response and report it, in the clear or as a failure."""
        session, request_id, want = self._session, fetch.request_id, fetch.want
        try:
            body = await self._transport.fetch(
                want,
                fetch.url,
                on_response=lambda url: self._tell(
                    lambda now_s: session.response_started(request_id, now_s, url=url)
                ),
                on_piece=lambda size_bytes: self._tell(
                    lambda now_s: session.received(request_id, size_bytes, now_s)
                ),
            )
        except TransferError as exc:
            self._tell_failure(request_id, exc.failure)
            return
        outcome = self._decrypter.take(Arrival(request_id, want, body))
        # Before what they waited for is here, so that they do not count as playable.
        for failed_id, failure in outcome.failures.items():
            self._tell_failure(failed_id, failure)
        if request_id not in outcome.failures:
            self._tell(lambda now_s: session.finished(request_id, now_s, body))
        if self._sink is not None:
            for each, clear in outcome.media:
                self._sink.add(each, clear)

    def _tell_failure(self, request_id: int, failure: Failure) -> None:
        self._tell(lambda now_s: self._session.failed(request_id, now_s, failure))
