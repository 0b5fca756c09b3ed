"""What is fetched next, and when there is room for it: two tracks of 4 s segments."""

from __future__ import annotations

import math

import pytest

from player.config import PlayerConfig
from player.playback.actions import Resource, TrackName, Want
from player.playback.agenda import Agenda, Choice
from player.playback.source import Source
from player.playback.states import Playback
from player.presets import preset
from tests.fakes.titles import URL, FakeTitle


def begun(title: FakeTitle | None = None, **config: object) -> Agenda:
    """An agenda whose playlists are here: rung 0 and, if there is any, the audio."""
    title = title or FakeTitle(segments=3)
    known = Source(URL)
    (first,) = known.first_wants
    wants = known.take(first, title.multivariant(), url=URL, shown="x")
    for want in wants:
        text = title.media(-1 if want.track == "audio" else want.rung)
        known.take(want, text, url=want.url, shown="x")
    agenda = Agenda(known, PlayerConfig(**config))  # type: ignore[arg-type]  # passed on
    assert known.presentation is not None
    agenda.begin(known.presentation)
    return agenda


def bring(agenda: Agenda, track: TrackName, rung: int = 0) -> None:
    ref = agenda.find(track, rung)
    assert ref is not None
    agenda.add(agenda.want(ref, track, ref.index, rung))
    for need in agenda.needs(ref, track, rung):
        agenda.add(need)


def audio_due(agenda: Agenda) -> int | None:
    rung = agenda.audio_rung(0.0)
    ref = None if rung is None else agenda.find("audio", rung)
    if ref is None or not agenda.is_audio_due(ref, Playback(), 0.0):
        return None
    return ref.index


def playing(ahead_s: float) -> Playback:
    playback = Playback()
    playback.set_durations([4.0] * 3)
    playback.media_ready(ahead_s, complete=False, now_s=0.0)
    return playback


def test_audio_is_due_once_the_video_of_the_same_time_is_here() -> None:
    agenda = begun()
    assert audio_due(agenda) is None
    bring(agenda, "video")
    assert audio_due(agenda) == 0
    bring(agenda, "audio")
    assert audio_due(agenda) is None


def test_together_audio_is_due_once_its_video_is_asked_for() -> None:
    """In turn it waits for the video to arrive."""
    for tracks, due in (("together", 0), ("in-turn", None)):
        agenda = begun(tracks=tracks)
        agenda.track("video").request_id = 7
        assert audio_due(agenda) == due


def test_audio_under_way_keeps_the_video_waiting_in_turn_only() -> None:
    for tracks, is_free in (("together", True), ("in-turn", False)):
        agenda = begun(tracks=tracks)
        bring(agenda, "video")
        agenda.track("audio").request_id = 7
        assert agenda.is_free_for_video == is_free


def test_audio_that_outlasts_the_video_is_still_due() -> None:
    """All video is here: the middle of the last audio segment lies behind its end."""
    agenda = begun(FakeTitle(segments=1, audio_overhang_s=6.0))
    bring(agenda, "video")
    assert audio_due(agenda) == 0


def test_playable_is_what_all_tracks_have() -> None:
    """8 s of video and 4 s of audio make 4 s; a finished audio track limits nothing."""
    agenda = begun(FakeTitle(segments=2))
    bring(agenda, "video")
    bring(agenda, "video")
    bring(agenda, "audio")
    assert (agenda.ready_s, agenda.is_all_playable) == (4.0, False)
    bring(agenda, "audio")
    assert (agenda.ready_s, agenda.is_all_playable) == (8.0, True)


@pytest.mark.parametrize(
    ("max_buffer_s", "wait_s"),
    [(12.0, 0.0), (11.0, 1.0), (8.0, 4.0), (5.0, 7.0), (3.0, 8.0)],
)
def test_a_segment_waits_until_it_fits(max_buffer_s: float, wait_s: float) -> None:
    """8 s ahead and 4 s more make 12 s; where nothing ever fits, until the buffer is empty."""
    agenda = begun(FakeTitle(segments=3, has_audio=False), max_buffer_s=max_buffer_s)
    bring(agenda, "video")
    bring(agenda, "video")
    playback = playing(8.0)
    assert agenda.wait_for_room_s(playback, 0.0) == wait_s
    assert agenda.next_time_s(playback, 0.0) == wait_s
    assert agenda.is_full(playback, 0.0) == (wait_s > 0)


def test_a_paused_playback_waits_for_the_viewer() -> None:
    agenda = begun(FakeTitle(segments=3, has_audio=False), max_buffer_s=5.0)
    bring(agenda, "video")
    playback = playing(4.0)
    playback.pause(0.0)
    assert agenda.next_time_s(playback, 0.0) == math.inf


def test_a_playback_that_lacks_media_need_not_wait_for_room() -> None:
    """Startup wants more than there is."""
    agenda = begun(FakeTitle(segments=3, has_audio=False), max_buffer_s=5.0)
    bring(agenda, "video")
    assert agenda.wait_for_room_s(Playback(), 0.0) == 0.0


def test_how_long_the_buffer_was_full_is_told_once() -> None:
    """Full from 2 s, however often one looks; asked at 5 s."""
    agenda = begun(FakeTitle(segments=3, has_audio=False), max_buffer_s=5.0)
    bring(agenda, "video")
    playback = playing(4.0)
    assert agenda.is_full(playback, 2.0)
    assert agenda.is_full(playback, 2.5)
    assert [agenda.take_waited_s(5.0), agenda.take_waited_s(6.0)] == [3.0, 0.0]


def test_a_choice_is_planned_for_its_time() -> None:
    agenda = begun(FakeTitle(segments=3, has_audio=False))
    agenda.choice = Choice(0, 1, not_before_s=2.5)
    assert agenda.next_time_s(Playback(), 1.0) == 2.5
    assert agenda.next_time_s(Playback(), 3.0) == math.inf


def test_a_segment_needs_its_key_and_its_section() -> None:
    agenda = begun(FakeTitle(segments=1, is_encrypted=True, has_audio=False))
    folder = URL.removesuffix("multivariant.m3u8")
    ref = agenda.find("video", 0)
    assert ref is not None
    assert [(need.kind, need.url) for need in agenda.needs(ref, "video", 0)] == [
        ("key", f"{folder}key/{'0' * 32}"),
        ("init", f"{folder}v0/init.mp4"),
    ]
    want = agenda.want(ref, "video", 0, 0)
    assert want.key is not None
    assert want.key.iv == bytes(16)
    assert want.init == Resource("init", f"{folder}v0/init.mp4")
    assert want.needs == {need.resource for need in agenda.needs(ref, "video", 0)}


def test_the_next_segment_lies_where_the_media_end() -> None:
    agenda = begun(FakeTitle(segments=2, has_audio=False))
    assert agenda.next_segment == 0
    agenda.add(Want(kind="segment", url="x", track="video", segment=0, rung=0, end_s=4.0))
    assert agenda.next_segment == 1
    assert list(agenda.segments_until(8.0)) == [1]
    assert repr(agenda) == "<Agenda video 4.000 of 8.000 s, no choice>"


def test_where_a_segment_may_overshoot_its_length_does_not_matter() -> None:
    """8 s ahead: with room for 9 s it is asked for at once, with room for 7 in a second."""
    for max_buffer_s, wait_s in ((9.0, 0.0), (7.0, 1.0)):
        agenda = begun(
            FakeTitle(segments=3, has_audio=False), max_buffer_s=max_buffer_s, overshoot=True
        )
        bring(agenda, "video")
        bring(agenda, "video")
        assert agenda.wait_for_room_s(playing(8.0), 0.0) == wait_s


def test_where_the_goal_is_bytes_it_depends_on_the_rung() -> None:
    """3.2 Mbit are 3.2 s at 1 Mbit/s and 0.8 s at 4, but no less than 2 s; 8 s are ahead.

    What is chosen waits for its own goal.
    """
    title = FakeTitle(segments=3, has_audio=False, rates_bps=(1_000_000, 4_000_000))
    agenda = begun(title, max_buffer_s=2.0, buffer_bytes=4e5, overshoot=True)
    bring(agenda, "video")
    bring(agenda, "video")
    playback = playing(8.0)
    agenda.asked_rung = 0
    assert agenda.wait_for_room_s(playback, 0.0) == pytest.approx(4.8)
    choice = agenda.choice = Choice(2, 1, not_before_s=0.0)
    playback.advance(4.8)
    assert agenda.wait_for_choice_s(choice, playback, 4.8) == pytest.approx(1.2)
    assert agenda.next_time_s(playback, 4.8) == pytest.approx(6.0)


def test_paced_audio_waits_for_room_of_its_own() -> None:
    """8 s of audio are ahead of the playhead, video is not under way, and 6 s is the goal."""
    agenda = begun(FakeTitle(segments=4), max_buffer_s=6.0, overshoot=True, tracks="paced")
    for track in ("video", "audio"):
        bring(agenda, track)
        bring(agenda, track)
    playback = playing(8.0)
    assert agenda.next_time_s(playback, 0.0) == pytest.approx(2.0)
    ref = agenda.find("audio", 0)
    assert ref is not None
    assert not agenda.is_audio_due(ref, playback, 0.0)
    playback.advance(2.0)
    assert agenda.is_audio_due(ref, playback, 2.0)


def test_tracks_apart_keep_video_from_running_ahead_of_audio() -> None:
    agenda = begun(FakeTitle(segments=4), tracks="apart")
    bring(agenda, "video")
    assert not agenda.is_free_for_video
    bring(agenda, "audio")
    assert agenda.is_free_for_video


def test_only_encrypted_samples_are_protected_media() -> None:
    """Whole files are decrypted by the player's own code, before the browser sees them."""
    title = FakeTitle(segments=1, has_audio=False, is_encrypted=True)
    for method, is_protected in (("AES-128", False), ("SAMPLE-AES-CTR", True)):
        known = Source(URL)
        (first,) = known.first_wants
        (want,) = known.take(first, title.multivariant(), url=URL, shown="x")
        assert not known.has_encrypted_samples
        text = title.media(0).replace("METHOD=AES-128", f"METHOD={method}")
        known.take(want, text, url=want.url, shown="x")
        assert known.has_encrypted_samples == is_protected


def test_a_switch_up_replaces_lower_rungs_from_one_and_a_half_segments_ahead_on() -> None:
    """16 s of rung 0 are ahead of a playhead at 3 s: from 9 s on, which is in the third segment."""
    agenda = begun(FakeTitle(segments=6, has_audio=False), fast_switch=True)
    for _ in range(4):
        bring(agenda, "video")
    playback = playing(16.0)
    playback.advance(3.0)
    chosen = Choice(4, 2, not_before_s=0.0)
    assert agenda.replace_lower(chosen, playback, 3.0) == Choice(2, 2, not_before_s=0.0)
    assert (agenda.next_segment, agenda.picture_s) == (2, 16.0)
    assert agenda.wait_for_room_s(playback, 3.0) == 0.0
    bring(agenda, "video", 0)
    assert (agenda.next_segment, agenda.picture_s) == (3, 16.0)


@pytest.mark.parametrize(("rung", "played_s"), [(0, 3.0), (2, 11.0)])
def test_nothing_is_replaced_by_the_same_or_when_little_is_ahead(
    rung: int, played_s: float
) -> None:
    """Of 16 s of rung 0, 5 s are less than one and a half segments."""
    agenda = begun(FakeTitle(segments=6, has_audio=False), fast_switch=True)
    for _ in range(4):
        bring(agenda, "video")
    playback = playing(16.0)
    playback.advance(played_s)
    chosen = Choice(4, rung, not_before_s=0.0)
    assert agenda.replace_lower(chosen, playback, played_s) is chosen
    assert agenda.next_segment == 4


def test_sound_that_fills_its_source_buffer_sets_the_goal() -> None:
    """hls.js: 24.2 kB/s of sound and Chromium's notes fill 12 MiB in 430 s.

    60 MB of video at 0.5 Mbit/s would last 960 s.
    """
    title = FakeTitle(segments=200, rates_bps=(500_000,))
    agenda = begun(title, **preset("hlsjs-chromium").settings)
    bring(agenda, "video")
    bring(agenda, "audio")
    playback = playing(800.0)
    agenda.track("video").fetched_s = 470.0
    assert agenda.wait_for_room_s(playback, 0.0) == 0.0
    ref = agenda.find("audio", 0)
    assert ref is not None
    agenda.weigh(agenda.want(ref, "audio", 1, 0), 24_200 * 4.0, 4.0)
    assert agenda.wait_for_room_s(playback, 0.0) == pytest.approx(40.0, abs=1.0)
