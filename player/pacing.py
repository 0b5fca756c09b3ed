"""When each piece of a shaped transfer leaves the link: exact to the trace, no clock.

One link is shared by all flows of one client. Bytes leave in quanta, taken from the
waiting flows in turn. The link keeps its place as a number of *bits of the trace*
used so far, not as a time: a quantum may leave as soon as the trace has offered that
many bits more. So a caller that comes late sends everything that became due meanwhile
and nothing is lost, a stretch without capacity blocks exactly, and rounding never adds
up. Capacity that passes while nobody waits is gone, except for gaps of a few
milliseconds, which are a busy sender's scheduling noise and not silence.

Times are seconds since the trace began and are passed in; they must not decrease.
Sizes are bytes of payload: headers of TCP and IP are not counted.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from abr.trace import Trace

QUANTUM_BYTES = 1448
"""Payload of one Ethernet-sized TCP segment with timestamps."""

# Rounding of the trace's integral must not hold back a quantum that is due to the bit.
_TOLERANCE_BITS = 1e-3
_LATENESS_STEP_S = 0.00025
_LATENESS_STEPS = 4000


class Grant(NamedTuple):
    """Bytes of one flow that may leave now."""

    flow: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShaperReport:
    """How closely a shaped run followed its trace.

    The three columns have one entry per interval, from trace time 0.
    """

    interval_s: float
    offered_bytes: tuple[float, ...]
    """What the trace could have carried."""
    backlogged_bytes: tuple[float, ...]
    """The part of it that passed while data was waiting: what should have been sent."""
    delivered_bytes: tuple[int, ...]
    """What was sent."""
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
        """Bytes sent over bytes that should have been; ``nan`` when nothing waited."""
        wanted = sum(self.backlogged_bytes)
        return sum(self.delivered_bytes) / wanted if wanted > 0 else math.nan

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
            "wakes": self.wakes,
            "lateness_p50_s": self.lateness_p50_s,
            "lateness_p95_s": self.lateness_p95_s,
            "lateness_max_s": self.lateness_max_s,
            "refused_connections": self.refused_connections,
            "is_overloaded": self.is_overloaded,
        }


class SharedPacer:
    """The shared link: who waits, with how much, and what may leave when.

    Invariant: ``used_bits`` never exceeds the bits the trace has offered so far (to a
    thousandth of a bit), so in
    any stretch that starts idle no more than the trace's own bits leave, plus what
    ``gap_s`` allows.
    """

    def __init__(
        self, trace: Trace, *, quantum_bytes: int = QUANTUM_BYTES, gap_s: float = 0.005
    ) -> None:
        """Start an idle link at trace time 0.

        Args:
            trace: Capacity over time.
            quantum_bytes: Largest piece that leaves at once.
            gap_s: Longest pause of the senders that still counts as busy, seconds.

        Raises:
            ValueError: ``quantum_bytes`` is not positive or ``gap_s`` is negative.
        """
        if quantum_bytes < 1 or gap_s < 0:
            raise ValueError("quantum_bytes must be positive and gap_s must not be negative")
        self._trace = trace
        self._quantum_bytes = quantum_bytes
        self._gap_s = gap_s
        self._queued: dict[int, int] = {}
        self._blocked: set[int] = set()
        self._turn: deque[int] = deque()
        self._used_bits = 0.0
        self._idle_since_s = -math.inf

    @property
    def is_backlogged(self) -> bool:
        """Some flow has bytes waiting and may send them."""
        return bool(self._turn)

    @property
    def used_bits(self) -> float:
        """The link's place in the trace, as cumulative bits."""
        return self._used_bits

    def queued_bytes(self, flow: int) -> int:
        """Bytes of ``flow`` that still wait."""
        return self._queued.get(flow, 0)

    def offer(self, flow: int, size_bytes: int, now_s: float) -> None:
        """``size_bytes`` more of ``flow`` arrived at the link."""
        if size_bytes <= 0:
            return
        waiting = self._queued.get(flow, 0)
        self._queued[flow] = waiting + size_bytes
        if waiting == 0 and flow not in self._blocked:
            self._join(flow, now_s)

    def block(self, flow: int, now_s: float) -> None:
        """The receiver of ``flow`` takes no more for now; its turn passes to others."""
        self._blocked.add(flow)
        self._leave(flow, now_s)

    def unblock(self, flow: int, now_s: float) -> None:
        """The receiver of ``flow`` takes bytes again."""
        if flow in self._blocked:
            self._blocked.discard(flow)
            if self.queued_bytes(flow):
                self._join(flow, now_s)

    def drop(self, flow: int, now_s: float) -> None:
        """Forget ``flow`` and what it has waiting; its share goes to the others."""
        self._leave(flow, now_s)
        self._queued.pop(flow, None)
        self._blocked.discard(flow)

    def due(self, now_s: float) -> list[Grant]:
        """Everything that may leave by ``now_s``, one grant per flow.

        Call it again only with a later or equal time.
        """
        if not self._turn:
            return []
        granted: dict[int, int] = {}
        offered_bits = self._trace.bits_by(now_s) + _TOLERANCE_BITS
        while self._turn:
            flow = self._turn[0]
            waiting = self._queued[flow]
            size_bytes = min(waiting, self._quantum_bytes)
            if self._used_bits + 8 * size_bytes > offered_bits:
                break
            self._used_bits += 8 * size_bytes
            granted[flow] = granted.get(flow, 0) + size_bytes
            self._queued[flow] = waiting - size_bytes
            self._turn.popleft()
            if waiting > size_bytes:
                self._turn.append(flow)
        if not self._turn:
            self._idle_since_s = now_s
        return [Grant(flow, size_bytes) for flow, size_bytes in granted.items()]

    def next_departure_s(self) -> float:
        """When the next quantum may leave; ``inf`` when nobody waits or never."""
        if not self._turn:
            return math.inf
        size_bytes = min(self._queued[self._turn[0]], self._quantum_bytes)
        return self._trace.time_of(self._used_bits + 8 * size_bytes)

    def _join(self, flow: int, now_s: float) -> None:
        if not self._turn:
            self._resume(now_s)
        self._turn.append(flow)

    def _leave(self, flow: int, now_s: float) -> None:
        if flow in self._turn:
            self._turn.remove(flow)
            if not self._turn:
                self._idle_since_s = now_s

    def _resume(self, now_s: float) -> None:
        # A short gap keeps what passed in it, and up to as much again that a late
        # caller could not use; anything longer was silence, and silence saves nothing.
        gap_s = now_s - self._idle_since_s
        since_s = max(0.0, self._idle_since_s - self._gap_s) if gap_s <= self._gap_s else now_s
        self._used_bits = max(self._used_bits, self._trace.bits_by(since_s))


class Ledger:
    """What was offered, wanted and sent per interval, and how late the timer was.

    Memory: three numbers per interval and a fixed histogram (0.25 ms steps).
    """

    def __init__(self, trace: Trace, *, interval_s: float = 0.5) -> None:
        """Start at trace time 0 with empty columns of ``interval_s`` seconds."""
        if interval_s <= 0:
            raise ValueError("interval_s must be positive")
        self._trace = trace
        self._interval_s = interval_s
        self._backlogged_bits: list[float] = []
        self._delivered_bytes: list[int] = []
        self._seen_s = 0.0
        self._seen_bits = 0.0
        self._lateness = [0] * (_LATENESS_STEPS + 1)
        self._lateness_max_s = 0.0

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

    def delivered(self, size_bytes: int, now_s: float) -> None:
        """``size_bytes`` left at ``now_s``."""
        index = int(now_s / self._interval_s)
        self._grow(index)
        self._delivered_bytes[index] += size_bytes

    def woke(self, lateness_s: float) -> None:
        """A timer fired ``lateness_s`` after it was due."""
        lateness_s = max(0.0, lateness_s)
        self._lateness[min(int(lateness_s / _LATENESS_STEP_S), _LATENESS_STEPS)] += 1
        self._lateness_max_s = max(self._lateness_max_s, lateness_s)

    def report(self, *, refused_connections: int = 0) -> ShaperReport:
        """The figures so far; the last interval may be incomplete."""
        edges = [self._trace.bits_by(i * self._interval_s) for i in range(self._intervals + 1)]
        return ShaperReport(
            interval_s=self._interval_s,
            offered_bytes=tuple((b - a) / 8 for a, b in pairwise(edges)),
            backlogged_bytes=tuple(bits / 8 for bits in self._backlogged_bits),
            delivered_bytes=tuple(self._delivered_bytes),
            wakes=sum(self._lateness),
            lateness_p50_s=self._lateness_quantile_s(0.5),
            lateness_p95_s=self._lateness_quantile_s(0.95),
            lateness_max_s=self._lateness_max_s,
            refused_connections=refused_connections,
        )

    @property
    def _intervals(self) -> int:
        return len(self._delivered_bytes)

    def _grow(self, index: int) -> None:
        while self._intervals <= index:
            self._backlogged_bits.append(0.0)
            self._delivered_bytes.append(0)

    def _lateness_quantile_s(self, share: float) -> float:
        """Upper edge of the histogram step that holds the quantile."""
        wanted = share * sum(self._lateness)
        seen = 0
        for step, count in enumerate(self._lateness):
            seen += count
            if count and seen >= wanted:
                return min((step + 1) * _LATENESS_STEP_S, self._lateness_max_s)
        return 0.0
