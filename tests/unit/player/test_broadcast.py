"""Playlists of one live stream on one timeline: the grid that grows, and joining again."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from abr.errors import PlaybackError
from player.playback.actions import TrackName, Want
from player.playback.broadcast import Broadcast
from player.playback.following import News
from transcode.playlist import Key, MediaPlaylist, Segment

VIDEO, AUDIO = "http://live.test/v.m3u8", "http://live.test/a.m3u8"
OTHER = "http://live.test/w.m3u8"


def window(
    first: int,
    count: int,
    *,
    duration_s: float = 4.0,
    name: str = "s",
    endlist: bool = False,
    names_from: int | None = None,
) -> MediaPlaylist:
    shift = 0 if names_from is None else names_from - first
    segments = tuple(
        Segment(uri=f"{name}{n + shift}.m4s", duration_s=duration_s, sequence=n)
        for n in range(first, first + count)
    )
    return MediaPlaylist(
        target_duration_s=4, media_sequence=first, segments=segments, endlist=endlist
    )


def take(
    broadcast: Broadcast,
    playlist: MediaPlaylist,
    *,
    track: TrackName = "video",
    now_s: float,
    url: str = "",
) -> News:
    url = url or (AUDIO if track == "audio" else VIDEO)
    want = Want(kind="media", url=url, track=track)
    return broadcast.take(want, playlist, url=url, asked_s=now_s, now_s=now_s)


def names(broadcast: Broadcast) -> list[str]:
    """File names on the grid."""
    return [ref.url.rpartition("/")[2] for ref in broadcast.grid.segments]


def starts_s(broadcast: Broadcast, url: str) -> dict[str, float]:
    """Where each segment of a playlist starts, by its file name."""
    timeline = broadcast.timelines()[url]
    return {ref.url.rpartition("/")[2]: ref.start_s for ref in timeline.segments}


def test_the_grid_begins_at_the_hold_back_and_grows() -> None:
    broadcast = Broadcast()
    take(broadcast, window(10, 6), now_s=0.0)
    assert names(broadcast) == ["s13.m4s", "s14.m4s", "s15.m4s"]
    take(broadcast, window(12, 6), now_s=8.0)
    assert names(broadcast) == [f"s{n}.m4s" for n in range(13, 18)]
    assert [ref.start_s for ref in broadcast.grid.segments] == [0.0, 4.0, 8.0, 12.0, 16.0]
    assert not broadcast.grid.is_ended


def test_boundaries_of_the_grid_are_sums_of_durations_to_the_last_bit() -> None:
    """Whoever adds the durations up must find the very same times."""
    broadcast, total_s = Broadcast(), 0.0
    for number in range(60):
        take(broadcast, window(number, 6, duration_s=2.002), now_s=2.002 * number)
    for ref in broadcast.grid.segments:
        assert ref.start_s == total_s
        total_s += ref.duration_s
    ends_s = {ref.end_s for ref in broadcast.grid.segments}
    assert all(ref.end_s in ends_s for ref in broadcast.timelines()[VIDEO].segments[-3:])


def test_audio_that_came_first_is_put_beside_the_video() -> None:
    broadcast = Broadcast()
    take(broadcast, window(10, 6), track="audio", now_s=0.0)
    assert AUDIO not in broadcast.timelines()
    take(broadcast, window(10, 6), now_s=0.1)
    assert starts_s(broadcast, AUDIO)["s13.m4s"] == 0.0


def test_what_was_fetched_stays_when_playback_joins_again() -> None:
    """Segments 13 and 14 were fetched, 8 s; then the window is 30 to 35."""
    broadcast = Broadcast()
    take(broadcast, window(10, 6), now_s=0.0)
    take(broadcast, window(30, 6), now_s=80.0)
    assert broadcast.join_again(8.0, ahead_s=0.0)
    assert names(broadcast) == ["s13.m4s", "s14.m4s", "s33.m4s", "s34.m4s", "s35.m4s"]
    assert broadcast.grid.segments[2].start_s == 8.0
    assert "14 segments of the stream came and went unseen" in broadcast.notes[0]
    assert not broadcast.join_again(8.0, ahead_s=0.0)


def test_a_window_that_has_moved_on_lies_beside_another_rung() -> None:
    """Segments to 23 of another rung were fetched: joining again would show them twice."""
    broadcast = Broadcast()
    take(broadcast, window(10, 1), now_s=0.0)
    take(broadcast, window(10, 20, name="w", endlist=True), now_s=1.0, url=OTHER)
    take(broadcast, window(11, 1), now_s=4.0)
    assert take(broadcast, window(15, 1), now_s=20.0) == News("moved", 3)
    assert starts_s(broadcast, VIDEO) == {"s15.m4s": 20.0}
    assert not broadcast.join_again(56.0, ahead_s=30.0)
    assert starts_s(broadcast, OTHER)["w15.m4s"] == 20.0


@pytest.mark.parametrize("fetched_s", [7.9, 8.1, 10.0])
def test_the_grid_has_no_hole_where_playback_joins_again(fetched_s: float) -> None:
    """Though what was fetched before ends between its boundaries."""
    broadcast = Broadcast()
    take(broadcast, window(10, 6), now_s=0.0)
    take(broadcast, window(30, 6), now_s=80.0)
    assert broadcast.join_again(fetched_s, ahead_s=0.0)
    total_s = 0.0
    for ref in broadcast.grid.segments:
        assert ref.start_s == pytest.approx(total_s)
        total_s += ref.duration_s
    assert fetched_s in [ref.start_s for ref in broadcast.grid.segments]


def test_what_is_still_to_be_played_counts_for_the_hold_back() -> None:
    """8 of 12 s are buffered: playback goes on 4 s before the end."""
    broadcast = Broadcast()
    take(broadcast, window(10, 6), now_s=0.0)
    take(broadcast, window(30, 6), now_s=4.0)
    assert broadcast.join_again(8.0, ahead_s=8.0)
    assert names(broadcast)[2:] == ["s35.m4s"]


def test_a_server_that_counts_anew_is_joined_again() -> None:
    broadcast = Broadcast()
    take(broadcast, window(10, 6), now_s=0.0)
    assert take(broadcast, window(0, 4, name="b"), now_s=8.0).kind == "restarted"
    assert broadcast.join_again(12.0, ahead_s=0.0)
    assert names(broadcast)[3:] == ["b1.m4s", "b2.m4s", "b3.m4s"]
    take(broadcast, window(0, 5, name="b"), now_s=12.0)
    assert names(broadcast)[-1] == "b4.m4s"


def test_numbers_of_audio_segments_go_up_though_the_server_counts_anew() -> None:
    broadcast = Broadcast()
    take(broadcast, window(10, 6), now_s=0.0)
    take(broadcast, window(10, 6), track="audio", now_s=0.0)
    take(broadcast, window(0, 4, name="b"), now_s=8.0)
    broadcast.join_again(12.0, ahead_s=0.0)
    take(broadcast, window(0, 4, name="b"), track="audio", now_s=8.0)
    assert [ref.index for ref in broadcast.timelines()[AUDIO].segments] == [6, 7, 8, 9]


@pytest.mark.parametrize("both_ended", [True, False])
def test_what_has_ended_ends_together(both_ended: bool) -> None:
    """Numbers say nothing, and the audio came long before: only the end tells, if both have one."""
    broadcast = Broadcast()
    take(broadcast, window(0, 4, duration_s=9.0, endlist=True), track="audio", now_s=0.0)
    take(broadcast, window(2, 4, endlist=both_ended), now_s=40.0)
    assert (AUDIO in broadcast.timelines()) == both_ended


def test_a_list_of_nothing_beside_a_picture_that_stays_is_no_fault() -> None:
    """The window of the picture is empty for a while when its sound arrives."""
    broadcast = Broadcast()
    take(broadcast, window(10, 6), now_s=0.0)
    take(broadcast, window(16, 0), now_s=4.0)
    take(broadcast, window(10, 6), track="audio", now_s=4.1)
    assert names(broadcast) == ["s13.m4s", "s14.m4s", "s15.m4s"]


def test_sound_that_the_pictures_playlist_lists_is_passed_over_once() -> None:
    broadcast = Broadcast()
    take(broadcast, window(10, 6), now_s=0.0)
    lost = Want(kind="segment", url="s13.m4s", track="audio", end_s=4.0, playlist=VIDEO)
    assert broadcast.lost_before("audio", 0.0) == 0
    broadcast.lose(lost, 0.0)
    assert [ref.is_gap for ref in broadcast.timelines()[VIDEO].segments[-3:]] == [
        True,
        False,
        False,
    ]
    assert broadcast.lost_before("audio", 0.0) == math.inf  # it is not asked for for ever
    assert broadcast.lost_before("audio", 4.0) == 1


def test_an_end_is_told_once_it_is_listed() -> None:
    broadcast = Broadcast()
    take(broadcast, window(10, 6), now_s=0.0)
    assert broadcast.due_s(VIDEO) == 4.0
    take(broadcast, window(11, 6, endlist=True), now_s=4.0)
    assert broadcast.grid.is_ended
    assert broadcast.has_ended(VIDEO)
    assert broadcast.due_s(VIDEO) == float("inf")


def test_files_tell_where_a_server_goes_on_that_counts_anew() -> None:
    """Or what was played would be played again."""
    broadcast = Broadcast()
    take(broadcast, window(10, 6), now_s=0.0)
    take(broadcast, window(10, 6), track="audio", now_s=0.0)
    assert take(broadcast, window(0, 6, names_from=12), now_s=8.0).kind == "restarted"
    assert not broadcast.join_again(12.0, ahead_s=0.0)
    assert names(broadcast) == [f"s{n}.m4s" for n in range(13, 18)]
    assert [ref.index for ref in broadcast.timelines()[VIDEO].segments] == [2, 3, 4, 5, 6, 7]
    assert "the server began to count anew" in broadcast.notes[0]
    take(broadcast, window(0, 6, names_from=12), track="audio", now_s=8.0)
    assert starts_s(broadcast, AUDIO) == starts_s(broadcast, VIDEO)
    take(broadcast, window(1, 6, names_from=13), now_s=12.0)
    assert starts_s(broadcast, VIDEO)["s18.m4s"] == 20.0


def test_numbers_from_before_and_after_a_new_count_do_not_tell_where_a_playlist_lies() -> None:
    """Numbers 10 to 15 of another rung are of the old count: nothing beside 9 to 12 of the new."""
    broadcast = Broadcast()
    take(broadcast, window(10, 6), now_s=0.0)
    take(broadcast, window(10, 6, name="w"), now_s=1.0, url=OTHER)
    take(broadcast, window(9, 4, name="b"), now_s=30.0)
    assert broadcast.join_again(12.0, ahead_s=0.0)
    assert OTHER not in broadcast.timelines()
    assert take(broadcast, window(10, 4, name="bw"), now_s=34.0, url=OTHER).kind == "restarted"
    assert starts_s(broadcast, OTHER)["bw11.m4s"] == starts_s(broadcast, VIDEO)["b11.m4s"]


def test_playlists_stay_beside_each_other_where_playback_joins_again() -> None:
    """The other rung's stands still: what it lists was played, and is not played again."""
    broadcast = Broadcast()
    take(broadcast, window(10, 6), now_s=0.0)
    take(broadcast, window(10, 6, name="w"), now_s=0.0, url=OTHER)
    take(broadcast, window(16, 6), now_s=24.0)
    assert broadcast.join_again(4.0, ahead_s=0.0)
    assert starts_s(broadcast, VIDEO)["s19.m4s"] == 4.0
    assert starts_s(broadcast, OTHER)["w13.m4s"] == 4.0 - 6 * 4.0
    take(broadcast, window(10, 6, name="w"), now_s=24.1, url=OTHER)
    assert starts_s(broadcast, OTHER)["w13.m4s"] == 4.0 - 6 * 4.0


def test_what_was_left_behind_is_not_put_ahead_where_playback_joins_again() -> None:
    """A playlist stands still while playback goes on in another, whose numbers are far higher."""
    broadcast = Broadcast()
    take(broadcast, window(10, 6), now_s=0.0)
    take(broadcast, window(10, 6, name="w"), now_s=0.0, url=OTHER)
    take(broadcast, window(90, 6), now_s=300.0)
    assert broadcast.join_again(12.0, ahead_s=0.0)
    take(broadcast, window(10, 6, name="w"), now_s=300.1, url=OTHER)
    assert starts_s(broadcast, OTHER)["w15.m4s"] < 0.0
    assert not broadcast.join_again(12.0, ahead_s=0.0)
    take(broadcast, window(90, 6, name="w"), now_s=304.0, url=OTHER)
    assert starts_s(broadcast, OTHER)["w93.m4s"] == 12.0


def test_a_playlist_of_another_count_is_joined_again_behind_what_was_played() -> None:
    """Two of its six segments are new; the hold-back lies before them."""
    broadcast = Broadcast()
    take(broadcast, window(10, 6), now_s=0.0)
    take(broadcast, window(10, 6, name="w"), now_s=0.0, url=OTHER)
    take(broadcast, window(0, 6, name="b"), now_s=300.0)
    assert broadcast.join_again(12.0, ahead_s=0.0)
    take(broadcast, window(12, 6, name="w"), now_s=330.0, url=OTHER)
    assert broadcast.join_again(24.0, ahead_s=0.0)
    assert names(broadcast)[-2:] == ["w16.m4s", "w17.m4s"]
    assert starts_s(broadcast, OTHER)["w16.m4s"] == 24.0


def test_what_stands_still_is_not_joined_though_it_is_seen_for_the_first_time() -> None:
    """Nor is what was played at another rung shown again."""
    broadcast = Broadcast()
    take(broadcast, window(90, 6), now_s=0.0)
    take(broadcast, window(10, 6, name="w"), now_s=20.0, url=OTHER)
    assert not broadcast.join_again(12.0, ahead_s=0.0)
    take(broadcast, window(10, 6, name="w"), now_s=24.0, url=OTHER)
    assert not broadcast.join_again(12.0, ahead_s=0.0)
    take(broadcast, window(11, 6, name="w"), now_s=28.0, url=OTHER)
    assert broadcast.join_again(12.0, ahead_s=0.0)  # it grows: its numbers count otherwise


def test_so_many_as_nobody_can_have_made_meanwhile_did_not_come_unseen() -> None:
    """The server counts anew, in thousandths of a second, say."""
    broadcast = Broadcast()
    take(broadcast, window(10, 6), now_s=0.0)
    assert take(broadcast, window(38, 6), now_s=30.0).kind == "moved"
    assert take(broadcast, window(1_000_000, 6), now_s=34.0).kind == "restarted"


def test_the_end_that_one_playlist_tells_is_that_of_what_lies_beside_it() -> None:
    """Playback joins again in a rung that stands still, without an end of its own."""
    broadcast = Broadcast()
    take(broadcast, window(10, 6, endlist=True), now_s=0.0)
    take(broadcast, window(8, 8, name="w", duration_s=1.0), now_s=0.1, url=OTHER)
    assert broadcast.grid.is_ended
    broadcast.join_again(0.0, ahead_s=0.0)
    assert broadcast.grid.is_ended


def test_numbers_tell_beside_any_playlist_of_the_same_count() -> None:
    """The one that was read last, and stands still, is of another count."""
    third = "http://live.test/x.m3u8"
    broadcast = Broadcast()
    take(broadcast, window(10, 6), now_s=0.0)
    take(broadcast, window(10, 6, name="w"), now_s=0.0, url=OTHER)
    take(broadcast, window(0, 6, names_from=12), now_s=8.0)
    take(broadcast, window(10, 6, name="w"), now_s=20.0, url=OTHER)
    take(broadcast, window(1, 6, name="x"), now_s=40.0, url=third)
    assert starts_s(broadcast, third)["x1.m4s"] == starts_s(broadcast, VIDEO)["s13.m4s"]


def test_another_host_of_a_rung_lies_with_it_though_a_server_has_begun_to_count_anew() -> None:
    """Which of the two counts its numbers belong to, nobody knows; its files are the same."""
    host = "http://other.test/v.m3u8"
    broadcast = Broadcast()
    take(broadcast, window(10, 6), now_s=0.0)
    take(broadcast, window(10, 6, name="w"), now_s=0.0, url=OTHER)
    take(broadcast, window(0, 6, name="w", names_from=12), now_s=8.0, url=OTHER)
    take(broadcast, window(11, 6), now_s=12.0, url=host)
    assert starts_s(broadcast, host)["s13.m4s"] == starts_s(broadcast, VIDEO)["s13.m4s"]


def test_a_first_version_that_cannot_be_used_is_not_followed() -> None:
    """No version before holds."""
    broadcast = Broadcast()
    take(broadcast, window(10, 6), now_s=0.0)
    key = Key(method="SAMPLE-AES", uri="skd://x", keyformat="com.apple.streamingkeydelivery")
    known = window(10, 6, name="w")
    locked = replace(known, segments=tuple(replace(each, key=key) for each in known.segments))
    with pytest.raises(PlaybackError, match="FairPlay"):
        take(broadcast, locked, now_s=1.0, url=OTHER)
    assert not broadcast.follows(OTHER)


def test_what_came_unseen_lies_behind_what_was_listed_before_it() -> None:
    """Both have ended; the other, which ended long ago, tells nothing of where."""
    broadcast = Broadcast()
    take(broadcast, window(10, 1), now_s=0.0)
    take(broadcast, window(10, 3, name="w", endlist=True), now_s=0.0, url=OTHER)
    for number in range(11, 20):
        take(broadcast, window(number, 1), now_s=4.0 * number)
    take(broadcast, window(25, 1, endlist=True), now_s=90.0)
    assert broadcast.join_again(40.0, ahead_s=0.0)
    assert starts_s(broadcast, VIDEO) == {"s25.m4s": 40.0}


def listed_twice() -> Broadcast:
    """Segment 11 lies at 4 s in a playlist, and another lists 10 yet."""
    broadcast = Broadcast()
    take(broadcast, window(10, 1), now_s=0.0)
    take(broadcast, window(10, 1, name="w"), now_s=0.0, url=OTHER)
    take(broadcast, window(11, 1), now_s=6.0)
    return broadcast


def test_a_number_that_follows_tells_where_a_window_lies_that_has_moved_on() -> None:
    """Put to end with the other, it would be shown there, and once more where that lists it."""
    broadcast = listed_twice()
    assert take(broadcast, window(12, 1, name="w"), now_s=8.0, url=OTHER).kind == "moved"
    assert starts_s(broadcast, OTHER) == {"w12.m4s": 8.0}
    take(broadcast, window(12, 1), now_s=10.0)
    assert names(broadcast) == ["s10.m4s", "s11.m4s", "w12.m4s"]


def test_what_moved_on_by_more_than_a_segment_does_not_end_with_what_did_not() -> None:
    broadcast = listed_twice()
    assert take(broadcast, window(14, 1, name="w"), now_s=8.0, url=OTHER).kind == "moved"
    assert starts_s(broadcast, OTHER) == {"w14.m4s": 16.0}
    for number in range(12, 15):
        take(broadcast, window(number, 1), now_s=4.0 * number)
    assert starts_s(broadcast, VIDEO) == {"s14.m4s": 16.0}
