"""A spike of requests made in advance, ten times as many as players make: who is served?

    python -m tests.perf.edge_spike [--playback 30] [--times 10] [--seconds 10]

Players ask at a steady rate, half of them for what the edge holds and half for what it must fetch.
The parent answers 40 requests at a time, each after 0.15 s. Three phases: players alone; with the
spike, marked as made in advance (``Sec-Purpose: prefetch``); with the same spike unmarked, for
comparison. A request is served when it has its whole, right answer within 2 s. Clients do not wait
for each other: a late answer does not lower the rate.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from origin.server.httpserver import listening, make_application
from tests.fakes.ports import free_ports

LIMIT_S = 2.0
BODY = bytes(range(256)) * 200
FIRST_BYTE_S, AT_ONCE = 0.15, 40
BAR = 0.994


class Phase:
    """Requests of one phase."""

    def __init__(self) -> None:
        self.waits_s: list[float] = []
        self.lost = 0
        self.advance: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"<Phase: {len(self.waits_s)} served, {self.lost} lost>"

    def figures(self) -> dict[str, Any]:
        """What came of playback, and of what was asked in advance."""
        waits_s = sorted(self.waits_s)
        asked = len(waits_s) + self.lost
        return {
            "playback": asked,
            "served": round(len(waits_s) / asked, 4),
            "median_s": round(waits_s[len(waits_s) // 2], 3),
            "p99_s": round(waits_s[int(len(waits_s) * 0.99)], 3),
            "in_advance": self.advance,
        }


async def ask(session: aiohttp.ClientSession, url: str, phase: Phase) -> None:
    """One request of a player."""
    began_s = time.perf_counter()
    try:
        async with asyncio.timeout(LIMIT_S), session.get(url) as answer:
            is_right = await answer.read() == BODY and answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        is_right = False
    if is_right:
        phase.waits_s.append(time.perf_counter() - began_s)
    else:
        phase.lost += 1


async def ask_in_advance(
    session: aiohttp.ClientSession, url: str, phase: Phase, fields: dict[str, str]
) -> None:
    """One request that nobody waits for."""
    try:
        async with asyncio.timeout(LIMIT_S), session.get(url, headers=fields) as answer:
            await answer.read()
            said = str(answer.status)
    except (aiohttp.ClientError, TimeoutError):
        said = "late"
    phase.advance[said] = phase.advance.get(said, 0) + 1


async def run_phase(
    url: str, name: str, seconds: float, playback: float, spike: float, fields: dict[str, str]
) -> Phase:
    """Ask at steady rates for some seconds, and wait for the last answers."""
    phase, step_s = Phase(), 0.02
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as group:
        began_s, players, others = time.perf_counter(), 0, 0
        while (passed_s := time.perf_counter() - began_s) < seconds:
            while players < passed_s * playback:
                target = f"/hot/{players % 20}" if players % 2 else f"/{name}/{players}"
                group.create_task(ask(session, url + target, phase))
                players += 1
            while others < passed_s * spike:
                target = f"/{name}/advance/{others}"
                group.create_task(ask_in_advance(session, url + target, phase, fields))
                others += 1
            await asyncio.sleep(step_s)
    return phase


async def run(playback: float, times: float, seconds: float) -> dict[str, Any]:
    """All phases on one edge."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def answer(_request: web.Request) -> web.StreamResponse:
        async with slots:
            await asyncio.sleep(FIRST_BYTE_S)
        return web.Response(body=BODY, headers={"Cache-Control": "public, max-age=3600"})

    port = free_ports(1)
    with tempfile.TemporaryDirectory() as folder:
        async with listening(make_application(answer), host="127.0.0.1", port=0) as parent:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "abr", "edge", "--no-token", "--parent", parent.url, "--json",
                "--port", str(port), "--cache-dir", str(Path(folder) / "cache"),
                stdout=PIPE, stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            assert process.stdout is not None
            await asyncio.wait_for(process.stdout.readline(), 30)
            url = f"http://127.0.0.1:{port}"
            spike, marked = playback * times, {"Sec-Purpose": "prefetch"}
            found: dict[str, Any] = {}
            for name, rate, fields in (
                ("warm-up", 0.0, marked),
                ("alone", 0.0, marked),
                ("marked", spike, marked),
                ("unmarked", spike, {}),
            ):
                phase = await run_phase(url, name, seconds, playback, rate, fields)
                found[name] = phase.figures()
                await asyncio.sleep(1)
            process.terminate()
            found["exit_code"] = await asyncio.wait_for(process.wait(), 20)
    del found["warm-up"]
    return found


def main() -> None:
    """Print what was found; exit code 1 when too few players were served."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--playback", type=float, default=30.0, help="requests per second")
    parser.add_argument("--times", type=float, default=10.0, help="size of the spike")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each phase")
    asked = parser.parse_args()
    found = asyncio.run(run(asked.playback, asked.times, asked.seconds))
    print(json.dumps(found, indent=2))
    sys.exit(1 if found["marked"]["served"] < BAR else 0)


if __name__ == "__main__":
    main()
