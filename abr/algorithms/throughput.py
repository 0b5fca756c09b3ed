"""Sabre's throughput rule: the highest rung that downloads faster than it plays.

A rung qualifies if the latency plus the time for its bits at 0.9 of the estimated
throughput is at most the duration of the segment. An insufficient-buffer rule lowers the
rung if the buffer is too small for it, and a download that would take more than 1.8 segment
durations is abandoned if a lower rung is smaller than what is left of it.

Source: Spiteri, Sitaraman, Sparacio, From Theory to Practice, MMSys 2018, and
Sabre's ``ThroughputRule`` at commit 09b03bb, whose decisions this reproduces.

deviation: if segments differ in length, the nominal length is their median. A download that
has received nothing after its first byte is taken to be infinitely slow.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from abr.algorithms.sustainable import highest_within
from abr.decision import Decision, Download, Observation, Progress, Rule
from abr.estimators import (
    Ewma,
    ewma_add,
    ewma_latency_s,
    ewma_start,
    ewma_throughput_bps,
    sliding_latency_s,
    sliding_throughput_bps,
)
from abr.media import FloatArray

_NO_SAMPLE, _THROUGHPUT, _BUFFER, _ABANDON = 0, 1, 2, 3
FIRST_CAUTION, _CAUTION_STEP, _LAST_CAUTION = 0.9, 0.9, 0.5
ABANDON_AFTER_S, ABANDON_RATIO = 0.5, 1.8
# Differences of times late in a playback are uncertain by this much, and a player asks at
# multiples of its interval: without the margin "after 0.5 s" could mean one interval later.
_ROUNDING_S = 1e-9


class Params(NamedTuple):
    """Parameters of ``throughput``."""

    safety: float = 0.9
    """Fraction of the estimated throughput that is relied on."""
    half_life_fast_s: float = 3.0
    """Half-life of the fast mean, seconds of transfer."""
    half_life_slow_s: float = 8.0
    """Half-life of the slow mean, seconds of transfer."""
    window: int = 0
    """Number of downloads in a sliding mean that replaces the two means; 0 to use these."""
    buffer_rule: bool = True
    """Whether the insufficient-buffer rule applies."""
    abandon: bool = True
    """Whether slow downloads may be abandoned."""
    abandon_after_s: float = ABANDON_AFTER_S
    """A download is not abandoned before it has taken this long."""
    abandon_ratio: float = ABANDON_RATIO
    """Time a download may take, in segment durations."""
    initial_bps: float = 0.0
    """Throughput taken for granted before the first download: it comes at the highest rung within
    this; 0: at the lowest."""


class State(NamedTuple):
    """State of one playback."""

    ewma: Ewma
    caution: FloatArray
    """Fraction of buffer times throughput that one segment may use, shape (1,)."""
    segment_s: FloatArray
    """Nominal length of a segment, shape (1,)."""


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """Create the state of one playback."""
    return State(
        ewma_start(params.half_life_fast_s, params.half_life_slow_s),
        np.full(1, FIRST_CAUTION),
        np.full(1, np.median(durations_s)),
    )


def rung_for(
    throughput_bps: float, latency_s: float, segment_s: float, ladder_bps: FloatArray
) -> int:
    """Highest rung, going up from 0, that downloads within its own duration."""
    rung, top = 0, len(ladder_bps) - 1
    if not throughput_bps > 0:
        return rung
    while rung < top:
        rate_bps = float(ladder_bps[rung + 1])
        if latency_s + segment_s * rate_bps / throughput_bps > segment_s:
            return rung
        rung += 1
    return rung


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """Choose the rung by throughput, lowered if the buffer is too small for it."""
    throughput_bps, latency_s = _estimates(params, state, seen)
    if math.isnan(throughput_bps):
        return Decision(highest_within(seen.ladder_bps, params.initial_bps), 0.0, _NO_SAMPLE)
    segment_s = float(state.segment_s[0])
    rung = rung_for(params.safety * throughput_bps, latency_s, segment_s, seen.ladder_bps)
    if not params.buffer_rule:
        return Decision(rung, 0.0, _THROUGHPUT)
    caution = float(state.caution[0])
    state.caution[0] = max(_CAUTION_STEP * caution, _LAST_CAUTION)
    affordable = rung_within(
        caution * (seen.buffer_s - latency_s) * throughput_bps, rung, segment_s, seen.ladder_bps
    )
    return Decision(affordable, 0.0, _BUFFER if affordable < rung else _THROUGHPUT)


def rung_within(bits: float, rung: int, segment_s: float, ladder_bps: FloatArray) -> int:
    """Highest rung up to ``rung``, going up from 0, whose segment has at most ``bits``."""
    for lower in range(rung):
        if float(ladder_bps[lower + 1]) * segment_s > bits:
            return lower
    return rung


def reconsider(params: Params, state: State, seen: Observation, progress: Progress) -> Decision:
    """Abandon a download that is too slow for a rung smaller than what is left of it."""
    stay = Decision(progress.rung, 0.0, _THROUGHPUT)
    elapsed_s = progress.now_s - progress.start_s
    transfer_s = progress.now_s - progress.first_byte_s
    # Written so that it is also true for nan: there is no transfer time before the first byte.
    if not params.abandon or not transfer_s > 0:
        return stay
    if elapsed_s < params.abandon_after_s - _ROUNDING_S:
        return stay
    segment_s = state.segment_s[0]
    left_bytes = progress.size_bytes - progress.received_bytes
    throughput_bps = 8 * progress.received_bytes / transfer_s
    allowed_s = params.abandon_ratio * segment_s - elapsed_s
    if 8 * left_bytes <= allowed_s * throughput_bps:
        return stay
    latency_s = _estimates(params, state, seen)[1]
    if math.isnan(latency_s):
        latency_s = 0.0
    safe_bps = params.safety * throughput_bps
    lower = rung_for(safe_bps, latency_s, segment_s, seen.ladder_bps)
    if lower >= progress.rung:
        return stay
    scale = seen.ladder_bps[lower] / seen.ladder_bps[progress.rung]
    if progress.size_bytes * scale >= left_bytes:
        return stay
    return Decision(lower, 0.0, _ABANDON)


def delivered(params: Params, state: State, seen: Observation, download: Download) -> None:
    """Update throughput and latency from a finished download."""
    ewma_add(
        state.ewma,
        download.size_bytes,
        download.end_s - download.first_byte_s,
        download.first_byte_s - download.start_s,
        state.segment_s[0],
    )


def _estimates(params: Params, state: State, seen: Observation) -> tuple[float, float]:
    if params.window > 0:
        return (
            sliding_throughput_bps(seen.downloads, params.window),
            sliding_latency_s(seen.downloads, params.window),
        )
    return ewma_throughput_bps(state.ewma), ewma_latency_s(state.ewma)


def make(**params: float) -> Rule:
    """Create the algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: a parameter is out of range.
    """
    made = Params(**params)  # type: ignore[arg-type]  # the registry checked the types
    if not (made.safety > 0 and made.half_life_fast_s > 0 and made.half_life_slow_s > 0):
        raise ValueError("safety and the half-lives must be more than 0")
    if not (made.window >= 0 and made.abandon_after_s >= 0 and made.abandon_ratio > 0):
        raise ValueError("window and abandon_after_s must be 0 or more, abandon_ratio more than 0")
    if not made.initial_bps >= 0:
        raise ValueError("initial_bps must be 0 or more")
    return Rule(
        name="throughput",
        params=made,
        start=start,
        choose=choose,
        reconsider=reconsider,
        delivered=delivered,
        reasons=("no sample yet", "throughput", "insufficient buffer", "too slow"),
    )
