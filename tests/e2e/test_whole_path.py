"""Master to measured playback: transcode, origin, two tiers of edges, player."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from abr.errors import ToolMissingError
from abr.log import SessionLog
from abr.qoe import summary
from abr.trace import Trace
from bench.analysis.agreement import gap_between
from bench.stack.config import ServeConfig
from bench.stack.stack import Stack
from origin.paths import token_of
from player import PlayerConfig, play, replay, simulate
from player.drivers.replay import differences
from player.files import MediaFolder
from transcode.config import TranscodeConfig
from transcode.files.keystore import KeyStore
from transcode.run.ffmpegtools import find
from transcode.run.generate import write_master
from transcode.run.package import transcode
from transcode.scenes import SceneSpec

SEALED = TranscodeConfig(
    encrypt="aes-128",
    segment_s=1.0,
    gop_s=1.0,
    ladder="90:120,144:300",
    preset="ultrafast",
    verify="quick",
    rotate_every=2,
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encrypted package of 6 s with its keys beside the folder of packages."""
    try:
        find("ffmpeg")
    except ToolMissingError as exc:
        pytest.skip(f"no ffmpeg: {exc}")
    folder = tmp_path_factory.mktemp("home")
    spec = SceneSpec(width=256, height=144, duration_s=6.0)
    master = await write_master(folder / "master.mkv", spec)
    config = replace(SEALED, keys_dir=str(folder / "keys"))
    await transcode(master, folder / "packages" / "film", config)
    return folder


@pytest.fixture
async def stack(home: Path) -> AsyncIterator[Stack]:
    """Origin, regional tier and two edges."""
    async with Stack([home / "packages"], keys=home / "keys") as running:
        yield running


async def test_an_encrypted_package_plays_through_both_tiers_and_replays(
    home: Path, stack: Stack, tmp_path: Path
) -> None:
    """Opened media begins with an ftyp box; a second viewer is served by the caches."""
    sink = MediaFolder(tmp_path / "media")
    first = await play(stack.playback_url("film"), algorithm="bba-0", sink=sink)
    assert summary(first).ended == "complete"
    assert summary(first).played_s == pytest.approx(6.0, abs=0.05)
    assert (tmp_path / "media" / "video-r0.mp4").read_bytes()[4:8] == b"ftyp"
    assert differences(first, replay(SessionLog.loads(first.dumps()))) == []
    before = stack.cache_stats()["isp"]
    await play(stack.playback_url("film"), algorithm="bba-0")
    after = stack.cache_stats()["isp"]
    new_requests = after["requests"] - before["requests"]
    assert after["hits"] - before["hits"] >= 0.7 * new_requests


async def test_simulation_and_http_agree_on_what_a_viewer_gets(home: Path, stack: Stack) -> None:
    """An outage longer than the buffer: one stall in both, of the same length to 0.5 s.

    The bound is loose because tests run on busy machines; ``abr agree`` has the real ones.
    """
    trace = Trace.from_periods([(3.0, 5e6), (5.0, 0.0), (20.0, 5e6)], name="outage")
    config = PlayerConfig(max_buffer_s=2.0)
    simulated = simulate(
        home / "packages" / "film",
        trace=trace,
        algorithm="fixed",
        params={"rung": 1},
        config=config,
    )
    live = await play(
        stack.playback_url("film"),
        trace=trace,
        algorithm="fixed",
        params={"rung": 1},
        config=config,
    )
    gap = gap_between(simulated, live)
    print(
        f"stalls {gap.virtual.stall_events} / {gap.live.stall_events}, "
        f"stalled {gap.virtual.stall_s:.2f} / {gap.live.stall_s:.2f} s, "
        f"startup {gap.virtual.startup_s} / {gap.live.startup_s} s"
    )
    assert gap.same_decisions == gap.decisions
    assert (gap.virtual.stall_events, gap.live.stall_events) == (1, 1)
    assert gap.live.stall_s == pytest.approx(gap.virtual.stall_s, abs=0.5)


def test_agree_lays_simulation_and_http_side_by_side(home: Path, tmp_path: Path) -> None:
    """One line of JSON with both figures of each kind; nothing of it is left running."""
    trace = tmp_path / "steady.csv"
    trace.write_text("time_s,kbps\n0,2000\n30,2000\n")
    where = [str(home / "packages" / "film"), "--keys", str(home / "keys"), "--trace", str(trace)]
    done = subprocess.run(
        [sys.executable, "-m", "abr", "agree", *where, "--duration", "4", "-a", "fixed", "--json"],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (gap,) = json.loads(done.stdout)["gaps"]
    assert gap["trace"] == "steady"
    assert gap["stall_events"] == [0, 0]
    assert gap["same_decisions"] == gap["decisions"] > 0
    assert 0 < gap["startup_s"][0] < gap["startup_s"][1] + 0.05


async def test_a_token_that_expires_under_way_is_renewed(home: Path) -> None:
    """Tokens live 2 s here, the video lasts 6 s: playback goes on with new ones, unnoticed."""
    async with Stack(
        [home / "packages"], keys=home / "keys", config=ServeConfig(token_ttl_s=2.0)
    ) as short:
        log = await play(
            short.playback_url("film"),
            algorithm="fixed",
            config=PlayerConfig(max_buffer_s=2.0),
        )
    assert summary(log).ended == "complete"
    assert summary(log).stall_events == 0
    assert any(record["kind"] == "token" for record in log.of("fetch"))


async def test_without_a_token_nothing_is_served_and_nothing_fetched(stack: Stack) -> None:
    """403 with a reason at every tier, for media and keys alike; no upstream request."""
    url = stack.playback_url("film")
    token = token_of(url)
    assert token is not None
    middle = len(token) - 40  # of the signature
    forged = f"{token[:middle]}{'B' if token[middle] == 'A' else 'A'}{token[middle + 1 :]}"
    async with aiohttp.ClientSession() as http:
        for listener in stack.listeners:
            for path in ("film/v0/00000.m4s", "film/key/" + "0" * 32, "film/multivariant.m3u8"):
                async with http.get(f"{listener.url}/{path}") as answer:
                    assert answer.status == 403
                    assert answer.headers["Abr-Refusal"] == "missing"
                async with http.get(f"{listener.url}/t/{forged}/{path}") as answer:
                    assert answer.status == 403
    assert all(tier["hits"] == 0 and tier["bytes"] == 0 for tier in stack.cache_stats().values())


def test_no_content_key_lies_beside_the_media(home: Path) -> None:
    """No file of the package holds a key, as bytes or as hexadecimal text."""
    keys = KeyStore.open(home / "keys")
    contents = [keys.key("film", kid) for kid in keys.kids("film")]
    assert len(contents) == 3
    for path in (home / "packages").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert not any(key in data or key.hex().encode() in data.lower() for key in contents)
