"""SODA: plan rates for the next seconds with the lowest cost of quality, buffer and switches.

Time is divided into steps of a segment's duration. In each step a rate r downloads ``w / r``
steps of media, where w is the predicted throughput. The cost of a plan is, per step, the
distortion ``v(r)`` times the media downloaded, ``beta`` times the squared distance of the
buffer from its target (``epsilon`` of that above it), and ``gamma`` times the squared change
of v. Only plans that never fall or never rise are considered. The first rate of the best
plan is chosen, and is no higher than the first rung at or above the prediction.

Source: Chen, Lin, Christianson, Akhtar, Dharmaji, Hajiesmaili, Wierman, Sitaraman, SODA:
An Adaptive Bitrate Controller for Consistent High-Quality Video Streaming, SIGCOMM 2024:
equations 1 and 2, section 3.1 (costs), 5.1 (steps, bound on the rate), 5.2 (at most 10 s
ahead), algorithm 1 (search). The predictor is dash.js's moving average, as in 6.1.1.

deviation: the paper does not state the weights, the target or epsilon. The values here were
chosen on generated networks for the score of its section 6 (utility - 10 stall ratio - switch
rate), with v and buffer scaled to 0 to 1 so that they apply to any ladder and buffer limit:
``v = ln(r_top / r) / ln(r_top / r_lowest)``, of the family in section 4 and appendix B.

deviation: in the buffer constraint, the media downloaded is limited to the available room.
The paper forbids rates that exceed it; here the player itself waits for room, so there must
be a plan on fast links too.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from abr.algorithms.sustainable import highest_within
from abr.decision import Decision, Download, Observation, Rule
from abr.estimators import Ewma, ewma_add, ewma_start, ewma_throughput_bps
from abr.media import FloatArray

_NO_SAMPLE, _RISING, _FALLING, _NO_PLAN = 0, 1, 2, 3


class Params(NamedTuple):
    """Parameters of ``soda``."""

    beta: float = 8.0
    """Weight of the distance of the buffer from its target; not from the paper."""
    gamma: float = 1.0
    """Weight of switching; not from the paper."""
    epsilon: float = 0.05
    """Fraction of the buffer cost that applies above the target; not from the paper."""
    target_ratio: float = 0.8
    """Target, as a fraction of the buffer limit; not from the paper."""
    horizon_s: float = 10.0
    """Maximum look-ahead of a plan: section 5.2."""
    half_life_fast_s: float = 3.0
    """Half-life of the fast throughput mean, seconds of transfer: dash.js."""
    half_life_slow_s: float = 8.0
    """Half-life of the slow one; the lower of the two counts: dash.js."""
    initial_bps: float = 0.0
    """Throughput taken for granted before the first download: it comes at the highest rung within
    this; 0: at the lowest."""


class State(NamedTuple):
    """State of one playback, with a workspace for the search."""

    ewma: Ewma
    segment_s: FloatArray
    """Duration of a step, shape (1,)."""
    distortions: FloatArray
    """Distortion of each rung, shape (R,)."""
    fetched_s: FloatArray
    """Media that a step downloads at each rung, at the throughput predicted now, shape (R,)."""
    rungs: FloatArray
    """Rung for each step of the current plan, shape (K,)."""
    levels_s: FloatArray
    """Buffer level before each step, shape (K,)."""
    costs: FloatArray
    """Cost before each step, shape (K,)."""


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """Create the state of one playback."""
    segment_s = float(np.median(durations_s))
    steps = max(1, int(params.horizon_s / segment_s + 1e-9))
    return State(
        ewma_start(params.half_life_fast_s, params.half_life_slow_s),
        np.full(1, segment_s),
        np.array([distortion(ladder_bps, rung) for rung in range(len(ladder_bps))]),
        np.zeros(len(ladder_bps)),
        np.zeros(steps),
        np.zeros(steps),
        np.zeros(steps),
    )


def distortion(ladder_bps: FloatArray, rung: int) -> float:
    """The distortion v of a rung: 0 for the highest, 1 for the lowest."""
    top = len(ladder_bps) - 1
    whole = math.log(ladder_bps[top] / ladder_bps[0])
    return math.log(ladder_bps[top] / ladder_bps[rung]) / whole if whole > 0 else 0.0


def buffer_cost(params: Params, level_s: float, target_s: float) -> float:
    """The squared relative distance from the target, reduced above it."""
    off = (level_s - target_s) / target_s
    return off * off if off <= 0 else params.epsilon * off * off


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """Choose the first rate of the best monotone plan."""
    estimate_bps = ewma_throughput_bps(state.ewma)
    if math.isnan(estimate_bps):
        return Decision(highest_within(seen.ladder_bps, params.initial_bps), 0.0, _NO_SAMPLE)
    # Section 5.1: at most the first rung at or above the prediction.
    highest = 0
    while highest + 1 < len(seen.ladder_bps) and seen.ladder_bps[highest] < estimate_bps:
        highest += 1
    for rung in range(len(seen.ladder_bps)):
        state.fetched_s[rung] = estimate_bps * state.segment_s[0] / seen.ladder_bps[rung]
    down, down_cost = best_plan(params, state, seen, highest, -1, math.inf)
    up, _ = best_plan(params, state, seen, highest, 1, down_cost)
    if up >= 0:
        return Decision(up, 0.0, _RISING)
    if down >= 0:
        return Decision(down, 0.0, _FALLING)
    return Decision(0, 0.0, _NO_PLAN)


def best_plan(
    params: Params, state: State, seen: Observation, highest: int, step: int, best: float
) -> tuple[int, float]:
    """First rung and cost of the best monotone plan of less than ``best``; rung -1 for none.

    Each rung of a plan is the one before it or some steps of ``step`` from it.
    """
    distortions, last, top = state.distortions, seen.last_rung, len(seen.ladder_bps) - 1
    media_s, max_s = state.segment_s[0], max(seen.max_buffer_s, state.segment_s[0])
    target_s = params.target_ratio * max_s
    steps = len(state.rungs)
    begin = last
    if last < 0:
        begin = 0 if step > 0 else top
    if step < 0:
        begin = min(begin, highest)
    first, depth = -1, 0
    state.rungs[0], state.levels_s[0], state.costs[0] = begin, seen.buffer_s, 0.0
    while depth >= 0:
        rung = int(state.rungs[depth])
        if rung < 0 or rung > top or (depth == 0 and rung > highest):
            depth -= 1
            if depth >= 0:
                state.rungs[depth] += step
            continue
        before = last if depth == 0 else int(state.rungs[depth - 1])
        level_s = state.levels_s[depth]
        downloaded_s = min(state.fetched_s[rung], max_s - level_s + media_s)
        after_s = level_s + downloaded_s - media_s
        if after_s < 0:
            state.rungs[depth] += step
            continue
        # Section 3.1: distortion times media, switching cost and buffer cost.
        v = distortions[rung]
        change = v - distortions[before] if before >= 0 else 0.0
        cost = state.costs[depth] + v * downloaded_s / media_s + params.gamma * change * change
        cost += params.beta * buffer_cost(params, after_s, target_s)
        if depth + 1 < steps and cost < best:
            depth += 1
            state.rungs[depth], state.levels_s[depth], state.costs[depth] = rung, after_s, cost
            continue
        if depth + 1 == steps and cost < best:
            first, best = int(state.rungs[0]), cost
        state.rungs[depth] += step
    return first, best


def delivered(params: Params, state: State, seen: Observation, download: Download) -> None:
    """Update the throughput from a finished download."""
    ewma_add(
        state.ewma,
        download.size_bytes,
        download.end_s - download.first_byte_s,
        download.first_byte_s - download.start_s,
        state.segment_s[0],
    )


def make(**params: float) -> Rule:
    """Create the algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: a parameter is out of range.
    """
    made = Params(**params)
    if not (made.beta > 0 and made.gamma >= 0 and 0 <= made.epsilon <= 1):
        raise ValueError("beta must be more than 0, gamma 0 or more, epsilon 0 to 1")
    if not (0 < made.target_ratio < 1 and made.horizon_s > 0):
        raise ValueError("target_ratio must be between 0 and 1, horizon_s more than 0")
    if not (made.half_life_fast_s > 0 and made.half_life_slow_s > 0):
        raise ValueError("the half-lives must be more than 0")
    if not made.initial_bps >= 0:
        raise ValueError("initial_bps must be 0 or more")
    return Rule(
        name="soda",
        params=made,
        start=start,
        choose=choose,
        delivered=delivered,
        reasons=("no sample yet", "rising plan", "falling plan", "no plan holds the buffer"),
    )
