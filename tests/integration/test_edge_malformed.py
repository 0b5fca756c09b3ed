"""What no honest client sends, over raw sockets, to an edge with tokens and to an open one.

``MALFORMED`` is also what the fuzzer mutates (``tests/perf/edge_fuzz.py``).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.parent import FakeParent, RunningEdge, fake_parent, running_edge

BODY = b"hello world" * 30
MIB = 1 << 20


def get(*fields: bytes, target: bytes = b"/a", host: bytes = b"Host: x") -> bytes:
    """A GET with these fields."""
    return b"\r\n".join((b"GET " + target + b" HTTP/1.1", host, *fields, b"", b""))


def post(*fields: bytes, body: bytes = b"hello") -> bytes:
    """A POST with these fields."""
    return b"\r\n".join((b"POST /a HTTP/1.1", b"Host: x", *fields, b"", body))


CHUNKED = b"Transfer-Encoding: chunked"
END = b"0\r\n\r\n"

MALFORMED: dict[str, tuple[bytes, int]] = {
    "both lengths": (post(b"Content-Length: 5", CHUNKED, body=END), 400),
    "two lengths that differ": (post(b"Content-Length: 5", b"Content-Length: 6"), 400),
    "two lengths that agree": (post(b"Content-Length: 5", b"Content-Length: 5"), 400),
    "a list of lengths": (post(b"Content-Length: 5, 5"), 400),
    "a length with a sign": (post(b"Content-Length: +5"), 400),
    "a negative length": (post(b"Content-Length: -5"), 400),
    "an absurd length": (post(b"Content-Length: 99999999999999999999999"), 400),
    "a hexadecimal length": (post(b"Content-Length: 0x5"), 400),
    "identity as a coding": (post(b"Transfer-Encoding: identity"), 400),
    "an unknown coding": (post(b"Transfer-Encoding: xchunked", body=END), 400),
    "chunked twice": (post(b"Transfer-Encoding: chunked, chunked", body=END), 400),
    "two codings": (post(CHUNKED, b"Transfer-Encoding: identity", body=END), 400),
    "chunks in HTTP/1.0": (post(CHUNKED, body=END).replace(b"/1.1", b"/1.0"), 400),
    "a chunk of no length": (post(CHUNKED, body=b"zz\r\nhello\r\n0\r\n\r\n"), 400),
    "a chunk that ends in LF": (post(CHUNKED, body=b"5\nhello\r\n0\r\n\r\n"), 400),
    "lines that end in LF": (b"GET /a HTTP/1.1\nHost: x\n\n", 400),
    "CR in a field": (get(b"X: a\rb"), 400),
    "a field after CR": (get(b"X: a\rTransfer-Encoding: chunked"), 400),
    "a folded field": (get(b"X: a\r\n b"), 400),
    "a folded first field": (get(host=b" X: a\r\nHost: x"), 400),
    "NUL in a field": (get(b"X: a\0b"), 400),
    "NUL in the target": (get(target=b"/a\0b"), 400),
    "NUL in the method": (b"G\0T /a HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a space after a name": (get(b"X : a"), 400),
    "a field without a name": (get(b": a"), 400),
    "no Host": (b"GET /a HTTP/1.1\r\n\r\n", 400),
    "two Hosts": (get(b"Host: y"), 400),
    "a Host with a path": (get(host=b"Host: x/y"), 400),
    "a Host with a user": (get(host=b"Host: a@b"), 400),
    "a field of 20 kB": (get(b"X: " + b"a" * 20_000), 431),
    "a target of 20 kB": (get(target=b"/" + b"a" * 20_000), 431),
    "200 fields": (get(*(b"X%d: a" % n for n in range(200))), 400),
    "a head of 42 kB": (get(*(b"X%d: " % n + b"a" * 600 for n in range(70))), 431),
    "HTTP/9.9": (get().replace(b"1.1", b"9.9"), 400),
    "HTTP/2.0": (get().replace(b"1.1", b"2.0"), 400),
    "HTTP/0.9": (b"GET /a\r\n\r\n", 400),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "tabs in the request line": (b"GET\t/a\tHTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "bytes that are not ASCII": (get(target=b"/\xff\xfe"), 400),
    "a greeting of TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100, 400),
    "anything": (bytes(range(256)) * 10, 400),
    "an asterisk": (get(target=b"*"), 400),
}
"""What is sent, and the status of the answer, after which the connection is closed."""

OUTSIDE = (
    b"/..", b"/../a", b"/../../etc/passwd", b"/%2e%2e/etc/passwd", b"/.%2E/a", b"/a/../../b",
    b"/a/%2e%2e/%2e%2e/b", b"/a%2f..%2f..%2fb", b"/..\\..\\b", b"/a%5c..%5c..%5cb", b"/./../a",
    b"//..", b"/a%00b", b"/a/..%2f../b",
)  # fmt: skip
"""Targets that lead out of the root, or end early in some servers."""


@pytest.fixture
async def parent() -> AsyncIterator[FakeParent]:
    async with fake_parent() as running:
        running.add("/a", BODY)
        yield running


@pytest.fixture(params=[False, True], ids=["open", "tokens"])
async def edge(
    request: pytest.FixtureRequest, parent: FakeParent, tmp_path: Path
) -> AsyncIterator[RunningEdge]:
    async with running_edge(
        parent.url, tmp_path / "c", require_token=request.param, idle_limit_s=5.0
    ) as running:
        yield running


@asynccontextmanager
async def connected(
    edge: RunningEdge,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    host, port = edge.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        async with asyncio.timeout(5):
            yield reader, writer
    finally:
        writer.close()


async def everything(reader: asyncio.StreamReader) -> bytes:
    """All bytes until the connection is closed, by a reset too."""
    data = b""
    try:
        while piece := await reader.read(65536):
            data += piece
    except ConnectionError:
        pass
    return data


async def is_fine(edge: RunningEdge) -> bool:
    """Whether an honest client gets its answer."""
    async with connected(edge) as (reader, writer):
        writer.write(get(target=b"/healthz"))
        return (await reader.readline()).startswith(b"HTTP/1.1 ")


@pytest.mark.parametrize("what", MALFORMED)
async def test_malformed_requests_are_refused_and_reach_no_parent(
    what: str, edge: RunningEdge, parent: FakeParent
) -> None:
    data, status = MALFORMED[what]
    async with connected(edge) as (reader, writer):
        writer.write(data + get(target=b"/smuggled"))
        answer = await everything(reader)
    version, found = answer.split()[:2]
    assert (version, int(found)) in ((b"HTTP/1.0", status), (b"HTTP/1.1", status))
    assert answer.count(b"\r\n\r\n") == 1  # it is one answer
    assert parent.asked == []
    assert await is_fine(edge)


@pytest.mark.parametrize("data", [get().replace(b"1.1", b"2.0"), b"GET /a\r\n\r\n"])
async def test_other_versions_of_http_are_told_which_are_spoken(
    data: bytes, edge: RunningEdge, parent: FakeParent
) -> None:
    async with connected(edge) as (reader, writer):
        writer.write(data)
        assert (await everything(reader)).startswith(b"HTTP/1.1 505 ")
    assert parent.asked == []


async def test_paths_that_lead_out_are_refused(edge: RunningEdge, parent: FakeParent) -> None:
    async with connected(edge) as (reader, writer):
        for target in OUTSIDE:
            writer.write(get(target=target))
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 400 "), target
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
            await reader.readexactly(int(length))
    assert parent.asked == []


async def test_paths_with_dots_that_stay_inside_are_passed_on(
    parent: FakeParent, tmp_path: Path
) -> None:
    async with running_edge(parent.url, tmp_path / "c", require_token=False) as edge:
        for target in (b"/b/../a", b"/..a", b"/a..", b"/...", b"/%41", b"/a?x=/../../.."):
            async with connected(edge) as (reader, writer):
                writer.write(get(b"Connection: close", target=target))
                answer = await everything(reader)
            assert answer.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 404 ")), target
    assert len(parent.asked) == 6


async def test_no_other_server_is_asked_whatever_the_request_names(
    edge: RunningEdge, parent: FakeParent
) -> None:
    for data in (
        get(target=b"http://evil.example/a"),
        get(host=b"Host: evil.example"),
        get(b"X-Forwarded-Host: evil.example"),
        b"CONNECT evil.example:80 HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    ):
        async with connected(edge) as (reader, writer):
            writer.write(data)
            assert (await reader.readline()).split()[1] in (b"200", b"400", b"404", b"501"), data
    hosts = {request.headers["Host"] for request in parent.seen}
    assert hosts <= {parent.url.removeprefix("http://")}


async def test_a_hundred_ranges_cost_no_more_than_the_whole(
    parent: FakeParent, tmp_path: Path
) -> None:
    parent.add("/film", bytes(MIB))
    ranges = b",".join(b"%d-%d" % (2 * n, 2 * n) for n in range(100))
    overlapping = b",".join(b"0-" for n in range(100))
    async with running_edge(parent.url, tmp_path / "c", require_token=False) as edge:
        for asked in (ranges, overlapping):
            async with connected(edge) as (reader, writer):
                writer.write(get(b"Range: bytes=" + asked, b"Connection: close", target=b"/film"))
                assert len(await everything(reader)) < 1.1 * MIB
    assert parent.asked == ["/film"]


async def test_a_head_that_comes_byte_by_byte_is_cut_off(edge: RunningEdge) -> None:
    """The limit counts from the first byte; what comes meanwhile does not extend it."""
    edge.door.limits = replace(edge.door.limits, header_s=0.4)
    for lead in (b"", get(target=b"/healthz")):  # as the first request, and as the second
        async with connected(edge) as (reader, writer):
            writer.write(lead)
            trickle = asyncio.create_task(_trickle(writer, b"GET /a HTTP/1.1\r\nHost: x\r\nX: "))
            await everything(reader)
            trickle.cancel()
    assert await is_fine(edge)


@pytest.mark.parametrize("head", [post(b"Content-Length: 60000"), post(CHUNKED, body=b"")])
async def test_a_body_that_comes_byte_by_byte_is_cut_off(
    head: bytes, parent: FakeParent, tmp_path: Path
) -> None:
    """Each byte comes soon enough; all of them would not within any time."""
    parent.add("/a", BODY, first_byte_s=4.5)
    async with running_edge(parent.url, tmp_path / "c", require_token=False) as edge:
        edge.door.limits = replace(edge.door.limits, body_s=0.4)
        async with connected(edge) as (reader, writer):
            writer.write(head)
            piece = b"1\r\na\r\n" if CHUNKED in head else b"a"
            trickle = asyncio.create_task(_trickle(writer, b"", piece))
            assert await everything(reader) == b""
            trickle.cancel()


async def test_a_body_that_comes_fast_enough_is_taken(parent: FakeParent, tmp_path: Path) -> None:
    async with running_edge(parent.url, tmp_path / "c", require_token=False) as edge:
        edge.door.limits = replace(edge.door.limits, body_s=0.2)
        async with connected(edge) as (reader, writer):
            writer.write(post(b"Content-Length: 5000", b"Connection: close", body=b""))
            for _ in range(10):  # 500 bytes each 50 ms: ten times the least rate
                writer.write(b"a" * 500)
                await asyncio.sleep(0.05)
            assert (await everything(reader)).startswith(b"HTTP/1.1 200 ")


async def test_a_client_that_does_not_read_is_cut_off(parent: FakeParent, tmp_path: Path) -> None:
    parent.add("/film", bytes(16 * MIB))
    async with running_edge(
        parent.url, tmp_path / "c", require_token=False, send_limit_s=0.3
    ) as edge:
        for _ in range(2):  # while it is filled, and from the cache
            async with connected(edge) as (reader, writer):
                writer.write(get(target=b"/film"))
                await asyncio.sleep(0.1)
                await edge.door.is_empty.wait()
                assert len(await everything(reader)) < 16 * MIB


async def _trickle(writer: asyncio.StreamWriter, lead: bytes, piece: bytes = b"a") -> None:
    writer.write(lead)
    while True:
        writer.write(piece)
        await asyncio.sleep(0.05)
