"""A learned planner: a short look-ahead over five scenarios of throughput.

The algorithm is a planner, not a neural network. A fast and a slow mean follow the logarithm
of the measured throughput. They give a forecast, and with the recent errors of forecasts
five equally weighted scenarios, from poor to good. In each scenario the utility of a first
rung is its rate less the costs of switch and stall, plus the utility of the best constant
rung for the following segments in that scenario, because a player learns meanwhile which
scenario it is in. The buffer left at the end of the look-ahead has a price. The rung with
the highest mean utility is chosen; ties go to the lower rung. A download is abandoned if, at
its current rate, a lower rung would save more stall than it costs.

Rates and costs are in units of the top rung's rate, so the same numbers serve a ladder up to
4 Mbit/s and one up to 160. So is the cost of a stall: unless a parameter says otherwise, a
second costs as much as a segment at the top rung is worth, as in the literature (4.3 for the
ladder of Pensieve up to 4.3 Mbit/s, 160 for ladders of 5G up to 160 Mbit/s). Plans weigh stalls
more where segments are short, less where the buffer is small, and no less than they cost where
it holds two segments or fewer: little can be saved up there for what comes.

The numbers of ``WEIGHTS`` (half-lives, weights of the means, spreads, prices) are learned by
CMA-ES over simulated sessions on generated traces of six of the bundled classes, for the
linear score with that stall weight; see ``examples/train_policy.py``. They are the package data
``abr/policies/abrkit-policy.json``. The policy does not know the class of a trace.

Source: original. The score and the idea of planning a few segments ahead are those of Yin,
Jindal, Sekar, Sinopoli, A Control-Theoretic Approach for Dynamic Adaptive Video Streaming
over HTTP, SIGCOMM 2015; planning over a distribution of outcomes is that of Yan et al.,
Learning in situ, NSDI 2020, section 4; the optimiser is Hansen's CMA-ES.

deviation: the first segment is at the lowest rung unless ``initial_bps`` says more, although
the score does not include startup.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import numpy as np

from abr.algorithms.sustainable import highest_within
from abr.decision import Decision, Download, Observation, Progress, Rule
from abr.errors import AlgorithmError
from abr.media import FloatArray
from abr.neural import check_fingerprint

NAME = "abrkit-policy"
_NO_SAMPLE, _PLANNED, _ABANDON = 0, 1, 2


class Weight(NamedTuple):
    """A learned number."""

    name: str
    initial: float
    """Value at which learning starts."""
    is_positive: bool
    """Whether it must be positive; its logarithm is learned then."""
    description: str


WEIGHTS = (
    Weight("fast_half_life_s", 4.0, True, "of the fast mean of ln(throughput)"),
    Weight("slow_half_life_s", 40.0, True, "of the slow mean"),
    Weight("last_down", 0.3, False, "pull of the last sample on the forecast if below the mean"),
    Weight("last_up", 0.1, False, "pull of the last sample on the forecast if above the mean"),
    Weight("to_slow", 0.1, False, "pull of the slow mean on the forecast"),
    Weight("bias", 0.0, False, "added to the forecast of ln(throughput)"),
    Weight("spread", 0.15, True, "minimum standard deviation of ln(throughput)"),
    Weight("spread_errors", 0.8, True, "increase of it with recent errors"),
    Weight("first_error", 0.4, True, "assumed error before the first"),
    Weight("error_memory", 0.2, True, "weight of the newest error in the mean square"),
    Weight("skew", 1.0, True, "spread of scenarios below the forecast, relative to above"),
    Weight("later_to_slow", 0.2, False, "pull of the slow mean on later segments"),
    Weight("later_spread", 0.8, True, "spread of later segments, relative to the first"),
    Weight("stall", 1.2, True, "weight of a planned stall, relative to a real one"),
    Weight("stall_short", 0.0, False, "power of 4 s / segment duration that multiplies it"),
    Weight("stall_little", 0.0, False, "power of 30 s / maximum buffer, if above 1, likewise"),
    Weight("change", 1.0, True, "weight of the first change, relative to a real one"),
    Weight("later_change", 0.6, True, "weight of the second change"),
    Weight("price_rate", 0.5, True, "price of a full buffer, in multiples of the rate"),
    Weight("price_top", 0.1, True, "price of a full buffer, in multiples of the top rate"),
    Weight("price_s", 6.0, True, "buffer level worth 1 - 1/e of the price of a full one"),
    Weight("reserve_s", 0.1, True, "part of the buffer that plans may not use"),
    Weight("abandon_gain", 0.2, True, "minimum gain of abandoning, in multiples of the top rate"),
    Weight("abandon_prior_s", 0.5, True, "weight of the forecast, in seconds of download"),
)
"""The learned numbers, in the order of ``State.weights``."""
(
    _FAST_S,
    _SLOW_S,
    _LAST_DOWN,
    _LAST_UP,
    _TO_SLOW,
    _BIAS,
    _SPREAD,
    _SPREAD_ERRORS,
    _FIRST_ERROR,
    _ERROR_MEMORY,
    _SKEW,
    _LATER_TO_SLOW,
    _LATER_SPREAD,
    _STALL,
    _STALL_SHORT,
    _STALL_LITTLE,
    _CHANGE,
    _LATER_CHANGE,
    _PRICE_RATE,
    _PRICE_TOP,
    _PRICE_S,
    _RESERVE_S,
    _ABANDON_GAIN,
    _ABANDON_PRIOR_S,
) = range(24)

_FAST, _SLOW, _FORECAST, _ERRORS, _LATENCY, _COUNT, _END = range(7)
_SCENARIOS = 5
_MAX_AHEAD = 20
_MIN_S = 1e-4
_LATENCY_SHARE = 0.3
_USUAL_SEGMENT_S, _USUAL_BUFFER_S = 4.0, 30.0
_LITTLE_SEGMENTS = 2
"""What a buffer holds that has room for little more than what is played."""


class Params(NamedTuple):
    """Parameters of ``abrkit-policy``; the learned numbers are package data."""

    stall_weight: float = 0.0
    """Cost of a second of stall, in Mbit/s; 0: as many as the top rung has."""
    switch_weight: float = 1.0
    """Cost of a change of rate, in Mbit/s per Mbit/s."""
    ahead_s: float = 20.0
    """Media seconds to look ahead."""
    may_abandon: bool = True
    """Whether downloads may be abandoned."""
    fingerprint: int = 0
    """Checksum of the learned numbers, as recorded in logs; 0 accepts any numbers."""
    initial_bps: float = 0.0
    """Throughput taken for granted before the first download: it comes at the highest rung within
    this; 0: at the lowest."""


class State(NamedTuple):
    """Learned numbers, memory of one playback, and a workspace for plans."""

    weights: FloatArray
    """The values of ``WEIGHTS``, shape (W,)."""
    memory: FloatArray
    """Fast mean, slow mean and forecast of ln(Mbit/s), mean square error, latency, number of
    samples, end of the last download, shape (7,)."""
    deviates: FloatArray
    """Deviation of each scenario from the forecast, in standard deviations, shape (S,)."""
    rates: FloatArray
    """Nominal rates, in multiples of the top one, shape (R,)."""
    stall_weights: FloatArray
    """Cost of a second of stall, planned and real, in multiples of the top rate, shape (2,)."""
    first_s: FloatArray
    """Download time of the first segment, by scenario and rung, shape (S, R)."""
    later_s: FloatArray
    """The same for segment d after it, in row s H + d, shape (S H, R)."""


def start_with(
    weights: FloatArray, params: Params, ladder_bps: FloatArray, durations_s: FloatArray
) -> State:
    """Create the state of one playback."""
    rungs, top_bps = len(ladder_bps), float(ladder_bps[-1])
    stall_weight = 1e6 * params.stall_weight / top_bps if params.stall_weight > 0 else 1.0
    shorter = math.log(_USUAL_SEGMENT_S / float(np.median(durations_s)))
    planned = stall_weight * weights[_STALL] * math.exp(weights[_STALL_SHORT] * shorter)
    return State(
        weights=np.array(weights, dtype=np.float64),
        memory=np.zeros(7),
        # Means of the five quintiles of the standard normal distribution.
        deviates=np.array([-1.4, -0.532, 0.0, 0.532, 1.4]),
        rates=np.array(ladder_bps, dtype=np.float64) / top_bps,
        stall_weights=np.array([planned, stall_weight]),
        first_s=np.zeros((_SCENARIOS, rungs)),
        later_s=np.zeros((_SCENARIOS * _MAX_AHEAD, rungs)),
    )


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """Choose the first rung with the highest mean utility over the scenarios."""
    if state.memory[_COUNT] == 0:
        return Decision(highest_within(seen.ladder_bps, params.initial_bps), 0.0, _NO_SAMPLE)
    ahead = _count_ahead(params, seen)
    _fill_scenarios(state, seen, ahead)
    stall_weight = _planned_stall_weight(state, seen)
    rungs = len(state.rates)
    answer, best = 0, -math.inf
    for rung in range(rungs):
        utility = 0.0
        for scenario in range(_SCENARIOS):
            utility += _scenario_utility(params, state, seen, ahead, stall_weight, scenario, rung)
        if utility > best + 1e-9:
            best, answer = utility, rung
    return Decision(answer, 0.0, _PLANNED)


def _planned_stall_weight(state: State, seen: Observation) -> float:
    """Cost of a second of stall in plans, in multiples of the top rate."""
    full_s = max(seen.max_buffer_s, seen.durations_s[seen.segment])
    lacks = math.log(_USUAL_BUFFER_S / min(full_s, _USUAL_BUFFER_S))
    planned = state.stall_weights[0] * math.exp(state.weights[_STALL_LITTLE] * lacks)
    if full_s <= _LITTLE_SEGMENTS * seen.durations_s[seen.segment]:
        planned = max(planned, state.stall_weights[1])
    return float(planned)


def _count_ahead(params: Params, seen: Observation) -> int:
    """Number of segments to look ahead, including the first."""
    left = len(seen.durations_s) - seen.segment
    wanted = math.ceil(params.ahead_s / seen.durations_s[seen.segment])
    return int(min(max(wanted, 3), _MAX_AHEAD, left))


def _fill_scenarios(state: State, seen: Observation, ahead: int) -> None:
    """Fill in the download times of each scenario."""
    weights, memory = state.weights, state.memory
    forecast = memory[_FORECAST] + weights[_BIAS]
    later = forecast + weights[_LATER_TO_SLOW] * (memory[_SLOW] - forecast)
    spread = math.sqrt(weights[_SPREAD] ** 2 + weights[_SPREAD_ERRORS] ** 2 * memory[_ERRORS])
    for scenario in range(_SCENARIOS):
        deviate = state.deviates[scenario]
        if deviate < 0:
            deviate *= weights[_SKEW]
        s_per_byte = 8e-6 / math.exp(forecast + deviate * spread)
        later_s_per_byte = 8e-6 / math.exp(later + deviate * spread * weights[_LATER_SPREAD])
        for rung in range(len(state.rates)):
            size_bytes = seen.sizes_bytes[rung, seen.segment]
            state.first_s[scenario, rung] = memory[_LATENCY] + size_bytes * s_per_byte
            for d in range(1, ahead):
                size_bytes = seen.sizes_bytes[rung, seen.segment + d]
                elapsed_s = memory[_LATENCY] + size_bytes * later_s_per_byte
                state.later_s[scenario * _MAX_AHEAD + d, rung] = elapsed_s


def _scenario_utility(
    params: Params,
    state: State,
    seen: Observation,
    ahead: int,
    stall_weight: float,
    scenario: int,
    rung: int,
) -> float:
    """Utility of ``rung`` now and the best constant rung after it, in one scenario."""
    weights, rates = state.weights, state.rates
    full_s = max(seen.max_buffer_s, seen.durations_s[seen.segment])
    buffer_s = max(seen.buffer_s - weights[_RESERVE_S], 0.0)
    stalled_s = max(state.first_s[scenario, rung] - buffer_s, 0.0)
    buffer_s = max(buffer_s - state.first_s[scenario, rung], 0.0)
    buffer_s = min(buffer_s + seen.durations_s[seen.segment], full_s)
    before = max(seen.last_rung, 0)
    change = params.switch_weight * weights[_CHANGE] * abs(rates[rung] - rates[before])
    utility = rates[rung] - stall_weight * stalled_s - change
    left = len(seen.durations_s) - seen.segment - ahead
    if ahead == 1:
        return float(utility)
    best = -math.inf
    later_change = params.switch_weight * weights[_LATER_CHANGE]
    is_priced = left > 0
    for after in range(len(rates)):
        adds = (ahead - 1) * rates[after] - later_change * abs(rates[after] - rates[rung])
        level_s, lacks_s = buffer_s, 0.0
        for d in range(1, ahead):
            # It is not asked for before there is room for it.
            level_s = min(level_s, max(full_s - seen.durations_s[seen.segment + d], 0.0))
            elapsed_s = state.later_s[scenario * _MAX_AHEAD + d, after]
            if elapsed_s > level_s:
                lacks_s += elapsed_s - level_s
                level_s = 0.0
            else:
                level_s -= elapsed_s
            level_s += seen.durations_s[seen.segment + d]
        adds -= stall_weight * lacks_s
        if is_priced:
            price = weights[_PRICE_RATE] * rates[after] + weights[_PRICE_TOP]
            share = min(left * seen.durations_s[seen.segment] / params.ahead_s, 1.0)
            adds += share * price * (1 - math.exp(-level_s / weights[_PRICE_S]))
        best = max(best, adds)
    return float(utility + best)


def reconsider(params: Params, state: State, seen: Observation, progress: Progress) -> Decision:
    """Abandon for the lower rung with the largest gain, if that is large enough."""
    stay = Decision(progress.rung, 0.0, _PLANNED)
    if not params.may_abandon or state.memory[_COUNT] == 0:
        return stay
    weights, rates = state.weights, state.rates
    prior_s = weights[_ABANDON_PRIOR_S]
    prior_bytes = prior_s * math.exp(state.memory[_FORECAST]) * 1e6 / 8
    is_coming = progress.first_byte_s <= progress.now_s
    since_s = progress.first_byte_s if is_coming else progress.start_s + state.memory[_LATENCY]
    elapsed_s = max(progress.now_s - since_s, 0.0) + prior_s
    s_per_byte = elapsed_s / max(progress.received_bytes + prior_bytes, 1.0)
    left_s = (progress.size_bytes - progress.received_bytes) * s_per_byte
    stalled_s = left_s - progress.buffer_s
    if stalled_s <= 0:
        return stay
    before = max(seen.last_rung, 0)
    now = rates[progress.rung] - params.switch_weight * abs(rates[progress.rung] - rates[before])
    answer, best = progress.rung, weights[_ABANDON_GAIN]
    for rung in range(progress.rung):
        size_bytes = seen.sizes_bytes[rung, progress.segment]
        needs_s = 2 * state.memory[_LATENCY] + size_bytes * s_per_byte
        then = rates[rung] - params.switch_weight * abs(rates[rung] - rates[before])
        saved_s = stalled_s - max(needs_s - progress.buffer_s, 0.0)
        gain = state.stall_weights[1] * saved_s - (now - then)
        if gain > best:
            answer, best = rung, gain
    return Decision(answer, 0.0, _ABANDON) if answer < progress.rung else stay


def delivered(params: Params, state: State, seen: Observation, download: Download) -> None:
    """Update throughput, latency, forecast and the error of the last forecast."""
    weights, memory = state.weights, state.memory
    body_s = download.end_s - download.first_byte_s
    if body_s < _MIN_S:
        body_s = max(download.end_s - download.start_s, _MIN_S)
    sample = math.log(max(8e-6 * download.size_bytes / body_s, 1e-6))
    latency_s = max(download.first_byte_s - download.start_s, 0.0)
    if memory[_COUNT] == 0:
        memory[_FAST] = memory[_SLOW] = sample
        memory[_LATENCY] = latency_s
        memory[_ERRORS] = weights[_FIRST_ERROR] ** 2
    else:
        error = sample - memory[_FORECAST]
        memory[_ERRORS] += min(weights[_ERROR_MEMORY], 1.0) * (error * error - memory[_ERRORS])
        memory[_LATENCY] += _LATENCY_SHARE * (latency_s - memory[_LATENCY])
        gap_s = max(download.end_s - memory[_END], 0.1)
        memory[_FAST] += (1 - 0.5 ** (gap_s / weights[_FAST_S])) * (sample - memory[_FAST])
        memory[_SLOW] += (1 - 0.5 ** (gap_s / weights[_SLOW_S])) * (sample - memory[_SLOW])
    off = sample - memory[_FAST]
    pull = weights[_LAST_DOWN] if off < 0 else weights[_LAST_UP]
    to_slow = weights[_TO_SLOW] * (memory[_SLOW] - memory[_FAST])
    memory[_FORECAST] = memory[_FAST] + pull * off + to_slow
    memory[_END] = download.end_s
    memory[_COUNT] += 1


def build_rule(
    weights: Mapping[str, float], params: Params | None = None, name: str = NAME
) -> Rule:
    """Build the algorithm from learned numbers.

    Raises:
        AlgorithmError: a number is missing, unknown, not finite, or not positive although
            it must be; or the numbers do not have ``params.fingerprint``.
        ValueError: a parameter is out of range.
    """
    params, numbers = params or Params(), order_weights(weights)
    if not (params.stall_weight >= 0 and params.switch_weight >= 0 and params.ahead_s > 0):
        raise ValueError("weights must be 0 or more, and ahead_s more than 0")
    if not params.initial_bps >= 0:
        raise ValueError("initial_bps must be 0 or more")
    return Rule(
        name=name,
        params=params._replace(fingerprint=check_fingerprint(numbers, params.fingerprint)),
        start=partial(start_with, numbers),
        choose=choose,
        reconsider=reconsider,
        delivered=delivered,
        reasons=("no sample yet", "best on average", "abandons"),
    )


def order_weights(weights: Mapping[str, float]) -> FloatArray:
    """Check the numbers and order them as in ``State.weights``, shape (W,).

    Raises:
        AlgorithmError: as for ``build_rule``.
    """
    known = [each.name for each in WEIGHTS]
    wrong = sorted(set(weights) ^ set(known))
    if wrong:
        raise AlgorithmError(
            f"weights of a planner: {', '.join(wrong)} missing or unknown; "
            f"expected {', '.join(known)}; numbers of another version must be learned anew, "
            "as by examples/train_policy.py"
        )
    for each in WEIGHTS:
        value = weights[each.name]
        if not math.isfinite(value) or (each.is_positive and value <= 0):
            raise AlgorithmError(
                f"weights of a planner: {each.name} is {value}; expected a finite number"
                + (" above 0" if each.is_positive else "")
            )
    return np.array([weights[name] for name in known], dtype=np.float64)
