"""Fast switching: which segment is replaced, and when that is given up."""

from __future__ import annotations

import math

import pytest

from abr.algorithms import bola_e, dynamic, fast_switching
from abr.algorithms.fast_switching import NEVER, NEWEST_FIRST, OLDEST_FIRST
from abr.decision import Decision, Download, Observation, Progress, Rule
from tests.fakes.observations import PRESENTATION
from tests.fakes.observations import seen as at


def seen(buffer_s: float) -> Observation:
    return at(buffer_s, segment=6, max_buffer_s=25.0)


def buffered(rungs: list[int]) -> fast_switching.Buffered:
    held = fast_switching.buffered_start(10)
    for segment, rung in enumerate(rungs):
        fast_switching.buffered_add(held, Download(segment, rung, 1.0, 0.0, 0.0, 1.0))
    return held


RUNGS = [0, 0, 3, 1, 0, 2]


@pytest.mark.parametrize(
    ("order", "buffer_s", "rung", "segment"),
    [
        # 16 s of 4-s segments: those from 6 s on are 4 and 5; of 14 s the same.
        (OLDEST_FIRST, 16.0, 2, 4),
        (OLDEST_FIRST, 14.0, 2, 4),
        (NEWEST_FIRST, 16.0, 3, 5),
        (NEWEST_FIRST, 16.0, 2, 4),
        # 13.9 s: segment 4 begins in 5.9 s, too soon.
        (OLDEST_FIRST, 13.9, 3, 5),
        (OLDEST_FIRST, 13.9, 2, -1),
        # 18 s: segment 3 as well.
        (OLDEST_FIRST, 18.0, 2, 3),
        (OLDEST_FIRST, 24.0, 0, -1),
        (OLDEST_FIRST, 4.0, 3, -1),
        (NEVER, 24.0, 3, -1),
    ],
)
def test_segments_that_begin_no_sooner_than_one_and_a_half_from_now(
    order: int, buffer_s: float, rung: int, segment: int
) -> None:
    decision = Decision(rung, 1.5, 1)
    answer = fast_switching.prefer_replacement(
        order, buffered(RUNGS), seen(buffer_s), 4.0, decision, 7
    )
    assert answer == (decision if segment < 0 else Decision(rung, 0.0, 7, segment))


def progress(buffer_s: float, segment: int = 4) -> Progress:
    return Progress(102.0, segment, 2, 2e6, 1e6, 100.0, 100.1, buffer_s)


def test_a_replacement_is_late_when_its_segment_is_next() -> None:
    """Segments 4 and 5 are 8 s."""
    assert not fast_switching.is_too_late(seen(16), progress(8.01), 4.0)
    assert fast_switching.is_too_late(seen(16), progress(8.0), 4.0)


@pytest.mark.parametrize("rule", [bola_e.make(fast_switching=1), dynamic.make(fast_switching=1)])
def test_rules_give_up_late_replacements_only(rule: Rule) -> None:
    """However slow they are: half of it in 2 s is otherwise no reason to stay."""
    assert rule.reconsider is not None
    assert rule.delivered is not None
    state = rule.start(rule.params, PRESENTATION.bitrates_bps, PRESENTATION.durations_s)
    for segment in range(6):
        took = Download(segment, 0, 1e6, 0.0, 0.0, 0.5)
        rule.delivered(rule.params, state, at(4.0, max_buffer_s=25.0), took)
    decision = rule.choose(rule.params, state, seen(16))
    assert (decision.segment, rule.reasons[decision.reason]) == (4, "replaces a segment")
    assert rule.reconsider(rule.params, state, seen(16), progress(8.1)).rung == 2
    assert rule.reconsider(rule.params, state, seen(16), progress(7.9)).rung < 2


def test_a_replacement_makes_room_for_bola_e_to_trust_its_buffer() -> None:
    """The placeholder grows by a segment; an ordinary arrival never does that."""
    rule = bola_e.make(fast_switching=1)
    state = rule.start(rule.params, PRESENTATION.bitrates_bps, PRESENTATION.durations_s)
    state.buffered.replacing[0] = 4
    bola_e.delivered(rule.params, state, seen(12), Download(4, 2, 2e6, 0.0, 0.0, 1.0))
    assert state.placeholder_ms[0] == 4000
    assert state.buffered.rungs[4] == 2
    assert state.buffered.replacing[0] == -1


def test_after_a_replacement_dynamic_goes_by_throughput() -> None:
    rule = dynamic.make(fast_switching=2)
    state = rule.start(rule.params, PRESENTATION.bitrates_bps, PRESENTATION.durations_s)
    state.is_bola[0] = 1
    state.buffered.replacing[0] = 4
    dynamic.delivered(rule.params, state, seen(12), Download(4, 2, 2e6, 0.0, 0.0, 1.0))
    assert state.is_bola[0] == 0


def test_nothing_is_being_replaced_at_first() -> None:
    held = fast_switching.buffered_start(3)
    assert not fast_switching.is_replacing(held, 0)
    assert not math.isnan(held.replacing[0])
