"""Where a film's shots are, how hard they are, and which parts stand for the whole.

Small grey pictures in, samples out. Each sample is one group of pictures, so that trial
encodes of it have exactly the key frames that the film will have.

Source: ITU-T P.910, 7.8 (spatial and temporal information); stratified sampling, Cochran,
Sampling Techniques, chapter 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from abr.media import FloatArray
from transcode.ladders.pertitle import Sample

SURVEY_WIDTH, SURVEY_HEIGHT = 160, 90
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

    detail: FloatArray
    """Spatial information of every frame, shape (F,)."""
    motion: FloatArray
    """Temporal information of every frame, 0 for the first, shape (F,)."""


@dataclass(slots=True)
class Surveyor:
    """Looks at the pictures of a film, given as bytes in pieces of any size."""

    _rest: bytes = b""
    _last: NDArray[np.float32] | None = None
    _detail: list[float] = field(default_factory=list)
    _motion: list[float] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"<Surveyor after {len(self._detail)} frames>"

    def feed(self, data: bytes) -> None:
        """Look at the next pictures: grey, 8 bits, ``SURVEY_WIDTH`` by ``SURVEY_HEIGHT``."""
        data = self._rest + data
        size = SURVEY_WIDTH * SURVEY_HEIGHT
        whole = len(data) // size
        for number in range(whole):
            plane = np.frombuffer(data, np.uint8, size, number * size)
            self._look(plane.reshape(SURVEY_HEIGHT, SURVEY_WIDTH).astype(np.float32))
        self._rest = data[whole * size :]

    def _look(self, picture: NDArray[np.float32]) -> None:
        self._detail.append(float(_sobel(picture).std()))
        self._motion.append(0.0 if self._last is None else float((picture - self._last).std()))
        self._last = picture

    def close(self) -> Survey:
        """What was seen."""
        return Survey(detail=np.array(self._detail), motion=np.array(self._motion))


def _sobel(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Strength of edges within the border."""
    along = picture[:, :-2] + 2 * picture[:, 1:-1] + picture[:, 2:]
    across = picture[:-2] + 2 * picture[1:-1] + picture[2:]
    strength: NDArray[np.float32] = np.hypot(across[:, 2:] - across[:, :-2], along[2:] - along[:-2])
    return strength


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


def choose_samples(survey: Survey, gop_frames: int, *, most: int) -> tuple[Sample, ...]:
    """Groups of pictures that stand for the film, in its order.

    The groups are put in order of how hard they are and cut into strata of about equal size.
    The one nearest to the middle of its stratum stands for it, if possible from a shot that
    no other sample comes from.

    Args:
        survey: What was seen of the film.
        gop_frames: Frames in a group of pictures; a last shorter group is never chosen unless
            it is the only one.
        most: How many samples to take; all groups where there are no more.

    Raises:
        ValueError: the film has no frame.
    """
    frames = len(survey.motion)
    if not frames:
        raise ValueError("no frame; expected at least one")
    groups = max(1, frames // gop_frames)
    ends = [min((group + 1) * gop_frames, frames) for group in range(groups)]
    looks = np.array([_hardness(survey, end, gop_frames) for end in ends])
    shots = np.searchsorted(shots_of(survey.motion), np.array(ends) - gop_frames // 2, "right")
    order = np.lexsort((np.arange(groups), looks.sum(axis=1)))
    used: set[int] = set()
    chosen: list[Sample] = []
    for stratum in np.array_split(order, min(most, groups)):
        group = _middle_of(stratum, looks, shots, used)
        used.add(int(shots[group]))
        first = group * gop_frames
        chosen.append(Sample(first=first, frames=ends[group] - first, weight=len(stratum) / groups))
    return tuple(sorted(chosen, key=lambda sample: sample.first))


def _hardness(survey: Survey, end: int, gop_frames: int) -> tuple[float, float]:
    """How much a group of pictures moves and how much there is to see, as logarithms."""
    part = slice(max(0, end - gop_frames), end)
    return (
        float(np.log1p(survey.motion[part].mean())),
        float(np.log1p(survey.detail[part].mean())),
    )


def _middle_of(
    stratum: Sequence[int] | NDArray[np.int64],
    looks: FloatArray,
    shots: NDArray[np.int64],
    used: set[int],
) -> int:
    """The group nearest to the middle of its stratum, from a new shot if there is one."""
    members = np.asarray(stratum)
    distance = np.abs(looks[members] - looks[members].mean(axis=0)).sum(axis=1)
    is_new = np.array([int(shots[member]) not in used for member in members])
    fitting = members[is_new] if is_new.any() else members
    near = distance[is_new] if is_new.any() else distance
    return int(fitting[int(np.argmin(near))])
