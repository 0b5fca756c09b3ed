"""A package with ladders in several codecs: its index, its variants, and what players take."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from abr.errors import PackageError
from player.playback.ladder import ladder_of
from tests.unit.transcode.test_layout import INDEX, video
from transcode.packaging.checks import check_index, check_multivariant
from transcode.packaging.index import PresentationIndex, Track, files_of
from transcode.packaging.indexfile import digest_of, parse_index, print_index
from transcode.packaging.listing import multivariant_of
from transcode.packaging.presentation import presentation_of_package
from transcode.quality import QualityFacts, track_quality


def other(rung: int, codecs: str, *sizes: int) -> Track:
    """The rung ``rung`` of another ladder, with sizes of its three segments."""
    segments = zip(sizes, (4.0, 4.0, 1 / 3), strict=True)
    return replace(video(rung, *segments), codecs=codecs)


HEVC = (
    other(2, "hvc1.1.6.L60.90", 70_000, 100_000, 17_000),
    other(3, "hvc1.1.6.L93.90", 600_000, 700_000, 70_000),
)
BOTH = replace(INDEX, more_video=HEVC)


def test_the_index_reads_back_and_an_index_of_one_codec_is_as_it_was() -> None:
    assert parse_index(print_index(BOTH)) == BOTH
    assert "more_video" not in print_index(INDEX)
    assert "video_range" not in print_index(INDEX)
    assert digest_of(BOTH) != digest_of(INDEX)
    bright = replace(INDEX, video=tuple(replace(t, video_range="HLG") for t in INDEX.video))
    assert parse_index(print_index(bright)) == bright


@pytest.mark.parametrize("value", ['"hdr"', "1", "null", "[]"])
def test_another_dynamic_range_is_refused(value: str) -> None:
    bright = replace(INDEX, video=tuple(replace(t, video_range="PQ") for t in INDEX.video))
    with pytest.raises(PackageError, match="video_range"):
        parse_index(print_index(bright).replace('"PQ"', value, 1))


def test_files_and_checks_cover_every_ladder() -> None:
    assert files_of(BOTH)["v3/00001.m4s"] == 700_000
    late = replace(HEVC[0], segments=HEVC[0].segments[:2])
    with pytest.raises(PackageError, match="rung 2 lists 2 segments"):
        check_index(replace(BOTH, more_video=(late,)))
    with pytest.raises(PackageError, match=r"rung 2 \(v2\) is not listed"):
        check_multivariant(BOTH, multivariant_of(INDEX))


def test_a_player_stays_in_the_codec_of_the_first_variant() -> None:
    """And a presentation, which simulators play, holds the first ladder only."""
    listed = multivariant_of(BOTH)
    assert [variant.uri[:2] for variant in listed.variants] == ["v1", "v0", "v2", "v3"]
    taken = ladder_of(listed, url="http://x/film/multivariant.m3u8").rungs
    assert [rung.places[0].video_url.split("/")[-2] for rung in taken] == ["v0", "v1"]
    presentation = presentation_of_package(BOTH)
    assert presentation.sizes_bytes.shape == (2, 3)


def scores(*more: Track) -> list[float | None]:
    """SCORE by rung."""
    index = replace(INDEX, more_video=more)
    listed = {variant.uri: variant.score for variant in multivariant_of(index).variants}
    return [listed[f"{track.folder}/playlist.m3u8"] for track in index.rungs]


def test_equal_places_of_equally_long_ladders_score_the_same() -> None:
    assert scores() == [1, 2]
    assert scores(*HEVC) == [1, 2, 1, 2]


def test_other_ladders_are_ranked_by_what_h264_would_need() -> None:
    """264 and 1,919 kbit/s of H.264; 658 of HEVC are worth more than the one, 1,600 than both."""
    middle = other(2, "hvc1.1.6.L93.90", 300_000, 350_000, 35_000)
    assert scores(middle) == [1, 3, 2]
    high = other(2, "hvc1.1.6.L93.90", 800_000, 800_000, 66_000)
    assert scores(high) == [1, 2, 3]


def test_a_high_range_scores_half_a_place_more_than_the_standard_one() -> None:
    bright = tuple(replace(track, video_range="PQ") for track in HEVC)
    assert scores(*bright) == [1, 2, 1.5, 2.5]


def measured(index: PresentationIndex, *means: float) -> PresentationIndex:
    """``index`` with these mean qualities of its rungs."""
    tracks = (
        track_quality(track.folder, np.full(len(track.segments), mean), [1] * len(track.segments))
        for track, mean in zip(index.rungs, means, strict=True)
    )
    return replace(
        index,
        quality=QualityFacts(
            metric="vmaf", model="vmaf_v0.6.1", width=640, height=360, tracks=tuple(tracks)
        ),
    )


def test_rungs_score_what_was_measured_and_high_ranges_do_not() -> None:
    """The same figure for pictures and key frames; one that is nothing is above zero."""
    listed = multivariant_of(measured(BOTH, 0.0, 88.25, 61.5, 90.125))
    assert [each.score for each in listed.variants] == [88.25, 0.001, 61.5, 90.125]
    frames = {each.uri[:2]: each.score for each in listed.iframe_variants}
    assert set(frames.items()) <= {("v0", 0.001), ("v1", 88.25), ("v2", 61.5), ("v3", 90.125)}
    bright = replace(BOTH, more_video=tuple(replace(t, video_range="PQ") for t in HEVC))
    places = multivariant_of(measured(bright, 70.0, 88.25, 61.5, 90.125))
    assert [each.score for each in places.variants] == [2, 1, 1.5, 2.5]
