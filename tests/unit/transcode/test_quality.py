"""Quality figures: pooling, the guard by frames and times, and the logs of ffmpeg's filters."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abr.errors import MediaError
from transcode.quality import (
    QualityFacts,
    check_pairs,
    parse_scores,
    parse_times,
    pool_scores,
    pool_segments,
    segment_frames,
    settle_start,
    shortfalls,
    track_quality,
)

SCORES = st.lists(st.floats(0, 100), min_size=1, max_size=50)
FRAME = Fraction(1, 24)


def times(count: int, *, first: int = 0) -> list[Fraction]:
    return [FRAME * (first + number) for number in range(count)]


def test_pooled_figures_are_those_worked_out_by_hand() -> None:
    pooled = pool_scores(np.array([1.0, 3.0]))
    assert pooled.mean == 2.0
    assert pooled.harmonic_mean == pytest.approx(2 / (1 / 2 + 1 / 4) - 1)  # 1.667
    assert pooled.low == pytest.approx(1.1)  # a twentieth of the way from 1 to 3
    assert (pooled.minimum, pooled.frames) == (1.0, 2)


@given(SCORES)
def test_figures_that_weigh_bad_frames_more_are_never_above_the_mean(scores: list[float]) -> None:
    pooled = pool_scores(np.array(scores))
    assert pooled.minimum - 1e-9 <= pooled.harmonic_mean <= pooled.mean + 1e-9
    assert pooled.minimum - 1e-9 <= pooled.low <= max(scores) + 1e-9


@given(st.lists(SCORES, min_size=1, max_size=6))
def test_segments_are_pooled_each_from_its_own_frames(segments: list[list[float]]) -> None:
    scores = np.array([score for segment in segments for score in segment])
    pooled = pool_segments(scores, [len(segment) for segment in segments], where="v0")
    assert pooled == tuple(pool_scores(np.array(segment)) for segment in segments)


@pytest.mark.parametrize("scores", [[], [float("nan")], [-1.0], [float("inf")]])
def test_scores_that_mean_nothing_are_not_pooled(scores: list[float]) -> None:
    with pytest.raises(ValueError, match="scores"):
        pool_scores(np.array(scores))


@pytest.mark.parametrize("frames", [[48, 48], [96, 0], [97]])
def test_segments_that_hold_other_frames_than_were_scored_get_no_figures(frames: list[int]) -> None:
    with pytest.raises(MediaError, match=r"v3: 95 frames|v3: 96 frames") as caught:
        pool_segments(np.ones(96 if 0 in frames or 97 in frames else 95), frames, where="v3")
    assert "hide missing or repeated frames" in str(caught.value)


def test_the_first_frame_takes_the_score_of_the_second() -> None:
    assert settle_start(np.array([97.4, 60.0, 61.0])).tolist() == [60.0, 60.0, 61.0]
    assert settle_start(np.array([97.4])).tolist() == [97.4]


def test_frames_that_pair_are_accepted() -> None:
    check_pairs(times(48), times(48), 48, expected=48, where="v0")


@pytest.mark.parametrize(
    ("measured", "scored", "expected", "words"),
    [
        (times(24), 48, None, "24 frames encoded, 48 in the master, 48 scored"),  # half missing
        ([*times(47), *times(2, first=47)], 48, None, "49 frames encoded"),  # one twice
        (times(48), 47, None, "47 scored"),
        (times(48), 48, 50, "expected 50 of each"),
        ([*times(20), *times(28, first=21)], 48, None, "frame 20 is shown at 0.875 s"),
    ],
)
def test_missing_repeated_and_late_frames_get_no_score(
    measured: list[Fraction], scored: int, expected: int | None, words: str
) -> None:
    with pytest.raises(MediaError, match=words):
        check_pairs(times(48), measured, scored, expected=expected, where="v0")


def test_nothing_is_no_match_for_nothing() -> None:
    with pytest.raises(MediaError, match="0 frames encoded"):
        check_pairs([], [], 0, where="v0")


FRAMECRC = """#software: Lavf63.1.102
#tb 0: 1/24
#media_type 0: video
#tb 1: 1/12288
0,          0,         10,        1,  1382400, 0x3c0e41eb
1,        512,        512,        1,  1382400, 0x3c0e41eb
0,         11,         11,        1,  1382400, 0x14bb6b03
1,       1024,       1024,        1,  1382400, 0x14bb6b03
"""


def test_times_of_frames_count_from_the_first_of_each_stream() -> None:
    assert parse_times(FRAMECRC) == ((Fraction(0), FRAME), (Fraction(0), FRAME))


@pytest.mark.parametrize(
    "text", ["#tb 0: 1/0\n0, 0, 0, 1, 1, 0\n", "#tb 0: x\n", "#tb 0: 1/24\n0, 0\n"]
)
def test_a_list_of_frames_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(MediaError, match="list of frames"):
        parse_times(text)


def test_scores_are_read_from_what_each_filter_writes() -> None:
    vmaf = "Frame,integer_adm2,vmaf,\n0,1.000000,97.428043,\n1,0.992872,99.019018,\n"
    assert parse_scores("vmaf", vmaf).tolist() == [97.428043, 99.019018]
    ssim = (
        "n:1 Y:1.000000 U:1.000000 V:1.000000 All:1.000000 (inf)\n"
        "n:2 Y:0.999913 U:0.999998 V:0.999998 All:0.999941 (42.323150)\n"
    )
    assert parse_scores("ssim", ssim).tolist() == [1.0, 0.999941]
    xpsnr = (
        "n:    1  XPSNR y: inf  XPSNR u: inf  XPSNR v: inf\n"
        "n:    2  XPSNR y: 40.0000  XPSNR u: 40.0000  XPSNR v: 40.0000\n\n"
        "XPSNR average, 2 frames  y: inf  u: inf  v: inf  (minimum: inf)\n"
    )
    assert parse_scores("xpsnr", xpsnr) == pytest.approx([100.0, 40.0])


@pytest.mark.parametrize(
    "text", ["Frame,psnr\n0,40\n", "Frame,vmaf,\n0,good,\n", "Frame,vmaf,\n0,nan,\n"]
)
def test_a_log_without_scores_is_refused(text: str) -> None:
    with pytest.raises(MediaError, match="the vmaf log"):
        parse_scores("vmaf", text)


def test_a_rung_that_breaks_its_promise_is_named() -> None:
    """Half a point of VMAF is tolerated; what was promised nothing breaks nothing."""
    promised = (("v0", 60.0, 60.5), ("v1", 70.0, 70.6), ("v2", 80.0, 75.0), ("v3", 90.0, None))
    tracks = tuple(
        track_quality(folder, np.full(10, mean), [10], target=target)
        for folder, mean, target in promised
    )
    facts = QualityFacts(metric="vmaf", model="m", width=320, height=180, tracks=tracks)
    assert [each.folder for each in shortfalls(facts)] == ["v1"]


@pytest.mark.parametrize(
    ("total", "frames"), [(96, [48, 48]), (100, [48, 48, 4]), (20, [20]), (48, [48])]
)
def test_the_last_segment_holds_the_rest(total: int, frames: list[int]) -> None:
    assert segment_frames(total, 48) == frames
