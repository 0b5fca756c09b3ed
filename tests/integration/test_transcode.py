"""Masters of many kinds become packages: shape, rate, boundaries, sound in step, keys."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from abr.cli import main
from abr.errors import AbrError
from tests import hlsrules, mp4facts
from transcode.config import TranscodeConfig
from transcode.files.keystore import KeyStore
from transcode.files.reader import check_package
from transcode.packaging.index import PresentationIndex
from transcode.run.ffmpegtools import Tool, candidates
from transcode.run.generate import write_master
from transcode.run.package import TranscodeProgress, transcode
from transcode.scenes import SceneSpec

FFMPEGS = [
    tool for tool in candidates("ffmpeg") if isinstance(tool, Tool) and not tool.lacks(["libx264"])
]
pytestmark = pytest.mark.skipif(not FFMPEGS, reason="no ffmpeg with libx264 was found")
MEDIA = Path(__file__).parents[3] / "shared" / "media"
QUICK: dict[str, Any] = {"preset": "ultrafast", "segment_s": 2.0}


def run_ffmpeg(path: Path, *arguments: str) -> Path:
    """A file made by ffmpeg of ``arguments``."""
    command = [FFMPEGS[-1].path, "-nostdin", "-y", "-v", "error", *arguments, f"file:{path}"]
    subprocess.run(command, check=True, timeout=60)
    return path


def pattern(path: Path, picture: str, *arguments: str) -> Path:
    """A test pattern as H.264."""
    given = arguments if "-c:v" in arguments else ("-c:v", "libx264", *arguments)
    return run_ffmpeg(
        path, "-f", "lavfi", "-i", f"testsrc2={picture}", "-preset", "ultrafast", *given
    )


def package(master: Path, out: Path, **settings: Any) -> PresentationIndex:
    return asyncio.run(transcode(master, out, TranscodeConfig(**{**QUICK, **settings})))


def turned(folder: Path) -> Path:
    plain = pattern(folder / "plain.mp4", "size=320x180:rate=25:duration=2.2")
    return run_ffmpeg(
        folder / "turned.mp4", "-display_rotation", "90", "-i", str(plain), "-c", "copy"
    )


def anamorphic(folder: Path) -> Path:
    return pattern(folder / "wide.mp4", "size=180x144:rate=25:duration=1,setsar=16/11")


def odd(folder: Path) -> Path:
    return pattern(folder / "odd.mp4", "size=321x181:rate=25:duration=1", "-pix_fmt", "yuv444p")


def fast(folder: Path) -> Path:
    return pattern(folder / "fast.mp4", "size=160x90:rate=120:duration=1")


def fields(folder: Path) -> Path:
    weave = "size=160x96:rate=50:duration=2,tinterlace=interleave_top,setfield=tff"
    return pattern(folder / "fields.mp4", weave, "-flags", "+ilme+ildct")


def uneven(folder: Path) -> Path:
    """Every third frame in the first half, every frame in the second."""
    pick = "size=160x90:rate=30:duration=2,select='not(mod(n\\,3))+gt(t\\,1)'"
    return pattern(folder / "uneven.mp4", pick, "-fps_mode", "vfr")


def bright(folder: Path) -> Path:
    """A high dynamic range, by its tags."""
    tags = "setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc:range=tv"
    return pattern(
        folder / "bright.mp4", f"size=160x90:rate=25:duration=1,{tags}",
        "-pix_fmt", "yuv420p10le", "-c:v", "libx265", "-x265-params", "log-level=error",
    )  # fmt: skip


def ntsc(folder: Path) -> Path:
    return run_ffmpeg(
        folder / "-we: ird %d.mp4",
        *("-f", "lavfi", "-i", "testsrc2=size=160x90:rate=30000/1001:duration=4.5"),
        *("-f", "lavfi", "-i", "sine=440:duration=4.5"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac"),
    )


KINDS: dict[str, tuple[Callable[[Path], Path], tuple[int, int], Fraction, list[int]]] = {
    # master, size of the highest rung, frame rate, frames of each segment
    "turned upright": (turned, (180, 320), Fraction(25), [50, 5]),
    "anamorphic": (anamorphic, (262, 144), Fraction(25), [25]),
    "odd size, 4:4:4": (odd, (320, 180), Fraction(25), [25]),
    "120 frames a second": (fast, (160, 90), Fraction(60), [60]),
    "interlaced": (fields, (160, 96), Fraction(25), [50]),
    "variable rate": (uneven, (160, 90), Fraction(30), [60]),
    "high dynamic range": (bright, (160, 90), Fraction(25), [25]),
    "29.97, odd name": (ntsc, (160, 90), Fraction(30000, 1001), [60, 60, 15]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_master_becomes_a_sound_package(kind: str, tmp_path: Path) -> None:
    """Right size, rate and boundaries; and every rule of the playlists holds."""
    make, size, rate, frames = KINDS[kind]
    master = make(tmp_path)
    if kind == "high dynamic range" and FFMPEGS[0].lacks(["zscale"]):
        pytest.skip("this ffmpeg has no zscale")
    index = package(master, tmp_path / "out")
    top = index.video[-1]
    assert (top.width, top.height) == size
    assert top.frame_rate == pytest.approx(float(rate))
    assert top.durations_s == pytest.approx([float(count / rate) for count in frames], abs=1e-9)
    assert hlsrules.check(tmp_path / "out", ffmpegs=[FFMPEGS[0].path]) == []


def test_a_last_frame_or_two_join_the_segment_before(tmp_path: Path) -> None:
    """52 frames in segments of 50: one segment, not a second of 0.08 s."""
    master = pattern(tmp_path / "m.mp4", "size=160x90:rate=25:duration=2.08")
    assert package(master, tmp_path / "out").video[0].durations_s == (2.08,)


@pytest.mark.parametrize("tool", FFMPEGS, ids=lambda tool: tool.version)
def test_flashes_and_tones_stay_together(
    tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a player sees and hears them, within 1 ms, to the end; made and played by each ffmpeg.

    The first tone is left out: without the frame before it, AAC fades in for 10 ms.
    """
    monkeypatch.setenv("ABR_FFMPEG", tool.path)
    spec = SceneSpec(width=160, height=90, duration_s=5.0)
    master = asyncio.run(write_master(tmp_path / "m.mkv", spec))
    package(master, tmp_path / "out", ladder="90:600")
    home = tmp_path / "out"
    luma = _decoded(tool, home / "v0", "rawvideo", "-pix_fmt", "gray").reshape(-1, 90, 160)
    white = luma[:, -8:-4, -8:-4].mean(axis=(1, 2)) > 220
    seen_s = np.flatnonzero(white[1:] & ~white[:-1]) / 25 + 1 / 25
    loud = np.abs(_decoded(tool, home / "a0", "s16le", "-ac", "1").view("<i2").astype(int)) > 6_000
    starts = np.flatnonzero(loud[1:] & ~loud[:-1]) + 1
    heard_s = starts[np.flatnonzero(np.diff(starts, prepend=-48_000) > 9_600)] / 48_000
    expected_s = [frame / 25 for frame in spec.flashes[1:]]
    assert seen_s == pytest.approx(expected_s)
    assert heard_s[1:] == pytest.approx(expected_s, abs=0.001)


def _decoded(
    tool: Tool, folder: Path, form: str, *arguments: str
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A media playlist decoded, with the times it has (nothing is moved to 0)."""
    command = [tool.path, "-nostdin", "-v", "error", "-copyts", "-i", str(folder / "playlist.m3u8")]
    done = subprocess.run(
        [*command, *arguments, "-f", form, "-"], capture_output=True, check=True, timeout=60
    )
    return np.frombuffer(done.stdout, dtype=np.uint8)


@pytest.mark.parametrize("delay_s", ["0.7", "-0.7"])
def test_tracks_that_start_apart_are_filled(delay_s: str, tmp_path: Path) -> None:
    """Sound 0.7 s after or before the picture: the gap is filled, tracks begin at 0."""
    late, early = (("-itsoffset", "0.7"), ()) if delay_s == "0.7" else ((), ("-itsoffset", "0.7"))
    master = run_ffmpeg(
        tmp_path / "m.mkv",
        *early, "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25:duration=2",
        *late, "-f", "lavfi", "-i", "sine=440:duration=1",
        *("-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac"),
    )  # fmt: skip
    index = package(master, tmp_path / "out", segment_s=4.0)
    seconds = 2.0 if delay_s == "0.7" else 2.7
    assert index.video[0].durations_s == pytest.approx((seconds,), abs=0.05)
    assert index.audio[0].durations_s == pytest.approx(index.video[0].durations_s, abs=0.022)
    samples = _decoded(FFMPEGS[0], tmp_path / "out/a0", "s16le", "-ac", "1").view("<i2").astype(int)
    loud = np.flatnonzero(np.abs(samples) > 1000) / 48_000
    begin_s = 0.7 if delay_s == "0.7" else 0.0
    assert loud[0] == pytest.approx(begin_s, abs=0.03)
    assert loud[-1] == pytest.approx(begin_s + 1, abs=0.03)


def test_encryption_changes_no_frame(tmp_path: Path) -> None:
    """The encrypted files decrypt to those of another, clear run, byte for byte.

    So encoding is repeatable too. Keys change every 2 segments.
    """
    master = ntsc(tmp_path)
    clear = package(master, tmp_path / "clear", segment_s=1.0)
    keys = KeyStore.open(tmp_path / "keys")
    config = TranscodeConfig(**QUICK | {"segment_s": 1.0}, encrypt="aes-128", rotate_every=2)
    encrypted = asyncio.run(transcode(master, tmp_path / "encrypted", config, keys=keys))
    assert encrypted.encryption is not None
    assert encrypted.encryption.kids == keys.kids("encrypted")
    assert len(encrypted.encryption.kids) == -(-len(clear.video[0].segments) // 2)
    ours = hlsrules.load(tmp_path / "encrypted", keys)
    theirs = hlsrules.load(tmp_path / "clear")
    for uri, track in theirs.tracks.items():
        assert ours.tracks[uri].segments == track.segments
        assert ours.tracks[uri].init == track.init


def test_segments_are_cut_at_key_frames_that_come_every_two_seconds(tmp_path: Path) -> None:
    """Every second fragment is a key frame alone, and the rest of its group comes after it."""
    master = pattern(tmp_path / "m.mp4", "size=160x90:rate=25:duration=5")
    package(master, tmp_path / "out", segment_s=4.0)
    for rung in ("v0", "v1"):
        init = (tmp_path / "out" / rung / "init.mp4").read_bytes()
        segments = sorted((tmp_path / "out" / rung).glob("*.m4s"))
        runs = [mp4facts.runs(init, path.read_bytes()) for path in segments]
        assert [[len(run.samples) for run in each] for each in runs] == [[1, 49, 1, 49], [1, 24]]
        assert all(mp4facts.is_idr(run.samples[0].data) for each in runs for run in each[::2])
        assert (
            sum(mp4facts.is_idr(s.data) for each in runs for run in each for s in run.samples) == 3
        )


def test_progress_rises_to_the_end(tmp_path: Path) -> None:
    told: list[TranscodeProgress] = []
    master = pattern(tmp_path / "m.mp4", "size=160x90:rate=25:duration=3")
    asyncio.run(transcode(master, tmp_path / "out", TranscodeConfig(**QUICK), told.append))
    fractions = [each.fraction for each in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] > 0.95
    assert list(dict.fromkeys(each.phase for each in told)) == ["encode", "package", "verify"]
    assert told[-1].eta_s < 5
    assert told[-1].tracks == {"v0": 1.0, "v1": 1.0}


def test_the_command_prints_one_json_object(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """For a generated master; with figures in bits per second and bytes."""
    out = tmp_path / "demo"
    size = ["--demo-s", "2", "--demo-size", "160x90", "--preset", "ultrafast", "--verify", "quick"]
    assert main(["transcode", "--demo", str(out), *size, "--json"]) == 0
    said = json.loads(capfd.readouterr().out)
    assert said["title"] == "demo"
    assert said["source"] == "generated scenes"
    assert [rung["folder"] for rung in said["rungs"]] == ["v0", "v1"]
    assert check_package(out).source.size_bytes == 0


def test_the_command_prints_a_table(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    master = pattern(tmp_path / "m.mp4", "size=160x90:rate=25:duration=1")
    keys = ["--encrypt", "aes-128", "--keys", str(tmp_path / "keys")]
    assert (
        main(["transcode", str(master), str(tmp_path / "out"), "--preset", "ultrafast", *keys]) == 0
    )
    out = capfd.readouterr().out
    assert "160x90" in out
    assert "encrypted with AES-128, 1 key" in out
    assert out.rstrip().endswith(str(tmp_path / "out/multivariant.m3u8"))


def test_force_replaces_a_package_in_one_step(tmp_path: Path) -> None:
    """And nothing of the old one stays behind."""
    long = pattern(tmp_path / "long.mp4", "size=160x90:rate=25:duration=5")
    short = pattern(tmp_path / "short.mp4", "size=160x90:rate=25:duration=1")
    package(long, tmp_path / "out")
    with pytest.raises(AbrError, match="exists already"):
        package(short, tmp_path / "out")
    assert len(check_package(tmp_path / "out").video[0].segments) == 3
    package(short, tmp_path / "out", force=True)
    assert len(check_package(tmp_path / "out").video[0].segments) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["long.mp4", "out", "short.mp4"]


REAL = {
    "bbb_5s_720p25_5.1.mp4": (2, [2.0, 2.0, 1.28]),
    "bikes_640x272.mp4": (0, [2.0] * 5),
    "city_720x405_mpeg2.mpg": (0, [2.0, 2.0, 2.0, 1.6]),
}


@pytest.mark.skipif(not MEDIA.is_dir(), reason="no real masters at ../shared/media")
@pytest.mark.parametrize("name", REAL)
def test_real_masters_keep_every_rule(name: str, tmp_path: Path) -> None:
    """5.1 mixed down, silent, MPEG-2 of odd height."""
    channels, durations_s = REAL[name]
    index = package(MEDIA / name, tmp_path / "out", verify="quick", ladder="90:150,180:400")
    assert index.video[0].durations_s == pytest.approx(durations_s)
    assert [track.channels for track in index.audio] == ([channels] if channels else [])
    assert hlsrules.check(tmp_path / "out", ffmpegs=[tool.path for tool in FFMPEGS[:1]]) == []


async def test_a_generated_master_is_the_same_file_every_time(tmp_path: Path) -> None:
    """So a demonstration is found in the cache when it is run again."""
    spec = SceneSpec(width=64, height=36, duration_s=1)
    first, second = [await write_master(tmp_path / f"{number}.mkv", spec) for number in range(2)]
    assert first.read_bytes() == second.read_bytes()
