"""What segments need and could not be had at first: asked for again while it is of use."""

from __future__ import annotations

import pytest

from abr.qoe import summary
from player.drivers.virtual import VirtualResponse
from player.playback.actions import Want
from player.playback.retry import Failure
from tests.fakes.agendas import begun
from tests.fakes.playlists import stream
from tests.fakes.texts import TextTitle, lasting
from tests.fakes.titles import FakeTitle, play_fake
from tests.scripts.session import Clock, play, problems, random_script


def test_what_fails_while_its_segment_waits_for_another_try_is_tried_again() -> None:
    """Both fail at once: the segment first, so that nothing of it is under way."""
    failed: set[str] = set()

    def refuse(want: Want) -> VirtualResponse | None:
        if want.kind not in ("init", "segment") or want.kind in failed:
            return None
        failed.add(want.kind)
        if want.kind == "segment":
            return VirtualResponse(0, status=503)
        # It takes longer, so that its segment waits to be asked for again.
        return VirtualResponse(20_000, failure=Failure("unusable", message="a page"))

    title = FakeTitle(segments=1, rates_bps=(1_000_000,), has_audio=False, refuse=refuse)
    log = play_fake(title)
    assert summary(log).ended == "complete"
    assert [want.kind for want in title.asked].count("init") == 2


def test_what_segments_wait_for_is_known_until_it_is_here_or_they_are_not_played() -> None:
    """Who asked for it may have gone elsewhere since."""
    agenda, _ = begun(FakeTitle(segments=3, has_audio=False))
    ref = agenda.find("video", 0)
    assert ref is not None
    (need,) = agenda.needs(ref, "video", 0)
    agenda.add(agenda.want(ref, "video", 0, 0))
    assert list(agenda.lacking()) == [need]
    agenda.add(need)
    assert list(agenda.lacking()) == []


def test_what_is_not_played_any_more_lacks_nothing() -> None:
    """Playback ends before it."""
    agenda, _ = begun(FakeTitle(segments=3, has_audio=False))
    ref = agenda.find("video", 0)
    assert ref is not None
    list(agenda.needs(ref, "video", 0))
    agenda.add(agenda.want(ref, "video", 0, 0))
    agenda.end_at(0.0)
    assert list(agenda.lacking()) == []


def test_the_last_segment_moves_no_end_that_was_set_before_it() -> None:
    """What was under way when nothing more could be had arrives all the same."""
    agenda, _ = begun(FakeTitle(segments=1, has_audio=False))
    ref = agenda.find("video", 0)
    assert ref is not None
    agenda.end_at(2.0)
    agenda.add(agenda.want(ref, "video", 0, 0))
    assert agenda.track("video").end_s == 2.0


def test_a_place_whose_picture_brings_the_sound_stands_in_for_one_with_sound_apart() -> None:
    """The second variant's playlist is listed as the sound of both."""
    sound = ',AUDIO="a"'
    lines = ["#EXTM3U", '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x",URI="v.m3u8"']
    lines += [*stream(300_000, "http://gone.test/v.m3u8", sound), *stream(300_000, "v.m3u8", sound)]
    title = TextTitle({"m.m3u8": "\n".join(lines) + "\n", "v.m3u8": lasting(4, 4)})
    assert summary(title.play()).ended == "complete"


@pytest.mark.parametrize(
    ("number", "clock"),
    [
        (5000658, "virtual"),  # the last segment arrived after the end was set
        (5006595, "live"),  # given up for what comes later, then needed before
        (5011304, "virtual"),  # one key of two tracks, given up for one
        (5014089, "live"),  # a playlist given up, then needed before
        (5015414, "virtual"),  # an initialisation section at the URL of a live playlist
        (5022998, "virtual"),  # a key aborted as useless, then needed before
    ],
)
def test_a_session_that_cannot_go_on_says_what_failed(number: int, clock: Clock) -> None:
    """Random scripts that once ended with nothing left to wait for."""
    script = random_script(number)
    assert problems(script, play(script, clock)) == []
