"""Tokens in logs and answers: none, however they are altered, misplaced or refused."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import numpy as np
import pytest

from origin.server.app import ORIGIN, Origin, make_app
from origin.server.httpserver import listening
from origin.server.store import DirectoryStore
from tests.fakes.packages import MemoryKeys, write_package
from tests.fakes.parent import LIMITS, running_edge

PIECE = 8
"""So many characters of a token in a row are too many."""


def pieces_of(text: str) -> set[str]:
    """All runs of ``PIECE`` characters in ``text``."""
    return {text[at : at + PIECE] for at in range(len(text) - PIECE + 1)}


class Collector(logging.Handler):
    """Keeps all that is logged, tracebacks included."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record."""
        self.lines.append(f"{self.format(record)} {record.args!r}")


@pytest.fixture
def logged() -> Iterator[Collector]:
    collector, root = Collector(), logging.getLogger()
    before = root.level
    root.addHandler(collector)
    root.setLevel(logging.DEBUG)
    yield collector
    root.removeHandler(collector)
    root.setLevel(before)


@dataclass(slots=True)
class Servers:
    """An origin, an edge behind it, and an edge without tokens behind that."""

    origin: Origin
    ports: list[int] = field(default_factory=list)

    async def raw(self, port: int, data: bytes) -> bytes:
        """All that a server answers until it closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(data)
            return await asyncio.wait_for(reader.read(), 5)
        except ConnectionError:
            return b""
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[Servers]:
    write_package(tmp_path / "film")
    app = make_app(DirectoryStore(tmp_path / "film"), MemoryKeys("film"))
    async with AsyncExitStack() as running:
        at = await running.enter_async_context(
            listening(app, host="127.0.0.1", port=0, limits=LIMITS)
        )
        edge = await running.enter_async_context(running_edge(at.url, tmp_path / "e"))
        site = await running.enter_async_context(
            running_edge(edge.url, tmp_path / "s", require_token=False)
        )
        urls = (at.url, edge.url, site.url)
        yield Servers(app[ORIGIN], [int(url.rpartition(":")[2]) for url in urls])


ALTERED = "abcXYZ019-_.~/%\\?#&=+;:@!$'()*,\"<> \t\x00\x7fé"
PLACES = (
    "GET /t/{}/film/v0/00000.m4s HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /%74/{}/film/v0/00000.m4s HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /t%2F{}/film/v0/00000.m4s HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET //t/{}/film/x HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /t/{} HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /{} HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET http://x/t/{}/film/renew HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /film/v0/00000.m4s?token={} HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /playback/{} HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /film/v0/00000.m4s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
    "GET /film/v0/00000.m4s HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\n\r\n",
    "GET /film/v0/00000.m4s HTTP/1.1\r\nHost: {}\r\n\r\n",
    "GET /film/v0/00000.m4s HTTP/1.1\r\nHost: x\r\n{}\r\n\r\n",
    "{} /t/x/film/p HTTP/1.1\r\nHost: x\r\n\r\n",
    "POST /t/{}/film/renew HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n[]",
    "GET /t/{}/film/v0/00000.m4s HTTP/{}\r\nHost: x\r\nConnection: close\r\n\r\n",
)


def alter(token: str, rng: np.random.Generator) -> str:
    """The token after up to three changes: characters put in, replaced, taken out; pieces moved."""
    for _ in range(int(rng.integers(0, 4))):
        at = int(rng.integers(0, len(token)))
        other = ALTERED[int(rng.integers(0, len(ALTERED)))]
        cut = int(rng.integers(0, len(token)))
        token = (
            token[:at] + other + token[at:],
            token[:at] + other + token[at + 1 :],
            token[:at] + token[at + 1 :],
            token[at:] + token[:at],
            token[cut:],
            token + token[at:],
            f"{token}{other}{token}",
        )[int(rng.integers(0, 7))] or "x"
    return token


async def test_no_piece_of_an_altered_token_is_logged_or_sent_back(
    servers: Servers, logged: Collector
) -> None:
    """Wherever it stands in a request, for origin and edges, at the level of debugging."""
    rng = np.random.default_rng(11)
    now_s = time.time()  # noqa: TID251 -- tokens of these servers are of now
    answered = 0
    for round_ in range(320):
        token = servers.origin.issuer.issue("film", now_s=now_s, session_id=f"s{round_}")
        known = pieces_of(token)
        place = PLACES[round_ % len(PLACES)]
        text = place.replace("{}", alter(token, rng))
        data = text.replace("Host:", "Connection: close\r\nHost:", 1).encode("utf-8")
        for port in servers.ports:
            logged.lines.clear()
            answer = (await servers.raw(port, data)).decode("latin-1")
            answered += answer.startswith("HTTP/1.")
            if "/renew" not in place:
                assert not known & pieces_of(answer), place
            for line in logged.lines:
                assert not known & pieces_of(line), (place, line)
    assert answered == 960


async def test_what_is_allowed_is_logged_with_its_path(servers: Servers, logged: Collector) -> None:
    """With a dash for the token, on the ordinary way and on the short cut."""
    now_s = time.time()  # noqa: TID251 -- as above
    token = servers.origin.issuer.issue("film", now_s=now_s, session_id="s")
    async with aiohttp.ClientSession() as client:
        for path in (f"/t/{token}/film/v0/00000.m4s", "/healthz"):
            for port in servers.ports[:2]:
                for _ in range(3):
                    async with client.get(f"http://127.0.0.1:{port}{path}") as answer:
                        await answer.read()
    text = "\n".join(logged.lines)
    assert text.count(' "GET /t/-/film/v0/00000.m4s" 200, ') == 6
    assert text.count(' "GET /healthz" 200') == 6
