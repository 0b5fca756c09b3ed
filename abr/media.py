"""What is played: one title as an algorithm sees it.

A ``Presentation`` is one title as an algorithm sees it: bitrates, sizes and
durations as read-only arrays. Rung 0 is the lowest. This module knows nothing of
files, playlists or codecs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


def frozen_array(values: ArrayLike) -> FloatArray:
    """A read-only float64 copy of ``values``."""
    array = np.array(values, dtype=np.float64)
    array.flags.writeable = False
    return array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Presentation:
    """One title: R rungs by N segments, rung 0 lowest."""

    bitrates_bps: FloatArray
    """Nominal mean bit rate per rung, ascending, shape (R,)."""
    sizes_bytes: FloatArray
    """Size of every segment at every rung, shape (R, N)."""
    durations_s: FloatArray
    """Media seconds per segment, shape (N,)."""
    quality: FloatArray | None = None
    """Quality per segment and rung, shape (R, N), in the metric named beside it."""
    quality_metric: str | None = None
    """Name of the quality metric, such as ``vmaf``; None without ``quality``."""
    title: str = ""
    """Name for reports."""
    audio_sizes_bytes: FloatArray | None = None
    """Size of the audio that goes with every segment, shape (N,), where it is fetched on
    its own; None where there is none, or it lies within the video."""

    def __post_init__(self) -> None:
        for name in ("bitrates_bps", "sizes_bytes", "durations_s"):
            object.__setattr__(self, name, frozen_array(getattr(self, name)))
        rungs, segments = len(self.bitrates_bps), len(self.durations_s)
        if rungs == 0 or segments == 0:
            raise ValueError("a presentation needs at least one rung and one segment")
        if self.sizes_bytes.shape != (rungs, segments):
            raise ValueError(
                f"sizes_bytes has shape {self.sizes_bytes.shape}, expected {(rungs, segments)}"
            )
        if not (np.diff(self.bitrates_bps) >= 0).all():
            raise ValueError("bitrates_bps must not decrease: rung 0 is the lowest")
        for name in ("bitrates_bps", "sizes_bytes", "durations_s"):
            array = getattr(self, name)
            if not (np.isfinite(array).all() and (array > 0).all()):
                raise ValueError(f"{name} must be finite and positive")
        if self.audio_sizes_bytes is not None:
            audio = frozen_array(self.audio_sizes_bytes)
            if audio.shape != (segments,):
                raise ValueError(
                    f"audio_sizes_bytes has shape {audio.shape}, expected {(segments,)}"
                )
            if not (np.isfinite(audio).all() and (audio > 0).all()):
                raise ValueError("audio_sizes_bytes must be finite and positive")
            object.__setattr__(self, "audio_sizes_bytes", audio)

    @property
    def rungs(self) -> int:
        """Number of rungs, R."""
        return len(self.bitrates_bps)

    @property
    def segments(self) -> int:
        """Number of segments, N."""
        return len(self.durations_s)

    @property
    def duration_s(self) -> float:
        """Media seconds in all."""
        return float(self.durations_s.sum())

    def digest(self) -> str:
        """SHA-256 over ladder, sizes and durations: equal on every machine."""
        hasher = hashlib.sha256()
        for array in (self.bitrates_bps, self.sizes_bytes, self.durations_s):
            hasher.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
        if self.audio_sizes_bytes is not None:  # so that titles without keep the digest they had
            hasher.update(b"audio" + self.audio_sizes_bytes.astype("<f8").tobytes())
        return hasher.hexdigest()


def constant_presentation(
    bitrates_bps: Sequence[float], *, segments: int, segment_s: float, title: str = "constant"
) -> Presentation:
    """A presentation whose segments all have their rung's nominal size."""
    rates = frozen_array(bitrates_bps)
    return Presentation(
        bitrates_bps=rates,
        sizes_bytes=np.outer(rates * segment_s / 8, np.ones(segments)),
        durations_s=np.full(segments, segment_s),
        title=title,
    )
