"""Hours of mixed load in minutes: do an edge's memory and descriptors stay where they are?

    python -m tests.perf.edge_soak [--minutes 5] [--clients 24]

Hits, misses that evict, ranges, clients that leave half-way or read slowly, purged and expired
objects, reports of players, malformed requests, reloads of the settings, and parents that restart.
The edge runs as its own process. Its resident memory, descriptors and connections are read from
its metrics twice a second. The first third of the time is for warming up; over the rest a line is
fitted. Exit code 1 when an honest request was answered wrongly, or memory grew by more than
``MOST_GROWTH_MIB`` along the line, or descriptors by more than ``MOST_DESCRIPTORS``.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import signal
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from origin.server.httpserver import listening, make_application
from tests.fakes.ports import free_ports

MOST_GROWTH_MIB = 8.0
MOST_DESCRIPTORS = 30.0
TITLES, OBJECTS = 40, 50
CACHE_BYTES = 48 << 20
SIZES = (4_000, 40_000, 150_000, 600_000)


def body_of(path: str) -> bytes:
    """The body of an object: its size and its bytes depend on its path."""
    digest = hashlib.sha256(path.encode()).digest()
    return (digest * (SIZES[digest[0] % len(SIZES)] // 32 + 1))[: SIZES[digest[0] % len(SIZES)]]


async def answer(request: web.Request) -> web.StreamResponse:
    """The parent: every path has an object, some fresh for a second only."""
    path = request.path
    body = body_of(path)
    fresh_s = 1 if hash(path) % 5 == 0 else 3600
    etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    fields = {"Cache-Control": f"public, max-age={fresh_s}", "ETag": etag}
    if request.method not in ("GET", "HEAD"):
        await request.read()
        return web.Response(status=204)
    if request.headers.get("If-None-Match") == etag:
        return web.Response(status=304, headers=fields)
    return web.Response(body=body, headers=fields)


class Soak:
    """The load on one edge."""

    def __init__(self, url: str, seed: int) -> None:
        self.url = url
        self.done: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.ends = asyncio.Event()
        self._rng = np.random.default_rng(seed)
        self._host, port = url.removeprefix("http://").split(":")
        self._port = int(port)

    def __repr__(self) -> str:
        return f"<Soak of {self.url}: {sum(self.done.values())} requests>"

    def path(self) -> str:
        """A path; popular titles more often."""
        title = min(TITLES - 1, int(self._rng.zipf(1.3)) - 1)
        return f"/t{title}/{int(self._rng.integers(OBJECTS))}"

    async def client(self, number: int) -> None:
        """One client after the other, each with some requests of a kind."""
        kinds: list[Callable[[aiohttp.ClientSession], Coroutine[Any, Any, None]]] = [
            self.whole, self.whole, self.whole, self.part, self.leave, self.report, self.change,
        ]  # fmt: skip
        others = [self.slow, self.malformed, self.trickle]
        while not self.ends.is_set():
            if number % 6 == 0:
                await others[int(self._rng.integers(3))]()
                continue
            async with aiohttp.ClientSession() as session:
                for _ in range(int(self._rng.integers(1, 40))):
                    kind = kinds[int(self._rng.integers(len(kinds)))]
                    try:
                        await kind(session)
                    except (aiohttp.ClientError, TimeoutError) as exc:
                        self.faults[f"{kind.__name__}: {type(exc).__name__}: {exc}"[:200]] += 1
                    if self.ends.is_set():
                        break

    async def whole(self, session: aiohttp.ClientSession) -> None:
        """A whole object, with what a player says."""
        path = self.path()
        async with session.get(f"{self.url}{path}", headers={"CMCD-Request": "bl=2000"}) as got:
            self._check("whole", got.status == 200 and await got.read() == body_of(path), got)

    async def part(self, session: aiohttp.ClientSession) -> None:
        """A range."""
        path = self.path()
        async with session.get(self.url + path, headers={"Range": "bytes=100-999"}) as got:
            is_right = got.status == 206 and await got.read() == body_of(path)[100:1000]
            self._check("part", is_right, got)

    async def leave(self, session: aiohttp.ClientSession) -> None:
        """Leave after the first bytes."""
        async with session.get(self.url + self.path()) as got:
            await got.content.readany()
            got.close()
            self._check("leave", got.status == 200, got)

    async def report(self, session: aiohttp.ClientSession) -> None:
        """A report of a player."""
        async with session.post(self.url + "/cmcd", data=b'e=t,sid="s",bl=100\n' * 5) as got:
            self._check("report", got.status in (204, 429), got)

    async def change(self, session: aiohttp.ClientSession) -> None:
        """An unsafe method, which invalidates what is stored."""
        async with session.post(self.url + self.path(), data=b"x" * 2000) as got:
            # While a parent restarts it may be asked in vain: a POST is not sent twice.
            self._check("change", got.status in (204, 502, 504), got)

    async def slow(self) -> None:
        """Read an object a little at a time, and give up after a second."""
        with suppress(OSError, TimeoutError):
            reader, writer = await asyncio.open_connection(self._host, self._port, limit=4096)
            writer.write(f"GET {self.path()} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            for _ in range(10):
                await asyncio.wait_for(reader.read(2000), 1)
                await asyncio.sleep(0.1)
            writer.close()
        self.done["slow"] += 1

    async def malformed(self) -> None:
        """Something that is not HTTP."""
        with suppress(OSError, TimeoutError):
            reader, writer = await asyncio.open_connection(self._host, self._port)
            writer.write(bytes(self._rng.integers(0, 256, size=200, dtype=np.uint8)) + b"\r\n\r\n")
            await asyncio.wait_for(reader.read(), 1)
            writer.close()
        self.done["malformed"] += 1

    async def trickle(self) -> None:
        """Half a head, and then nothing."""
        with suppress(OSError, TimeoutError):
            _, writer = await asyncio.open_connection(self._host, self._port)
            writer.write(b"GET /t1/1 HTTP/1.1\r\nHost: x\r\nX-Half")
            await asyncio.sleep(0.5)
            writer.close()
        self.done["trickle"] += 1

    def _check(self, kind: str, is_right: bool, got: aiohttp.ClientResponse) -> None:
        self.done[kind] += 1
        if not is_right:
            said = got.headers.get("Cache-Status", "")
            self.faults[f"{kind}: status {got.status}, {said}"] += 1


async def measure(session: aiohttp.ClientSession, url: str) -> dict[str, float]:
    """Memory, descriptors and connections, from the metrics."""
    async with session.get(url + "/metrics") as got:
        text = await got.text()
    return {
        sample.name.removeprefix("abr_edge_"): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def restart_parents(stack: AsyncExitStack, ports: list[int], soak: Soak) -> None:
    """Two parents, one of which restarts every few seconds, in turn."""
    running = [AsyncExitStack() for _ in ports]
    for port, each in zip(ports, running, strict=True):
        stack.push_async_callback(each.aclose)
        await each.enter_async_context(
            listening(make_application(answer), host="127.0.0.1", port=port)
        )
    stack.push_async_callback(_cancel, asyncio.create_task(_restart(running, ports, soak)))


async def _restart(running: list[AsyncExitStack], ports: list[int], soak: Soak) -> None:
    turn = 0
    while True:
        await asyncio.sleep(7)
        at = turn = (turn + 1) % len(ports)
        await running[at].aclose()
        await asyncio.sleep(1)
        await running[at].enter_async_context(
            listening(make_application(answer), host="127.0.0.1", port=ports[at])
        )
        soak.done["parent restarts"] += 1


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def reload(process: Process, settings: Path, text: str, soak: Soak) -> None:
    """Reload the settings every few seconds."""
    for turn in range(1_000_000):
        await asyncio.sleep(5)
        size = CACHE_BYTES - (turn % 3) * (4 << 20)
        settings.write_text(f"{text}cache_bytes = {size}\n")
        process.send_signal(signal.SIGHUP)
        soak.done["reloads"] += 1


async def run(minutes: float, clients: int, seed: int) -> dict[str, Any]:
    """The whole soak."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        first = free_ports(3)
        parents = [f"http://127.0.0.1:{port}" for port in (first, first + 1)]
        text = (
            f"[edge]\nparents = {json.dumps(parents)}\nrequire_token = false\nport = {first + 2}\n"
            f"access_log = '{folder}/access'\ncmcd_log = '{folder}/view'\naccess_log_sample = 0.1\n"
        )
        settings = folder / "abr.toml"
        settings.write_text(f"{text}cache_bytes = {CACHE_BYTES}\n")
        soak = Soak(f"http://127.0.0.1:{first + 2}", seed)
        await restart_parents(stack, [first, first + 1], soak)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "abr", "--config", str(settings), "edge", "--json",
            "--cache-dir", str(folder / "cache"), stdout=PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        assert process.stdout is not None
        await asyncio.wait_for(process.stdout.readline(), 30)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        reloading = asyncio.create_task(reload(process, settings, text, soak))
        stack.push_async_callback(_cancel, reloading)
        tasks = [asyncio.create_task(soak.client(number)) for number in range(clients)]
        rows = await watch(session, soak, minutes)
        await asyncio.gather(*tasks)
        process.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(process.wait(), 20)
    return report(rows, soak, code)


async def watch(
    session: aiohttp.ClientSession, soak: Soak, minutes: float
) -> list[tuple[float, dict[str, float]]]:
    """Measure twice a second until the time is up; prints a line now and then."""
    rows: list[tuple[float, dict[str, float]]] = []
    began_s = time.monotonic()
    while (now_s := time.monotonic() - began_s) < minutes * 60:
        found = await measure(session, soak.url)
        rows.append((now_s, found))
        if len(rows) % 40 == 1:
            print(
                f"{now_s:6.0f} s  {found['resident_bytes'] / 2**20:6.1f} MiB  "
                f"{found['descriptors']:4.0f} descriptors  {found['connections']:4.0f} connections"
                f"  {sum(soak.done.values())} done  {sum(soak.faults.values())} faults",
                file=sys.stderr,
            )
        await asyncio.sleep(0.5)
    soak.ends.set()
    return rows


def report(rows: list[tuple[float, dict[str, float]]], soak: Soak, code: int) -> dict[str, Any]:
    """Slopes over the last two thirds, and what was done."""
    kept = [row for row in rows if row[0] > rows[-1][0] / 3]
    at_s = np.array([now_s for now_s, _ in kept])
    span_s = at_s[-1] - at_s[0]

    def growth(name: str) -> float:
        return float(np.polyfit(at_s, [found[name] for _, found in kept], 1)[0] * span_s)

    last = rows[-1][1]
    return {
        "seconds": round(rows[-1][0]),
        "done": dict(soak.done),
        "faults": dict(soak.faults.most_common(8)),
        "exit_code": code,
        "requests": int(last["requests_total"]),
        "hit_ratio": round(last["hit_ratio"], 3),
        "evictions": int(last["evictions_total"]),
        "resident_mib": round(last["resident_bytes"] / 2**20, 1),
        "resident_growth_mib": round(growth("resident_bytes") / 2**20, 2),
        "descriptors": int(last["descriptors"]),
        "descriptors_growth": round(growth("descriptors"), 1),
        "log_lines_dropped": int(last["log_lines_dropped_total"]),
        "worst_loop_lag_s": round(max(found["loop_lag_seconds"] for _, found in rows), 3),
    }


def main() -> None:
    """Print what was found; exit code 1 when something grew or was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--clients", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    found = asyncio.run(run(asked.minutes, asked.clients, asked.seed))
    print(json.dumps(found, indent=2))
    grew = (
        found["resident_growth_mib"] > MOST_GROWTH_MIB
        or found["descriptors_growth"] > MOST_DESCRIPTORS
    )
    sys.exit(1 if grew or found["faults"] or found["exit_code"] else 0)


if __name__ == "__main__":
    main()
