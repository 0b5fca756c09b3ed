"""Cases of HTTP caching: what a client sends, what the origin would answer, and what must be true.

A case is a list of steps against one edge. Time is a number that a step moves, so nothing waits.
The origin writes bytes as the case says, and the client reads them with h11, informational
responses included.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import h11

from edge.config import EdgeConfig
from edge.server.app import EDGE, make_app
from origin.config import ServerLimits
from origin.httpdate import http_date
from origin.server.httpserver import listening

Lines = tuple[str, ...]
"""Header fields as ``Name: value``; ``{+60}`` stands for the date a minute from now."""

START_S = 1_900_000_000.0
NO_BODY = frozenset({204, 304})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the origin says when it is asked."""

    status: int = 200
    reason: str = "OK"
    fields: Lines = ()
    body: bytes | None = None
    """None: a text with the number of the step."""
    interim: tuple[tuple[int, Lines], ...] = ()
    """Informational responses before the final one."""
    raw: bytes | None = None
    """These bytes and nothing else, then the end of the connection."""
    drops: bool = False
    """Close the connection without an answer."""
    dates: bool = True
    """Send ``Date``."""
    ends: bool = False
    """No length: the body ends with the connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One request and what is expected of it."""

    after_s: float = 0.0
    """Seconds that pass before it."""
    method: str = "GET"
    path: str = ""
    """Added to the path of the case; an absolute URL or ``*`` replaces it."""
    fields: Lines = ()
    body: bytes = b""
    answer: Answer = field(default_factory=Answer)
    come_from: Literal["origin", "cache", "confirmed", "any"] = "any"
    """``confirmed``: the stored response, after the origin was asked with a condition."""
    status: int | None = None
    """None: that of the answer."""
    holds: Lines = ()
    """Fields that the client gets; a name alone must be there."""
    lacks: Lines = ()
    """Names of fields that the client must not get."""
    asks: Lines = ()
    """Fields that the origin gets; a name alone must be there."""
    asks_no: Lines = ()
    """Names of fields that the origin must not get."""
    text: bytes | None = None
    """Body that the client gets; None does not look."""
    interim: tuple[int, ...] | None = None
    """Statuses of the informational responses that the client gets; None does not look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One statement of a standard."""

    says: str
    clause: str
    must: bool
    """It is required; otherwise it is what a good cache does."""
    steps: tuple[Step, ...]
    settings: dict[str, object] = field(default_factory=dict)
    """Settings of the edge that it needs."""


@dataclass(slots=True)
class Got:
    """What a client got."""

    status: int = 0
    fields: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    interim: list[int] = field(default_factory=list)

    def all_of(self, name: str) -> str | None:
        """All values of a field, joined; None when it is not there."""
        found = [value for each, value in self.fields if each == name.lower()]
        return ", ".join(found) if found else None


class Clock:
    """Seconds since the epoch, moved by hand."""

    def __init__(self) -> None:
        self.now_s = START_S

    def __call__(self) -> float:
        return self.now_s


class Origin:
    """Answers as the step that is played says."""

    def __init__(self, clock: Clock) -> None:
        self.asked: list[tuple[str, str, list[tuple[str, str]]]] = []
        """Method, target and fields of each request."""
        self.bodies: list[bytes] = []
        self.answer = Answer()
        self.number = 0
        self._clock = clock

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests on one connection."""
        with suppress(OSError, h11.RemoteProtocolError, asyncio.CancelledError):
            while await self._exchange(reader, writer):
                pass
        writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        http = h11.Connection(h11.SERVER)
        request, body = None, b""
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                data = await reader.read(65536)
                if not data and request is None:
                    return False
                http.receive_data(data)
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                return False
        assert request is not None
        fields = [(name.decode(), value.decode("latin-1")) for name, value in request.headers]
        self.asked.append((request.method.decode(), request.target.decode(), fields))
        self.bodies.append(body)
        return await self._write(writer, request.method.decode())

    async def _write(self, writer: asyncio.StreamWriter, method: str) -> bool:
        answer = self.answer
        if answer.drops:
            return False
        if answer.raw is not None:
            writer.write(answer.raw)
            await writer.drain()
            return False
        data = b""
        for status, hints in answer.interim:
            data += "\r\n".join([f"HTTP/1.1 {status} I", *hints, "", ""]).encode("latin-1")
        body = f"body {self.number}".encode() if answer.body is None else answer.body
        lines = [self.dated(line) for line in answer.fields]
        names = {line.partition(":")[0].lower() for line in lines}
        if answer.dates and "date" not in names:
            lines.append(self.dated("Date: {+0}"))
        if answer.status in NO_BODY:
            body = b""
        elif not answer.ends and not names & {"content-length", "transfer-encoding"}:
            lines.append(f"Content-Length: {len(body)}")
        lines.append(f"X-Step: {self.number}")
        head = [f"HTTP/1.1 {answer.status} {answer.reason}", *lines, "", ""]
        data += "\r\n".join(head).encode("latin-1")
        writer.write(data + (b"" if method == "HEAD" else body))
        await writer.drain()
        return not answer.ends and "transfer-encoding" not in names

    def dated(self, line: str) -> str:
        """A line with its dates filled in."""
        return re.sub(
            r"\{([+-][0-9]+)\}",
            lambda found: http_date(int(self._clock.now_s) + int(found[1])),
            line,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """An origin, an edge in front of it, and the clock of both."""

    origin: Origin
    clock: Clock
    host: str
    port: int


@asynccontextmanager
async def bench(folder: Path, **settings: object) -> AsyncIterator[Bench]:
    """An open edge in front of a scripted origin."""
    clock = Clock()
    origin = Origin(clock)
    server = await asyncio.start_server(origin.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    config = EdgeConfig(
        parent=f"http://127.0.0.1:{port}",
        require_token=False,
        first_byte_limit_s=5.0,
        **settings,  # type: ignore[arg-type]  # cases give the right types
    )
    app = make_app(config, cache_dir=folder, now=clock)
    limits = ServerLimits(shutdown_s=0.5)
    async with listening(app, host="127.0.0.1", port=0, limits=limits) as where:
        yield Bench(origin=origin, clock=clock, host=where.host, port=where.port)
    assert app[EDGE].index.reserved_bytes == 0, "a reservation was left"
    server.close()


async def faults_of(case: Case, at: Bench, path: str) -> list[str]:
    """What is wrong with the edge, by this case; empty when nothing is."""
    faults: list[str] = []
    for number, step in enumerate(case.steps, start=1):
        at.clock.now_s += step.after_s
        at.origin.answer, at.origin.number = step.answer, number
        before = len(at.origin.asked)
        try:
            async with asyncio.timeout(10.0):
                got = await ask(at, step, path)
        except (OSError, TimeoutError, h11.RemoteProtocolError) as exc:
            faults.append(f"step {number}: {type(exc).__name__}: {exc}")
            break
        asked = at.origin.asked[before:]
        faults += [f"step {number}: {text}" for text in _faults(step, number, got, asked, at)]
        await asyncio.sleep(0)
    return faults


async def ask(at: Bench, step: Step, path: str) -> Got:
    """Send the request of a step and read the response."""
    reader, writer = await asyncio.open_connection(at.host, at.port)
    try:
        is_whole = step.path == "*" or "://" in step.path
        target = step.path if is_whole else path + step.path
        lines = [f"{step.method} {target} HTTP/1.1", "Host: site.example", "Connection: close"]
        lines += [at.origin.dated(line) for line in step.fields]
        if step.body:
            lines.append(f"Content-Length: {len(step.body)}")
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + step.body)
        http = h11.Connection(h11.CLIENT)
        # Only so that h11 knows how the response is framed.
        http.send(h11.Request(method=step.method, target="/", headers=[("Host", "x")]))
        http.send(h11.EndOfMessage())
        got = Got()
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                http.receive_data(await reader.read(65536))
            elif isinstance(event, h11.InformationalResponse):
                got.interim.append(event.status_code)
            elif isinstance(event, h11.Response):
                got.status = event.status_code
                got.fields = [(n.decode(), v.decode("latin-1")) for n, v in event.headers]
            elif isinstance(event, h11.Data):
                got.body += bytes(event.data)
            else:
                return got
    finally:
        writer.close()


def _faults(
    step: Step,
    number: int,
    got: Got,
    asked: list[tuple[str, str, list[tuple[str, str]]]],
    at: Bench,
) -> list[str]:
    found = []
    expected = step.answer.status if step.status is None else step.status
    if got.status != expected:
        found.append(f"status {got.status}, expected {expected}")
    source = _source(number, got, asked)
    if step.come_from not in ("any", source):
        status = got.all_of("Cache-Status")
        found.append(f"came from {source}, expected {step.come_from} ({status})")
    for line in step.holds:
        name, colon, value = at.origin.dated(line).partition(": ")
        have = got.all_of(name)
        if have is None or (colon and have != value):
            found.append(f"{name}: {have!r}, expected {value!r}")
    found += [f"has {name}" for name in step.lacks if got.all_of(name) is not None]
    sent = Got(fields=asked[0][2] if asked else [])
    for line in step.asks:
        name, colon, value = at.origin.dated(line).partition(": ")
        have = sent.all_of(name)
        if have is None or (colon and have != value):
            found.append(f"the origin got {name}: {have!r}, expected {value!r}")
    found += [f"the origin got {name}" for name in step.asks_no if sent.all_of(name) is not None]
    if step.text is not None and got.body != step.text:
        found.append(f"body {got.body[:60]!r}, expected {step.text[:60]!r}")
    if step.interim is not None and tuple(got.interim) != step.interim:
        found.append(f"informational responses {got.interim}, expected {step.interim}")
    return found


def _source(
    number: int, got: Got, asked: list[tuple[str, str, list[tuple[str, str]]]]
) -> Literal["origin", "cache", "confirmed"]:
    """Where a response came from: the origin writes the number of the step into each."""
    conditional = {"if-none-match", "if-modified-since"}
    was_asked = any(name in conditional for _, _, fields in asked for name, _ in fields)
    if got.body.startswith(b"body ") and got.body != f"body {number}".encode():
        return "confirmed" if was_asked else "cache"
    if got.all_of("X-Step") == str(number):
        return "confirmed" if was_asked and got.status == 304 else "origin"
    return "confirmed" if was_asked else "cache"
