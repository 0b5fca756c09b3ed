"""Ladders in several codecs, and the constant quality that stands for a bit rate."""

from __future__ import annotations

from dataclasses import replace

import pytest

from abr.errors import ConfigError
from transcode.config import TranscodeConfig
from transcode.encoders.video import VIDEO_ENCODERS, decoders_for, h264_bits
from transcode.ladders.codecs import (
    at_constant_quality,
    at_stated_rate,
    in_codecs,
    typical_crf,
)
from transcode.ladders.rungs import PlannedRung

LOW, HIGH = PlannedRung(416, 234, 300_000), PlannedRung(1280, 720, 3_000_000, cap_bps=4_000_000)


def test_the_typical_quality_is_that_of_the_measured_masters() -> None:
    """300 kbit/s of 416x234 are CRF 23; half of them are 5.5 more, and area counts as 0.75."""
    assert typical_crf(300_000, 416, 234) == 23.0
    assert typical_crf(150_000, 416, 234) == 28.5
    # four times the area: 2**1.5 = 2.83 times the bits
    assert typical_crf(848_500, 832, 468) == 23.0
    assert (typical_crf(1, 416, 234), typical_crf(1e12, 416, 234)) == (40.0, 10.0)


def test_each_codec_has_the_whole_ladder_at_its_share() -> None:
    rungs = in_codecs([LOW, HIGH], ["h264", "hevc"], preset="fast")
    share = VIDEO_ENCODERS["hevc"].share
    assert rungs[:2] == (LOW, HIGH)
    assert rungs[2:] == (
        PlannedRung(416, 234, round(300_000 * share), codec="hevc"),
        PlannedRung(
            1280, 720, round(3_000_000 * share), cap_bps=round(4_000_000 * share), codec="hevc"
        ),
    )


def test_rates_that_are_stated_for_a_codec_are_its_own() -> None:
    """``--ladder 234:300 --codec hevc`` asks for 300 kbit/s of HEVC."""
    assert in_codecs([LOW], ["hevc"], preset="fast", rates_of="hevc")[0].bitrate_bps == 300_000
    more = in_codecs([LOW], ["hevc", "h264"], preset="fast", rates_of="hevc")[1].bitrate_bps
    assert more == round(300_000 / VIDEO_ENCODERS["hevc"].share)


def test_qualities_are_translated() -> None:
    (rung,) = at_constant_quality([LOW])
    assert rung.crf == 23.0
    (other,) = in_codecs([rung], ["av1"], preset="fast")
    assert other.crf == VIDEO_ENCODERS["av1"].crf_as(23.0, preset="fast")


def test_qualities_stay_on_the_scale_of_their_encoder() -> None:
    """SVT-AV1 takes whole numbers to 63, x265 goes to 51."""
    for name, most in (("av1", 63.0), ("hevc", 51.0)):
        encoder = VIDEO_ENCODERS[name]
        assert encoder.crf_as(50.0, preset="fast") == most
        found = [encoder.crf_as(crf / 2, preset="veryfast") for crf in range(20, 80)]
        assert found == sorted(found)
    assert VIDEO_ENCODERS["av1"].crf_as(23.5, preset="slow").is_integer()


def test_a_quality_on_the_scale_of_x264_is_used_as_it_is() -> None:
    """To the quarter that trials choose by, and to what a ladder file says."""
    for crf in (29.75, 33.25, 22.8, 19.0):
        (rung,) = in_codecs([replace(LOW, crf=crf)], ["h264"], preset="fast")
        assert rung.crf == pytest.approx(crf, abs=1e-9)


def test_a_stated_rate_gets_the_quality_of_its_own_codec() -> None:
    share = VIDEO_ENCODERS["hevc"].share
    (rung,) = in_codecs([LOW], ["hevc"], preset="fast")
    stated = at_stated_rate(rung, preset="fast")
    assert stated.crf == VIDEO_ENCODERS["hevc"].crf_as(23.0 - 4.0, preset="fast")
    assert stated.cap_bps == round(300_000 * share)
    assert at_stated_rate(HIGH, preset="fast").cap_bps == 4_000_000
    (quality,) = at_constant_quality([LOW])
    assert at_stated_rate(quality, preset="fast") == quality


def test_a_ladder_that_names_codecs_is_sorted_by_them() -> None:
    deep = PlannedRung(1280, 720, 2_000_000, codec="hevc")
    assert in_codecs([LOW, deep, HIGH], ["h264"], preset="fast") == (LOW, HIGH, deep)
    with pytest.raises(ConfigError, match="found av1, and a ladder whose rungs name h264,hevc"):
        in_codecs([LOW, deep], ["av1"], preset="fast")


def test_bits_of_other_codecs_are_worth_more() -> None:
    assert h264_bits("avc1.64001f", 700.0) == 700.0
    assert h264_bits("hvc1.1.6.L93.90", 700.0) == 700 / VIDEO_ENCODERS["hevc"].share
    assert h264_bits("vp09.00.10.08", 700.0) == 700.0
    assert decoders_for(["avc1.64001f", "mp4a.40.2"]) == ()
    assert decoders_for(["avc1.64001f", "av01.0.04M.08"]) == ("libdav1d",)


@pytest.mark.parametrize(
    ("codec", "says"),
    [
        ("h265", "found 'h265'"),
        ("hev", "did you mean 'hevc'"),
        ("av1,av1", "twice"),
        ("", "found ''"),
    ],
)
def test_codecs_that_cannot_be_are_refused(codec: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        TranscodeConfig(codec=codec).check()


def test_codecs_may_be_written_with_spaces_and_capitals() -> None:
    assert TranscodeConfig(codec=" H264, hevc").check().codecs == ("h264", "hevc")
