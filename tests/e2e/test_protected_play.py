"""Every protection through both tiers, played by us: each decoded frame is the clear title's."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from abr.errors import ToolMissingError
from bench.stack.stack import Stack
from tests.fakes.fetching import fetch_all
from transcode.config import TranscodeConfig
from transcode.run.ffmpegtools import find
from transcode.run.generate import write_master
from transcode.run.package import transcode
from transcode.scenes import SceneSpec

CLEAR = TranscodeConfig(
    segment_s=1.0, gop_s=1.0, ladder="90:120", preset="ultrafast", verify="quick"
)
TITLES = {
    "clear": CLEAR,
    "files": replace(CLEAR, encrypt="aes-128"),
    "rotating": replace(CLEAR, encrypt="aes-128", rotate_every=2, seal_init=True),
    "explicit": replace(CLEAR, encrypt="aes-128", explicit_iv=True, keys_per="quality"),
    "cenc": replace(CLEAR, encrypt="cenc"),
    "cbcs": replace(CLEAR, encrypt="cbcs"),
    "cenc-groups": replace(CLEAR, encrypt="cenc", keys_per="quality"),
    "cbcs-groups": replace(CLEAR, encrypt="cbcs", keys_per="quality"),
}
SEGMENTS = 10
"""Five seconds of picture and of sound."""
FLAGS = ["", "?player=shaka", "?player=hlsjs"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    try:
        find("ffmpeg")
    except ToolMissingError as exc:
        pytest.skip(f"no ffmpeg: {exc}")
    folder = tmp_path_factory.mktemp("home")
    spec = SceneSpec(width=160, height=90, duration_s=5.0)
    master = await write_master(folder / "master.mkv", spec)
    for title, config in TITLES.items():
        keys = replace(config, keys_dir=str(folder / "keys"))
        await transcode(master, folder / "packages" / title, keys)
    async with Stack([folder / "packages"], keys=folder / "keys") as running:
        yield running


def decoded(path: Path) -> str:
    """Digest of all frames of a saved track."""
    ffmpeg = find("ffmpeg").path
    command = [str(ffmpeg), "-v", "error", "-i", str(path), "-f", "framemd5", "-"]
    frames = subprocess.run(command, check=True, timeout=60, capture_output=True).stdout
    assert frames.count(b"\n") > 50
    return hashlib.sha256(frames).hexdigest()


async def saved(url: str, folder: Path) -> list[str]:
    """Digests of all frames of picture and sound."""
    await fetch_all(url, folder, segments=SEGMENTS)
    return [decoded(folder / name) for name in ("video-r0.mp4", "audio.mp4")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clear(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return await saved(stack.playback_url("clear"), tmp_path_factory.mktemp("clear") / "saved")


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("title", [title for title in TITLES if title != "clear"])
async def test_every_frame_is_that_of_the_clear_title(
    stack: Stack, clear: list[str], tmp_path: Path, title: str
) -> None:
    for number, flag in enumerate(FLAGS):
        url = stack.playback_url(title) + flag
        assert await saved(url, tmp_path / str(number)) == clear
