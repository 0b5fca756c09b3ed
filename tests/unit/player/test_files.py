"""Files the player writes."""

from __future__ import annotations

import os
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


def test_a_section_that_changes_is_written_before_what_follows_it(tmp_path: Path) -> None:
    """Segments stay in order, also where the new section is late."""
    folder = MediaFolder(tmp_path / "media")
    folder.add(Want(kind="init", url="init.mp4", track="video", rung=0), b"1-")
    folder.add(segment(0, 0), b"a")
    folder.add(segment(0, 1, init="other.mp4"), b"b")
    folder.add(segment(0, 2), b"c")
    folder.add(Want(kind="init", url="other.mp4", track="video", rung=0), b"2-")
    assert (tmp_path / "media" / "video-r0.mp4").read_bytes() == b"1-a2-b1-c"


def test_transport_streams_are_kept_under_their_own_name(tmp_path: Path) -> None:
    folder = MediaFolder(tmp_path / "media")
    for index in range(2):
        folder.add(replace(segment(0, index), init=None), b"\x47%d" % index)
    assert (tmp_path / "media" / "video-r0.ts").read_bytes() == b"\x470\x471"
    assert [path.name for path in (tmp_path / "media").iterdir()] == ["video-r0.ts"]


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
