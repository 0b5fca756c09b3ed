"""Our own learned policy: a short look-ahead over five throughputs that may come.

What it is: a planner, not a neural network. Logarithms of measured throughput are
followed by a fast and a slow mean; from them come a forecast and how wrong forecasts
were of late, hence five scenarios of equal weight, from poor to good. Each first rung is
utility its rate, switch and stall in every scenario, and then the best constant rung for
the segments after it in that scenario, because a player learns on the way which one it
is in. What is left in the buffer at the end of the look-ahead has a price. The rung with
the most on average is taken, the lowest of equals. A download is abandoned when, at the
rate it comes in, a lower rung would save more stall than it gives up.

What is learned: the numbers of ``WEIGHTS`` (half-lives, how to mix the means, spreads,
prices), by CMA-ES over simulated sessions on generated traces of every shipped class,
for the linear score of Pensieve; see ``examples/train_policy.py``. They are the package
data ``abr/policies/abrkit-policy.json``. The policy is told nothing of the class.

Source: ours. The score and the idea of planning a few segments ahead are those of Yin,
Jindal, Sekar, Sinopoli, A Control-Theoretic Approach for Dynamic Adaptive Video Streaming
over HTTP, SIGCOMM 2015; planning over a distribution of what may come, that of Yan et
al., Learning in situ, NSDI 2020, section 4; the optimiser is Hansen's CMA-ES.

deviation: the first segment is always of the lowest rung, although the score does not
count startup.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import numpy as np

from abr.decision import Decision, Download, Observation, Progress, Rule
from abr.errors import AlgorithmError
from abr.media import FloatArray
from abr.neural import check_fingerprint

NAME = "abrkit-policy"
_NO_SAMPLE, _PLANNED, _ABANDON = 0, 1, 2


class Weight(NamedTuple):
    """A number that is learned."""

    name: str
    first: float
    """Where learning begins."""
    is_positive: bool
    """Learned as its logarithm."""
    says: str


WEIGHTS = (
    Weight("fast_half_life_s", 4.0, True, "of the fast mean of ln throughput"),
    Weight("slow_half_life_s", 40.0, True, "of the slow mean"),
    Weight("last_down", 0.3, False, "how far a last sample below the fast mean pulls it down"),
    Weight("last_up", 0.1, False, "how far one above it pulls it up"),
    Weight("to_slow", 0.1, False, "how far the slow mean pulls the forecast"),
    Weight("bias", 0.0, False, "added to the forecast, in ln"),
    Weight("spread", 0.15, True, "least standard deviation of ln throughput"),
    Weight("spread_errors", 0.8, True, "how far errors of late widen it"),
    Weight("first_error", 0.4, True, "error before any was seen"),
    Weight("error_memory", 0.2, True, "share of the newest error in their mean square"),
    Weight("skew", 1.0, True, "spread of the scenarios below the forecast, relative to above"),
    Weight("later_to_slow", 0.2, False, "pull of the slow mean on segments after the first"),
    Weight("later_spread", 0.8, True, "spread there, relative to the first"),
    Weight("stall", 1.2, True, "weight of a planned stall, relative to a real one"),
    Weight("change", 1.0, True, "weight of the first change, relative to a real one"),
    Weight("later_change", 0.6, True, "weight of the change after it"),
    Weight("price_rate", 0.5, True, "segments' utility of rate that a full buffer is utility"),
    Weight("price", 0.5, True, "Mbit/s that a full buffer is utility"),
    Weight("price_s", 6.0, True, "buffer that is utility all but a third of a full one"),
    Weight("reserve_s", 0.1, True, "taken off the buffer that a plan may use"),
    Weight("abandon", 1.0, True, "Mbit/s that abandoning must gain"),
    Weight("abandon_prior_s", 0.5, True, "seconds of download that the forecast counts as"),
)
"""What is learned, in the order of ``State.weights``."""
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
    _CHANGE,
    _LATER_CHANGE,
    _PRICE_RATE,
    _PRICE,
    _PRICE_S,
    _RESERVE_S,
    _ABANDON_GAIN,
    _ABANDON_PRIOR_S,
) = range(22)

_FAST, _SLOW, _FORECAST, _ERRORS, _LATENCY, _COUNT, _END = range(7)
_SCENARIOS = 5
_MOST_AHEAD = 10
_LEAST_S = 1e-4
_LATENCY_SHARE = 0.3


class Params(NamedTuple):
    """Parameters of ``abrkit-policy``; the learned numbers are package data."""

    stall_weight: float = 4.3
    """Mbit/s that a second stalled costs."""
    switch_weight: float = 1.0
    """Mbit/s that a change by one Mbit/s costs."""
    ahead_s: float = 20.0
    """Media to look ahead."""
    may_abandon: bool = True
    """Whether downloads are abandoned."""
    fingerprint: int = 0
    """Of the learned numbers, as logs record it; 0 takes them as they are."""


class State(NamedTuple):
    """What is learned, what is remembered, and room for plans."""

    weights: FloatArray
    """The values of ``WEIGHTS``, shape (W,)."""
    memory: FloatArray
    """Fast and slow mean and forecast of ln Mbit/s, mean square error, latency, samples,
    end of the last download, shape (7,)."""
    deviates: FloatArray
    """Standard deviations from the forecast, per scenario, shape (S,)."""
    mbps: FloatArray
    """Nominal rates, shape (R,)."""
    first_s: FloatArray
    """Download time of the first segment per scenario and rung, shape (S, R)."""
    later_s: FloatArray
    """The same of each segment after it, row s H + d, shape (S H, R)."""


def start_with(
    weights: FloatArray, params: Params, ladder_bps: FloatArray, durations_s: FloatArray
) -> State:
    """The state of one playback."""
    rungs = len(ladder_bps)
    return State(
        weights=np.array(weights, dtype=np.float64),
        memory=np.zeros(7),
        # Means of the fifths of a normal distribution.
        deviates=np.array([-1.4, -0.532, 0.0, 0.532, 1.4]),
        mbps=np.array(ladder_bps, dtype=np.float64) / 1e6,
        first_s=np.zeros((_SCENARIOS, rungs)),
        later_s=np.zeros((_SCENARIOS * _MOST_AHEAD, rungs)),
    )


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """The first rung that is utility most on average over the scenarios."""
    if state.memory[_COUNT] == 0:
        return Decision(0, 0.0, _NO_SAMPLE)
    ahead = _count_ahead(params, seen)
    _fill_scenarios(state, seen, ahead)
    rungs = len(state.mbps)
    answer, best = 0, -math.inf
    for rung in range(rungs):
        utility = 0.0
        for scenario in range(_SCENARIOS):
            utility += _scenario_utility(params, state, seen, ahead, scenario, rung)
        if utility > best + 1e-9:
            best, answer = utility, rung
    return Decision(answer, 0.0, _PLANNED)


def _count_ahead(params: Params, seen: Observation) -> int:
    """Segments to look ahead, the first one included."""
    left = len(seen.durations_s) - seen.segment
    wanted = math.ceil(params.ahead_s / seen.durations_s[seen.segment])
    return int(min(max(wanted, 3), _MOST_AHEAD, left))


def _fill_scenarios(state: State, seen: Observation, ahead: int) -> None:
    """Fill in how long downloads take in each scenario."""
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
        for rung in range(len(state.mbps)):
            size_bytes = seen.sizes_bytes[rung, seen.segment]
            state.first_s[scenario, rung] = memory[_LATENCY] + size_bytes * s_per_byte
            for d in range(1, ahead):
                size_bytes = seen.sizes_bytes[rung, seen.segment + d]
                elapsed_s = memory[_LATENCY] + size_bytes * later_s_per_byte
                state.later_s[scenario * _MOST_AHEAD + d, rung] = elapsed_s


def _scenario_utility(
    params: Params, state: State, seen: Observation, ahead: int, scenario: int, rung: int
) -> float:
    """What ``rung`` now, and the best constant rung after it, come to in a scenario."""
    weights, mbps = state.weights, state.mbps
    stall_weight = params.stall_weight * weights[_STALL]
    full_s = max(seen.max_buffer_s, seen.durations_s[seen.segment])
    buffer_s = max(seen.buffer_s - weights[_RESERVE_S], 0.0)
    stalled_s = max(state.first_s[scenario, rung] - buffer_s, 0.0)
    buffer_s = max(buffer_s - state.first_s[scenario, rung], 0.0)
    buffer_s = min(buffer_s + seen.durations_s[seen.segment], full_s)
    before = max(seen.last_rung, 0)
    change = params.switch_weight * weights[_CHANGE] * abs(mbps[rung] - mbps[before])
    utility = mbps[rung] - stall_weight * stalled_s - change
    left = len(seen.durations_s) - seen.segment - ahead
    if ahead == 1:
        return float(utility)
    best = -math.inf
    later_change = params.switch_weight * weights[_LATER_CHANGE]
    is_priced = left > 0
    for after in range(len(mbps)):
        adds = (ahead - 1) * mbps[after] - later_change * abs(mbps[after] - mbps[rung])
        level_s, lacks_s = buffer_s, 0.0
        for d in range(1, ahead):
            elapsed_s = state.later_s[scenario * _MOST_AHEAD + d, after]
            if elapsed_s > level_s:
                lacks_s += elapsed_s - level_s
                level_s = 0.0
            else:
                level_s -= elapsed_s
            level_s = min(level_s + seen.durations_s[seen.segment + d], full_s)
        adds -= stall_weight * lacks_s
        if is_priced:
            price = weights[_PRICE_RATE] * mbps[after] + weights[_PRICE]
            share = min(left * seen.durations_s[seen.segment] / params.ahead_s, 1.0)
            adds += share * price * (1 - math.exp(-level_s / weights[_PRICE_S]))
        best = max(best, adds)
    return float(utility + best)


def reconsider(params: Params, state: State, seen: Observation, progress: Progress) -> Decision:
    """Abandon for the lower rung that gains most, when that is enough."""
    stay = Decision(progress.rung, 0.0, _PLANNED)
    if not params.may_abandon or state.memory[_COUNT] == 0:
        return stay
    weights, mbps = state.weights, state.mbps
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
    now = mbps[progress.rung] - params.switch_weight * abs(mbps[progress.rung] - mbps[before])
    answer, best = progress.rung, weights[_ABANDON_GAIN]
    for rung in range(progress.rung):
        size_bytes = seen.sizes_bytes[rung, progress.segment]
        needs_s = 2 * state.memory[_LATENCY] + size_bytes * s_per_byte
        then = mbps[rung] - params.switch_weight * abs(mbps[rung] - mbps[before])
        saved_s = stalled_s - max(needs_s - progress.buffer_s, 0.0)
        gain = params.stall_weight * saved_s - (now - then)
        if gain > best:
            answer, best = rung, gain
    return Decision(answer, 0.0, _ABANDON) if answer < progress.rung else stay


def delivered(params: Params, state: State, seen: Observation, download: Download) -> None:
    """Follow throughput and latency, and how wrong the forecast was."""
    weights, memory = state.weights, state.memory
    body_s = download.end_s - download.first_byte_s
    if body_s < _LEAST_S:
        body_s = max(download.end_s - download.start_s, _LEAST_S)
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
    """The algorithm with learned numbers.

    Raises:
        AlgorithmError: a number is missing, unknown, not finite, or not positive where it
            must be; or they are not those of ``params.fingerprint``.
        ValueError: a parameter out of range.
    """
    params, numbers = params or Params(), order_weights(weights)
    if not (params.stall_weight >= 0 and params.switch_weight >= 0 and params.ahead_s > 0):
        raise ValueError("weights must be 0 or more, and ahead_s more than 0")
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
    """The numbers as ``State.weights`` holds them, shape (W,).

    Raises:
        AlgorithmError: as in ``build_rule``.
    """
    known = [each.name for each in WEIGHTS]
    wrong = sorted(set(weights) ^ set(known))
    if wrong:
        raise AlgorithmError(
            f"weights of a planner: {', '.join(wrong)} missing or unknown; "
            f"expected {', '.join(known)}"
        )
    for each in WEIGHTS:
        value = weights[each.name]
        if not math.isfinite(value) or (each.is_positive and value <= 0):
            raise AlgorithmError(
                f"weights of a planner: {each.name} is {value}; expected a finite number"
                + (" above 0" if each.is_positive else "")
            )
    return np.array([weights[name] for name in known], dtype=np.float64)
