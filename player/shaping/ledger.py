"""What a shaped link offered, what was wanted and sent of it, and how late its timer was.

Sums per interval, so that a run on a machine that was too busy can be told from one that
was not. Times are seconds since the trace began and are passed in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from abr.trace import Trace

_LATENESS_STEP_S = 0.00025
_LATENESS_STEPS = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class ShaperReport:
    """How closely a shaped run followed its trace.

    The columns have one entry per interval, from trace time 0.
    """

    interval_s: float
    offered_bytes: tuple[float, ...]
    """What the trace could have carried."""
    backlogged_bytes: tuple[float, ...]
    """The part of it that passed while data was waiting: what should have been sent."""
    delivered_bytes: tuple[int, ...]
    """What was sent."""
    cross_bytes: tuple[int, ...]
    """What cross-traffic took of the capacity, in the same intervals."""
    wakes: int
    """Timer wake-ups that the lateness figures rest on."""
    lateness_p50_s: float
    """Median delay of a wake-up after the time it was due; 0 without wake-ups."""
    lateness_p95_s: float
    lateness_max_s: float
    refused_connections: int = 0
    """Connections turned away because too many were open."""

    @property
    def delivered_ratio(self) -> float:
        """Bytes sent, cross-traffic included, over bytes that should have been.

        ``nan`` when nothing waited.
        """
        wanted = sum(self.backlogged_bytes)
        sent = sum(self.delivered_bytes) + sum(self.cross_bytes)
        return sent / wanted if wanted > 0 else math.nan

    @property
    def is_overloaded(self) -> bool:
        """The machine was too busy for the figures of this run to be trusted.

        True when one wake-up in twenty was more than 20 ms late, or more than 3 % of
        the capacity that was asked for was lost.
        """
        return self.lateness_p95_s > 0.02 or self.delivered_ratio < 0.97

    def as_dict(self) -> dict[str, float | int | bool | None]:
        """The summary figures, for provenance and JSON; None for an unknown ratio."""
        ratio = self.delivered_ratio
        return {
            "delivered_ratio": None if math.isnan(ratio) else ratio,
            "delivered_bytes": sum(self.delivered_bytes),
            "cross_bytes": sum(self.cross_bytes),
            "wakes": self.wakes,
            "lateness_p50_s": self.lateness_p50_s,
            "lateness_p95_s": self.lateness_p95_s,
            "lateness_max_s": self.lateness_max_s,
            "refused_connections": self.refused_connections,
            "is_overloaded": self.is_overloaded,
        }


class Lateness:
    """How late a timer was, as a histogram of fixed size (0.25 ms steps)."""

    def __init__(self) -> None:
        self._counts = [0] * (_LATENESS_STEPS + 1)
        self.most_s = 0.0
        self.wakes = 0

    def __repr__(self) -> str:
        return f"<Lateness of {self.wakes} wake-ups, at most {self.most_s:.4f} s>"

    def add(self, lateness_s: float) -> None:
        """A timer fired ``lateness_s`` after it was due."""
        lateness_s = max(0.0, lateness_s)
        self._counts[min(int(lateness_s / _LATENESS_STEP_S), _LATENESS_STEPS)] += 1
        self.most_s = max(self.most_s, lateness_s)
        self.wakes += 1

    def quantile_s(self, share: float) -> float:
        """Upper edge of the histogram step that holds the quantile."""
        wanted = share * self.wakes
        seen = 0
        for step, count in enumerate(self._counts):
            seen += count
            if count and seen >= wanted:
                return min((step + 1) * _LATENESS_STEP_S, self.most_s)
        return 0.0


class Ledger:
    """What was offered, wanted and sent per interval.

    Memory: three numbers per interval.
    """

    def __init__(self, trace: Trace, *, interval_s: float = 0.5) -> None:
        """Start at trace time 0 with empty columns of ``interval_s`` seconds."""
        if interval_s <= 0:
            raise ValueError("interval_s must be positive")
        self._trace = trace
        self._interval_s = interval_s
        self._backlogged_bits: list[float] = []
        self._delivered_bytes: list[int] = []
        self._cross_bytes: list[int] = []
        self._seen_s = 0.0
        self._seen_bits = 0.0

    def __repr__(self) -> str:
        sent_bytes = sum(self._delivered_bytes)
        return f"<Ledger up to {self._seen_s:.3f} s, {sent_bytes} bytes delivered>"

    def advance(self, now_s: float, *, backlogged: bool) -> None:
        """Time passed up to ``now_s``, during which data waited or did not."""
        while self._seen_s < now_s:
            index = int(self._seen_s / self._interval_s + 1e-9)
            until_s = min(now_s, (index + 1) * self._interval_s)
            until_bits = self._trace.bits_by(until_s)
            self._grow(index)
            if backlogged:
                self._backlogged_bits[index] += until_bits - self._seen_bits
            self._seen_s, self._seen_bits = until_s, until_bits

    def add_delivered(self, size_bytes: int, now_s: float) -> None:
        """``size_bytes`` left at ``now_s``."""
        index = int(now_s / self._interval_s)
        self._grow(index)
        self._delivered_bytes[index] += size_bytes

    def add_crossed(self, size_bytes: int, now_s: float) -> None:
        """Cross-traffic used ``size_bytes`` of the capacity, up to ``now_s``."""
        index = int(now_s / self._interval_s)
        self._grow(index)
        self._cross_bytes[index] += size_bytes

    def report(
        self, lateness: Lateness | None = None, *, refused_connections: int = 0
    ) -> ShaperReport:
        """The figures so far; the last interval may be incomplete.

        Args:
            lateness: Of the timer that the link went by; None when it had none.
            refused_connections: How many were turned away.
        """
        lateness = lateness or Lateness()
        edges = [self._trace.bits_by(i * self._interval_s) for i in range(self._intervals + 1)]
        return ShaperReport(
            interval_s=self._interval_s,
            offered_bytes=tuple((b - a) / 8 for a, b in pairwise(edges)),
            backlogged_bytes=tuple(bits / 8 for bits in self._backlogged_bits),
            delivered_bytes=tuple(self._delivered_bytes),
            cross_bytes=tuple(self._cross_bytes),
            wakes=lateness.wakes,
            lateness_p50_s=lateness.quantile_s(0.5),
            lateness_p95_s=lateness.quantile_s(0.95),
            lateness_max_s=lateness.most_s,
            refused_connections=refused_connections,
        )

    @property
    def _intervals(self) -> int:
        return len(self._delivered_bytes)

    def _grow(self, index: int) -> None:
        while self._intervals <= index:
            self._backlogged_bits.append(0.0)
            self._delivered_bytes.append(0)
            self._cross_bytes.append(0)
