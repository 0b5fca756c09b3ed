"""The state as servers ask it: from one thread, many requests to a transaction, with limits.

A thread owns the connection. All requests about sessions that wait when it is free are settled in
one transaction, so the state is asked as often as it answers, however many requests there are.
The thread opens the state when it is first needed, and again after a failure. When it waits for
longer than its limit it is interrupted; a request whose client was told so is not settled later.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from abr.errors import AbrError, InputError, StateError
from origin.gateway.sessions import Ask, LeaseRules, Outage, Result
from origin.gateway.state import State

LOGGER = logging.getLogger("abr.gateway")
T = TypeVar("T")

MOST_WAITING = 4096
"""Requests that wait for the thread; further ones are refused."""

MOST_TOGETHER = 256
"""Requests settled in one transaction."""

LIMIT_S = 0.65
"""An answer of the state that takes longer has failed."""

STOP_S = 2.0
"""When the server stops, the thread may take this long."""


@dataclass(slots=True, kw_only=True)
class _Job:
    """One request that waits: to be settled, or any other."""

    future: Future[Any] = field(repr=False)
    ask: Ask | None = None
    call: Callable[[State], Any] | None = None


class StateClient:
    """A ``State`` for coroutines."""

    def __init__(
        self,
        open_state: Callable[[], State],
        *,
        rules: LeaseRules,
        now: Callable[[], float],
        limit_s: float = LIMIT_S,
    ) -> None:
        """Nothing is opened yet.

        Args:
            open_state: Opens the state; called in the thread.
            rules: How long things last.
            now: Unix time, the same for all who share the state.
            limit_s: An answer may take this long; then the state is interrupted.
        """
        self._open, self._rules, self._now = open_state, rules, now
        self._limit_s = limit_s
        self._busy_since_s = math.inf
        self._jobs: deque[_Job] = deque()
        self._wake = threading.Condition()
        self._state: State | None = None
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._outage = Outage(rules.lease_s)
        self._trouble = ""
        self._has_answered = False

    def __repr__(self) -> str:
        state = "not opened" if self._state is None else repr(self._state)
        return f"<StateClient of {state}, {len(self._jobs)} requests wait>"

    async def ask(self, ask: Ask) -> Result:
        """Settle ``ask``.

        Raises:
            StateError: it was not settled, or nobody knows.
        """
        return cast("Result", await self._wait_for(_Job(future=Future(), ask=ask)))

    async def call(self, call: Callable[[State], T]) -> T:
        """What ``call`` gives, called in the thread with the state.

        Raises:
            StateError: the state failed.
        """
        return cast("T", await self._wait_for(_Job(future=Future(), call=call)))

    async def close(self) -> None:
        """Let go of the state; requests that wait fail."""
        with self._wake:
            self._is_closed = True
            self._wake.notify()
        thread = self._thread
        if thread is not None:
            await asyncio.to_thread(thread.join, STOP_S)
            if thread.is_alive() and self._state is not None:
                self._state.interrupt()

    async def _wait_for(self, job: _Job) -> Any:
        with self._wake:
            if self._is_closed:
                raise StateError("state: closed")
            if len(self._jobs) >= MOST_WAITING:
                raise StateError(f"state: over {MOST_WAITING} requests wait for it")
            self._jobs.append(job)
            if self._thread is None:
                # A daemon: a thread that waits for a frozen disk must not keep the process alive.
                self._thread = threading.Thread(target=self._run, name="abr-state", daemon=True)
                self._thread.start()
            self._wake.notify()
        try:
            return await asyncio.wait_for(asyncio.wrap_future(job.future), self._limit_s)
        except TimeoutError as exc:
            self._interrupt()
            raise StateError(f"state: no answer within {self._limit_s:g} s") from exc

    def _interrupt(self) -> None:
        """Have the thread go on if it is stuck; it may only have had much to do."""
        state = self._state
        if state is not None and time.monotonic() - self._busy_since_s > self._limit_s / 2:
            state.interrupt()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._jobs and not self._is_closed:
                    self._wake.wait()
                if self._is_closed:
                    break
                jobs = self._take()
            # A future that was cancelled is not begun: its client was told that it failed.
            jobs = [job for job in jobs if job.future.set_running_or_notify_cancel()]
            if jobs:
                self._serve(jobs)
        self._end()

    def _take(self) -> list[_Job]:
        """The next jobs that can be done together."""
        first = self._jobs.popleft()
        jobs = [first]
        while first.ask is not None and self._jobs and len(jobs) < MOST_TOGETHER:
            if self._jobs[0].ask is None:
                break
            jobs.append(self._jobs.popleft())
        return jobs

    def _serve(self, jobs: list[_Job]) -> None:
        self._busy_since_s = time.monotonic()
        try:
            results = self._do_or_again(jobs)
        except InputError as exc:  # an answer like any other
            self._note_success()
            _fail(jobs, exc)
        except AbrError as exc:
            self._note_failure(exc)
            _fail(jobs, exc)
        except Exception as exc:  # the thread must live on; who asked is told
            LOGGER.exception("state: failed")
            self._note_failure(StateError(f"state: {type(exc).__name__}"))
            _fail(jobs, StateError("state: failed; see the log"))
        else:
            self._note_success()
            for job, result in zip(jobs, results, strict=True):
                job.future.set_result(result)
        finally:
            self._busy_since_s = math.inf

    def _do_or_again(self, jobs: list[_Job]) -> list[Any]:
        """Do ``jobs``; again if a connection has failed at once that was well before.

        Its server was restarted, or somebody on the way has forgotten it. What was done
        and not told is harmless to do again.
        """
        was_open = self._state is not None
        try:
            return self._do(jobs)
        except StateError as exc:
            took_s = time.monotonic() - self._busy_since_s
            if not was_open or took_s > self._limit_s / 8:
                raise
            LOGGER.debug("%s; once more", exc)
            self._drop()
            return self._do(jobs)

    def _do(self, jobs: list[_Job]) -> list[Any]:
        if self._state is None:
            self._state = self._open()
        state, now_s = self._state, self._now()
        if jobs[0].call is not None:
            return [jobs[0].call(state)]
        asks = [job.ask for job in jobs if job.ask is not None]
        grace_s = self._outage.grace_s(now_s)
        return list(state.settle(asks, rules=self._rules, now_s=now_s, grace_s=grace_s))

    def _note_failure(self, exc: AbrError) -> None:
        self._outage.note_failure(self._now())
        if self._has_answered and not self._trouble:
            LOGGER.warning("%s; sessions that play go on, new ones are refused", exc)
        self._trouble = str(exc)
        self._drop()

    def _drop(self) -> None:
        state, self._state = self._state, None
        if state is not None:
            _close_quietly(state)

    def _note_success(self) -> None:
        self._outage.note_success(self._now())
        self._has_answered = True
        if self._trouble:
            LOGGER.warning("state: answers again")
        self._trouble = ""

    def _end(self) -> None:
        for job in self._jobs:
            if job.future.set_running_or_notify_cancel():
                job.future.set_exception(StateError("state: closed"))
        self._jobs.clear()
        if self._state is not None:
            _close_quietly(self._state)


def _fail(jobs: list[_Job], exc: Exception) -> None:
    for job in jobs:
        job.future.set_exception(exc)


def _close_quietly(state: State) -> None:
    try:
        state.close()
    except Exception as exc:  # noqa: BLE001  # it has failed already, and a new one will be opened
        LOGGER.debug("state: %s when closed", type(exc).__name__)
