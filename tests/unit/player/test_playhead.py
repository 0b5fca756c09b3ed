"""The arithmetic that all drivers share: numbers that can be checked by hand."""

from __future__ import annotations

import math

import pytest

from player.config import PlayerConfig
from player.playback.playhead import (
    ENDED,
    PAUSED,
    PLAYING,
    STALLED,
    STARTUP,
    Playhead,
    Thresholds,
    add_media,
    begin,
    buffer_s,
    initial_playhead,
    next_change_s,
    playhead_s,
    run_out,
    runs_out_s,
    shown_at_s,
    stand_still,
    thresholds_of,
    wait_for_room_s,
)

PLAIN = Thresholds()


def playing(*, since_s: float = 3.0, from_s: float = 4.0, ready_s: float = 10.0) -> Playhead:
    """Playing since 3 s from media time 4 s on, with 10 s ready."""
    return Playhead(PLAYING, since_s, from_s, ready_s, math.inf, 0.2)


def test_while_playing_media_passes_as_time_does_until_it_is_used_up() -> None:
    """At 5 s it shows 4 + 2 = 6 s of 10 s; what is ready lasts until 3 + 6 = 9 s."""
    head = playing()
    assert (playhead_s(head, 5.0), buffer_s(head, 5.0), runs_out_s(head)) == (6.0, 4.0, 9.0)
    assert (playhead_s(head, 20.0), buffer_s(head, 20.0)) == (10.0, 0.0)


def test_otherwise_the_playhead_stands() -> None:
    for state in (STARTUP, STALLED, PAUSED, ENDED):
        head = playing()._replace(state=state)
        assert (playhead_s(head, 5.0), buffer_s(head, 5.0)) == (4.0, 6.0)
        assert next_change_s(head) == math.inf


def test_playback_begins_when_there_is_enough_after_the_render_delay() -> None:
    """2 s are asked for: 1.5 s do not start, 2 s at time 7 do, at 7.25."""
    thresholds = Thresholds(startup_s=2.0, render_delay_s=0.25)
    head = add_media(initial_playhead(thresholds), 1.5, 1.5, False, 6.0, thresholds)
    assert next_change_s(head) == math.inf
    head = add_media(head, 2.0, 2.0, False, 7.0, thresholds)
    assert next_change_s(head) == 7.25
    assert begin(head)[:3] == (PLAYING, 7.25, 0.0)


def test_more_media_while_about_to_begin_changes_no_time() -> None:
    thresholds = Thresholds(render_delay_s=1.0)
    head = add_media(initial_playhead(thresholds), 2.0, 2.0, False, 1.0, thresholds)
    head = add_media(head, 4.0, 4.0, False, 1.5, thresholds)
    assert (head.begin_at_s, head.ready_s) == (2.0, 4.0)


def test_media_never_gets_less() -> None:
    assert add_media(playing(), 8.0, 8.0, False, 4.0, PLAIN).ready_s == 10.0


def test_what_runs_out_is_a_stall_or_the_end() -> None:
    """At 9 s; the threshold to resume grows from 0.2 s by half."""
    thresholds = Thresholds(resume_s=0.2, resume_growth=1.5)
    stalled = run_out(playing(), False, thresholds)
    assert stalled[:3] == (STALLED, 9.0, 10.0)
    assert stalled.resume_s == pytest.approx(0.3)
    ended = run_out(playing(), True, thresholds)
    assert ended[:3] == (ENDED, 9.0, 10.0)
    assert ended.resume_s == 0.2


def test_to_stand_still_keeps_what_is_shown() -> None:
    """Paused at 5 s: 6 s of media on screen, and nothing is about to begin."""
    head = stand_still(playing(), PAUSED, 5.0)
    assert head[:3] == (PAUSED, 5.0, 6.0)
    assert playhead_s(head, 99.0) == 6.0


@pytest.mark.parametrize(
    ("head", "most_s", "wait_s"),
    [
        (playing(), 10.0, 0.0),  # 6 s ahead and 4 s more are 10 s: they fit
        (playing(), 9.0, 1.0),
        (playing(), 1.0, 6.0),  # longer than the buffer: when that is empty
        (playing()._replace(state=PAUSED), 9.0, math.inf),
        (playing()._replace(state=STALLED), 9.0, 0.0),  # what is there is too little
        (playing()._replace(state=STARTUP, begin_at_s=8.0), 9.0, math.inf),
    ],
)
def test_a_segment_waits_until_it_fits(head: Playhead, most_s: float, wait_s: float) -> None:
    """Of 4 s, at time 3 with media up to 10 s fetched."""
    assert wait_for_room_s(head, 3.0, 10.0, 4.0, most_s) == wait_s


def test_a_segment_is_shown_when_the_playhead_is_there() -> None:
    """That of media time 7 at 3 + 3 s; one that began before, at the change of state."""
    head = playing()
    assert shown_at_s(head, 7.0) == 6.0
    assert shown_at_s(head, 2.0) == 3.0
    assert shown_at_s(head, 10.0) == math.inf
    assert shown_at_s(head._replace(state=STALLED), 7.0) == math.inf


def test_the_resume_threshold_is_no_more_than_the_buffer_holds() -> None:
    config = PlayerConfig(max_buffer_s=2.0, resume_max_s=3.0, startup_buffer_s=1.0)
    assert thresholds_of(config) == Thresholds(1.0, 0.2, 1.0, 2.0, 0.0)
