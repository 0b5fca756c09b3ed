"""When each piece of a shaped transfer leaves the link: exact to the trace, no clock.

One link is shared by all flows of one client. Bytes leave in quanta, taken from the
waiting flows in turn. The link keeps its place as a number of *bits of the trace*
used so far, not as a time: a quantum may leave as soon as the trace has offered that
many bits more. So a caller that comes late sends everything that became due meanwhile
and nothing is lost, a stretch without capacity blocks exactly, and rounding never adds
up. Capacity that passes while nobody waits is gone, except for gaps of a few
milliseconds, which are a busy sender's scheduling noise and not silence.

Cross-traffic is flows that never end and go nowhere: while a real flow waits, each of
them takes its turn like any other. A buffer at the bottleneck is modelled by what a
newcomer finds in it: a flow that begins behind others starts after as many bits as they
have standing there, at most the buffer's size, and takes turns from then on.

Times are seconds since the trace began and are passed in; they must not decrease.
Sizes are bytes of payload: headers of TCP and IP are not counted.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

from abr.trace import Trace

QUANTUM_BYTES = 1448
"""Payload of one Ethernet-sized TCP segment with timestamps."""

# Rounding of the trace's integral must not hold back a quantum that is due to the bit.
_TOLERANCE_BITS = 1e-3
_CROSS = -1


class Grant(NamedTuple):
    """Bytes of one flow that may leave now."""

    flow: int
    size_bytes: int


class SharedPacer:
    """The shared link: who waits, with how much, and what may leave when.

    Invariant: ``used_bits`` never exceeds the bits the trace has offered so far (to a
    thousandth of a bit), so in any stretch that starts idle no more than the trace's bits
    leave, plus what ``gap_s`` allows.
    """

    def __init__(
        self,
        trace: Trace,
        *,
        quantum_bytes: int = QUANTUM_BYTES,
        gap_s: float = 0.005,
        cross_flows: int = 0,
        buffer_bytes: int = 0,
    ) -> None:
        """Start an idle link at trace time 0.

        Args:
            trace: Capacity over time.
            quantum_bytes: Largest piece that leaves at once.
            gap_s: Longest pause of the senders that still counts as busy, seconds.
            cross_flows: Endless downloads of others that share the link.
            buffer_bytes: Size of the buffer that a newcomer may find filled; 0: none.

        Raises:
            ValueError: ``quantum_bytes`` is not positive, or another is negative.
        """
        if quantum_bytes < 1 or gap_s < 0:
            raise ValueError("quantum_bytes must be positive and gap_s must not be negative")
        if cross_flows < 0 or buffer_bytes < 0:
            raise ValueError("cross_flows and buffer_bytes must be 0 or more")
        self._trace = trace
        self._quantum_bytes = quantum_bytes
        self._gap_s = gap_s
        self._cross_flows = cross_flows
        self._buffer_bytes = buffer_bytes
        self._queued: dict[int, int] = {}
        self._blocked: set[int] = set()
        self._waiting = 0  # real flows in the turn or behind the buffer
        self._turn: deque[int] = deque()
        self._behind: deque[tuple[float, int]] = deque()  # starts at used bits, flow
        self._left_s: dict[int, float] = {}  # when a flow last had nothing to send
        self._used_bits = 0.0
        self._cross_bytes = 0
        self._idle_since_s = -math.inf

    def __repr__(self) -> str:
        queued_bytes = sum(self._queued.values())
        return (
            f"<SharedPacer {self._waiting} flows waiting with {queued_bytes} bytes, "
            f"{len(self._blocked)} blocked, {self._used_bits:.0f} bits used>"
        )

    @property
    def is_backlogged(self) -> bool:
        """Some flow has bytes waiting and may send them."""
        return self._waiting > 0

    @property
    def used_bits(self) -> float:
        """The link's place in the trace, as cumulative bits."""
        return self._used_bits

    @property
    def cross_bytes(self) -> int:
        """What cross-traffic has taken so far while others waited."""
        return self._cross_bytes

    def queued_bytes(self, flow: int) -> int:
        """Bytes of ``flow`` that still wait."""
        return self._queued.get(flow, 0)

    def standing_bytes(self, but: int | None = None) -> int:
        """What a newcomer would find in the buffer, without the flow ``but``."""
        if self._cross_flows or not self._buffer_bytes:
            return self._buffer_bytes
        others = sum(
            size for flow, size in self._queued.items() if flow != but and flow not in self._blocked
        )
        return min(self._buffer_bytes, others)

    def offer(self, flow: int, size_bytes: int, now_s: float) -> None:
        """``size_bytes`` more of ``flow`` (a number of 0 or more) arrived at the link."""
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
        self._left_s.pop(flow, None)
        self._blocked.discard(flow)

    def due(self, now_s: float) -> list[Grant]:
        """Everything that may leave by ``now_s``, one grant per flow.

        Call it again only with a later or equal time.
        """
        if not self._waiting:
            return []
        offered_bits = self._trace.bits_by(now_s) + _TOLERANCE_BITS
        granted: dict[int, int] = {}
        while self._waiting:
            self._admit()
            flow = self._turn[0]
            size_bytes = self._next_bytes(flow, offered_bits)
            if self._used_bits + 8 * size_bytes > offered_bits:
                break
            self._used_bits += 8 * size_bytes
            self._turn.popleft()
            if flow == _CROSS:
                self._cross_bytes += size_bytes
                self._turn.append(flow)
                continue
            granted[flow] = granted.get(flow, 0) + size_bytes
            self._queued[flow] -= size_bytes
            if self._queued[flow]:
                self._turn.append(flow)
            else:
                self._waiting -= 1
                self._left_s[flow] = now_s
        if not self._waiting:
            self._rest(now_s)
        return [Grant(flow, size_bytes) for flow, size_bytes in granted.items()]

    @property
    def lone_flow(self) -> int | None:
        """The flow that has the link for itself, if one has."""
        return self._turn[0] if len(self._turn) == 1 and not self._behind else None

    def take_alone(self, flow: int, size_bytes: int) -> None:
        """The ``lone_flow`` sent so much of what it has waiting, but not all, as was due."""
        self._queued[flow] -= size_bytes
        self._used_bits += 8 * size_bytes

    def open_bytes(self, now_s: float) -> int:
        """What may leave by ``now_s`` if enough waits; only while something does."""
        return int((self._trace.bits_by(now_s) + _TOLERANCE_BITS - self._used_bits) / 8)

    def next_departure_s(self) -> float:
        """When something can happen next, at the earliest; ``inf`` when nobody waits."""
        if not self._waiting:
            return math.inf
        ahead_bytes = 0
        for flow in self._turn:
            if flow != _CROSS:
                ahead_bytes += min(self._queued[flow], self._quantum_bytes)
                return self._trace.time_of(self._used_bits + 8 * ahead_bytes)
            ahead_bytes += self._quantum_bytes
        mark, flow = self._behind[0]
        first_bits = 8 * min(self._queued[flow], self._quantum_bytes)
        return self._trace.time_of(max(mark, self._used_bits) + first_bits)

    def _next_bytes(self, flow: int, offered_bits: float) -> int:
        """The piece that ``flow`` sends next; all that is due when it is alone."""
        if flow == _CROSS:
            return self._quantum_bytes
        waiting = self._queued[flow]
        if len(self._turn) == 1 and not self._behind:
            allowed_bytes = int((offered_bits - self._used_bits) / 8)
            if allowed_bytes >= waiting:
                return waiting
            whole = allowed_bytes // self._quantum_bytes
            return min(max(whole, 1) * self._quantum_bytes, waiting)
        return min(waiting, self._quantum_bytes)

    def _admit(self) -> None:
        """Let those start whose place in the buffer has come."""
        while self._behind and (not self._turn or self._behind[0][0] <= self._used_bits):
            self._turn.append(self._behind.popleft()[1])

    def _join(self, flow: int, now_s: float) -> None:
        if not self._waiting:
            self._resume(now_s)
            self._turn.extend([_CROSS] * self._cross_flows)
        self._waiting += 1
        # A sender that pauses for an instant is still in the buffer with its last bytes.
        is_new = now_s - self._left_s.get(flow, -math.inf) > self._gap_s
        standing_bytes = self.standing_bytes(flow) if is_new else 0
        if standing_bytes:
            self._behind.append((self._used_bits + 8 * standing_bytes, flow))
        else:
            self._turn.append(flow)

    def _leave(self, flow: int, now_s: float) -> None:
        if not self._waiting:
            return
        if flow in self._turn:
            self._turn.remove(flow)
        elif any(other == flow for _, other in self._behind):
            self._behind = deque(entry for entry in self._behind if entry[1] != flow)
        else:
            return
        self._waiting -= 1
        if not self._waiting:
            self._rest(now_s)

    def _rest(self, now_s: float) -> None:
        self._turn.clear()
        self._idle_since_s = now_s

    def _resume(self, now_s: float) -> None:
        # A short gap keeps what passed in it, and up to as much again that a late
        # caller could not use; anything longer was silence, and silence saves nothing.
        gap_s = now_s - self._idle_since_s
        since_s = max(0.0, self._idle_since_s - self._gap_s) if gap_s <= self._gap_s else now_s
        self._used_bits = max(self._used_bits, self._trace.bits_by(since_s))
