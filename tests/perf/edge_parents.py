"""One of three parents killed, or frozen, under load: failed and slow requests.

    python -m tests.perf.edge_parents [--requests 800] [--rate 100] [--json]

An edge in a process of its own asks three parents, each a process of its own. Requests for
different objects, none of them cached, come at a fixed rate; after a quarter of them one parent
is killed (SIGKILL) or frozen (SIGSTOP). A request that fails or takes more than 250 ms counts
against the edge. The same is measured with the parent in good health, as the machine's own noise.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import aiohttp

from edge.server.clock import monotonic_s
from tests.fakes.ports import free_ports, until_listening

SLOW_S = 0.25
BODY_BYTES = 16 << 10

PARENT = """
import sys
from aiohttp import web
async def answer(request):
    fields = {"Cache-Control": "max-age=60"}
    return web.Response(body=bytes(int(sys.argv[2])), headers=fields)
app = web.Application()
app.router.add_route("*", "/{tail:.*}", answer)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of the requests."""

    case: str
    requests: int
    failed: int
    slow: int
    median_ms: float
    p99_ms: float
    worst_ms: float


def _start(
    ports: range, folder: Path
) -> tuple[list[subprocess.Popen[bytes]], subprocess.Popen[bytes]]:
    """Three parents, and an edge that asks them."""
    parents = [
        subprocess.Popen([sys.executable, "-c", PARENT, str(port), str(BODY_BYTES)])
        for port in ports[:3]
    ]
    chosen = [part for port in ports[:3] for part in ("--parent", f"http://127.0.0.1:{port}")]
    edge = subprocess.Popen(
        [
            *(sys.executable, "-m", "abr", "edge", "--no-token", "--port", str(ports[3])),
            *("--cache-dir", str(folder), *chosen),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return parents, edge


@asynccontextmanager
async def _tree(folder: Path) -> AsyncIterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """URL of an edge, and the processes of its three parents."""
    first = free_ports(4)
    ports = range(first, first + 4)
    parents, edge = _start(ports, folder)
    try:
        for port in ports:
            await until_listening(port)
        yield f"http://127.0.0.1:{ports[3]}", parents
    finally:
        for process in (edge, *parents):
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
        for process in (edge, *parents):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


async def _measure(case: str, requests: int, rate: float) -> Outcome:
    times_s: list[float] = []
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        async with (
            _tree(Path(folder)) as (url, parents),
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=15),
            ) as client,
        ):

            async def ask(number: int) -> None:
                nonlocal failed
                begun_s = monotonic_s()
                try:
                    async with client.get(f"{url}/object/{case}/{number}") as answer:
                        good = answer.status == 200 and len(await answer.read()) == BODY_BYTES
                except (aiohttp.ClientError, TimeoutError):
                    good = False
                failed += not good
                times_s.append(monotonic_s() - begun_s)

            for number in range(30):  # warms connections up; not counted
                await ask(-number - 1)
            times_s.clear()
            failed = 0
            begun_s = monotonic_s()
            async with asyncio.TaskGroup() as group:
                for number in range(requests):
                    await asyncio.sleep(max(0.0, begun_s + number / rate - monotonic_s()))
                    if number == requests // 4 and case != "well":
                        sign = signal.SIGKILL if case == "killed" else signal.SIGSTOP
                        os.kill(parents[0].pid, sign)
                    group.create_task(ask(number))
    ordered = sorted(times_s)
    return Outcome(
        case=case,
        requests=requests,
        failed=failed,
        slow=sum(each > SLOW_S for each in ordered),
        median_ms=1000 * statistics.median(ordered),
        p99_ms=1000 * ordered[int(0.99 * len(ordered))],
        worst_ms=1000 * ordered[-1],
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=800)
    parser.add_argument("--rate", type=float, default=100.0, help="requests per second")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found = [
        asyncio.run(_measure(case, args.requests, args.rate))
        for case in ("well", "killed", "frozen")
    ]
    if args.json:
        print(json.dumps([asdict(each) for each in found]))
        return
    print("parent   requests  failed  > 250 ms   median      p99    worst")
    for each in found:
        print(
            f"{each.case:8} {each.requests:8} {each.failed:7} {each.slow:9} "
            f"{each.median_ms:6.1f}ms {each.p99_ms:6.1f}ms {each.worst_ms:6.0f}ms"
        )


if __name__ == "__main__":
    main()
