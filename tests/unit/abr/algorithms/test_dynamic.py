"""``dynamic`` and ``dynamic-dash``: which rule decides, and which abandons."""

from __future__ import annotations

from typing import Any

import pytest

from abr.algorithms import dynamic, dynamic_dash
from abr.checks import check_algorithm
from abr.decision import Download, Observation, Progress, Rule
from tests.fakes.observations import PRESENTATION
from tests.fakes.observations import seen as at


def seen(buffer_s: float) -> Observation:
    return at(buffer_s, max_buffer_s=25.0)


def start_session(rule: Rule, bps: float) -> Any:
    """A state that has measured one download without latency."""
    state = rule.start(rule.params, PRESENTATION.bitrates_bps, PRESENTATION.durations_s)
    assert rule.delivered is not None
    rule.delivered(rule.params, state, seen(4), Download(0, 0, 1e6, 0.0, 0.0, 8e6 / bps))
    return state


def decide_at(rule: Rule, state: Any, buffer_s: float) -> tuple[int, str]:
    decision = rule.choose(rule.params, state, seen(buffer_s))
    return decision.rung, rule.reasons[decision.reason]


def test_bola_takes_over_above_ten_seconds_when_it_asks_for_no_less() -> None:
    """0.9 of 5 Mbit/s carry rung 2. BOLA wants rung 0 at 9 s, 1 at 13 s and 3 at 20 s.

    Vp = 21 / (ln 8 + 5) = 2.966 s; rung 1 begins at Vp (5 - ln 2) = 12.8 s, rung 2 at 14.8 s,
    rung 3 at Vp (5 + ln 2) = 16.9 s, which is no more than one above the throughput's.
    """
    rule = dynamic.make()
    state = start_session(rule, 5e6)
    assert decide_at(rule, state, 9) == (2, "throughput")
    assert decide_at(rule, state, 13) == (2, "throughput")
    assert decide_at(rule, state, 20) == (3, "buffer")
    assert decide_at(rule, state, 13) == (1, "buffer")


def test_the_throughput_rule_takes_over_below_ten_seconds_when_it_asks_for_more() -> None:
    rule = dynamic.make()
    state = start_session(rule, 5e6)
    assert decide_at(rule, state, 20) == (3, "buffer")
    assert decide_at(rule, state, 9) == (2, "throughput")


def test_dash_goes_by_the_buffer_alone_and_back_later() -> None:
    rule = dynamic_dash.make()
    state = start_session(rule, 5e6)
    levels = (9, 10, 10.1, 6, 5, 4.9, 9)
    reasons = [decide_at(rule, state, level_s)[1] for level_s in levels]
    assert reasons == ["throughput"] * 2 + ["buffer"] * 3 + ["throughput"] * 2


def test_without_a_measurement_it_is_the_lowest_rung() -> None:
    for rule in (dynamic.make(), dynamic_dash.make()):
        state = rule.start(rule.params, PRESENTATION.bitrates_bps, PRESENTATION.durations_s)
        assert decide_at(rule, state, 20) == (0, "no sample yet")


def slow(elapsed_s: float, buffer_s: float = 20.0) -> Progress:
    """A tenth of rung 3 has come, without latency."""
    size_bytes = float(PRESENTATION.sizes_bytes[3, 50])
    return Progress(100.0 + elapsed_s, 50, 3, size_bytes, size_bytes / 10, 100.0, 100.0, buffer_s)


@pytest.mark.parametrize("buffer_s", [9.0, 20.0])
def test_dynamic_abandons_by_throughput_whoever_decides(buffer_s: float) -> None:
    """A tenth in 0.8 s is 4 Mbit/s: 8 s in all, more than 1.8 segments. 0.9 of it: rung 1."""
    rule = dynamic.make()
    state = start_session(rule, 5e6)
    rule.choose(rule.params, state, seen(buffer_s))
    assert rule.reconsider is not None
    assert rule.reconsider(rule.params, state, seen(buffer_s), slow(0.8)).rung == 1
    assert rule.reconsider(rule.params, state, seen(buffer_s), slow(0.4)).rung == 3
    patient = rule.params._replace(abandon=False)
    assert rule.reconsider(patient, state, seen(buffer_s), slow(0.8)).rung == 3


def test_dash_abandons_by_the_rule_in_charge() -> None:
    """With 20 s of buffer BOLA-E is not worried where the throughput rule is."""
    rule = dynamic_dash.make()
    state = start_session(rule, 5e6)
    assert rule.reconsider is not None
    rule.choose(rule.params, state, seen(9))
    assert rule.reconsider(rule.params, state, seen(9), slow(0.8)).rung == 1
    assert state.bola.last_rung[0] == 3
    rule.choose(rule.params, state, seen(20))
    assert rule.reconsider(rule.params, state, seen(20), slow(0.4, 24.9)).rung == 3
    assert rule.reconsider(rule.params, state, seen(20), slow(0.8, 1.0)).rung < 3


def test_dash_tells_bola_e_of_waits_whoever_decides() -> None:
    rule = dynamic_dash.make()
    state = start_session(rule, 5e6)
    assert rule.waited is not None
    rule.waited(rule.params, state, seen(9), 1.5)
    assert state.bola.placeholder_ms[0] == 1500


@pytest.mark.parametrize(
    "rule", [dynamic.make(), dynamic.make(fast_switching=2), dynamic_dash.make()]
)
def test_it_conforms(rule: Rule) -> None:
    assert check_algorithm(rule).name == rule.name


@pytest.mark.parametrize(
    ("make", "params"),
    [
        (dynamic.make, {"gp": 0.0}),
        (dynamic.make, {"safety": 0.0}),
        (dynamic.make, {"half_life_slow_s": 0.0}),
        (dynamic.make, {"fast_switching": -1}),
        (dynamic_dash.make, {"low_s": 11.0}),
        (dynamic_dash.make, {"safety": 0.0}),
        (dynamic_dash.make, {"half_life_slow_s": 0.0}),
    ],
)
def test_parameters_out_of_range_are_refused(make: Any, params: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must be|expected"):
        make(**params)
