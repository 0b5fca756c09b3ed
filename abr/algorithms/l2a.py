"""L2A-LL as in dash.js: online gradient descent on a distribution over rungs.

Each decision moves a vector of weights over the rungs according to the throughput of the
last download and a multiplier that follows the buffer, projects it onto the simplex, and
chooses the rung closest to the mean rate of the distribution. Until there is 1.5 s of
buffer, the rung is the highest within 0.9 of the estimated throughput; that estimate and
its samples are those of ``dashjs``.

Source: Karagkioules, Mekuria, Griffioen, Wagenaar, Online Learning for Low-Latency Adaptive
Streaming, MMSys 2020, in the form of ``L2ARule`` of the npm package dashjs 5.2.1, whose
decisions as the only active rule are reproduced.

deviation, as in dash.js: the multiplier divides rates in bit/s by a throughput in kbit/s,
and the limit of one rung per step up compares the same two quantities. So the multiplier is
a thousand times larger than intended, and the limit almost never applies.

deviation: the playback rate is 1; dash.js changes it to hold a live delay, which is what
L2A-LL was designed for.

deviation: no estimate is kept from an earlier playback: the first rung is the highest within
1 Mbit/s.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from abr.algorithms.dashjs import (
    Throughput,
    average_kbps,
    rung_within,
    take_sample,
    throughput_add,
    throughput_start,
)
from abr.decision import Decision, Download, Observation, Rule
from abr.media import FloatArray

_STAY, _STARTUP, _LEARNT = 0, 1, 2


class Params(NamedTuple):
    """Parameters of ``l2a``; constants of ``L2ARule`` unless stated otherwise."""

    horizon: float = 4.0
    """Number of decisions within which to converge; ``HORIZON``."""
    caution: float = 0.99
    """Exponent of the horizon that gives the weight of the rates; ``VL``."""
    react: float = 2.0
    """Factor by which the multiplier grows when a rung exceeds the throughput; ``REACT``."""
    target_s: float = 1.5
    """Buffer level that ends startup; ``B_target``."""
    safety: float = 0.9
    """Fraction of the throughput relied on in startup; setting ``bandwidthSafetyFactor``."""
    half_life_fast_s: float = 3.0
    """Half-life of the fast mean; setting ``throughputFastHalfLifeSeconds``."""
    half_life_slow_s: float = 8.0
    """Half-life of the slow mean; setting ``throughputSlowHalfLifeSeconds``."""
    initial_bps: float = 1e6
    """The first rung is the highest within this; ``DEFAULT_VIDEO_BITRATE``."""


class State(NamedTuple):
    """State of one playback."""

    throughput: Throughput
    """Its means only during startup; later steps need the last sample alone."""
    ladder_kbps: FloatArray
    """Nominal rates, shape (R,)."""
    caution: FloatArray
    """Weight of the rates, and what divides a segment's duration for the size of a step,
    shape (2,)."""
    weights: FloatArray
    """The distribution over rungs, shape (R,)."""
    moved: FloatArray
    """Workspace: the weights after a step, shape (R,)."""
    sorted: FloatArray
    """Workspace for sorting, shape (R,)."""
    multiplier: FloatArray
    """The Lagrange multiplier, shape (1,)."""
    is_steady: FloatArray
    """1 after startup, shape (1,)."""
    segment_s: FloatArray
    """Duration of the newest segment; 0 before the first, shape (1,)."""
    is_fresh: FloatArray
    """1 if there was a download since the last step, shape (1,)."""


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """Create the state of one playback."""
    rungs, caution = len(ladder_bps), params.horizon**params.caution
    return State(
        throughput_start(params.half_life_fast_s, params.half_life_slow_s),
        ladder_bps / 1e3,
        np.array([caution, 2 * max(params.horizon, caution * math.sqrt(params.horizon))]),
        np.zeros(rungs),
        np.zeros(rungs),
        np.zeros(rungs),
        np.zeros(1),
        np.zeros(1),
        np.zeros(1),
        np.zeros(1),
    )


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """Take one step of gradient descent, or choose by throughput during startup."""
    ladder_bps = seen.ladder_bps
    current = seen.last_rung
    if current < 0:
        current = rung_within(params.initial_bps / 1e3, ladder_bps)
    if state.is_steady[0] == 0:
        kbps = average_kbps(state.throughput)
        if math.isnan(kbps):
            return Decision(current, 0.0, _STAY)
        rung = rung_within(params.safety * kbps, ladder_bps)
        if state.segment_s[0] > 0 and seen.buffer_s >= params.target_s:
            state.is_steady[0] = 1.0
            state.multiplier[0] = state.caution[0]
            for q in range(len(ladder_bps)):
                state.weights[q] = 1.0 if q == rung else 0.0
        state.is_fresh[0] = 0.0
        return Decision(rung, 0.0, _STARTUP)
    if state.is_fresh[0] == 0:
        return Decision(current, 0.0, _STAY)
    state.is_fresh[0] = 0.0
    return Decision(_step(params, state, ladder_bps, current), 0.0, _LEARNT)


def delivered(params: Params, state: State, seen: Observation, download: Download) -> None:
    """Update the state from a finished download."""
    if state.is_steady[0] == 0:
        throughput_add(state.throughput, download)
    else:
        take_sample(state.throughput, download)
    state.segment_s[0] = seen.durations_s[download.segment]
    state.is_fresh[0] = 1.0


def _step(params: Params, state: State, ladder_bps: FloatArray, current: int) -> int:
    """Update the distribution and the multiplier, and return the resulting rung."""
    rungs, weights, moved = len(ladder_bps), state.weights, state.moved
    kbps, segment_s = max(state.throughput.last_kbps[0], 1.0), state.segment_s[0]
    caution, step = state.caution[0], segment_s / state.caution[1]
    for q in range(rungs):
        load = state.ladder_kbps[q] / kbps
        sign = -1.0 if load > 1 else 1.0
        moved[q] = weights[q] + sign * step * ((state.multiplier[0] + caution) * load)
    excess = _excess(moved, state.sorted)
    mean_bps, change_bps = 0.0, 0.0
    for q in range(rungs):
        moved[q] = max(moved[q] - excess, 0.0)
        mean_bps += ladder_bps[q] * moved[q]
        change_bps += ladder_bps[q] * (moved[q] - weights[q])
        weights[q] = moved[q]
    # bit/s over kbit/s, a thousand times too large, as in dash.js.
    growth_s = segment_s * ((mean_bps + change_bps) / kbps)
    state.multiplier[0] = max(0.0, state.multiplier[0] - segment_s + growth_s)
    rung, nearest_bps = 0, math.inf
    for q in range(rungs):
        off_bps = abs(ladder_bps[q] - mean_bps)
        if off_bps < nearest_bps:
            rung, nearest_bps = q, off_bps
    # Likewise: bit/s are compared with kbit/s, so this is almost never true.
    if rung > current and ladder_bps[current + 1] <= kbps:
        rung = current + 1
    if state.ladder_kbps[rung] >= kbps:
        state.multiplier[0] = params.react * max(caution, state.multiplier[0])
    return rung


def _excess(values: FloatArray, scratch: FloatArray) -> float:
    """The amount to subtract from each value, clipping at 0, for a sum of 1.

    Source: Chen and Ye, Projection onto a Simplex, arXiv 1101.6081.
    """
    largest = second = -math.inf
    for value in values:
        second = max(second, min(value, largest))
        largest = max(largest, value)
    if largest - 1 >= second:  # as a rule; no need to sort
        return float(largest - 1)
    count = len(values)
    for i in range(count):
        value, j = values[i], i
        while j > 0 and scratch[j - 1] < value:
            scratch[j] = scratch[j - 1]
            j -= 1
        scratch[j] = value
    total = 0.0
    for i in range(count - 1):
        total += scratch[i]
        excess = (total - 1) / (i + 1)
        if excess >= scratch[i + 1]:
            return float(excess)
    return float((total + scratch[count - 1] - 1) / count)


def make(**params: float) -> Rule:
    """Create the algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: a parameter is out of range.
    """
    made = Params(**params)
    if not (made.horizon > 0 and made.safety > 0):
        raise ValueError("horizon and safety must be more than 0")
    if not (made.half_life_fast_s > 0 and made.half_life_slow_s > 0):
        raise ValueError("the half-lives must be more than 0")
    if not made.initial_bps >= 0:
        raise ValueError("initial_bps must be 0 or more")
    return Rule(
        name="l2a",
        params=made,
        start=start,
        choose=choose,
        delivered=delivered,
        reasons=("stays", "throughput", "learnt"),
    )
