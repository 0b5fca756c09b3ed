"""Presets and ladder files: fitted to the master, and refused with the line."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abr.errors import ConfigError
from transcode.ladders.ladder import ladder_for
from transcode.ladders.presets import PRESETS, TEMPLATE
from transcode.ladders.rungs import PlannedRung
from transcode.masters.master import Master


def master(width: int = 1280, height: int = 720, bit_rate_bps: float = 1e6) -> Master:
    return Master(
        name="film.mp4", where="film.mp4", index=0, codec="h264", width=width, height=height,
        frame_rate=Fraction(24), duration_s=10.0, frames=240, bit_rate_bps=bit_rate_bps,
    )  # fmt: skip


def test_apples_table_is_taken_as_it_is_up_to_the_masters_size() -> None:
    """Whatever the master's bit rate; ``auto`` stops at twice that rate."""
    expected = [PlannedRung(*row) for row in TEMPLATE if row[1] <= 720]
    assert list(ladder_for(master(), wanted="apple")) == expected
    assert ladder_for(master())[-1].bitrate_bps == 2_000_000


def test_the_small_ladder_is_small() -> None:
    ladder = ladder_for(master(1920, 1080), wanted="small")
    assert [(rung.width, rung.height) for rung in ladder] == [
        (416, 234), (640, 360), (960, 540), (1280, 720),
    ]  # fmt: skip


@given(st.sampled_from(sorted(PRESETS)), st.integers(2, 4096), st.integers(2, 4096))
def test_no_preset_is_above_its_master(name: str, width: int, height: int) -> None:
    ladder = ladder_for(master(width, height), wanted=name)
    assert len(ladder) >= 2
    assert all(rung.width <= width and rung.height <= height for rung in ladder)
    rates = [rung.bitrate_bps for rung in ladder]
    assert rates == sorted(set(rates))


def test_a_misspelt_preset_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"found 'aple'.*did you mean 'apple'\?"):
        ladder_for(master(), wanted="aple")


FILE = """# for the archive
[[rung]]
height = 360
kbps = 600

[[rung]]
width = 960
height = 540
crf = 24.5
cap_kbps = 3000
codec = "h264"
"""


def test_a_ladder_file_gives_rates_or_qualities() -> None:
    assert ladder_for(master(), wanted="my.toml", contents=FILE) == (
        PlannedRung(640, 360, 600_000),
        PlannedRung(960, 540, 2_000_000, crf=24.5, cap_bps=3_000_000),
    )


def test_a_width_alone_sets_the_size_in_the_masters_shape() -> None:
    text = "[[rung]]\nwidth = 640\nkbps = 500\n"
    ladder = ladder_for(master(1280, 536), wanted="my.toml", contents=text)
    assert (ladder[0].width, ladder[0].height) == (640, 268)


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("kbps = 600", "kbps 600", "", "not TOML.*line 4"),
        ("[[rung]]\nheight = 360\nkbps = 600", "rung = 3", "", "not TOML"),
        ("# for the archive", "title = 'x'", ":1", "found 'title'; expected .*rung"),
        ("kbps = 600", "kbs = 600", ":4", "found 'kbs'.*did you mean 'kbps'"),
        ("kbps = 600", "", ":2", "neither of kbps and crf"),
        ("kbps = 600", "kbps = -1", ":4", "kbps = -1; expected a number from 1 to 999999"),
        ("kbps = 600", "kbps = true", ":4", "kbps = True; expected a number"),
        ("kbps = 600", "kbps = nan", ":4", "kbps = nan; expected a number"),
        ("kbps = 600", "kbps = '600'", ":4", "kbps = '600'; expected a number"),
        ("height = 360\n", "", ":2", "neither height nor width"),
        ("height = 360", "height = 2160", ":3", "2160 is larger than film.mp4 .1280x720"),
        ("kbps = 600", "kbps = 2000", "", "2000 kbit/s is followed by 2000 kbit/s"),
        ("kbps = 600", "kbps = 600\ncap_kbps = 500", ":5", "a cap of 500 is below kbps = 600"),
        ("cap_kbps = 3000\n", "", ":9", "crf without cap_kbps"),
        ("crf = 24.5", "crf = 24.5\nkbps = 900", ":9", "both of kbps and crf"),
        ("crf = 24.5", "crf = 64", ":9", "crf = 64; expected a number from 0 to 63"),
        ('"h264"', '"h265"', ":11", "found 'h265'; expected h264, hevc, av1"),
    ],
)
def test_a_ladder_file_that_cannot_be_is_refused_with_its_line(
    old: str, new: str, place: str, words: str
) -> None:
    assert old in FILE
    with pytest.raises(ConfigError, match=words) as caught:
        ladder_for(master(), wanted="my.toml", contents=FILE.replace(old, new))
    assert str(caught.value).startswith(f"my.toml{place}: ")


@pytest.mark.parametrize("text", ["", "rung = 3\n", "rung = [1]\n", "[rung]\nheight = 3\n"])
def test_a_file_without_rungs_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^my\.toml: "):
        ladder_for(master(), wanted="my.toml", contents=text)


@given(st.text(max_size=80))
def test_garbage_in_a_ladder_file_raises_our_error_and_no_other(text: str) -> None:
    with pytest.raises(ConfigError):
        ladder_for(master(), wanted="my.toml", contents=text)
    with pytest.raises(ConfigError):
        ladder_for(master(), wanted="my.toml", contents=f"[[rung]]\nheight = 360\n{text}")
