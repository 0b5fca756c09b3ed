"""``soda`` by hand: costs of single steps, and plans of several."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from abr.algorithms import soda
from abr.decision import Download, Observation, Rule, begin
from abr.media import constant_presentation
from tests.fakes.observations import PRESENTATION, make_download, seen

LN8 = math.log(8)


def test_distortion_and_buffer_cost_are_scaled() -> None:
    """1, 2, 4 and 8 Mbit/s: 1, 2/3, 1/3 and 0. 6 s below a target of 12 s: 1/4."""
    v = [soda.distortion(PRESENTATION.bitrates_bps, rung) for rung in range(4)]
    assert v == pytest.approx([1, 2 / 3, 1 / 3, 0])
    params = soda.Params(epsilon=0.1)
    assert soda.buffer_cost(params, 6, 12) == pytest.approx(0.25)
    assert soda.buffer_cost(params, 18, 12) == pytest.approx(0.025)


def test_the_first_segment_is_of_the_lowest_rung() -> None:
    assert begin(soda.make(), PRESENTATION).choose(seen(last_rung=-1)).rung == 0


def brute(rule: Rule, looked: Observation, estimate_bps: float, steps: int) -> int:
    """The first rung of the best plan of all, by trying each; monotone plans only."""
    p, ladder = rule.params, looked.ladder_bps
    highest = int((ladder < estimate_bps).sum())
    target_s = p.target_ratio * looked.max_buffer_s
    best, first = math.inf, 0
    for plan in itertools.product(range(len(ladder)), repeat=steps):
        whole = (looked.last_rung, *plan)
        rises = list(whole) == sorted(whole)
        if not (rises or list(whole) == sorted(whole, reverse=True)) or plan[0] > highest:
            continue
        level_s, cost, before = looked.buffer_s, 0.0, looked.last_rung
        for rung in plan:
            got_s = min(estimate_bps * 4 / ladder[rung], looked.max_buffer_s - level_s + 4)
            level_s += got_s - 4
            if level_s < 0:
                cost = math.inf
                break
            off = (level_s - target_s) / target_s
            v, u = (math.log(ladder[-1] / ladder[r]) / math.log(8) for r in (rung, before))
            cost += v * got_s / 4 + p.gamma * (v - u) ** 2
            cost += p.beta * off * off * (p.epsilon if off > 0 else 1)
            before = rung
        if cost < best - 1e-12:
            best, first = cost, plan[0]
    return first


def test_plans_are_the_best_of_all_monotone_ones() -> None:
    """500 moments, three steps ahead."""
    rng = np.random.default_rng(7)
    rule = soda.make(horizon_s=12, half_life_fast_s=1e-3, half_life_slow_s=1e-3)
    for _ in range(500):
        estimate_bps = float(10 ** rng.uniform(5.5, 7.3))
        running = begin(rule, PRESENTATION)
        looked = seen(rng.uniform(0, 26), last_rung=int(rng.integers(4)))
        running.delivered(looked, make_download(estimate_bps))
        assert running.choose(looked).rung == brute(rule, looked, estimate_bps, 3)


def test_the_rate_is_at_most_the_first_rung_above_the_prediction() -> None:
    """A full buffer and no cost of switching: still not more than 4 Mbit/s for 3."""
    running = begin(soda.make(gamma=0.0), PRESENTATION)
    running.delivered(seen(), make_download(3e6))
    assert running.choose(seen(26, last_rung=3)).rung == 2


def test_without_a_plan_that_holds_the_buffer_the_lowest_rung_is_played() -> None:
    running = begin(soda.make(), PRESENTATION)
    running.delivered(seen(), make_download(1e5))
    assert running.choose(seen(0, last_rung=2)) == (0, 0.0, 3, -1)


@pytest.mark.parametrize(("segment_s", "steps"), [(1.0, 10), (2.0, 5), (4.0, 2), (20.0, 1)])
def test_plans_look_ten_seconds_ahead(segment_s: float, steps: int) -> None:
    presentation = constant_presentation([1e6], segments=3, segment_s=segment_s)
    rule = soda.make()
    state = rule.start(rule.params, presentation.bitrates_bps, presentation.durations_s)
    assert len(state.rungs) == steps


def test_a_ladder_of_one_rung_has_one_answer() -> None:
    presentation = constant_presentation([1e6], segments=3, segment_s=4.0)
    running = begin(soda.make(), presentation)
    looked = seen(presentation=presentation, segment=1, max_buffer_s=4)
    running.delivered(looked, Download(0, 0, 5e5, 0.0, 0.0, 1.0))
    assert running.choose(looked).rung == 0


def test_what_is_out_of_range_is_refused() -> None:
    for wrong in ({"beta": 0.0}, {"target_ratio": 1.0}, {"half_life_fast_s": 0.0}):
        with pytest.raises(ValueError, match=r"more than|between"):
            soda.make(**wrong)
