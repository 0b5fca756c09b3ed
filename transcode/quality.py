"""Quality of encoded pictures: scores per frame, pooled per segment, and guarded by counts.

Scores come from a tool that compares each frame with the master's. libvmaf repeats or skips
frames until times match, so a stream with half its frames missing still scores 99.4 (measured
with ffmpeg 9.0.2). No score is believed here unless both sides have the same frames at the
same times; ``check_pairs`` sees to that.

The first frame of a measured run has no frame before it, so VMAF takes it for a still one and
scores it too high: up to 97.43, whatever was lost. It takes the score of the frame after it.

Logs are read as ffmpeg 9.0.2 writes them.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

import numpy as np

from abr.errors import MediaError
from abr.media import FloatArray

Metric = Literal["vmaf", "xpsnr", "ssim"]
METRICS: tuple[Metric, ...] = get_args(Metric)
"""In the order of preference."""
FILTERS: dict[Metric, str] = {"vmaf": "libvmaf", "xpsnr": "xpsnr", "ssim": "ssim"}
"""The filter of ffmpeg that measures each."""
MOST: dict[Metric, float] = {"vmaf": 100.0, "xpsnr": 100.0, "ssim": 1.0}
"""Highest score of each; identical pictures have an endless XPSNR, which is cut to this."""
LOW_PERCENT = 5.0
_SAME_TIME = Fraction(1, 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    """Scores of a run of frames in a few figures."""

    mean: float
    harmonic_mean: float
    """Of the scores plus one, less one: bad frames weigh more than in the mean."""
    low: float
    """The fifth percentile."""
    minimum: float
    frames: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackQuality:
    """What was measured of one rung."""

    folder: str
    """Of its track."""
    mean: float
    harmonic_mean: float
    low: float
    """The fifth percentile of its frames."""
    minimum: float
    segments: tuple[float, ...]
    """Mean of each segment."""
    segments_low: tuple[float, ...]
    """Fifth percentile of each segment."""
    target: float | None = None
    """What was promised when the rung was chosen; None where nothing was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityFacts:
    """Quality of every rung of a package."""

    metric: str
    """``vmaf``, ``xpsnr`` or ``ssim``."""
    model: str
    """Which of the metric's models."""
    width: int
    """Size at which pictures were compared."""
    height: int
    tracks: tuple[TrackQuality, ...]
    """In the order of the package's rungs."""


TOLERANCES: dict[str, float] = {"vmaf": 0.5, "xpsnr": 0.25, "ssim": 0.002}
"""How far a rung may stay below what was promised."""


def shortfalls(facts: QualityFacts) -> list[TrackQuality]:
    """The rungs whose quality is below what was promised, by more than is tolerated."""
    least = TOLERANCES.get(facts.metric, 0.0)
    return [
        each for each in facts.tracks if each.target is not None and each.mean < each.target - least
    ]


def track_quality(
    folder: str,
    scores: FloatArray,
    frames: Sequence[int],
    *,
    target: float | None = None,
) -> TrackQuality:
    """Pool the scores of one rung, to a thousandth.

    Args:
        folder: Of its track.
        scores: One for each frame, shape (F,).
        frames: How many frames each segment holds.
        target: What was promised.

    Raises:
        MediaError: the frames of the segments are not as many as the scores.
    """
    segments = pool_segments(scores, frames, where=folder)
    whole = pool_scores(scores)
    return TrackQuality(
        folder=folder,
        mean=round(whole.mean, 3),
        harmonic_mean=round(whole.harmonic_mean, 3),
        low=round(whole.low, 3),
        minimum=round(whole.minimum, 3),
        segments=tuple(round(each.mean, 3) for each in segments),
        segments_low=tuple(round(each.low, 3) for each in segments),
        target=None if target is None else round(target, 3),
    )


def pool_scores(scores: FloatArray) -> Pooled:
    """Pool the scores of frames.

    Args:
        scores: One for each frame, 0 or more, shape (F,).

    Raises:
        ValueError: there is none, or one is negative or not a number.

    One is added to each, and taken away again, against division by zero.
    """
    if len(scores) == 0 or not (np.isfinite(scores).all() and (scores >= 0).all()):
        raise ValueError("scores: expected at least one, all finite and 0 or more")
    return Pooled(
        mean=float(scores.mean()),
        harmonic_mean=float(1 / np.mean(1 / (scores + 1)) - 1),
        low=float(np.percentile(scores, LOW_PERCENT)),
        minimum=float(scores.min()),
        frames=len(scores),
    )


def pool_segments(scores: FloatArray, frames: Sequence[int], *, where: str) -> tuple[Pooled, ...]:
    """Pool the scores of each segment.

    Args:
        scores: One for each frame of the track, shape (F,).
        frames: How many frames each segment holds.
        where: What is measured, for messages.

    Raises:
        MediaError: the frames of the segments are not as many as the scores.
    """
    if sum(frames) != len(scores) or min(frames, default=0) < 1:
        raise MediaError(
            f"{where}: {len(scores)} frames were scored, its {len(frames)} segments hold "
            f"{sum(frames)}; the figures would hide missing or repeated frames, so none is given; "
            "transcode again"
        )
    ends = np.cumsum(frames)
    return tuple(pool_scores(part) for part in np.split(scores, ends[:-1].tolist()))


def segment_frames(total: int, each: int) -> list[int]:
    """Frames of every segment of a track: ``each``, and the rest in the last one."""
    whole, rest = divmod(total, each)
    return [each] * whole + [rest] * bool(rest)


def settle_start(scores: FloatArray) -> FloatArray:
    """Scores of one measured run, its first frame given the score of its second."""
    settled = scores.copy()
    if len(settled) > 1:
        settled[0] = settled[1]
    return settled


def check_pairs(
    reference_s: Sequence[Fraction],
    measured_s: Sequence[Fraction],
    scored: int,
    *,
    expected: int | None = None,
    where: str,
) -> None:
    """Check that every frame was compared with the frame of the same time, and only once.

    Args:
        reference_s: Times of the master's frames, from the first.
        measured_s: Times of the encoded frames, from the first.
        scored: How many frames the tool scored.
        expected: How many frames there should be; None: as many as the master gives.
        where: What is measured, for messages.

    Raises:
        MediaError: counts differ, or times do by more than a millisecond.
    """
    wanted = len(reference_s) if expected is None else expected
    counts_fit = len(measured_s) == len(reference_s) == wanted > 0
    late = next(
        (
            (number, own, other)
            for number, (own, other) in enumerate(zip(measured_s, reference_s, strict=False))
            if abs(own - other) > _SAME_TIME
        ),
        None,
    )
    if counts_fit and late:
        number, own, other = late
        raise MediaError(
            f"{where}: frame {number} is shown at {float(own):.3f} s, in the master at "
            f"{float(other):.3f} s; a score would hide the difference, so none is given; "
            "transcode again"
        )
    if not counts_fit or scored != wanted:
        raise MediaError(
            f"{where}: {len(measured_s)} frames encoded, {len(reference_s)} in the master, "
            f"{scored} scored; expected {wanted} of each; a score would hide the difference, so "
            "none is given; transcode again"
        )


def parse_times(text: str) -> tuple[tuple[Fraction, ...], ...]:
    """Times of the frames of each stream, from its first, in the output of ffmpeg's ``framecrc``.

    Raises:
        MediaError: it is not such an output.
    """
    bases: dict[int, Fraction] = {}
    times: dict[int, list[int]] = {}
    try:
        for line in text.splitlines():
            if line.startswith("#tb "):
                stream, _, base = line[4:].partition(":")
                bases[int(stream)] = Fraction(base.strip())
            elif line and not line.startswith("#"):
                stream, _, time = line.split(",")[:3]
                times.setdefault(int(stream), []).append(int(time))
        return tuple(
            tuple((time - times[stream][0]) * base for time in times.get(stream, ()))
            for stream, base in sorted(bases.items())
        )
    except (ValueError, IndexError, KeyError, ZeroDivisionError) as exc:
        raise MediaError(f"ffmpeg's list of frames cannot be read: {exc}") from exc


def parse_scores(metric: Metric, text: str) -> FloatArray:
    """Scores per frame, from what the filter of ``metric`` writes.

    Args:
        metric: What was measured.
        text: libvmaf's log as CSV, or the statistics of xpsnr or ssim.

    Returns:
        Shape (F,). VMAF from 0 to 100; XPSNR in dB, luma weighed six to one against each
        chroma plane; SSIM of all planes, from 0 to 1.

    Raises:
        MediaError: it cannot be read, or a score is not a number.
    """
    try:
        values = np.array(_READERS[metric](text), dtype=np.float64)
    except (ValueError, KeyError, IndexError, csv.Error) as exc:
        raise MediaError(f"the {metric} log of ffmpeg cannot be read: {exc}") from exc
    if np.isnan(values).any():
        raise MediaError(f"the {metric} log of ffmpeg has a score that is not a number")
    scores: FloatArray = np.clip(values, 0.0, MOST[metric])
    return scores


def _read_vmaf(text: str) -> list[float]:
    return [float(row["vmaf"]) for row in csv.DictReader(text.splitlines())]


def _read_xpsnr(text: str) -> list[float]:
    planes = _XPSNR.findall(text)
    return [_join_planes(tuple(map(float, each))) for each in planes]


def _join_planes(planes: tuple[float, ...]) -> float:
    """One XPSNR of three planes: the weighted mean of their errors."""
    error = sum(w * 10 ** (-db / 10) for w, db in zip((6, 1, 1), planes, strict=True)) / 8
    return -10 * math.log10(error) if error > 0 else math.inf


def _read_ssim(text: str) -> list[float]:
    return [float(each) for each in _SSIM.findall(text)]


_XPSNR = re.compile(r"^n: *\d+ +XPSNR y: *(\S+) +XPSNR u: *(\S+) +XPSNR v: *(\S+)", re.MULTILINE)
_SSIM = re.compile(r"^n:\d+ .*\bAll:(\S+)", re.MULTILINE)
_READERS = {"vmaf": _read_vmaf, "xpsnr": _read_xpsnr, "ssim": _read_ssim}
