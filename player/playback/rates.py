"""Bit rates of rungs where a playlist states none that can be true.

What is stated is taken within wide bounds. A rung without is taken for what its picture size would
need beside the others, until what was fetched of it tells better (``Learned``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from transcode.playlist import Variant

LEAST_BPS, MOST_BPS = 1e3, 1e10
"""Below and above these no variant is: slow speech needs a few kbit/s, raw 8K some Gbit/s."""

UNKNOWN_BITRATE_BPS = 1e6
"""Of a rung of which nothing is known."""

_PIXELS = 640 * 360
"""The picture that the rate above is about right for."""
_GROWTH = 0.75
"""Rates grow with pixels to this power: four times the pixels, 2.8 times the rate."""
_STEP = 1.25
"""Between rungs of which nothing is known, so that no two are equal."""


def stated_bps(variant: Variant) -> float | None:
    """What a variant states, the mean where it can be; None when that cannot be true."""
    peak = float(variant.bandwidth_bps)
    mean = float(variant.average_bandwidth_bps or 0.0)
    # RFC 8216bis, 4.4.6.2: BANDWIDTH is the peak; what a link must carry is the average.
    if _is_possible(mean) and (mean <= peak or not _is_possible(peak)):
        return mean
    return peak if _is_possible(peak) else None


def _is_possible(rate_bps: float) -> bool:
    return LEAST_BPS <= rate_bps <= MOST_BPS


def guessed_bps(variant: Variant, known: Mapping[Variant, float], number: int) -> float:
    """The rate of a variant that states none.

    Args:
        variant: It.
        known: Others with their rates.
        number: How many were guessed before.
    """
    pixels = variant.width * variant.height
    with_size = {v: bps for v, bps in known.items() if v.width * v.height}
    if not pixels:
        base_bps = min(known.values(), default=UNKNOWN_BITRATE_BPS)
        return base_bps * (_STEP**number if not known else _STEP ** (-1 - number))
    near_pixels, near_bps = min(
        ((v.width * v.height, bps) for v, bps in with_size.items()),
        key=lambda each: abs(each[0] - pixels),
        default=(_PIXELS, UNKNOWN_BITRATE_BPS),
    )
    return float(near_bps * (pixels / near_pixels) ** _GROWTH)


@dataclass(slots=True)
class Learned:
    """Mean rates of what was fetched, by rung; the audio is a rung of its own."""

    _bits: dict[int, float]
    _media_s: dict[int, float]

    def __init__(self) -> None:
        self._bits, self._media_s = {}, {}

    def add(self, rung: int, size_bytes: float, media_s: float) -> None:
        """A segment was fetched."""
        self._bits[rung] = self._bits.get(rung, 0.0) + 8.0 * size_bytes
        self._media_s[rung] = self._media_s.get(rung, 0.0) + media_s

    def rate_bps(self, rung: int) -> float:
        """The mean; 0 before anything was fetched."""
        media_s = self._media_s.get(rung, 0.0)
        return self._bits[rung] / media_s if media_s > 0 else 0.0


def between(rates_bps: Sequence[float], rung: int, rate_bps: float) -> float:
    """``rate_bps`` for ``rung``, kept between its neighbours: a ladder stays in order."""
    below = rates_bps[rung - 1] if rung else 0.0
    above = rates_bps[rung + 1] if rung + 1 < len(rates_bps) else rate_bps
    return max(below, min(rate_bps, max(above, below)))
