"""What is fetched next, and how far it can be played: two tracks of 4 s segments."""

from __future__ import annotations

import pytest

from player.playback.actions import Resource, Want
from player.playback.agenda import Choice
from player.playback.source import Source
from tests.fakes.agendas import begun, bring, playing
from tests.fakes.titles import URL, FakeTitle


def test_playable_is_what_all_tracks_have() -> None:
    """8 s of video and 4 s of audio make 4 s; a finished audio track limits nothing."""
    agenda, _ = begun(FakeTitle(segments=2))
    bring(agenda, "video")
    bring(agenda, "video")
    bring(agenda, "audio")
    assert (agenda.ready_s, agenda.is_all_playable) == (4.0, False)
    bring(agenda, "audio")
    assert (agenda.ready_s, agenda.is_all_playable) == (8.0, True)


def test_a_segment_needs_its_key_and_its_section() -> None:
    agenda, _ = begun(FakeTitle(segments=1, is_encrypted=True, has_audio=False))
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
    agenda, _ = begun(FakeTitle(segments=2, has_audio=False))
    assert agenda.next_segment == 0
    agenda.add(Want(kind="segment", url="x", track="video", segment=0, rung=0, end_s=4.0))
    assert agenda.next_segment == 1
    assert list(agenda.segments_until(8.0)) == [1]
    assert repr(agenda) == "<Agenda video 4.000 of 8.000 s, no choice>"


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
    agenda, headroom = begun(FakeTitle(segments=6, has_audio=False), fast_switch=True)
    for _ in range(4):
        bring(agenda, "video")
    playback = playing(16.0)
    playback.advance(3.0)
    chosen = Choice(4, 2, not_before_s=0.0)
    assert agenda.replace_lower(chosen, playback, 3.0) == Choice(2, 2, not_before_s=0.0)
    assert (agenda.next_segment, agenda.picture_s) == (2, 16.0)
    assert headroom.wait_for_room_s(playback, 3.0) == 0.0
    bring(agenda, "video", 0)
    assert (agenda.next_segment, agenda.picture_s) == (3, 16.0)


@pytest.mark.parametrize(("rung", "played_s"), [(0, 3.0), (2, 11.0)])
def test_nothing_is_replaced_by_the_same_or_when_little_is_ahead(
    rung: int, played_s: float
) -> None:
    """Of 16 s of rung 0, 5 s are less than one and a half segments."""
    agenda, _ = begun(FakeTitle(segments=6, has_audio=False), fast_switch=True)
    for _ in range(4):
        bring(agenda, "video")
    playback = playing(16.0)
    playback.advance(played_s)
    chosen = Choice(4, rung, not_before_s=0.0)
    assert agenda.replace_lower(chosen, playback, played_s) is chosen
    assert agenda.next_segment == 4
