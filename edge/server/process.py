"""An edge as a process: what it does on a signal.

SIGHUP reads the settings again; SIGTERM lets responses under way end and stops accepting.
Neither is ever the reason why a request fails.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from abr.errors import AbrError
from abr.shell import note, one_line
from edge.config import EdgeConfig
from edge.operations.figures import ProcessFigures
from edge.operations.reloading import plan_reload
from edge.server.app import Edge
from origin.server.door import Door
from origin.server.tls import renew_certificate

LOG = logging.getLogger("abr.edge")

LAG_STEP_S = 0.25
"""How often it is looked whether the event loop is late."""


class EdgeProcess:
    """Signals of one edge's process, while the context is open.

    Args:
        edge: The running edge.
        door: Its connections.
        read: Reads the settings anew, from the same places as at the start; raises ``AbrError``.
        tls: What encrypts connections, if anything does; its certificate is read anew as well.
    """

    def __init__(
        self,
        edge: Edge,
        door: Door,
        *,
        read: Callable[[], EdgeConfig],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._edge = edge
        self._door = door
        self._read = read
        self._tls = tls
        self._terminated = asyncio.Event()
        self._hurried = asyncio.Event()
        self._reloading: asyncio.Task[None] | None = None
        self._lag: asyncio.Task[None] | None = None
        self._reloads = 0

    def __repr__(self) -> str:
        state = "is ending" if self._terminated.is_set() else "runs"
        return f"<EdgeProcess of {self._edge!r}: {state}>"

    def __enter__(self) -> Self:
        self._edge.reports.reconfigure(self._edge.config)
        self._write_down()
        self._edge.watch(self._figures)
        self._edge.door = self._door
        self._lag = asyncio.create_task(self._measure_lag())
        loop = asyncio.get_running_loop()
        with suppress(RuntimeError, ValueError):  # not the main thread: no signals come here
            loop.add_signal_handler(signal.SIGHUP, self._hang_up)
            loop.add_signal_handler(signal.SIGTERM, self._terminate)
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._reloading is not None:
            self._reloading.cancel()

    def follow(self, alive: int, beat: Callable[[], object], *, every_s: float) -> None:
        """Show the supervisor that this process works, and end when the supervisor is gone.

        Args:
            alive: Descriptor that reads as ended then.
            beat: What shows it.
            every_s: How often.
        """
        loop = asyncio.get_running_loop()
        loop.add_reader(alive, self._orphaned, alive)

        def beat_on() -> None:
            with suppress(OSError):
                beat()
            loop.call_later(every_s, beat_on)

        beat_on()

    def _write_down(self) -> None:
        """Have requests written down, if that is wanted."""
        is_wanted = self._edge.reports.is_wanted or self._edge.config.prefetch
        self._door.on_answered = self._edge.note if is_wanted else None

    async def wait(self) -> None:
        """Wait until the process is asked to end, and then until its clients have left."""
        await self._terminated.wait()
        self._edge.drain()
        drained = asyncio.create_task(self._door.drain(limit_s=self._door.limits.drain_s))
        hurried = asyncio.create_task(self._hurried.wait())
        await asyncio.wait((drained, hurried), return_when=asyncio.FIRST_COMPLETED)
        for task in (drained, hurried):
            task.cancel()
        await asyncio.gather(drained, hurried, return_exceptions=True)

    def hand_over(self) -> socket.socket | None:
        """Let go of the cache folder and of the socket, which is returned, and end in peace."""
        sock = self._door.give_away()
        if sock is not None:
            self._edge.let_go()
            note("another edge has taken over; this one ends when its clients have left")
            self._terminate()
        return sock

    async def reload(self) -> None:
        """Use the settings as they are now; bad ones are logged, and the old ones stay."""
        try:
            plan = plan_reload(self._edge.config, self._read())
            if self._tls is not None:
                renew_certificate(self._tls, plan.config.tls_cert, plan.config.tls_key)
            await self._edge.reconfigure(plan.config)
        except AbrError as exc:
            # One line is enough: it names the place and what was expected there.
            LOG.error("settings not reloaded, the old ones stay: %s", one_line(exc))  # noqa: TRY400
            return
        self._door.limits = plan.config.server_limits
        self._write_down()
        self._reloads += 1
        note(plan.describe())
        await self._edge.refresh_keys()

    async def _measure_lag(self) -> None:
        """Keep how late the loop was lately: the worst of some seconds, fading."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + LAG_STEP_S
            await asyncio.sleep(LAG_STEP_S)
            self._edge.lag_s = max(self._edge.lag_s * 0.9, loop.time() - due_s)

    def _figures(self) -> ProcessFigures:
        prefetches, reports = self._edge.prefetcher.counts, self._edge.reports
        return ProcessFigures(
            waits=self._door.waits.cumulated(),
            waits_s=self._door.waits.sum_s,
            gauges={
                "connections": self._door.inside,
                "loop_lag_seconds": self._edge.lag_s,
                "resident_bytes": resident_bytes(),
                "descriptors": open_descriptors(),
                "draining": float(self._door.is_draining),
            },
            counters={
                "connections_accepted": self._door.accepted,
                "connections_refused": self._door.refused,
                "reloads": self._reloads,
                "log_lines_dropped": reports.dropped,
                "reports_refused": reports.refused,
                "prefetches": prefetches.started,
                "prefetches_useful": prefetches.useful,
                "prefetches_shed": prefetches.shed,
            },
        )

    def _hang_up(self) -> None:
        # One at a time: the latest settings count, so a reload under way is overtaken.
        if self._reloading is not None:
            self._reloading.cancel()
        self._reloading = asyncio.create_task(self.reload())

    def _orphaned(self, alive: int) -> None:
        asyncio.get_running_loop().remove_reader(alive)
        self._terminated.set()

    def _terminate(self) -> None:
        if self._terminated.is_set():
            self._hurried.set()  # asked twice: what is under way is cut off
        self._terminated.set()


def resident_bytes() -> int:
    """Memory that this process has in use; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def open_descriptors() -> int:
    """Descriptors that this process has open; 0 where the system does not tell."""
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return 0
