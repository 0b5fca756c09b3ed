"""Key frames at which decoding can really start.

An index calls a frame a key frame also when it only begins a recovery: H.264 with open groups
of pictures. Decoders report errors when they start there, so only IDR pictures count.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from transcode.ffmpeg import keys_arguments
from transcode.masters.master import Master
from transcode.run.ffmpegtools import find
from transcode.run.process import run_ffmpeg

_IDR = {"h264": (5,)}
"""Types of NAL units that begin anew (ITU-T H.264, table 7-1), by the master's codec."""
_SAME_S = 2e-3


async def keep_real_starts(master: Master, path: Path, *, stall_limit_s: float) -> Master:
    """``master`` without starts at which its codec cannot begin."""
    timing = master.timing
    kinds = _IDR.get(master.codec)
    if timing is None or kinds is None or len(timing.starts_s) < 2:
        return master
    text = bytearray()
    outcome = await run_ffmpeg(
        lambda outputs: keys_arguments(
            str(path.absolute()), master.index, kinds, outputs[0], program=find("ffmpeg").path
        ),
        [text.extend],
        stall_limit_s=stall_limit_s,
    )
    real = times_of(text.decode("ascii", errors="replace")) if outcome.is_clean else frozenset()
    kept = tuple(
        each for each in timing.starts_s if _is_near(each + timing.picture.clock.start_s, real)
    )
    return replace(master, timing=replace(timing, starts_s=kept))


def times_of(text: str) -> frozenset[int]:
    """Times of packets in ``framecrc`` text, in whole milliseconds."""
    unit_s, times = 0.0, set()
    for line in text.splitlines():
        if line.startswith("#tb 0:"):
            above, _, below = line.partition(":")[2].partition("/")
            unit_s = int(above) / int(below)
        elif not line.startswith("#") and line.count(",") >= 4:
            times.add(round(int(line.split(",")[2]) * unit_s * 1000))
    return frozenset(times)


def _is_near(time_s: float, times_ms: frozenset[int]) -> bool:
    time_ms = time_s * 1000
    return any(
        each in times_ms and abs(each - time_ms) <= 1000 * _SAME_S
        for each in range(round(time_ms) - 2, round(time_ms) + 3)
    )
