"""A playback over a traced link: every byte of every server crosses it, however it is reached."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from click.testing import CliRunner

from abr.errors import ConfigError
from abr.log import SessionLog
from abr.qoe import summary
from abr.trace import Trace
from player import PlayerConfig, play
from player.cli.play import play as play_command
from player.cli.play import read_headers
from player.shaping.proxy import Shaper
from tests.fakes.selfsigned import write_certificate
from tests.fakes.titles import fixed

SEGMENT = b"\x47" + bytes(187)
SEGMENT = SEGMENT * 100
COUNT = 3
LINK = Trace.constant(4e6)


class Server:
    """Serves segments, and the playlists of a title whose segments are on another server."""

    def __init__(self) -> None:
        self.base = ""
        self.media = ""
        self.sent_bytes = 0
        self.hosts: list[str] = []

    def __repr__(self) -> str:
        return f"<Server {self.base}>"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.hosts.append(request.host)
        match request.path.rpartition("/")[2]:
            case "main.m3u8":
                text = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=400000\nlist.m3u8\n"
                return web.Response(text=text)
            case "moved.m3u8":
                return web.Response(status=301, headers={"Location": f"{self.media}/main.m3u8"})
            case "list.m3u8":
                listed = "".join(f"#EXTINF:0.4,\n{self.media}/{n}.ts\n" for n in range(COUNT))
                head = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n"
                return web.Response(text=f"{head}{listed}#EXT-X-ENDLIST\n")
            case _:
                self.sent_bytes += len(SEGMENT)
                return web.Response(body=SEGMENT)


@asynccontextmanager
async def serving(
    host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_get("/{path:.*}", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, 0, ssl_context=tls)
        await site.start()
        port = runner.addresses[0][1]
        name = f"[{host}]" if ":" in host else host
        server.base = server.media = f"{'https' if tls else 'http'}://{name}:{port}"
        yield server
    finally:
        await runner.cleanup()


async def played(url: str, *, insecure: bool = False) -> SessionLog:
    config = PlayerConfig(rtt_s=0.01, attempts=1)
    return await play(url, trace=LINK, algorithm=fixed(0), config=config, insecure=insecure)


async def test_segments_of_another_server_cross_the_link() -> None:
    async with serving() as one, serving() as other:
        one.media = other.base
        log = await played(f"{one.base}/main.m3u8")
    assert summary(log).ended == "complete"
    assert (one.sent_bytes, other.sent_bytes) == (0, COUNT * len(SEGMENT))
    assert log.provenance["shaper"]["delivered_bytes"] > other.sent_bytes
    assert log.provenance["shaper"]["outside_bytes"] == 0
    assert set(other.hosts) == {other.base.removeprefix("http://")}


async def test_what_does_not_cross_the_link_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A way round that is planted here: the count is of connections, not of intentions."""

    async def past(_shaper: Shaper, host: str, port: int) -> tuple[str, int]:
        return host, port

    monkeypatch.setattr(Shaper, "route", past)
    async with serving() as server:
        log = await played(f"{server.base}/main.m3u8")
    assert log.provenance["shaper"]["outside_bytes"] > COUNT * len(SEGMENT)


async def test_a_redirect_to_another_server_leads_over_the_link() -> None:
    async with serving() as one, serving() as other:
        one.media = other.base
        log = await played(f"{one.base}/moved.m3u8")
    assert summary(log).ended == "complete"
    assert log.provenance["shaper"]["delivered_bytes"] > COUNT * len(SEGMENT)
    assert len(one.hosts) == 1


async def test_a_server_with_an_ipv6_address_is_reached() -> None:
    try:
        async with serving("::1") as server:
            log = await played(f"{server.base}/main.m3u8")
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    assert summary(log).ended == "complete"
    assert log.provenance["shaper"]["delivered_bytes"] > COUNT * len(SEGMENT)


@pytest.mark.parametrize("insecure", [True, False])
async def test_tls_passes_through_the_link(tmp_path: Path, insecure: bool) -> None:
    write_certificate(tmp_path / "cert", tmp_path / "key")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    async with serving(tls=tls) as server:
        log = await played(f"{server.base}/main.m3u8", insecure=insecure)
    ended = summary(log).ended
    assert log.provenance["shaper"]["outside_bytes"] == 0
    if insecure:
        assert ended == "complete"
        assert log.provenance["shaper"]["delivered_bytes"] > COUNT * len(SEGMENT)
    else:
        assert "its certificate is not trusted (--insecure)" in ended


async def test_a_server_that_is_not_there_is_named() -> None:
    log = await play(
        "http://127.0.0.1:9/main.m3u8", algorithm=fixed(0), config=PlayerConfig(attempts=1)
    )
    assert "127.0.0.1:9: cannot connect" in summary(log).ended


def test_fields_are_read_from_the_command_line() -> None:
    found = read_headers(["X-Key: a:b", "Accept:*/*"], "tv/3")
    assert found == {"User-Agent": "tv/3", "X-Key": "a:b", "Accept": "*/*"}


@pytest.mark.parametrize(
    "text", ["secret", ": secret", "a b: secret", "x: a\nsecret", "Host: secret"]
)
def test_what_is_no_field_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ConfigError, match="--header number 1") as caught:
        read_headers([text], None)
    assert "secret" not in str(caught.value)


def test_the_command_refuses_them_too() -> None:
    result = CliRunner().invoke(play_command, ["http://127.0.0.1:9/m.m3u8", "-H", "secret"])
    assert result.exit_code != 0
    assert "secret" not in result.output
