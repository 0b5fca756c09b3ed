"""BOLA as in Sabre: buffer-based, by Lyapunov optimisation, with a cap on switching up.

Utilities are ``u = ln(b / b_lowest)``. The rung with the highest
``(Vp (u + gp) - buffer) / b`` is chosen, where ``Vp = (B - segment) / (u_top + gp)``. In
BOLA-FINITE, B is the buffer limit, but at most half of what has been or remains to be
played (at least three segments), so it is less aggressive near both ends.

A switch up goes at most one rung above what the throughput sustains (BOLA-U); with
``oscillation`` it stops at the sustained rung and waits until BOLA alone would have chosen
it (BOLA-O).

Source: Spiteri, Urgaonkar, Sitaraman, BOLA: Near-Optimal Bitrate Adaptation for Online
Videos, INFOCOM 2016, and Sabre's ``Bola`` at commit 09b03bb, whose decisions this
reproduces. Like Sabre, it divides by nominal rates, not by the sizes of the next segment.

deviation: if segments differ in length, the nominal length is their median. With a buffer
limit of one segment or less there is nothing to control, and the rung is the one that the
throughput sustains.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from abr.algorithms.sustainable import highest_within
from abr.algorithms.throughput import rung_for
from abr.decision import Decision, Download, Observation, Progress, Rule
from abr.estimators import Ewma, ewma_add, ewma_latency_s, ewma_start, ewma_throughput_bps
from abr.media import FloatArray

_NO_SAMPLE, _BUFFER, _CAP, _WAIT, _ABANDON = 0, 1, 2, 3, 4


class Params(NamedTuple):
    """Parameters of ``bola-sabre``."""

    gp: float = 5.0
    """Weight of avoiding stalls relative to utility, gamma times p in the paper."""
    oscillation: bool = False
    """Whether to avoid oscillation (BOLA-O) rather than maximise utility (BOLA-U)."""
    finite: bool = True
    """Whether to be less aggressive near both ends; False is BOLA-BASIC, which never abandons."""
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

    ewma: Ewma
    last_rung: FloatArray
    """Rung last chosen, also when abandoning a download, shape (1,)."""
    segment_s: FloatArray
    """Nominal length of a segment, shape (1,)."""
    utility: FloatArray
    """Utility of each rung, shape (R,)."""


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """Create the state of one playback."""
    return State(
        ewma_start(params.half_life_fast_s, params.half_life_slow_s),
        np.zeros(1),
        np.full(1, np.median(durations_s)),
        utilities(ladder_bps),
    )


def utilities(ladder_bps: FloatArray) -> FloatArray:
    """Utility of each rung, 0 for the lowest."""
    return np.array([math.log(rate_bps / ladder_bps[0]) for rate_bps in ladder_bps.tolist()])


def control_s(params: Params, state: State, seen: Observation) -> float:
    """The paper's V times p for the next segment, in seconds of buffer."""
    segment_s = float(state.segment_s[0])
    buffer_s = seen.max_buffer_s
    if params.finite:
        segments = len(seen.durations_s)
        near = min(seen.segment, segments - seen.segment) / 2
        buffer_s = min(buffer_s, segment_s * max(3.0, near))
    return (buffer_s - segment_s) / (float(state.utility[-1]) + params.gp)


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """Choose the rung with the best score, capped by the throughput when switching up."""
    throughput_bps = ewma_throughput_bps(state.ewma)
    if math.isnan(throughput_bps):
        return Decision(highest_within(seen.ladder_bps, params.initial_bps), 0.0, _NO_SAMPLE)
    ladder_bps, segment_s = seen.ladder_bps, float(state.segment_s[0])
    vp = control_s(params, state, seen)
    if vp <= 0:
        latency_s = ewma_latency_s(state.ewma)
        return Decision(rung_for(throughput_bps, latency_s, segment_s, ladder_bps), 0.0, _CAP)
    rung, best = 0, -math.inf
    for q in range(len(ladder_bps)):
        # Vp (u + gp) - buffer, per bit of the nominal rate.
        numerator = vp * (float(state.utility[q]) + params.gp) - seen.buffer_s
        score = numerator / float(ladder_bps[q])
        if score > best:
            rung, best = q, score
    last, wait_s, reason = int(state.last_rung[0]), 0.0, _BUFFER
    if rung > last:
        sustained = rung_for(throughput_bps, ewma_latency_s(state.ewma), segment_s, ladder_bps)
        if rung > sustained:
            reason = _CAP
            if last > sustained:
                rung = last
            elif not params.oscillation:
                rung = sustained + 1
            else:
                rung = sustained
                if rung + 1 < len(ladder_bps):
                    min_s = vp * (params.gp + float(state.utility[rung]))
                    wait_s = max(0.0, seen.buffer_s - min_s)
                    reason = _WAIT if wait_s > 0 else _CAP
    state.last_rung[0] = rung
    return Decision(rung, wait_s, reason)


def reconsider(params: Params, state: State, seen: Observation, progress: Progress) -> Decision:
    """Abandon if the whole segment at a lower rung scores better than the rest of this one."""
    stay = Decision(progress.rung, 0.0, _BUFFER)
    left_bytes = progress.size_bytes - progress.received_bytes
    if not (params.abandon and params.finite) or left_bytes <= 0:
        return stay
    ladder_bps = seen.ladder_bps
    vp = control_s(params, state, seen)
    # A score is numerator over size; cross-multiplying compares two without dividing.
    numerator = vp * (params.gp + float(state.utility[progress.rung])) - progress.buffer_s
    if numerator < 0:
        return stay
    rung, best, best_bytes = progress.rung, numerator, left_bytes
    scale = progress.size_bytes / float(ladder_bps[progress.rung])
    for q in range(progress.rung):
        size_bytes = scale * float(ladder_bps[q])
        if size_bytes < left_bytes:
            numerator = vp * (params.gp + float(state.utility[q])) - progress.buffer_s
            if numerator * best_bytes > best * size_bytes:
                rung, best, best_bytes = q, numerator, size_bytes
    if rung == progress.rung:
        return stay
    state.last_rung[0] = rung
    return Decision(rung, 0.0, _ABANDON)


def delivered(params: Params, state: State, seen: Observation, download: Download) -> None:
    """Update throughput and latency from a finished download."""
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
    made = Params(**params)  # type: ignore[arg-type]  # the registry checked the types
    if not (made.gp > 0 and made.half_life_fast_s > 0 and made.half_life_slow_s > 0):
        raise ValueError("gp and the half-lives must be more than 0")
    if not made.initial_bps >= 0:
        raise ValueError("initial_bps must be 0 or more")
    return Rule(
        name="bola-sabre",
        params=made,
        start=start,
        choose=choose,
        reconsider=reconsider,
        delivered=delivered,
        reasons=(
            "no sample yet",
            "best score",
            "capped by throughput",
            "capped, waits",
            "abandons",
        ),
    )
