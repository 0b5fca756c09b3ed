"""Masters that were cut off, broken or changed on the way, and what must come of each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.fakes.masters import AAC, H264, MPEG2, TS, Case, coded, edited

FRAGMENTED = ("-movflags", "+frag_keyframe+empty_moov+default_base_moof")
FASTSTART = ("-movflags", "+faststart")
EVERY_SECOND = (*H264[:-1], "25")
TAKEN = ("--tolerate", "100")


def ending_at(share: float) -> Callable[[bytes], bytes]:
    """Cuts a file off after a share of its bytes."""
    return lambda data: data[: int(len(data) * share)]


def _cut(name: str, file: str, *options: str, share: float, refused: bool = False) -> Case:
    video, audio = (MPEG2, ("-c:a", "mp2")) if file.endswith("mpg") else (EVERY_SECOND, AAC)
    make: Callable[[Path], Path] = edited(
        coded(file, *options, video=video, audio=audio), ending_at(share)
    )
    return Case(
        name=name,
        make=make,
        duration_s=None,
        flashes_s=None if refused else (1.0, 2.0) if share < 0.9 else (1.0, 2.0, 3.0, 4.0),
        refusal="--tolerate" if refused else "",
        options=() if refused or share > 0.9 else TAKEN,
    )


_CONTAINERS = (
    ("an mp4 with its index first", "film.mp4", FASTSTART),
    ("a fragmented mp4", "film.mp4", FRAGMENTED),
    ("an mkv", "film.mkv", ()),
    ("an avi", "film.avi", ()),
    ("an flv", "film.flv", ()),
)

BROKEN: tuple[Case, ...] = (
    *(
        case
        for name, file, options in _CONTAINERS
        for case in (
            _cut(f"{name}, half of it, wanted", file, *options, share=0.5),
            _cut(f"{name}, half of it", file, *options, share=0.45, refused=True),
            _cut(f"{name}, but its last pictures", file, *options, share=0.985),
        )
    ),
    _cut("a transport stream, half of it", "film.ts", *TS, share=0.5),
    _cut("a program stream, half of it", "film.mpg", share=0.5),
)
