"""An edge that is asked to end: nobody loses an answer."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from origin.config import ServerLimits
from tests.fakes.parent import FakeParent, RunningEdge, fake_parent, running_edge

BODY = b"x" * 100_000


@pytest.fixture
async def parent() -> AsyncIterator[FakeParent]:
    async with fake_parent() as running:
        running.add("/a", BODY)
        yield running


@pytest.fixture
async def edge(parent: FakeParent, tmp_path: Path) -> AsyncIterator[RunningEdge]:
    async with running_edge(parent.url, tmp_path / "c", require_token=False) as running:
        running.door.limits = replace(running.door.limits, drain_idle_s=0.5)
        yield running


class Client:
    """A connection that is kept open."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    @asynccontextmanager
    async def connect(cls, url: str) -> AsyncIterator[Client]:
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            yield cls(reader, writer)
        finally:
            writer.close()

    async def get(self) -> tuple[str, bytes]:
        """Head and body of ``/a``."""
        self.writer.write(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        return head, await self.reader.readexactly(len(BODY))

    async def is_closed(self) -> bool:
        return await self.reader.read(1) == b""


async def test_a_kept_connection_gets_one_more_answer_which_says_that_it_is_the_last(
    edge: RunningEdge,
) -> None:
    """Also when the answer is ready: the third request would take the short cut."""
    async with asyncio.timeout(5), Client.connect(edge.url) as client:
        for _ in range(3):
            assert "Connection: close" not in (await client.get())[0]
        draining = asyncio.create_task(edge.door.drain(limit_s=4.0))
        await asyncio.sleep(0)
        head, body = await client.get()
        assert (body, "\r\nConnection: close" in head) == (BODY, True)
        assert await client.is_closed()
        await draining
    assert edge.door.inside == 0


async def test_an_idle_connection_is_closed_after_a_moment_and_nobody_new_is_let_in(
    edge: RunningEdge,
) -> None:
    async with asyncio.timeout(5), Client.connect(edge.url) as client:
        await client.get()
        await edge.door.drain(limit_s=4.0)
        assert await client.is_closed()
        with pytest.raises(ConnectionRefusedError):
            async with Client.connect(edge.url):
                pass


async def test_a_response_under_way_ends_before_the_process_does(
    edge: RunningEdge, parent: FakeParent
) -> None:
    last_piece = asyncio.Event()
    parent.add("/slow", BODY, last_piece=last_piece)
    async with asyncio.timeout(5), aiohttp.ClientSession() as client:
        async with client.get(edge.url + "/slow") as answer:
            draining = asyncio.create_task(edge.door.drain(limit_s=4.0))
            await asyncio.sleep(0.6)  # longer than an idle connection would be left
            assert not draining.done()
            last_piece.set()
            assert await answer.read() == BODY
        await draining


async def test_whoever_does_not_leave_holds_the_end_up_no_longer_than_the_limit(
    edge: RunningEdge, parent: FakeParent
) -> None:
    parent.add("/slow", BODY, last_piece=asyncio.Event())
    async with (
        asyncio.timeout(5),
        aiohttp.ClientSession() as client,
        client.get(edge.url + "/slow"),
    ):
        await edge.door.drain(limit_s=0.3)
        assert edge.door.inside == 1


async def test_connections_that_wait_to_be_accepted_are_served(
    parent: FakeParent, tmp_path: Path
) -> None:
    """They are in the kernel's queue when the server is told to end, and would be reset."""
    async with running_edge(parent.url, tmp_path / "c", require_token=False) as edge:
        host, port = edge.url.removeprefix("http://").split(":")
        clients = []
        for _ in range(20):  # in one go, so that the loop cannot accept in between
            sock = socket.create_connection((host, int(port)))
            sock.sendall(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
            clients.append(sock)
        draining = asyncio.create_task(edge.door.drain(limit_s=4.0))
        for sock in clients:
            reader, writer = await asyncio.open_connection(sock=sock)
            assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
            assert BODY in await reader.read()
            writer.close()
        await draining


async def test_two_processes_may_share_a_port_if_both_say_so(
    parent: FakeParent, tmp_path: Path
) -> None:
    from origin.server.httpserver import bind

    first = await bind("127.0.0.1", 0, reuse_port=True)
    with first, await bind("127.0.0.1", first.getsockname()[1], reuse_port=True) as second:
        assert first.getsockname() == second.getsockname()


async def test_connections_beyond_the_limits_get_503_and_room_is_given_back(
    edge: RunningEdge,
) -> None:
    edge.door.limits = ServerLimits(connections_per_address=3)
    async with asyncio.timeout(5), AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Client.connect(edge.url)) for _ in range(3)]
        for each in clients:
            await each.get()
        async with Client.connect(edge.url) as refused:
            text = await refused.reader.read()
        assert text.startswith(b"HTTP/1.1 503 ")
        assert text.partition(b"\r\n\r\n")[2].endswith(b"}")
        assert edge.door.refused == 1
        clients[0].writer.write(b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        await clients[0].reader.read()
        async with Client.connect(edge.url) as next_one:
            await next_one.get()
