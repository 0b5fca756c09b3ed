"""The clock of an edge: seconds since the epoch that never jump.

The wall clock is read once; after that time passes as the monotonic clock says. So a wall clock
that is set, by hand or by a time service, makes nothing fresh or stale. The wall clock itself is
for what others wrote their times into: tokens.
"""

from __future__ import annotations

import time


class Clock:
    """Seconds since the epoch at the start, and then as they pass."""

    def __init__(self) -> None:
        self._offset_s = time.time() - time.monotonic()  # noqa: TID251 -- read once, see above

    def __repr__(self) -> str:
        return f"<Clock {self.now_s():.3f}, {self.ahead_s:+.3f} s of the wall clock>"

    def __call__(self) -> float:
        """Seconds since the epoch."""
        return self.now_s()

    def now_s(self) -> float:
        """Seconds since the epoch, monotonic."""
        return self._offset_s + time.monotonic()

    @property
    def ahead_s(self) -> float:
        """How far this clock is ahead of the wall clock, which may have been set since."""
        return self.now_s() - wall_clock_s()


def monotonic_s() -> float:
    """Seconds as they pass, from an unknown start: for waits, leases and breakers."""
    return time.monotonic()


def wall_clock_s() -> float:
    """Seconds since the epoch as the machine says now: token times are compared with it."""
    return time.time()  # noqa: TID251 -- the one place where an edge reads the wall clock
