"""What tokens add to a hit of an edge: processor time per request, for every form and place.

    python -m tests.perf.token_cost_edge [--rounds 5] [--seconds 1.0] [--json]

One edge without tokens (``--open``) and one that checks them (``--trust``) hold the same hot object
of 16 KiB. Rounds take turns, the load is ``wrk`` with one token over 8 connections, and the time is
that of the edge's processes, user and system. ``added`` is the median over the rounds of the
difference to the edge without tokens. A token in the path takes the short cut for hot objects;
in a field it takes the ordinary way, whose cost without any token is in the first row of
its group, so that what the check itself adds there is the difference to that row.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from edge.server.clock import wall_clock_s
from origin.tokens.carriage import to_segment
from tests.fakes.attacks import genuine, trust_text
from tests.fakes.parent import FakeParent, fake_parent
from tests.perf.edge_hits import cpu_s, running

OBJECT = "/film/v0/00000.m4s"
BODY_BYTES = 16 << 10
BAR_US = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One kind of request."""

    name: str
    pid: int
    url: str
    headers: tuple[str, ...] = ()
    is_hot: bool = True
    """It takes the short cut, as far as we know."""


@asynccontextmanager
async def edge(folder: Path, parent: FakeParent, *more: str) -> AsyncIterator[tuple[int, str]]:
    """Process id and URL of an edge, as its users start it."""
    command = [sys.executable, "-m", "abr", "edge", "--parent", parent.url, "--port", "0"]
    command += ["--cache-dir", str(folder), "--json", *more]
    async with running(*command, cwd=Path.cwd()) as process:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 30)
        yield process.pid, json.loads(line)["listeners"][0]["url"]


def ways(parent: FakeParent, open_edge: tuple[int, str], checking: tuple[int, str]) -> list[Way]:
    """What is compared."""
    tokens = {form: group[0] for form, group in genuine(parent.issuer, wall_clock_s()).items()}
    pid, base = checking
    found = [Way(name="no token", pid=open_edge[0], url=open_edge[1] + OBJECT)]
    found += [
        Way(name=f"{form}, in the path", pid=pid, url=f"{base}/t/{to_segment(token)}{OBJECT}")
        for form, token in tokens.items()
    ]
    # A field that the short cut does not know sends the request the ordinary way.
    found.append(
        Way(
            name="no token, ordinary way",
            pid=open_edge[0],
            url=open_edge[1] + OBJECT,
            headers=("X-Ordinary: 1",),
            is_hot=False,
        )
    )
    found += [
        Way(
            name=f"{form}, in a field",
            pid=pid,
            url=base + OBJECT,
            headers=(f"CTA-Common-Access-Token: {token}",),
            is_hot=False,
        )
        for form, token in tokens.items()
    ]
    return found


async def load(way: Way, args: argparse.Namespace) -> float:
    """Microseconds of processor time per request in one round of wrk."""
    before = cpu_s(way.pid)
    fields = [part for field in way.headers for part in ("-H", field)]
    process = await asyncio.create_subprocess_exec(
        "wrk", *fields, "-t1", "-c8", f"-d{args.seconds}", "--timeout", "10", way.url,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate()
    used_s = cpu_s(way.pid) - before
    found = re.search(rb"(\d+) requests in", output)
    if process.returncode or found is None or re.search(rb"Non-2xx|Socket errors", output):
        raise SystemExit(f"{way.name}: wrk says\n{output.decode()}")
    return used_s / int(found[1]) * 1e6


async def warm(found: list[Way]) -> None:
    """Ask until every way has the object."""
    async with aiohttp.ClientSession() as client:
        for way in found * 3:
            headers = dict(field.split(": ", 1) for field in way.headers)
            async with client.get(way.url, headers=headers) as answer:
                assert (answer.status, len(await answer.read())) == (200, BODY_BYTES), way.name


async def measure(args: argparse.Namespace) -> list[dict[str, object]]:
    """A row per way."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="token-cost-")))
        trust = folder / "trust.json"
        trust.touch(mode=0o600)
        trust.write_text(trust_text(), encoding="utf-8")
        parent = await stack.enter_async_context(fake_parent())
        thing = parent.add(OBJECT, os.urandom(BODY_BYTES))
        thing.headers |= {"ETag": '"1"', "Content-Type": "video/iso.segment"}
        open_edge = await stack.enter_async_context(edge(folder / "open", parent, "--open"))
        checking = await stack.enter_async_context(
            edge(folder / "checking", parent, "--trust", str(trust))
        )
        found = ways(parent, open_edge, checking)
        await warm(found)
        rounds: dict[str, list[float]] = {way.name: [] for way in found}
        for _ in range(args.rounds):
            for way in found:
                rounds[way.name].append(await load(way, args))
    rows: list[dict[str, object]] = []
    for way in found:
        base = rounds["no token" if way.is_hot else "no token, ordinary way"]
        added = [mine - theirs for mine, theirs in zip(rounds[way.name], base, strict=True)]
        rows.append(
            {
                "way": way.name,
                "cpu_us": round(statistics.median(rounds[way.name]), 1),
                "added_us": round(statistics.median(added), 1),
                "least": round(min(added), 1),
                "greatest": round(max(added), 1),
            }
        )
    return rows


def main() -> None:
    """Print a table or JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    began_s = time.perf_counter()
    rows = asyncio.run(measure(args))
    if args.json:
        print(json.dumps(rows, indent=2))
        return
    print(f"{'way':34} {'CPU, us':>8} {'added':>7}  least - greatest   (bar {BAR_US:g})")
    for row in rows:
        print("{way:34} {cpu_us:>8} {added_us:>7}  {least} - {greatest}".format(**row))
    print(f"{args.rounds} rounds, {time.perf_counter() - began_s:.0f} s")


if __name__ == "__main__":
    main()
