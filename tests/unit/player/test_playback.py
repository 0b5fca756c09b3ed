"""Playhead and buffer arithmetic: hand-computable cases."""

from __future__ import annotations

import math

import pytest

from player.playback.playhead import Thresholds
from player.playback.states import Playback, SegmentStart, Skipped, StateChange


def started(ready_s: float, **thresholds: float) -> Playback:
    """A playback of two 4 s segments that has ``ready_s`` of media at time 1."""
    playback = Playback(Thresholds(**thresholds))
    playback.set_durations([4.0, 4.0])
    playback.advance(1.0)
    playback.media_ready(ready_s, complete=False, now_s=1.0)
    return playback


def state_of(playback: Playback) -> str:
    """The state, as a plain string: type checkers believe that calls do not change it."""
    return playback.state


def test_stall_starts_when_the_buffer_empties_not_when_the_segment_arrives() -> None:
    """Media for 4 s from time 1 runs out at 5, although nobody looks before 10."""
    playback = started(4.0)
    assert playback.advance(10.0) == [StateChange(5.0, "playing", "stalled", "media ran out")]
    assert playback.playhead_s(10.0) == 4.0


def test_a_segment_begins_when_the_playhead_reaches_it() -> None:
    """The second segment is shown 4 s after the first."""
    playback = started(8.0)
    assert playback.advance(7.0) == [SegmentStart(5.0, 1)]


def test_a_segment_at_which_playback_stalls_begins_when_it_resumes() -> None:
    """At the boundary with nothing behind it, the next segment is not shown yet."""
    playback = started(4.0)
    playback.advance(9.0)
    changes = playback.media_ready(8.0, complete=True, now_s=9.0)
    assert changes == [
        StateChange(9.0, "stalled", "playing", "media ready"),
        SegmentStart(9.0, 1),
    ]


def test_playback_ends_when_complete_media_has_been_shown() -> None:
    """8 s of media from time 1 end at 9."""
    playback = started(4.0)
    playback.media_ready(8.0, complete=True, now_s=1.0)
    assert playback.advance(20.0)[-1] == StateChange(9.0, "playing", "ended", "end of media")
    assert playback.playhead_s(20.0) == 8.0


def test_startup_waits_for_its_threshold() -> None:
    """With 6 s asked for, 4 s do not start playback and 8 s do."""
    playback = started(4.0, startup_s=6.0)
    assert state_of(playback) == "startup"
    playback.media_ready(8.0, complete=False, now_s=2.0)
    assert state_of(playback) == "playing"


def test_complete_media_starts_below_any_threshold() -> None:
    """A short title would otherwise never begin."""
    playback = started(4.0, startup_s=60.0)
    playback.media_ready(8.0, complete=True, now_s=2.0)
    assert state_of(playback) == "playing"


def test_render_delay_shifts_the_first_frame_only() -> None:
    """The first frame comes 0.3 s after the media; resuming costs nothing more."""
    playback = started(4.0, render_delay_s=0.3)
    assert state_of(playback) == "startup"
    assert playback.next_change_s() == 1.3
    assert playback.advance(5.3)[0] == StateChange(1.3, "startup", "playing", "media ready")
    assert state_of(playback) == "stalled"
    playback.media_ready(8.0, complete=True, now_s=6.0)
    assert state_of(playback) == "playing"


def test_each_stall_raises_the_resume_threshold_up_to_its_maximum() -> None:
    """0.2 s doubles at each underflow; the second stall waits for 0.4 s, not for 0.3 s."""
    playback = Playback(Thresholds(resume_s=0.2, resume_growth=2.0, resume_max_s=3.0))
    playback.set_durations([1.0] * 8)
    playback.media_ready(0.5, complete=False, now_s=0.0)
    playback.advance(1.0)
    playback.media_ready(0.8, complete=False, now_s=1.0)  # 0.3 s ahead, 0.4 s asked for
    assert state_of(playback) == "stalled"
    playback.media_ready(0.9, complete=False, now_s=1.0)
    assert state_of(playback) == "playing"


def test_pause_keeps_the_playhead_and_is_no_stall() -> None:
    """Paused from 2 to 7, the playhead stands; resuming goes on from there."""
    playback = started(8.0)
    playback.advance(2.0)
    playback.pause(2.0)
    assert playback.advance(7.0) == []
    changes = playback.resume(7.0)
    assert [c.after for c in changes if isinstance(c, StateChange)] == ["stalled", "playing"]
    assert playback.playhead_s(8.0) == 2.0


def test_time_going_back_raises() -> None:
    """A driver that passes an earlier time has a fault."""
    playback = started(4.0)
    with pytest.raises(ValueError, match="time went back"):
        playback.advance(0.5)


def test_repr_shows_state_playhead_and_buffer() -> None:
    """Logs and test failures show where playback stands."""
    assert repr(started(4.0)) == "<Playback playing at 0.000 s, buffer 4.000 s>"


@pytest.mark.parametrize("step", range(1, 200))
def test_nothing_is_reported_later_than_asked_for(step: int) -> None:
    """Rounding must not put a first frame after now: the log's times never decrease."""
    begin_s = step * 0.7349
    playback = Playback()
    playback.set_durations([4.0] * 60)
    playback.advance(begin_s)
    playback.media_ready(240.0, complete=False, now_s=begin_s)
    for segment in range(1, 60):
        for now_s in (math.nextafter(begin_s + 4.0 * segment, 0.0), begin_s + 4.0 * segment):
            assert all(change.time_s <= now_s for change in playback.advance(now_s))


def heard(sound_s: float, picture_s: float) -> Playback:
    """A playback in Chromium from time 1 on, of sound and picture that end apart."""
    thresholds = Thresholds(startup_s=0.2, resume_s=0.2, resume_growth=2.0, resume_max_s=3.0)
    playback = Playback(thresholds, grace_s=3.0)
    playback.set_durations([4.0] * 5)
    playback.advance(1.0)
    playback.media_ready(sound_s, picture_s=picture_s, complete=False, now_s=1.0)
    return playback


def test_sound_plays_on_for_three_seconds_without_a_picture() -> None:
    """Chromium 156: with 1 s of picture and 10 s of sound the clock stops 3 s after the picture."""
    playback = heard(10.0, 1.0)
    assert playback.advance(20.0)[-1] == StateChange(5.0, "playing", "stalled", "media ran out")
    assert playback.playhead_s(20.0) == 4.0


def test_a_picture_that_comes_in_time_stalls_nothing() -> None:
    """It ran out at 2; the next comes at 4.5, and the sound goes on to 11."""
    playback = heard(10.0, 1.0)
    playback.advance(4.5)
    playback.media_ready(10.0, picture_s=12.0, complete=False, now_s=4.5)
    changes = [each for each in playback.advance(20.0) if isinstance(each, StateChange)]
    assert changes == [StateChange(11.0, "playing", "stalled", "media ran out")]


def test_sound_that_runs_out_stalls_at_once_and_doubles_what_it_takes_to_go_on() -> None:
    """Chromium 156: 0.4 s of sound after the first underflow, then 0.8 s, however much picture."""
    playback = heard(2.0, 20.0)
    playback.advance(3.0)
    assert state_of(playback) == "stalled"
    playback.media_ready(2.3, picture_s=20.0, complete=False, now_s=4.0)
    assert state_of(playback) == "stalled"
    playback.media_ready(2.4, picture_s=20.0, complete=False, now_s=5.0)
    assert state_of(playback) == "playing"
    playback.advance(6.0)
    playback.media_ready(3.1, picture_s=20.0, complete=False, now_s=7.0)
    assert state_of(playback) == "stalled"
    playback.media_ready(3.3, picture_s=20.0, complete=False, now_s=8.0)
    assert state_of(playback) == "playing"


def test_after_a_stall_by_the_picture_one_picture_is_enough_and_the_sound_needs_no_more() -> None:
    """Chromium 156: it went on with one frame; the next stall, by the sound, asked for 0.4 s."""
    playback = heard(10.0, 1.0)
    playback.advance(6.0)
    playback.media_ready(10.0, picture_s=4.0, complete=False, now_s=6.0)
    assert state_of(playback) == "stalled"
    playback.media_ready(10.0, picture_s=4.04, complete=False, now_s=7.0)
    assert state_of(playback) == "playing"
    playback.media_ready(10.0, picture_s=20.0, complete=False, now_s=7.0)
    playback.advance(14.0)
    assert state_of(playback) == "stalled"
    playback.media_ready(10.4, picture_s=20.0, complete=False, now_s=15.0)
    assert state_of(playback) == "playing"


def test_a_segment_whose_picture_comes_late_is_shown_when_it_comes() -> None:
    """Its sound has been heard since 5; the picture is here at 6.5."""
    playback = heard(12.0, 4.0)
    assert SegmentStart(1.0, 0) not in playback.advance(6.5)
    changes = playback.media_ready(12.0, picture_s=8.0, complete=False, now_s=6.5)
    assert changes == [SegmentStart(6.5, 1)]


def test_protected_sound_needs_more_to_begin_with() -> None:
    """0.5 s where Chromium decrypts; the first stall then asks for 1 s."""
    playback = Playback(Thresholds(0.2, 0.2, 2.0, 3.0), grace_s=3.0)
    playback.need_at_least(0.5)
    playback.set_durations([4.0] * 5)
    playback.media_ready(0.4, picture_s=4.0, complete=False, now_s=0.0)
    assert state_of(playback) == "startup"
    playback.media_ready(0.6, picture_s=4.0, complete=False, now_s=1.0)
    assert state_of(playback) == "playing"
    playback.advance(2.0)
    playback.media_ready(1.5, picture_s=4.0, complete=False, now_s=2.0)
    assert state_of(playback) == "stalled"
    playback.media_ready(1.6, picture_s=4.0, complete=False, now_s=3.0)
    assert state_of(playback) == "playing"


def test_what_is_skipped_twice_takes_no_time_once() -> None:
    """The second segment has no sound; what is before it was fetched anew, which tells it again."""
    playback = started(4.0)
    playback.set_durations([4.0] * 3)
    for _ in range(2):
        playback.skip(Skipped("audio", 4.0, 8.0, range(0), is_hole=True))
    playback.skip(Skipped("video", 6.0, 8.0, range(0), is_hole=True))
    playback.media_ready(12.0, complete=True, now_s=1.0)
    assert playback.advance(20.0) == [
        SegmentStart(5.0, 2),
        StateChange(9.0, "playing", "ended", "end of media"),
    ]


def test_what_was_skipped_is_shown_when_it_is_had_after_all() -> None:
    """Of the track that is fetched anew, and from where it is on."""
    playback = started(4.0)
    playback.set_durations([4.0] * 4)
    playback.skip(Skipped("video", 4.0, 8.0, range(1, 2), is_hole=True))
    playback.skip(Skipped("video", 8.0, 12.0, range(2, 3), is_hole=True))
    playback.take_back("audio", 4.0)
    playback.take_back("video", 8.0)
    playback.media_ready(16.0, complete=True, now_s=1.0)
    shown = [change for change in playback.advance(20.0) if isinstance(change, SegmentStart)]
    assert shown == [SegmentStart(5.0, 2), SegmentStart(9.0, 3)]
