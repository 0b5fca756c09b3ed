"""DYNAMIC: the throughput rule at low buffer levels, BOLA at high ones.

Both are evaluated for every segment. The throughput rule decides at first. BOLA takes over
above ``low_buffer_s`` if its rung is at least as high, and hands back below that level if
its rung is lower. Downloads are abandoned by the throughput rule.

Source: Spiteri, Sitaraman, Sparacio, From Theory to Practice, MMSys 2018, section 5, and
Sabre's ``Dynamic`` at commit 09b03bb, whose decisions this reproduces. As in Sabre, a fast
switch returns control to the throughput rule.

deviation: if segments differ in length, the nominal length is their median.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from abr.algorithms.bola import Params as BolaParams
from abr.algorithms.bola import State as BolaState
from abr.algorithms.bola import choose as choose_by_buffer
from abr.algorithms.bola import utilities
from abr.algorithms.fast_switching import (
    NEWEST_FIRST,
    Buffered,
    buffered_add,
    buffered_start,
    is_replacing,
    is_too_late,
    prefer_replacement,
)
from abr.algorithms.sustainable import highest_within
from abr.algorithms.throughput import ABANDON_AFTER_S, ABANDON_RATIO, FIRST_CAUTION
from abr.algorithms.throughput import Params as ThroughputParams
from abr.algorithms.throughput import State as ThroughputState
from abr.algorithms.throughput import choose as choose_by_rate
from abr.algorithms.throughput import reconsider as reconsider_by_rate
from abr.decision import Decision, Download, Observation, Progress, Rule
from abr.estimators import Ewma, ewma_add, ewma_start, ewma_throughput_bps
from abr.media import FloatArray

_NO_SAMPLE, _THROUGHPUT, _BOLA, _REPLACE, _ABANDON = range(5)


class Params(NamedTuple):
    """Parameters of ``dynamic``."""

    low_buffer_s: float = 10.0
    """Buffer level below which the throughput rule may take over, and above which BOLA may."""
    gp: float = 5.0
    """BOLA's weight of avoiding stalls relative to utility."""
    oscillation: bool = False
    """Whether BOLA avoids oscillation (BOLA-O) rather than maximise utility (BOLA-U)."""
    safety: float = 0.9
    """Fraction of the estimated throughput that the throughput rule relies on."""
    buffer_rule: bool = True
    """Whether the throughput rule's insufficient-buffer rule applies."""
    abandon: bool = True
    """Whether slow downloads may be abandoned."""
    fast_switching: int = 0
    """Replacement of low-rung segments in the buffer: 0 never, 1 oldest first, 2 newest first."""
    half_life_fast_s: float = 3.0
    """Half-life of the fast throughput mean, seconds of transfer."""
    half_life_slow_s: float = 8.0
    """Half-life of the slow throughput mean, seconds of transfer."""
    initial_bps: float = 0.0
    """Throughput taken for granted before the first download: it comes at the highest rung within
    this; 0: at the lowest."""


class State(NamedTuple):
    """State of one playback."""

    ewma: Ewma
    segment_s: FloatArray
    """Nominal length of a segment, shape (1,)."""
    caution: FloatArray
    """``caution`` of the throughput rule, shape (1,)."""
    last_rung: FloatArray
    """``last_rung`` of BOLA, shape (1,)."""
    utility: FloatArray
    """``utility`` of BOLA, shape (R,)."""
    is_bola: FloatArray
    """1 while BOLA decides, else 0, shape (1,)."""
    buffered: Buffered


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """Create the state of one playback."""
    return State(
        ewma_start(params.half_life_fast_s, params.half_life_slow_s),
        np.full(1, np.median(durations_s)),
        np.full(1, FIRST_CAUTION),
        np.zeros(1),
        utilities(ladder_bps),
        np.zeros(1),
        buffered_start(len(durations_s)),
    )


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """Choose the rung of the active rule, or a segment to replace at that rung."""
    if math.isnan(ewma_throughput_bps(state.ewma)):
        return Decision(highest_within(seen.ladder_bps, params.initial_bps), 0.0, _NO_SAMPLE)
    by_buffer = choose_by_buffer(_bola_params(params), _bola_state(state), seen)
    by_rate = choose_by_rate(_throughput_params(params), _throughput_state(state), seen)
    if state.is_bola[0] > 0:
        if seen.buffer_s < params.low_buffer_s and by_buffer.rung < by_rate.rung:
            state.is_bola[0] = 0.0
    elif seen.buffer_s > params.low_buffer_s and by_buffer.rung >= by_rate.rung:
        state.is_bola[0] = 1.0
    decision = Decision(by_rate.rung, 0.0, _THROUGHPUT)
    if state.is_bola[0] > 0:
        decision = Decision(by_buffer.rung, by_buffer.wait_s, _BOLA)
    return prefer_replacement(
        params.fast_switching, state.buffered, seen, state.segment_s[0], decision, _REPLACE
    )


def reconsider(params: Params, state: State, seen: Observation, progress: Progress) -> Decision:
    """Abandon as the throughput rule does, or because a replacement would arrive too late."""
    stay = Decision(progress.rung, 0.0, _THROUGHPUT)
    if not params.abandon:
        return stay
    if is_replacing(state.buffered, progress.segment):
        if not is_too_late(seen, progress, state.segment_s[0]):
            return stay
        state.is_bola[0] = 0.0
        return Decision(progress.rung - 1, 0.0, _ABANDON)
    answer = reconsider_by_rate(
        _throughput_params(params), _throughput_state(state), seen, progress
    )
    return Decision(answer.rung, 0.0, _ABANDON) if answer.rung < progress.rung else stay


def delivered(params: Params, state: State, seen: Observation, download: Download) -> None:
    """Update throughput and latency from a finished download."""
    ewma_add(
        state.ewma,
        download.size_bytes,
        download.end_s - download.first_byte_s,
        download.first_byte_s - download.start_s,
        state.segment_s[0],
    )
    if is_replacing(state.buffered, download.segment):
        state.is_bola[0] = 0.0
    buffered_add(state.buffered, download)


def _bola_params(params: Params) -> BolaParams:
    return BolaParams(
        params.gp,
        params.oscillation,
        True,  # finite; positional, because compiled code takes no keywords here
        params.abandon,
        params.half_life_fast_s,
        params.half_life_slow_s,
        params.initial_bps,
    )


def _bola_state(state: State) -> BolaState:
    return BolaState(state.ewma, state.last_rung, state.segment_s, state.utility)


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
    return ThroughputState(state.ewma, state.caution, state.segment_s)


def make(**params: float) -> Rule:
    """Create the algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: a parameter is out of range.
    """
    made = Params(**params)  # type: ignore[arg-type]  # the registry checked the types
    if not (made.gp > 0 and made.safety > 0):
        raise ValueError("gp and safety must be more than 0")
    if not (made.half_life_fast_s > 0 and made.half_life_slow_s > 0):
        raise ValueError("the half-lives must be more than 0")
    if not 0 <= made.fast_switching <= NEWEST_FIRST:
        raise ValueError("fast_switching must be 0, 1 or 2")
    if not made.initial_bps >= 0:
        raise ValueError("initial_bps must be 0 or more")
    return Rule(
        name="dynamic",
        params=made,
        start=start,
        choose=choose,
        reconsider=reconsider,
        delivered=delivered,
        reasons=("no sample yet", "throughput", "buffer", "replaces a segment", "abandons"),
    )
