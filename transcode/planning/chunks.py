"""Chunks: runs of whole segments that are encoded apart, and decoded exactly.

A chunk begins at the border of a segment, soon after a key frame of the master, because
everything from that key frame on has to be decoded for it. Encoders put key frames where
scenes change, so where they lie at irregular places a chunk begins with a scene.

Chunks depend on the master and the settings only, never on the machine, so that a film that
is encoded again finds them all.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from transcode.masters.timing import Timing

LEAST_S = 8.0
"""Shortest chunk that is aimed at: a start of ffmpeg and of its encoders costs about 0.1 s."""
SHARES = 8
"""Chunks of a short film, so that several workers end at nearly the same time."""
_LONGEST_LEAD_S = 10.0
"""Most that is decoded before a chunk; without key frames the film stays in one piece."""
_SHIFT = 0.35
"""Most that a border moves from its even place, in chunks."""
_DISTANCE_COST = 0.25
"""What a second of uneven length costs, in seconds of decoding."""
_SAME_S = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A run of whole segments that is encoded at once, all rungs in one process."""

    index: int
    first_frame: int
    """Counted at the constant frame rate, from 0."""
    frames: int | None
    """None: all there are, however many."""
    seek_s: float | None = None
    """Time in the file that is sought, so that decoding starts at a key frame; None: its
    beginning."""
    is_last: bool = True
    """The film ends with it."""


def cut_chunks(
    frames: int,
    rate: Fraction,
    *,
    segment_frames: int,
    timing: Timing | None,
    chunk_s: float,
    lead_frames: int = 0,
    is_narrow: bool = False,
) -> tuple[Chunk, ...]:
    """The chunks of a film.

    Args:
        frames: Of the whole film at the constant ``rate``.
        rate: Frames per second.
        segment_frames: Frames of a segment.
        timing: What was measured; one chunk when None, or when the master cannot be sought.
        chunk_s: Seconds of a chunk; those of short films are shorter.
        lead_frames: Frames before a chunk that filters look at.
        is_narrow: One ffmpeg does not keep two cores busy, so even a short film has two chunks.
    """
    # A start is good for what begins so much later.
    wait_s = float(lead_frames / rate)
    starts_s = tuple(each + wait_s for each in timing.starts_s) if timing else ()
    film_s = float(frames / rate)
    aim_s = min(chunk_s, max(LEAST_S, film_s / SHARES))
    borders = [0]
    if timing and starts_s:
        least = 2 if is_narrow and film_s >= LEAST_S else 1
        count = max(least, round(film_s / aim_s))
        # While the last picture stands there is nothing left to decode.
        until = timing.last_picture_s + _SAME_S
        found = _borders(frames, rate, segment_frames, starts_s, count)
        borders += [first for first in found if float(first / rate) <= until]
    add_s = timing.picture.clock.start_s + timing.seek_add_s - wait_s if timing else 0.0
    chunks = []
    for index, (first, end) in enumerate(zip(borders, [*borders[1:], frames], strict=True)):
        start_s = _start_before(starts_s, float(first / rate)) if first else None
        chunks.append(
            Chunk(
                index=index,
                first_frame=first,
                frames=end - first,
                seek_s=None if start_s is None else round(start_s + add_s, 6),
                is_last=end == frames,
            )
        )
    return tuple(chunks)


def cores_kept_busy(sizes: Iterable[tuple[int, int]]) -> float:
    """How many cores one ffmpeg with rungs of these sizes keeps busy.

    It encodes them side by side, a thread each. The largest takes longest, so it is as many as
    all rungs have pixels for each pixel of that one.
    """
    pixels = [width * height for width, height in sizes]
    return sum(pixels) / max(pixels, default=1) if pixels else 1.0


def _borders(
    frames: int, rate: Fraction, segment_frames: int, starts_s: Sequence[float], count: int
) -> Iterator[int]:
    """First frames of all chunks but the first, near even places."""
    before = 0
    for number in range(1, count):
        even = frames * number / count
        reach = max(segment_frames / 2, _SHIFT * frames / count)
        nearest = range(
            max(before + 1, round((even - reach) / segment_frames)),
            round((even + reach) / segment_frames) + 1,
        )
        best: tuple[float, int] | None = None
        for segment in nearest:
            first = segment * segment_frames
            begin_s = float(first / rate)
            start_s = _start_before(starts_s, begin_s)
            # A last chunk shorter than half a segment is not worth a start.
            if start_s is None or first + segment_frames / 2 > frames:
                continue
            lead_s = begin_s - start_s
            cost = lead_s + _DISTANCE_COST * abs(float((first - even) / rate))
            if lead_s <= _LONGEST_LEAD_S and (best is None or cost < best[0]):
                best = (cost, segment)
        if best is not None:
            before = best[1]
            yield before * segment_frames


def _start_before(starts_s: Sequence[float], time_s: float) -> float | None:
    place = bisect_right(starts_s, time_s + _SAME_S)
    return starts_s[place - 1] if place else None
