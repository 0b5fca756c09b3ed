"""What became of requests lately: counts over a sliding window, and the usual wait.

Source of the rolling window of buckets: the public design notes of Hystrix ("How it works",
section on metrics). The quantile is exact over the last ``SAMPLES`` waits.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from dataclasses import dataclass

SAMPLES = 200
"""Most waits that a quantile is taken over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Requests that ended within the window."""

    ended: int = 0
    failed: int = 0
    slow: int = 0
    """Of those that did not fail, slower than the limit for slow calls."""

    @property
    def failed_share(self) -> float:
        """Failures per request; 0 before the first."""
        return self.failed / self.ended if self.ended else 0.0

    @property
    def slow_share(self) -> float:
        """Slow requests per request; 0 before the first."""
        return self.slow / self.ended if self.ended else 0.0


class Window:
    """Counts of the last ``window_s`` seconds, in ``buckets`` steps."""

    def __init__(self, window_s: float, *, buckets: int = 10) -> None:
        self._step_s = window_s / buckets
        self._buckets = buckets
        self._counts: deque[tuple[int, list[int]]] = deque()

    def __repr__(self) -> str:
        return f"<Window of {self._step_s * self._buckets:g} s: {len(self._counts)} buckets used>"

    def add(self, *, now_s: float, failed: bool, slow: bool) -> None:
        """Count one request that ended."""
        step = math.floor(now_s / self._step_s)
        if not self._counts or self._counts[-1][0] < step:
            self._counts.append((step, [0, 0, 0]))
        counts = self._counts[-1][1]
        counts[0] += 1
        counts[1] += failed
        counts[2] += slow and not failed

    def tally(self, now_s: float) -> Tally:
        """The counts now."""
        oldest = math.floor(now_s / self._step_s) - self._buckets + 1
        while self._counts and self._counts[0][0] < oldest:
            self._counts.popleft()
        ended, failed, slow = (sum(counts[at] for _, counts in self._counts) for at in range(3))
        return Tally(ended=ended, failed=failed, slow=slow)

    def clear(self) -> None:
        """Forget everything."""
        self._counts.clear()


class Waits:
    """The last waits for a first byte, and their quantiles."""

    def __init__(self) -> None:
        self._latest: deque[float] = deque()
        self._sorted: list[float] = []

    def __repr__(self) -> str:
        return f"<Waits: {len(self._latest)} samples>"

    def __len__(self) -> int:
        return len(self._latest)

    def add(self, wait_s: float) -> None:
        """Note one wait, seconds."""
        if len(self._latest) == SAMPLES:
            oldest = self._latest.popleft()
            del self._sorted[bisect_left(self._sorted, oldest)]
        self._latest.append(wait_s)
        insort(self._sorted, wait_s)

    def quantile_s(self, share: float) -> float | None:
        """The wait that ``share`` of the samples do not exceed; None without samples."""
        if not self._sorted:
            return None
        at = math.ceil(share * len(self._sorted)) - 1
        return self._sorted[max(0, at)]
