"""Segments that are there in name only (EXT-X-GAP)."""

from __future__ import annotations

import pytest

from abr.log import SessionLog
from abr.qoe import summary
from player import replay
from player.config import PlayerConfig
from player.drivers.replay import differences
from tests.fakes.titles import FakeTitle, fixed, play_fake

RUNGS = (0, 1, 2)
SOUND = -1


def play(title: FakeTitle, rung: int = 1) -> SessionLog:
    """Play a title with gaps; nothing of a gap may be asked for, and a replay is identical."""
    log = play_fake(title, algorithm=fixed(rung), config=PlayerConfig(max_buffer_s=12.0))
    assert differences(log, replay(log, algorithm=fixed(rung))) == []
    for want in title.asked:
        if want.kind == "segment":
            number = SOUND if want.track == "audio" else want.rung
            assert (number, want.segment) not in title.gaps
    return log


def shown(log: SessionLog) -> list[tuple[int, int]]:
    """Segment and rung of each picture that was shown."""
    return [(r["segment"], r["rung"]) for r in log.of("play")]


def notes(log: SessionLog) -> list[str]:
    """What people are told."""
    return [r["text"] for r in log.of("note")]


def test_another_rung_has_what_is_a_gap_in_one() -> None:
    """For that segment only: the rung is no worse for it."""
    log = play(FakeTitle(segments=5, gaps=frozenset({(1, 2)})))
    assert shown(log) == [(0, 1), (1, 1), (2, 0), (3, 1), (4, 1)]
    assert (summary(log).ended, summary(log).stall_events, notes(log)) == ("complete", 0, [])


def test_sound_plays_on_where_no_rung_has_a_picture() -> None:
    log = play(FakeTitle(segments=5, gaps=frozenset((rung, 2) for rung in RUNGS)))
    found = summary(log)
    assert [segment for segment, _ in shown(log)] == [0, 1, 3, 4]
    assert (found.ended, found.stall_events) == ("complete", 0)
    assert found.played_s == pytest.approx(20.0)
    assert notes(log) == ["no picture from 8 to 12 s: EXT-X-GAP"]


@pytest.mark.parametrize("has_audio", [True, False])
def test_playback_jumps_over_what_nobody_has(has_audio: bool) -> None:
    """Four of twenty seconds take no time; the playhead counts them all the same."""
    gaps = frozenset((rung, 2) for rung in (SOUND, *RUNGS))
    log = play(FakeTitle(segments=5, gaps=gaps, has_audio=has_audio))
    found = summary(log)
    assert [segment for segment, _ in shown(log)] == [0, 1, 3, 4]
    assert (found.ended, found.stall_events) == ("complete", 0)
    assert found.played_s == pytest.approx(16.0)
    assert log.records[-1]["playhead_s"] == pytest.approx(20.0)


def test_where_only_the_sound_is_missing_playback_jumps_too() -> None:
    """As in a browser, whose buffer ends where one of its tracks does."""
    found = summary(play(FakeTitle(segments=5, gaps=frozenset({(SOUND, 2)}))))
    assert (found.ended, found.stall_events) == ("complete", 0)
    assert found.played_s == pytest.approx(16.0)


@pytest.mark.parametrize("missing", [(0, 1), (3, 4), (0, 4), (1, 2, 3)])
def test_gaps_lie_anywhere(missing: tuple[int, ...]) -> None:
    """At the beginning, at the end, and many in a row."""
    gaps = frozenset((rung, index) for rung in (SOUND, *RUNGS) for index in missing)
    log = play(FakeTitle(segments=5, gaps=gaps))
    assert summary(log).ended == "complete"
    assert [segment for segment, _ in shown(log)] == [n for n in range(5) if n not in missing]
    assert summary(log).played_s == pytest.approx(4.0 * (5 - len(missing)))


def test_nothing_but_gaps_is_refused() -> None:
    gaps = frozenset((rung, index) for rung in (SOUND, *RUNGS) for index in range(3))
    log = play(FakeTitle(segments=3, gaps=gaps))
    assert summary(log).ended == "error: every segment is an EXT-X-GAP; nothing to play"


def test_a_thousand_gaps_are_passed_at_once() -> None:
    gaps = frozenset((rung, index) for rung in (SOUND, *RUNGS) for index in range(1, 1000))
    log = play(FakeTitle(segments=1001, gaps=gaps))
    assert [segment for segment, _ in shown(log)] == [0, 1000]
