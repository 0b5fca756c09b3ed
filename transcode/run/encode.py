"""One job done: a run of ffmpeg, and its products on disk.

Products are what the encoder delivered, one file for each track: a fragmented MP4 of one
chunk, checked before it gets its name.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from transcode.encoders.video import VIDEO_ENCODERS
from transcode.ffmpeg import encode_arguments
from transcode.graphs.video import filters_needed
from transcode.jobs import Job, ProductName, VideoJob
from transcode.run.ffmpegtools import ENCODING_NEEDS, LOOPBACK, find
from transcode.run.process import Tick, run_ffmpeg
from transcode.verify import fault_of


async def encode(
    job: Job,
    master: Path,
    where: str,
    folder: Path,
    *,
    on_tick: Callable[[Tick], None] | None = None,
    stall_limit_s: float = 60.0,
) -> None:
    """Do ``job``; its products are in ``folder`` afterwards.

    Args:
        job: What to encode.
        master: The master.
        where: What messages call it.
        folder: Where products go.
        on_tick: Called with the progress about twice a second.
        stall_limit_s: Most seconds without any progress.

    Raises:
        DamagedError: the master is damaged, and the job does not allow for it.
        ToolMissingError, ToolFailedError: ffmpeg.
    """
    program = find("ffmpeg", needs_of(job)).path
    with contextlib.ExitStack() as stack:
        files = [
            stack.enter_context(product_path(folder, name).open("wb")) for name in job.products
        ]
        outcome = await run_ffmpeg(
            lambda outputs: encode_arguments(job, str(master.absolute()), outputs, program=program),
            [_writer(file) for file in files],
            on_tick=on_tick,
            stall_limit_s=stall_limit_s,
        )
    if not (outcome.is_complete if job.is_damaged else outcome.is_clean):
        raise fault_of(where, outcome.reason())


def needs_of(job: Job) -> tuple[str, ...]:
    """Encoders, filters and decoders that ``job`` needs."""
    if not isinstance(job, VideoJob):
        return (*ENCODING_NEEDS, LOOPBACK, *(["libopus"] if job.audio.codec == "opus" else []))
    rungs = [rung for _, rung in job.rungs]
    encoders = [VIDEO_ENCODERS[rung.codec] for rung in rungs]
    names = [each.name for each in encoders]
    # What cannot be decoded cannot be checked: better known before than after.
    decoders = [each.decoder for each in encoders if each.decoder]
    needs = (*ENCODING_NEEDS, *names, *decoders, *filters_needed(job.pictures, rungs))
    return tuple(dict.fromkeys(needs))


def product_path(folder: Path, name: ProductName) -> Path:
    """The file of a product."""
    return folder / f"{name}.mp4"


def _writer(file: BinaryIO) -> Callable[[bytes], None]:
    def write(data: bytes) -> None:
        file.write(data)

    return write
