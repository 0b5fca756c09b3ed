"""Ladders and encode plans: never above the master, whole frames, aligned boundaries."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abr.errors import ConfigError, MediaError
from transcode.config import TranscodeConfig
from transcode.encoders.h264 import level_for
from transcode.ladders.codecs import typical_crf
from transcode.ladders.ladder import ladder_for
from transcode.ladders.presets import TEMPLATE
from transcode.masters.colour import BT709, Colour, ColourFacts
from transcode.masters.master import Master
from transcode.masters.rates import STANDARD_RATES
from transcode.masters.scan import Scan
from transcode.masters.streams import AudioFacts
from transcode.planning.plan import group_frames, plan_encode, thin_rate, timescale

DEFAULT = TranscodeConfig()


def master(width: int = 1280, height: int = 720, **changes: Any) -> Master:
    facts: dict[str, Any] = {
        "name": "film.mp4", "where": "film.mp4", "index": 0, "codec": "h264", "width": width,
        "height": height, "frame_rate": Fraction(24), "duration_s": 10.0, "frames": 240,
        "bit_rate_bps": 20e6,
    }  # fmt: skip
    return Master(**{**facts, **changes})


def rungs(width: int, height: int, **changes: Any) -> list[tuple[int, int, int]]:
    """Width, height and kbit/s of each rung."""
    ladder = ladder_for(master(width, height, **changes))
    return [(rung.width, rung.height, rung.bitrate_bps // 1000) for rung in ladder]


def test_a_full_hd_master_gets_the_table_up_to_its_size() -> None:
    assert rungs(1920, 1080) == [(w, h, bps // 1000) for w, h, bps in TEMPLATE if h <= 1080]


def test_a_master_above_the_table_stops_at_its_top() -> None:
    assert rungs(7680, 4320) == [(w, h, bps // 1000) for w, h, bps in TEMPLATE]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (
            (1280, 720),
            [(416, 234), (640, 360), (768, 432), (768, 432), (960, 540)] + 2 * [(1280, 720)],
        ),
        ((640, 272), [(478, 204), (640, 272), (640, 272), (640, 272)]),
        ((720, 405), [(416, 234), (640, 360), (720, 404), (720, 404)]),
        (
            (720, 1280),
            [(234, 416), (360, 640), (432, 768), (432, 768), (540, 960)] + 2 * [(720, 1280)],
        ),
        ((321, 181), [(320, 180), (320, 180)]),
        ((2, 2), [(2, 2), (2, 2)]),
        ((1000, 562), [(416, 234), (640, 360), (768, 432), (768, 432), (1000, 562)]),
        ((640, 128), [(640, 128), (640, 128)]),
        ((720, 576), [(348, 278), (536, 428), (644, 516), (644, 516), (720, 576)]),
        ((320, 1), [(320, 2), (320, 2)]),
    ],
)
def test_rungs_keep_the_masters_shape(
    size: tuple[int, int], expected: list[tuple[int, int]]
) -> None:
    """Even numbers within a pixel of the exact shape."""
    assert [rung[:2] for rung in rungs(*size)] == expected


@pytest.mark.parametrize("size", [(2560, 512), (1080, 1080), (1440, 1080), (2000, 1000)])
def test_a_size_of_the_table_stands_for_its_pixels(size: tuple[int, int]) -> None:
    """Bit rates go by area: very wide, square and 4:3 masters get what 16:9 gets."""
    by_rate = {bps // 1000: (w, h) for w, h, bps in TEMPLATE}
    for width, height, kbps in rungs(*size):
        pixels = min(by_rate[kbps][0] * by_rate[kbps][1], size[0] * size[1])
        assert width * height == pytest.approx(pixels, rel=0.12)
        assert width / height == pytest.approx(size[0] / size[1], rel=2 / height)


@pytest.mark.parametrize("size", [(1600, 900), (3000, 1700), (1920, 804), (3440, 1440)])
def test_high_definition_has_two_rungs_of_its_own_size(size: tuple[int, int]) -> None:
    """Apple's item 9.10, between two sizes of the table as well."""
    assert [rung[:2] for rung in rungs(*size)][-2:] == [size, size]


@given(st.integers(2, 4096), st.integers(2, 4096), st.floats(0, 5e7))
def test_no_rung_is_above_its_master(width: int, height: int, bit_rate_bps: float) -> None:
    """In neither direction; even, rising, at least two."""
    ladder = rungs(width, height, bit_rate_bps=bit_rate_bps)
    assert len(ladder) >= 2
    for rung_width, rung_height, kbps in ladder:
        assert rung_width <= max(2, width)
        assert rung_height <= max(2, height)
        assert rung_width % 2 == rung_height % 2 == 0
        assert kbps > 0
        # The shorter side is within a pixel of the master's shape.
        exact = min(width, height) * max(rung_width, rung_height) / max(width, height)
        assert abs(min(rung_width, rung_height) - exact) <= 1.5
    rates = [kbps for _, _, kbps in ladder]
    assert rates == sorted(set(rates))


def test_a_modest_master_gets_no_rung_of_many_times_its_rate() -> None:
    """1 Mbit/s of H.264 is worth 2 at most; high definition still has two rungs (item 9.10)."""
    ladder = rungs(1280, 720, bit_rate_bps=1e6)
    assert ladder[-2:] == [(1280, 720, 1200), (1280, 720, 2000)]
    assert [rung[:2] for rung in ladder[:-2]] == [(416, 234), (640, 360), (768, 432)]


def test_a_ladder_of_ones_own_is_taken() -> None:
    ladder = ladder_for(master(), wanted="234:200, 720:2500")
    assert [(rung.width, rung.height, rung.bitrate_bps) for rung in ladder] == [
        (416, 234, 200_000),
        (1280, 720, 2_500_000),
    ]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("720", "found '720'"),
        ("234:100,", "found ''"),
        ("1080:5000", "larger than film.mp4"),
        ("360:500,234:500", "must rise"),
        ("0:500", "found '0:500'"),
        (",".join(f"90:{kbps}" for kbps in range(100, 200)), "at most 32"),
    ],
)
def test_a_ladder_that_cannot_be_is_refused(wanted: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        ladder_for(master(), wanted=wanted)
    assert str(caught.value).startswith("ladder: ")


@pytest.mark.parametrize(
    ("rate", "segment_s", "expected"),
    [
        (Fraction(24), 4.0, (48, 96)),
        (Fraction(25), 4.0, (50, 100)),
        (Fraction(30000, 1001), 4.0, (60, 120)),  # 2.002 s
        (Fraction(24000, 1001), 6.0, (48, 144)),
        (Fraction(60), 2.0, (120, 120)),
        (Fraction(25), 5.0, (42, 126)),  # three groups of 1.68 s rather than two of 2.5 s
        (Fraction(25), 1.0, (25, 25)),
        (Fraction(1, 2), 4.0, (1, 2)),
        (Fraction(1, 10), 4.0, (1, 2)),
    ],
)
def test_groups_are_whole_frames(
    rate: Fraction, segment_s: float, expected: tuple[int, int]
) -> None:
    assert group_frames(rate, segment_s=segment_s, gop_s=2.0) == expected


@given(st.sampled_from(STANDARD_RATES), st.floats(0.5, 30))
def test_key_frames_come_every_two_seconds(rate: Fraction, segment_s: float) -> None:
    """To within half a frame (item 1.13), whatever the segment's length."""
    gop, segment = group_frames(rate, segment_s=segment_s, gop_s=2.0)
    assert segment % gop == 0
    assert gop / rate <= 2 + 1 / rate
    assert abs(float(segment / rate) - segment_s) <= segment / gop / rate


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (120, 60),
        (60, 60),
        (240, 60),
        (144, 48),
        (Fraction(120000, 1001), Fraction(60000, 1001)),
        (24, 24),
    ],
)
def test_fast_masters_are_thinned_by_a_whole_number(rate: Fraction, expected: Fraction) -> None:
    assert thin_rate(Fraction(rate), 60.0) == expected


@given(st.fractions(Fraction(1, 10), 60, max_denominator=1001))
def test_a_frame_lasts_a_whole_number_of_units(rate: Fraction) -> None:
    units = timescale(rate)
    assert (units / rate).denominator == 1
    assert units < 2**31


@pytest.mark.parametrize(
    ("width", "height", "rate", "level"),
    [
        (416, 234, 24, "1.3"),
        (640, 360, 30, "3.0"),
        (1280, 720, 30, "3.1"),
        (1280, 720, 60, "3.2"),
        (1920, 1080, 30, "4.0"),
        (1920, 1080, 60, "4.2"),
        (3840, 2160, 60, "5.2"),
    ],
)
def test_the_level_is_no_higher_than_needed(width: int, height: int, rate: int, level: str) -> None:
    """H.264, table A-1, with room for four stored pictures."""
    assert level_for(width, height, Fraction(rate), 700_000).name == level


def test_pictures_beyond_every_level_are_refused() -> None:
    with pytest.raises(MediaError, match=r"above H\.264 level 5\.2"):
        level_for(16384, 8192, Fraction(60), 10**7)


def test_a_plan_carries_everything_from_master_and_settings() -> None:
    sound = AudioFacts(index=1, channels=6, language="nl")
    bright = ColourFacts(colour=Colour(matrix="bt2020nc", primaries="bt2020", transfer="smpte2084"))
    facts = master(sounds=(sound,), scan=Scan("interlaced"), colour=bright, frames=252)
    plan = plan_encode(facts, DEFAULT)
    assert (plan.pictures.gop_frames, plan.pictures.segment_frames) == (48, 96)  # of 24 a second
    assert plan.pictures.scan == Scan("interlaced")
    assert plan.pictures.colour == bright
    assert {rung.colour for rung in plan.rungs} == {BT709}
    assert plan.duration_s == 10.5
    (audio,) = plan.audio
    assert (audio.sound, audio.channels, audio.name) == (sound, 2, "Nederlands")
    assert audio.duration_s == 10.5
    for rung, planned in zip(plan.rungs, ladder_for(facts), strict=True):
        assert rung.rate_control.crf == typical_crf(
            planned.bitrate_bps, planned.width, planned.height
        )
        assert rung.rate_control.peak_bps == 1.5 * planned.bitrate_bps


@pytest.mark.parametrize(
    ("size", "rate", "top"),
    [((7680, 4320), 60, (3840, 2160)), ((7680, 4320), 120, (2788, 1568))],
)
def test_no_rung_is_above_the_highest_level(
    size: tuple[int, int], rate: int, top: tuple[int, int]
) -> None:
    """It is made smaller, and the user is told: H.264 5.2 has 2,073,600 macroblocks a second.

    175 x 98 macroblocks at 120 a second are 2,058,000.
    """
    config = TranscodeConfig(max_frame_rate=120.0)
    plan = plan_encode(master(*size, frame_rate=Fraction(rate), frames=10 * rate), config)
    assert (plan.rungs[-1].width, plan.rungs[-1].height) == top
    assert plan.rungs[-1].level.name == "5.2"
    assert bool(plan.notes) == (rate == 120)
    if rate == 120:
        assert "3840x2160 at 120 frames per second is above every level" in str(plan.notes[0])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"segment_s": 0.1}, r"transcode\.segment_s: 0\.1; expected a value from 0\.5"),
        ({"peak_ratio": 3.0}, r"transcode\.peak_ratio"),
        ({"audio_kbps": 0}, r"transcode\.audio_kbps"),
        ({"background": "mauve"}, r"transcode\.background: found 'mauve'; .* #RRGGBB"),
        ({"rotate_every": 3}, r"transcode\.rotate_every: set without encrypt"),
        ({"seal_init": True}, r"transcode\.seal_init: set without encrypt"),
        ({"container": "ts", "codec": "h264,hevc"}, r"ts with codec = 'h264,hevc'; expected codec"),
        (
            {"container": "ts", "codec": "av1"},
            r"expected codec = 'h264', or container = 'fmp4'",
        ),
        ({"container": "ts", "audio_codec": "opus"}, r"'opus'; expected audio_codec = 'aac'"),
        ({"container": "ts", "encrypt": "cbcs"}, r"'cbcs'; expected encrypt = 'aes-128' or 'none'"),
        ({"container": "ts", "encrypt": "cenc"}, r"'cenc'; expected encrypt = 'aes-128' or 'none'"),
        ({"container": "ts", "encrypt": "aes-128", "seal_init": True}, r"ts with seal_init; exp"),
        ({"container": "ts", "thumbnails": True}, r"ts with thumbnails; expected none, because"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        TranscodeConfig(**changes).check()


def test_each_sound_has_the_renditions_that_are_asked_for() -> None:
    """Every group offers every sound: what has no 5.1 is in that group in stereo."""
    wide = AudioFacts(index=1, channels=8, language="de", layout="7.1")
    stereo = AudioFacts(index=2, channels=2, language="en")
    facts = master(sounds=(wide, stereo))
    config = replace(DEFAULT, surround=True, audio_codec="opus")
    made = [
        (a.name, a.codec, a.channels, a.bitrate_bps, a.groups)
        for a in plan_encode(facts, config).audio
    ]
    assert made == [
        ("Deutsch", "aac", 2, 128_000, ()),
        ("Deutsch", "aac", 6, 384_000, ("surround",)),
        ("Deutsch", "opus", 2, 128_000, ("opus",)),
        ("English", "aac", 2, 128_000, ("audio", "surround")),
        ("English", "opus", 2, 128_000, ("opus",)),
    ]
    assert [a.groups for a in plan_encode(facts, DEFAULT).audio] == [(), ()]


def test_surround_is_taken_from_the_stream_that_has_it() -> None:
    wide = AudioFacts(index=4, channels=6, language="de", layout="5.1")
    stereo = AudioFacts(index=2, channels=2, language="de", wide=wide)
    made = plan_encode(master(sounds=(stereo,)), replace(DEFAULT, surround=True)).audio
    assert [(a.sound.index, a.channels) for a in made] == [(2, 2), (4, 6)]
    assert made[0].groups == ()


def test_surround_that_no_sound_has_changes_nothing() -> None:
    sounds = (AudioFacts(index=2, channels=2),)
    made = plan_encode(master(sounds=sounds), replace(DEFAULT, surround=True)).audio
    assert [a.groups for a in made] == [()]


def test_a_rate_that_is_stated_is_the_cap_of_a_better_quality() -> None:
    """Kept over two seconds; encoders that keep a mean look for it anew in every chunk."""
    rungs = plan_encode(master(), TranscodeConfig(ladder="234:200,720:2500")).rungs
    controls = [rung.rate_control for rung in rungs]
    assert [control.peak_bps for control in controls] == [200_000, 2_500_000]
    assert [control.buffer_bits for control in controls] == [400_000, 5_000_000]
    assert [control.crf for control in controls] == [
        typical_crf(200_000, 416, 234) - 4, typical_crf(2_500_000, 1280, 720) - 4,
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["", "apple", "small"])
def test_a_rate_of_a_table_is_that_of_typical_films(name: str) -> None:
    for rung in plan_encode(master(), TranscodeConfig(ladder=name)).rungs:
        control = rung.rate_control
        assert control.crf is not None
        assert control.peak_bps == 1.5 * control.buffer_bits


def test_a_high_dynamic_range_is_kept_where_the_codec_has_ten_bits() -> None:
    """Tone-mapped to 8 bits for H.264, as it is in Main 10 and in AV1."""
    pq = Colour(matrix="bt2020nc", primaries="bt2020", transfer="smpte2084")
    facts = master(colour=ColourFacts(colour=pq, pixels="yuv420p10le"))
    plan = plan_encode(facts, TranscodeConfig(codec="h264,hevc,av1", ladder="234:200"))
    assert [(rung.codec, rung.colour, rung.pixels) for rung in plan.rungs] == [
        ("h264", BT709, "yuv420p"), ("hevc", pq, "yuv420p10le"), ("av1", pq, "yuv420p10le"),
    ]  # fmt: skip
    mapped = plan_encode(facts, TranscodeConfig(codec="hevc", ladder="234:200", tone_map=True))
    assert [(rung.colour, rung.pixels) for rung in mapped.rungs] == [(BT709, "yuv420p10le")]


@pytest.mark.parametrize(
    ("pixels", "is_deep"),
    [
        ("yuv420p", False), ("yuv420p10le", True), ("p010le", True), ("yuv422p12be", True),
        ("rgb24", False), ("rgb48le", True), ("x2rgb10le", True), ("nv12", False),
        ("gray16le", True), ("yuvj420p", False), ("gbrp", False), ("bgra", False),
    ],
)  # fmt: skip
def test_ten_bits_stay_ten_bits_where_the_codec_has_them(pixels: str, is_deep: bool) -> None:
    facts = master(colour=ColourFacts(colour=BT709, pixels=pixels))
    plan = plan_encode(facts, TranscodeConfig(codec="hevc,h264", ladder="234:200"))
    assert [rung.pixels for rung in plan.rungs] == [
        "yuv420p10le" if is_deep else "yuv420p", "yuv420p",
    ]  # fmt: skip
