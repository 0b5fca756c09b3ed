"""Links that send together: what they pull, when they stop, and that their books are right."""

import asyncio
import socket
from typing import cast

import pytest

from abr.trace import Trace
from player.shaping.alarms import Alarms
from player.shaping.config import ShaperConfig
from player.shaping.connection import Connection, Reader
from player.shaping.grid import GridDepartures, Ticker
from player.shaping.ledger import Ledger
from player.shaping.pacing import SharedPacer

QUANTUM_BYTES = 1000


class Server:
    """A server's leg, as the event loop and as the kernel would give it."""

    def __init__(self) -> None:
        self.kernel = bytearray()
        self.error: OSError | None = None
        self.is_read = True
        self.pulls = 0

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True

    def recv(self, size_bytes: int) -> bytes:
        self.pulls += 1
        if self.error is not None:
            raise self.error
        if not self.kernel:
            raise BlockingIOError
        data = bytes(self.kernel[:size_bytes])
        del self.kernel[:size_bytes]
        return data


class Flow:
    """A connection that keeps what it is told to send."""

    def __init__(self, link: "Link", flow: int) -> None:
        self.flow, self.link = flow, link
        self.waiting, self.sent = b"", b""
        self.client_takes = True
        self.broke: OSError | None = None
        self.server = Server()
        self.reader: Reader = link.departures.reader_for(
            cast("Connection", self),
            cast("asyncio.Transport", self.server),
            cast("socket.socket", self.server),
        )

    @property
    def down_bytes(self) -> int:
        return len(self.waiting)

    def take(self, data: bytes) -> None:
        self.waiting += data
        self.link.pacer.offer(self.flow, len(data), self.link.time_s)
        self.link.departures.arrived(self.link.time_s)

    def pushed(self, data: bytes) -> None:
        self.take(data)
        self.reader.arrived()

    def lend(self) -> memoryview:
        return memoryview(self.waiting)

    def restore(self, piece: memoryview) -> None:
        self.waiting = bytes(piece)

    def write(self, data: memoryview) -> None:
        self.sent += data

    def server_broke(self, error: OSError) -> None:
        self.broke = error


class Link:
    """A link whose clock the test moves."""

    start_s = 0.0

    def __init__(self, trace: Trace, ticker: Ticker, alarms: Alarms) -> None:
        self.trace, self.alarms, self.time_s = trace, alarms, 0.0
        self.config = ShaperConfig(quantum_bytes=QUANTUM_BYTES, queue_s=0.0)
        self.pacer = SharedPacer(trace, quantum_bytes=QUANTUM_BYTES)
        self.ledger = Ledger(trace, interval_s=self.config.interval_s)
        self.departures = GridDepartures(self, ticker)
        self.flows = {flow: Flow(self, flow) for flow in (0, 1)}

    def now_s(self) -> float:
        return self.time_s

    def tick(self, time_s: float) -> None:
        self.time_s = time_s
        self.departures.tick(time_s)

    def send(self, now_s: float, *, until_s: float) -> None:
        for flow, size_bytes in self.pacer.due(until_s):
            each = self.flows[flow]
            each.write(memoryview(each.waiting[:size_bytes]))
            each.waiting = each.waiting[size_bytes:]
            self.ledger.add_delivered(size_bytes, now_s)

    def note_sent_alone(
        self, flow: int, *, arrived_bytes: int, sent_bytes: int, since_s: float
    ) -> None:
        self.pacer.offer(flow, arrived_bytes, since_s)
        self.pacer.take_alone(flow, sent_bytes)
        self.ledger.add_delivered(sent_bytes, since_s)


@pytest.fixture
async def link() -> Link:
    """4 Mbit/s, then nothing from 1 to 2 s: 5000 bytes in each 10 ms."""
    alarms = Alarms(asyncio.get_running_loop())
    alarms.close()  # the tests tick
    trace = Trace.from_periods([(1, 4e6), (1, 0), (10, 4e6)])
    return Link(trace, Ticker(alarms, 0.01), alarms)


def text(size_bytes: int) -> bytes:
    """Bytes that tell their order."""
    return b"".join(b"%8d" % number for number in range(size_bytes // 8))


async def test_a_busy_flow_is_pulled_and_not_watched(link: Link) -> None:
    """While bytes wait the loop does not read; more come by pulls, in order and on time."""
    flow, sent = link.flows[0], text(400_000)
    flow.server.kernel += sent[17_000:]
    flow.pushed(sent[:17_000])
    assert not flow.server.is_read
    for tick in range(1, 60):
        link.tick(tick * 0.01)
        assert flow.sent == sent[: len(flow.sent)]
        assert tick * 5000 - QUANTUM_BYTES < len(flow.sent) <= tick * 5000
    assert not flow.server.is_read
    # 16 kB at a time: one pull every third tick or so.
    assert flow.server.pulls < 30


async def test_the_books_are_right_whenever_they_are_looked_at(link: Link) -> None:
    """Sent, waiting, used bits and the columns of the report, after every tenth tick."""
    flow, sent = link.flows[0], text(800_000)
    flow.server.kernel += sent[17_000:]
    flow.pushed(sent[:17_000])
    for tick in range(1, 95):
        link.tick(tick * 0.01)
        if tick % 10 == 0:
            link.departures.settle()
            assert link.pacer.used_bits == 8 * len(flow.sent)
            assert link.pacer.queued_bytes(0) == flow.down_bytes
            seen_bytes = len(sent) - len(flow.server.kernel)
            assert len(flow.sent) + flow.down_bytes == seen_bytes
    link.departures.settle()
    assert sum(link.ledger.report().delivered_bytes) == len(flow.sent)
    # 49 whole ticks and the one at 0.5 s, which counts for the interval that begins.
    assert link.ledger.report().delivered_bytes[0] == pytest.approx(245_000, abs=5000)


async def test_an_outage_leaks_nothing_and_a_late_tick_loses_nothing(link: Link) -> None:
    flow = link.flows[0]
    flow.server.kernel += bytes(2_000_000)
    flow.pushed(bytes(17_000))
    for tick in range(1, 101):
        link.tick(tick * 0.01)
    assert len(flow.sent) == 500_000
    for tick in range(101, 200):
        link.tick(tick * 0.01)
    assert len(flow.sent) == 500_000
    link.tick(2.01)
    link.tick(2.2)  # 180 ms late
    assert 599_000 <= len(flow.sent) <= 600_000


async def test_a_pull_that_comes_up_short_lets_the_loop_read_again(link: Link) -> None:
    """The kernel has 3000 bytes more: they leave, and then the server is watched."""
    flow = link.flows[0]
    flow.server.kernel += bytes(3000)
    flow.pushed(bytes(17_000))
    for tick in range(1, 6):
        link.tick(tick * 0.01)
    assert len(flow.sent) == 20_000
    assert flow.server.is_read
    assert not link.pacer.is_backlogged
    flow.pushed(bytes(100))
    link.tick(0.06)
    assert len(flow.sent) == 20_100
    assert flow.server.is_read


async def test_a_second_flow_ends_the_lane_and_takes_its_turns(link: Link) -> None:
    """From 50 ms on both get half."""
    first, second = link.flows.values()
    for flow in (first, second):
        flow.server.kernel += bytes(200_000)
    first.pushed(bytes(17_000))
    for tick in range(1, 6):
        link.tick(tick * 0.01)
    link.departures.settle()
    second.pushed(bytes(17_000))
    before = len(first.sent)
    for tick in range(6, 26):
        link.tick(tick * 0.01)
    assert len(second.sent) == pytest.approx(50_000, abs=2 * QUANTUM_BYTES)
    assert len(first.sent) - before == pytest.approx(50_000, abs=2 * QUANTUM_BYTES)


async def test_a_flow_whose_client_is_full_is_not_pulled(link: Link) -> None:
    flow = link.flows[0]
    flow.server.kernel += bytes(200_000)
    flow.pushed(bytes(17_000))
    link.tick(0.01)
    link.departures.settle()
    flow.client_takes = False
    link.pacer.block(0, 0.01)
    link.departures.changed()
    pulls = flow.server.pulls
    link.tick(0.5)
    assert flow.server.pulls == pulls
    flow.client_takes = True
    link.pacer.unblock(0, 0.5)
    link.tick(0.51)
    assert flow.down_bytes > 0


async def test_a_break_met_by_a_pull_is_told(link: Link) -> None:
    """The kernel says it once only."""
    flow = link.flows[0]
    flow.pushed(bytes(17_000))
    flow.server.error = ConnectionResetError("reset")
    for tick in range(1, 5):
        link.tick(tick * 0.01)
    assert flow.broke is flow.server.error
    assert len(flow.sent) == 17_000
