"""Where a film's shots are, how hard they are, and which parts stand for the whole.

Small grey pictures and the sizes of a quick small encode in, samples out. Each sample is one
group of pictures, so that trial encodes of it have exactly the key frames that the film will
have. Bits of the quick encode say how hard a group is: on the Big Buck Bunny trailer the
logarithm of the bits of a 234-line encode agreed with that of real rungs with a correlation of
0.95 to 0.99; spatial and temporal information (ITU-T P.910) with 0.7 at the most.

Method: stratified sampling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from abr.media import FloatArray
from transcode.ladders.pertitle import Sample

GREY_WIDTH, GREY_HEIGHT = 160, 90
"""Size of the pictures that are looked at."""
_CUT_LEAST = 12.0
"""A cut changes the picture by this at least, in code values."""
_CUT_RATIO = 3.0
"""And by so many times what its neighbours change."""
_CUT_WINDOW = 6
_SHORTEST_SHOT = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What was seen of a film."""

    motion: FloatArray
    """How much every frame differs from the one before, 0 for the first, shape (F,)."""
    bits: FloatArray
    """Of every frame of the quick encode, in coded order, shape (F,); its groups of pictures
    are those of the film, and closed."""


@dataclass(slots=True)
class Surveyor:
    """Looks at the pictures of a film, given as bytes in pieces of any size."""

    _rest: bytes = b""
    _last: NDArray[np.float32] | None = None
    _motion: list[float] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"<Surveyor after {len(self._motion)} frames>"

    def feed(self, data: bytes) -> None:
        """Look at the next pictures: grey, 8 bits, ``GREY_WIDTH`` by ``GREY_HEIGHT``."""
        data = self._rest + data
        size = GREY_WIDTH * GREY_HEIGHT
        whole = len(data) // size
        for number in range(whole):
            picture = np.frombuffer(data, np.uint8, size, number * size).astype(np.float32)
            self._motion.append(0.0 if self._last is None else float((picture - self._last).std()))
            self._last = picture
        self._rest = data[whole * size :]

    def close(self, frame_bytes: Sequence[int]) -> Survey:
        """What was seen.

        Args:
            frame_bytes: Sizes of the frames of the quick encode.

        Raises:
            ValueError: there are more or fewer of these than pictures.
        """
        if len(frame_bytes) != len(self._motion):
            raise ValueError(f"{len(frame_bytes)} sizes for {len(self._motion)} pictures")
        return Survey(motion=np.array(self._motion), bits=8.0 * np.array(frame_bytes))


def shots_of(motion: FloatArray) -> list[int]:
    """The first frame of every shot.

    A cut is a frame that differs from the one before it by far more than its neighbours do;
    fades and fast pans change much too, but as much from frame to frame.
    """
    starts = [0]
    for frame in range(1, len(motion)):
        first = max(1, frame - _CUT_WINDOW)
        near = np.concatenate([motion[first:frame], motion[frame + 1 : frame + 1 + _CUT_WINDOW]])
        usual = float(np.median(near)) if len(near) else 0.0
        is_cut = motion[frame] > max(_CUT_LEAST, _CUT_RATIO * usual)
        if is_cut and frame - starts[-1] >= _SHORTEST_SHOT:
            starts.append(frame)
    return starts


FEWEST_SAMPLES, MOST_SAMPLES = 12, 32


def sample_count(groups: int) -> int:
    """How many of so many groups of pictures to try: a twentieth, within limits."""
    return max(FEWEST_SAMPLES, min(MOST_SAMPLES, groups // 20))


def choose_samples(
    survey: Survey, gop_frames: int, *, most: int | None = None
) -> tuple[Sample, ...]:
    """Groups of pictures that stand for the film, in its order.

    The groups are put in order of how hard they are and cut into strata of about equal size.
    The one nearest to the middle of its stratum stands for it, if possible from a shot that
    no other sample comes from.

    Args:
        survey: What was seen of the film.
        gop_frames: Frames in a group of pictures; a last shorter group is never chosen unless
            it is the only one.
        most: How many samples to take, all groups where there are no more; None suits the
            length.

    Raises:
        ValueError: the film has no frame.
    """
    frames = len(survey.motion)
    if not frames:
        raise ValueError("no frame; expected at least one")
    groups = max(1, frames // gop_frames)
    ends = [min((group + 1) * gop_frames, frames) for group in range(groups)]
    hardness = np.array([survey.bits[max(0, end - gop_frames) : end].sum() for end in ends])
    shots = np.searchsorted(shots_of(survey.motion), np.array(ends) - gop_frames // 2, "right")
    order = np.argsort(hardness, kind="stable")
    used: set[int] = set()
    chosen: list[Sample] = []
    count = min(groups, sample_count(groups) if most is None else most)
    for place, stratum in enumerate(np.array_split(order, count)):
        group = _middle_of(stratum.tolist(), place, shots, used)
        used.add(int(shots[group]))
        first = group * gop_frames
        chosen.append(
            Sample(
                first=first,
                frames=ends[group] - first,
                weight=len(stratum) / groups,
                stratum=place,
                stands_for=len(stratum),
            )
        )
    return tuple(sorted(chosen, key=lambda sample: sample.first))


def _middle_of(stratum: Sequence[int], place: int, shots: NDArray[np.int64], used: set[int]) -> int:
    """The group nearest to the middle of its stratum, from a new shot if there is one.

    Of two that are as near, strata take the easier and the harder in turn.
    """
    middle = (len(stratum) - 1) / 2 + (0.25 if place % 2 else -0.25)
    near = sorted(range(len(stratum)), key=lambda number: abs(number - middle))
    groups = [stratum[number] for number in near]
    return next((group for group in groups if int(shots[group]) not in used), groups[0])
