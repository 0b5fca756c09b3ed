"""The clocks of an edge beside ``origin.server.clock``, which says what is fresh and valid."""

from __future__ import annotations

import time


def monotonic_s() -> float:
    """Seconds as they pass, from an unknown start: for waits, leases and breakers."""
    return time.monotonic()


def wall_clock_s() -> float:
    """Seconds since the epoch as the machine says now; nothing that is served depends on it."""
    return time.time()  # noqa: TID251 -- for programs around an edge
