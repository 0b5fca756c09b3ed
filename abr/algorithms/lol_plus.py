"""LoL+ as in dash.js: a self-organising map whose neurons are the rungs.

Each neuron stores a throughput and a size of switches, both relative to the ladder. The
rung chosen is that of the neuron closest to the measured throughput and to no switch; rungs
that exceed the throughput, or would leave less than 0.3 s of buffer, get a large distance.
The neurons of the last and of the new rung, and their neighbours by distance, then move
towards the observed values. Before all this, if downloading the current rung would leave
less than 0.3 s of buffer, the highest lower rung that the throughput sustains is chosen.

The throughput estimate and its samples are those of ``dashjs``.

Source: Bentaleb, Akcay, Lim, Begen, Zimmermann, Catching the Moment with LoL+ in Twitch-like
Low-latency Live Streaming Platforms, IEEE Transactions on Multimedia 2021, in the form of
``LoLPRule``, ``LearningAbrController`` and ``LoLpWeightSelector`` of the npm package dashjs
5.2.1, whose decisions as the only active rule, without a live delay, are reproduced.

deviation: there is no live delay here and the playback rate is 1. The terms for latency and
stalls are then always zero, and the search over 625 weight vectors, which starts from random
centres, always ends at the same one: 1 for the buffer and 0.2 for the rest. They are omitted.

deviation: no estimate is kept from an earlier playback: the first rung is the highest within
1 Mbit/s. If segments differ in length, the nominal length is their median.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from abr.algorithms.dashjs import (
    Throughput,
    average_kbps,
    rung_within,
    throughput_add,
    throughput_start,
)
from abr.decision import Decision, Download, Observation, Rule
from abr.media import FloatArray

_STAY, _LOW_BUFFER, _NEAREST = 0, 1, 2


class Params(NamedTuple):
    """Parameters of ``lol-plus``; constants of the source unless stated otherwise."""

    least_buffer_s: float = 0.3
    """Buffer level that a download must leave; ``DWS_BUFFER_MIN``."""
    headroom_bps: float = 10e3
    """A rung must stay this far below the throughput; ``throughputDelta``."""
    throughput_weight: float = 0.2
    """Weight of the throughput in the distance."""
    switch_weight: float = 0.2
    """Weight of the size of switches in the distance."""
    shun_weight: float = 100.0
    """Weight of the throughput for a rung to be avoided."""
    learning_rate: float = 0.01
    """Fraction of the distance that a neuron moves."""
    neighbourhood: float = 0.1
    """Width of the Gaussian neighbourhood function; ``sigma``."""
    safety: float = 0.9
    """Fraction of the throughput relied on; setting ``bandwidthSafetyFactor``."""
    half_life_fast_s: float = 3.0
    """Half-life of the fast mean; setting ``throughputFastHalfLifeSeconds``."""
    half_life_slow_s: float = 8.0
    """Half-life of the slow mean; setting ``throughputSlowHalfLifeSeconds``."""
    initial_bps: float = 1e6
    """The first rung is the highest within this; ``DEFAULT_VIDEO_BITRATE``."""


class State(NamedTuple):
    """State of one playback."""

    throughput: Throughput
    carried: FloatArray
    """Throughput of each neuron, in units of ``norm_bps``, shape (R,)."""
    switched: FloatArray
    """Size of switches of each neuron, in the same units, shape (R,)."""
    norm_bps: FloatArray
    """Euclidean norm of the ladder as a vector, shape (1,)."""
    segment_s: FloatArray
    """Nominal length of a segment, shape (1,)."""


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """Create the state of one playback."""
    norm_bps = math.sqrt(float(np.sum(ladder_bps**2)))
    return State(
        throughput_start(params.half_life_fast_s, params.half_life_slow_s),
        ladder_bps / norm_bps,
        np.zeros(len(ladder_bps)),
        np.full(1, norm_bps),
        np.full(1, np.median(durations_s)),
    )


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """Choose the rung of the closest neuron, and update the neurons."""
    ladder_bps, buffer_s, segment_s = seen.ladder_bps, seen.buffer_s, state.segment_s[0]
    current = seen.last_rung
    if current < 0:
        current = rung_within(params.initial_bps / 1e3, ladder_bps)
    link_bps = params.safety * average_kbps(state.throughput) * 1e3
    if math.isnan(link_bps):
        return Decision(current, 0.0, _STAY)
    if link_bps <= 0 or buffer_s - ladder_bps[current] * segment_s / link_bps < (
        params.least_buffer_s
    ):
        lower = current
        for q in range(current):
            if link_bps > ladder_bps[q]:
                lower = q
        return Decision(lower, 0.0, _LOW_BUFFER)
    norm_bps = state.norm_bps[0]
    measured = link_bps / norm_bps
    if measured > 1:
        measured = 0.0
        for q in range(len(ladder_bps)):
            measured = max(measured, state.carried[q])
    rung, nearest = 0, math.inf
    for q in range(len(ladder_bps)):
        takes_s = ladder_bps[q] * segment_s / link_bps
        left_s = buffer_s - segment_s if takes_s > segment_s else buffer_s + segment_s - takes_s
        weight = params.throughput_weight
        is_too_much = ladder_bps[q] > link_bps - params.headroom_bps
        if q > 0 and (is_too_much or left_s < params.least_buffer_s):
            weight = params.shun_weight
        apart = weight * (state.carried[q] - measured) ** 2
        distance = math.sqrt(apart + params.switch_weight * state.switched[q] ** 2)
        if distance < nearest:
            rung, nearest = q, distance
    switch = abs(ladder_bps[current] - ladder_bps[rung]) / norm_bps
    _learn(params, state, current, measured, switch)
    _learn(params, state, rung, measured, switch)
    return Decision(rung, 0.0, _NEAREST)


def delivered(params: Params, state: State, seen: Observation, download: Download) -> None:
    """Update the state from a finished download."""
    throughput_add(state.throughput, download)


def _learn(params: Params, state: State, winner: int, measured: float, switch: float) -> None:
    """Move the winner and its neighbours, in place: later neurons see the updated winner."""
    carried, switched = state.carried, state.switched
    for q in range(len(carried)):
        square = (carried[q] - carried[winner]) ** 2 + (switched[q] - switched[winner]) ** 2
        near = params.learning_rate * math.exp(-square / (2 * params.neighbourhood**2))
        carried[q] += (measured - carried[q]) * near
        switched[q] += (switch - switched[q]) * near


def make(**params: float) -> Rule:
    """Create the algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: a parameter is out of range.
    """
    made = Params(**params)
    if not (made.neighbourhood > 0 and made.safety > 0):
        raise ValueError("neighbourhood and safety must be more than 0")
    if not (made.half_life_fast_s > 0 and made.half_life_slow_s > 0):
        raise ValueError("the half-lives must be more than 0")
    if not made.initial_bps >= 0:
        raise ValueError("initial_bps must be 0 or more")
    return Rule(
        name="lol-plus",
        params=made,
        start=start,
        choose=choose,
        delivered=delivered,
        reasons=("stays", "low buffer", "nearest"),
    )
