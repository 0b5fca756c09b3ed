"""AV1 by SVT-AV1: options and levels.

Source: AV1 Bitstream & Decoding Process Specification, annex A.3 (levels); SVT-AV1's
documentation of its parameters.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from abr.errors import MediaError
from transcode.encoders.levels import Level, Limits, lowest
from transcode.encoders.rates import RateControl
from transcode.masters.colour import Light

SPEEDS = {
    "ultrafast": 11,
    "superfast": 10,
    "veryfast": 9,
    "faster": 8,
    "fast": 7,
    "medium": 6,
    "slow": 4,
}
"""SVT-AV1's preset for each of x264's names; ``tests/perf/codec_gain.py`` measures the cost."""

# level: samples a picture, longest width and height, samples displayed a second, Mbit/s of tiers
_TABLE: tuple[tuple[str, int, int, int, int, float, float | None], ...] = (
    ("2.0", 147_456, 2_048, 1_152, 4_423_680, 1.5, None),
    ("2.1", 278_784, 2_816, 1_584, 8_363_520, 3.0, None),
    ("3.0", 665_856, 4_352, 2_448, 19_975_680, 6.0, None),
    ("3.1", 1_065_024, 5_504, 3_096, 31_950_720, 10.0, None),
    ("4.0", 2_359_296, 6_144, 3_456, 70_778_880, 12.0, 30.0),
    ("4.1", 2_359_296, 6_144, 3_456, 141_557_760, 20.0, 50.0),
    ("5.0", 8_912_896, 8_192, 4_352, 267_386_880, 30.0, 100.0),
    ("5.1", 8_912_896, 8_192, 4_352, 534_773_760, 40.0, 160.0),
    ("5.2", 8_912_896, 8_192, 4_352, 1_069_547_520, 60.0, 240.0),
    ("6.0", 35_651_584, 16_384, 8_704, 1_069_547_520, 60.0, 240.0),
    ("6.1", 35_651_584, 16_384, 8_704, 2_139_095_040, 100.0, 480.0),
    ("6.2", 35_651_584, 16_384, 8_704, 4_278_190_080, 160.0, 800.0),
)
LEVELS = tuple(
    Limits(
        name=name,
        picture=picture,
        longest_width=width,
        longest_height=height,
        per_second=per_second,
        main_bps=1e6 * main,
        high_bps=None if high is None else 1e6 * high,
    )
    for name, picture, width, height, per_second, main, high in _TABLE
)


def level_for(width: int, height: int, rate: Fraction, peak_bps: int) -> Level:
    """The lowest AV1 level and tier, for the Main profile, that a rung needs.

    Raises:
        MediaError: none is high enough.
    """
    level = lowest(LEVELS, width=width, height=height, rate=rate, peak_bps=peak_bps)
    if level is None:
        raise MediaError(
            f"{width}x{height} at {float(rate):.5g} frames per second: above AV1 level 6.2; "
            "give a smaller --ladder"
        )
    return level


def av1_options(
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
        preset: A name of x264's; see ``SPEEDS``.
        level: See ``level_for``.
        rate_control: Bits to spend.
        gop_frames: Frames from one key frame to the next.
        pixels: ``yuv420p``, or ``yuv420p10le`` for 10 bits a sample.
        light: What the stream says of a high dynamic range.
    """
    given = {
        "lp": 1,  # one thread for each rung, as the other encoders
        "irefresh-type": 2,  # key frames and closed groups, never forward key frames
        "scd": 0,
        "level": level.name.replace(".", ""),
        "tier": int(level.tier == "high"),
        **(_light(light) if light else {}),
    }
    return {
        "c:v": "libsvtav1",
        "preset": SPEEDS[preset],
        "pix_fmt": pixels,
        **rate_control.options(),
        "g": gop_frames,
        "svtav1-params": ":".join(f"{name}={value}" for name, value in given.items()),
        "tag:v": "av01",
    }


def _light(light: Light) -> dict[str, str]:
    given = {}
    if light.screen is not None:
        red, green, blue, white = (
            "({:g},{:g})".format(*light.screen[at : at + 2]) for at in (0, 2, 4, 6)
        )
        least, most = light.screen[8:]
        given["mastering-display"] = f"G{green}B{blue}R{red}WP{white}L({most:g},{least:g})"
    if light.most_nits:
        given["content-light"] = f"{light.most_nits},{light.mean_nits}"
    return given
