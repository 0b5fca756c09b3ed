"""Thumbnails from the key frames of the lowest rung: no other frame is decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path

from abr.errors import ToolFailedError
from transcode.config import TranscodeConfig
from transcode.ffmpeg import thumbnail_arguments
from transcode.packaging import sidetracks
from transcode.packaging.iframes import key_frames_of, moved_to
from transcode.packaging.index import KeyFrame
from transcode.packaging.sidetracks import ImageTrack
from transcode.planning.plan import VideoPlan
from transcode.run.ffmpegtools import find
from transcode.run.process import run_ffmpeg
from transcode.run.tracks import Folder

_BETWEEN_IMAGES = b"\xff\xd9\xff\xd8"  # JPEG, ISO/IEC 10918-1, B.1.1.3: end and start of an image
_FRAME_UNITS = 1000


async def thumbnails(
    rungs: Sequence[tuple[Folder, VideoPlan]],
    package: Path,
    config: TranscodeConfig,
    *,
    on_note: Callable[[str], None],
) -> tuple[ImageTrack, ...]:
    """The thumbnails of a package, of the lowest rung that an ordinary screen shows; or none.

    Raises:
        ToolFailedError: see ``write_thumbnails``.
    """
    if not config.thumbnails:
        return ()
    plain = [each for each in rungs if each[1].colour.dynamic_range == "SDR"]
    if not plain:
        on_note("thumbnails are left out: every rung is HDR, and JPEG is not")
        return ()
    if config.encrypt != "none":
        on_note("thumbnails are not encrypted: whoever may play the title can see them")
    folder, rung = plain[0]
    size = {"width": rung.width, "height": rung.height}
    return (await write_thumbnails(folder, package, **size, stall_limit_s=config.stall_limit_s),)


async def write_thumbnails(
    folder: Folder, package: Path, *, width: int, height: int, stall_limit_s: float
) -> ImageTrack:
    """Write the thumbnails of a package.

    Args:
        folder: The rung to take pictures from.
        package: Folder of the package.
        width: Pixels of the rung's pictures.
        height: Pixels of the rung's pictures.
        stall_limit_s: Most seconds without any progress of ffmpeg.

    Raises:
        ToolFailedError: ffmpeg did not write as many images as it was to.
    """
    times_s = _times_of_key_frames(folder)
    gop_s = times_s[1] if len(times_s) > 1 else folder.duration_s
    interval_s = sidetracks.image_interval_s(folder.duration_s, gop_s)
    count = max(1, -(-round(folder.duration_s * 1e6) // round(interval_s * 1e6)))
    size = sidetracks.thumbnail_size(width, height)
    columns, rows = sidetracks.tile_layout(*size, count)
    chosen = sidetracks.nearest_frames(times_s, interval_s, count)
    images = bytearray()
    outcome = await run_ffmpeg(
        lambda outputs: thumbnail_arguments(
            size, (columns, rows), outputs[0], program=find("ffmpeg").path
        ),
        [images.extend],
        feed=_pictures(folder, chosen),
        stall_limit_s=stall_limit_s,
    )
    parts = _split(bytes(images))
    expected = -(-count // (columns * rows))
    if not outcome.is_clean or len(parts) != expected:
        raise ToolFailedError(
            f"thumbnails: {len(parts)} images of {expected}: {outcome.reason()}; "
            "`abr doctor` shows which ffmpeg ran"
        )
    name = sidetracks.image_folder(0)
    (package / name).mkdir()
    for number, part in enumerate(parts):
        (package / name / sidetracks.image_name(number)).write_bytes(part)
    return ImageTrack(
        folder=name,
        width=size[0],
        height=size[1],
        columns=columns,
        rows=rows,
        interval_s=interval_s,
        count=count,
        sizes_bytes=tuple(map(len, parts)),
    )


def _key_frames(folder: Folder) -> Iterator[tuple[bytes, KeyFrame]]:
    """Each segment in the clear, with each of its key frames; one segment at a time is read."""
    pieces = folder.read_back(range(len(folder.segments)))
    next(pieces)  # the initialisation section
    for segment in pieces:
        for frame in key_frames_of(segment, folder.timescale):
            yield segment, frame


def _times_of_key_frames(folder: Folder) -> list[float]:
    """Where each key frame is shown, from 0."""
    listed = [frame.duration_s for facts in folder.segments for frame in facts.key_frames]
    durations_s = listed or [frame.duration_s for _, frame in _key_frames(folder)]
    return list(accumulate(durations_s, initial=0.0))[:-1]


def _pictures(folder: Folder, chosen: Sequence[int]) -> Iterator[bytes]:
    """A movie of the key frames ``chosen``, which do not descend, a fixed time apart."""
    yield next(folder.read_back([]))
    place = 0
    for number, (segment, frame) in enumerate(_key_frames(folder)):
        while place < len(chosen) and chosen[place] == number:
            end = frame.offset_bytes + frame.size_bytes
            yield moved_to(segment[frame.offset_bytes : end], place * _FRAME_UNITS)
            place += 1


def _split(images: bytes) -> list[bytes]:
    """JPEG files that follow each other; inside one, an end is never followed by a start."""
    parts = images.split(_BETWEEN_IMAGES)
    last = len(parts) - 1
    return [
        (b"\xff\xd8" if number else b"") + part + (b"\xff\xd9" if number < last else b"")
        for number, part in enumerate(parts)
        if part
    ]
