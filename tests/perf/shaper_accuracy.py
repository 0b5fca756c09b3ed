"""How closely the shaping proxy follows a trace: prints a table, about 80 s.

    python -m tests.perf.shaper_accuracy [--quick]

The server runs in a process of its own; client and proxy share one event loop, as they
do in the player. The trace lasts 24 s: steps of 1 s between 0.5 and 8 Mbit/s with an
outage of 2 s. Steady error: bytes in half-second windows that begin a quarter second
after each step, against the capacity.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import multiprocessing
import multiprocessing.sharedctypes
import resource
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import numpy as np

from abr.trace import Trace
from origin.server.connection import UNSENT_BYTES
from player.shaping.alarms import Alarms
from player.shaping.grid import Ticker
from player.shaping.ledger import ShaperReport
from player.shaping.proxy import Shaper
from player.shaping.run import MANY_CLIENTS, config_for

STEPS_MBPS = (2, 4, 1, 8, 3, 0.5, 6, 2, 5, 1, 0, 0, 4, 8, 0.5, 3, 7, 1.5, 2, 6, 1, 8, 4, 2)
OUTAGE_S = (10.0, 12.0)
RTT_S = 0.04
OURS_BYTES = 2_000_000_000
"""Asks for as much, from a server that sets its sockets like ours."""
Counter = multiprocessing.sharedctypes.Synchronized


def step_trace(last_s: int) -> Trace:
    """The first ``last_s`` steps."""
    periods = [(1.0, mbps * 1e6) for mbps in STEPS_MBPS[:last_s]]
    return Trace.from_periods(periods, end="hold", name="steps")


def serve(port: Counter[int], written: Counter[int]) -> None:
    """Answer ``N\\n`` with N bytes; a negative number leaves the buffer to the kernel."""
    asyncio.run(_serve(port, written))


async def _serve(port: Counter[int], written: Counter[int]) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                left = int(line)
                sock = writer.get_extra_info("socket")
                if left >= OURS_BYTES:
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
                elif left > 0:  # a server that limits what its kernel holds
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32768)
                left = abs(left)
                while left > 0:
                    piece = bytes(min(left, 65536))
                    writer.write(piece)
                    await writer.drain()
                    left -= len(piece)
                    # What the server may believe delivered: all but its own queue.
                    written.value += len(piece)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port.value = server.sockets[0].getsockname()[1]
    await server.serve_forever()


@dataclass
class Client(asyncio.Protocol):
    """Counts what arrives and when, trace time."""

    shaper: Shaper
    arrivals: list[tuple[float, int]] = field(default_factory=list)
    wanted: int = 0
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.arrivals.append((self.shaper.now_s(), len(data)))
        self.wanted -= len(data)
        if self.wanted <= 0:
            self.done.set()

    def ask(self, size_bytes: int) -> None:
        """Request ``size_bytes``."""
        self.wanted = abs(size_bytes)
        self.done.clear()
        self.transport.write(b"%d\n" % size_bytes)

    def bytes_in(self, from_s: float, to_s: float) -> int:
        """What arrived in ``[from_s, to_s)``."""
        return sum(size for at_s, size in self.arrivals if from_s <= at_s < to_s)


async def connect(shaper: Shaper) -> Client:
    """A client connected to the proxy, its connection round trip paid."""
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(lambda: Client(shaper), shaper.host, shaper.port)
    await asyncio.sleep(0.1)
    return client


def steady_errors(trace: Trace, clients: list[Client], last_s: int) -> np.ndarray:
    """Relative error in the middle half of every step with capacity."""
    errors = []
    for step in range(1, last_s):  # the first step holds the round trip
        offered = (trace.bits_by(step + 0.75) - trace.bits_by(step + 0.25)) / 8
        if offered:
            got = sum(client.bytes_in(step + 0.25, step + 0.75) for client in clients)
            errors.append(abs(got - offered) / offered)
    return np.array(errors)


async def download(port: int, last_s: int, clients: int, row: str) -> None:
    """One or more downloads that never end, over the whole trace."""
    trace = step_trace(last_s)
    async with Shaper(trace, "127.0.0.1", port, rtt_s=RTT_S) as shaper:
        connected = [await connect(shaper) for _ in range(clients)]
        shaper.start_clock()
        cpu_s = _cpu_s()
        for client in connected:
            client.ask(1_000_000_000)
        await asyncio.sleep(last_s)
        cpu_s = _cpu_s() - cpu_s
        report = shaper.report
        for client in connected:
            client.transport.abort()
    offered = (trace.bits_by(last_s) - trace.bits_by(RTT_S)) / 8
    got = sum(client.bytes_in(0, last_s) for client in connected)
    leak = sum(c.bytes_in(OUTAGE_S[0] + 0.01, OUTAGE_S[1]) for c in connected) * 8e-6 / 2
    errors = steady_errors(trace, connected, last_s)
    show(row, "delivered / offered", f"{got / offered:.4f}", 0.97 <= got / offered <= 1.01)
    p95 = float(np.percentile(errors, 95))
    show(row, "steady error mean / p95", f"{errors.mean():.2%} / {p95:.2%}", p95 <= 0.08)
    if last_s > OUTAGE_S[1]:
        show(row, "leak in the outage", f"{leak:.4f} Mbit/s", leak <= 0.05)
    if clients > 1:
        shares = [client.bytes_in(0, last_s) / got for client in connected]
        show(row, "share of each", " / ".join(f"{share:.3f}" for share in shares), True)
    show_report(row, report, cpu_s / last_s)


def show_report(row: str, report: ShaperReport, cores: float) -> None:
    """What the proxy itself says of the run."""
    late = [report.lateness_p50_s, report.lateness_p95_s, report.lateness_max_s]
    text = " / ".join(f"{1000 * value:.2f}" for value in late)
    show(row, "timer late p50 / p95 / max", f"{text} ms", not report.is_overloaded)
    show(row, "processor, client and proxy", f"{cores:.2f} core", True)


async def run_ahead(port: int, written: Counter[int]) -> None:
    """How far servers run ahead of the client at 2 Mbit/s."""
    rows = (
        ("small send buffer", 1_000_000_000),
        ("as origin and edge do", OURS_BYTES),
        ("kernel's send buffer", -1_000_000_000),
    )
    alarms = Alarms(asyncio.get_running_loop())
    ticker = Ticker(alarms, config_for(MANY_CLIENTS).tick_s)
    trace = Trace.constant(2e6)
    for (row, size_bytes), grid in itertools.product(rows, (None, ticker)):
        async with Shaper(
            trace, "127.0.0.1", port, rtt_s=RTT_S, alarms=alarms, ticker=grid
        ) as shaper:
            client = await connect(shaper)
            written.value = 0
            client.ask(size_bytes)
            ahead = 0
            for _ in range(16):
                await asyncio.sleep(0.25)
                ahead = max(ahead, written.value - client.bytes_in(0, np.inf))
            client.transport.abort()
        what = f"server ahead, {'one of many clients' if grid else 'one client'}"
        show(row, what, f"{ahead / 1000:.0f} kB", ahead <= 256_000)
    alarms.close()


async def latency(port: int) -> None:
    """Small answers over an idle link of 100 Mbit/s, in turn with a direct connection."""
    loop = asyncio.get_running_loop()
    took_ms: dict[str, list[float]] = {"direct": [], "shaped": []}
    async with Shaper(Trace.constant(100e6), "127.0.0.1", port, rtt_s=RTT_S) as shaper:
        clients = {"shaped": await connect(shaper)}
        _, clients["direct"] = await loop.create_connection(
            lambda: Client(shaper), "127.0.0.1", port
        )
        for _ in range(100):
            for name, client in clients.items():
                begun_s = loop.time()
                client.ask(100)
                await client.done.wait()
                took_ms[name].append(1000 * (loop.time() - begun_s))
                await asyncio.sleep(0.013)
        for client in clients.values():
            client.transport.abort()
    direct = np.percentile(took_ms["direct"], [50, 95])
    added = np.percentile(took_ms["shaped"], [50, 95]) - 1000 * RTT_S
    show("idle link", "direct answer p50 / p95", f"{direct[0]:.2f} / {direct[1]:.2f} ms", True)
    for name, value_ms in zip(("p50", "p95"), added, strict=True):
        show("idle link", f"above the round trip {name}", f"{value_ms:.2f} ms", value_ms <= 1.5)


async def after_silence(port: int) -> None:
    """Five seconds without a request must not buy a burst."""
    async with Shaper(Trace.constant(4e6), "127.0.0.1", port, rtt_s=RTT_S) as shaper:
        client = await connect(shaper)
        shaper.start_clock()
        client.ask(1000)
        await client.done.wait()
        await asyncio.sleep(5)
        client.ask(500_000)
        await client.done.wait()
        client.transport.abort()
    first_s = next(at_s for at_s, _ in client.arrivals if at_s > 2)
    excess = 0.0
    for at_s, _ in client.arrivals:
        if first_s <= at_s < first_s + 0.2:
            excess = max(excess, client.bytes_in(first_s, at_s + 1e-9) * 8 / 4e6 - (at_s - first_s))
    show("after 5 s of silence", "largest burst", f"{1000 * excess:.1f} ms worth", excess <= 0.02)


async def fast(port: int) -> None:
    """100 Mbit/s for 4 s: the fastest link that still holds on one event loop."""
    trace = Trace.constant(100e6)
    async with Shaper(trace, "127.0.0.1", port, rtt_s=RTT_S) as shaper:
        client = await connect(shaper)
        shaper.start_clock()
        cpu_s = _cpu_s()
        client.ask(1_000_000_000)
        await asyncio.sleep(4)
        got = client.bytes_in(0.5, 4) / (100e6 * 3.5 / 8)
        show("100 Mbit/s", "delivered / offered", f"{got:.4f}", 0.97 <= got <= 1.01)
        show_report("100 Mbit/s", shaper.report, (_cpu_s() - cpu_s) / 4)
        client.transport.abort()


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def show(row: str, what: str, value: str, holds: bool) -> None:
    """One line of the table."""
    print(f"{row:<24} {what:<32} {value:<28} {'ok' if holds else 'MISSED'}", flush=True)


def main() -> None:
    """Run every measurement against one server process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="8 s of the trace, no outage")
    last_s = 8 if parser.parse_args().quick else 24
    port = multiprocessing.Value("i", 0)
    written = multiprocessing.Value("q", 0)
    server = multiprocessing.Process(target=serve, args=(port, written), daemon=True)
    server.start()
    while not port.value:
        time.sleep(0.01)
    runs: list[Callable[[], Awaitable[None]]] = [
        lambda: download(port.value, last_s, 1, "one download"),
        lambda: download(port.value, last_s, 2, "two downloads"),
        lambda: run_ahead(port.value, written),
        lambda: latency(port.value),
        lambda: after_silence(port.value),
        lambda: fast(port.value),
    ]
    try:
        for run in runs:
            asyncio.run(_awaited(run))
    finally:
        server.terminate()
        server.join()


async def _awaited(run: Callable[[], Awaitable[None]]) -> None:
    await run()


if __name__ == "__main__":
    main()
