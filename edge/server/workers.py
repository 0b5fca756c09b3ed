"""N processes for one edge: a supervisor that starts, replaces and ends them.

The supervisor binds one listening socket for each worker to the same port (SO_REUSEPORT: the
kernel spreads connections over them) and keeps them open, so connections that come while a worker
is being replaced wait for the new one. It holds the lock of the cache folder for all. Workers are
forked from it, so a new one is there within milliseconds; therefore it runs no event loop and no
thread.

Signals go to the workers: SIGHUP reloads them, SIGTERM and SIGINT end them and then the
supervisor. A worker that ends by itself is replaced, at growing intervals when it does so soon.
When the supervisor is killed, its workers see a pipe close and end.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from abr.errors import AbrError, ToolFailedError
from abr.shell import note
from edge.server.sharing import Worker

SOON_S = 5.0
"""A worker that lived for less is replaced at growing intervals."""

LONGEST_BACKOFF_S = 10.0
END_S = 5.0
"""Workers that need so much longer than their drain limit to end are killed."""

BEAT_S = 1.0
"""How often a worker shows that it works."""

FROZEN_S = 20.0
"""A worker that has not shown it for so long is killed, and replaced."""

READY_S = 30.0
"""Most seconds from the start of a worker until it listens."""

_SIGNALS = frozenset({signal.SIGCHLD, signal.SIGHUP, signal.SIGINT, signal.SIGTERM})
_ENDING = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a worker is given; it runs in a process of its own."""

    worker: Worker
    listener: socket.socket
    """Bound, not yet listening."""
    alive: int
    """Descriptor that reads as ended when the supervisor is gone."""
    beat: Callable[[], object]
    """To be called when it listens, and every ``BEAT_S`` from then on."""


@dataclass(slots=True)
class _Slot:
    listener: socket.socket
    pid: int = 0
    began_s: float = 0.0
    beat_s: float | None = None
    """When it last showed that it works; None until it listens."""
    again_s: float | None = None
    """When to start the next one; None: one runs."""
    backoff_s: float = 0.0


class Supervisor:
    """Runs ``count`` workers until it is told to end.

    Args:
        run: What a worker does; returns its exit code.
        listeners: One bound socket for each worker; closed at the end.
        on_death: Told the process id of each worker that ended, to tidy up after it.
        drain_s: Most seconds that a worker takes to end.
    """

    def __init__(
        self,
        run: Callable[[Start], int],
        listeners: list[socket.socket],
        *,
        on_death: Callable[[int], None],
        drain_s: Callable[[], float],
    ) -> None:
        self._run, self._on_death, self._drain_s = run, on_death, drain_s
        self._slots = [_Slot(listener) for listener in listeners]
        self._folder = Path(tempfile.mkdtemp(prefix="abr-edge-"))  # mode 0700
        self._loop_id = secrets.token_hex(8)
        self._alive, self._alive_end = os.pipe()
        self._ready, self._ready_end = os.pipe()
        os.set_blocking(self._ready, False)
        self._ending = 0  # the signal that ends it

    def __repr__(self) -> str:
        alive = sum(slot.pid > 0 for slot in self._slots)
        return f"<Supervisor of {alive} of {len(self._slots)} workers>"

    def serve(self, on_ready: Callable[[], object]) -> int:
        """Run the workers; returns the signal that ended them.

        Args:
            on_ready: Called when all workers listen.

        Raises:
            ToolFailedError: a worker could not start; it has said why.
        """
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            for number in range(len(self._slots)):
                self._start(number)
            if self._wait_until_ready():
                on_ready()
            while not self._ending:
                self._step(min(BEAT_S, self._replace_due()))
                self._hear()
            return self._ending
        finally:
            self._end()
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _start(self, number: int) -> None:
        slot = self._slots[number]
        slot.again_s, slot.began_s, slot.beat_s = None, time.monotonic(), None
        pid = os.fork()
        if pid:
            slot.pid = pid
            return
        code = 1
        try:
            code = self._be_worker(number)
        except AbrError as exc:
            note(f"worker {number}: {exc}")
        except KeyboardInterrupt:
            code = 130
        finally:
            os._exit(code)  # nothing of the supervisor's is undone here

    def _be_worker(self, number: int) -> int:
        for name in _SIGNALS:
            signal.signal(name, signal.default_int_handler if name == signal.SIGINT else 0)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        os.close(self._alive_end)
        for other, slot in enumerate(self._slots):
            if other != number:
                slot.listener.close()
        worker = Worker(
            number=number, count=len(self._slots), folder=self._folder, loop_id=self._loop_id
        )
        for path in (worker.questions(number), worker.requests(number)):
            Path(path).unlink(missing_ok=True)
        return self._run(
            Start(
                worker=worker,
                listener=self._slots[number].listener,
                alive=self._alive,
                beat=lambda: os.write(self._ready_end, bytes([number])),
            )
        )

    def _wait_until_ready(self) -> bool:
        """Wait until all workers listen; False when it is told to end meanwhile."""
        until_s = time.monotonic() + READY_S
        while not self._ending and any(slot.beat_s is None for slot in self._slots):
            self._step(0.02)
            self._hear()
            if any(not slot.pid for slot in self._slots) or time.monotonic() > until_s:
                raise ToolFailedError("a worker did not start; what it says is above")
        return not self._ending

    def _hear(self) -> None:
        """Note which workers have shown that they work; kill those that have not for long."""
        now_s = time.monotonic()
        with suppress(BlockingIOError):
            for number in os.read(self._ready, 1 << 16):
                self._slots[number].beat_s = now_s
        for number, slot in enumerate(self._slots):
            if slot.pid and now_s - (slot.beat_s or slot.began_s + READY_S) > FROZEN_S:
                note(f"worker {number} has not moved for {FROZEN_S:g} s and is killed")
                os.kill(slot.pid, signal.SIGKILL)
                slot.beat_s = now_s

    def _step(self, wait_s: float) -> None:
        """Deal with one signal, or none if none comes in time."""
        found = signal.sigtimedwait(_SIGNALS, wait_s)
        if found is None:
            return
        if found.si_signo == signal.SIGCHLD:
            self._bury()
        elif found.si_signo in _ENDING:
            self._ending = found.si_signo
        else:
            self._send(found.si_signo)

    def _bury(self) -> None:
        """Note the workers that have ended, and when each is replaced."""
        for number, slot in enumerate(self._slots):
            if not slot.pid:
                continue
            pid, status = os.waitpid(slot.pid, os.WNOHANG)
            if not pid:
                continue
            now_s = time.monotonic()
            is_soon = now_s - slot.began_s < SOON_S
            slot.backoff_s = min(max(0.1, 2 * slot.backoff_s), LONGEST_BACKOFF_S) if is_soon else 0
            slot.pid, slot.again_s = 0, now_s + slot.backoff_s
            if not self._ending:
                note(f"worker {number} {_how(status)}; another one takes its place")
            self._on_death(pid)

    def _replace_due(self) -> float:
        """Start the workers whose time has come; returns the seconds until the next."""
        now_s = time.monotonic()
        for number, slot in enumerate(self._slots):
            if slot.again_s is not None and slot.again_s <= now_s:
                self._start(number)
        waiting = [slot.again_s - now_s for slot in self._slots if slot.again_s is not None]
        return max(0.0, min(waiting, default=60.0))

    def _send(self, number: int) -> None:
        for slot in self._slots:
            if slot.pid:
                with suppress(ProcessLookupError):
                    os.kill(slot.pid, number)

    def _end(self) -> None:
        """End all workers, in peace if they can."""
        self._ending = self._ending or signal.SIGTERM
        self._send(self._ending)
        until_s = time.monotonic() + self._drain_s() + END_S
        while any(slot.pid for slot in self._slots):
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                self._send(signal.SIGKILL)
                left_s = 1.0
            found = signal.sigtimedwait(_SIGNALS, left_s)
            if found is not None and found.si_signo in _ENDING:
                self._send(found.si_signo)  # told twice: workers cut off what is under way
            self._bury()
        for slot in self._slots:
            slot.listener.close()
        for descriptor in (self._alive, self._alive_end, self._ready, self._ready_end):
            os.close(descriptor)
        shutil.rmtree(self._folder, ignore_errors=True)


def _how(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
