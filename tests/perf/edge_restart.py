"""Restarts and reloads of an edge under load: how many requests fail?

    python -m tests.perf.edge_restart [--clients 16] [--requests 5000] [--restarts 5]

Clients keep their connections open and ask for small objects one after the other. Meanwhile the
edge is reloaded (SIGHUP) and replaced (`abr edge --replace`) in turn, without a pause. A
request fails when it gets no whole, right answer with status 200; nothing is tried twice. A
connection that the server closed after saying so, or while it was idle, is opened anew.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.fakes.parent import FakeParent, fake_parent
from tests.fakes.ports import free_ports

OBJECTS = 50
BODY_BYTES = 20_000


@dataclass(slots=True)
class Tally:
    """What came of the requests."""

    answered: int = 0
    faults: list[str] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)


def body_of(number: int) -> bytes:
    """The body of an object: no two are alike."""
    return f"{number:09d}\n".encode() * (BODY_BYTES // 10)


async def client(port: int, first: int, tally: Tally, is_over: Callable[[], bool]) -> None:
    """Ask for one object after the other until it is over."""
    reader: asyncio.StreamReader | None = None
    writer: asyncio.StreamWriter | None = None
    number = first
    while not is_over():
        number = (number + 7) % OBJECTS
        began_s = time.perf_counter()
        try:
            async with asyncio.timeout(10):
                if reader is None or reader.at_eof() or writer is None:
                    if writer is not None:
                        writer.close()
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(f"GET /{number} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                body = await reader.readexactly(BODY_BYTES)
            if not head.startswith("HTTP/1.1 200 ") or body != body_of(number):
                raise ValueError(head.partition("\r\n")[0])
            tally.answered += 1
            if "\r\nconnection: close\r\n" in head.lower():
                writer.close()
                reader = None
        except (OSError, EOFError, ValueError, TimeoutError) as exc:
            tally.faults.append(f"{type(exc).__name__}: {exc}")
            reader = None
        tally.waits_s.append(time.perf_counter() - began_s)
    if writer is not None:
        writer.close()


async def start(parent: FakeParent, port: int, folder: Path, settings: Path) -> Process:
    """Start an edge, in place of the one that runs, and wait until it is ready."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "abr", "--config", str(settings), "edge", "--no-token", "--replace",
        "--parent", parent.url, "--port", str(port), "--cache-dir", str(folder), "--json",
        stdout=PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(30):
        line = await process.stdout.readline()
    assert json.loads(line)["listeners"][0]["url"].endswith(f":{port}")
    return process


async def run(clients: int, requests: int, restarts: int) -> dict[str, object]:
    """The whole trial."""
    port, tally = free_ports(1), Tally()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = folder / "abr.toml"
        settings.write_text("[edge]\n")
        parent = await stack.enter_async_context(fake_parent())
        for number in range(OBJECTS):
            parent.add(f"/{number}", body_of(number))
        edge = await start(parent, port, folder / "cache", settings)
        codes: list[int | None] = []
        disturbed = asyncio.Event()

        def is_over() -> bool:
            return disturbed.is_set() and tally.answered + len(tally.faults) >= requests

        async def disturb() -> None:
            nonlocal edge
            for turn in range(restarts):
                settings.write_text(f"[edge]\nsend_limit_s = {20 + turn}\n")
                edge.send_signal(signal.SIGHUP)
                old, edge = edge, await start(parent, port, folder / "cache", settings)
                codes.append(await asyncio.wait_for(old.wait(), 15))
            disturbed.set()

        async with asyncio.TaskGroup() as group:
            group.create_task(disturb())
            for first in range(clients):
                group.create_task(client(port, first, tally, is_over))
        edge.send_signal(signal.SIGTERM)
        codes.append(await asyncio.wait_for(edge.wait(), 15))
    waits_s = sorted(tally.waits_s)
    return {
        "clients": clients,
        "restarts": restarts,
        "reloads": restarts,
        "answered": tally.answered,
        "failed": len(tally.faults),
        "faults": sorted(set(tally.faults)),
        "exit_codes": codes,
        "median_s": round(waits_s[len(waits_s) // 2], 4),
        "longest_s": round(waits_s[-1], 3),
        "parent_asked": len(parent.asked),
    }


def main() -> None:
    """Print the outcome; exit code 1 when a request failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--requests", type=int, default=5000, help="at least")
    parser.add_argument("--restarts", type=int, default=5)
    asked = parser.parse_args()
    found = asyncio.run(run(asked.clients, asked.requests, asked.restarts))
    print(json.dumps(found, indent=2))
    sys.exit(1 if found["failed"] else 0)


if __name__ == "__main__":
    main()
