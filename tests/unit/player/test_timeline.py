"""The segments of one media playlist on the media timeline."""

from __future__ import annotations

import pytest

from abr.errors import PlaybackError
from player.playback.timeline import Timeline, nearest_s, timeline_of
from tests.fakes.playlists import PLAYLIST_URL as URL
from tests.fakes.playlists import media
from transcode.playlist import MediaPlaylist


def lasting(*durations_s: float) -> Timeline:
    return timeline_of(
        media(*(line for s in durations_s for line in (f"#EXTINF:{s},", "a"))), url=URL
    )


def test_segments_follow_each_other_on_the_timeline() -> None:
    """A segment that lasts no time is never on screen: it is not fetched."""
    segments = timeline_of(
        media("#EXTINF:2,", "a", "#EXTINF:0,", "b", "#EXTINF:3.5,", "c"), url=URL
    ).segments
    assert [(s.url.rpartition("/")[2], s.start_s, s.end_s) for s in segments] == [
        ("a", 0.0, 2.0),
        ("c", 2.0, 5.5),
    ]


def test_the_vector_is_the_keys_or_the_number_of_the_segment() -> None:
    """RFC 8216, 5.2: without an IV, the media sequence number as 128 bits."""
    segments = timeline_of(
        media(
            "#EXT-X-MEDIA-SEQUENCE:7",
            '#EXT-X-KEY:METHOD=AES-128,URI="k"',
            *("#EXTINF:0,", "a", "#EXTINF:2,", "b"),
            f'#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x{"f" * 32}',
            *("#EXTINF:2,", "c"),
        ),
        url=URL,
    ).segments
    assert [s.key and s.key.iv for s in segments] == [(8).to_bytes(16, "big"), b"\xff" * 16]


@pytest.mark.parametrize(
    ("playlist", "what"),
    [
        (media(), "lists no segment"),
        (media("#EXTINF:0,", "a"), "lists no segment that lasts"),
        (media('#EXT-X-KEY:METHOD=SAMPLE-AES,URI="k"', "#EXTINF:2,", "a"), "METHOD=SAMPLE-AES"),
    ],
)
def test_what_cannot_be_played_is_refused(playlist: MediaPlaylist, what: str) -> None:
    with pytest.raises(PlaybackError, match=what):
        timeline_of(playlist, url=URL)


@pytest.mark.parametrize(
    ("time_s", "index"),
    [
        (0.0, 0),
        (3.7, 0),
        (3.75, 1),
        (4.0, 1),
        (9.0, 1),
        (9.9, 2),
        (10.0, 2),
        (10.3, 2),
        (10.4, None),
    ],
)
def test_a_segment_is_found_by_media_time(time_s: float, index: int | None) -> None:
    """One of which 0.25 s or less is left gives way to the next; of 0.6 s in all, half of it."""
    assert lasting(4, 6, 0.6).index_at(time_s) == index


def test_a_segment_begins_within_media_that_hold_its_first_instant() -> None:
    assert [lasting(4, 6).first_from(s) for s in (0.0, 0.2, 4.0, 4.2, 10.0)] == [0, 1, 1, 2, 2]


def test_nearly_equal_segments_are_set_on_the_same_boundaries() -> None:
    """50 ms for each is the most, and many of them may drift apart by more."""
    grid = lasting(*[2.0] * 100)
    moved = lasting(*[2.04] * 100).aligned_to(grid)
    assert moved.segments[99].end_s == 200.0
    assert moved.segments[99].duration_s == 2.04
    apart = lasting(*[2.06] * 100)
    assert apart.aligned_to(grid) is apart
    later = timeline_of(media("#EXTINF:2,", "a"), url=URL, start_s=6.0)
    assert later.aligned_to(grid) is later


@pytest.mark.parametrize(
    ("durations_s", "end_s"),
    [([2.04] * 99, 198.0), ([2.04] * 99 + [1.5], 199.5), ([2.04] * 102, 204.08)],
)
def test_the_ends_of_two_rungs_may_differ(durations_s: list[float], end_s: float) -> None:
    """100 segments of 2 s: one ends earlier, or within the last, or goes on by 2.04 s twice."""
    moved = lasting(*durations_s).aligned_to(lasting(*[2.0] * 100))
    assert moved.segments[98].end_s == 198.0
    assert moved.end_s == pytest.approx(end_s)


def test_a_playlist_that_lists_nothing_has_nothing_at_any_time() -> None:
    """One that ends before where playback begins, say."""
    nothing = lasting(4.0, 4.0).starting_at(9.0)
    assert nothing.index_at(0.0) is None
    assert nothing.aligned_to(lasting(4.0)) is nothing
    assert lasting(4.0).aligned_to(nothing).segments == lasting(4.0).segments


@pytest.mark.parametrize(
    ("time_s", "found_s"),
    [(4.001, 4.0), (3.999, 4.0), (8.04, 8.0), (7.97, 8.0), (0.02, 0.0), (2.0, 2.0), (9.0, 9.0)],
)
def test_a_boundary_that_nearly_is_one_of_the_grid_is_it_on_either_side(
    time_s: float, found_s: float
) -> None:
    """Or the first millisecond of the next segment would count as it."""
    assert nearest_s(lasting(4.0, 4.0), time_s) == found_s
