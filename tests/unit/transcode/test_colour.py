"""What tags mean, what is assumed without them, and what comes out."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from abr.errors import ConfigError, MediaError
from transcode.graphs.colour import convert, fill_tags
from transcode.masters.colour import (
    BT709,
    Colour,
    ColourFacts,
    colour_facts,
    output_colour,
)

HDR10 = Colour(matrix="bt2020nc", primaries="bt2020", transfer="smpte2084")
MASTERED = {"side_data_type": "Mastering display metadata", "max_luminance": "40000000/10000"}
LIGHT = {"side_data_type": "Content light level metadata", "max_content": 600}


def facts(rate: int = 30, **video: Any) -> ColourFacts:
    tags = {
        name: video.pop(short)
        for short, name in (
            ("matrix", "color_space"),
            ("primaries", "color_primaries"),
            ("transfer", "color_transfer"),
            ("range", "color_range"),
        )
        if short in video
    }
    stream = {"width": 1280, "height": 720, "pix_fmt": "yuv420p", "codec_name": "h264"}
    return colour_facts(stream | tags | video, "in/film.mp4", rate=Fraction(rate))


def short(colour: Colour) -> str:
    extent = " full" if colour.full_range else ""
    return f"{colour.matrix} {colour.primaries} {colour.transfer}{extent}"


@pytest.mark.parametrize(
    ("video", "expected"),
    [
        ({}, "bt709 bt709 bt709"),
        ({"width": 1024, "height": 577}, "bt709 bt709 bt709"),
        ({"width": 1026, "height": 400}, "bt709 bt709 bt709"),
        ({"width": 1024, "height": 576, "rate": 24}, "bt470bg bt470bg smpte170m"),
        ({"width": 720, "height": 480}, "smpte170m smpte170m smpte170m"),
        ({"width": 640, "height": 360, "rate": 25}, "bt470bg bt470bg smpte170m"),
        ({"width": 360, "height": 640}, "smpte170m smpte170m smpte170m"),  # upright
        ({"matrix": "unknown", "transfer": "reserved"}, "bt709 bt709 bt709"),
        ({"matrix": "gbr"}, "bt709 bt709 bt709"),  # contradicted by the pixel format
        ({"matrix": "smpte170m"}, "smpte170m smpte170m smpte170m"),
        ({"primaries": "bt470bg"}, "bt470bg bt470bg smpte170m"),
        ({"primaries": "bt2020"}, "bt2020nc bt2020 bt2020-10"),
        ({"primaries": "smpte432"}, "bt709 smpte432 bt709"),
        ({"transfer": "smpte2084"}, "bt2020nc bt2020 smpte2084"),
        ({"transfer": "arib-std-b67", "width": 640, "height": 360}, "bt2020nc bt2020 arib-std-b67"),
        ({"matrix": "bt2020nc", "side_data_list": [MASTERED]}, "bt2020nc bt2020 smpte2084"),
        ({"pix_fmt": "yuvj420p"}, "bt709 bt709 bt709 full"),
        ({"range": "pc", "matrix": "smpte170m"}, "smpte170m bt709 bt709 full"),
        ({"codec_name": "mjpeg", "pix_fmt": "yuvj422p"}, "bt470bg bt709 bt709 full"),
        ({"pix_fmt": "gbrp", "matrix": "gbr"}, "gbr bt709 bt709 full"),
        ({"pix_fmt": "bgra", "transfer": "iec61966-2-1"}, "gbr bt709 iec61966-2-1 full"),
        ({"pix_fmt": "pal8"}, "gbr bt709 bt709 full"),
        ({"pix_fmt": "xyz12le", "transfer": "smpte428"}, "gbr bt709 bt709 full"),
        ({"pix_fmt": "gray", "range": "tv"}, "bt709 bt709 bt709"),
    ],
)
def test_what_tags_leave_open_is_decided_by_rule(video: dict[str, Any], expected: str) -> None:
    assert short(facts(**video).colour) == expected


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        ("bt709 bt709 bt709", "bt709 bt709 bt709"),
        ("bt709 bt709 bt2020-10", "bt709 bt709 bt709"),  # the same function by another name
        ("bt709 bt709 iec61966-2-1", "bt709 bt709 iec61966-2-1"),
        ("smpte170m smpte170m smpte170m", "smpte170m smpte170m smpte170m"),
        ("bt470bg bt470bg bt709", "bt470bg bt470bg bt709"),
        ("bt470bg bt470bg bt470bg", "bt470bg bt470bg bt470bg"),
        ("smpte170m bt709 smpte170m", "bt709 bt709 bt709"),
        ("bt709 smpte170m bt709", "bt709 bt709 bt709"),
        ("gbr bt709 bt709", "bt709 bt709 bt709"),
        ("bt2020nc bt2020 bt2020-10", "bt709 bt709 bt709"),
        ("bt709 smpte432 iec61966-2-1", "bt709 bt709 iec61966-2-1"),
        ("smpte240m smpte240m smpte240m", "bt709 bt709 bt709"),
        ("bt709 bt709 linear", "bt709 bt709 bt709"),
        ("bt2020nc bt2020 smpte2084", "bt709 bt709 bt709"),
        ("bt2020nc bt2020 arib-std-b67", "bt709 bt709 bt709"),
    ],
)
def test_all_rungs_have_one_space_of_limited_range(colour: str, expected: str) -> None:
    """The master's own where players know it, else BT.709."""
    matrix, primaries, transfer = colour.split()
    found = output_colour(
        Colour(matrix=matrix, primaries=primaries, transfer=transfer, full_range=True)
    )
    assert short(found) == expected


def test_nothing_is_converted_that_is_right_already() -> None:
    for video in ({}, {"width": 640, "height": 360}, {"matrix": "smpte170m"}):
        found = facts(**video)
        assert convert(found, output_colour(found.colour)) == []


def test_only_silent_tags_are_filled_in() -> None:
    """What frames say may change in mid-file; they are believed."""
    found = facts(matrix="smpte170m", range="tv")
    ((name, options),) = fill_tags(found)
    assert name == "setparams"
    assert options == {"color_primaries": "smpte170m", "color_trc": "smpte170m"}
    tagged = facts(matrix="bt709", primaries="bt709", transfer="bt709", range="tv")
    assert fill_tags(tagged) == []


def test_a_high_dynamic_range_is_kept_where_it_is_wanted() -> None:
    found = facts(transfer="smpte2084", pix_fmt="yuv420p10le")
    kept = output_colour(found.colour, "PQ")
    assert kept == HDR10
    assert convert(found, kept) == []
    names = [name for name, _ in convert(found, BT709)]
    assert "tonemap" in names


def test_a_range_that_the_master_lacks_cannot_be_asked_for() -> None:
    with pytest.raises(ConfigError, match="output range PQ: the master is SDR"):
        output_colour(BT709, "PQ")
    with pytest.raises(ConfigError, match="choose SDR or PQ"):
        output_colour(HDR10, "HLG")


@pytest.mark.parametrize(
    ("side_data", "nits"), [([], 1000), ([MASTERED], 4000), ([MASTERED, LIGHT], 600)]
)
def test_the_brightest_pixel_decides_how_light_is_rolled_off(
    side_data: list[dict[str, Any]], nits: float
) -> None:
    """Else the screen it was mastered on, else 1000 cd/m²."""
    assert facts(transfer="smpte2084", side_data_list=side_data).peak_nits == nits


def dolby(profile: int, compatible: int) -> dict[str, Any]:
    return {
        "side_data_type": "DOVI configuration record",
        "dv_profile": profile,
        "dv_bl_signal_compatibility_id": compatible,
    }


@pytest.mark.parametrize(("profile", "compatible"), [(5, 0), (10, 0)])
def test_dolby_vision_without_a_base_layer_is_refused(profile: int, compatible: int) -> None:
    with pytest.raises(MediaError, match=rf"Dolby Vision profile {profile}: .* export it as"):
        facts(side_data_list=[dolby(profile, compatible)])
    with pytest.raises(MediaError, match="Dolby Vision profile 5"):
        facts(matrix="ipt-c2")


@pytest.mark.parametrize(("profile", "compatible"), [(7, 6), (8, 1), (8, 4), (9, 2), (4, 2)])
def test_the_base_layer_of_dolby_vision_is_used_and_said_so(profile: int, compatible: int) -> None:
    found = facts(transfer="smpte2084", side_data_list=[dolby(profile, compatible)])
    assert found.note is not None
    assert f"profile {profile}: its base layer is used" in found.note


@pytest.mark.parametrize(
    ("video", "words"),
    [
        ({"matrix": "ictcp"}, "colour matrix ictcp cannot be converted; .* convert the file"),
        ({"matrix": "bt2020c"}, "not constant luminance"),
        ({"transfer": "log316"}, "transfer function log316 is one for grading"),
        ({"primaries": "vgamut"}, "colour primaries vgamut cannot be converted"),
    ],
)
def test_colours_that_nothing_converts_are_refused_by_name(
    video: dict[str, Any], words: str
) -> None:
    with pytest.raises(MediaError, match=rf"in/film\.mp4: .*{words}"):
        facts(**video)


@pytest.mark.parametrize(
    ("video", "has_alpha", "decoder"),
    [
        ({}, False, None),
        ({"pix_fmt": "yuva420p"}, True, None),
        ({"pix_fmt": "argb"}, True, None),
        ({"pix_fmt": "gbrap12le"}, True, None),
        ({"pix_fmt": "ya16le"}, True, None),
        ({"pix_fmt": "rgb0"}, False, None),
        ({"codec_name": "vp9", "tags": {"alpha_mode": "1"}}, True, "libvpx-vp9"),
        ({"codec_name": "vp8", "tags": {"ALPHA_MODE": "1"}}, True, "libvpx"),
    ],
)
def test_alpha_is_seen(video: dict[str, Any], has_alpha: bool, decoder: str | None) -> None:
    """Also where only a tag of the container tells."""
    found = facts(**video)
    assert (found.has_alpha, found.decoder) == (has_alpha, decoder)
