"""Memory of an edge while many clients ask for a large object and read nothing.

    python -m tests.perf.edge_slow_readers [--clients 200] [--kib 4096] [--rounds 3] [--json]

Measured with and without a length, for a body that is stored and for one that is being fetched:
how much the edge's resident memory grows (bar: 20 MiB), at the highest moment.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp

from tests.fakes.parent import FakeParent, fake_parent

BAR_MIB = 20.0
WATCH_S = 3.0


def resident_mib(pid: int) -> float:
    """Resident memory of a process without pages of files, which its descriptors do not cost."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no RssAnon")


@asynccontextmanager
async def edge_of(parent: FakeParent, folder: Path) -> AsyncIterator[tuple[str, int]]:
    """An edge as its users start it: its URL and process id."""
    command = [sys.executable, "-m", "abr", "edge", "--open", "--port", "0", "--json"]
    command += ["--parent", parent.url, "--cache-dir", str(folder)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 30)
        yield json.loads(line)["listeners"][0]["url"], process.pid
    finally:
        process.terminate()
        await process.wait()


async def get(url: str) -> bytes:
    """One whole answer."""
    async with aiohttp.ClientSession() as client, client.get(url) as answer:
        return await answer.read()


async def growth(url: str, path: str, pid: int, clients: int) -> float:
    """The most that memory grows while clients ask and do not read."""
    host, port = url.removeprefix("http://").split(":")
    before = most = resident_mib(pid)
    sockets = []
    try:
        for _ in range(clients):
            sock = socket.create_connection((host, int(port)), 5)
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            sockets.append(sock)
            await asyncio.sleep(0)
        until_s = asyncio.get_running_loop().time() + WATCH_S
        while asyncio.get_running_loop().time() < until_s:
            most = max(most, resident_mib(pid))
            await asyncio.sleep(0.05)
    finally:
        for sock in sockets:
            sock.close()
    return most - before


async def measure(args: argparse.Namespace) -> list[dict[str, object]]:
    """All four cases, in turn."""
    body = os.urandom(args.kib << 10)
    found: dict[str, list[float]] = {}
    for number in range(args.rounds):
        for chunked in (False, True):
            for is_stored in (True, False):
                async with AsyncExitStack() as stack:
                    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="edge-slow-"))
                    parent = await stack.enter_async_context(fake_parent())
                    path = f"/film/{number}"
                    parent.add(path, body, chunked=chunked, body_s=0.0 if is_stored else 1.0)
                    parent.add("/film/other", body)
                    url, pid = await stack.enter_async_context(edge_of(parent, Path(folder)))
                    assert await get(url + "/film/other") == body  # what every first use costs
                    if is_stored:
                        assert await get(url + path) == body
                    name = "stored" if is_stored else "being fetched"
                    name += ", no length" if chunked else ", with a length"
                    grown = await growth(url, path, pid, args.clients)
                    found.setdefault(name, []).append(grown)
    return [
        {"case": name, "grown_mib": round(statistics.median(each), 1), "most": round(max(each), 1)}
        for name, each in found.items()
    ]


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--kib", type=int, default=4096, help="size of the object")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = asyncio.run(measure(args))
    if args.json:
        print(json.dumps({"command": sys.argv[1:], "rows": rows}))
        return
    print(f"{args.clients} clients that never read {args.kib} KiB; bar {BAR_MIB:g} MiB")
    for row in rows:
        verdict = "ok" if float(str(row["grown_mib"])) <= BAR_MIB else "MISSED"
        print(f"{row['case']:>30}  {row['grown_mib']:>6} MiB (most {row['most']})  {verdict}")


if __name__ == "__main__":
    main()
