"""Packages of shaka-packager with encrypted samples, played: every decoded frame is the same."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from player import play
from player.files import MediaFolder
from tests.fakes.fetching import fetch_all, listed
from tests.fakes.titles import fixed
from tests.reference.test_sample_encryption_peer import packager
from tests.unit.player.test_encrypted_samples import licence
from transcode.packaging.sampleencryption import METHODS, Scheme
from transcode.run.ffmpegtools import Tool, candidates

KID, KEY = "00112233445566778899aabbccddeeff", bytes(range(16))
ENCODERS = [
    tool for tool in candidates("ffmpeg") if isinstance(tool, Tool) and not tool.lacks(["libx264"])
]
pytestmark = [
    pytest.mark.skipif(packager() is None, reason="shaka-packager was not found"),
    pytest.mark.skipif(not ENCODERS, reason="no ffmpeg with libx264 was found"),
]
TRACKS = {"v": "video", "a": "audio"}


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("master") / "master.mp4"
    picture = "testsrc2=s=192x108:r=12:d=4"
    ffmpeg("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", "sine=d=4", "-g", "12", str(path))
    return path


def ffmpeg(*arguments: str) -> bytes:
    command = [str(ENCODERS[0].path), "-v", "error", *arguments]
    return subprocess.run(command, check=True, timeout=60, capture_output=True).stdout


def packaged(master: Path, folder: Path, scheme: Scheme | None) -> None:
    """Segments of a second; the first two in the clear."""
    options = []
    if scheme is not None:
        options = ["--enable_raw_key_encryption", "--protection_scheme", scheme]
        options += ["--keys", f"label=:key_id={KID}:key={KEY.hex()}", "--clear_lead", "2"]
    streams = [
        f"in={master},stream={kind},init_segment={folder}/{name}/init.mp4,"
        f"segment_template={folder}/{name}/$Number$.m4s,playlist_name={name}/list.m3u8,"
        "hls_group_id=sound"
        for name, kind in TRACKS.items()
    ]
    subprocess.run(
        [
            *(str(packager()), *streams, *options, "--segment_duration", "1"),
            *("--hls_master_playlist_output", f"{folder}/main.m3u8"),
        ],
        check=True,
        timeout=60,
        capture_output=True,
    )


def told_of_keys(folder: Path, scheme: Scheme, attributes: str) -> None:
    """Write EXT-X-KEY as it should be; this packager writes none for ``cenc`` with plain keys."""
    for name in TRACKS:
        path = folder / name / "list.m3u8"
        lines = [line for line in path.read_text().splitlines() if "EXT-X-KEY" not in line]
        at = [number for number, line in enumerate(lines) if line.startswith("#EXTINF")][2]
        lines.insert(at, f"#EXT-X-KEY:METHOD={METHODS[scheme]},{attributes}")
        path.write_text("\n".join(lines) + "\n")


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[str, list[object]]]:
    asked: list[object] = []

    async def answer_licence(request: web.Request) -> web.Response:
        asked.append(json.loads(await request.read()))
        return web.Response(body=licence((KID, KEY)), content_type="application/json")

    async def answer_key(_request: web.Request) -> web.Response:
        return web.Response(body=KEY)

    app = web.Application()
    app.router.add_post("/film/licence", answer_licence)
    app.router.add_get("/film/key", answer_key)
    app.router.add_static("/film", folder)
    async with TestServer(app) as running:
        yield str(running.make_url("/film/main.m3u8")), asked


async def fetched(folder: Path, saved: Path) -> list[object]:
    """Keep all of it, in the clear; returns what licences were asked for."""
    segments = sum(listed(folder / name / "list.m3u8") for name in TRACKS)
    async with serving(folder) as (url, asked):
        await fetch_all(url, saved, segments=segments)
    return asked


def decoded(path: Path) -> str:
    return hashlib.sha256(ffmpeg("-i", str(path), "-f", "framemd5", "-")).hexdigest()


IDENTITY = 'URI="../key",KEYFORMAT="identity"'
CLEAR_KEY = f'URI="../licence",KEYID=0x{KID},KEYFORMAT="org.w3.clearkey",KEYFORMATVERSIONS="1"'


@pytest.mark.parametrize("scheme", METHODS)
@pytest.mark.parametrize("attributes", [IDENTITY, CLEAR_KEY], ids=["identity", "clearkey"])
async def test_every_frame_decodes_as_that_of_the_clear_package(
    master: Path, tmp_path: Path, scheme: Scheme, attributes: str
) -> None:
    packaged(master, tmp_path / "clear", None)
    packaged(master, tmp_path / "encrypted", scheme)
    told_of_keys(tmp_path / "encrypted", scheme, attributes)
    await fetched(tmp_path / "clear", tmp_path / "clear-saved")
    asked = await fetched(tmp_path / "encrypted", tmp_path / "saved")
    for name in ("video-r0.mp4", "audio.mp4"):
        assert decoded(tmp_path / "saved" / name) == decoded(tmp_path / "clear-saved" / name)
    wanted = {"kids": ["ABEiM0RVZneImaq7zN3u_w"], "type": "temporary"}
    assert asked == ([wanted] if attributes == CLEAR_KEY else [])


async def test_encrypted_media_without_a_key_in_the_playlist_do_not_count_as_played(
    master: Path, tmp_path: Path
) -> None:
    packaged(master, tmp_path / "encrypted", "cenc")
    async with serving(tmp_path / "encrypted") as (url, _):
        log = await play(url, algorithm=fixed(0), sink=MediaFolder(tmp_path / "saved"))
    assert f"encrypted with key {KID}, and the playlist names no key" in log.records[-1]["why"]
