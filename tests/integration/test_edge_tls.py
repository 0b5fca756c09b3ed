"""HTTPS at an edge: the same answers, for clients of every kind."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from abr.errors import ConfigError
from edge.config import EdgeConfig
from edge.server.app import EDGE, make_app
from edge.server.process import EdgeProcess
from origin.config import OriginConfig, ServerLimits
from origin.server.httpserver import listening
from origin.server.tls import tls_context
from tests.fakes.parent import FakeParent, RunningEdge, fake_parent
from tests.fakes.selfsigned import write_certificate

BODIES = {"small": os.urandom(1000), "large": os.urandom(1 << 20), "huge": os.urandom(24 << 20)}
LIMITS = ServerLimits(shutdown_s=1.0, send_s=0.3, header_s=2.0)


@pytest.fixture
async def parent() -> AsyncIterator[FakeParent]:
    async with fake_parent() as running:
        for name, body in BODIES.items():
            running.add(f"/{name}", body)
        yield running


@pytest.fixture
def trust(tmp_path: Path) -> ssl.SSLContext:
    write_certificate(tmp_path / "cert.pem", tmp_path / "key.pem")
    return ssl.create_default_context(cafile=tmp_path / "cert.pem")


@pytest.fixture
def tls(trust: ssl.SSLContext, tmp_path: Path) -> ssl.SSLContext:
    context = tls_context(f"{tmp_path}/cert.pem", f"{tmp_path}/key.pem")
    assert context is not None
    return context


@pytest.fixture
async def edge(
    parent: FakeParent, tls: ssl.SSLContext, tmp_path: Path
) -> AsyncIterator[RunningEdge]:
    config = EdgeConfig(
        parent=parent.url,
        require_token=False,
        tls_cert=f"{tmp_path}/cert.pem",
        tls_key=f"{tmp_path}/key.pem",
    )
    app = make_app(config, cache_dir=tmp_path / "cache")
    async with listening(app, host="127.0.0.1", port=0, limits=LIMITS, tls=tls) as where:
        yield RunningEdge(where.url, app[EDGE], where.door)


@pytest.fixture
async def client(trust: ssl.SSLContext) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(ssl=trust)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session


async def connect(edge: RunningEdge, trust: ssl.SSLContext) -> asyncio.StreamWriter:
    """A connection of a client that does not read ahead."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    sock.setblocking(False)
    port = int(edge.url.rpartition(":")[2])
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    _, writer = await asyncio.open_connection(
        sock=sock, ssl=trust, server_hostname="127.0.0.1", limit=65536
    )
    return writer


async def greet(edge: RunningEdge, trust: ssl.SSLContext) -> None:
    """Connect, and leave."""
    writer = await connect(edge, trust)
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("name", BODIES)
async def test_bodies_arrive_whole_from_fill_cache_and_short_cut(
    name: str, edge: RunningEdge, client: aiohttp.ClientSession
) -> None:
    """Of any size, and several times on one connection."""
    assert edge.url.startswith("https://")
    for _ in range(4):
        async with client.get(f"{edge.url}/{name}") as answer:
            assert (answer.status, await answer.read()) == (200, BODIES[name])
    assert len(edge.edge.hot) == 1
    assert edge.edge.counters.hits == 3
    asked = {"Range": "bytes=10-70009"}
    async with client.get(f"{edge.url}/{name}", headers=asked) as answer:
        assert (answer.status, await answer.read()) == (206, BODIES[name][10:70010])


async def test_many_clients_at_once_get_what_they_ask_for(
    edge: RunningEdge, client: aiohttp.ClientSession
) -> None:
    """Bodies in pieces do not mix."""

    async def get(name: str) -> bool:
        async with client.get(f"{edge.url}/{name}") as answer:
            return await answer.read() == BODIES[name]

    for _ in range(2):
        assert all(await asyncio.gather(*map(get, ["large", "small", "huge", "large"] * 3)))


async def test_a_client_that_reads_nothing_is_cut_off(
    edge: RunningEdge, client: aiohttp.ClientSession, trust: ssl.SSLContext
) -> None:
    """Within the send limit; what it was being sent is let go."""
    for _ in range(2):
        async with client.get(f"{edge.url}/huge") as answer:
            await answer.read()
    writer = await connect(edge, trust)
    assert isinstance(writer.transport, asyncio.Transport)
    writer.transport.pause_reading()
    writer.write(b"GET /huge HTTP/1.1\r\nHost: h\r\n\r\n")
    (hot,) = edge.edge.hot._objects.values()
    async with asyncio.timeout(5):
        while hot._users == 0:  # noqa: ASYNC110 -- counters of the server have no events
            await asyncio.sleep(0.01)
        while hot._users > 0:  # noqa: ASYNC110 -- as above
            await asyncio.sleep(0.01)
    writer.transport.abort()


async def test_clients_that_leave_are_no_news(
    edge: RunningEdge,
    client: aiohttp.ClientSession,
    trust: ssl.SSLContext,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither asyncio nor the edge complains about a viewer who skips on."""
    caplog.set_level(logging.WARNING)
    for _ in range(2):
        async with client.get(f"{edge.url}/huge") as answer:
            await answer.read()
    for number in range(12):
        writer = await connect(edge, trust)
        writer.write(b"GET /huge HTTP/1.1\r\nHost: h\r\n\r\n")
        await asyncio.sleep(0.01 * (number % 4))
        writer.transport.abort()
    async with client.get(f"{edge.url}/small") as answer:
        assert await answer.read() == BODIES["small"]
    assert caplog.messages == []


async def test_a_handshake_that_does_not_end_is_cut(edge: RunningEdge) -> None:
    """It has as much time as the head of a request."""
    port = int(edge.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"\x16\x03\x01")
    assert await asyncio.wait_for(reader.read(), LIMITS.header_s + 2) == b""
    writer.close()


def test_certificates_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    """The message says which files, what is wrong with them and what was expected."""
    write_certificate(tmp_path / "a.pem", tmp_path / "a.key")
    write_certificate(tmp_path / "b.pem", tmp_path / "b.key")
    (tmp_path / "junk").write_text("junk")
    for cert, key in (
        ("missing", "a.key"),
        ("a.pem", "b.key"),
        ("junk", "a.key"),
        ("a.pem", "junk"),
    ):
        with pytest.raises(ConfigError, match=rf"{cert}, .*{key}: .*expected PEM files"):
            tls_context(f"{tmp_path}/{cert}", f"{tmp_path}/{key}")
    assert tls_context("", "") is None


async def test_a_reload_takes_the_new_certificate_and_no_bad_one(
    edge: RunningEdge, tls: ssl.SSLContext, tmp_path: Path
) -> None:
    """Connections that begin after it see what the files hold; a broken file changes nothing."""
    process = EdgeProcess(edge.edge, edge.door, read=lambda: edge.edge.config, tls=tls)
    write_certificate(tmp_path / "cert.pem", tmp_path / "key.pem")
    renewed = ssl.create_default_context(cafile=tmp_path / "cert.pem")
    with pytest.raises(ssl.SSLError):
        await greet(edge, renewed)
    await process.reload()
    await greet(edge, renewed)
    (tmp_path / "key.pem").write_text("junk")
    await process.reload()
    await greet(edge, renewed)


@pytest.mark.parametrize("make", [EdgeConfig, OriginConfig])
def test_a_certificate_needs_its_key(make: type[EdgeConfig | OriginConfig]) -> None:
    """One without the other is a mistake, not plain HTTP."""
    with pytest.raises(ConfigError, match=r"\.tls_key: missing"):
        make(tls_cert="cert.pem").check()
    with pytest.raises(ConfigError, match=r"\.tls_cert: missing"):
        make(tls_key="key.pem").check()
