"""MPC-HM as in Puffer: value iteration over a discretised buffer, ten segments ahead.

The utility of a plan is the quality of its segments, less ``switch_weight`` times each
change of quality and ``stall_weight`` per second of stall. The buffer is rounded to ``bins``
steps of the player's limit, so dynamic programming finds the best plan. The predicted
seconds per byte are the mean of the last downloads; for each further segment the prediction
replaces the oldest of them, and counts as measured. With ``robust``, predictions are
increased by the largest error of the last downloads (RobustMPC-HM).

Source: ``mpc.cc`` and ``mpc.hh`` of Puffer (Yan et al., Learning in situ, NSDI 2020), with
its constants; ties go to the first, hence the lowest rung. The idea is that of Yin et al.,
SIGCOMM 2015. Puffer's segments last 2.002 s and its buffer is limited to 15 s.

deviation: Puffer measures quality as SSIM in dB. An observation here has no quality, so it
is replaced by the nominal rate in dB, ``10 log10(rate / 1 bit/s)``, the same for all segments
of a rung. A doubled rate then counts for 3 dB.

deviation: segments keep their own durations.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from abr.algorithms.sustainable import highest_within
from abr.decision import Decision, Download, Observation, Rule
from abr.media import FloatArray

_NO_SAMPLE, _PLANNED = 0, 1
_UNKNOWN_S = 10000.0
"""Assumed seconds per byte before the first download."""


class Params(NamedTuple):
    """Parameters of ``puffer-mpc``, with Puffer's values."""

    horizon: int = 10
    """Number of segments to plan for."""
    window: int = 5
    """Number of downloads that predictions are based on, and of errors considered."""
    bins: int = 100
    """Number of buffer steps, from empty to the player's limit."""
    stall_weight: float = 20.0
    """Cost of a second of stall, in dB."""
    switch_weight: float = 1.0
    """Cost of a change of quality, in dB per dB."""
    robust: bool = False
    """Whether predictions are increased by the largest recent error."""
    initial_bps: float = 0.0
    """Throughput taken for granted before the first download: it comes at the highest rung within
    this; 0: at the lowest."""


class State(NamedTuple):
    """Workspace of the iteration, and past errors."""

    quality_db: FloatArray
    """Quality of each rung, shape (R,)."""
    s_per_byte: FloatArray
    """Seconds per byte of the last downloads, then predictions, shape (window + horizon,)."""
    media_s: FloatArray
    """Media seconds per segment ahead, shape (horizon,)."""
    download_s: FloatArray
    """Predicted download time by segment ahead and rung, shape (horizon, R)."""
    values: FloatArray
    """Value of being d segments ahead at buffer step b after rung r, in row
    d (bins + 1) + b, shape ((horizon + 1) (bins + 1), R)."""
    reached: FloatArray
    """Number of the decision that last reached such a row, shape ((horizon + 1) (bins + 1),)."""
    ahead: FloatArray
    """For each next rung from one buffer step, the cost of its stall and the value after it,
    shape (2, R)."""
    errors: FloatArray
    """Ring of the relative errors of the last downloads, shape (window,)."""
    counts: FloatArray
    """Number of decisions, number of downloads, and the newest prediction in bytes per second
    (0 before the first), shape (3,)."""


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """Create the state of one playback."""
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
    """Choose the first rung of the best plan."""
    if len(seen.downloads.end_s) == 0 and params.initial_bps > 0:
        return Decision(highest_within(seen.ladder_bps, params.initial_bps), 0.0, _NO_SAMPLE)
    depth = min(params.horizon, len(seen.durations_s) - seen.segment)
    _predict_downloads(params, state, seen, depth)
    unit_s = seen.max_buffer_s / params.bins
    at = _nearest_step(seen.buffer_s, unit_s, params.bins)
    _mark_reachable(params, state, depth, at, unit_s)
    for d in range(depth - 1, 0, -1):
        _fill_values(params, state, d, depth, unit_s)
    _look_ahead(params, state, 0, at, depth, unit_s)
    # The first segment has no predecessor, so it pays for no change of quality.
    is_first = len(seen.downloads.end_s) == 0 or seen.last_rung < 0
    last_db = 0.0 if is_first else state.quality_db[seen.last_rung]
    best, best_value = 0, -math.inf
    for rung in range(len(state.quality_db)):
        utility = last_db
        if not is_first:
            utility -= params.switch_weight * abs(last_db - state.quality_db[rung])
        utility = utility - state.ahead[0, rung] + state.ahead[1, rung]
        if utility > best_value:
            best, best_value = rung, utility
    return Decision(best, 0.0, _NO_SAMPLE if len(seen.downloads.end_s) == 0 else _PLANNED)


def delivered(params: Params, state: State, seen: Observation, download: Download) -> None:
    """Record the error of the newest prediction."""
    error = 0.0
    if state.counts[2] > 0:
        elapsed_s = download.end_s - download.start_s
        error = abs(1 - state.counts[2] * elapsed_s / download.size_bytes)
    state.errors[int(state.counts[1]) % params.window] = error
    state.counts[1] += 1


def _predict_downloads(params: Params, state: State, seen: Observation, depth: int) -> None:
    """Fill in the predicted download times of the segments ahead."""
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
    """Mark the buffer steps that some plan reaches with the number of this decision."""
    state.counts[0] += 1
    decision_number, width = state.counts[0], params.bins + 1
    state.reached[at] = decision_number
    for d in range(depth - 1):
        for step in range(width):
            if state.reached[d * width + step] == decision_number:
                for rung in range(len(state.quality_db)):
                    left_s = max(0.0, step * unit_s - state.download_s[d, rung])
                    after = _nearest_step(left_s + state.media_s[d], unit_s, params.bins)
                    state.reached[(d + 1) * width + after] = decision_number


def _fill_values(params: Params, state: State, d: int, depth: int, unit_s: float) -> None:
    """Compute the values of the steps reached ``d`` segments ahead from those after them."""
    width, rungs = params.bins + 1, len(state.quality_db)
    for step in range(width):
        row = d * width + step
        if state.reached[row] != state.counts[0]:
            continue
        _look_ahead(params, state, d, step, depth, unit_s)
        # |a - b| is a - b above and b - a below, so two passes cover all pairs of rungs.
        best_value = -math.inf
        for rung in range(rungs - 1, -1, -1):
            here_db = state.quality_db[rung]
            paid = params.switch_weight * here_db
            best_value = max(best_value, state.ahead[1, rung] - state.ahead[0, rung] - paid)
            state.values[row, rung] = here_db + (best_value + paid)
        best_value = -math.inf
        for rung in range(rungs):
            here_db = state.quality_db[rung]
            paid = params.switch_weight * here_db
            best_value = max(best_value, state.ahead[1, rung] - state.ahead[0, rung] + paid)
            state.values[row, rung] = max(state.values[row, rung], here_db + (best_value - paid))


def _look_ahead(params: Params, state: State, d: int, step: int, depth: int, unit_s: float) -> None:
    """Fill in ``ahead`` for each next rung from buffer step ``step``, ``d`` segments ahead."""
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
    """The nearest buffer step."""
    return min(bins, int((buffer_s + unit_s * 0.5) / unit_s))


def make(**params: float) -> Rule:
    """Create the algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: a parameter is out of range.
    """
    made = Params(**params)  # type: ignore[arg-type]  # the registry checked the types
    if not (made.horizon >= 1 and made.window >= 1 and made.bins >= 1):
        raise ValueError("horizon, window and bins must be 1 or more")
    if not (made.stall_weight >= 0 and made.switch_weight >= 0):
        raise ValueError("stall_weight and switch_weight must be 0 or more")
    if not made.initial_bps >= 0:
        raise ValueError("initial_bps must be 0 or more")
    return Rule(
        name="puffer-mpc",
        params=made,
        start=start,
        choose=choose,
        delivered=delivered,
        reasons=("no sample yet", "best plan"),
    )
