"""Files the player writes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from abr.errors import MissingFileError
from abr.files.whole import write_whole
from player.files import MediaFolder, check_writable
from player.playback.actions import Resource, Want


def test_a_pipe_or_device_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write_whole(pipe, b"log")
    reader.join(10)
    assert read == [b"log"]
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


def segment(rung: int, index: int, init: str = "init.mp4") -> Want:
    return Want(
        kind="segment",
        url=f"v{rung}/{index}",
        track="video",
        segment=index,
        rung=rung,
        init=Resource("init", init),
    )


def test_an_initialisation_section_shared_by_rungs_begins_the_file_of_each(tmp_path: Path) -> None:
    """It is fetched once, for whichever rung came first, and may come after segments."""
    folder = MediaFolder(tmp_path / "media")
    folder.add(segment(0, 0), b"a")
    folder.add(segment(1, 1), b"b")
    folder.add(Want(kind="init", url="init.mp4", track="video", rung=0), b"init-")
    folder.add(segment(0, 2), b"c")
    assert (tmp_path / "media" / "video-r0.mp4").read_bytes() == b"init-ac"
    assert (tmp_path / "media" / "video-r1.mp4").read_bytes() == b"init-b"


def init(url: str) -> Want:
    return Want(kind="init", url=url, track="video", rung=0)


def kept(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_each_section_of_a_rung_has_a_file_of_its_own_also_when_it_comes_back(
    tmp_path: Path,
) -> None:
    """A, B, A: who reads a file heeds its first section only. The section of B is late."""
    folder = MediaFolder(tmp_path / "media")
    folder.add(init("a.mp4"), b"A-")
    for index, section in enumerate(["a.mp4", "b.mp4", "a.mp4", "same-as-b.mp4"]):
        folder.add(segment(0, index, init=section), b"%d" % index)
    folder.add(init("b.mp4"), b"B-")
    folder.add(init("same-as-b.mp4"), b"B-")
    assert kept(tmp_path / "media") == {"video-r0.mp4": b"A-02", "video-r0-2.mp4": b"B-13"}


def test_segments_are_in_order_whatever_the_order_in_which_they_come(tmp_path: Path) -> None:
    """One whose key was late, or that was fetched again."""
    folder = MediaFolder(tmp_path / "media")
    folder.add(init("init.mp4"), b"head-")
    for index, data in [(3, b"three-"), (0, b"zero-"), (1, b"one-"), (0, b"none-"), (5, b"five-")]:
        folder.add(segment(0, index), data)
    assert kept(tmp_path / "media") == {"video-r0.mp4": b"head-none-one-three-five-"}


@pytest.mark.parametrize(
    ("data", "suffix"),
    [
        (b"\x47packet", "ts"),
        (b"\xff\xf1adts", "aac"),
        (b"\xff\xfblayer 3", "mp3"),
        (b"\x0b\x77ac3", "ac3"),
        (b"ID3\4\0\0\0\0\0\x04time\xff\xf1adts", "aac"),
        (b"\0\0\0\x08ftyp", "mp4"),
    ],
)
def test_what_has_no_section_is_named_for_what_it_is(
    data: bytes, suffix: str, tmp_path: Path
) -> None:
    folder = MediaFolder(tmp_path / "media")
    for index in range(2):
        folder.add(replace(segment(0, index), init=None), data)
    assert kept(tmp_path / "media") == {f"video-r0.{suffix}": data * 2}


def test_a_section_of_a_transport_stream_begins_its_file(tmp_path: Path) -> None:
    """Its tables may be there instead of in each segment: RFC 8216bis, 3.1.1."""
    folder = MediaFolder(tmp_path / "media")
    folder.add(init("tables"), b"\x47tables")
    folder.add(segment(0, 0, init="tables"), b"\x47media")
    assert kept(tmp_path / "media") == {"video-r0.ts": b"\x47tables\x47media"}


def test_a_full_disk_is_named_and_leaves_whole_segments(tmp_path: Path) -> None:
    """The limit on the size of files stands for the end of the disk."""
    program = f"""
import errno, resource, signal
from pathlib import Path
from player import files
from tests.unit.player.test_files import init, segment
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
files.NO_ROOM_ERRORS |= {{errno.EFBIG}}
folder = files.MediaFolder(Path({str(tmp_path / "media")!r}))
folder.add(init("init.mp4"), b"head-")
folder.add(segment(0, 0), b"zero-")
resource.setrlimit(resource.RLIMIT_FSIZE, (12, 12))
for index, name in [(1, "init.mp4"), (0, "init.mp4")]:
    try:
        folder.add(segment(0, index, init=name), b"much too long")
    except files.DiskFullError as exc:
        print(exc)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "video-r0.mp4: segment 1 cannot be kept: no space left; free some" in done.stdout
    assert len(done.stdout.splitlines()) == 2
    assert kept(tmp_path / "media") == {"video-r0.mp4": b"head-zero-"}


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Something else took the name of a file."""
    folder = MediaFolder(tmp_path / "media")
    (tmp_path / "media" / "video-r0.mp4").mkdir()
    folder.add(init("init.mp4"), b"head-")
    with pytest.raises(MissingFileError, match=r"video-r0.mp4: segment 0 cannot be kept: is a dir"):
        folder.add(segment(0, 0), b"zero-")
    with pytest.raises(MissingFileError, match="cannot be made: not a directory"):
        MediaFolder(Path("/dev/null/media"))


def test_a_link_keeps_pointing_where_it_does(tmp_path: Path) -> None:
    real, link = tmp_path / "real.jsonl", tmp_path / "link.jsonl"
    real.write_bytes(b"old")
    link.symlink_to(real)
    write_whole(link, b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_writable(tmp_path / "log.jsonl")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # tests may run as root
    with pytest.raises(MissingFileError, match=r"log.jsonl: permission denied; expected"):
        check_writable(tmp_path / "log.jsonl")
