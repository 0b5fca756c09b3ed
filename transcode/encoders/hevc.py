"""HEVC by x265: options and levels.

Source: ITU-T H.265, annex A, tables A.8 (sizes and rates of pictures) and A.9 (bit rates);
x265's documentation of its command line; Apple's HLS authoring specification, item 1.10.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from abr.errors import MediaError
from transcode.encoders.levels import Level, Limits, lowest
from transcode.encoders.rates import RateControl
from transcode.masters.colour import Light

REFERENCE_FRAMES = 3
B_FRAMES = 3
_MIN_CODING_BLOCK = 8

# level: luma samples a picture and a second, MaxBR of the main and the high tier in kbit/s
_TABLE = (
    ("1.0", 36_864, 552_960, 128, None),
    ("2.0", 122_880, 3_686_400, 1_500, None),
    ("2.1", 245_760, 7_372_800, 3_000, None),
    ("3.0", 552_960, 16_588_800, 6_000, None),
    ("3.1", 983_040, 33_177_600, 10_000, None),
    ("4.0", 2_228_224, 66_846_720, 12_000, 30_000),
    ("4.1", 2_228_224, 133_693_440, 20_000, 50_000),
    ("5.0", 8_912_896, 267_386_880, 25_000, 100_000),
    ("5.1", 8_912_896, 534_773_760, 40_000, 160_000),
    ("5.2", 8_912_896, 1_069_547_520, 60_000, 240_000),
    ("6.0", 35_651_584, 1_069_547_520, 60_000, 240_000),
    ("6.1", 35_651_584, 2_139_095_040, 120_000, 480_000),
    ("6.2", 35_651_584, 4_278_190_080, 240_000, 800_000),
)
LEVELS = tuple(
    Limits(
        name=name,
        picture=picture,
        longest_width=math.isqrt(8 * picture),  # A.4.1, b and c
        longest_height=math.isqrt(8 * picture),
        per_second=per_second,
        main_bps=1000 * main,
        high_bps=None if high is None else 1000 * high,
    )
    for name, picture, per_second, main, high in _TABLE
)


def level_for(width: int, height: int, rate: Fraction, peak_bps: int) -> Level:
    """The lowest HEVC level and tier, for Main and Main 10, that a rung needs.

    Raises:
        MediaError: none is high enough.
    """
    coded = [math.ceil(side / _MIN_CODING_BLOCK) * _MIN_CODING_BLOCK for side in (width, height)]
    level = lowest(LEVELS, width=coded[0], height=coded[1], rate=rate, peak_bps=peak_bps)
    if level is None:
        raise MediaError(
            f"{width}x{height} at {float(rate):.5g} frames per second: above HEVC level 6.2; "
            "give a smaller --ladder"
        )
    return level


def hevc_options(
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
        preset: x265's speed.
        level: See ``level_for``.
        rate_control: Bits to spend.
        gop_frames: Frames from one IDR picture to the next.
        pixels: ``yuv420p``, or ``yuv420p10le`` for Main 10.
        light: What the stream says of a high dynamic range.
    """
    given = {
        # Without open-gop=0 key frames are CRA with RASL pictures, which vanish without a
        # word where decoding starts at the segment.
        "open-gop": 0,
        "keyint": gop_frames,
        "min-keyint": gop_frames,
        "scenecut": 0,
        # One thread for each rung: the same bytes everywhere, and rungs are encoded side
        # by side.
        "pools": "none",
        "frame-threads": 1,
        "wpp": 0,
        "level-idc": level.name,
        "high-tier": int(level.tier == "high"),
        "ref": REFERENCE_FRAMES,
        "bframes": B_FRAMES,
        "info": 0,
        "log-level": "error",
        **(_light(light) if light else {}),
    }
    return {
        "c:v": "libx265",
        "preset": preset,
        "profile:v": "main10" if "10" in pixels else "main",
        "pix_fmt": pixels,
        **rate_control.options(),
        "g": gop_frames,
        "flags:v": "+cgop",
        "x265-params": ":".join(f"{name}={value}" for name, value in given.items()),
        "tag:v": "hvc1",
    }


def _light(light: Light) -> dict[str, Any]:
    """H.265, D.3.28 and D.3.35: units of 0.00002 for chromaticities, of 0.0001 cd/m² for light."""
    given: dict[str, Any] = {"hdr10": 1}
    if light.screen is not None:
        red, green, blue, white = (
            "({},{})".format(*(round(50_000 * each) for each in light.screen[at : at + 2]))
            for at in (0, 2, 4, 6)
        )
        least, most = (round(10_000 * each) for each in light.screen[8:])
        given["master-display"] = f"G{green}B{blue}R{red}WP{white}L({most},{least})"
    if light.most_nits:
        given["max-cll"] = f"{light.most_nits},{light.mean_nits}"
    return given
