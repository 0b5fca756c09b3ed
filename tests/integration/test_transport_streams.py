"""Packages of transport streams, beside the same package in fragments of MP4."""

from __future__ import annotations

import asyncio
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from abr.trace import Trace
from bench.stack.stack import Stack
from player.api import play, simulate
from transcode.config import TranscodeConfig
from transcode.encryption import decrypt, sequence_iv
from transcode.files.keystore import KeyStore
from transcode.files.reader import check_package
from transcode.inspection.judge import judge
from transcode.packaging.index import PresentationIndex
from transcode.playlist import MediaPlaylist, parse
from transcode.run.ffmpegtools import Tool, candidates
from transcode.run.inspecting import load_package
from transcode.run.package import transcode

FFMPEGS = [
    tool.path
    for tool in candidates("ffmpeg")
    if isinstance(tool, Tool) and not tool.lacks(["libx264"])
]
pytestmark = pytest.mark.skipif(not FFMPEGS, reason="no ffmpeg with libx264 was found")
SOUND_FRAMES = {"00000.ts": 94, "00001.ts": 94}
"""In 2 s of 48,000 samples a second, in frames of 1,024: 93.75."""
TEXT = "1\n00:00:01,000 --> 00:00:02,000\nhello\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds with B-frames and sound: as ``ts``, ``fmp4`` and encrypted as ``sealed``."""
    home = tmp_path_factory.mktemp("ts")
    master, text = home / "master.mkv", home / "text.en.srt"
    text.write_text(TEXT)
    subprocess.run(
        [
            *(FFMPEGS[0], "-nostdin", "-v", "error", "-f", "lavfi"),
            *("-i", "testsrc2=size=192x108:rate=24:duration=4", "-f", "lavfi"),
            *("-i", "sine=440:duration=4", "-c:v", "libx264"),
            *("-preset", "ultrafast", str(master)),
        ],
        check=True,
        timeout=60,
    )
    made: list[tuple[str, dict[str, Any]]] = [
        ("ts", {"container": "ts"}),
        ("fmp4", {}),
        ("sealed", {"container": "ts", "encrypt": "aes-128"}),
    ]
    for name, settings in made:
        config = TranscodeConfig(
            **settings, segment_s=2.0, gop_s=1.0, preset="veryfast", ladder="54:60,108:150",
            verify="full", loudness_lufs=-23.0, subtitles=(str(text),),
            keys_dir=str(home / "keys"), cache_dir=str(home / "cache"),
        )  # fmt: skip
        asyncio.run(transcode(master, home / "packages" / name, config))
    return home


def decoded(program: str, path: Path, *streams: str) -> list[list[tuple[Fraction, str]]]:
    """Time in seconds and MD5 of each frame of the streams; any complaint fails."""
    command = [program, "-nostdin", "-v", "warning", "-copyts", "-i", str(path)]
    for stream in streams:
        command += ["-map", stream]
    done = subprocess.run(
        [*command, "-fps_mode", "passthrough", "-f", "framemd5", "-"],
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == b""
    lines = done.stdout.decode().splitlines()
    frames: list[list[tuple[Fraction, str]]] = []
    for number in range(len(streams)):
        head = f"#tb {number}: "
        (base,) = (Fraction(line.removeprefix(head)) for line in lines if line.startswith(head))
        fields = [line.split(",") for line in lines if line.startswith(f"{number},")]
        frames.append([(int(each[2]) * base, each[-1].strip()) for each in fields])
    return frames


def index_of(home: Path, name: str) -> PresentationIndex:
    return check_package(home / "packages" / name)


def test_the_package_has_no_sections_and_breaks_no_rule(home: Path) -> None:
    """Its playlists have what old devices know, and the subtitles' clock is the media's."""
    folder = home / "packages" / "ts"
    index = index_of(home, "ts")
    assert index.container == "ts"
    assert [track.init_bytes for track in index.tracks] == [0, 0, 0]
    assert index.audio[0].loudness_lufs == pytest.approx(-23, abs=0.5)
    assert not list(folder.rglob("init.mp4"))
    assert not (folder / "manifest.mpd").exists()
    text = (folder / "v0" / "playlist.m3u8").read_text()
    assert "#EXT-X-VERSION:3\n" in text
    assert "00001.ts\n" in text
    assert "EXT-X-MAP" not in text
    assert "MPEGTS:900000,LOCAL:00:00:00.000" in (folder / "s0" / "00000.vtt").read_text()
    findings = judge(asyncio.run(load_package(str(folder), depth="decode")), "decode").findings
    assert [each.rule for each in findings if each.severity == "violation"] == []


@pytest.mark.parametrize("program", FFMPEGS)
def test_every_segment_decodes_alone_to_its_frames(home: Path, program: str) -> None:
    for rung in ("v0", "v1"):
        for path in sorted((home / "packages" / "ts" / rung).glob("*.ts")):
            (frames,) = decoded(program, path, "0:v")
            assert len(frames) == 48
    for path in sorted((home / "packages" / "ts" / "a0").glob("*.ts")):
        (frames,) = decoded(program, path, "0:a")
        assert len(frames) == SOUND_FRAMES[path.name]


@pytest.mark.parametrize("program", FFMPEGS)
def test_the_whole_plays_as_that_in_fragments_does(home: Path, program: str) -> None:
    """The same frames at the same times, ten seconds on, sound and picture alike to 1 ms."""
    ours, theirs = (
        decoded(program, home / "packages" / name / "multivariant.m3u8", "0:v:0", "0:a:0")
        for name in ("ts", "fmp4")
    )
    for own, other in zip(ours, theirs, strict=True):
        assert [md5 for _, md5 in own] == [md5 for _, md5 in other]
        apart_s = {float(a - b) for (a, _), (b, _) in zip(own, other, strict=True)}
        assert min(apart_s) > 10 - 0.0005
        assert max(apart_s) < 10 + 0.0005


def test_key_frames_are_listed_by_ranges_that_decode_behind_the_tables(home: Path) -> None:
    """One a second, each a PES packet of one frame; the tables stand at the segment's head."""
    folder = home / "packages" / "ts" / "v1"
    playlist = parse((folder / "iframes.m3u8").read_text())
    assert isinstance(playlist, MediaPlaylist)
    assert (playlist.iframes_only, playlist.version) == (True, 4)
    assert [each.uri for each in playlist.segments] == ["00000.ts"] * 2 + ["00001.ts"] * 2
    assert [each.duration_s for each in playlist.segments] == [1.0] * 4
    for each in playlist.segments:
        assert each.map is None
        assert each.byte_range is not None
        data, begin = (folder / each.uri).read_bytes(), each.byte_range.offset
        part = data[: 2 * 188] + data[begin : begin + each.byte_range.length]
        command = [FFMPEGS[0], "-v", "error", "-f", "mpegts", "-i", "pipe:0", "-f", "framemd5", "-"]
        shown = subprocess.run(command, input=part, capture_output=True, timeout=60, check=True)
        assert shown.stderr == b""
        lines = [each for each in shown.stdout.decode().splitlines() if each[:1] != "#"]
        assert len(lines) == 1
    assert "EXT-X-I-FRAME" not in (home / "packages/sealed/multivariant.m3u8").read_text()
    found = judge(asyncio.run(load_package(str(folder.parent), depth="decode")), "decode").findings
    assert [each.rule for each in found if each.rule.startswith("iframes")] == []


def test_encrypted_segments_open_to_the_clear_ones(home: Path) -> None:
    keys = KeyStore.open(home / "keys")
    index = index_of(home, "sealed")
    assert index.encryption is not None
    key = keys.key_for("sealed", 0)
    assert index.encryption.kids == (key.kid,)
    for track in index.tracks:
        for number in range(len(track.segments)):
            path = Path(track.folder) / f"{number:05d}.ts"
            sealed = (home / "packages" / "sealed" / path).read_bytes()
            clear = (home / "packages" / "ts" / path).read_bytes()
            assert sealed != clear
            assert decrypt(sealed, key.key, sequence_iv(number)) == clear


async def test_it_plays_over_http_and_in_simulation(home: Path) -> None:
    """Encrypted, through origin and tiers: no section is asked for."""
    async with Stack([home / "packages"], keys=home / "keys") as running:
        log = await play(running.playback_url("sealed"), algorithm="bba-0", max_play_s=0.5)
    assert {each["kind"] for each in log.of("fetch")} >= {"segment", "key"}
    assert "init" not in {each["kind"] for each in log.of("fetch")}
    trace = Trace.constant(5e6, name="fast")
    simulated = simulate(home / "packages" / "ts", trace=trace, algorithm="bba-0")
    assert "init" not in {each["kind"] for each in simulated.of("fetch")}
    assert len([each for each in simulated.of("fetch") if each["kind"] == "segment"]) == 4
