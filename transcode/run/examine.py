"""A suspicious master decoded once from end to end, to know what of it is damaged."""

from __future__ import annotations

import re
from array import array
from dataclasses import replace
from pathlib import Path

import numpy as np

from transcode.ffmpeg import first_arguments
from transcode.masters.changes import ENTRIES, ChangeReader, change_notes, followed
from transcode.masters.damage import Frames, TrackDamage, damage_notes, damage_of
from transcode.masters.master import Master
from transcode.masters.packets import Packets
from transcode.run.ffmpegtools import find
from transcode.run.ffprobe import ask_ffprobe, read_packets
from transcode.run.process import run_ffmpeg

_SPARSE_LIMIT_S = 1800.0
"""Most seconds without a word where key frames may be an hour of film apart."""
_SHOWN = re.compile(r"showinfo.* pts_time: *(-?[0-9.]+)")


async def examine(path: Path, master: Master) -> Master:
    """``master`` with what is damaged of the streams that are used.

    Raises:
        ToolMissingError, ToolFailedError: ffprobe.
    """
    packets, _ = await read_packets(path, {})
    damage = [await _look_at(path, master, packets, master.index, "picture")]
    for sound in master.sounds:
        damage += [await _look_at(path, master, packets, index, "sound") for index in sound.indices]
    notes = tuple(damage_notes(damage))
    return replace(master, damage=tuple(damage), notes=(*master.notes, *notes))


async def find_first(path: Path, index: int) -> float | None:
    """Time in the file that ffmpeg gives the first picture of a stream; None without any.

    Not ffprobe: it decodes alike, but leaves out what ffmpeg makes up.

    Raises:
        ToolMissingError, ToolFailedError: ffmpeg.
    """
    found: list[float] = []

    def read(line: str) -> None:
        if said := _SHOWN.search(line):
            found.append(float(said[1]))

    await run_ffmpeg(
        lambda _: first_arguments(str(path.absolute()), index, program=find("ffmpeg").path),
        on_line=read,
    )
    return found[0] if found else None


async def follow(path: Path, master: Master) -> Master:
    """``master`` with the changes inside it, for which its key frames are decoded.

    Raises:
        MediaError: one of them cannot be followed.
        ToolMissingError, ToolFailedError: ffprobe.
    """
    reader = ChangeReader()
    await ask_ffprobe(
        path,
        [
            *("-skip_frame", "nokey", "-select_streams", str(master.index)),
            *("-of", "compact=p=0", "-show_entries", ENTRIES),
        ],
        reader.feed,
        limit_s=_SPARSE_LIMIT_S,
        log_level="quiet",
    )
    if not reader.changes:
        return master
    assert master.timing is not None  # the master was measured
    times_s = master.timing.picture.clock.film_times(np.array(reader.times_s))
    return replace(
        master,
        colour=followed(master.colour, reader.changes, times_s, where=master.where),
        changes_shape=any(each.is_of_shape for each in reader.changes),
        notes=(*master.notes, *change_notes(reader.changes, times_s)),
    )


async def _look_at(
    path: Path, master: Master, packets: dict[int, Packets], index: int, what: str
) -> TrackDamage:
    timing = master.timing
    assert timing is not None  # the master was measured
    clock = timing.picture.clock if what == "picture" else timing.clock_of(index)
    reader = FrameReader()
    await ask_ffprobe(
        path,
        [
            *("-threads", "1", "-show_log", "16", "-select_streams", str(index)),
            *("-of", "compact=p=1:nk=1"),
            *("-show_entries", "frame=best_effort_timestamp_time:log=level"),
        ],
        reader.feed,
        log_level="quiet",
    )
    return damage_of(
        what,
        packets[index],
        reader.frames(),
        clock=clock,
        is_steady=timing.is_steady and what == "picture",
    )


class FrameReader:
    """Takes ffprobe's list of decoded frames and the errors at each, in pieces of any size."""

    def __init__(self) -> None:
        self._rest = b""
        self._times_s = array("d")
        self._is_faulty = array("B")

    def __repr__(self) -> str:
        return f"<FrameReader {len(self._times_s):,} frames>"

    def feed(self, data: bytes) -> None:
        """Read the lines that ``data`` completes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            kind, _, rest = line.partition(b"|")
            if kind == b"frame":
                self._times_s.append(_time(rest.partition(b"|")[0]))
                self._is_faulty.append(b"log|" in rest)

    def frames(self) -> Frames:
        """What was read."""
        return Frames(
            times_s=np.frombuffer(self._times_s, dtype=np.float64),
            is_faulty=np.frombuffer(self._is_faulty, dtype=np.bool_),
        )


def _time(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:  # N/A
        return float("nan")
