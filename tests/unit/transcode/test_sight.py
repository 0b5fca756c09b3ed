"""What a first frame says of the light that its master was graded in."""

from __future__ import annotations

from fractions import Fraction

from transcode.masters.colour import Light, colour_facts
from transcode.masters.sight import read_sight

FRAME = (
    "[Parsed_showinfo_0 @ 0x1] n:   0 pts:      0 pts_time:0       duration:    512 "
    "duration_time:0.04    fmt:yuv420p10le cl:left sar:1/1 s:192x108 i:P iskey:1 type:I\n"
    "[Parsed_showinfo_0 @ 0x1]   side data - {light}\n"
    "[Parsed_showinfo_0 @ 0x1] color_range:tv color_space:bt2020nc color_primaries:bt2020 "
    "color_trc:{curve}\n"
)
SCREEN = (
    "Mastering display metadata: has_primaries:1 has_luminance:1 r(0.6800,0.3200) "
    "g(0.2650,0.6900) b(0.1500 0.0600) wp(0.3127, 0.3290) min_luminance=0.005000, "
    "max_luminance=1000.000000"
)
CONTENT = "Content light level metadata: MaxCLL=900, MaxFALL=300"


def light(words: str, curve: str = "smpte2084", known: object = ()) -> Light | None:
    sight = read_sight(FRAME.format(light=words, curve=curve))
    assert sight is not None
    stream = sight.over({"width": 192, "height": 108, "side_data_list": list(known)})  # type: ignore[call-overload]  # any list
    return colour_facts(stream, "film.mp4", rate=Fraction(25)).light


def test_the_light_of_frames_counts_where_the_container_says_nothing() -> None:
    screen = (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329, 0.005, 1000.0)
    assert light(SCREEN) == Light(screen=screen)
    assert light(CONTENT) == Light(most_nits=900, mean_nits=300)
    stated = {"side_data_type": "Content light level metadata", "max_content": 500}
    assert light(CONTENT, known=[stated]) == Light(most_nits=500)


def test_light_that_cannot_be_or_is_of_a_standard_range_is_left_out() -> None:
    assert light(SCREEN, curve="bt709") is None
    assert light(SCREEN.replace("=1000.0", "=0.0")) is None  # brightest below darkest
    assert light(SCREEN.replace("0.6800", "1.6800")) is None
    assert light(CONTENT.replace("=300", "=3000")) is None  # a mean above the peak
