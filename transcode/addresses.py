"""What names a product in the cache: everything that its bytes depend on.

Two products with the same address are the same bytes: the master, by its digest; the build of
ffmpeg, likewise; the chunk; and the arguments of ffmpeg for this track alone, without names of
files. Which other rungs are encoded beside it does not matter, so a ladder with a rung more
finds all the others.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import lru_cache

from transcode.ffmpeg import encode_arguments
from transcode.planning.jobs import Job, ProductName, VideoJob
from transcode.watermark.marks import name_of

FORMAT = "abrkit product 2"
"""Changes when products with the same arguments are to be made anew."""


def address_of(job: Job, name: ProductName, *, source: str, build: str) -> str:
    """The address of one product of ``job``, as 64 hexadecimal digits.

    Args:
        job: What makes it.
        name: Which of its products.
        source: Digest of the master.
        build: Digest of ffmpeg.
    """
    span = ""
    if isinstance(job, VideoJob):
        chunk = job.chunk
        span = f"{chunk.first_frame} {chunk.frames} {chunk.seek_s!r}"
        if job.pictures.marks_seed:
            span += f" {name_of(job.pictures.marks_seed)}"
        job = _alone(job, name)
    arguments = _arguments(job)
    return hashlib.sha256("\0".join([FORMAT, source, build, span, *arguments]).encode()).hexdigest()


def _alone(job: VideoJob, name: ProductName) -> VideoJob:
    """``job`` with one rung, of a chunk that stands for all chunks of its kind.

    A film of two hours has thousands of products, and ffmpeg-python takes a millisecond to
    build a graph.
    """
    chunk = job.chunk
    return replace(
        job,
        rungs=tuple(each for each in job.rungs if each[0] == name.track),
        chunk=replace(
            chunk,
            index=0,
            first_frame=chunk.first_frame and 1000,
            frames=chunk.frames and 1000,
            seek_s=None if chunk.seek_s is None else 10.0,
        ),
    )


@lru_cache(maxsize=1024)
def _arguments(job: Job) -> tuple[str, ...]:
    return tuple(encode_arguments(job, "", [""], program=""))
