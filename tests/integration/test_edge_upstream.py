"""The client to a parent, byte by byte: what is read does not depend on how bytes are cut."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from abr.errors import UpstreamError, UpstreamTimeoutError
from edge.config import EdgeConfig
from edge.server.clock import wall_clock_s
from edge.server.upstream import Upstream
from edge.server.wire import SLOW_PIECE_BYTES

Seen = tuple[list[int], int, list[tuple[str, str]], bytes]


@asynccontextmanager
async def parent(
    data: bytes, *, by_byte: bool = False, closes: bool = True, **settings: float
) -> AsyncIterator[Upstream]:
    """An upstream whose parent answers every request with ``data``."""
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                for at in range(0, len(data), 1 if by_byte else max(1, len(data))):
                    writer.write(data[at : at + (1 if by_byte else len(data))])
                    await writer.drain()
                    await asyncio.sleep(0)
                if closes:
                    break
        except (asyncio.IncompleteReadError, OSError):
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    config = EdgeConfig(**settings)  # type: ignore[arg-type]  # tests give the right types
    upstream = Upstream(config, url, now=wall_clock_s)
    await upstream.open()
    try:
        yield upstream
    finally:
        await upstream.close()
        server.close()
        await asyncio.gather(*serving)


async def ask(upstream: Upstream, method: str = "GET") -> Seen:
    interim: list[int] = []
    async with upstream.ask(
        method, "/x", headers=[], on_interim=lambda status, _reason, _fields: interim.append(status)
    ) as answer:
        body = b"".join([piece async for piece in answer.pieces()])
        return interim, answer.status, answer.headers, body


_CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
_HINTS = b"HTTP/1.1 103 E\r\nLink: a\r\n\r\nHTTP/1.1 102 P\r\n\r\n"
_OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("data", "interim", "status", "body"),
    [
        (_OK + b"Content-Length: 5\r\n\r\nhello", [], 200, b"hello"),
        (_OK + _CHUNKED + b"2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nT: 1\r\n\r\n", [], 200, b"hello"),
        (b"HTTP/1.0 203 \r\nX: y\r\n\r\nhello", [], 203, b"hello"),
        (_HINTS + _OK + b"Content-Length: 0\r\n\r\n", [103, 102], 200, b""),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + _OK + b"Content-Length: 1\r\n\r\nx", [], 200, b"x"),
        (b"HTTP/1.1 304 N\r\nContent-Length: 99\r\n\r\n", [], 304, b""),
        (_OK + b"Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nhello", [], 200, b"hello"),
        (b"HTTP/1.1 999 ?\nContent-Length: 1\n\nx", [], 999, b"x"),
    ],
)
async def test_what_is_read_does_not_depend_on_how_the_bytes_are_cut(
    data: bytes, interim: list[int], status: int, body: bytes
) -> None:
    for by_byte in (False, True):
        async with parent(data, by_byte=by_byte) as upstream:
            found = await ask(upstream)
        assert (found[0], found[1], found[3]) == (interim, status, body)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        _OK + b"Content-Length: 5\r\n\r\nhell",
        _OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        _OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        _OK + b"Content-Length: -5\r\n\r\nhello",
        _OK + b"Bad Name: x\r\n\r\n",
        _OK + b"X: a\x00b\r\n\r\n",
        b"HTTP/1.1 101 S\r\n\r\n",
        b"HTTP/1.1 103 E\r\n\r\n" * 40 + _OK + b"Content-Length: 0\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
    ],
)
async def test_what_is_broken_or_cut_off_is_an_error(data: bytes) -> None:
    for by_byte in (False, True):
        async with parent(data, by_byte=by_byte) as upstream:
            with pytest.raises(UpstreamError):
                await ask(upstream)
            assert not upstream._idle


async def test_a_connection_is_kept_only_when_nothing_is_left_on_it() -> None:
    async with parent(_OK + b"Content-Length: 1\r\n\r\nx", closes=False) as upstream:
        for _ in range(3):
            assert (await ask(upstream))[3] == b"x"
        assert len(upstream._idle) == 1
        assert (await ask(upstream, "HEAD"))[3] == b""  # whose "x" comes unasked
        await asyncio.sleep(0.05)
        assert (await ask(upstream))[3] == b"x"
    async with parent(_OK + b"Content-Length: 1\r\n\r\nxyz", closes=False) as upstream:
        for _ in range(3):
            assert (await ask(upstream))[3] == b"x"
        assert not upstream._idle
    async with parent(
        _OK + b"Content-Length: 1\r\nKeep-Alive: timeout=1\r\n\r\nx", closes=False
    ) as upstream:
        await ask(upstream)
        wire = upstream._idle[0]
        assert wire.idle_until_s <= asyncio.get_running_loop().time()


async def test_every_wait_has_a_limit() -> None:
    async with parent(b"HTTP/1.1 2", closes=False, first_byte_limit_s=0.1) as upstream:
        with pytest.raises(UpstreamTimeoutError):
            await ask(upstream)
    data = _OK + b"Content-Length: 9\r\n\r\nx"
    async with parent(data, closes=False, idle_limit_s=0.1) as upstream:
        with pytest.raises(UpstreamTimeoutError):
            await ask(upstream)


async def test_connections_are_bounded_and_waiting_for_one_is_part_of_the_limit() -> None:
    data = _OK + b"Content-Length: 9\r\n\r\nx"
    async with parent(
        data, closes=False, upstream_connections=1, first_byte_limit_s=0.2
    ) as upstream:
        async with upstream.ask("GET", "/x", headers=[]):
            with pytest.raises(UpstreamTimeoutError):
                await ask(upstream)
        async with upstream.ask("GET", "/x", headers=[]) as answer:
            assert answer.status == 200


async def test_a_body_that_nobody_takes_holds_little_and_is_whole_when_it_is_taken() -> None:
    data = _OK + b"Content-Length: 4000000\r\n\r\n" + bytes(4_000_000)
    async with parent(data, closes=False) as upstream:
        async with upstream.ask("GET", "/x", headers=[]) as answer:
            wire = next(iter(upstream._busy))
            for _ in range(20):
                await asyncio.sleep(0.005)
                assert wire._received_bytes <= 2 * SLOW_PIECE_BYTES
            answer.set_pace(fast=True)
            assert sum([len(piece) async for piece in answer.pieces()]) == 4_000_000
        assert (await ask(upstream))[1] == 200


async def test_requests_to_a_neighbour_whose_queue_is_full_wait_until_it_has_room(
    tmp_path: Path,
) -> None:
    """Two are let into the queue; the others are neither lost nor taken for connected."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "neighbour"))
    listener.listen(1)
    answered = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal answered
        await reader.readuntil(b"\r\n\r\n")
        answered += 1
        writer.write(_OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello")
        writer.close()

    upstream = Upstream(
        EdgeConfig(), "http://near", now=wall_clock_s, unix=str(tmp_path / "neighbour")
    )
    await upstream.open()
    asking = [asyncio.create_task(ask(upstream)) for _ in range(12)]
    for _ in range(20):
        await asyncio.sleep(0)
    server = await asyncio.start_unix_server(serve, sock=listener, backlog=1)
    found = await asyncio.gather(*asking)
    assert [each[3] for each in found] == [b"hello"] * 12
    assert answered == 12
    await upstream.close()
    server.close()
