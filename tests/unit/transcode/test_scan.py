"""Whether lines are fields, by the votes of moving blocks; and what frames say of themselves."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from transcode.graphs.scan import whole_pictures
from transcode.masters.scan import Scan, Votes, is_clear, judge, note_of, votes_of
from transcode.masters.sight import read_sight

PAL, NTSC = Fraction(25), Fraction(30000, 1001)
TOP, BOTTOM = Scan("interlaced", True), Scan("interlaced", False)
Pictures = NDArray[np.uint8]


def moments(count: int, speed: float = 3.0) -> Pictures:
    """A texture that moves sideways and is the same on every line."""
    column = np.arange(128)[None, :] - speed * np.arange(count)[:, None]
    lit = 128 + 60 * np.sin(column / 5) + 40 * np.sin(column / 11)
    return np.repeat(lit.astype(np.uint8)[:, None, :], 64, axis=1)


def woven(top_first: bool) -> Pictures:
    times = moments(20)
    pictures = times[0::2].copy()
    late = 1 if top_first else 0
    pictures[:, late::2] = times[1::2, late::2]
    return pictures


def test_blocks_see_which_field_is_first() -> None:
    for top_first in (True, False):
        votes = votes_of(woven(top_first))
        right = votes.top_first if top_first else votes.bottom_first
        assert votes.total > 100
        assert sum(right) > 0.95 * votes.total
        assert judge([votes], flagged=Scan(), rate=PAL) == Scan("interlaced", top_first)
        assert is_clear([votes, votes])


def test_whole_pictures_are_seen_whatever_their_flags() -> None:
    votes = votes_of(moments(10))
    assert sum(votes.progressive) > 0.95 * votes.total > 0
    assert judge([votes], flagged=TOP, rate=PAL) == Scan()


def test_where_nothing_moves_flags_are_believed() -> None:
    """So too in pictures too small for a block, and in a single picture."""
    for pictures in (moments(10, speed=0.0), moments(10)[:, :8], moments(10)[:, :, :8], moments(1)):
        votes = votes_of(pictures)
        assert votes.total == 0
        assert judge([votes], flagged=BOTTOM, rate=PAL) == BOTTOM
        assert not is_clear([votes])


def test_flags_are_believed_where_blocks_do_not_agree() -> None:
    """As for ffmpeg's own test pattern, of which a part moves by a line a field."""
    votes = Votes(progressive=(10,) * 9, top_first=(8,) * 9, bottom_first=(0,) * 9)
    assert judge([votes], flagged=Scan(), rate=PAL) == Scan()
    assert judge([votes], flagged=TOP, rate=PAL) == TOP


@pytest.mark.parametrize(
    ("rate", "kind"), [(NTSC, "telecined"), (Fraction(30), "telecined"), (PAL, "interlaced")]
)
def test_pulldown_is_seen_by_its_cadence(rate: Fraction, kind: str) -> None:
    """Two whole pictures, three mixed ones, at two places that begin anywhere in it."""
    looks = []
    for phase in (0, 3):
        mixed = [(at + phase) % 5 >= 2 for at in range(12)]
        looks.append(
            Votes(
                progressive=tuple(0 if each else 2 for each in mixed),
                top_first=tuple(20 if each else 0 for each in mixed),
                bottom_first=(0,) * 12,
            )
        )
    assert judge(looks, flagged=Scan(), rate=rate).kind == kind


def test_steady_interlacing_is_no_pulldown() -> None:
    votes = Votes(progressive=(0,) * 24, top_first=(20,) * 24, bottom_first=(0,) * 24)
    assert judge([votes], flagged=Scan(), rate=NTSC) == TOP


def test_filters_go_by_what_was_measured() -> None:
    """Not by the flags of frames; frames of another size are brought to the first one's."""
    assert whole_pictures(Scan(), (720, 576)) == []
    scale, bwdif = whole_pictures(BOTTOM, (720, 576))
    assert scale == ("scale", {"width": 720, "height": 576})
    assert bwdif == ("bwdif", {"mode": "send_frame", "parity": "bff", "deint": "all"})
    names = [name for name, _ in whole_pictures(Scan("telecined"), (0, 0))]
    assert names == ["fieldmatch", "bwdif", "decimate"]
    assert Scan("telecined").film_ratio * NTSC == Fraction(24000, 1001)


@pytest.mark.parametrize(
    ("scan", "flagged", "words"),
    [
        (Scan(), Scan(), None),
        (TOP, TOP, "interlaced, top field first; deinterlaced"),
        (BOTTOM, Scan(), r"interlaced, bottom field first \(flagged as progressive\); dein"),
        (BOTTOM, TOP, r"bottom field first \(flagged as interlaced, top field first\); dein"),
        (Scan(), TOP, "flagged as interlaced, top field first, but pictures are whole"),
        (Scan("telecined"), TOP, "four for every five"),
    ],
)
def test_the_user_is_told_what_is_done_and_why(
    scan: Scan, flagged: Scan, words: str | None
) -> None:
    note = note_of(scan, flagged=flagged)
    assert note is None if words is None else re.search(words, note or "")


LOG = """[Parsed_showinfo_0 @ 0x55] config in time_base: 1/12800, frame_rate: 25/1
[Parsed_showinfo_0 @ 0x55] n:   0 pts:      0 pts_time:0       duration:    512 \
duration_time:0.04    fmt:yuv420p10le cl:left sar:12/11 s:720x576 i:B iskey:1 type:I
[Parsed_showinfo_0 @ 0x55]   side data - 3x3 displaymatrix: rotation of 90.00 degrees
[Parsed_showinfo_0 @ 0x55] color_range:tv color_space:bt470bg color_primaries:unknown \
color_trc:reserved
"""


def test_the_first_frame_is_read() -> None:
    """Only what it states counts as stated."""
    sight = read_sight(LOG)
    assert sight is not None
    assert (sight.pixels, sight.width, sight.height) == ("yuv420p10le", 720, 576)
    assert sight.scan == BOTTOM
    assert sight.tags == {"color_range": "tv", "color_space": "bt470bg"}
    assert sight.rotation == 90.0
    assert not sight.is_dolby
    assert read_sight("no frame at all") is None


def test_what_frames_say_stands_above_what_the_stream_says() -> None:
    sight = read_sight(LOG)
    assert sight is not None
    stream = {"pix_fmt": "unknown", "color_space": "bt709", "color_primaries": "bt709"}
    assert sight.over(stream) == {
        "pix_fmt": "yuv420p10le",
        "color_space": "bt470bg",
        "color_primaries": "bt709",
        "color_range": "tv",
        "side_data_list": [{"rotation": 90.0}],
    }
    turned = {"side_data_list": [{"rotation": -90}]}
    assert sight.over(turned)["side_data_list"] == [{"rotation": -90}]


def test_colours_of_dolby_vision_are_seen_in_frames() -> None:
    """A bare stream has no record in a container."""
    told = LOG + "[x] side data - Dolby Vision Metadata: signal_color_space=2; signal_chroma=0\n"
    sight = read_sight(told)
    assert sight is not None
    assert sight.over({})["color_space"] == "ipt-c2"


def test_a_film_that_is_interlaced_in_parts_is_mixed() -> None:
    whole, woven = Votes((40, 40), (2, 2), (0, 0)), Votes((2, 2), (40, 40), (0, 0))
    doubtful = Votes((8, 8), (4, 4), (1, 1))
    assert judge([whole, woven], flagged=Scan(), rate=Fraction(25)) == Scan("mixed", True)
    assert judge([whole, doubtful], flagged=Scan(), rate=Fraction(25)).kind == "progressive"


def test_it_takes_more_blocks_to_overrule_flags_than_to_follow_them() -> None:
    """A small test pattern that moves by a line a picture comes to 74 of 100."""
    votes = Votes((26,), (72,), (2,))
    assert judge([votes], flagged=Scan(), rate=PAL) == Scan()
    assert judge([votes], flagged=BOTTOM, rate=PAL) == TOP
