"""A playback that somebody ends: its log, its media and its exit code."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest
from aiohttp import web

import player.api
from abr.log import SessionLog
from abr.qoe import summary
from abr.trace import Trace
from player import play, replay
from player.drivers.replay import differences
from player.files import read_log
from player.playback.actions import Want
from player.playback.session import PlaybackSession
from tests.fakes.titles import fixed
from tests.integration.test_live_player import serving
from tests.integration.test_play_network import serving as serving_streams

LIMIT_S = 30.0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_leaves_the_log_and_the_figures(how: signal.Signals, tmp_path: Path) -> None:
    """Exit code 130, and what was played until then is written, printed and replays."""
    path, is_begun = tmp_path / "session.jsonl", asyncio.Event()

    def note(request: web.Request) -> None:
        if "00003.m4s" in request.path:
            is_begun.set()

    async with serving(segments=200) as (server, url):
        server.fault = note
        command = ["-m", "abr", "play", url, "-a", "throughput", "--log", str(path), "--json"]
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, "--duration", "60", stdout=-1, stderr=-1
        )
        async with asyncio.timeout(LIMIT_S):
            await is_begun.wait()
            process.send_signal(how)
            out, err = await process.communicate()
    assert process.returncode == 130
    assert err.decode().strip() == "abr: interrupted"
    assert b'"ended": "stopped"' in out
    log = read_log(path)
    assert log.records[-1]["why"] == "stopped"
    assert log.provenance["command"].startswith("abr play")
    assert differences(log, replay(log)) == []


async def test_a_cancelled_play_hands_out_the_log_that_there_is() -> None:
    """With the report of its link."""
    logs: list[SessionLog] = []
    begun = asyncio.Event()

    def progress(session: PlaybackSession) -> None:
        if session.state == "playing":
            begun.set()

    async with serving(segments=50) as (_, url):
        playing = asyncio.create_task(
            play(
                url,
                trace=Trace.constant(4e6),
                algorithm=fixed(0),
                on_progress=progress,
                on_end=logs.append,
            )
        )
        async with asyncio.timeout(LIMIT_S):
            await begun.wait()
            playing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await playing
    (log,) = logs
    assert summary(log).ended == "stopped"
    assert log.provenance["shaper"]["delivered_bytes"] > 0


class Breaks:
    """A sink that fails when the first segment is there."""

    def add(self, want: Want, _data: bytes) -> None:
        if want.kind == "segment":
            raise ZeroDivisionError("mine")


async def test_a_fault_in_a_callback_hands_out_the_log_too() -> None:
    """Whose fault it was is raised; the log is closed."""
    logs: list[SessionLog] = []
    async with serving() as (_, url):
        with pytest.raises(ZeroDivisionError, match="mine"):
            await play(url, algorithm=fixed(0), sink=Breaks(), on_end=logs.append)
    assert logs[0].records[-1]["e"] == "ended"


async def test_media_that_cannot_be_saved_fails_the_command_and_leaves_the_log(
    tmp_path: Path,
) -> None:
    """Named on one line, exit code 1."""
    media, path = tmp_path / "media", tmp_path / "session.jsonl"
    limit = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000)); "
    run = "import sys; from abr.cli import main; sys.exit(main())"
    async with serving_streams() as server:
        command = ["play", f"{server.base}/main.m3u8", "--save", str(media), "--log", str(path)]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", limit + run, *command, stdout=-1, stderr=-1
        )
        async with asyncio.timeout(LIMIT_S):
            _, err = await process.communicate()
    assert process.returncode == 1
    assert err.decode().splitlines()[-1].startswith(f"abr: error: {media}/video-r0.ts: segment 0 ")
    assert list(media.iterdir()) == []
    assert read_log(path).records[-1]["e"] == "ended"


def test_everything_is_met_once_in_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of many playbacks must not hold up the first for some tens of milliseconds."""
    monkeypatch.setattr(player.api, "_rehearsed", set())
    simulated: list[object] = []
    monkeypatch.setattr(player.api, "simulate", lambda *_, **given: simulated.append(given))
    for algorithm in ("bba-0", "throughput", "bba-0"):
        player.api._rehearse(player.api.as_algorithm(algorithm))
    for _ in range(3):
        player.api._rehearse(fixed(0))
    assert len(simulated) == 3
