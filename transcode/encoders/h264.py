"""H.264 by x264: options and levels.

Source: ITU-T H.264, annex A, table A-1 (levels); Apple's HLS authoring specification,
items 1.4 and 1.11.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from abr.errors import MediaError
from transcode.encoders.levels import Level
from transcode.encoders.rates import RateControl
from transcode.masters.colour import Light

REFERENCE_FRAMES = 3
B_FRAMES = 2
_BITS_AFTER_BORDER, _BITS_BEFORE_BORDER = 1.16, 1.11
_HIGH_CPB = 1250
"""Bits that High profile allows for each unit of the table's MaxBR (H.264, A.3.3)."""

# level: macroblocks a second, macroblocks a frame, macroblocks of reference frames, MaxBR
LEVELS: tuple[tuple[str, int, int, int, int], ...] = (
    ("1.0", 1_485, 99, 396, 64),
    ("1.1", 3_000, 396, 900, 192),
    ("1.2", 6_000, 396, 2_376, 384),
    ("1.3", 11_880, 396, 2_376, 768),
    ("2.0", 11_880, 396, 2_376, 2_000),
    ("2.1", 19_800, 792, 4_752, 4_000),
    ("2.2", 20_250, 1_620, 8_100, 4_000),
    ("3.0", 40_500, 1_620, 8_100, 10_000),
    ("3.1", 108_000, 3_600, 18_000, 14_000),
    ("3.2", 216_000, 5_120, 20_480, 20_000),
    ("4.0", 245_760, 8_192, 32_768, 20_000),
    ("4.1", 245_760, 8_192, 32_768, 50_000),
    ("4.2", 522_240, 8_704, 34_816, 50_000),
    ("5.0", 589_824, 22_080, 110_400, 135_000),
    ("5.1", 983_040, 36_864, 184_320, 240_000),
    ("5.2", 2_073_600, 36_864, 184_320, 240_000),
)


def level_for(width: int, height: int, rate: Fraction, peak_bps: int) -> Level:
    """The lowest H.264 level, for High profile, that a rung needs.

    Raises:
        MediaError: none is high enough.
    """
    wide, high = math.ceil(width / 16), math.ceil(height / 16)
    frame = wide * high
    # With a pyramid of B-frames, x264 keeps one picture more than its references.
    stored = frame * (REFERENCE_FRAMES + 1)
    for name, per_second, per_frame, references, max_br in LEVELS:
        if (
            frame <= per_frame
            and max(wide, high) ** 2 <= 8 * per_frame
            and frame * rate <= per_second
            and stored <= references
            and peak_bps <= max_br * _HIGH_CPB
        ):
            return Level(name)
    raise MediaError(
        f"{width}x{height} at {float(rate):.5g} frames per second: above H.264 level 5.2; "
        "give a smaller --ladder"
    )


def h264_options(
    *,
    preset: str,
    level: Level,
    rate_control: RateControl,
    gop_frames: int,
    pixels: str = "yuv420p",
    light: Light | None = None,
) -> dict[str, Any]:
    """Options of ffmpeg for one rung.

    Args:
        preset: x264's speed.
        level: See ``level_for``.
        rate_control: Bits to spend.
        gop_frames: Frames from one IDR picture to the next.
        pixels: 8 bits a sample, 4:2:0: what High profile holds.
        light: None: what 8 bits hold has no high dynamic range.
    """
    assert light is None, "a high dynamic range in 8 bits"
    return {
        "c:v": "libx264",
        "preset": preset,
        "profile:v": "high",
        "level:v": level.name,
        "pix_fmt": pixels,
        **rate_control.options(),
        "bf": B_FRAMES,
        "refs": REFERENCE_FRAMES,
        "g": gop_frames,
        "keyint_min": gop_frames,
        "sc_threshold": 0,
        "8x8dct": 1,  # keeps it in High profile under every preset
        "flags:v": "+cgop",
        # With more threads x264's rate control differs from run to run; the rungs are
        # encoded side by side, so a machine with as many cores as rungs loses nothing.
        "threads:v": 1,
        "tag:v": "avc1",
    }


def border_zones(frames: int, *, reach: int, begins: bool, ends: bool) -> str:
    """x264's zones for a chunk of a film at constant quality, so that its borders do not show.

    x264 begins a stream below the quality that it settles at, and spends less on its last
    frames, to which it sees nothing refer. In the middle of a film both are wrong. Factors are
    those at which the trailer's borders had the quality of a whole encode (docs/codecs.md).

    Args:
        frames: Of the chunk.
        reach: Frames that a border concerns, on either side.
        begins: The film begins with the chunk.
        ends: The film ends with it.
    """
    if frames < 2 * reach:
        return ""
    zones = [] if begins else [f"0,{reach - 1},b={_BITS_AFTER_BORDER}"]
    if not ends:
        zones.append(f"{frames - reach},{frames - 1},b={_BITS_BEFORE_BORDER}")
    return "/".join(zones)
