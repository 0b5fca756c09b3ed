"""Times of a master's pictures: the constant rate to encode at, durations and starts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from transcode.masters.fields import whole

STANDARD_RATES = tuple(
    Fraction(*pair)
    for pair in (
        (24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (48, 1), (50, 1),
        (60000, 1001), (60, 1),
    )
)  # fmt: skip
"""Frame rates in use, in frames per second."""


def frame_rate(
    real: Fraction | None, mean: Fraction | None, *, interlaced: bool = False
) -> tuple[Fraction | None, bool]:
    """The constant rate to encode at, and whether the master's own rate varies.

    Args:
        real: The least rate at which every frame has its exact time (``r_frame_rate``).
        mean: Frames over seconds (``avg_frame_rate``).
        interlaced: The pictures are fields in pairs, so ``real`` may count fields.
    """
    if real is None or mean is None or mean > 1000:
        return (_nearest_standard(real or mean) if real or mean else None), False
    if interlaced:
        return _nearest_standard(mean), False
    if abs(real - mean) <= mean / 100:
        return _nearest_standard(real), False
    if real <= 60 and real < 2 * mean:
        return _nearest_standard(real), True
    above = [rate for rate in STANDARD_RATES if rate >= mean * Fraction(99, 100)]
    return (above[0] if above and mean > 20 else Fraction(max(1, math.ceil(mean)))), True


def _nearest_standard(rate: Fraction | None) -> Fraction | None:
    """The standard rate within 0.03 %, else ``rate`` with a denominator that fits."""
    if rate is None:
        return None
    for standard in STANDARD_RATES:
        if abs(rate / standard - 1) < Fraction(3, 10_000):
            return standard
    return rate if rate.denominator <= 1001 else rate.limit_denominator(1001)


def bit_rate(video: Mapping[str, Any], shown: Mapping[str, Any], duration_s: float) -> float:
    """Bits per second of the video; of the whole file where the stream does not say."""
    if own := whole(video.get("bit_rate")):
        return float(own)
    return 8 * whole(shown.get("size")) / duration_s if duration_s > 0 else 0.0


def seconds(video: Mapping[str, Any]) -> float:
    """Duration of the stream itself: its own field, or the tag that Matroska has."""
    text = str(video.get("duration") or (video.get("tags") or {}).get("DURATION") or "")
    try:
        parts = [float(part) for part in text.split(":")]
    except ValueError:
        return 0.0
    value = sum(part * 60**power for power, part in enumerate(reversed(parts)))
    return value if 0 < value < 1e7 else 0.0


def start_s_of(described: Mapping[str, Any]) -> float:
    """Where a stream or file starts; 0 when it does not say."""
    try:
        start_s = float(str(described.get("start_time", 0.0)))
    except ValueError:  # N/A
        return 0.0
    return start_s if math.isfinite(start_s) else 0.0
