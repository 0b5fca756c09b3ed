"""A playlist that grows: versions compared, delta updates, where to join, when to ask again."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from player.playback.following import (
    Follower,
    compare,
    fill_in,
    hold_back_s,
    join,
)
from player.playback.placing import SURE, dates_s, place
from transcode.playlist import (
    Key,
    Map,
    MediaPlaylist,
    Segment,
    ServerControl,
    Start,
)


def window(
    first: int, count: int, *, duration_s: float = 4.0, name: str = "s", endlist: bool = False
) -> MediaPlaylist:
    """Segments ``first`` to ``first + count - 1`` of a live stream."""
    return MediaPlaylist(
        target_duration_s=round(duration_s),
        media_sequence=first,
        segments=tuple(
            Segment(uri=f"{name}{n}.m4s", duration_s=duration_s, sequence=n)
            for n in range(first, first + count)
        ),
        endlist=endlist,
    )


def dated(playlist: MediaPlaylist, date_s: float) -> MediaPlaylist:
    """The same, with the date of its first segment."""
    first, *others = playlist.segments
    return replace(playlist, segments=(replace(first, date_s=date_s), *others))


# --- where to join ---------------------------------------------------------------------------


def test_the_delay_that_is_wished_goes_before_the_hold_back_and_before_ext_x_start() -> None:
    """Six segments of 4 s end at 24 s: 8 s before is where segment 4 begins."""
    playlist = window(10, 6)
    wished = join(playlist, delay_s=8.0)
    assert (wished.at, wished.offset_s) == (4, 0.0)
    assert join(replace(playlist, start=Start(2.0)), delay_s=8.0) == wished
    assert join(replace(playlist, start=Start(2.0))).at == 0
    assert hold_back_s(playlist, 8.0) == 8.0


def test_no_delay_is_shorter_than_a_target_duration() -> None:
    """And no ended stream is joined near its end."""
    assert join(window(10, 6), delay_s=1.0).at == 5
    assert hold_back_s(window(10, 6), 1.0) == 4.0
    assert join(window(10, 6, endlist=True), delay_s=8.0).at == 0


def test_what_grows_is_joined_three_target_durations_before_its_end() -> None:
    """40 s listed: 28 s is the start of the eighth segment."""
    assert join(window(7, 10)) == (7, 0.0)


def test_the_stated_hold_back_is_obeyed_within_a_segment() -> None:
    """40 - 11 = 29 s: 1 s into the eighth segment."""
    playlist = replace(window(7, 10), control=ServerControl(hold_back_s=11.0))
    assert hold_back_s(playlist) == 11.0
    assert join(playlist) == (7, 1.0)


def test_no_more_than_half_of_a_segment_is_left_out() -> None:
    """40 - 9 = 31 s: a second before the eighth segment's end; playback begins in its middle."""
    assert join(replace(window(7, 10), control=ServerControl(hold_back_s=9.0))) == (7, 2.0)


def test_a_window_shorter_than_the_hold_back_is_joined_at_its_start() -> None:
    assert join(window(7, 2)) == (0, 0.0)


def test_a_finished_playlist_is_joined_at_its_start() -> None:
    assert join(window(0, 10, endlist=True)) == (0, 0.0)


@pytest.mark.parametrize(("offset_s", "joined"), [(6.0, (1, 2.0)), (-18.0, (5, 2.0))])
def test_a_stated_start_counts_from_either_end(offset_s: float, joined: tuple[int, float]) -> None:
    assert join(replace(window(0, 10), start=Start(offset_s))) == joined


def test_a_stated_start_past_the_end_leaves_a_segment_to_play() -> None:
    assert join(replace(window(0, 10), start=Start(900.0))) == (9, 0.0)


# --- versions --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("newer", "kind", "missed"),
    [
        (window(1, 5), "grown", 0),
        (window(5, 5), "grown", 0),  # adjacent: nothing was missed
        (window(0, 5), "same", 0),
        (window(1, 4), "same", 0),  # the start alone moved
        (window(0, 4), "older", 0),
        (window(0, 5, endlist=True), "grown", 0),
        (window(9, 5), "moved", 4),
        (window(0, 3, name="after-crash-"), "restarted", 0),
        (window(3, 5, name="after-crash-"), "restarted", 0),
        (replace(window(5, 0), endlist=True), "grown", 0),
        (window(5, 0), "same", 0),
        (window(0, 0), "older", 0),
    ],
)
def test_a_version_is_known_by_its_numbers_and_names(
    newer: MediaPlaylist, kind: str, missed: int
) -> None:
    """Numbers 0 to 4 are known."""
    assert compare(window(0, 5), newer) == (kind, missed)


def test_lower_numbers_than_ever_seen_are_a_restart() -> None:
    assert compare(window(100, 5), window(0, 2)).kind == "restarted"


def test_lower_numbers_with_earlier_dates_are_an_old_version() -> None:
    known = dated(window(100, 5), 1_000_400.0)
    assert compare(known, dated(window(10, 5), 1_000_040.0)).kind == "older"
    assert compare(known, dated(window(10, 5), 1_000_500.0)).kind == "restarted"


def test_names_signed_anew_in_each_version_are_the_same_segments() -> None:
    known = window(0, 5)
    signed = replace(
        window(0, 6),
        segments=tuple(
            replace(s, uri=f"https://cdn.example/{s.sequence}x/{s.uri}?sig={s.sequence + 9}")
            for s in window(0, 6).segments
        ),
    )
    assert compare(known, signed).kind == "grown"


# --- delta updates -----------------------------------------------------------------------------


def delta(playlist: MediaPlaylist, skipped: int) -> MediaPlaylist:
    """The same version without its first segments."""
    return replace(playlist, segments=playlist.segments[skipped:], skipped=skipped)


def test_a_delta_is_filled_in_from_the_version_before() -> None:
    assert fill_in(delta(window(2, 10), 7), window(0, 10)) == window(2, 10)


def test_a_delta_about_segments_never_seen_is_refused() -> None:
    assert fill_in(delta(window(20, 10), 7), window(0, 10)) is None
    assert fill_in(delta(window(0, 10), 7), None) is None


def test_keys_and_maps_of_left_out_tags_hold_on() -> None:
    """A delta's first listed segments may have had their tags in the part that is left out."""
    section, key = Map(uri="init.mp4"), Key(method="AES-128", uri="key", iv=bytes(16))
    full = replace(
        window(0, 10),
        segments=tuple(replace(s, map=section, key=key) for s in window(0, 10).segments),
    )
    filled = fill_in(delta(window(1, 10), 7), full)
    assert filled is not None
    assert {(s.map, s.key) for s in filled.segments} == {(section, key)}


# --- when to ask ---------------------------------------------------------------------------------


def followed(*versions: tuple[MediaPlaylist, float]) -> Follower:
    """A follower that asked for each version at a time and had it 0.5 s later."""
    follower = Follower()
    for version, asked_s in versions:
        follower.ask(asked_s)
        follower.take(version, asked_s=asked_s, now_s=asked_s + 0.5)
    return follower


def test_after_news_it_is_asked_for_a_target_duration_after_it_was() -> None:
    assert followed((window(0, 5), 10.0)).due_s == 14.0


def test_without_news_it_is_asked_for_after_half_a_target_duration() -> None:
    assert followed((window(0, 5), 10.0), (window(0, 5), 14.0)).due_s == 16.0


def test_a_version_from_before_is_no_news_and_is_not_kept() -> None:
    follower = followed((window(1, 5), 10.0), (window(0, 5), 14.0))
    assert follower.playlist == window(1, 5)
    assert follower.due_s == 16.0


def test_a_failed_request_is_as_one_without_news() -> None:
    follower = followed((window(0, 5), 10.0))
    follower.ask(14.0)
    assert follower.due_s == math.inf
    follower.fail(14.2)
    assert follower.due_s == pytest.approx(16.2)


def test_a_version_is_hoped_for_no_longer_than_a_target_duration() -> None:
    follower = followed((window(0, 5), 10.0))
    assert follower.hopes_until_s == -math.inf
    follower.ask(14.0)
    assert follower.hopes_until_s == 18.0


def test_what_has_ended_is_not_asked_for_again() -> None:
    assert followed((window(0, 5, endlist=True), 10.0)).due_s == math.inf


def test_no_server_is_asked_without_a_pause() -> None:
    assert followed((replace(window(0, 5), target_duration_s=0), 10.0)).due_s == 11.0


def test_the_time_of_the_newest_news_is_known() -> None:
    assert followed((window(0, 5), 10.0), (window(0, 5), 14.0)).changed_s == 10.5


def test_a_delta_is_asked_for_where_offered_and_while_fresh() -> None:
    """Half of 24 s after the newest version: until 22.5 s."""
    playlist = replace(window(0, 10), control=ServerControl(can_skip_until_s=24.0))
    follower = followed((playlist, 10.0))
    assert follower.ask(22.4)
    assert not follower.ask(22.6)
    assert not followed((window(0, 10), 10.0)).ask(14.0)


def test_after_a_delta_that_fits_nothing_whole_playlists_are_asked_for() -> None:
    playlist = replace(window(0, 10), control=ServerControl(can_skip_until_s=24.0))
    follower = followed((playlist, 10.0))
    assert follower.ask(14.0)
    assert follower.take(delta(window(30, 10), 4), asked_s=14.0, now_s=14.1).kind == "unfit"
    assert follower.due_s == 16.0
    assert not follower.ask(16.0)


# --- one playlist beside another ------------------------------------------------------------------


VIDEO = window(100, 5)


def beside_video(playlist: MediaPlaylist, video: MediaPlaylist) -> tuple[float, str] | None:
    """Where ``playlist`` lies beside five segments of 4 s."""
    rules = (*SURE, "distance", "end")
    return place(playlist, video, [0.0, 4.0, 8.0, 12.0, 16.0], rules=rules)


def test_playlists_lie_beside_each_other_by_date() -> None:
    """Audio of 6 s that began 2 s before the video."""
    audio = dated(window(7, 4, duration_s=6.0), 998.0)
    assert beside_video(audio, dated(VIDEO, 1000.0)) == (-2.0, "date")


def test_dates_of_clocks_that_are_hours_apart_are_not_believed() -> None:
    audio = dated(window(100, 5, name="a"), 998.0 + 7200.0)
    assert beside_video(audio, dated(VIDEO, 1000.0)) == (0.0, "sequence")


def test_playlists_lie_beside_each_other_by_discontinuity() -> None:
    """The ninth discontinuity is before 8 s of the video and after 6 s of the audio's list."""
    first, second, third, *rest = VIDEO.segments
    video = replace(
        VIDEO,
        discontinuity_sequence=8,
        segments=(first, second, replace(third, discontinuity=True), *rest),
    )
    before, after = window(7, 2, duration_s=6.0).segments
    audio = replace(
        window(7, 2, duration_s=6.0),
        discontinuity_sequence=8,
        segments=(before, replace(after, discontinuity=True)),
    )
    assert beside_video(audio, video) == (2.0, "discontinuity")


def test_playlists_with_equal_numbers_and_lengths_lie_beside_each_other() -> None:
    assert beside_video(window(102, 5, name="other"), VIDEO) == (8.0, "sequence")


def test_the_same_files_lie_together_whatever_their_numbers_say() -> None:
    """As on two hosts of which one has begun to count anew."""
    video = window(102, 5)
    numbered = enumerate(video.segments)
    anew = replace(
        video,
        media_sequence=100,
        segments=tuple(replace(each, sequence=100 + n) for n, each in numbered),
    )
    assert beside_video(anew, VIDEO) == (8.0, "file")


def test_a_file_that_is_listed_over_and_over_says_nothing() -> None:
    """A picture for want of a programme: numbers tell."""
    slates = replace(VIDEO, segments=tuple(replace(s, uri="slate.ts") for s in VIDEO.segments))
    later = window(102, 5)
    both = replace(
        later, segments=(replace(later.segments[0], uri="slate.ts"), *later.segments[1:])
    )
    assert beside_video(both, slates) == (8.0, "sequence")


@pytest.mark.parametrize(
    ("first", "placed"),
    [
        (105, (20.0, "distance")),
        (97, (-12.0, "distance")),
        (120, (80.0, "distance")),
        (121, (8.0, "end")),  # more than a minute behind
    ],
)
def test_playlists_without_a_common_number_lie_as_far_apart_as_their_numbers(
    first: int, placed: tuple[float, str]
) -> None:
    assert beside_video(window(first, 3), VIDEO) == placed


def test_numbers_of_segments_that_are_not_alike_say_nothing() -> None:
    """24 s of audio end with 20 s of video."""
    assert beside_video(window(102, 3, duration_s=8.0), VIDEO) == (-4.0, "end")
    assert beside_video(window(105, 3, duration_s=8.0), VIDEO) == (-4.0, "end")


def test_playlists_that_have_nothing_in_common_and_are_not_of_one_time_cannot_be_placed() -> None:
    later = window(200, 5)
    assert place(later, VIDEO, [0.0, 4.0, 8.0, 12.0, 16.0], rules=SURE) is None


def test_dates_hold_on_until_a_discontinuity() -> None:
    first, second, third, *rest = VIDEO.segments
    cut = replace(third, discontinuity=True)
    playlist = replace(VIDEO, segments=(first, replace(second, date_s=50.0), cut, *rest))
    assert dates_s(playlist) == {0: 46.0, 1: 50.0}
