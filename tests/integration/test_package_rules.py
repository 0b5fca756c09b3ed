"""Packages made from a master keep every rule; and the checker sees every planted offence."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import hlsrules, mp4facts
from transcode.config import TranscodeConfig
from transcode.files.keystore import KeyStore
from transcode.files.reader import read_presentation
from transcode.run.ffmpegtools import Tool, candidates
from transcode.run.package import transcode

FFMPEGS = {tool.version: tool.path for tool in candidates("ffmpeg") if isinstance(tool, Tool)}
needs_node = pytest.mark.skipif(
    not hlsrules.has_node(), reason="hls-parser is missing: npm install --prefix tests/node"
)


@dataclass(frozen=True, slots=True)
class Made:
    """A package and the store its keys are in."""

    folder: Path
    keys: KeyStore | None


def master(path: Path, *, size: str, rate: str, seconds: float, sound: bool = True) -> Path:
    """A few seconds of moving pattern, with a tone."""
    ffmpeg = next(iter(FFMPEGS.values()))
    picture = f"testsrc2=size={size}:rate={rate}:duration={seconds}"
    tone = ["-f", "lavfi", "-i", f"sine=440:duration={seconds}", "-c:a", "aac"]
    command = [ffmpeg, "-nostdin", "-v", "error", "-f", "lavfi", "-i", picture]
    command += tone if sound else []
    command += ["-c:v", "libx264", "-preset", "ultrafast", str(path)]
    subprocess.run(command, check=True, timeout=60)
    return path


SEALED = {"encrypt": "aes-128", "segment_s": 2.0, "rotate_every": 2}
CASES: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "clear": ({"size": "320x180", "rate": "24", "seconds": 5.5}, {}),
    "sealed": (
        {"size": "320x180", "rate": "24", "seconds": 5.5},
        {**SEALED, "seal_init": True},
    ),
    "sealed-clear-init-ntsc": (
        {"size": "256x144", "rate": "30000/1001", "seconds": 4.7},
        SEALED,
    ),
    "silent-odd": ({"size": "318x182", "rate": "25", "seconds": 2.3, "sound": False}, {}),
    "shorter-than-a-segment": ({"size": "160x90", "rate": "25", "seconds": 0.6}, {}),
}


@pytest.fixture(scope="module", params=CASES)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """One package for each case, made once."""
    name: str = request.param
    source, settings = CASES[name]
    home = tmp_path_factory.mktemp(name)
    source_file = master(home / "master.mp4", **source)  # type: ignore[arg-type]  # a table of cases
    config = TranscodeConfig(preset="ultrafast", **settings)  # type: ignore[arg-type]  # as above
    keys = KeyStore.open(home / "keys") if config.encrypt != "none" else None
    asyncio.run(transcode(source_file, home / name, config, keys=keys))
    return Made(home / name, keys)


def test_a_package_keeps_every_rule(made: Made) -> None:
    """Playlists, rates, times, pictures; decoded in every ffmpeg there is."""
    broken = hlsrules.check(made.folder, keys=made.keys, ffmpegs=list(FFMPEGS.values()))
    assert broken == []


@needs_node
def test_an_independent_parser_reads_every_playlist(made: Made) -> None:
    """hls-parser in strict mode: no error."""
    package = hlsrules.load(made.folder, made.keys)
    uris = ["multivariant.m3u8", *package.tracks]
    answers = hlsrules.oracle([made.folder / uri for uri in uris])
    assert [answer["error"] for answer in answers] == [None] * len(uris)


def test_a_presentation_has_the_sizes_served_and_the_averages_listed(made: Made) -> None:
    """Against the files and the multivariant playlist."""
    seen = read_presentation(made.folder)
    package = hlsrules.load(made.folder, made.keys)
    rungs = sorted(package.video, key=lambda track: track.name)
    assert seen.sizes_bytes.tolist() == [list(map(float, rung.sizes_bytes)) for rung in rungs]
    averages = [variant.average_bandwidth_bps or 0 for variant in package.multivariant.variants]
    assert sorted(seen.bitrates_bps.tolist()) == sorted(averages)
    assert seen.durations_s == pytest.approx([s.duration_s for s in rungs[0].playlist.segments])
    assert seen.title == made.folder.name


def test_two_ffmpegs_are_at_hand() -> None:
    """The frame sums above were compared in two versions."""
    if len(FFMPEGS) < 2:
        pytest.skip(f"a second version of ffmpeg is missing; there is {list(FFMPEGS)}")


# Planted offences: each must be seen, by the rule it breaks.


def text(name: str, old: str, new: str) -> Callable[[Path], None]:
    """Replace text in a file of the package."""

    def plant(folder: Path) -> None:
        path = folder / name
        before = path.read_text()
        assert old in before
        path.write_text(before.replace(old, new, 1))

    return plant


def swap(folder: Path) -> None:
    """Exchange two segments."""
    first, second = folder / "v0/00000.m4s", folder / "v0/00001.m4s"
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)


def damage(folder: Path) -> None:
    """Overwrite most of a segment's last pictures, and no box."""
    path = folder / "v0/00000.m4s"
    data = path.read_bytes()
    at = data.rfind(b"mdat") + 400
    spoilt = bytes(range(256)) * (1 + len(data) // 256)
    path.write_bytes(data[:at] + spoilt[: len(data) - at])


def no_idr(folder: Path) -> None:
    """Say of the first picture that it is an ordinary one."""
    path = folder / "v0/00001.m4s"
    data = path.read_bytes()
    sample = mp4facts.runs((folder / "v0/init.mp4").read_bytes(), data)[0].samples[0].data
    at = 0
    while sample[at + 4] & 0x1F != 5:
        at += 4 + int.from_bytes(sample[at : at + 4])
    changed = sample[: at + 4] + bytes([sample[at + 4] & 0xE0 | 1]) + sample[at + 5 :]
    path.write_bytes(data.replace(sample, changed, 1))


def stray(folder: Path) -> None:
    """Leave a file behind."""
    (folder / "v0/00002.m4s.tmp").write_bytes(b"x")


OFFENCES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "peak too low": ("9.13", text("multivariant.m3u8", "BANDWIDTH=", "BANDWIDTH=1")),
    "average too low": ("9.14", text("multivariant.m3u8", "AVERAGE-BANDWIDTH=", "X-OLD=")),
    "wrong codec": ("9.1", text("multivariant.m3u8", "avc1.", "avc1.4")),
    "no end": ("8.6", text("v0/playlist.m3u8", "#EXT-X-ENDLIST", "")),
    "target too short": (
        "4.4.3.1",
        text("v0/playlist.m3u8", "TARGETDURATION:4", "TARGETDURATION:3"),
    ),
    "target of its own": ("8.2", text("v0/playlist.m3u8", "TARGETDURATION:4", "TARGETDURATION:5")),
    "other boundaries": ("8.22", text("v1/playlist.m3u8", "#EXTINF:4.000", "#EXTINF:4.040")),
    "wrong lengths": ("8.1", text("a0/playlist.m3u8", "#EXTINF:4.0", "#EXTINF:4.3")),
    "wrong bitrate": ("4.4.4.8", text("v0/playlist.m3u8", "BITRATE:", "BITRATE:9")),
    "segments exchanged": ("7.3", swap),
    "pictures damaged": ("7.4", damage),
    "no IDR first": ("7.4", no_idr),
    "a file left behind": ("listed", stray),
    "not as indexed": ("index", text("v0/playlist.m3u8", "#EXTINF:4.000", "#EXTINF:3.999")),
}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clear package to spoil copies of."""
    home = tmp_path_factory.mktemp("clean")
    source_file = master(home / "master.mp4", size="320x180", rate="24", seconds=5.5)
    asyncio.run(transcode(source_file, home / "film", TranscodeConfig(preset="ultrafast")))
    return home / "film"


@pytest.mark.parametrize("name", OFFENCES)
def test_a_planted_offence_is_seen(name: str, clean: Path, tmp_path: Path) -> None:
    """By the rule that it breaks, among others perhaps."""
    rule, plant = OFFENCES[name]
    folder = tmp_path / "film"
    shutil.copytree(clean, folder)
    plant(folder)
    ffmpegs = list(FFMPEGS.values())[:1] if rule == "7.4" else []
    broken = hlsrules.check(folder, ffmpegs=ffmpegs)
    assert rule in {each.rule for each in broken}


@needs_node
def test_the_independent_parser_is_strict(clean: Path, tmp_path: Path) -> None:
    """It refuses a target duration that is too short, and a version too low."""
    playlist = (clean / "v0/playlist.m3u8").read_text()
    for name, old, new in (
        ("target", "TARGETDURATION:4", "TARGETDURATION:3"),
        ("version", "VERSION:6", "VERSION:5"),
    ):
        path = tmp_path / f"{name}.m3u8"
        path.write_text(playlist.replace(old, new))
        assert hlsrules.oracle([path])[0]["error"]


def test_a_key_beside_the_media_is_seen(tmp_path: Path, clean: Path) -> None:
    """In any file, as bytes or as hexadecimal digits."""
    keys = KeyStore.open(tmp_path / "keys")
    folder = tmp_path / "film"
    shutil.copytree(clean, folder)
    key = keys.key_for("film", 0)
    (folder / "v0/note.txt").write_text(f"key: {key.key.hex()}")
    found = hlsrules.file_rules(hlsrules.load(folder), keys)
    assert {each.rule for each in found} == {"listed", "key"}
