"""What a package holds beside picture and sound, used as a stranger would use it."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from tests import mp4facts
from transcode.config import TranscodeConfig
from transcode.files.reader import check_package
from transcode.layout import PresentationIndex
from transcode.playlist import MediaPlaylist, parse
from transcode.run.ffmpegtools import Tool, candidates
from transcode.run.package import transcode

FFMPEGS = [tool.path for tool in candidates("ffmpeg") if isinstance(tool, Tool)]
pytestmark = pytest.mark.skipif(not FFMPEGS, reason="no ffmpeg was found")


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of moving pattern with B-frames, and a tone."""
    path = tmp_path_factory.mktemp("master") / "master.mkv"
    subprocess.run(
        [
            *(FFMPEGS[0], "-nostdin", "-v", "error", "-f", "lavfi"),
            *("-i", "testsrc2=size=192x108:rate=24:duration=3", "-f", "lavfi"),
            *("-i", "sine=440:duration=3", "-c:v", "libx264", "-preset", "ultrafast", str(path)),
        ],
        check=True,
        timeout=60,
    )
    return path


def package(master: Path, out: Path, **settings: object) -> PresentationIndex:
    quick = {"preset": "ultrafast", "segment_s": 2.0, "gop_s": 1.0, "ladder": "54:60,108:150"}
    config = TranscodeConfig(**{**quick, **settings})  # type: ignore[arg-type]  # a table
    return asyncio.run(transcode(master, out, config))


@pytest.fixture(scope="module")
def clear(master: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package without encryption."""
    out = tmp_path_factory.mktemp("clear") / "film"
    package(master, out)
    return out


def media(path: Path) -> MediaPlaylist:
    playlist = parse(path.read_text(encoding="utf-8"))
    assert isinstance(playlist, MediaPlaylist)
    return playlist


def frames(program: str, *arguments: str, data: bytes | None = None) -> list[str]:
    """MD5 of each frame that decodes; any complaint fails."""
    done = subprocess.run(
        [program, "-v", "warning", *arguments, "-map", "0:v", "-f", "framemd5", "-"],
        input=data,
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == b""
    lines = done.stdout.decode().splitlines()
    return [line.split(",")[-1].strip() for line in lines if not line.startswith("#")]


@pytest.mark.parametrize("program", FFMPEGS)
def test_every_range_of_key_frames_decodes_alone_to_one_frame(clear: Path, program: str) -> None:
    """Apple's items 6.8 and 6.10: after the map, without a complaint; it is the right frame."""
    for folder in ("v0", "v1"):
        init = (clear / folder / "init.mp4").read_bytes()
        playlist = media(clear / folder / "iframes.m3u8")
        whole = b"".join(path.read_bytes() for path in sorted((clear / folder).glob("*.m4s")))
        every = frames(program, "-i", "-", data=init + whole)
        assert len(every) == 72
        assert [segment.duration_s for segment in playlist.segments] == [1.0, 1.0, 1.0]
        for number, segment in enumerate(playlist.segments):
            assert segment.byte_range is not None
            offset, length = segment.byte_range
            part = (clear / folder / segment.uri).read_bytes()[offset : offset + length]
            assert part[4:8] == b"moof"
            assert [len(run.samples) for run in mp4facts.runs(init, part)] == [1]
            assert frames(program, "-i", "-", data=init + part) == [every[24 * number]]
        assert frames(program, "-i", str(clear / folder / "iframes.m3u8")) == every[::24]


def test_a_package_encrypted_as_a_whole_has_no_playlists_of_key_frames(
    master: Path, tmp_path: Path
) -> None:
    """A part of a file in CBC mode cannot be decrypted by what a playlist can say."""
    index = package(
        master,
        tmp_path / "film",
        encrypt="aes-128",
        keys_dir=str(tmp_path / "keys"),
        ladder="54:60",
    )
    assert index.video[0].key_frames == ()
    assert not list((tmp_path / "film").glob("**/iframes.m3u8"))
    assert "I-FRAME" not in (tmp_path / "film" / "multivariant.m3u8").read_text()
    check_package(tmp_path / "film")
