"""Keys and licences: how many per CPU-second of the servers, and how long they take.

    python -m tests.perf.licence_rate [--rounds 3] [--seconds 3] [--rate 500]
                                      [--open-seconds 10] [--keys 200] [--tokens 1000]
                                      [--kinds key,licence] [--once] [--rival FOLDER] [--json]

An origin and two cache tiers run as their users start them, each a process. Every request has
another token and another key: those of so many sessions in turn. Two measurements:

* closed loop: ``wrk`` asks the origin, and then the outer tier, in turns. The figure is requests
  per CPU-second (user and system) of the servers, summed over all that a request passes, and each.
* open loop: requests leave at a fixed rate whatever comes back, each on an idle connection or a
  new one, and are timed from the instant they were due.

One round of each goes before, and is not counted. ``--once`` gives each token once, so every
request costs every tier a signature. ``--rival`` runs the same tiers from another checkout of this
repository, in turns with this one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import sys
import tempfile
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from edge.server.clock import wall_clock_s
from origin.signing import signing_key
from origin.tokens.pathtoken import TokenIssuer
from tests.fakes.packages import write_package
from tests.perf.edge_hits import cpu_s, running
from transcode.files.keystore import KeyStore
from transcode.packaging.index import Encryption
from transcode.packaging.indexfile import print_index
from transcode.packaging.layout import INDEX

KINDS = ("key", "licence")
LUA = """
local asked = {}
for line in io.lines("%s") do asked[#asked + 1] = line end
math.randomseed(%d)
local n = math.random(#asked)
request = function()
  n = n %% #asked + 1
  local path, body = asked[n]:match("^(%%S+) ?(.*)$")
  if body == "" then return wrk.format("GET", path) end
  return wrk.format("POST", path, {["Content-Type"] = "application/json"}, body)
end
"""
CONNECTIONS = 16
BAR_PER_S, BAR_P99_MS = 1000, 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """One server."""

    name: str
    pid: int
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """The servers of one checkout: the origin first, the outer tier last."""

    name: str
    tiers: tuple[Tier, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request."""

    path: str
    body: str

    @property
    def line(self) -> str:
        """As ``wrk`` is told."""
        return f"{self.path} {self.body}".rstrip()

    def head(self, host: str) -> bytes:
        """As it is sent."""
        if not self.body:
            return f"GET {self.path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        return (
            f"POST {self.path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(self.body)}\r\n\r\n{self.body}"
        ).encode()


def make_title(folder: Path, keys: KeyStore, count: int) -> tuple[str, ...]:
    """A title with ``count`` keys, one for each segment; their ids."""
    kids = tuple(keys.key_for("film", period).kid for period in range(count))
    index = write_package(folder / "film", segment_sizes=(16,) * count, encrypted=True)
    encryption = Encryption(method="AES-128", kids=kids, rotate_every=1)
    (folder / "film" / INDEX).write_text(print_index(replace(index, encryption=encryption)))
    return kids


def make_asks(kind: str, kids: Sequence[str], tokens: Sequence[str], each: int) -> list[Ask]:
    """``each`` requests of every token, one token after another."""
    found = []
    for turn in range(each):
        for number, token in enumerate(tokens):
            kid = kids[(number + turn) % len(kids)]
            start = f"/t/{token}/film"
            if kind == "key":
                found.append(Ask(path=f"{start}/key/{kid}", body=""))
            else:
                name = urlsafe_b64encode(bytes.fromhex(kid)).decode().rstrip("=")
                body = json.dumps({"kids": [name], "type": "temporary"}, separators=(",", ":"))
                found.append(Ask(path=f"{start}/licence", body=body))
    return found


@asynccontextmanager
async def serving(checkout: Path, *command: str) -> AsyncIterator[Tier]:
    """A server of a checkout."""
    line = (sys.executable, "-m", "abr", *command, "--port", "0", "--json")
    async with running(*line, cwd=checkout) as process:
        assert process.stdout is not None
        ready = json.loads(await asyncio.wait_for(process.stdout.readline(), 60))
        yield Tier(name=command[0], pid=process.pid, url=ready["listeners"][0]["url"])


@asynccontextmanager
async def side(checkout: Path, name: str, folder: Path) -> AsyncIterator[Side]:
    """Origin, regional tier and edge of a checkout."""
    async with AsyncExitStack() as stack:
        more = ("--keys", f"{folder}/keys")
        origin = await stack.enter_async_context(
            serving(checkout, "origin", f"{folder}/titles", *more)
        )
        tiers, parent = [origin], origin.url
        for tier in ("regional", "edge"):
            cache = f"{folder}/{name}-{tier}"
            asked = ("edge", "--parent", parent, "--cache-dir", cache, "--name", tier)
            found = await stack.enter_async_context(serving(checkout, *asked))
            tiers.append(replace(found, name=tier))
            parent = found.url
        yield Side(name=name, tiers=tuple(tiers))


async def closed(tiers: Sequence[Tier], asks: Sequence[Ask], seconds: int) -> dict[str, float]:
    """One round of wrk at the last of ``tiers``: requests, and CPU-seconds of each."""
    with tempfile.TemporaryDirectory(prefix="licence-rate-") as folder:
        lines, script = Path(folder, "asks"), Path(folder, "asks.lua")
        lines.write_text("\n".join(each.line for each in asks) + "\n")
        script.write_text(LUA % (lines, time.monotonic_ns() % 2**31))
        before = {tier.name: cpu_s(tier.pid) for tier in tiers}
        process = await asyncio.create_subprocess_exec(
            "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}", "--timeout", "10",
            "-s", str(script), tiers[-1].url, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, _ = await process.communicate()
    found = re.search(rb"(\d+) requests in ([0-9.]+)s", output)
    if process.returncode or found is None or re.search(rb"Non-2xx|Socket errors", output):
        raise SystemExit(f"wrk says\n{output.decode()}")
    used = {tier.name: cpu_s(tier.pid) - before[tier.name] for tier in tiers}
    return {"requests": float(found[1]), "wall": float(found[2]), **used}


class Client(asyncio.Protocol):
    """A connection that carries one request at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._data = b""
        self._done: asyncio.Future[int] | None = None

    def __repr__(self) -> str:
        return f"<Client, {len(self._data)} bytes>"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember it."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def ask(self, data: bytes) -> asyncio.Future[int]:
        """Send a request; the status of its answer."""
        assert self.transport is not None
        self._data, self._done = b"", asyncio.get_running_loop().create_future()
        self.transport.write(data)
        return self._done

    def data_received(self, data: bytes) -> None:
        """Note an answer that is whole."""
        self._data += data
        head, end, body = self._data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head) if end else None
        if length and len(body) >= int(length[1]) and self._done and not self._done.done():
            self._done.set_result(int(head[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what waits."""
        if self._done is not None and not self._done.done():
            self._done.set_result(0)


async def open_loop(url: str, asks: Sequence[Ask], rate: float, seconds: float) -> list[float]:
    """Milliseconds of each request, from the instant it was due; all must be 200."""
    parts, loop = urlsplit(url), asyncio.get_running_loop()
    host, port = parts.hostname or "", parts.port or 80
    idle: list[Client] = []
    took_ms: list[float] = []
    statuses: dict[int, int] = {}

    async def one(ask: Ask, due_s: float) -> None:
        if idle:
            client = idle.pop()
        else:
            _, client = await loop.create_connection(Client, host, port)
        status = await client.ask(ask.head(parts.netloc))
        took_ms.append(1000 * (loop.time() - due_s))
        statuses[status] = statuses.get(status, 0) + 1
        idle.append(client)

    began_s = loop.time() + 0.1
    async with asyncio.timeout(seconds + 60), asyncio.TaskGroup() as tasks:
        for number in range(int(rate * seconds)):
            due_s = began_s + number / rate
            await asyncio.sleep(max(0.0, due_s - loop.time()))
            tasks.create_task(one(asks[number % len(asks)], due_s))
    for client in idle:
        assert client.transport is not None
        client.transport.close()
    if set(statuses) != {200}:
        raise SystemExit(f"{url}: statuses {statuses}; expected 200 only")
    return sorted(took_ms)


def at(ordered: Sequence[float], share: float) -> float:
    """A quantile."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def measure_rates(
    sides: Sequence[Side], asks: dict[str, list[Ask]], args: argparse.Namespace
) -> list[dict[str, object]]:
    """Rounds in turn; a row for each side, kind and way."""
    rounds: dict[tuple[str, str, str], list[dict[str, float]]] = {}
    for number in range(args.rounds + 1):
        for kind, these in asks.items():
            for each in sides:
                for way, tiers in (("origin", each.tiers[:1]), ("two tiers", each.tiers)):
                    one = await closed(tiers, these, args.seconds)
                    if number:  # the first is left out: servers and memories warm up
                        rounds.setdefault((each.name, kind, way), []).append(one)
    rows = []
    for (name, kind, way), found in rounds.items():
        names = [key for key in found[0] if key not in ("requests", "wall")]
        sums = [one["requests"] / sum(one[tier] for tier in names) for one in found]
        each_us = {
            tier: round(1e6 * statistics.median(one[tier] / one["requests"] for one in found))
            for tier in names
        }
        rows.append(
            {
                "side": name,
                "kind": kind,
                "way": way,
                "per_cpu_s": round(statistics.median(sums)),
                "lowest": round(min(sums)),
                "highest": round(max(sums)),
                "us": each_us,
                "per_s": round(statistics.median(one["requests"] / one["wall"] for one in found)),
            }
        )
    return rows


async def measure_latencies(
    sides: Sequence[Side], asks: dict[str, list[Ask]], args: argparse.Namespace
) -> list[dict[str, object]]:
    """The open loop, in turn."""
    rows: list[dict[str, object]] = []
    for kind, these in asks.items():
        for each in sides:
            for way, tier in (("origin", each.tiers[0]), ("two tiers", each.tiers[-1])):
                took = await open_loop(tier.url, these, args.rate, args.open_seconds)
                figures = {
                    f"p{share:g}": round(at(took, share / 100), 2) for share in (50, 99, 99.9)
                }
                rows.append({"side": each.name, "kind": kind, "way": way, "ms": figures})
    return rows


async def bench(args: argparse.Namespace) -> None:
    """Start everything, measure, print."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="licence-rate-")))
        keys = KeyStore.open(folder / "keys")
        (folder / "titles").mkdir()
        kids = make_title(folder / "titles", keys, args.keys)
        kid, private = signing_key(keys)
        issuer = TokenIssuer(private, kid)
        count = args.tokens if not args.once else max(args.tokens, 20_000)
        tokens = [
            issuer.issue("film", now_s=wall_clock_s(), session_id=f"session-{number}")
            for number in range(count)
        ]
        checkouts = [("this", Path.cwd())] + ([("rival", args.rival)] if args.rival else [])
        sides = [
            await stack.enter_async_context(side(checkout, name, folder))
            for name, checkout in checkouts
        ]
        kinds = args.kinds.split(",")
        asks = {kind: make_asks(kind, kids, tokens, 1 if args.once else 4) for kind in kinds}
        rates = await measure_rates(sides, asks, args)
        waits = await measure_latencies(sides, asks, args)
    if args.json:
        print(json.dumps({"command": sys.argv[1:], "rates": rates, "waits": waits}))
        return
    print(f"python -m tests.perf.licence_rate {' '.join(sys.argv[1:])}")
    print(f"{count} tokens, {args.keys} keys; requests per CPU-second (bar {BAR_PER_S})")
    for row in rates:
        spent = ", ".join(f"{tier} {us} us" for tier, us in row["us"].items())  # type: ignore[attr-defined]  # a dict
        print(
            f"  {row['side']:6} {row['kind']:8} {row['way']:10} {row['per_cpu_s']:>6} "
            f"({row['lowest']} to {row['highest']})  {spent}; {row['per_s']}/s on this machine"
        )
    print(f"{args.rate:g}/s, open loop, ms (bar p99 {BAR_P99_MS:g})")
    for row in waits:
        print(f"  {row['side']:6} {row['kind']:8} {row['way']:10} {row['ms']}")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=500.0)
    parser.add_argument("--open-seconds", type=float, default=10.0)
    parser.add_argument("--keys", type=int, default=200)
    parser.add_argument("--tokens", type=int, default=1000)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--once", action="store_true", help="each token once")
    parser.add_argument("--rival", type=Path, help="another checkout, in turns")
    parser.add_argument("--json", action="store_true")
    asyncio.run(bench(parser.parse_args()))


if __name__ == "__main__":
    main()
