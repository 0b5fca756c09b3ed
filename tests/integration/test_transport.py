"""The live driver's HTTP against a real server on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from player.drivers import transport
from player.drivers.transport import HttpTransport, TransferError
from player.playback.actions import Kind, Want
from player.playback.retry import Failure
from transcode.playlist import ByteRange

BODY = bytes(range(100))


async def answer(request: web.Request) -> web.StreamResponse:
    match request.path:
        case "/ranged":
            return web.Response(status=206, body=BODY[request.http_range])
        case "/moved":
            raise web.HTTPFound("/whole")
        case "/refused":
            return web.Response(status=403, headers={"Abr-Refusal": "expired"})
        case _:
            return web.Response(body=BODY)


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
    """10 bytes from offset 20."""
    assert await fetch("/ranged", ByteRange(20, 10)) == (BODY[20:30], [None], 10)


async def test_a_redirect_is_followed_and_told() -> None:
    """URIs in a playlist are relative to where it came from in the end."""
    assert await fetch("/moved", kind="media") == (BODY, ["/whole"], 100)


@pytest.mark.parametrize(
    ("path", "byte_range", "failure"),
    [
        (
            "/whole",
            ByteRange(20, 10),
            Failure("content", 200, "", "the server ignored a byte range"),
        ),
        ("/refused", None, Failure("status", 403, "expired")),
    ],
)
async def test_a_response_that_is_no_use_is_a_failure(
    path: str, byte_range: ByteRange | None, failure: Failure
) -> None:
    with pytest.raises(TransferError) as caught:
        await fetch(path, byte_range)
    assert caught.value.failure == failure


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
