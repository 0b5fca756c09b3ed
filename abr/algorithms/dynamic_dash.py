"""DYNAMIC as in dash.js: the throughput rule at low buffer levels, BOLA-E at high ones.

BOLA-E takes over when the buffer level rises above ``high_s``, the throughput rule when it
falls below ``low_s``. Only the active rule decides, also about abandoning; both are told
about every download and wait.

Source: Spiteri, Sitaraman, Sparacio, From Theory to Practice, MMSys 2018, section 5, and
Sabre's ``DynamicDash`` at commit 09b03bb, whose decisions this reproduces.

deviation: if segments differ in length, the nominal length is their median.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from abr.algorithms.bola_e import Params as BolaParams
from abr.algorithms.bola_e import State as BolaState
from abr.algorithms.bola_e import better_rung, decide, note_abandonment, update_control
from abr.algorithms.bola_e import delivered as tell_bola
from abr.algorithms.bola_e import start as start_bola
from abr.algorithms.bola_e import waited as tell_bola_wait
from abr.algorithms.sustainable import highest_within
from abr.algorithms.throughput import ABANDON_AFTER_S, ABANDON_RATIO, FIRST_CAUTION
from abr.algorithms.throughput import Params as ThroughputParams
from abr.algorithms.throughput import State as ThroughputState
from abr.algorithms.throughput import choose as choose_by_rate
from abr.algorithms.throughput import reconsider as reconsider_by_rate
from abr.decision import Decision, Download, Observation, Progress, Rule
from abr.estimators import ewma_throughput_bps
from abr.media import FloatArray

_NO_SAMPLE, _THROUGHPUT, _BOLA, _ABANDON = range(4)


class Params(NamedTuple):
    """Parameters of ``dynamic-dash``."""

    low_s: float = 5.0
    """Buffer level below which the throughput rule takes over."""
    high_s: float = 10.0
    """Buffer level above which BOLA-E takes over."""
    safety: float = 0.9
    """Fraction of the estimated throughput that the throughput rule relies on."""
    buffer_rule: bool = True
    """Whether the insufficient-buffer rules apply."""
    gp: float = 5.0
    """BOLA-E's weight of avoiding stalls; used only without ``buffer_rule``."""
    oscillation: bool = False
    """Whether a switch up by BOLA-E stops at the sustained rung, instead of one above it."""
    abandon: bool = True
    """Whether downloads may be abandoned."""
    half_life_fast_s: float = 3.0
    """Half-life of the fast throughput mean, seconds of transfer."""
    half_life_slow_s: float = 8.0
    """Half-life of the slow throughput mean, seconds of transfer."""
    initial_bps: float = 0.0
    """Throughput taken for granted before the first download: it comes at the highest rung within
    this; 0: at the lowest."""


class State(NamedTuple):
    """State of one playback."""

    bola: BolaState
    caution: FloatArray
    """``caution`` of the throughput rule, shape (1,)."""
    is_bola: FloatArray
    """1 while BOLA-E decides, else 0, shape (1,)."""


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """Create the state of one playback."""
    return State(
        start_bola(_bola_params(params), ladder_bps, durations_s),
        np.full(1, FIRST_CAUTION),
        np.zeros(1),
    )


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """Choose the rung of the active rule."""
    if math.isnan(ewma_throughput_bps(state.bola.ewma)):
        return Decision(highest_within(seen.ladder_bps, params.initial_bps), 0.0, _NO_SAMPLE)
    if state.is_bola[0] > 0:
        if seen.buffer_s < params.low_s:
            state.is_bola[0] = 0.0
    elif seen.buffer_s > params.high_s:
        state.is_bola[0] = 1.0
    if state.is_bola[0] > 0:
        answer = decide(_bola_params(params), state.bola, seen)
        return Decision(answer.rung, answer.wait_s, _BOLA)
    answer = choose_by_rate(_throughput_params(params), _throughput_state(state), seen)
    return Decision(answer.rung, answer.wait_s, _THROUGHPUT)


def reconsider(params: Params, state: State, seen: Observation, progress: Progress) -> Decision:
    """Abandon as the active rule does."""
    if not params.abandon:
        return Decision(progress.rung, 0.0, _THROUGHPUT)
    if state.is_bola[0] > 0:
        rung = better_rung(state.bola, progress)
    else:
        rung = reconsider_by_rate(
            _throughput_params(params), _throughput_state(state), seen, progress
        ).rung
    if rung < progress.rung:
        update_control(_bola_params(params), state.bola, seen)
        note_abandonment(state.bola, progress, rung)
        return Decision(rung, 0.0, _ABANDON)
    return Decision(progress.rung, 0.0, _THROUGHPUT)


def delivered(params: Params, state: State, seen: Observation, download: Download) -> None:
    """Update the state from a finished download."""
    tell_bola(_bola_params(params), state.bola, seen, download)


def waited(params: Params, state: State, seen: Observation, wait_s: float) -> None:
    """Tell BOLA-E about a wait for room in the buffer."""
    tell_bola_wait(_bola_params(params), state.bola, seen, wait_s)


def _bola_params(params: Params) -> BolaParams:
    return BolaParams(
        params.buffer_rule,
        params.gp,
        params.oscillation,
        params.abandon,
        0,
        params.half_life_fast_s,
        params.half_life_slow_s,
        params.initial_bps,
    )


def _throughput_params(params: Params) -> ThroughputParams:
    return ThroughputParams(
        params.safety,
        params.half_life_fast_s,
        params.half_life_slow_s,
        0,
        params.buffer_rule,
        params.abandon,
        ABANDON_AFTER_S,
        ABANDON_RATIO,
        params.initial_bps,
    )


def _throughput_state(state: State) -> ThroughputState:
    return ThroughputState(state.bola.ewma, state.caution, state.bola.segment_s)


def make(**params: float) -> Rule:
    """Create the algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: a parameter is out of range.
    """
    made = Params(**params)  # type: ignore[arg-type]  # the registry checked the types
    if not 0 <= made.low_s <= made.high_s:
        raise ValueError(
            f"low_s is {made.low_s:g} and high_s {made.high_s:g}; expected 0 <= low_s <= high_s"
        )
    if not (made.gp > 0 and made.safety > 0):
        raise ValueError("gp and safety must be more than 0")
    if not (made.half_life_fast_s > 0 and made.half_life_slow_s > 0):
        raise ValueError("the half-lives must be more than 0")
    if not made.initial_bps >= 0:
        raise ValueError("initial_bps must be 0 or more")
    return Rule(
        name="dynamic-dash",
        params=made,
        start=start,
        choose=choose,
        reconsider=reconsider,
        delivered=delivered,
        waited=waited,
        reasons=("no sample yet", "throughput", "buffer", "abandons"),
    )
