"""Many shaped clients in one process: prints each client's error and the processor used.

    python -m tests.perf.many_clients [--clients 200] [--mbps 4] [--seconds 12]

Server, clients and shaper are three processes. The error of a client is that of its bytes
in half-second windows, against the capacity, from 2 s after it began; a window counts
once for each client.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import multiprocessing.sharedctypes
import os
import resource
import time
from collections.abc import Sequence

import numpy as np

from abr.trace import Trace
from player.shaping.ledger import ShaperReport
from player.shaping.run import Address, config_for, shape

WINDOW_S = 0.5
PIECE = bytes(65536)
Counter = multiprocessing.sharedctypes.Synchronized


class Endless(asyncio.Protocol):
    """Sends for ever from the first byte it gets."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.sending = False

    def data_received(self, data: bytes) -> None:
        if not self.sending:
            self.sending = True
            self.resume_writing()

    def pause_writing(self) -> None:
        self.full = True

    def resume_writing(self) -> None:
        self.full = False
        while not self.full and not self.transport.is_closing():
            self.transport.write(PIECE)


class Sink(asyncio.BufferedProtocol):
    """Counts bytes per window of the monotonic clock, all into one buffer."""

    buffer = bytearray(65536)

    def __init__(self) -> None:
        self.windows: dict[int, int] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"go")

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        window = int(time.monotonic() / WINDOW_S)
        self.windows[window] = self.windows.get(window, 0) + nbytes


def serve(port: Counter[int]) -> None:
    """The server's process."""

    async def run() -> None:
        _allow_files()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Endless, "127.0.0.1", 0, backlog=1024)
        port.value = server.sockets[0].getsockname()[1]
        await server.serve_forever()

    asyncio.run(run())


def download(addresses: Sequence[tuple[str, int]], seconds: float, mbps: float) -> None:
    """The clients' process: prints what each of them got."""

    async def run() -> list[Sink]:
        _allow_files()
        loop = asyncio.get_running_loop()
        sinks = [(await loop.create_connection(Sink, *address))[1] for address in addresses]
        await asyncio.sleep(seconds)
        return sinks

    sinks = asyncio.run(run())
    want = mbps * 1e6 / 8 * WINDOW_S
    errors = []
    for sink in sinks:
        last = max(sink.windows)
        steady = range(min(sink.windows) + 4, last)
        errors.append([abs(sink.windows.get(k, 0) - want) / want for k in steady])
    pooled = np.concatenate([np.array(each) for each in errors])
    p95 = float(np.percentile(pooled, 95))
    print(f"window error mean {pooled.mean():.2%}, p95 {p95:.2%}, max {pooled.max():.2%}")
    worst = max(float(np.percentile(each, 95)) for each in errors)
    print(f"worst client: p95 {worst:.2%}   (bar: p95 3 %) {'ok' if p95 <= 0.03 else 'MISSED'}")


def main() -> None:
    """Run the three processes and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--mbps", type=float, default=4.0)
    parser.add_argument("--seconds", type=float, default=12.0)
    args = parser.parse_args()
    port = multiprocessing.Value("i", 0)
    server = multiprocessing.Process(target=serve, args=(port,), daemon=True)
    server.start()
    while not port.value:
        time.sleep(0.01)
    clients: list[multiprocessing.Process] = []
    marks: list[float] = []
    kept: list[ShaperReport] = []

    def on_listening(addresses: Sequence[Address]) -> None:
        plain = [tuple(address) for address in addresses]
        process = multiprocessing.Process(
            target=download, args=(plain, args.seconds, args.mbps), daemon=True
        )
        process.start()
        clients.append(process)
        marks.extend((_cpu_s(), time.monotonic()))

    def on_reports(reports: Sequence[ShaperReport]) -> None:
        marks.extend((_cpu_s(), time.monotonic()))
        kept.extend(reports)

    try:
        asyncio.run(
            shape(
                Trace.constant(args.mbps * 1e6),
                Address("127.0.0.1", port.value),
                Address("127.0.0.1", 0),
                clients=args.clients,
                rtt_s=0.04,
                config=config_for(args.clients),
                duration_s=args.seconds + 2.0,
                on_listening=on_listening,
                on_reports=on_reports,
            )
        )
    finally:
        for process in (*clients, server):
            process.join(timeout=3 if process is not server else 0)
            process.terminate()
    # Idle before and after the downloads: all of the processor time belongs to them.
    cores = (marks[2] - marks[0]) / args.seconds
    got_mb = sum(sum(report.delivered_bytes) for report in kept) / 1e6
    late_ms = 1000 * max(report.lateness_p95_s for report in kept)
    print(f"shaper: {cores:.2f} core (bar: 0.5) {'ok' if cores <= 0.5 else 'MISSED'}")
    print(f"delivered {got_mb:.0f} MB, {1000 * (marks[2] - marks[0]) / got_mb:.2f} ms for each")
    print(f"timers late: p95 {late_ms:.2f} ms; load average {os.getloadavg()[0]:.2f}")


def _allow_files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
