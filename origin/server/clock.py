"""The clock of a server: seconds since the epoch that never jump.

The wall clock is read once; after that time passes as the monotonic clock says. So a wall clock
that is set, by hand or by a time service, makes nothing fresh or stale, and ends no token early
or late. Caches compare this clock with that of their parent (``edge.skew``), and so in the end
with that of the origin, which issues the tokens.
"""

from __future__ import annotations

import time
from collections.abc import Callable


def _passed_s() -> float:
    # Where there is such a clock, one that does not stop while the machine is suspended.
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _wall_s() -> float:
    return time.time()  # noqa: TID251 -- the one place where a server reads the wall clock


class Clock:
    """Seconds since the epoch at the start, and then as they pass."""

    def __init__(
        self, wall: Callable[[], float] = _wall_s, passed: Callable[[], float] = _passed_s
    ) -> None:
        """Read the wall clock.

        Args:
            wall: Seconds since the epoch, as the machine says at the time.
            passed: Seconds since any fixed instant.
        """
        self._wall, self._passed = wall, passed
        self._offset_s = wall() - passed()

    def __repr__(self) -> str:
        return f"<Clock {self.now_s():.3f}, {self.ahead_s:+.3f} s of the wall clock>"

    def __call__(self) -> float:
        """Seconds since the epoch."""
        return self.now_s()

    def now_s(self) -> float:
        """Seconds since the epoch, monotonic."""
        return self._offset_s + self._passed()

    @property
    def ahead_s(self) -> float:
        """How far this clock is ahead of the wall clock, which may have been set since."""
        return self.now_s() - self._wall()
