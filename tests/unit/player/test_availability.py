"""How long is tried for one piece of media."""

from __future__ import annotations

from player.playback.actions import Want
from player.playback.availability import Availability, Search

VIDEO = Want(kind="segment", url="v/0", track="video", playlist="v")
KEY = Want(kind="key", url="k", track="video", playlist="v")
AUDIO = Want(kind="segment", url="a/0", track="audio", playlist="a")


def fail(
    found: Availability, want: Want, at_s: float, times_s: tuple[float, float], buffer_s: float
) -> Search:
    """A try that was asked for first, and fails, at these times."""
    asked_s, now_s = times_s
    return found.failed(want, at_s, what="x", asked_s=asked_s, now_s=now_s, buffer_s=buffer_s)


def test_before_playback_patience_is_half_as_long() -> None:
    found = Availability(20.0)
    for tries in (1, 2):
        search = found.failed(VIDEO, 0.0, what="x", asked_s=1.0, now_s=2.0, buffer_s=None)
        assert (search.until_s, search.tries["segment"]) == (11.0, tries)
    assert found.playlists == {"v"}


def test_a_search_is_over_when_its_media_can_be_played() -> None:
    """Not when the next segment is here, while what it needs is not."""
    found = Availability(20.0)
    fail(found, VIDEO, 4.0, (5.0, 6.0), 0.0)
    found.found("video", 4.0)
    found.found("audio", 8.0)
    assert found.playlists == {"v"}
    found.found("video", 8.0)
    assert found.playlists == set()


def test_patience_counts_from_the_first_try_and_lasts_as_long_as_the_buffer() -> None:
    """20 s after 5 s; with 30 s buffered until that is played."""
    for buffer_s, until_s in ((3.0, 25.0), (30.0, 36.0)):
        found = Availability(20.0)
        first = fail(found, VIDEO, 8.0, (5.0, 6.0), buffer_s)
        assert (first.until_s, first.tries["segment"]) == (until_s, 1)
        again = fail(found, VIDEO, 8.0, (15.0, 16.0), 1.0)
        assert (again.until_s, again.tries["segment"]) == (until_s, 2)


def test_what_fails_beside_a_segment_does_not_use_up_its_tries() -> None:
    """One outage fails a key, a section and their segment at once."""
    found = Availability(20.0)
    fail(found, KEY, 8.0, (5.0, 6.0), 3.0)
    search = fail(found, VIDEO, 8.0, (5.0, 6.0), 3.0)
    assert (search.tries["key"], search.tries["segment"]) == (1, 1)


def test_each_piece_and_each_track_has_its_own_budget() -> None:
    found = Availability(20.0)
    fail(found, VIDEO, 8.0, (5.0, 6.0), 0.0)
    audio = fail(found, AUDIO, 8.0, (7.0, 7.0), 0.0)
    assert (audio.until_s, audio.tries["segment"]) == (27.0, 1)
    later = fail(found, VIDEO, 12.0, (30.0, 31.0), 0.0)
    assert (later.until_s, later.tries["segment"]) == (50.0, 1)
    assert repr(found) == "<Availability, searching for video 8 s, audio 8 s, video 12 s>"
