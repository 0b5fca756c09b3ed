"""One trace, one rung: segment download times in simulator, shaper and kernel, side by side.

    python -m tests.perf.link_agreement [--segments 16] [--no-kernel]

Segments of equal size are downloaded one after the other over one connection. In the
simulator the link is ``abr.link.SharedLink``; in the shaper and the kernel a client in a
process of its own talks to a server in another. The trace steps between 1 and 8 Mbit/s,
without an outage, whose end a real TCP meets later than a formula does. It takes about
40 s for each of the two.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from abr.link import SharedLink
from abr.trace import Trace
from player.shaping.kernel import KernelConfig, find_obstacle, run_behind
from player.shaping.proxy import Shaper
from player.shaping.run import Address
from tests.perf.shaper_accuracy import serve

RTT_S = 0.04
STEPS_MBPS = (2, 4, 1, 8, 3, 1.5, 6, 2, 5, 1, 4, 8, 3, 7, 1.5, 2, 6, 1, 8, 4)
STEP_S = 2.0
BARS = {"shaper": 0.03, "kernel": 0.05}

CLIENT = """
import json, socket, sys, time
host, _, port = sys.argv[1].rpartition(":")
count, size_bytes = int(sys.argv[2]), int(sys.argv[3])
took, begun = [], time.monotonic()
sock = socket.create_connection((host, int(port)), timeout=60)
sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
for _ in range(count):
    sock.sendall(b"%d\\n" % size_bytes)
    left = size_bytes
    while left:
        left -= len(sock.recv(min(left, 65536)))
    now = time.monotonic()
    took.append(now - begun)
    begun = now
json.dump(took, open(sys.argv[4], "w"))
"""


def trace() -> Trace:
    """The steps; time 0 is the first byte of the first answer."""
    return Trace.from_periods([(STEP_S, mbps * 1e6) for mbps in STEPS_MBPS], name="steps")


def simulated(segments: int, size_bytes: int) -> list[float]:
    """Download times on the virtual network."""
    steps = trace()
    # The shaper's and the kernel's clocks start two round trips after the first request.
    lead = [(2 * RTT_S, float(steps.capacity_bps[0]))]
    periods = [(STEP_S, float(bps)) for bps in steps.capacity_bps]
    link = SharedLink(Trace.from_periods(lead + periods, end="hold"), rtt_s=RTT_S, connections=1)
    took, now_s = [], 0.0
    for flow in range(segments):
        link.request(flow, size_bytes, now_s)
        begun_s = now_s
        while not any(event.kind == "finished" for event in link.advance(now_s)):
            now_s = link.next_event_s()
        took.append(now_s - begun_s)
    return took


async def shaped(port: int, words: list[str], result: Path) -> list[float]:
    """Download times through the shaper."""
    async with Shaper(trace(), "127.0.0.1", port, rtt_s=RTT_S) as shaper:
        words = [word.replace("{listen}", f"{shaper.host}:{shaper.port}") for word in words]
        process = await asyncio.create_subprocess_exec(*words)
        await process.wait()
        note = "OVERLOADED" if shaper.report.is_overloaded else "not overloaded"
        print(f"shaper: {note}, timers late p95 {1000 * shaper.report.lateness_p95_s:.2f} ms")
    times: list[float] = json.loads(result.read_text())
    return times


async def in_kernel(port: int, words: list[str], result: Path, congestion: str) -> list[float]:
    """Download times behind the kernel's filter."""
    report = await run_behind(
        trace(),
        Address("127.0.0.1", port),
        words,
        rtt_s=RTT_S,
        config=KernelConfig(congestion=congestion),
    )
    print(f"kernel: {report.in_kernel}; rate changed late p95 {1000 * report.late_p95_s:.2f} ms")
    times: list[float] = json.loads(result.read_text())
    return times


def expected(took_s: list[float], size_bytes: int) -> list[float]:
    """What the simulator's link says of each download that begins when it did begin."""
    steps = trace()
    times, begun_s = [], -2 * RTT_S
    for k, time_s in enumerate(took_s):
        first_byte_s = begun_s + (2 * RTT_S if k == 0 else RTT_S)
        times.append(steps.finish_time(first_byte_s, size_bytes) - begun_s)
        begun_s += time_s
    return times


def show(rows: dict[str, list[float]], size_bytes: int) -> bool:
    """The table, and whether the bars hold.

    Two differences for each download. *Aligned* is against the simulated download that
    begins at the same instant: how well the link keeps to the trace; the bars are for it.
    *Unaligned* is against the download of the same number in the simulated run: there an
    early or late begin, which the downloads before it left behind, meets other capacity.
    """
    names = list(rows)
    print("".join(f"{name:>11}" for name in ["segment", *names]) + "   aligned, unaligned: each")
    base = np.array(rows["simulator"])
    aligned = {
        name: np.array(rows[name]) / np.array(expected(rows[name], size_bytes)) - 1
        for name in names[1:]
    }
    unaligned = {name: np.array(rows[name]) / base - 1 for name in names[1:]}
    for k in range(len(base)):
        times = "".join(f"{rows[name][k]:>9.3f} s" for name in names)
        offs = "".join(
            f"   {aligned[name][k]:>+7.2%} {unaligned[name][k]:>+7.2%}" for name in names[1:]
        )
        print(f"{k:>11}{times}{offs}")
    good = True
    for name in names[1:]:
        most = float(np.abs(aligned[name]).max())
        holds = most <= BARS[name]
        good = good and holds
        total = sum(rows[name]) / sum(rows["simulator"]) - 1
        print(
            f"simulator / {name}: aligned mean {np.abs(aligned[name]).mean():.2%}, "
            f"most {most:.2%}   bar {BARS[name]:.0%} {'ok' if holds else 'MISSED'}"
        )
        print(
            f"{'':>{len(name) + 12}}  unaligned mean {np.abs(unaligned[name]).mean():.2%}, "
            f"most {np.abs(unaligned[name]).max():.2%}; all downloads together {total:+.2%}"
        )
    return good


def main() -> int:
    """Measure and print; 1 when a bar was missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--segments", type=int, default=24)
    parser.add_argument("--bytes", type=int, default=500_000, help="of each segment")
    parser.add_argument("--congestion", default="cubic")
    parser.add_argument("--no-kernel", action="store_true")
    args = parser.parse_args()
    port, written = multiprocessing.Value("i", 0), multiprocessing.Value("q", 0)
    server = multiprocessing.Process(target=serve, args=(port, written), daemon=True)
    server.start()
    while not port.value:
        time.sleep(0.01)
    rows = {"simulator": simulated(args.segments, args.bytes)}
    try:
        with tempfile.TemporaryDirectory() as folder:
            result = Path(folder) / "times.json"
            count, size = str(args.segments), str(args.bytes)
            words = [sys.executable, "-c", CLIENT, "{listen}", count, size, str(result)]
            rows["shaper"] = asyncio.run(shaped(port.value, words, result))
            why = find_obstacle()
            if args.no_kernel or why:
                print(f"kernel: left out{f' ({why})' if why else ''}")
            else:
                rows["kernel"] = asyncio.run(in_kernel(port.value, words, result, args.congestion))
    finally:
        server.terminate()
        server.join()
    good = show(rows, args.bytes)
    print(f"load average {os.getloadavg()[0]:.2f} on {os.cpu_count()} processors")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
