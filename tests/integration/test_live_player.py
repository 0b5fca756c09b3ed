"""The live driver against a real HTTP server on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from click.testing import CliRunner

from abr.errors import AlgorithmError
from abr.log import SessionLog
from abr.qoe import summary
from abr.trace import Trace
from player import PlayerConfig, play, replay
from player.cli.replay import replay as replay_command
from player.drivers.replay import differences
from player.files import MediaFolder, read_log, write_log
from tests.fakes.titles import TOKEN, FakeTitle, fixed
from tests.unit.transcode.test_fragments import AAC, init_section
from transcode.encryption import encrypt, sequence_iv

KEY = bytes(range(16))
SEGMENT = b"\x00\x00\x00\x08moof" + b"\x00\x00\x00\x08mdat" * 2999
INIT = init_section(AAC)
IMPATIENT = PlayerConfig(patience_s=0.0)


class Server:
    """Serves a ``FakeTitle`` of 1 s segments, encrypted with ``KEY``; faults can be planted."""

    def __init__(self, title: FakeTitle) -> None:
        self.title = title
        self.requests: list[str] = []
        self.fault: Callable[[web.Request], web.StreamResponse | None] = lambda _request: None

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        self.requests.append(request.path)
        fault = self.fault(request)
        if fault is not None:
            return fault
        if path == "multivariant.m3u8":
            return web.Response(text=self.title.multivariant())
        if path.endswith("playlist.m3u8"):
            return web.Response(text=self.title.media(-1 if path[0] == "a" else int(path[1])))
        if path == "renew":
            return web.json_response({"token": "new.body.signature", "expires_s": 9})
        if path.startswith("key/"):
            return web.Response(body=KEY)
        if path.endswith("init.mp4"):
            return web.Response(body=INIT)
        index = int(path.rpartition("/")[2].removesuffix(".m4s"))
        return web.Response(body=encrypt(SEGMENT, KEY, sequence_iv(index)))


@asynccontextmanager
async def serving(segments: int = 3) -> AsyncIterator[tuple[Server, str]]:
    server = Server(FakeTitle(segments=segments, is_encrypted=True, segment_s=0.4))
    app = web.Application()
    app.router.add_get("/t/{token}/film/{path:.*}", server.answer)
    async with TestServer(app) as running:
        url = running.make_url(f"/t/{TOKEN}/film/multivariant.m3u8")
        yield server, str(url)


async def test_an_encrypted_title_plays_to_its_end_and_replays_identically(tmp_path: Path) -> None:
    """Real bytes, real keys, real time; the log survives the disk and the replay is exact."""
    async with serving() as (_, url):
        sink = MediaFolder(tmp_path / "media")
        log = await play(url, algorithm=fixed(1), sink=sink)
    qoe = summary(log)
    assert qoe.ended == "complete"
    assert qoe.rungs == (1, 1, 1)
    assert qoe.played_s == pytest.approx(1.2)
    assert (tmp_path / "media" / "video-r1.mp4").read_bytes() == INIT + SEGMENT * 3
    write_log(log, tmp_path / "session.jsonl")
    again = replay(tmp_path / "session.jsonl", algorithm=fixed(1))
    assert differences(read_log(tmp_path / "session.jsonl"), again) == []
    assert TOKEN not in log.dumps()
    assert KEY.hex() not in log.dumps()


async def test_a_trace_slows_the_playback_to_its_capacity() -> None:
    """Six encrypted segments of 24 kB each way at 0.8 Mbit/s take about 0.24 s apiece."""
    async with serving() as (_, url):
        log = await play(
            url,
            trace=Trace.constant(0.8e6, name="slow"),
            algorithm=fixed(0),
            config=PlayerConfig(rtt_s=0.02),
        )
    took = [
        finished["t"] - fetch["t"]
        for fetch in log.of("fetch")
        for finished in log.of("finished")
        if fetch["kind"] == "segment" and finished["id"] == fetch["id"]
    ]
    wire_s = (len(SEGMENT) + 16) * 8 / 0.8e6
    assert min(took) > wire_s
    assert sorted(took)[len(took) // 2] < wire_s + 0.15
    assert log.provenance["trace"] == "slow"
    assert log.provenance["shaper"]["delivered_bytes"] > 6 * len(SEGMENT)


async def test_leaving_in_the_middle_of_a_segment_replays_identically() -> None:
    """The bytes that had come when the viewer left are in no other record."""
    async with serving() as (_, url):
        slow = Trace.constant(0.1e6)
        log = await play(url, trace=slow, algorithm=fixed(0), max_play_s=1.5)
    (given_up,) = log.of("abort")
    assert 0 < given_up["received_bytes"] < len(SEGMENT)
    assert differences(log, replay(log, algorithm=fixed(0))) == []


async def test_an_expired_token_is_renewed_over_http() -> None:
    """A 403 that says ``expired`` leads to one renewal; the rest uses the new token."""
    async with serving() as (server, url):
        expired = {"Abr-Refusal": "expired"}

        def fault(request: web.Request) -> web.StreamResponse | None:
            is_old = TOKEN in request.path and "00001" in request.path
            return web.Response(status=403, headers=expired) if is_old else None

        server.fault = fault
        log = await play(url, algorithm=fixed(0))
    assert summary(log).ended == "complete"
    assert sum(path.endswith("/renew") for path in server.requests) == 1
    assert "/t/new.body.signature/film/v0/00001.m4s" in server.requests


async def test_media_that_does_not_open_ends_the_session() -> None:
    """A segment that is no multiple of 16 bytes cannot be decrypted; the log says so."""
    async with serving() as (server, url):
        server.fault = lambda r: (
            web.Response(body=b"x" * 100) if r.path.endswith("/00001.m4s") else None
        )
        log = await play(url, algorithm=fixed(0), config=IMPATIENT)
    assert summary(log).ended.startswith(
        "error: v0/00001.m4s: segment 1: encrypted segment: 100 bytes; "
        "expected a multiple of 16 after "
    )
    assert differences(log, replay(log, algorithm=fixed(0))) == []


async def test_a_failed_session_that_replays_identically_is_said_to(tmp_path: Path) -> None:
    """The command judges the replay, not the session: exit code 0."""
    async with serving() as (server, url):
        server.fault = lambda r: web.Response(status=404) if "00001" in r.path else None
        log = await play(url, algorithm="bba-0", config=IMPATIENT)
    assert summary(log).ended.startswith("error: ")
    write_log(log, tmp_path / "failed.jsonl")
    result = CliRunner().invoke(replay_command, [str(tmp_path / "failed.jsonl")])
    assert result.exit_code == 0
    assert "all identical" in result.stderr


async def test_a_broken_off_body_is_fetched_again() -> None:
    """A connection that dies in the middle of a segment costs one retry."""
    server = Server(FakeTitle(segments=3, is_encrypted=True, segment_s=0.4))
    broken: list[int] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("v0/00001.m4s") and not broken:
            broken.append(1)
            response = web.StreamResponse(headers={"Content-Length": "24016"})
            await response.prepare(request)
            await response.write(b"x" * 1000)
            assert request.transport is not None
            request.transport.abort()
            return response
        return await Server.answer(server, request)

    app = web.Application()
    app.router.add_get("/t/{token}/film/{path:.*}", answer)
    async with TestServer(app) as running:
        url = str(running.make_url(f"/t/{TOKEN}/film/multivariant.m3u8"))
        log = await play(url, algorithm=fixed(0))
    assert summary(log).ended == "complete"
    assert [r["kind"] for r in log.of("failed")] == ["truncated"]


async def test_no_server_is_an_error_after_all_attempts() -> None:
    """Nobody listens: the session ends, startup never happened."""
    log = await play(
        "http://127.0.0.1:9/t/a.b.c/film/multivariant.m3u8",
        algorithm=fixed(0),
        config=PlayerConfig(attempts=2, backoff_s=0.01),
    )
    qoe = summary(log)
    assert qoe.startup_s is None
    assert "cannot connect" in qoe.ended


async def test_leaving_early_stops_cleanly() -> None:
    """max_play_s ends the session at that time with nothing left running."""
    async with serving(segments=30) as (_, url):
        log = await play(url, algorithm=fixed(0), max_play_s=0.5)
    qoe = summary(log)
    assert qoe.ended == "stopped"
    assert qoe.elapsed_s == pytest.approx(0.5, abs=0.1)
    assert len(asyncio.all_tasks()) == 1


async def test_an_algorithm_that_raises_surfaces_its_error() -> None:
    """A fault of the algorithm is not swallowed by the event loop."""

    class Faulty:
        def choose(self, _seen: object) -> int:
            raise ZeroDivisionError("mine")

    async with serving() as (_, url):
        with pytest.raises(AlgorithmError, match=r"'Faulty': choose\(\) raised .*: mine") as caught:
            await play(url, algorithm=Faulty)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_log_of_a_failed_playback_can_be_read(tmp_path: Path) -> None:
    """Round trip through the file of a log with hardly anything in it."""
    log = SessionLog({"driver": "live"})
    log.add("start", 0.0)
    log.add("ended", 0.5, why="stopped", playhead_s=0.0)
    write_log(log, tmp_path / "x.jsonl")
    assert read_log(tmp_path / "x.jsonl").records == log.records
