"""Listening to streams of which something cannot be known otherwise."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

from transcode.run.ffmpegtools import find
from transcode.run.process import run_ffmpeg

_SECONDS = 600
"""At most so much of the film is heard."""
_BEGINNING_S = 20
_SILENT_DB = -90.0
"""Less is digital silence, or the dither of 16 bits."""
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


async def is_silent(path: Path, indices: Sequence[int]) -> bool:
    """Whether nothing is to be heard of some streams in their first ten minutes.

    Raises:
        ToolMissingError, ToolFailedError: ffmpeg.
    """
    # Most sounds are heard at once, and the rest need not be decoded.
    for limit_s in (_BEGINNING_S, _SECONDS):
        for index in indices:
            if not await _level_db(path, index, "anull", limit_s=limit_s) <= _SILENT_DB:
                return False  # or nan
    return True


async def _level_db(path: Path, index: int, filters: str, *, limit_s: int = _SECONDS) -> float:
    """Level of one stream's first seconds after ``filters``, in dB relative to full scale.

    -200 for silence; nan where nothing can be decoded.
    """
    heard = bytearray()
    program = find("ffmpeg").path
    measure = "astats=metadata=1:measure_perchannel=none:measure_overall=RMS_level"

    def command(outputs: Sequence[str]) -> list[str]:
        printed = outputs[0].replace(":", "\\\\:")
        return [
            program, "-hide_banner", "-nostdin", "-loglevel", "repeat+level+error",
            "-nostats", "-progress", "pipe:1", "-protocol_whitelist", "file",
            "-t", str(limit_s), "-i", f"file:{path.absolute()}", "-map", f"0:{index}",
            "-af", f"{filters},{measure},ametadata=mode=print:file={printed}",
            "-f", "null", "-",
        ]  # fmt: skip

    def keep(data: bytes) -> None:
        heard.extend(data)
        del heard[:-4096]

    await run_ffmpeg(command, [keep])
    levels = _LEVEL.findall(bytes(heard))
    if not levels:
        return math.nan
    return -200.0 if b"n" in levels[-1] else float(levels[-1])
