"""When there is room for what is fetched next: two tracks of 4 s segments."""

from __future__ import annotations

import math

import pytest

from player.playback.agenda import Agenda, Choice
from player.playback.headroom import Headroom
from player.playback.states import Playback
from player.presets import preset
from tests.fakes.agendas import begun, bring, playing
from tests.fakes.titles import FakeTitle


def audio_due(agenda: Agenda, headroom: Headroom) -> int | None:
    rung = headroom.audio_rung(0.0)
    ref = None if rung is None else agenda.find("audio", rung)
    if ref is None or not headroom.is_audio_due(ref, Playback(), 0.0):
        return None
    return ref.index


def test_audio_is_due_once_the_video_of_the_same_time_is_here() -> None:
    agenda, headroom = begun()
    assert audio_due(agenda, headroom) is None
    bring(agenda, "video")
    assert audio_due(agenda, headroom) == 0
    bring(agenda, "audio")
    assert audio_due(agenda, headroom) is None


def test_together_audio_is_due_once_its_video_is_asked_for() -> None:
    """In turn it waits for the video to arrive."""
    for tracks, due in (("together", 0), ("in-turn", None)):
        agenda, headroom = begun(tracks=tracks)
        agenda.track("video").request_id = 7
        assert audio_due(agenda, headroom) == due


def test_audio_under_way_keeps_the_video_waiting_in_turn_only() -> None:
    for tracks, is_free in (("together", True), ("in-turn", False)):
        agenda, headroom = begun(tracks=tracks)
        bring(agenda, "video")
        agenda.track("audio").request_id = 7
        assert headroom.is_free_for_video == is_free


def test_audio_that_outlasts_the_video_is_still_due() -> None:
    """All video is here: the middle of the last audio segment lies behind its end."""
    agenda, headroom = begun(FakeTitle(segments=1, audio_overhang_s=6.0))
    bring(agenda, "video")
    assert audio_due(agenda, headroom) == 0


@pytest.mark.parametrize(
    ("max_buffer_s", "wait_s"),
    [(12.0, 0.0), (11.0, 1.0), (8.0, 4.0), (5.0, 7.0), (3.0, 8.0)],
)
def test_a_segment_waits_until_it_fits(max_buffer_s: float, wait_s: float) -> None:
    """8 s ahead and 4 s more make 12 s; where nothing ever fits, until the buffer is empty."""
    agenda, headroom = begun(FakeTitle(segments=3, has_audio=False), max_buffer_s=max_buffer_s)
    bring(agenda, "video")
    bring(agenda, "video")
    playback = playing(8.0)
    assert headroom.wait_for_room_s(playback, 0.0) == wait_s
    assert headroom.next_time_s(playback, 0.0) == wait_s
    assert headroom.is_full(playback, 0.0) == (wait_s > 0)


def test_a_paused_playback_waits_for_the_viewer() -> None:
    agenda, headroom = begun(FakeTitle(segments=3, has_audio=False), max_buffer_s=5.0)
    bring(agenda, "video")
    playback = playing(4.0)
    playback.pause(0.0)
    assert headroom.next_time_s(playback, 0.0) == math.inf


def test_a_playback_that_lacks_media_need_not_wait_for_room() -> None:
    """Startup wants more than there is."""
    agenda, headroom = begun(FakeTitle(segments=3, has_audio=False), max_buffer_s=5.0)
    bring(agenda, "video")
    assert headroom.wait_for_room_s(Playback(), 0.0) == 0.0


def test_how_long_the_buffer_was_full_is_told_once() -> None:
    """Full from 2 s, however often one looks; asked at 5 s."""
    agenda, headroom = begun(FakeTitle(segments=3, has_audio=False), max_buffer_s=5.0)
    bring(agenda, "video")
    playback = playing(4.0)
    assert headroom.is_full(playback, 2.0)
    assert headroom.is_full(playback, 2.5)
    assert [headroom.take_waited_s(5.0), headroom.take_waited_s(6.0)] == [3.0, 0.0]


def test_a_choice_is_planned_for_its_time() -> None:
    agenda, headroom = begun(FakeTitle(segments=3, has_audio=False))
    agenda.choice = Choice(0, 1, not_before_s=2.5)
    assert headroom.next_time_s(Playback(), 1.0) == 2.5
    assert headroom.next_time_s(Playback(), 3.0) == math.inf


def test_where_a_segment_may_overshoot_its_length_does_not_matter() -> None:
    """8 s ahead: with room for 9 s it is asked for at once, with room for 7 in a second."""
    for max_buffer_s, wait_s in ((9.0, 0.0), (7.0, 1.0)):
        agenda, headroom = begun(
            FakeTitle(segments=3, has_audio=False), max_buffer_s=max_buffer_s, overshoot=True
        )
        bring(agenda, "video")
        bring(agenda, "video")
        assert headroom.wait_for_room_s(playing(8.0), 0.0) == wait_s


def test_where_the_goal_is_bytes_it_depends_on_the_rung() -> None:
    """3.2 Mbit are 3.2 s at 1 Mbit/s and 0.8 s at 4, but no less than 2 s; 8 s are ahead.

    What is chosen waits for its own goal.
    """
    title = FakeTitle(segments=3, has_audio=False, rates_bps=(1_000_000, 4_000_000))
    agenda, headroom = begun(title, max_buffer_s=2.0, buffer_bytes=4e5, overshoot=True)
    bring(agenda, "video")
    bring(agenda, "video")
    playback = playing(8.0)
    agenda.asked_rung = 0
    assert headroom.wait_for_room_s(playback, 0.0) == pytest.approx(4.8)
    choice = agenda.choice = Choice(2, 1, not_before_s=0.0)
    playback.advance(4.8)
    assert headroom.wait_for_choice_s(choice, playback, 4.8) == pytest.approx(1.2)
    assert headroom.next_time_s(playback, 4.8) == pytest.approx(6.0)


def test_paced_audio_waits_for_room_of_its_own() -> None:
    """8 s of audio are ahead of the playhead, video is not under way, and 6 s is the goal."""
    agenda, headroom = begun(
        FakeTitle(segments=4), max_buffer_s=6.0, overshoot=True, tracks="paced"
    )
    for track in ("video", "audio"):
        bring(agenda, track)
        bring(agenda, track)
    playback = playing(8.0)
    assert headroom.next_time_s(playback, 0.0) == pytest.approx(2.0)
    ref = agenda.find("audio", 0)
    assert ref is not None
    assert not headroom.is_audio_due(ref, playback, 0.0)
    playback.advance(2.0)
    assert headroom.is_audio_due(ref, playback, 2.0)


def test_tracks_apart_keep_video_from_running_ahead_of_audio() -> None:
    agenda, headroom = begun(FakeTitle(segments=4), tracks="apart")
    bring(agenda, "video")
    assert not headroom.is_free_for_video
    bring(agenda, "audio")
    assert headroom.is_free_for_video


def test_sound_that_fills_its_source_buffer_sets_the_goal() -> None:
    """hls.js: 24.2 kB/s of sound and Chromium's notes fill 12 MiB in 430 s.

    60 MB of video at 0.5 Mbit/s would last 960 s.
    """
    title = FakeTitle(segments=200, rates_bps=(500_000,))
    agenda, headroom = begun(title, **preset("hlsjs-chromium").settings)
    bring(agenda, "video")
    bring(agenda, "audio")
    playback = playing(800.0)
    agenda.track("video").fetched_s = 470.0
    assert headroom.wait_for_room_s(playback, 0.0) == 0.0
    ref = agenda.find("audio", 0)
    assert ref is not None
    headroom.weigh(agenda.want(ref, "audio", 1, 0), 24_200 * 4.0, 4.0)
    assert headroom.wait_for_room_s(playback, 0.0) == pytest.approx(40.0, abs=1.0)
