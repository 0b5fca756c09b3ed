"""Listening to streams of which something cannot be known otherwise."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from transcode.run.ffmpegtools import find
from transcode.run.process import run_ffmpeg

_SECONDS = 600
"""At most so much of the film is heard."""
_BASS_HZ = 200
_LEAST_DB, _MOST_ABOVE_DB = -60.0, -20.0
_LEVEL = re.compile(rb"RMS_level=(-?[0-9.]+|-?inf|nan)")


async def find_bass(path: Path, indices: Sequence[int]) -> frozenset[int]:
    """Those of some mono streams that hold low frequencies only: a channel of effects.

    Such is one that is not silent, and at least 20 dB lower above 200 Hz than in all.

    Raises:
        ToolMissingError, ToolFailedError: ffmpeg.
    """
    found = set()
    for index in indices:
        all_db = await _level_db(path, index, "anull")
        above_db = await _level_db(path, index, f"highpass=f={_BASS_HZ}:poles=2")
        if all_db > _LEAST_DB and above_db - all_db <= _MOST_ABOVE_DB:
            found.add(index)
    return frozenset(found)


async def _level_db(path: Path, index: int, filters: str) -> float:
    """Level of one stream after ``filters``, in dB below full scale."""
    heard = bytearray()
    program = find("ffmpeg").path
    measure = "astats=metadata=1:measure_perchannel=none:measure_overall=RMS_level"

    def command(outputs: Sequence[str]) -> list[str]:
        printed = outputs[0].replace(":", "\\\\:")
        return [
            program, "-hide_banner", "-nostdin", "-loglevel", "repeat+level+error",
            "-nostats", "-progress", "pipe:1", "-protocol_whitelist", "file",
            "-t", str(_SECONDS), "-i", f"file:{path.absolute()}", "-map", f"0:{index}",
            "-af", f"{filters},{measure},ametadata=mode=print:file={printed}",
            "-f", "null", "-",
        ]  # fmt: skip

    def keep(data: bytes) -> None:
        heard.extend(data)
        del heard[:-4096]

    await run_ffmpeg(command, [keep])
    levels = _LEVEL.findall(bytes(heard))
    return float(levels[-1]) if levels and b"n" not in levels[-1] else -200.0
