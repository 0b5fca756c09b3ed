"""BOLA-E: BOLA with a virtual addition to the buffer level, so that it starts fast.

A placeholder is added to the buffer level. It is set from the first measured throughput,
grows while the player waits for room, and is spent on waits that BOLA would otherwise make.
So BOLA can choose the rung that the network sustains before it has
filled a real buffer, and works with small buffers. An insufficient-buffer rule guards
against what the placeholder hides, and a download is abandoned if a smaller one scores
better than what is left of it.

Utilities are ``u = ln(b / b_lowest) + 1``. ``gp`` and ``Vp`` put the threshold of the
lowest rung at 10 s and that of the top rung at the buffer limit, which is taken to be at
least 10 s plus 2 s for each rung.

Source: Spiteri, Sitaraman, Sparacio, From Theory to Practice, MMSys 2018, and Sabre's
``BolaEnh`` at commit 09b03bb, whose decisions this reproduces.

The placeholder repeatedly puts the level exactly where two rungs have equal scores, and
rounding decides between them. To reproduce Sabre's decisions, levels and scores are
computed in its units, milliseconds and kbit/s, and in its order of operations.

deviation: if segments differ in length, the nominal length is their median. If all rungs
have the same rate, or the buffer limit is one segment or less, there is nothing to control,
and the rung is the one that the throughput sustains.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

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
from abr.algorithms.throughput import FIRST_CAUTION, rung_for, rung_within
from abr.decision import Decision, Download, Observation, Progress, Rule
from abr.estimators import Ewma, ewma_add, ewma_latency_s, ewma_start, ewma_throughput_bps
from abr.media import FloatArray

_NO_SAMPLE, _FIRST, _SCORE, _CAP, _WAIT, _BUFFER, _REPLACE, _ABANDON = range(8)
_LOW_MS, _PER_RUNG_MS = 10000.0, 2000.0
_MS = 1e3
_CAUTION_STEP, _LAST_CAUTION = 0.9, 0.5
REASONS = (
    "no sample yet",
    "first by throughput",
    "best score",
    "capped by throughput",
    "waits",
    "insufficient buffer",
    "replaces a segment",
    "abandons",
)


class Params(NamedTuple):
    """Parameters of ``bola-e``."""

    buffer_rule: bool = True
    """Whether the insufficient-buffer rule applies; without it ``gp`` sets the weights."""
    gp: float = 5.0
    """Weight of avoiding stalls relative to utility; used only without ``buffer_rule``."""
    oscillation: bool = False
    """Whether a switch up stops at the sustained rung, instead of one rung above it."""
    abandon: bool = True
    """Whether downloads may be abandoned."""
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
    rate_kbps: FloatArray
    """Nominal bit rate of each rung, shape (R,)."""
    utility: FloatArray
    """Utility of each rung, 1 for the lowest, shape (R,)."""
    crossing: FloatArray
    """Level at which each rung becomes the best, over ``Vp`` and less ``gp``, shape (R,)."""
    control: FloatArray
    """Buffer limit in seconds for which the other two were computed, ``gp``, and ``Vp`` in
    milliseconds, shape (3,)."""
    caution: FloatArray
    """Fraction of buffer times throughput that one segment may use; 0 before the first
    decision, shape (1,)."""
    placeholder_ms: FloatArray
    """The placeholder, shape (1,)."""
    last_rung: FloatArray
    """Rung of the newest download, including abandoned ones, shape (1,)."""
    buffered: Buffered


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """Create the state of one playback."""
    rate_kbps = ladder_bps / _MS
    offset = 1 - math.log(rate_kbps[0])
    utility = np.array([math.log(rate) + offset for rate in rate_kbps.tolist()])
    return State(
        ewma_start(params.half_life_fast_s, params.half_life_slow_s),
        np.full(1, np.median(durations_s)),
        rate_kbps,
        utility,
        crossings(rate_kbps, utility),
        np.full(3, -1.0),
        np.zeros(1),
        np.zeros(1),
        np.zeros(1),
        buffered_start(len(durations_s)),
    )


def crossings(rates: FloatArray, utility: FloatArray) -> FloatArray:
    """Where each rung becomes better than every lower one; -inf if always."""
    answer = np.full(len(rates), -np.inf)
    for rung, rate in enumerate(rates.tolist()):
        for lower, less in enumerate(rates[:rung].tolist()):
            if utility[lower] < utility[rung]:
                crossing = (rate * utility[lower] - less * utility[rung]) / (rate - less)
                answer[rung] = max(answer[rung], crossing)
    return answer


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """Choose the rung of the next segment, or a segment to replace at that rung."""
    decision = decide(params, state, seen)
    return prefer_replacement(
        params.fast_switching, state.buffered, seen, state.segment_s[0], decision, _REPLACE
    )


def decide(params: Params, state: State, seen: Observation) -> Decision:
    """Choose the best score at the virtual level, and the wait the placeholder does not cover."""
    throughput_bps, latency_s = ewma_throughput_bps(state.ewma), ewma_latency_s(state.ewma)
    if math.isnan(throughput_bps):
        return Decision(highest_within(seen.ladder_bps, params.initial_bps), 0.0, _NO_SAMPLE)
    segment_s, level_ms = float(state.segment_s[0]), _MS * seen.buffer_s
    sustained = rung_for(throughput_bps, latency_s, segment_s, seen.ladder_bps)
    update_control(params, state, seen)
    if state.caution[0] <= 0:
        state.caution[0] = FIRST_CAUTION
        state.placeholder_ms[0] = max(0.0, lowest_level_ms(state, sustained) - level_ms)
        return Decision(sustained, 0.0, _FIRST)
    if state.control[2] <= 0:
        return Decision(sustained, 0.0, _CAP)
    rung, reason = best_rung(state, level_ms + float(state.placeholder_ms[0])), _SCORE
    last = int(state.last_rung[0])
    if rung > last and rung > sustained:
        rung, reason = max(last, sustained), _CAP
        if not params.oscillation:
            rung += 1
    wait_s = wait_beyond_ms(state, level_ms, rung) / _MS
    if rung + 1 == len(seen.ladder_bps):
        wait_s = 0.0
    if params.buffer_rule:
        caution = float(state.caution[0])
        state.caution[0] = max(_CAUTION_STEP * caution, _LAST_CAUTION)
        safe_bits = caution * (seen.buffer_s - latency_s) * throughput_bps
        affordable = rung_within(safe_bits, rung, segment_s, seen.ladder_bps)
        if affordable < rung:
            lower_placeholder(state, lowest_level_ms(state, affordable) - level_ms)
            return Decision(affordable, 0.0, _BUFFER)
    return Decision(rung, wait_s, _WAIT if wait_s > 0 else reason)


def update_control(params: Params, state: State, seen: Observation) -> None:
    """Compute ``gp`` and ``Vp`` if the buffer limit has changed."""
    limit_s, top = seen.max_buffer_s, state.utility[-1]
    if state.control[0] == limit_s:
        return
    state.control[0] = limit_s
    limit_ms = _MS * limit_s
    if not params.buffer_rule:
        gp = params.gp - 1
        state.control[1] = gp
        state.control[2] = (limit_ms - _MS * state.segment_s[0]) / (top + gp)
        return
    limit_ms = max(_LOW_MS + _PER_RUNG_MS * len(seen.ladder_bps), limit_ms)
    gp = (top - 1) / (limit_ms / _LOW_MS - 1)
    state.control[1] = gp
    state.control[2] = _LOW_MS / gp if gp > 0 else 0.0


def best_rung(state: State, level_ms: float) -> int:
    """The rung with the best score; ties go to the lower rung."""
    gp, vp = float(state.control[1]), float(state.control[2])
    rung, best = 0, -math.inf
    for q in range(len(state.utility)):
        score = (vp * (float(state.utility[q]) + gp) - level_ms) / float(state.rate_kbps[q])
        if score > best:
            rung, best = q, score
    return rung


def lowest_level_ms(state: State, rung: int) -> float:
    """Buffer level from which BOLA prefers a rung to all lower ones."""
    crossing = float(state.crossing[rung])
    if math.isinf(crossing):
        return 0.0
    return max(0.0, float(state.control[2]) * (float(state.control[1]) + crossing))


def highest_level_ms(state: State, rung: int) -> float:
    """Buffer level above which BOLA waits rather than download at a rung."""
    return float(state.control[2]) * (float(state.utility[rung]) + float(state.control[1]))


def lower_placeholder(state: State, limit_ms: float) -> None:
    """Limit the placeholder to ``limit_ms``, or to 0 if that is negative."""
    state.placeholder_ms[0] = min(float(state.placeholder_ms[0]), max(0.0, limit_ms))


def wait_beyond_ms(state: State, level_ms: float, rung: int) -> float:
    """The wait that BOLA asks for, less the part covered by shrinking the placeholder."""
    placeholder_ms = float(state.placeholder_ms[0])
    wait_ms = level_ms + placeholder_ms - highest_level_ms(state, rung)
    if wait_ms <= 0:
        return 0.0
    if wait_ms <= placeholder_ms:
        state.placeholder_ms[0] = placeholder_ms - wait_ms
        return 0.0
    state.placeholder_ms[0] = 0.0
    return wait_ms - placeholder_ms


def reconsider(params: Params, state: State, seen: Observation, progress: Progress) -> Decision:
    """Abandon for a better score, or because a replacement would arrive too late."""
    stay = Decision(progress.rung, 0.0, _SCORE)
    if not params.abandon:
        return stay
    if is_replacing(state.buffered, progress.segment):
        if not is_too_late(seen, progress, state.segment_s[0]):
            return stay
        state.last_rung[0] = progress.rung
        return Decision(progress.rung - 1, 0.0, _ABANDON)
    rung = better_rung(state, progress)
    if rung == progress.rung:
        return stay
    note_abandonment(state, progress, rung)
    return Decision(rung, 0.0, _ABANDON)


def better_rung(state: State, progress: Progress) -> int:
    """The rung at which the whole segment scores better than the rest of this download.

    A new request must wait for its first byte again, so the level and the rest are those
    after such a wait.
    """
    latency_s = progress.first_byte_s - progress.start_s
    transfer_s = progress.now_s - progress.first_byte_s
    rung, left_bytes = progress.rung, progress.size_bytes - progress.received_bytes
    # Written so that it is also true for nan: there is no transfer time before the first byte.
    if not (transfer_s > 0 and progress.received_bytes > 0 and state.control[2] > 0):
        return rung
    left_bytes -= latency_s * progress.received_bytes / transfer_s
    if left_bytes <= 0:
        return rung
    gp, vp = float(state.control[1]), float(state.control[2])
    level_ms = _MS * (progress.buffer_s - latency_s) + float(state.placeholder_ms[0])
    level_ms = max(0.0, level_ms)
    # A score is numerator over size; cross-multiplying compares two without dividing.
    best, best_bytes = vp * (gp + float(state.utility[rung])) - level_ms, left_bytes
    scale = progress.size_bytes / float(state.rate_kbps[rung])
    for q in range(progress.rung):
        size_bytes = scale * float(state.rate_kbps[q])
        if size_bytes < left_bytes:
            numerator = vp * (gp + float(state.utility[q])) - level_ms
            if numerator * best_bytes > best * size_bytes:
                rung, best, best_bytes = q, numerator, size_bytes
    return rung


def note_abandonment(state: State, progress: Progress, rung: int) -> None:
    """Lower the placeholder after a download was abandoned for ``rung``."""
    state.last_rung[0] = progress.rung
    want_ms = lowest_level_ms(state, rung) if rung > 0 else _LOW_MS
    lower_placeholder(state, want_ms - _MS * progress.buffer_s)


def delivered(params: Params, state: State, seen: Observation, download: Download) -> None:
    """Update throughput, latency and placeholder from a finished download."""
    ewma_add(
        state.ewma,
        download.size_bytes,
        download.end_s - download.first_byte_s,
        download.first_byte_s - download.start_s,
        state.segment_s[0],
    )
    note_arrival(params, state, seen, download)


def note_arrival(params: Params, state: State, seen: Observation, download: Download) -> None:
    """Update everything except throughput and latency from a finished download."""
    update_control(params, state, seen)
    state.last_rung[0] = download.rung
    was_ms = _MS * (seen.buffer_s + (download.end_s - download.start_s))
    if is_replacing(state.buffered, download.segment):
        state.placeholder_ms[0] += _MS * state.segment_s[0]
    else:
        lower_placeholder(state, highest_level_ms(state, download.rung) - was_ms)
        if seen.buffer_s > 0:
            min_ms = lowest_level_ms(state, download.rung) - was_ms
            state.placeholder_ms[0] = max(state.placeholder_ms[0], min_ms)
    buffered_add(state.buffered, download)


def waited(params: Params, state: State, seen: Observation, wait_s: float) -> None:
    """Add the wait to the placeholder: it says nothing about the network."""
    state.placeholder_ms[0] += _MS * wait_s


def make(**params: float) -> Rule:
    """Create the algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: a parameter is out of range.
    """
    made = Params(**params)  # type: ignore[arg-type]  # the registry checked the types
    if not (made.gp > 0 and made.half_life_fast_s > 0 and made.half_life_slow_s > 0):
        raise ValueError("gp and the half-lives must be more than 0")
    if not 0 <= made.fast_switching <= NEWEST_FIRST:
        raise ValueError("fast_switching must be 0, 1 or 2")
    if not made.initial_bps >= 0:
        raise ValueError("initial_bps must be 0 or more")
    return Rule(
        name="bola-e",
        params=made,
        start=start,
        choose=choose,
        reconsider=reconsider,
        delivered=delivered,
        waited=waited,
        reasons=REASONS,
    )
