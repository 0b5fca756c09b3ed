"""CMCD on the wire: what servers get, and what the log keeps of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from click.testing import CliRunner, Result

from abr.cli import main
from abr.errors import LogFormatError
from abr.log import SessionLog
from edge.operations.cmcd import HEADERS, Cmcd, parse_headers, parse_query
from player import CmcdConfig, play, replay
from player.cli.play import play as play_command
from player.drivers.replay import differences
from player.files import read_log
from tests.fakes.titles import fixed

SEGMENT = b"\x47" + b"\xff" * 187
MEDIA = (
    "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0\n"
    "#EXTINF:0.2,\na%2Fb%3A0.ts?sig=%27x%28y%29+z\n"
    "#EXTINF:0.2,\nmoved/1.ts?CMCD=theirs&k=1\n"
    "#EXT-X-ENDLIST\n"
)


class Server:
    """Notes each request as it came; ``moved/`` leads to another path."""

    def __init__(self) -> None:
        self.targets: list[str] = []
        self.said: list[Cmcd] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.targets.append(request.raw_path)
        fields = [(name, value) for name, value in request.headers.items() if name in HEADERS]
        self.said.append(parse_headers(fields) or parse_query(request.raw_path.partition("?")[2]))
        if request.path == "/film/a.m3u8":
            return web.Response(text=MEDIA)
        if request.path.startswith("/film/moved/"):
            return web.Response(status=302, headers={"Location": "/elsewhere/1.ts?as=written"})
        return web.Response(body=SEGMENT)


async def served(cmcd: CmcdConfig | None) -> tuple[Server, SessionLog]:
    """Everything a server saw of one playback, and its log."""
    server = Server()
    app = web.Application()
    app.router.add_get("/{path:.*}", server.answer)
    async with TestServer(app) as running:
        url = str(running.make_url("/film/a.m3u8"))
        log = await play(url, algorithm=fixed(0), cmcd=cmcd, raise_on_error=True)
    return server, log


@pytest.mark.parametrize("version", [1, 2])
async def test_a_query_gets_one_argument_and_urls_go_out_as_written(version: int) -> None:
    """Where a redirect leads nothing is added, as in a browser."""
    server, log = await served(CmcdConfig(version=version, content_id="film"))  # type: ignore[arg-type]
    bare = [target.partition("CMCD=") for target in server.targets]
    assert [before for before, _, _ in bare] == [
        "/film/a.m3u8?",
        "/film/a%2Fb%3A0.ts?sig=%27x%28y%29+z&",
        "/film/moved/1.ts?k=1&",
        "/elsewhere/1.ts?as=written",
    ]
    assert [bool(after) for _, _, after in bare] == [True, True, True, False]
    first = server.said[1]
    assert (first.session, first.values["cid"]) == (log.provenance["cmcd"]["session_id"], "film")
    assert first.version == version
    assert log.provenance["cmcd"]["session_id"] not in str(log.records)
    assert differences(log, replay(log, algorithm=fixed(0))) == []


async def test_header_fields_leave_urls_alone_and_go_where_redirects_lead() -> None:
    server, log = await served(CmcdConfig(carriage="headers", version=2, session_id="mine"))
    assert server.targets[1:] == [
        "/film/a%2Fb%3A0.ts?sig=%27x%28y%29+z",
        "/film/moved/1.ts?CMCD=theirs&k=1",
        "/elsewhere/1.ts?as=written",
    ]
    assert {cmcd.session for cmcd in server.said} == {"mine"}
    assert server.said[2].values == server.said[3].values
    assert replay(log, algorithm=fixed(0)).provenance["cmcd"] == log.provenance["cmcd"]


async def test_nothing_is_said_unless_it_is_asked_for() -> None:
    server, log = await served(None)
    assert not any(server.said[:2])
    assert "CMCD=" not in server.targets[0] + server.targets[1]
    assert "cmcd" not in log.provenance


def run(*args: str) -> Result:
    return CliRunner().invoke(play_command, args)


def test_the_command_says_what_is_wrong_with_its_options(tmp_path: Path) -> None:
    """Options that would do nothing are refused, and so are ids that cannot be sent."""
    alone = run("http://127.0.0.1:1/a.m3u8", "--content-id", "x")
    assert alone.exit_code == 2
    assert "need --cmcd query or --cmcd headers" in alone.output
    long = run("http://127.0.0.1:1/a.m3u8", "--cmcd", "query", "--session-id", "x" * 65)
    assert "session_id has 65 characters" in str(long.exception)
    log = tmp_path / "log.jsonl"
    assert main(["play", "http://127.0.0.1:1/a.m3u8", "--cmcd", "headers", "--log", str(log)]) == 1
    try:
        cmcd = read_log(log).provenance["cmcd"]
    except LogFormatError as exc:
        raise AssertionError(exc) from exc
    assert (cmcd["carriage"], cmcd["version"], len(cmcd["session_id"])) == ("headers", 1, 36)
