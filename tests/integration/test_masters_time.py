"""Masters with times as people have them: right length, in step, and every picture kept.

Pictures carry their number and some have a beep, so what a package shows and plays can be
compared with what the master held. Inputs are made after public bug reports: headers that
lie, clocks that jump, wrap or differ, idle screens, pieces that were joined, damage.
"""

from __future__ import annotations

import asyncio
import resource
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.numbered import WIDTH, Played, play, write_film
from transcode.config import TranscodeConfig
from transcode.masters.damage import DamagedError
from transcode.packaging.index import PresentationIndex
from transcode.run.ffmpegtools import Tool, candidates
from transcode.run.package import transcode

FFMPEGS = [
    tool for tool in candidates("ffmpeg") if isinstance(tool, Tool) and not tool.lacks(["libx264"])
]
pytestmark = pytest.mark.skipif(not FFMPEGS, reason="no ffmpeg with libx264 was found")
QUICK: dict[str, Any] = {
    "preset": "ultrafast", "segment_s": 2.0, "ladder": "90:600", "verify": "quick",
}  # fmt: skip
PCM = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-c:a", "pcm_s16le")
AAC, MP2 = (*PCM[:6], "-c:a", "aac"), (*PCM[:6], "-c:a", "mp2")
MPEG = ("-c:v", "mpeg2video", "-q:v", "2", "-bf", "2", "-c:a", "mp2")
SCREEN = ("-fps_mode", "passthrough", "-enc_time_base", "1/1000")


def ffmpeg(*arguments: str | Path) -> None:
    command = [FFMPEGS[0].path, "-nostdin", "-y", "-v", "error", *map(str, arguments)]
    subprocess.run(command, check=True, timeout=60)


def film(path: Path, *arguments: str, **how: Any) -> Path:
    return write_film(FFMPEGS[0].path, path, *arguments, **how)


def package(master: Path, out: Path, **settings: Any) -> PresentationIndex:
    return asyncio.run(transcode(master, out, TranscodeConfig(**{**QUICK, **settings})))


def shown(index: PresentationIndex, out: Path) -> Played:
    rate = index.video[0].frame_rate
    return play(FFMPEGS[0].path, out, rate=rate, sound=bool(index.audio))


def patched(path: Path, change: Callable[[bytearray], None]) -> Path:
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)
    return path


def joined(folder: Path, form: str, *pieces: Path) -> Path:
    made = folder / f"joined.{form}"
    made.write_bytes(b"".join(piece.read_bytes() for piece in pieces))
    return made


def remuxed(path: Path, name: str, *before: str) -> Path:
    ffmpeg(*before, "-i", path, "-c", "copy", path.with_name(name))
    return path.with_name(name)


def short_headers(folder: Path) -> Path:
    """Durations 30 times too short in every header (ISO/IEC 14496-12, 8.2.2, 8.3.2, 8.4.2)."""

    def shorten(data: bytearray) -> None:
        for kind, field in ((b"mvhd", 20), (b"tkhd", 24), (b"mdhd", 20)):
            at = data.find(kind)
            while at >= 0:
                (length,) = struct.unpack_from(">I", data, at + field)
                struct.pack_into(">I", data, at + field, max(1, length // 30))
                at = data.find(kind, at + 4)

    return patched(film(folder / "m.mp4"), shorten)


def stale_tag(folder: Path) -> Path:
    return film(folder / "m.mkv", "-metadata:s:v", "DURATION=00:00:00.100000000")


def two_pieces(folder: Path, form: str, codecs: tuple[str, ...] = MP2) -> Path:
    first = film(folder / f"a.{form}", codecs=codecs)
    second = film(folder / f"b.{form}", first=75, codecs=codecs)
    return joined(folder, form, first, second)


def hours_later(folder: Path, form: str) -> Path:
    first = film(folder / "a.mkv", codecs=AAC)
    second = film(folder / "b.mkv", first=75, codecs=AAC)
    listed = folder / "list.txt"
    listed.write_text(f"ffconcat version 1.0\nfile {first}\nduration 10803\nfile {second}\n")
    made = folder / f"m.{form}"
    ffmpeg("-f", "concat", "-safe", "0", "-i", listed, "-c", "copy", made)
    return made


def picture_clock_jumps(folder: Path) -> Path:
    jump = "setpts='PTS+gte(N,40)*3600/TB'"
    return film(folder / "m.mkv", "-vf", jump, *SCREEN, "-max_interleave_delta", "0")


def delayed(folder: Path, delay_s: float, *, sound: bool) -> Path:
    base = film(folder / "base.mkv", codecs=PCM)
    own = ("-map", "1:v", "-map", "0:a") if sound else ("-map", "0:v", "-map", "1:a")
    made = folder / "m.mkv"
    ffmpeg("-itsoffset", str(delay_s), "-i", base, "-i", base, *own, "-c", "copy", made)
    return made


def changing(folder: Path, *arguments: str, begin: tuple[str, ...] = (), **second: Any) -> Path:
    first = film(folder / "a.ts", *begin, count=40, beeps_s=(1.0,), channels=2)
    second = {"count": 35, "first": 40, "beeps_s": (0.4,), **second}
    other = film(folder / "b.ts", *arguments, **second)
    return joined(folder, "ts", first, other)


def changing_mp4(folder: Path) -> Path:
    """Parameter sets of the second piece are in its pictures, not in the header."""
    first, second = film(folder / "a.mp4"), film(folder / "b.mp4", first=75, size=(320, 180))
    listed, made = folder / "list.txt", folder / "m.mp4"
    listed.write_text(f"ffconcat version 1.0\nfile {first}\nfile {second}\n")
    ffmpeg("-f", "concat", "-safe", "0", "-i", listed, "-c", "copy", made)
    return made


@dataclass(frozen=True, slots=True)
class Case:
    """How a master is made, and what its package must be."""

    make: Callable[[Path], Path]
    seconds: float
    pictures: int
    rate: float = 25
    beeps: tuple[int, ...] = (25, 50)
    """Numbers of the pictures that have one."""
    off_s: float = 0.0
    """How much later than those the master has it."""
    words: str = ""
    """A note holds them; empty: there is none."""


BT709 = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"
BT601 = "setparams=colorspace=smpte170m:color_primaries=smpte170m:color_trc=smpte170m:range=tv"
BUSY = "select='lt(n,25)+gte(n,40)'"
FREE = struct.pack(">I4s", 1000, b"free")
CASES: dict[str, Case] = {
    "headers 30 times too short": Case(short_headers, 3, 75, words="header says"),
    "a stale tag in Matroska": Case(stale_tag, 3, 75),
    "joined transport streams": Case(
        lambda f: two_pieces(f, "ts"), 6, 150, beeps=(25, 50, 100, 125), words="jump back"
    ),
    "joined program streams": Case(
        lambda f: two_pieces(f, "mpg", MPEG), 6, 150, beeps=(25, 50, 100, 125), words="jump back"
    ),
    "three hours ahead, Matroska": Case(
        lambda f: hours_later(f, "mkv"), 6, 150, beeps=(25, 50, 100, 125), words="ahead by 10,80"
    ),
    "three hours ahead, MP4": Case(
        lambda f: hours_later(f, "mp4"), 6, 150, beeps=(25, 50, 100, 125), words="ahead by 10,80"
    ),
    "a picture whose clock jumps": Case(picture_clock_jumps, 3, 75, words="of the picture jump"),
    "a clock that wraps": Case(
        lambda f: film(f / "m.ts", "-output_ts_offset", "95441.7"), 3, 75
    ),
    "trimmed by an edit list": Case(
        lambda f: remuxed(film(f / "a.mp4"), "m.mp4", "-ss", "1.28"), 1.72, 43, beeps=(50,)
    ),
    "an empty edit": Case(
        lambda f: remuxed(delayed(f, 0.7, sound=False), "m.mp4"), 3.7, 75, off_s=-0.7,
        words="begins 0.70 s after the sound",
    ),
    "sound 12 s late": Case(
        lambda f: delayed(f, 12, sound=True), 15, 75, off_s=12, words="the last picture stands"
    ),
    "picture 12 s late": Case(
        lambda f: delayed(f, 12, sound=False), 15, 75, off_s=-12, words="begins 12.00 s after"
    ),
    "one picture under 9 s of sound": Case(
        lambda f: film(f / "m.mp4", count=1, beeps_s=(), sound_s=9.0), 9, 1, beeps=(),
        words="the last picture stands",
    ),
    "sound 5 s longer": Case(lambda f: film(f / "m.mp4", sound_s=8.0), 8, 75, words="goes on for"),
    "sound 1 s shorter": Case(
        lambda f: film(f / "m.mp4", sound_s=2.1), 3, 75, words="before the picture"
    ),
    "an idle screen": Case(
        lambda f: film(
            f / "m.webm", "-vf", BUSY, "-fps_mode", "vfr", count=60, rate="20",
            beeps_s=(1.0, 2.5), codecs=("-c:v", "libvpx", "-deadline", "realtime", "-b:v", "1M",
                                        "-c:a", "libopus"),
        ),
        3, 45, rate=20, beeps=(20, 50),
    ),
    "a webcam": Case(
        lambda f: film(
            f / "m.mkv", "-vf", "setpts='N/30/TB+(random(1)-0.5)*0.02/TB'", *SCREEN, "-bf", "0",
            count=90, rate="30", beeps_s=(1.0, 2.0),
        ),
        3, 90, rate=30, beeps=(30, 60), words="becomes a constant 30",
    ),
    "a GIF of four seconds": Case(
        lambda f: film(f / "m.gif", count=8, rate="2", beeps_s=None, codecs=()), 4, 8, rate=2,
        beeps=(),
    ),
    "bytes after the last box": Case(
        lambda f: patched(film(f / "m.mp4"), lambda data: data.extend(b"some text behind it" * 9)),
        3, 75,
    ),
    "half a free box at the end": Case(
        lambda f: patched(film(f / "m.mp4"), lambda data: data.extend(FREE)), 3, 75
    ),
    "a media box of size 0": Case(
        lambda f: patched(
            film(f / "m.mp4", "-movflags", "+faststart"),
            lambda data: struct.pack_into(">I", data, data.find(b"mdat") - 4, 0),
        ),
        3, 75,
    ),
    "fragments": Case(
        lambda f: film(f / "m.mp4", "-movflags", "+frag_keyframe+empty_moov"),
        3.04, 75,
    ),
    "raw H.264 with B-frames": Case(
        lambda f: film(
            f / "m.264", "-bf", "2", rate="30", beeps_s=None, codecs=("-c:v", "libx264")
        ),
        2.5, 75, rate=30, beeps=(), words="holds no times",
    ),
    "raw MPEG-2": Case(
        lambda f: film(f / "m.m2v", beeps_s=None, codecs=MPEG[:6]), 3, 75, beeps=()
    ),
    "a size that changes": Case(
        lambda f: changing(f, size=(320, 180)), 3, 75, beeps=(25, 50), words="160x90 to 320x180"
    ),
    "a size that changes in MP4": Case(
        changing_mp4, 6, 150, beeps=(25, 50, 100, 125), words="160x90 to 320x180"
    ),
    "channels and sample rate that change": Case(
        lambda f: changing(f, "-ar", "44100"), 3, 75, beeps=(25, 50), words="jump back"
    ),
    "colour tags that change": Case(
        lambda f: changing(f, "-vf", BT601, begin=("-vf", BT709)),
        3, 75, beeps=(25, 50), words="pictures change from colour",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", CASES)
def test_every_kind_keeps_its_length_its_pictures_and_its_sync(kind: str, tmp_path: Path) -> None:
    """Within a frame, and nothing is done without a word."""
    case = CASES[kind]
    index = package(case.make(tmp_path), tmp_path / "out")
    played = shown(index, tmp_path / "out")
    frame_s = 1 / case.rate
    assert played.rate == pytest.approx(case.rate)
    assert played.seconds == pytest.approx(case.seconds, abs=frame_s + 1e-6)
    assert len(set(played.numbers)) == case.pictures
    assert len(played.onsets_s) == len(case.beeps)
    delays_s = [delay - case.off_s for delay in played.delays_s(case.beeps)]
    assert delays_s == pytest.approx([0.0] * len(delays_s), abs=frame_s)
    if index.audio:
        assert played.sound_s == pytest.approx(played.seconds, abs=frame_s + 1024 / 48_000)
    assert any(case.words in note for note in index.source.notes) is bool(case.words)


def lose(data: bytes, *spans: tuple[float, float]) -> bytes:
    """A transport stream without the packets in some parts of it."""
    count = len(data) // 188
    gone = {n for first, last in spans for n in range(int(first * count), int(last * count))}
    return b"".join(data[n * 188 : (n + 1) * 188] for n in range(count) if n not in gone)


def flip(data: bytearray) -> None:
    """One byte in a hundred, past the headers."""
    for at in range(len(data) // 4, 9 * len(data) // 10, 97):
        data[at] ^= 0x10


GOP_12 = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "12", "-c:a", "aac")


def test_a_recording_that_begins_in_the_middle_begins_with_its_first_picture(
    tmp_path: Path,
) -> None:
    """What comes before the first key frame is left out, said, and costs no sync."""
    whole = film(tmp_path / "a.ts", codecs=GOP_12).read_bytes()
    cut = tmp_path / "cut.ts"
    cut.write_bytes(whole[:564] + whole[len(whole) // 10 // 188 * 188 :])
    index = package(cut, tmp_path / "out")
    played = shown(index, tmp_path / "out")
    assert played.numbers[-1] == 74
    assert played.delays_s((25, 50)) == pytest.approx([0, 0], abs=0.04)
    assert any("begins inside a group of pictures" in note for note in index.source.notes)
    with pytest.raises(DamagedError, match="cannot be decoded; nothing is let through"):
        package(cut, tmp_path / "strict", tolerate=0.0)


def test_a_recording_that_was_broken_off_ends_where_it_does(tmp_path: Path) -> None:
    """As a recorder leaves it that was killed: no size, no index, half a picture at the end."""
    whole = film(tmp_path / "m.mkv", "-live", "1", codecs=GOP_12).read_bytes()
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(whole[: len(whole) * 9 // 10])
    played = shown(package(broken, tmp_path / "out"), tmp_path / "out")
    assert 2.4 < played.seconds < 2.95
    assert played.delays_s((25, 50)) == pytest.approx([0, 0], abs=0.04)


def test_a_little_loss_is_counted_and_large_loss_is_refused(tmp_path: Path) -> None:
    whole = film(tmp_path / "a.ts", codecs=GOP_12, count=150, beeps_s=(1.0, 2.0, 4.0)).read_bytes()
    little, large = tmp_path / "little.ts", tmp_path / "large.ts"
    little.write_bytes(lose(whole, (0.5, 0.52)))
    index = package(little, tmp_path / "out")
    played = shown(index, tmp_path / "out")
    assert played.seconds == pytest.approx(6.0, abs=0.04)
    assert played.first_s(100) == pytest.approx(4.0, abs=0.04)
    assert played.onsets_s[-1] == pytest.approx(4.0, abs=0.04)
    assert any("damaged or missing" in note for note in index.source.notes)
    with pytest.raises(DamagedError, match="nothing is let through"):
        package(little, tmp_path / "strict", tolerate=0.0)
    large.write_bytes(lose(whole, (0.3, 0.7)))
    with pytest.raises(DamagedError, match="better copy, or --tolerate 100"):
        package(large, tmp_path / "refused")
    assert package(large, tmp_path / "taken", tolerate=100.0).source.notes


def test_damage_that_no_container_knows_of_is_found_by_decoding(tmp_path: Path) -> None:
    master = patched(film(tmp_path / "m.mp4", codecs=GOP_12), flip)
    with pytest.raises(DamagedError, match=r"m\.mp4: damaged or cut off: \d+ of 75 pictures"):
        package(master, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_gap_of_hours_costs_no_more_than_a_clean_film(tmp_path: Path) -> None:
    """CPU of ffmpeg: it once took 415 s to fill such a gap."""

    def cost_s(master: Path, out: Path) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        package(master, out)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    clean = film(tmp_path / "clean.mkv", count=150, beeps_s=(1.0, 2.0))
    jumping = hours_later(tmp_path, "mkv")
    assert cost_s(jumping, tmp_path / "o1") < 2 * cost_s(clean, tmp_path / "o2")


@pytest.mark.parametrize("tool", FFMPEGS, ids=lambda tool: tool.version)
def test_a_turned_picture_gets_borders_in_every_ffmpeg(
    tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """160x90, then 90x160: a third of the width, black beside it."""
    first = film(tmp_path / "a.ts", count=40, beeps_s=None)
    second = film(tmp_path / "b.ts", count=35, beeps_s=None, size=(90, 160))
    monkeypatch.setenv("ABR_FFMPEG", tool.path)
    package(joined(tmp_path, "ts", first, second), tmp_path / "out")
    command = [tool.path, "-v", "error", "-i", str(tmp_path / "out/v0/playlist.m3u8")]
    command += ["-pix_fmt", "gray", "-f", "rawvideo", "-"]
    raw = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    pictures = np.frombuffer(raw, dtype=np.uint8).reshape(-1, 90, WIDTH)
    assert len(pictures) == 75
    assert pictures[10][60:, :20].mean() > 50
    assert pictures[60][60:, :20].mean() < 20
    assert pictures[60][60:, 70:90].mean() > 50
