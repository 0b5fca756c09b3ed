"""QUETRA: the rung at which an M/D/1/K queue would leave as much room as the buffer has.

Downloading and playing at the rate of a rung form a queue with room for the seconds of the
buffer, whose load is throughput over rate. Its mean free room, the buffer slack, is computed
for each rung, and the rung whose slack is closest to the buffer level is chosen. So the
buffer tends to the level where the two are equal: half full if throughput and rate match.

Source: Yadav, Shafiei, Ooi, QUETRA: A Queuing Theory Approach to DASH Rate Adaptation,
ACM Multimedia 2017; the table in steps of 0.01 for loads from 0.5 to 1.2, ties to the higher
rung, the reservoir and the moving average as in ``quetra.py`` of the SABR benchmark, which
follows the authors' implementation for dash.js.

deviation: that program has tables for buffers of 30, 60, 120 and 240 s and rejects others.
Here the slack is computed for the player's limit in whole seconds, up to 1000; it is within
0.005 s of the published tables.

deviation: that program ignores throughputs of 10 Mbit/s or more, and so stays at the lowest
rung on fast networks. Here none is ignored; ``ignore_above_bps=10e6`` restores that. As
there, the mean moves towards the newest sample at every decision, even without a new one.

deviation: the authors' implementation for dash.js decides at every fifth segment only; this
one, like the program, at every segment.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from abr.algorithms.sustainable import highest_within
from abr.compilable import rarely
from abr.decision import Decision, Download, Observation, Rule
from abr.defaults import MAX_BUFFER_S
from abr.media import FloatArray
from abr.queueing import mean_length

_NO_SAMPLE, _NEAREST, _RESERVOIR, _ALL_SLACK = 0, 1, 2, 3
_STEPS = 71
_ROOM = 1000


class Params(NamedTuple):
    """Parameters of ``quetra``."""

    alpha: float = 0.1
    """Weight of the newest throughput in the moving average."""
    reservoir: float = 0.375
    """Fraction of the player's buffer limit below which the lowest rung is chosen."""
    ignore_above_bps: float = 0.0
    """Throughputs of at least this are ignored; 0 for no limit."""
    initial_bps: float = 0.0
    """Throughput taken for granted before the first download: it comes at the highest rung within
    this; 0: at the lowest."""


class State(NamedTuple):
    """Throughput, and the slacks computed so far."""

    throughput_bps: FloatArray
    """Number of samples, the first, the newest, and their mean, shape (4,)."""
    slack_s: FloatArray
    """Slack for each step of the load; nan if not yet computed, shape (71,)."""
    room: FloatArray
    """Buffer limit in whole seconds for which the slacks were computed, shape (1,)."""
    weights: FloatArray
    """Scratch of ``mean_length``."""
    tails: FloatArray
    """Scratch of ``mean_length``."""


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """Create the state of one playback, with the slacks of the player's default limit."""
    room = int(MAX_BUFFER_S)
    return State(
        np.zeros(4),
        np.array(slacks_s(room)),
        np.full(1, float(room)),
        np.zeros(_ROOM),
        np.zeros(33),
    )


@cache
def slacks_s(room: int) -> tuple[float, ...]:
    """Slack of a buffer of ``room`` seconds for each step of the load."""
    weights, tails = np.zeros(_ROOM), np.zeros(33)
    return tuple(_slack_at(step, room, weights, tails) for step in range(_STEPS))


@rarely
def _slack_at(step: int, room: int, weights: FloatArray, tails: FloatArray) -> float:
    return room - mean_length(0.5 + 0.01 * step, room, weights, tails)


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """Choose the rung whose slack is closest to the buffer level; ties go to the higher rung."""
    if state.throughput_bps[0] == 0:
        return Decision(highest_within(seen.ladder_bps, params.initial_bps), 0.0, _NO_SAMPLE)
    mean_bps = _mean_bps(params, state)
    best, nearest_s = 0, 0.0
    lowest_s = best_s = highest_s = 0.0
    for rung in range(len(seen.ladder_bps)):
        slack_s = _slack_s(state, mean_bps / seen.ladder_bps[rung], seen.max_buffer_s)
        off_s = abs(seen.buffer_s - slack_s)
        if rung == 0:
            lowest_s = slack_s
        if rung == 0 or off_s <= nearest_s:
            best, best_s, nearest_s = rung, slack_s, off_s
        highest_s = slack_s
    if seen.buffer_s < params.reservoir * seen.max_buffer_s:
        return Decision(0, 0.0, _RESERVOIR)
    if best_s == seen.max_buffer_s and lowest_s == highest_s:
        return Decision(0, 0.0, _ALL_SLACK)
    return Decision(best, 0.0, _NEAREST)


def delivered(params: Params, state: State, seen: Observation, download: Download) -> None:
    """Record the throughput, including the wait for the first byte."""
    elapsed_s = download.end_s - download.start_s
    if not elapsed_s > 0:
        return
    bps = 8 * download.size_bytes / elapsed_s
    if 0 < params.ignore_above_bps <= bps:
        return
    if state.throughput_bps[0] == 0:
        state.throughput_bps[1] = bps
    state.throughput_bps[2] = bps
    state.throughput_bps[0] += 1


def _mean_bps(params: Params, state: State) -> float:
    """The sample if there is one, the mean of two, then a moving average updated per decision."""
    samples, newest_bps = state.throughput_bps[0], state.throughput_bps[2]
    if samples == 1:
        mean_bps = newest_bps
    elif samples == 2:
        mean_bps = (state.throughput_bps[1] + newest_bps) / 2
    else:
        mean_bps = (1 - params.alpha) * state.throughput_bps[3] + params.alpha * newest_bps
    state.throughput_bps[3] = mean_bps
    return float(mean_bps)


def _slack_s(state: State, load: float, max_buffer_s: float) -> float:
    """Mean free room of the queue: all of it at low loads, none at high ones."""
    if load < 0.5:
        return max_buffer_s
    if load >= 1.2:
        return 0.0
    room = min(max(int(max_buffer_s), 1), _ROOM)
    if room != state.room[0]:
        state.room[0] = room
        for i in range(_STEPS):
            state.slack_s[i] = np.nan
    index = int((load - 0.5) / 0.01)
    if not state.slack_s[index] >= 0:
        state.slack_s[index] = _slack_at(index, room, state.weights, state.tails)
    return float(state.slack_s[index])


def make(**params: float) -> Rule:
    """Create the algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: a parameter is out of range.
    """
    made = Params(**params)
    if not (0 < made.alpha <= 1 and 0 <= made.reservoir <= 1 and made.ignore_above_bps >= 0):
        raise ValueError(
            "alpha and reservoir must be parts of 1, alpha not 0, ignore_above_bps 0 or more"
        )
    if not made.initial_bps >= 0:
        raise ValueError("initial_bps must be 0 or more")
    return Rule(
        name="quetra",
        params=made,
        start=start,
        choose=choose,
        delivered=delivered,
        reasons=("no sample yet", "nearest slack", "reservoir", "slack everywhere"),
    )
