"""Segments decoded alone by ffmpeg: how many frames come out, and the first complaint."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from abr.errors import ToolFailedError
from transcode.inspection.facts import SegmentFacts
from transcode.run.child import child_process
from transcode.run.ffmpegtools import find
from transcode.verify import plain_line

DECODE_LIMIT_S = 300.0
_AT_ONCE = 2
_places: dict[int, asyncio.Semaphore] = {}


async def decode_alone(facts: SegmentFacts, data: bytes, *, is_part: bool) -> SegmentFacts:
    """``facts`` with what a decoder made of ``data``.

    Args:
        facts: Of the segment.
        data: Its initialisation section and the segment, in the clear.
        is_part: Whether it is a range that ends inside a fragment: complaints about what is
            missing behind the first frame say nothing then.

    Raises:
        ToolMissingError: no ffmpeg.
        ToolFailedError: it took over ``DECODE_LIMIT_S``.
    """
    loop = id(asyncio.get_running_loop())
    async with _places.setdefault(loop, asyncio.Semaphore(_AT_ONCE)):
        kinds = {stretch.kind for stretch in facts.stretches}
        frames, complaint = await _decode(data, "v:0" if "video" in kinds else "a:0")
    if is_part:
        complaint = "" if frames else complaint
    return replace(facts, decoded_frames=frames, decode_problem=complaint)


async def _decode(data: bytes, stream: str) -> tuple[int, str]:
    command = [
        *(find("ffmpeg").path, "-v", "error", "-threads", "1", "-err_detect", "explode"),
        *("-i", "pipe:0", "-map", f"0:{stream}", "-fps_mode", "passthrough"),
        *("-f", "framecrc", "-"),
    ]
    async with child_process(command, has_input=True) as process:
        try:
            async with asyncio.timeout(DECODE_LIMIT_S):
                out, log = await process.communicate(data)
        except TimeoutError as exc:
            raise ToolFailedError(f"ffmpeg took over {DECODE_LIMIT_S:g} s for a segment") from exc
    frames = sum(1 for line in out.splitlines() if line and not line.startswith(b"#"))
    lines = [line for line in log.decode("utf-8", "replace").splitlines() if line.strip()]
    complaint = plain_line(lines[0])[:200] if lines else ""
    if process.returncode and not complaint:
        complaint = f"ffmpeg exited with {process.returncode}"
    return frames, complaint
