"""Levels of HEVC and AV1, and what their encoders are asked for."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from abr.errors import MediaError
from transcode.encoders import av1, hevc
from transcode.encoders.h264 import border_zones
from transcode.encoders.levels import Level
from transcode.encoders.rates import RateControl
from transcode.masters.colour import Light

CAPPED = RateControl(crf=26.5, peak_bps=1_500_000, buffer_bits=1_000_000)


@pytest.mark.parametrize(
    ("size", "rate", "peak_bps", "level"),
    [
        # H.265, tables A.8 and A.9
        ((416, 234), 30, 200_000, ("2.0", "main")),  # 416x240 are 99,840 of 122,880 samples
        ((640, 360), 30, 1_000_000, ("2.1", "main")),
        ((640, 360), 30, 4_000_000, ("3.0", "main")),  # 2.1 ends at 3 Mbit/s
        ((1280, 720), 30, 5_000_000, ("3.1", "main")),
        ((1280, 720), 60, 5_000_000, ("4.0", "main")),
        ((1920, 1080), 30, 11_700_000, ("4.0", "main")),
        ((1920, 1080), 30, 13_000_000, ("4.0", "high")),  # 4 has a high tier
        ((1920, 1080), 60, 11_700_000, ("4.1", "main")),
        ((3840, 2160), 60, 25_000_000, ("5.1", "main")),
        ((8, 480), 1, 1000, ("1.0", "main")),  # 480 * 480 <= 8 * 36,864
        ((8, 600), 1, 1000, ("2.0", "main")),  # 600 is longer than that
    ],
)
def test_the_lowest_hevc_level_that_fits(
    size: tuple[int, int], rate: int, peak_bps: int, level: tuple[str, str]
) -> None:
    assert hevc.level_for(*size, Fraction(rate), peak_bps) == level


@pytest.mark.parametrize(
    ("size", "rate", "peak_bps", "level"),
    [
        # AV1, annex A.3
        ((416, 234), 30, 200_000, ("2.0", "main")),
        ((640, 360), 30, 1_000_000, ("2.1", "main")),
        ((1280, 720), 30, 5_000_000, ("3.1", "main")),
        ((1920, 1080), 30, 11_700_000, ("4.0", "main")),
        ((1920, 1080), 30, 13_000_000, ("4.0", "high")),
        ((1080, 1920), 30, 5_000_000, ("4.0", "main")),
        ((1920, 1080), 60, 11_700_000, ("4.1", "main")),
        ((3840, 2160), 120, 25_000_000, ("5.2", "main")),
    ],
)
def test_the_lowest_av1_level_that_fits(
    size: tuple[int, int], rate: int, peak_bps: int, level: tuple[str, str]
) -> None:
    assert av1.level_for(*size, Fraction(rate), peak_bps) == level


@pytest.mark.parametrize("codec", [hevc, av1])
def test_what_no_level_allows_is_refused(codec: Any) -> None:
    with pytest.raises(MediaError, match=r"20000x20000 at 30 .*smaller --ladder"):
        codec.level_for(20000, 20000, Fraction(30), 1_000_000)


def test_hevc_is_asked_for_closed_groups_one_thread_and_its_level() -> None:
    options = hevc.hevc_options(
        preset="fast", level=Level("4.0", "high"), rate_control=CAPPED, gop_frames=48
    )
    given = dict(each.split("=") for each in options["x265-params"].split(":"))
    assert given["open-gop"] == "0"
    assert (given["keyint"], given["min-keyint"], given["scenecut"]) == ("48", "48", "0")
    assert (given["pools"], given["frame-threads"]) == ("none", "1")
    assert (given["level-idc"], given["high-tier"]) == ("4.0", "1")
    assert (options["crf"], options["maxrate:v"]) == ("26.5", 1_500_000)
    assert (options["tag:v"], options["profile:v"], options["pix_fmt"]) == (
        "hvc1", "main", "yuv420p",
    )  # fmt: skip


def test_ten_bits_are_main_10() -> None:
    options = hevc.hevc_options(
        preset="fast",
        level=Level("4.0"),
        rate_control=CAPPED,
        gop_frames=48,
        pixels="yuv420p10le",
    )
    assert (options["profile:v"], options["pix_fmt"]) == ("main10", "yuv420p10le")


def test_every_preset_of_the_configuration_has_a_speed_of_svt_av1() -> None:
    from typing import get_args

    from transcode.config import Preset

    assert list(av1.SPEEDS) == list(get_args(Preset))
    assert list(av1.SPEEDS.values()) == sorted(av1.SPEEDS.values(), reverse=True)


def test_av1_is_asked_for_key_frames_one_thread_and_its_level() -> None:
    options = av1.av1_options(
        preset="veryfast", level=Level("4.1", "high"), rate_control=CAPPED, gop_frames=50,
        pixels="yuv420p10le",
    )  # fmt: skip
    given = dict(each.split("=") for each in options["svtav1-params"].split(":"))
    assert (given["lp"], given["irefresh-type"], given["level"], given["tier"]) == (
        "1", "2", "41", "1",
    )  # fmt: skip
    assert (options["g"], options["pix_fmt"], options["tag:v"]) == (50, "yuv420p10le", "av01")


P3_AT_1000 = Light(
    screen=(0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329, 0.005, 1000.0),
    most_nits=900,
    mean_nits=300,
)


def test_the_light_of_a_high_dynamic_range_is_stated_in_each_encoders_units() -> None:
    """H.265, D.3.28: 0.68 is 34,000 units of 0.00002; 1000 cd/m² are 10,000,000 of 0.0001."""
    given: dict[str, Any] = {
        "preset": "fast",
        "level": Level("4.0"),
        "rate_control": CAPPED,
        "gop_frames": 48,
    }
    deep = {**given, "pixels": "yuv420p10le", "light": P3_AT_1000}
    x265 = hevc.hevc_options(**deep)["x265-params"]
    assert x265.endswith(
        ":hdr10=1:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)"
        "L(10000000,50):max-cll=900,300"
    )
    svt = av1.av1_options(**deep)["svtav1-params"]
    assert (
        "mastering-display=G(0.265,0.69)B(0.15,0.06)R(0.68,0.32)WP(0.3127,0.329)L(1000,0.005)"
        in svt.split(":")
    )
    assert "content-light=900,300" in svt.split(":")
    partly = Light(most_nits=900, mean_nits=300)
    assert "display" not in hevc.hevc_options(**{**deep, "light": partly})["x265-params"]


@pytest.mark.parametrize(
    ("frames", "begins", "ends", "zones"),
    [
        (192, True, True, ""),
        (192, True, False, "180,191,b=1.11"),
        (192, False, True, "0,11,b=1.16"),
        (192, False, False, "0,11,b=1.16/180,191,b=1.11"),
        (23, False, False, ""),  # too short for both
    ],
)
def test_borders_of_chunks_get_more_bits_but_not_the_ends_of_the_film(
    frames: int, begins: bool, ends: bool, zones: str
) -> None:
    assert border_zones(frames, reach=12, begins=begins, ends=ends) == zones
