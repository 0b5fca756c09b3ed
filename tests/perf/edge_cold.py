"""100 clients, one cold object, two tiers: fetches a tier, waits, and what a failure leaves.

    python -m tests.perf.edge_cold [--clients 100] [--rounds 5] [--json]

The parent takes 0.2 s to its first byte and 1 s for 1 MiB. Two edges in processes of their own
stand before it, one behind the other, without tokens. Printed: fetches from the parent and from the
regional tier, how much later than the parent's first byte the clients' first bytes come, the same
with the first client gone at once, and what clients get when the parent breaks off half-way.
"""

from __future__ import annotations

import argparse
import asyncio
import json
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
from tests.fakes.parent import FakeParent, fake_parent
from tests.fakes.ports import free_ports, until_listening

BODY = bytes(range(256)) * 4096
FIRST_BYTE_S, BODY_S = 0.2, 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one case came to, over all rounds."""

    case: str
    fetches_most: int
    """Fetches from the parent for one object, the most of any round."""
    regional_most: int
    """The same from the regional tier."""
    whole: int
    """Clients that got every byte."""
    truncated_as_whole: int
    """Clients that were told a part was the whole."""
    late_median_ms: float
    """First byte after the parent's own, over all clients."""
    late_p99_ms: float


def _edge(parent: str, port: int, folder: Path, name: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "abr", "edge", "--no-token", "--parent", parent),
            *("--port", str(port), "--cache-dir", str(folder / name), "--name", name),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@asynccontextmanager
async def _tiers(parent: str, folder: Path) -> AsyncIterator[tuple[str, str]]:
    """URLs of a near edge and of the regional edge behind it."""
    first = free_ports(2)
    regional, near = f"http://127.0.0.1:{first}", f"http://127.0.0.1:{first + 1}"
    started = [
        _edge(parent, first, folder, "regional"),
        _edge(regional, first + 1, folder, "near"),
    ]
    try:
        for port in (first, first + 1):
            await until_listening(port)
        yield near, regional
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(15)


@dataclass(slots=True)
class _Got:
    first_s: float = -1.0
    size_bytes: int = 0
    said_whole: bool = False


async def _get(session: aiohttp.ClientSession, url: str) -> _Got:
    got = _Got()
    begun_s = monotonic_s()
    try:
        async with session.get(url) as answer:
            while piece := await answer.content.readany():
                if got.first_s < 0:
                    got.first_s = monotonic_s() - begun_s
                got.size_bytes += len(piece)
            got.said_whole = answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        pass
    return got


async def _fills(session: aiohttp.ClientSession, url: str) -> int:
    async with session.get(url + "/.abr/metrics") as answer:
        lines = (await answer.text()).splitlines()
    (line,) = (line for line in lines if line.startswith("abr_edge_fills_total{"))
    return int(float(line.rpartition(" ")[2]))


async def _round(
    case: str, number: int, clients: int, parent: FakeParent, near: str, regional: str
) -> tuple[int, int, list[_Got]]:
    path = f"/{case}/{number}"
    breaks = len(BODY) // 2 if case == "broken" else None
    parent.add(
        path,
        BODY,
        headers={"Cache-Control": "max-age=600"},
        first_byte_s=FIRST_BYTE_S,
        body_s=BODY_S,
        breaks_after=breaks,
    )
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=30)
    ) as session:
        before = await _fills(session, near)
        tasks = [asyncio.create_task(_get(session, near + path)) for _ in range(clients)]
        if case == "first-client-gone":
            await asyncio.sleep(0.05)
            tasks.pop(0).cancel()
        got = await asyncio.gather(*tasks)
        return parent.asked.count(path), await _fills(session, near) - before, list(got)


async def _measure(clients: int, rounds: int) -> list[Outcome]:
    found = []
    with tempfile.TemporaryDirectory() as folder:
        async with fake_parent() as parent, _tiers(parent.url, Path(folder)) as (near, regional):
            for case in ("cold", "first client gone", "broken"):
                played = [
                    await _round(case.replace(" ", "-"), number, clients, parent, near, regional)
                    for number in range(rounds)
                ]
                every = [got for _, _, all_got in played for got in all_got]
                late_ms = sorted(
                    1000 * (got.first_s - FIRST_BYTE_S) for got in every if got.first_s >= 0
                )
                found.append(
                    Outcome(
                        case=case,
                        fetches_most=max(fetches for fetches, _, _ in played),
                        regional_most=max(fills for _, fills, _ in played),
                        whole=sum(got.size_bytes == len(BODY) for got in every),
                        truncated_as_whole=sum(
                            got.said_whole and got.size_bytes < len(BODY) for got in every
                        ),
                        late_median_ms=statistics.median(late_ms) if late_ms else float("nan"),
                        late_p99_ms=late_ms[int(0.99 * len(late_ms))] if late_ms else float("nan"),
                    )
                )
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found = asyncio.run(_measure(args.clients, args.rounds))
    if args.json:
        print(json.dumps([asdict(each) for each in found]))
        return
    print("case               fetches  near tier's  whole  cut, as whole  later: median     p99")
    for each in found:
        print(
            f"{each.case:18} {each.fetches_most:7} {each.regional_most:12} {each.whole:6} "
            f"{each.truncated_as_whole:14} {each.late_median_ms:11.1f}ms {each.late_p99_ms:5.1f}ms"
        )


if __name__ == "__main__":
    main()
