"""An open edge beyond caching: bodies that stream, bytes that stay, loops, base paths and TLS."""

from __future__ import annotations

import asyncio
import io
import os
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from edge.config import EdgeConfig
from edge.server.clock import wall_clock_s
from edge.server.upstream import Upstream
from origin.paths import PathError
from origin.server.httpserver import listening, make_application
from tests.fakes.parent import FakeParent, RunningEdge, fake_parent, running_edge

MIB = 1 << 20


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def parent() -> AsyncIterator[FakeParent]:
    async with fake_parent() as running:
        yield running


@pytest.fixture
async def edge(parent: FakeParent, tmp_path: Path) -> AsyncIterator[RunningEdge]:
    async with running_edge(parent.url, tmp_path, require_token=False) as running:
        yield running


async def test_a_body_that_comes_with_its_head_is_not_taken_for_an_endless_head(
    parent: FakeParent, edge: RunningEdge
) -> None:
    parent.add("/x", b"thanks")
    host, port = edge.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = b"POST /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 300000\r\n\r\n"
    writer.write(head + b"x" * 300_000)
    assert (await reader.read()).endswith(b"thanks")
    writer.close()


async def test_request_bodies_stream_and_may_be_of_any_size(
    client: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """The parent sees the first piece while the client still holds back the second."""
    seen = asyncio.Event()

    async def count(request: web.Request) -> web.StreamResponse:
        total = 0
        async for piece in request.content.iter_any():
            total += len(piece)
            seen.set()
        return web.Response(text=f"{total} {request.headers.get('Content-Length')}")

    async def pieces() -> AsyncIterator[bytes]:
        yield b"x" * MIB
        await asyncio.wait_for(seen.wait(), 5)
        yield b"y" * MIB

    async with (
        listening(make_application(count), host="127.0.0.1", port=0) as where,
        running_edge(where.url, tmp_path, require_token=False) as edge,
    ):
        async with client.put(edge.url + "/up", data=pieces()) as answer:
            assert await answer.text() == f"{2 * MIB} None"
        async with client.post(edge.url + "/up", data=io.BytesIO(b"z" * 3 * MIB)) as answer:
            assert await answer.text() == f"{3 * MIB} {3 * MIB}"


async def test_a_client_that_breaks_off_its_body_breaks_the_parents_too(
    tmp_path: Path,
) -> None:
    broken = asyncio.Event()

    async def take(request: web.Request) -> web.StreamResponse:
        try:
            await request.content.read()
        except (OSError, asyncio.CancelledError):
            broken.set()
            raise
        return web.Response(text="whole")

    async with (
        listening(make_application(take), host="127.0.0.1", port=0) as where,
        running_edge(where.url, tmp_path, require_token=False) as edge,
    ):
        host, port = edge.url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.close()
        await asyncio.wait_for(broken.wait(), 5)


async def test_a_request_that_comes_round_is_refused(
    client: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """An edge whose parent is, by way of another edge, itself."""
    async with (
        running_edge("http://127.0.0.1:9", tmp_path / "a", require_token=False) as one,
        running_edge(one.url, tmp_path / "b", require_token=False) as two,
    ):
        for upstream in one.edge.upstream._upstreams.values():
            upstream._port = int(two.url.rpartition(":")[2])
        async with client.get(two.url + "/x") as answer:
            assert answer.status == 508


async def test_dots_do_not_lead_out_of_the_parents_base(
    parent: FakeParent, client: aiohttp.ClientSession, tmp_path: Path
) -> None:
    parent.add("/base/x", b"inside")
    async with running_edge(parent.url + "/base", tmp_path, require_token=False) as edge:
        async with client.get(edge.url + "/x") as answer:
            assert await answer.read() == b"inside"
        host, port = edge.url.removeprefix("http://").split(":")
        for path in ("/../secret", "/a/%2e%2E/../../secret", "/..%2fsecret", "/..\\secret"):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            assert b" 400 " in await reader.readline()
            writer.close()
    assert parent.asked == ["/base/x"]


@pytest.mark.parametrize(("method", "status"), [("GET", 200), ("PUT", 502), ("POST", 502)])
async def test_a_kept_connection_that_died_is_replaced_where_a_request_may_be_repeated(
    method: str, status: int, client: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """A parent that answers once per connection, and closes it when it is asked again."""
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
        await reader.read(1)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with running_edge(url, tmp_path, require_token=False) as edge:
        async with client.get(edge.url + "/x") as answer:
            assert answer.status == 200
        # A body is streamed, so it cannot be sent a second time.
        data = None if method == "GET" else b"y"
        async with client.request(method, edge.url + "/x", data=data) as answer:
            assert answer.status == status
    assert connections == (2 if status == 200 else 1)
    server.close()


async def test_many_requests_at_once_wait_for_a_connection_and_are_not_refused(
    parent: FakeParent, client: aiohttp.ClientSession, edge: RunningEdge
) -> None:
    """Also after the limit on requests in flight has been learned to be low."""
    parent.add("/x", b"x", headers={}, first_byte_s=0.05)

    async def get() -> int:
        async with client.get(edge.url + "/x") as answer:
            return answer.status

    for _ in range(3):
        assert set(await asyncio.gather(*(get() for _ in range(90)))) == {200}


async def test_requests_that_break_the_parents_answer_do_not_close_the_site(
    parent: FakeParent, client: aiohttp.ClientSession, edge: RunningEdge
) -> None:
    """A parent that is the only one and drops some requests still gets the others."""
    parent.add("/bad", b"x", drops=True)
    parent.add("/good", b"x", headers={})

    async def get(path: str) -> int:
        async with client.get(edge.url + path) as answer:
            return answer.status

    assert set(await asyncio.gather(*(get("/bad") for _ in range(20)))) == {502}
    assert await get("/good") == 200


async def test_a_site_keeps_its_own_paths(
    parent: FakeParent, client: aiohttp.ClientSession, tmp_path: Path
) -> None:
    parent.add("/metrics", b"the site's", headers={})
    async with running_edge(parent.url, tmp_path, require_token=False, own_prefix="/.abr") as edge:
        async with client.get(edge.url + "/metrics") as answer:
            assert await answer.read() == b"the site's"
        async with client.get(edge.url + "/.abr/metrics") as answer:
            assert b"abr_edge_requests_total" in await answer.read()


async def test_hosts_are_kept_apart_when_they_are_forwarded(
    client: aiohttp.ClientSession, tmp_path: Path
) -> None:
    async def name(request: web.Request) -> web.StreamResponse:
        headers = {"Cache-Control": "max-age=60"}
        return web.Response(text=request.headers["Host"], headers=headers)

    async with (
        listening(make_application(name), host="127.0.0.1", port=0) as where,
        running_edge(where.url, tmp_path, require_token=False, forward_host=True) as edge,
    ):
        for host in ("a.example", "b.example", "A.example:80"):
            async with client.get(edge.url + "/x", headers={"Host": host}) as answer:
                assert await answer.text() == host.lower().removesuffix(":80")
        assert len(edge.edge.index) == 2


async def test_what_proved_uncacheable_is_not_waited_for(
    parent: FakeParent, client: aiohttp.ClientSession, edge: RunningEdge
) -> None:
    """The second round of requests is at the parent at once: none waits for another's head."""
    parent.add("/x", b"x", headers={"Cache-Control": "no-store"})

    async def get() -> bytes:
        async with client.get(edge.url + "/x") as answer:
            return await answer.read()

    assert await get() == b"x"
    parent.things["/x"].first_byte_s = 0.2
    fills = edge.edge.counters.fills
    assert await asyncio.gather(*(get() for _ in range(4))) == [b"x"] * 4
    assert edge.edge.counters.fills == fills
    assert edge.edge.counters.passed == 4


async def test_the_upstream_refuses_what_is_no_path(tmp_path: Path) -> None:
    upstream = Upstream(EdgeConfig(), "http://127.0.0.1:9", now=wall_clock_s)
    await upstream.open()
    for target in ("x", "http://other.example/", "//"[:0], "*"):
        with pytest.raises(PathError, match="no other server is asked"):
            async with upstream.ask("GET", target, headers=[]):
                pass
    await upstream.close()


async def test_a_parent_over_tls_is_checked_by_its_certificate(
    client: aiohttp.ClientSession, tmp_path: Path
) -> None:
    certificate = _self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    body = os.urandom(MIB)

    async def serve(_request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=body, headers={"Cache-Control": "max-age=60"})

    runner = web.ServerRunner(web.Server(serve))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    url = f"https://127.0.0.1:{runner.addresses[0][1]}"
    try:
        for trusted, status in ((str(certificate), 200), ("", 502)):
            async with (
                running_edge(
                    url, tmp_path / str(status), require_token=False, parent_ca_file=trusted
                ) as edge,
                client.get(edge.url + "/x") as answer,
            ):
                assert answer.status == status
                assert (await answer.read() == body) is (status == 200)
    finally:
        await runner.cleanup()


def _self_signed(folder: Path) -> Path:
    """A certificate for 127.0.0.1, with its key, in one file."""
    import datetime as dt
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "parent")])
    now = dt.datetime.fromtimestamp(wall_clock_s(), dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "parent.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path
