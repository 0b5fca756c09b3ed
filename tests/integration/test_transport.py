"""The live driver's HTTP against a real server on loopback."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from player.drivers import transport
from player.drivers.transport import HttpTransport, TransferError
from player.playback.actions import Kind, Want
from player.playback.retry import Failure
from transcode.playlist import ByteRange

BODY = b"\x47" + bytes(range(99))
"""What begins as a box."""
RANGE = ByteRange(0, 10)


def ranged(body: bytes, said: str | None) -> web.Response:
    headers = {} if said is None else {"Content-Range": said}
    return web.Response(status=206, body=body, headers=headers)


def coded(body: bytes, coding: str) -> web.Response:
    return web.Response(body=body, headers={"Content-Encoding": coding})


PACKED = gzip.compress(BODY)
DATES = {
    "Date": "Sun, 06 Nov 1994 08:49:37 GMT",
    "Retry-After": "Sun, 06 Nov 1994 08:49:49 GMT",
}
ANSWERS: dict[str, Callable[[], web.StreamResponse]] = {
    "/whole": lambda: web.Response(body=BODY),
    "/ranged": lambda: ranged(BODY[:10], "bytes 0-9/100"),
    "/other-range": lambda: ranged(BODY[1:11], "bytes 1-10/100"),
    "/no-range": lambda: ranged(BODY[:10], None),
    "/short-range": lambda: ranged(BODY[:9], "bytes 0-9/100"),
    "/moved": lambda: web.Response(status=302, headers={"Location": "/whole"}),
    "/loop": lambda: web.Response(status=302, headers={"Location": "/loop"}),
    "/refused": lambda: web.Response(status=403, headers={"Abr-Refusal": "expired"}),
    "/later": lambda: web.Response(status=503, headers={"Retry-After": "7"}),
    "/page": lambda: web.Response(text="<!DOCTYPE html><p>Sign in", content_type="text/html"),
    "/empty": lambda: web.Response(body=b""),
    "/packed": lambda: coded(PACKED, "gzip"),
    "/cut-packed": lambda: coded(PACKED[:-9], "gzip"),
    "/odd-coding": lambda: coded(BODY, "br"),
    "/no-coding": lambda: coded(BODY, "utf-8"),
    "/not-packed": lambda: coded(BODY, "gzip"),
    "/changed": lambda: web.Response(status=203, body=BODY),
    "/nothing": lambda: web.Response(status=204),
    "/away": lambda: web.Response(status=302, headers={"Location": "file:///etc/hostname"}),
    "/later-by-date": lambda: web.Response(status=503, headers=DATES),
}


async def answer(request: web.Request) -> web.StreamResponse:
    return ANSWERS[request.path]()


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[HttpTransport, str]]:
    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    async with TestServer(app) as server:
        base = str(server.make_url("")).rstrip("/")
        async with HttpTransport(f"{base}/x.m3u8") as http:
            yield http, base


async def fetch(
    path: str, byte_range: ByteRange | None = None, kind: Kind = "segment"
) -> tuple[bytes, list[str | None], int]:
    """Body, where each response came from, and how many bytes were reported."""
    responses: list[str | None] = []
    sizes: list[int] = []
    async with opened() as (http, base):
        want = Want(kind=kind, url=base + path, byte_range=byte_range)
        body = await http.fetch(want, want.url, on_response=responses.append, on_piece=sizes.append)
    return body, [url and url.removeprefix(base) for url in responses], sum(sizes)


async def test_a_byte_range_is_asked_for_and_every_byte_reported() -> None:
    assert await fetch("/ranged", RANGE) == (BODY[:10], [None], 10)


async def test_all_that_is_a_success_is_taken() -> None:
    """A proxy may change the status; a range of everything may come as everything."""
    assert await fetch("/changed") == (BODY, [None], 100)
    assert await fetch("/whole", ByteRange(0, 100)) == (BODY, [None], 100)
    assert await fetch("/no-coding") == (BODY, [None], 100)


async def test_a_redirect_is_followed_and_told() -> None:
    """URIs in a playlist are relative to where it came from in the end."""
    assert await fetch("/moved", kind="media") == (BODY, ["/whole"], 100)


@pytest.mark.parametrize(
    ("path", "byte_range", "failure"),
    [
        (
            "/whole",
            RANGE,
            Failure("unusable", message="the server ignored a byte range"),
        ),
        (
            "/other-range",
            RANGE,
            Failure("unusable", message="Content-Range: found bytes 1-10/100; expected bytes 0-9"),
        ),
        (
            "/no-range",
            RANGE,
            Failure("unusable", message="Content-Range: found none; expected bytes 0-9"),
        ),
        (
            "/short-range",
            RANGE,
            Failure("unusable", 206, message="9 bytes; expected 10, the range asked for"),
        ),
        (
            "/page",
            None,
            Failure("unusable", 200, message="a page (text/html) where media were expected"),
        ),
        ("/empty", None, Failure("unusable", 200, message="an empty segment")),
        ("/loop", None, Failure("unusable", message="over 10 redirects")),
        ("/cut-packed", None, Failure("truncated", message="compressed data that break off")),
        (
            "/odd-coding",
            None,
            Failure("unusable", message="Content-Encoding: br; expected identity"),
        ),
        ("/nothing", None, Failure("unusable", 204, message="an empty segment")),
        (
            "/ranged",
            None,
            Failure("unusable", message="a part (bytes 0-9/100); expected all"),
        ),
        (
            "/not-packed",
            None,
            Failure("unusable", message="compressed data that cannot be unpacked"),
        ),
        ("/away", None, Failure("content", message="a redirect to what is no HTTP URL")),
        ("/later-by-date", None, Failure("status", 503, after_s=12.0)),
        ("/later", None, Failure("status", 503, after_s=7.0)),
        ("/refused", None, Failure("status", 403, "expired")),
    ],
)
async def test_a_response_that_is_no_use_is_a_failure(
    path: str, byte_range: ByteRange | None, failure: Failure
) -> None:
    with pytest.raises(TransferError) as caught:
        await fetch(path, byte_range)
    assert caught.value.failure == failure


async def test_a_body_that_is_compressed_unasked_is_unpacked() -> None:
    """Its size on the wire is what counts."""
    body, _, size_bytes = await fetch("/packed")
    assert (body, size_bytes) == (BODY, len(gzip.compress(BODY)))


ECHO: list[tuple[str, dict[str, str]]] = []
"""Path and fields of each request to a server that answers with a redirect or a body."""


@asynccontextmanager
async def echoing(to: str = "") -> AsyncIterator[str]:
    async def echo(request: web.Request) -> web.StreamResponse:
        ECHO.append((request.raw_path, dict(request.headers)))
        if to:
            return web.Response(status=302, headers={"Location": to, "Set-Cookie": "who=me"})
        return web.Response(body=BODY, headers={"Set-Cookie": "who=me"})

    app = web.Application()
    app.router.add_get("/{path:.*}", echo)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


async def test_urls_go_out_as_they_are_written_and_cookies_come_back() -> None:
    """Signatures cover the spelling; a server given by address has cookies as well."""
    ECHO.clear()
    path = "/a%2Fb%27c%3Ad%28e%29/'f'?x=%7E&y=a+b%20c&sig=a%2Bb=="
    async with echoing() as base, HttpTransport(base) as http:
        want = Want(kind="segment", url=base + path)
        for _ in range(2):
            await http.fetch(want, want.url, on_response=lambda _: None, on_piece=lambda _: None)
        back = Want(kind="segment", url=f"{base}/b\\c?d\\e")
        await http.fetch(back, back.url, on_response=lambda _: None, on_piece=lambda _: None)
    assert [seen for seen, _ in ECHO] == [path, path, "/b/c?d%5Ce"]
    assert [fields.get("Cookie") for _, fields in ECHO] == [None, "who=me", None]


async def test_fields_given_for_one_server_are_not_told_to_another() -> None:
    ECHO.clear()
    given = {"X-Key": "secret", "authorization": "Bearer secret", "user-agent": "mine/1"}
    async with (
        echoing() as other,
        echoing(f"{other}/there") as base,
        HttpTransport(base, headers=given) as http,
    ):
        want = Want(kind="segment", url=f"{base}/here")
        await http.fetch(want, want.url, on_response=lambda _: None, on_piece=lambda _: None)
    (_, first), (_, second) = ECHO
    assert (first["X-Key"], first["Authorization"]) == ("secret", "Bearer secret")
    assert "secret" not in str(second)
    assert second["Host"] == other.removeprefix("http://")
    assert [fields["User-Agent"] for fields in (first, second)] == ["mine/1", "mine/1"]


async def test_a_data_url_is_what_it_holds() -> None:
    async with opened() as (http, _):
        url = "data:application/octet-stream;base64,AAECAwQFBgcICQoLDA0ODw=="
        want = Want(kind="key", url=url)
        sizes: list[int] = []
        body = await http.fetch(want, url, on_response=lambda _: None, on_piece=sizes.append)
    assert (body, sizes) == (bytes(range(16)), [16])


async def test_a_playlist_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the session reads has a limit of its own, below that of media."""
    monkeypatch.setattr(transport, "MOST_TEXT_BYTES", 99)
    assert (await fetch("/whole"))[0] == BODY
    with pytest.raises(TransferError, match="more than 99 bytes"):
        await fetch("/whole", kind="media")


@pytest.mark.parametrize("url", ["http://[::1", "http://127.0.0.1:99999/x", "ftp://127.0.0.1/x"])
async def test_what_is_no_url_is_a_failure_without_the_url(url: str) -> None:
    """It may hold a token."""
    async with opened() as (http, _):
        want = Want(kind="segment", url=url)
        with pytest.raises(TransferError) as caught:
            await http.fetch(want, url, on_response=lambda _: None, on_piece=lambda _: None)
    assert "127.0.0.1" not in str(caught.value.failure)


RAW = {
    "twice": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    "other": b"SSH-2.0-OpenSSH secret\r\n",
    "long": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 20_000 + b"\r\nContent-Length: 100\r\n\r\n" + BODY,
}


async def fetch_raw(answer: bytes) -> bytes:
    """The body of what a server answers that writes ``answer`` as it is."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/s"
    async with server, HttpTransport(url) as http:
        want = Want(kind="segment", url=url)
        return await http.fetch(
            want, url, on_response=lambda _url: None, on_piece=lambda _size: None
        )


@pytest.mark.parametrize(
    ("name", "reason"), [("twice", "Duplicate Content-Length"), ("other", "Bad status line")]
)
async def test_an_answer_that_is_no_http_is_told_with_its_fault_alone(
    name: str, reason: str
) -> None:
    with pytest.raises(TransferError) as caught:
        await fetch_raw(RAW[name])
    assert caught.value.failure.message.endswith(f": an answer that is no HTTP ({reason})")
    assert "secret" not in caught.value.failure.message


async def test_fields_may_be_as_long_as_browsers_take_them() -> None:
    assert await fetch_raw(RAW["long"]) == BODY
