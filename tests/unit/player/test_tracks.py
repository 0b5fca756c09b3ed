"""Progress along one track: what is fetched, and up to where it can be played."""

from __future__ import annotations

import math

from player.playback.actions import Resource
from player.playback.tracks import Track, tail_note

INIT: Resource = Resource("init", "init.mp4")
KEY: Resource = Resource("key", "key/1")


def test_a_segment_is_playable_once_all_it_needs_is_here() -> None:
    """Fetched to 4 s at once; playable to 4 s with the second of two needs."""
    track = Track("video", 8.0)
    track.add(4.0, {INIT, KEY})
    track.update({INIT})
    assert (track.fetched_s, track.ready_s) == (4.0, 0.0)
    track.update({INIT, KEY})
    assert track.ready_s == 4.0


def test_a_segment_that_lacks_something_holds_back_those_behind_it() -> None:
    """The first lacks its key; the second needs nothing and cannot be played either."""
    track = Track("audio", 8.0)
    track.add(4.0, {KEY})
    track.add(8.0, set())
    track.update(set())
    assert track.ready_s == 0.0
    track.update({KEY})
    assert track.ready_s == 8.0


def test_all_fetched_is_not_all_playable() -> None:
    """The last segment is here and its key is not."""
    track = Track("audio", 4.0)
    track.add(4.0, {KEY})
    assert track.is_fetched
    assert not track.is_playable
    track.update({KEY})
    assert track.is_playable


def test_an_arrival_clears_the_request() -> None:
    track = Track("video", 8.0, request_id=7)
    track.add(4.0, set())
    assert (track.fetched_s, track.request_id, track.is_fetched) == (4.0, None, False)


def test_a_track_knows_of_which_rung_its_media_are() -> None:
    """From where a segment begins until the next begins."""
    track = Track("video", 12.0)
    track.add(4.0, set(), 0)
    track.add(10.0, set(), 2)
    assert [track.span_at(time_s).rung for time_s in (0.0, 3.9, 4.0, 9.9)] == [0, 0, 2, 2]


def test_hls_js_holds_sound_back_until_the_picture_is_a_twentieth_beyond_its_start() -> None:
    """Segments of 4 s: the second, from 4 s on, counts once the picture ends beyond 4.2 s."""
    track = Track("audio", 12.0)
    for end_s in (4.0, 8.0):
        track.add(end_s, frozenset())
    assert track.taken_s(4.1, until_s=8.0) == 4.0
    assert track.taken_s(4.3, until_s=8.0) == 8.0
    assert track.taken_s(9.0, until_s=4.0) == 4.0


def test_no_sound_counts_before_there_is_a_picture() -> None:
    """Source buffers are made once both are known."""
    track = Track("audio", 12.0)
    assert track.taken_s(9.0, until_s=0.0) == 0.0
    track.add(4.0, frozenset())
    assert track.taken_s(0.0, until_s=4.0) == 0.0
    assert track.taken_s(4.0, until_s=4.0) == 4.0


def test_what_is_replaced_plays_on_if_it_could_and_is_not_waited_for_if_not() -> None:
    """Three segments, of which the third lacks its section; from the second on all come again."""
    section = Resource("init", "v0/init", None)
    track = Track("video", 12.0)
    for end_s, needs in ((4.0, frozenset()), (8.0, frozenset()), (12.0, frozenset({section}))):
        track.add(end_s, needs, 0)
    track.update(frozenset())
    track.replace_from(5.0)
    assert (track.fetched_s, track.ready_s, track.buffered_s) == (4.0, 8.0, 8.0)
    for end_s in (8.0, 12.0):
        track.add(end_s, frozenset(), 1)
        track.update(frozenset())
    assert (track.ready_s, track.is_playable, track.span_at(9.0).rung) == (12.0, True, 1)


def test_sound_that_ends_after_or_before_the_picture_is_told_of() -> None:
    def note(picture_s: float, sound_s: float) -> str:
        return tail_note([Track(name="video", end_s=picture_s), Track(name="audio", end_s=sound_s)])

    assert note(6.0, 3.0) == "the last 3.0 s of the picture have no sound"
    assert note(6.0, 9.0).startswith("the sound goes on for 3.0 s")
    assert note(6.0, 5.9) == note(6.0, 6.1) == note(math.inf, 3.0) == note(6.0, math.inf) == ""
