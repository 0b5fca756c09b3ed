"""MPC-HM as Puffer runs it: value iteration over a buffer in bins, ten segments ahead.

A plan is utility the quality of its segments, less ``switch_weight`` times each change of
quality and ``stall_weight`` per second stalled. The buffer is rounded to ``bins`` steps
of the player's limit, so the best plan follows by dynamic programming. The predicted
seconds per byte are the mean of the last downloads; the prediction for each further
segment takes the place of the oldest of them, and counts as measured. With ``robust``,
predictions are stretched by the largest error of the last downloads (RobustMPC-HM).

Source: ``mpc.cc`` and ``mpc.hh`` of Puffer (Yan et al., Learning in situ, NSDI 2020), with
its constants; ties to the first, so the lowest rung. The idea is that of Yin et al.,
SIGCOMM 2015. Puffer's segments last 2.002 s and its buffer holds 15 s.

deviation: Puffer measures quality as SSIM in dB. What an algorithm sees here has no
quality, so the nominal rate in dB, ``10 log10(rate / 1 bit/s)``, stands for it, the same
for all segments of a rung. A doubled rate then counts for 3 dB.

deviation: segments keep their own durations.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from abr.decision import Decision, Download, Observation, Rule
from abr.media import FloatArray

_NO_SAMPLE, _PLANNED = 0, 1
_UNKNOWN_S = 10000.0
"""Seconds per byte before the first download."""


class Params(NamedTuple):
    """Parameters of ``puffer-mpc``, with Puffer's values."""

    horizon: int = 10
    """Segments to plan for."""
    window: int = 5
    """Downloads that predictions start from, and errors that count."""
    bins: int = 100
    """Steps of the buffer, from empty to the player's limit."""
    stall_weight: float = 20.0
    """dB that a second stalled costs."""
    switch_weight: float = 1.0
    """dB that a change of one dB costs."""
    robust: bool = False
    """Whether predictions are stretched by the largest error of late."""


class State(NamedTuple):
    """Room for the iteration, and the errors."""

    quality_db: FloatArray
    """Per rung, shape (R,)."""
    s_per_byte: FloatArray
    """The last downloads, then the predictions, shape (window + horizon,)."""
    media_s: FloatArray
    """Media seconds per segment ahead, shape (horizon,)."""
    download_s: FloatArray
    """Predicted download time per segment ahead and rung, shape (horizon, R)."""
    values: FloatArray
    """Of being d segments on, at buffer step b, after rung r; row d (bins + 1) + b, shape
    ((horizon + 1) (bins + 1), R)."""
    reached: FloatArray
    """Question in which such a buffer step was last reached, shape ((horizon + 1) (bins + 1),)."""
    ahead: FloatArray
    """From one buffer step, per next rung: what its stall costs, and the value after it,
    shape (2, R)."""
    errors: FloatArray
    """Relative errors of the last downloads, in a ring, shape (window,)."""
    counts: FloatArray
    """Questions so far, downloads so far, and the newest prediction in bytes per second,
    0 before the first, shape (3,)."""


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """The state of one playback."""
    rungs = len(ladder_bps)
    places = (params.horizon + 1) * (params.bins + 1)
    return State(
        quality_db=10 * np.log10(ladder_bps),
        s_per_byte=np.zeros(params.window + params.horizon),
        media_s=np.zeros(params.horizon),
        download_s=np.zeros((params.horizon, rungs)),
        values=np.zeros((places, rungs)),
        reached=np.zeros(places),
        ahead=np.zeros((2, rungs)),
        errors=np.zeros(params.window),
        counts=np.zeros(3),
    )


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """The first rung of the best plan."""
    depth = min(params.horizon, len(seen.durations_s) - seen.segment)
    _predict_downloads(params, state, seen, depth)
    unit_s = seen.max_buffer_s / params.bins
    at = _nearest_step(seen.buffer_s, unit_s, params.bins)
    _mark_reachable(params, state, depth, at, unit_s)
    for d in range(depth - 1, 0, -1):
        _fill_values(params, state, d, depth, unit_s)
    _look_ahead(params, state, 0, at, depth, unit_s)
    # No change to pay for before the first download.
    fresh = len(seen.downloads.end_s) == 0 or seen.last_rung < 0
    last_db = 0.0 if fresh else state.quality_db[seen.last_rung]
    best, most = 0, -math.inf
    for rung in range(len(state.quality_db)):
        utility = last_db
        if not fresh:
            utility -= params.switch_weight * abs(last_db - state.quality_db[rung])
        utility = utility - state.ahead[0, rung] + state.ahead[1, rung]
        if utility > most:
            best, most = rung, utility
    return Decision(best, 0.0, _NO_SAMPLE if len(seen.downloads.end_s) == 0 else _PLANNED)


def delivered(params: Params, state: State, seen: Observation, download: Download) -> None:
    """Compare the newest prediction with what came."""
    error = 0.0
    if state.counts[2] > 0:
        elapsed_s = download.end_s - download.start_s
        error = abs(1 - state.counts[2] * elapsed_s / download.size_bytes)
    state.errors[int(state.counts[1]) % params.window] = error
    state.counts[1] += 1


def _predict_downloads(params: Params, state: State, seen: Observation, depth: int) -> None:
    """Fill in how long the segments ahead would take."""
    done = seen.downloads
    known = min(params.window, len(done.end_s))
    first = len(done.end_s) - known
    for i in range(known):
        elapsed_s = done.end_s[first + i] - done.start_s[first + i]
        state.s_per_byte[i] = elapsed_s / done.size_bytes[first + i]
    worst = 0.0
    if params.robust:
        for i in range(params.window):
            worst = max(worst, state.errors[i])
    for d in range(depth):
        ahead = _UNKNOWN_S
        if known > 0:
            total = 0.0
            for i in range(known):
                total += state.s_per_byte[d + i]
            ahead = total / known
            if d == 0:
                state.counts[2] = 1 / ahead if ahead > 0 else 0.0
            ahead *= 1 + worst
        state.s_per_byte[d + known] = ahead
        state.media_s[d] = seen.durations_s[seen.segment + d]
        for rung in range(len(state.quality_db)):
            state.download_s[d, rung] = seen.sizes_bytes[rung, seen.segment + d] * ahead


def _mark_reachable(params: Params, state: State, depth: int, at: int, unit_s: float) -> None:
    """Mark the buffer steps that some plan passes, with the number of this question."""
    state.counts[0] += 1
    question, width = state.counts[0], params.bins + 1
    state.reached[at] = question
    for d in range(depth - 1):
        for step in range(width):
            if state.reached[d * width + step] == question:
                for rung in range(len(state.quality_db)):
                    left_s = max(0.0, step * unit_s - state.download_s[d, rung])
                    after = _nearest_step(left_s + state.media_s[d], unit_s, params.bins)
                    state.reached[(d + 1) * width + after] = question


def _fill_values(params: Params, state: State, d: int, depth: int, unit_s: float) -> None:
    """Values of the places reached ``d`` segments on, from those further on."""
    width, rungs = params.bins + 1, len(state.quality_db)
    for step in range(width):
        row = d * width + step
        if state.reached[row] != state.counts[0]:
            continue
        _look_ahead(params, state, d, step, depth, unit_s)
        # Best of the rungs from the one before upward, then of those downward.
        most = -math.inf
        for rung in range(rungs - 1, -1, -1):
            here_db = state.quality_db[rung]
            paid = params.switch_weight * here_db
            most = max(most, state.ahead[1, rung] - state.ahead[0, rung] - paid)
            state.values[row, rung] = here_db + (most + paid)
        most = -math.inf
        for rung in range(rungs):
            here_db = state.quality_db[rung]
            paid = params.switch_weight * here_db
            most = max(most, state.ahead[1, rung] - state.ahead[0, rung] + paid)
            state.values[row, rung] = max(state.values[row, rung], here_db + (most - paid))


def _look_ahead(params: Params, state: State, d: int, step: int, depth: int, unit_s: float) -> None:
    """What each next rung brings from buffer step ``step``, ``d`` segments on."""
    width = params.bins + 1
    for rung in range(len(state.quality_db)):
        lacking_s = state.download_s[d, rung] - step * unit_s
        value = state.quality_db[rung]
        if d + 1 < depth:
            after = _nearest_step(max(0.0, -lacking_s) + state.media_s[d], unit_s, params.bins)
            value = state.values[(d + 1) * width + after, rung]
        state.ahead[0, rung] = params.stall_weight * max(0.0, lacking_s)
        state.ahead[1, rung] = value


def _nearest_step(buffer_s: float, unit_s: float, bins: int) -> int:
    """The nearest step of the buffer."""
    return min(bins, int((buffer_s + unit_s * 0.5) / unit_s))


def make(**params: float) -> Rule:
    """The algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: a parameter out of range.
    """
    made = Params(**params)  # type: ignore[arg-type]  # the registry checked the types
    if not (made.horizon >= 1 and made.window >= 1 and made.bins >= 1):
        raise ValueError("horizon, window and bins must be 1 or more")
    if not (made.stall_weight >= 0 and made.switch_weight >= 0):
        raise ValueError("stall_weight and switch_weight must be 0 or more")
    return Rule(
        name="puffer-mpc",
        params=made,
        start=start,
        choose=choose,
        delivered=delivered,
        reasons=("no sample yet", "best plan"),
    )
