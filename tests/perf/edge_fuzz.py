"""Mutated requests against an edge, in this process: does anything crash, hang or get through?

    python -m tests.perf.edge_fuzz [--cpu-s 60] [--seed 1]

Each execution gives mutated bytes to a connection of a running edge as the network would, without
a network: whole, in two pieces, or byte by byte. The edge has a short cut for simple requests,
aiohttp's parser, the framing rules and the pipeline behind them, with a hot cache. It counts what
came of them, and exits with 1 if

* an exception reached the log or the loop, or an answer has status 500;
* an execution was not over within two seconds;
* one piece of input was answered differently when it came in several.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

from tests.fakes.parent import fake_parent, running_edge
from tests.integration.test_edge_malformed import MALFORMED, OUTSIDE, get, post

ALPHABET = b'\r\n\r\n\0\t :,;=/?#%@"\\\x7f\x80\xff0159aAfFxXgGtThH.-+*[]{}()'
WORDS = (
    b"\r\n", b"\r\n\r\n", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n",
    b"Range: bytes=0-", b"Host: y\r\n", b"Connection: close\r\n", b"Expect: 100-continue\r\n",
    b"If-None-Match: *\r\n", b"HTTP/1.0", b"HTTP/1.1", b"%2e%2e/", b"../", b"%00", b"GET ",
    b"HEAD ", b"POST ", b"OPTIONS ", b"PURGE ", b"Upgrade: h2c\r\n", b"Cache-Control: no-cache\r\n",
    b"http://y/", b"Range: bytes=-1,0-0,5-2\r\n", b"Authorization: Bearer x\r\n", b"CMCD=",
    b"Max-Forwards: 0\r\n",
)  # fmt: skip
SEEDS = (
    get(), get(target=b"/b"), get(target=b"/healthz"), get(target=b"/metrics"), get() + get(),
    post(b"Content-Length: 5"),
    post(b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n\r\n"),
    get(b"Range: bytes=5-9"), get(b"If-None-Match: \"x\"", b"Accept-Encoding: gzip, br"),
    get(b"Cookie: a=b", b"Accept: */*", b"Sec-Fetch-Mode: cors", target=b"/a?x=1&CMCD=br%3D1"),
    get(target=b"http://x/a"), b"HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\nMax-Forwards: 0\r\n\r\n",
)  # fmt: skip
NASTY = (
    *(data for data, _ in MALFORMED.values() if len(data) < 500),
    *(get(target=target) for target in OUTSIDE),
)


class Wire(asyncio.Transport):
    """A transport that leads nowhere and remembers what was sent."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.sent = bytearray()
        self.closed = False

    def write(self, data: Any) -> None:
        self.sent += data

    def is_closing(self) -> bool:
        return self.closed

    def is_reading(self) -> bool:
        return not self.closed

    def close(self) -> None:
        self.closed = True

    abort = close

    def can_write_eof(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Troubles(logging.Handler):
    """Errors that were logged."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(self.format(record))


def mutate(rng: np.random.Generator) -> bytes:
    """A seed with a few changes; two of three seeds are good requests."""
    seeds = NASTY if rng.integers(3) == 0 else SEEDS
    data = bytearray(seeds[rng.integers(len(seeds))])
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(len(data) + 1))
        kind = rng.integers(6)
        if kind == 0:
            data[at : at + int(rng.integers(1, 8))] = b""
        elif kind == 1:
            data[at:at] = WORDS[rng.integers(len(WORDS))]
        elif kind == 2 and at < len(data):
            data[at] = ALPHABET[rng.integers(len(ALPHABET))]
        elif kind == 3:
            data[at:at] = bytes([ALPHABET[rng.integers(len(ALPHABET))]]) * int(rng.integers(1, 40))
        elif kind == 4:
            other = SEEDS[rng.integers(len(SEEDS))]
            data[at:] = other[int(rng.integers(len(other))) :]
        else:
            size = int(rng.integers(1, 30))
            data[at:at] = data[at : at + size]
    return bytes(data)


def cut(data: bytes, rng: np.random.Generator) -> list[bytes]:
    """The data in one piece, two pieces, or single bytes."""
    way = rng.integers(8)
    if way == 0 and len(data) < 300:
        return [data[n : n + 1] for n in range(len(data))]
    if way < 4 and len(data) > 1:
        at = int(rng.integers(1, len(data)))
        return [data[:at], data[at:]]
    return [data]


async def execute(connect: Any, pieces: list[bytes]) -> tuple[bytes, bool]:
    """What a connection sent in answer to these pieces, and whether it was closed."""
    wire, connection = Wire(), connect()
    connection._lingering_time = 0.02  # it waits so long for a body that nobody wants any more
    connection.connection_made(wire)
    for piece in pieces:
        if not wire.closed:
            connection.data_received(piece)
            await asyncio.sleep(0)
    # Until nothing happens any more: an answer in memory takes a few turns of the loop.
    quiet, before, turns = 0, -1, 0
    deadline_s = time.monotonic() + 2.0
    while quiet < 4 and not wire.closed:
        turns += 1
        await asyncio.sleep(0 if turns < 50 else 0.002)
        busy = connection._request_in_progress or bool(connection._messages)
        quiet = quiet + 1 if len(wire.sent) == before and not busy else 0
        before = len(wire.sent)
        if time.monotonic() > deadline_s:
            break
    hung = time.monotonic() > deadline_s and not _waits_for_body(connection)
    connection.connection_lost(None)
    await asyncio.sleep(0)
    return bytes(wire.sent), hung


def _waits_for_body(connection: Any) -> bool:
    request = connection._current_request
    return request is not None and not request.content.is_eof()


async def run(cpu_s: float, seed: int) -> dict[str, Any]:
    """Execute until so much processor time is used."""
    rng, troubles, statuses = np.random.default_rng(seed), Troubles(), Counter[str]()
    faults: list[str] = []
    logging.getLogger().addHandler(troubles)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, what: faults.append(f"loop: {what.get('message')}"))
    executions = 0
    async with fake_parent() as parent:
        for name in ("/a", "/b"):
            parent.add(name, b"hello world" * 30)
        with tempfile.TemporaryDirectory() as folder:
            async with running_edge(
                parent.url, Path(folder) / "c", require_token=False, first_byte_limit_s=0.5
            ) as edge:
                async with aiohttp.ClientSession() as client:
                    for name in ("/a", "/a", "/b"):
                        await (await client.get(edge.url + name)).read()
                connect = edge.door._connect
                began_s = time.process_time()
                while (used_s := time.process_time() - began_s) < cpu_s:
                    data = mutate(rng)
                    sent, hung = await execute(connect, cut(data, rng))
                    executions += 1
                    status = sent[9:12].decode("latin-1") or "none"
                    statuses[status] += 1
                    if hung:
                        faults.append(f"hung: {data!r}")
                    if status == "500" or troubles.found:
                        faults.append(f"status {status}, {troubles.found[:1]}: {data!r}")
                        troubles.found.clear()
    logging.getLogger().removeHandler(troubles)
    return {
        "executions": executions,
        "per_cpu_s": round(executions / used_s),
        "seed": seed,
        "statuses": dict(statuses.most_common()),
        "faults": len(faults),
        "first_faults": faults[:5],
    }


def main() -> None:
    """Print what was found; exit code 1 when something went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cpu-s", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    logging.getLogger("abr.http").setLevel(logging.ERROR)
    found = asyncio.run(run(asked.cpu_s, asked.seed))
    print(json.dumps(found, indent=2))
    sys.exit(1 if found["faults"] else 0)


if __name__ == "__main__":
    main()
