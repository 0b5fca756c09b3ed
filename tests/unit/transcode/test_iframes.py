"""Key frames that can be fetched alone: where they are, and how an index and playlists say it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from abr.errors import MediaError, PackageError
from tests import mp4facts
from tests.unit.transcode.test_fragments import AVC, init_section, samples
from tests.unit.transcode.test_layout import INDEX
from transcode.media.fragments import VideoCutter, write_fragment
from transcode.packaging.checks import check_index
from transcode.packaging.iframes import key_frames_of, moved_to
from transcode.packaging.index import KeyFrame, PresentationIndex, files_of
from transcode.packaging.indexfile import digest_of, parse_index, print_index
from transcode.packaging.listing import iframe_playlist_of, multivariant_of
from transcode.playlist import ByteRange, parse, print_media, print_multivariant


def with_key_frames(*frames: KeyFrame) -> PresentationIndex:
    """The sample index, whose lowest rung has these in each segment."""
    lowest = INDEX.video[0]
    segments = tuple(
        replace(segment, key_frames=tuple(frame for frame in frames if frame.duration_s <= 4.0))
        for segment in lowest.segments[:2]
    )
    last = replace(lowest.segments[2], key_frames=(KeyFrame(24, 9_000, 1 / 3),))
    return replace(INDEX, video=(replace(lowest, segments=(*segments, last)), INDEX.video[1]))


TWO = with_key_frames(KeyFrame(24, 10_000, 2.0), KeyFrame(60_000, 8_000, 2.0))


def test_each_range_is_a_whole_movie_of_one_key_frame() -> None:
    """Its bytes parse alone, and hold one sample: that which begins the group of pictures."""
    given = samples(20, 5)
    cutter = VideoCutter(10)
    cuts = [*cutter.feed(given), *cutter.close()]
    number = 0
    for cut in cuts:
        found = key_frames_of(cut.data, 10)
        assert [frame.duration_s for frame in found] == [5.0, 5.0]
        for frame in found:
            part = cut.data[frame.offset_bytes : frame.offset_bytes + frame.size_bytes]
            (run,) = mp4facts.runs(init_section(AVC), part)
            assert [each.data for each in run.samples] == [given[number].data]
            assert run.decode_time == 10 * number
            number += 5


def test_a_segment_whose_key_frames_share_fragments_has_none_alone() -> None:
    """As abrkit wrote it before: a range would end inside a fragment."""
    assert key_frames_of(write_fragment(samples(5, 5), sequence=1, decode_time=0), 10) == ()


def test_what_is_no_segment_is_refused() -> None:
    with pytest.raises(MediaError):
        key_frames_of(b"\0\0\0\x05moof", 10)


def test_a_playlist_of_key_frames_lists_byte_ranges_and_lasts_as_long() -> None:
    """RFC 8216bis, 4.4.3.6: a key frame lasts until the next one."""
    assert files_of(TWO)["v0/iframes.m3u8"] is None
    assert "v1/iframes.m3u8" not in files_of(TWO)
    playlist = iframe_playlist_of(TWO, TWO.video[0])
    assert [segment.byte_range for segment in playlist.segments] == [
        *(ByteRange(24, 10_000), ByteRange(60_000, 8_000)) * 2,
        ByteRange(24, 9_000),
    ]
    assert playlist.duration_s == pytest.approx(8 + 1 / 3, abs=1e-5)
    text = print_media(playlist)
    assert "#EXT-X-I-FRAMES-ONLY" in text
    assert "#EXT-X-VERSION:5\n#EXT-X-TARGETDURATION:4\n" in text
    assert parse(text) == playlist


def test_the_variant_of_key_frames_has_rates_of_its_own() -> None:
    """Apple's items 6.1 and 9.1: peak and mean of the key frames, without sound.

    Peak of runs of 2 to 6 s: the last two, 8 * (8 000 + 9 000) / 2.333 s = 58 286.
    Mean: 8 * (2 * 18 000 + 9 000) / 8.333 s = 43 200.
    """
    playlist = multivariant_of(TWO)
    (variant,) = playlist.iframe_variants
    assert variant.uri == "v0/iframes.m3u8"
    assert (variant.bandwidth_bps, variant.average_bandwidth_bps) == (58_286, 43_200)
    assert (variant.codecs, variant.width, variant.height) == ("avc1.640010", 320, 180)
    assert parse(print_multivariant(playlist)) == playlist


def test_an_index_without_key_frames_is_as_it_was() -> None:
    """Nothing new is written or digested, so packages of before keep their digest."""
    assert "key_frames" not in print_index(INDEX)
    assert digest_of(INDEX) == ("7135e6ddd918e4b26c37833513930415428c2e79aac8d748c694c17d16318fb8")


def test_key_frames_read_back_and_count_in_the_digest() -> None:
    assert parse_index(print_index(TWO)) == TWO
    assert digest_of(TWO) != digest_of(INDEX)


@pytest.mark.parametrize(
    "frame",
    [
        KeyFrame(24, 0, 1.0),
        KeyFrame(24, 10**9, 1.0),
        KeyFrame(24, 10, 0.0),
        KeyFrame(24, 10, 5.0),
    ],
)
def test_a_key_frame_that_cannot_be_is_refused(frame: KeyFrame) -> None:
    """No bytes, more than the segment has, no time, more than the segment lasts."""
    lowest = INDEX.video[0]
    segments = (replace(lowest.segments[0], key_frames=(frame,)), *lowest.segments[1:])
    index = replace(INDEX, video=(replace(lowest, segments=segments), INDEX.video[1]))
    with pytest.raises(PackageError, match="segment 0: a key frame"):
        check_index(index)


@pytest.mark.parametrize(
    "value", ["[[1, 2]]", '[["1", 2, 3]]', "[[1, 2, true]]", "{}", "[[-1, 2, 3]]"]
)
def test_key_frames_of_another_form_are_refused(value: str) -> None:
    text = print_index(INDEX).replace(
        '"size_bytes": 100000,', f'"key_frames": {value}, "size_bytes": 100000,'
    )
    with pytest.raises(PackageError, match=r"key_frames .* expected a list of"):
        parse_index(text)


def test_a_fragment_can_be_moved_in_time() -> None:
    """Nothing but its decoding time changes."""
    fragment = write_fragment(samples(1, 1), sequence=3, decode_time=77)
    assert moved_to(fragment, 5) == write_fragment(samples(1, 1), sequence=3, decode_time=5)
