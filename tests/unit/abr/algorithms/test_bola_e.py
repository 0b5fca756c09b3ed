"""``bola-e`` by hand.

Rungs of 1, 2, 4 and 8 Mbit/s, segments of 4 s, 25 s of buffer. The limit of 25 s is more
than 10 s and 2 s per rung, so gp = ln 8 / 1.5 and Vp = 10 s / gp = 15 s / ln 8 = 7.2135 s.
A rung is the best from Vp (gp + c) on: 12.2135 s, 17.2135 s and 22.2135 s of level, as c is
1 - ln 2, 1 and 1 + ln 2. It waits above Vp (gp + u): 17.2135 s, then 5 s more for each.
"""

from __future__ import annotations

import math

import pytest

from abr.algorithms import bola_e
from abr.checks import check_algorithm
from abr.decision import Decision, Download, Observation, Progress
from abr.media import Presentation, constant_presentation
from tests.fakes.observations import PRESENTATION
from tests.fakes.observations import seen as at

VP_S = 15 / math.log(8)


def seen(buffer_s: float, segment: int = 50) -> Observation:
    return at(buffer_s, segment=segment, max_buffer_s=25.0)


def start_session(
    presentation: Presentation = PRESENTATION, bps: float = 5e6, **params: float
) -> bola_e.State:
    """A playback that has measured one download without latency."""
    rule = bola_e.make(**params)
    state: bola_e.State = rule.start(
        rule.params, presentation.bitrates_bps, presentation.durations_s
    )
    arrive(rule.params, state, 0, 4.0, bps=bps)
    return state


def arrive(
    params: bola_e.Params, state: bola_e.State, rung: int, level_s: float, bps: float = 5e6
) -> None:
    """A segment arrives, with ``level_s`` of buffer once it is there."""
    size_bytes = float(PRESENTATION.sizes_bytes[rung, 0])
    took_s = 8 * size_bytes / bps
    bola_e.delivered(params, state, seen(level_s), Download(50, rung, size_bytes, 0.0, 0.0, took_s))


def placeholder_s(state: bola_e.State) -> float:
    return float(state.placeholder_ms[0]) / 1000


P = bola_e.Params()


def test_without_a_measurement_it_is_the_lowest_rung() -> None:
    rule = bola_e.make()
    state = rule.start(rule.params, PRESENTATION.bitrates_bps, PRESENTATION.durations_s)
    assert rule.choose(rule.params, state, seen(4)).rung == 0


def test_levels_where_rungs_begin_to_be_best() -> None:
    state = start_session()
    assert state.crossing[1:] == pytest.approx([1 - math.log(2), 1, 1 + math.log(2)])
    bola_e.choose(P, state, seen(4))
    levels = [bola_e.lowest_level_ms(state, rung) / 1000 for rung in range(4)]
    assert levels == pytest.approx([0, VP_S + 5, VP_S + 10, VP_S + 15])
    assert bola_e.highest_level_ms(state, 0) / 1000 == pytest.approx(VP_S + 10)


def test_the_first_decision_is_the_throughput_s_and_sets_the_placeholder() -> None:
    """5 Mbit/s carry rung 2, which is the best from 17.2135 s on; 4 s are there."""
    state = start_session()
    assert bola_e.choose(P, state, seen(4)).rung == 2
    assert placeholder_s(state) == pytest.approx(VP_S + 10 - 4)


@pytest.mark.parametrize(("buffer_s", "rung"), [(7.0, 2), (8.8, 2), (9.1, 3)])
def test_buffer_and_placeholder_choose_together(buffer_s: float, rung: int) -> None:
    """9 s and the placeholder of 13.2135 s are where rung 3 begins; 40 Mbit/s carry it."""
    state = start_session()
    bola_e.choose(P, state, seen(4))
    state.last_rung[0] = 3
    assert bola_e.choose(P, state, seen(buffer_s)).rung == rung


def test_a_switch_up_is_capped_one_above_the_throughput() -> None:
    bold, calm = bola_e.Params(), bola_e.Params(oscillation=True)
    for params, rung in ((bold, 1), (calm, 0)):
        state = start_session(bps=1.5e6)
        bola_e.choose(params, state, seen(4))
        state.placeholder_ms[0] = 20e3
        assert bola_e.choose(params, state, seen(8)).rung == rung


def test_waits_are_paid_from_the_placeholder_first() -> None:
    """Rung 0 waits above 17.2135 s. 16 s and 3 s: 1.7865 s are paid; 20 s: 2.7865 s are left."""
    calm = bola_e.Params(oscillation=True)
    state = start_session(bps=1.5e6)
    bola_e.choose(calm, state, seen(4))
    state.placeholder_ms[0] = 3e3
    assert bola_e.choose(calm, state, seen(16)).wait_s == 0
    assert placeholder_s(state) == pytest.approx(VP_S + 10 - 16)
    state.placeholder_ms[0] = 0
    assert bola_e.choose(calm, state, seen(20)).wait_s == pytest.approx(20 - VP_S - 10)


def test_the_top_rung_never_waits() -> None:
    state = start_session(bps=40e6)
    bola_e.choose(P, state, seen(4))
    state.last_rung[0] = 3
    assert bola_e.choose(P, state, seen(60)) == Decision(3, 0.0, 2)


def test_what_the_buffer_cannot_pay_for_lowers_rung_and_placeholder() -> None:
    """0.9 of 2 s at 5 Mbit/s are 9 Mbit: rung 1 (8 Mbit) but not 2 (16 Mbit)."""
    state = start_session()
    bola_e.choose(P, state, seen(4))
    state.placeholder_ms[0] = 18e3
    decision = bola_e.choose(P, state, seen(2))
    assert (decision.rung, bola_e.REASONS[decision.reason]) == (1, "insufficient buffer")
    assert placeholder_s(state) == pytest.approx(VP_S + 5 - 2)


def test_waiting_for_room_raises_the_placeholder() -> None:
    state = start_session()
    bola_e.choose(P, state, seen(4))
    before_s = placeholder_s(state)
    bola_e.waited(P, state, seen(4), 2.5)
    assert placeholder_s(state) == pytest.approx(before_s + 2.5)


def test_an_arrival_keeps_the_placeholder_within_reason() -> None:
    """Rung 2 takes 3.2 s. At 6 s after it, it was 9.2 s: 17.2135 to 27.2135 less that."""
    for placed_s, kept_s in ((0.0, VP_S + 10 - 9.2), (12.0, 12.0), (30.0, VP_S + 20 - 9.2)):
        state = start_session()
        bola_e.choose(P, state, seen(4))
        state.placeholder_ms[0] = 1e3 * placed_s
        arrive(P, state, 2, 6.0)
        assert placeholder_s(state) == pytest.approx(kept_s)
        assert state.last_rung[0] == 2


def progress(got: float, level_s: float, rung: int = 3, elapsed_s: float = 2.0) -> Progress:
    size_bytes = float(PRESENTATION.sizes_bytes[rung, 50])
    return Progress(100 + elapsed_s, 50, rung, size_bytes, got * size_bytes, 100.0, 100.2, level_s)


def test_a_download_is_given_up_for_a_better_score() -> None:
    """3 s and no placeholder, rung 3 of 4 MB with a tenth there: 1.8 s for 0.4 MB.

    After another 0.2 s of latency 2.8 s are left, and 3.556 MB. Scores in s/MB: rung 3
    (32.2135 - 2.8) / 3.556 = 8.3; rung 0 of 0.5 MB (17.2135 - 2.8) / 0.5 = 28.8, the best.
    """
    state = start_session()
    bola_e.choose(P, state, seen(4))
    state.placeholder_ms[0] = 9e3
    still = bola_e.reconsider(P, state, seen(5), progress(0.999, 3.0))
    assert still.rung == 3
    state.placeholder_ms[0] = 0.0
    answer = bola_e.reconsider(P, state, seen(5), progress(0.1, 3.0))
    assert (answer.rung, bola_e.REASONS[answer.reason]) == (0, "abandons")
    assert state.last_rung[0] == 3


def test_giving_up_lowers_the_placeholder() -> None:
    """For rung 0 no more than 10 s less the 3 s there are."""
    state = start_session()
    bola_e.choose(P, state, seen(4))
    state.placeholder_ms[0] = 9e3
    bola_e.note_abandonment(state, progress(0.1, 3.0), 0)
    assert placeholder_s(state) == pytest.approx(7)
    bola_e.note_abandonment(state, progress(0.1, 8.0), 1)
    assert placeholder_s(state) == pytest.approx(VP_S + 5 - 8)


def test_downloads_are_left_alone_when_told_so() -> None:
    state = start_session()
    bola_e.choose(P, state, seen(4))
    patient = bola_e.Params(abandon=False)
    assert bola_e.reconsider(patient, state, seen(5), progress(0.01, 0.5)).rung == 3


def test_without_the_buffer_rule_gp_sets_the_weights() -> None:
    """gp 5 less 1; Vp = (25 - 4) / (1 + ln 8 + 4)."""
    params = bola_e.Params(buffer_rule=False)
    state = start_session()
    bola_e.choose(params, state, seen(4))
    state.control[0] = -1
    bola_e.update_control(params, state, seen(4))
    assert state.control[1] == 4
    assert state.control[2] / 1000 == pytest.approx(21 / (5 + math.log(8)))


def test_a_ladder_of_one_rung_and_a_buffer_of_one_segment_are_played() -> None:
    one = constant_presentation([1e6], segments=100, segment_s=4)
    rule = bola_e.make()
    state = rule.start(rule.params, one.bitrates_bps, one.durations_s)
    arrive(rule.params, state, 0, 4.0)
    for _ in range(2):
        assert rule.choose(rule.params, state, at(4.0, presentation=one)).rung == 0
    free = bola_e.make(buffer_rule=False)
    state = start_session(buffer_rule=False)
    for _ in range(2):
        assert free.choose(free.params, state, at(4.0, max_buffer_s=4.0)).rung == 2


@pytest.mark.parametrize("params", [{}, {"buffer_rule": False}, {"fast_switching": 1}])
def test_it_conforms(params: dict[str, float]) -> None:
    assert check_algorithm(bola_e.make(**params)).name == "bola-e"


@pytest.mark.parametrize("params", [{"gp": 0.0}, {"half_life_fast_s": 0.0}, {"fast_switching": 3}])
def test_parameters_out_of_range_are_refused(params: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        bola_e.make(**params)
