"""The virtual network: transfers that share the capacity of one trace.

Who gets how much of the link, and when, is decided here. Nothing reads a clock, and
nothing is sampled: every event has a closed form (``abr.capacity``, ``abr.sharing``).

Model. Transfers under way share the capacity equally (processor sharing). A request
costs one round trip before its first byte, two when a connection must be opened
first. At most ``connections`` are open; further requests wait, first come first
served. A connection that finished its response is reused, the most recent first; a
cancelled transfer closes its connection. There is no slow start, loss or queueing
delay, so short transfers look faster than over TCP.

Bookkeeping. One heap of the marks at which transfers end, and one question to the
trace, give the next event.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from abr import capacity, sharing
from abr.defaults import RTT_S
from abr.trace import Trace


class LinkEvent(NamedTuple):
    """Something that happened to a transfer."""

    time_s: float
    flow: int
    kind: Literal["first_byte", "finished"]
    """``first_byte``: the transfer begins; ``finished``: its last byte is here."""


class Link(Protocol):
    """A network as a driver sees it; times never go back."""

    def request(self, flow: int, size_bytes: float, now_s: float) -> None:
        """Ask for a response of ``size_bytes`` under the number ``flow``."""
        ...

    def cancel(self, flow: int, now_s: float) -> None:
        """Give up a transfer: its connection is closed, its share is free."""
        ...

    def next_event_s(self) -> float:
        """When to advance next: time of the next event, or now when some wait; else inf."""
        ...

    def advance(self, now_s: float) -> tuple[LinkEvent, ...]:
        """Events up to and including ``now_s`` not yet reported, in order."""
        ...

    def received_bytes(self, flow: int, now_s: float) -> float:
        """Bytes of the response that have arrived by ``now_s``."""
        ...


@runtime_checkable
class TimedLink(Link, Protocol):
    """A link that knows when it carried something last; of others that is seen when asked."""

    def newest_byte_s(self, now_s: float) -> float:
        """When the newest byte by ``now_s`` came, for every transfer that was under way."""
        ...


class _Flow:
    """One transfer; ``mark`` is the share at which it ends, None before it begins."""

    __slots__ = ("begin_share", "mark", "order", "size_bytes", "waiting")

    def __init__(self, size_bytes: float, order: int) -> None:
        self.size_bytes = size_bytes
        self.order = order
        self.waiting = True
        self.begin_share = 0.0
        self.mark: float | None = None

    def __repr__(self) -> str:
        if self.mark is not None:
            state = f"done at share {self.mark:.0f}"
        else:
            state = "waiting" if self.waiting else "opening"
        return f"<_Flow of {self.size_bytes:.0f} bytes, {state}>"


class SharedLink:
    """A ``Link`` over one trace; see the module's docstring for the model.

    Args:
        trace: What the link can carry; time 0 is that of the trace.
        rtt_s: Round-trip time where the trace has none.
        connections: Most connections open at once.
        overhead_bytes: Added to every response, before its body: headers and framing.
        server_s: Time that software at both ends takes for a request, beside the network.

    Raises:
        ValueError: an argument out of range.
    """

    def __init__(
        self,
        trace: Trace,
        *,
        rtt_s: float = RTT_S,
        connections: int = 6,
        overhead_bytes: float = 0.0,
        server_s: float = 0.0,
    ) -> None:
        costs = (rtt_s, overhead_bytes, server_s)
        if not (all(0 <= cost < math.inf for cost in costs) and connections >= 1):
            raise ValueError(
                "rtt_s, overhead_bytes and server_s must be 0 or more, connections 1 or more"
            )
        self._table = trace.table(rtt_s)
        self._near = 0  # period of the last question, to search from
        self._trace_name = trace.name
        self._overhead_bytes = overhead_bytes
        self._server_s = server_s
        self._now_s = 0.0
        self._orders = 0
        self._flows: dict[int, _Flow] = {}
        self._received: dict[int, float] = {}  # bytes of flows that are over
        self._queue: deque[int] = deque()  # waiting for a connection
        self._closed = connections  # connections that could still be opened
        self._idle = 0
        self._coming: list[tuple[float, int, int]] = []  # first bytes: time, order, flow
        self._marks: list[tuple[float, int, int]] = []  # ends: share, order, flow
        self._sharing = sharing.IDLE
        self._events: list[LinkEvent] = []

    def __repr__(self) -> str:
        return (
            f"<SharedLink {self._trace_name or 'without name'} at {self._now_s:.3f} s: "
            f"{self._sharing.active} of {len(self._flows)} transfers under way>"
        )

    def request(self, flow: int, size_bytes: float, now_s: float) -> None:
        """Begin a transfer: [connect round trip] + round trip + response.

        Raises:
            ValueError: time goes back, the number is in use, or the size is negative.
        """
        self._settle(now_s)
        if flow in self._flows:
            raise ValueError(f"flow {flow} is already under way")
        if not 0 <= size_bytes < math.inf:
            raise ValueError(f"size_bytes is {size_bytes}; expected a finite size of 0 or more")
        self._orders += 1
        self._flows[flow] = _Flow(size_bytes, self._orders)
        self._received.pop(flow, None)
        self._queue.append(flow)
        self._connect(now_s)

    def cancel(self, flow: int, now_s: float) -> None:
        """Close the connection of ``flow``; nothing when it is over already.

        Raises:
            ValueError: time goes back.
        """
        self._settle(now_s)
        if flow not in self._flows:
            return
        received_bytes = self.received_bytes(flow, now_s)
        gone = self._flows.pop(flow)
        self._received[flow] = received_bytes
        if gone.waiting:
            self._queue.remove(flow)
            return
        if gone.mark is not None:
            self._sharing = sharing.abandon(self._sharing, self._bits_by(now_s), now_s)
        self._closed += 1
        self._drop_stale()
        self._connect(now_s)

    def next_event_s(self) -> float:
        """When to advance next: time of the next event, or now when some wait; else inf."""
        if self._events:
            return self._now_s
        return min(self._next_begin_s(), self._next_end_s())

    def advance(self, now_s: float) -> tuple[LinkEvent, ...]:
        """Events up to and including ``now_s`` not yet reported, in order.

        Raises:
            ValueError: time goes back.
        """
        self._settle(now_s)
        events, self._events = tuple(self._events), []
        return events

    def received_bytes(self, flow: int, now_s: float) -> float:
        """Body bytes that have arrived by ``now_s``, also of flows that are over.

        Raises:
            ValueError: time goes back, or no such flow was ever requested.
        """
        self._settle(now_s)
        if flow not in self._flows:
            if flow not in self._received:
                raise ValueError(f"flow {flow} was never requested")
            return self._received[flow]
        asked = self._flows[flow]
        if asked.mark is None:
            return 0.0
        bits = sharing.share_by(self._sharing, self._bits_by(now_s)) - asked.begin_share
        return capacity.body_bytes(bits, asked.size_bytes, self._overhead_bytes)

    def newest_byte_s(self, now_s: float) -> float:
        """When the newest byte by ``now_s`` came: now, or when the link fell silent.

        Raises:
            ValueError: time goes back.
        """
        self._settle(now_s)
        return capacity.newest_bit_s(self._table, now_s, self._near)

    def _settle(self, now_s: float) -> None:
        """Let everything happen that is due by ``now_s``."""
        if not self._now_s <= now_s < math.inf:
            raise ValueError(f"time goes back or is not finite: {now_s} after {self._now_s}")
        while True:
            begin_s, end_s = self._next_begin_s(), self._next_end_s()
            if min(begin_s, end_s) > now_s:
                break
            # At the same instant ends come first: they free connections.
            if end_s <= begin_s:
                self._end(end_s)
            else:
                self._begin(begin_s)
        self._now_s = now_s

    def _next_begin_s(self) -> float:
        return self._coming[0][0] if self._coming else math.inf

    def _next_end_s(self) -> float:
        if not self._marks:
            return math.inf
        bits = sharing.bits_until(self._sharing, self._marks[0][0])
        return max(capacity.time_of(self._table, bits, self._near), self._sharing.changed_s)

    def _begin(self, time_s: float) -> None:
        number = heapq.heappop(self._coming)[2]
        flow = self._flows[number]
        self._sharing = sharing.join(self._sharing, self._bits_by(time_s), time_s)
        flow.begin_share = self._sharing.share
        flow.mark = flow.begin_share + capacity.response_bits(flow.size_bytes, self._overhead_bytes)
        heapq.heappush(self._marks, (flow.mark, flow.order, number))
        self._events.append(LinkEvent(time_s, number, "first_byte"))

    def _end(self, time_s: float) -> None:
        mark, _, number = heapq.heappop(self._marks)
        self._sharing = sharing.finish(self._sharing, mark, time_s)
        self._received[number] = self._flows.pop(number).size_bytes
        self._idle += 1
        self._events.append(LinkEvent(time_s, number, "finished"))
        self._connect(time_s)

    def _connect(self, now_s: float) -> None:
        """Give connections to those who wait, as long as there are any."""
        while self._queue and (self._idle or self._closed):
            number = self._queue.popleft()
            flow = self._flows[number]
            flow.waiting = False
            is_connected = self._idle > 0
            if is_connected:
                self._idle -= 1
            else:
                self._closed -= 1
            first_byte_s, _ = capacity.wait_for_first_byte(
                self._table, now_s, is_connected, self._server_s, self._near
            )
            heapq.heappush(self._coming, (first_byte_s, flow.order, number))

    def _bits_by(self, t_s: float) -> float:
        """Bits the trace offers up to ``t_s``."""
        rounds, rest_s = capacity.fold(self._table, t_s)
        self._near = capacity.find_period(self._table, rest_s, self._near)
        return capacity.sum_bits(self._table, rounds, rest_s, self._near)

    def _drop_stale(self) -> None:
        """Forget entries of cancelled flows; there are never many."""
        for heap in (self._coming, self._marks):
            live = [e for e in heap if e[2] in self._flows and self._flows[e[2]].order == e[1]]
            if len(live) < len(heap):
                heap[:] = live
                heapq.heapify(heap)
