"""Bit rates of rungs where a playlist states none that can be true.

What is stated is taken within wide bounds. A rung without is taken for what its picture size would
need beside the others, until what was fetched of it tells better
(``player.playback.learning``).
"""

from __future__ import annotations

from collections.abc import Mapping

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
