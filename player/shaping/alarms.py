"""Timers that are right to a tenth of a millisecond, many of them on one descriptor.

asyncio rounds its sleeps up to whole milliseconds, which every request over a shaped
link would pay several times. Here the kernel's timer descriptor wakes the loop; all
alarms of one instant run in one wake-up. Where there are no timer descriptors, the
loop's own timers serve, half a millisecond early so that they are right on average.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import heapq
import itertools
import math
import os
from collections.abc import Callable

_LEAD_S = 0.0001
_ROUNDED_LEAD_S = 0.0005
_TFD_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC
_CLOCK_MONOTONIC = 1
_TFD_TIMER_ABSTIME = 1


class _Spec(ctypes.Structure):
    _fields_ = [(name, ctypes.c_long) for name in ("every_s", "every_ns", "at_s", "at_ns")]


class Alarm:
    """One call to come; ``cancel`` makes it not come."""

    __slots__ = ("_callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback: Callable[[], None] | None = callback

    def __repr__(self) -> str:
        return f"<Alarm {'over' if self._callback is None else 'set'}>"

    def cancel(self) -> None:
        """Do not call."""
        self._callback = None

    def ring(self) -> None:
        """Call now, unless cancelled; once only."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


class Alarms:
    """Alarms of one event loop; ``close`` when done with them.

    Attributes:
        lead_s: How early an alarm may ring, seconds.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Use timers of ``loop``, whose clock is the system's monotonic one."""
        self._loop = loop
        self._order = itertools.count()
        self._heap: list[tuple[float, int, Alarm]] = []
        self._set_s = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._descriptor = _timer_descriptor()
        self.lead_s = _LEAD_S if self._descriptor is not None else _ROUNDED_LEAD_S
        if self._descriptor is not None:
            self._libc = ctypes.CDLL(None, use_errno=True)
            loop.add_reader(self._descriptor, self._on_timer)

    def __repr__(self) -> str:
        kind = "the loop's timers" if self._descriptor is None else "a timer of the kernel"
        return f"<Alarms {len(self._heap)} set, by {kind}>"

    def call_at(self, when_s: float, callback: Callable[[], None]) -> Alarm:
        """Call ``callback`` at ``when_s`` of the loop's clock, at once when that has passed."""
        alarm = Alarm(callback)
        heapq.heappush(self._heap, (when_s, next(self._order), alarm))
        if when_s < self._set_s:
            self._set()
        return alarm

    def close(self) -> None:
        """Forget all alarms."""
        self._heap.clear()
        if self._timer is not None:
            self._timer.cancel()
        if self._descriptor is not None:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None

    def _on_timer(self) -> None:
        if self._descriptor is None:
            return
        with contextlib.suppress(BlockingIOError):  # set anew since it went off
            os.read(self._descriptor, 8)
        self._ring_due()

    def _ring_due(self) -> None:
        self._set_s = -math.inf  # alarms that are set meanwhile do not touch the timer
        until_s = self._loop.time() + self.lead_s
        while self._heap and self._heap[0][0] <= until_s:
            heapq.heappop(self._heap)[2].ring()
        self._set()

    def _set(self) -> None:
        self._set_s = self._heap[0][0] if self._heap else math.inf
        at_s = self._set_s - self.lead_s
        if self._descriptor is None:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(at_s, self._ring_due) if self._heap else None
            return
        if self._heap:
            ns = max(int(at_s * 1e9), 1)  # 0 would switch the timer off
            spec = _Spec(0, 0, ns // 1_000_000_000, ns % 1_000_000_000)
        else:
            spec = _Spec(0, 0, 0, 0)
        self._libc.timerfd_settime(self._descriptor, _TFD_TIMER_ABSTIME, ctypes.byref(spec), None)


def _timer_descriptor() -> int | None:
    """A timer of the kernel, or None where there is no such thing."""
    try:
        descriptor: int = ctypes.CDLL(None, use_errno=True).timerfd_create(
            _CLOCK_MONOTONIC, _TFD_FLAGS
        )
    except (OSError, AttributeError):
        return None
    return descriptor if descriptor >= 0 else None
