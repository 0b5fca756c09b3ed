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
_ROUNDING = 1e-6
"""How near a whole number of buffer steps rounding may decide: far more than it can."""
_FAR = 1e9
"""Steps that are so many that a number does not tell how near a whole one it is."""
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
    reached: FloatArray
    """Lowest and highest buffer step that a plan reaches, by segments ahead, shape (2, horizon)."""
    values: FloatArray
    """Value of each buffer step after each rung, in rows r of even numbers of segments ahead
    and R + r of odd ones, shape (2 R, bins + 1)."""
    ahead: FloatArray
    """For each next rung, its value from each buffer step less the cost of its stall, shape
    (R, bins + 1)."""
    best: FloatArray
    """The best of them so far, shape (bins + 1,)."""
    errors: FloatArray
    """Ring of the relative errors of the last downloads, shape (window,)."""
    counts: FloatArray
    """Number of downloads, and the newest prediction in bytes per second (0 before the first),
    shape (2,)."""


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """Create the state of one playback."""
    rungs = len(ladder_bps)
    return State(
        quality_db=10 * np.log10(ladder_bps),
        s_per_byte=np.zeros(params.window + params.horizon),
        media_s=np.zeros(params.horizon),
        download_s=np.zeros((params.horizon, rungs)),
        reached=np.zeros((2, params.horizon)),
        values=np.zeros((2 * rungs, params.bins + 1)),
        ahead=np.zeros((rungs, params.bins + 1)),
        best=np.zeros(params.bins + 1),
        errors=np.zeros(params.window),
        counts=np.zeros(2),
    )


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """Choose the first rung of the best plan."""
    if len(seen.downloads.end_s) == 0 and params.initial_bps > 0:
        return Decision(highest_within(seen.ladder_bps, params.initial_bps), 0.0, _NO_SAMPLE)
    depth = min(params.horizon, len(seen.durations_s) - seen.segment)
    _predict_downloads(params, state, seen, depth)
    unit_s = seen.max_buffer_s / params.bins
    at = _nearest_step(seen.buffer_s, unit_s, params.bins)
    _reach(params, state, depth, at, unit_s)
    for d in range(depth - 1, 0, -1):
        _look_ahead(params, state, d, depth, unit_s)
        _fill_values(params, state, d)
    now_s, media_s = at * unit_s, state.media_s[0]
    # The first segment has no predecessor, so it pays for no change of quality.
    is_first = len(seen.downloads.end_s) == 0 or seen.last_rung < 0
    last_db = 0.0 if is_first else state.quality_db[seen.last_rung]
    best, best_value = 0, -math.inf
    for rung in range(len(state.quality_db)):
        utility = last_db
        if not is_first:
            utility -= params.switch_weight * abs(last_db - state.quality_db[rung])
        time_s, value = state.download_s[0, rung], state.quality_db[rung]
        if depth > 1:
            after = _step_after(params, at, time_s, media_s, unit_s)
            value = state.values[len(state.quality_db) + rung, after]
        utility = utility - params.stall_weight * max(0.0, time_s - now_s) + value
        if utility > best_value:
            best, best_value = rung, utility
    return Decision(best, 0.0, _NO_SAMPLE if len(seen.downloads.end_s) == 0 else _PLANNED)


def delivered(params: Params, state: State, seen: Observation, download: Download) -> None:
    """Record the error of the newest prediction."""
    error = 0.0
    if state.counts[1] > 0:
        elapsed_s = download.end_s - download.start_s
        error = abs(1 - state.counts[1] * elapsed_s / download.size_bytes)
    state.errors[int(state.counts[0]) % params.window] = error
    state.counts[0] += 1


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
                state.counts[1] = 1 / ahead if ahead > 0 else 0.0
            ahead *= 1 + worst
        state.s_per_byte[d + known] = ahead
        state.media_s[d] = seen.durations_s[seen.segment + d]
        for rung in range(len(state.quality_db)):
            state.download_s[d, rung] = seen.sizes_bytes[rung, seen.segment + d] * ahead


def _reach(params: Params, state: State, depth: int, at: int, unit_s: float) -> None:
    """Fill in how far the buffer may have fallen and risen by each segment ahead."""
    lowest = highest = at
    state.reached[0, 0] = state.reached[1, 0] = at
    for d in range(depth - 1):
        longest_s = shortest_s = state.download_s[d, 0]
        for rung in range(1, len(state.quality_db)):
            longest_s = max(longest_s, state.download_s[d, rung])
            shortest_s = min(shortest_s, state.download_s[d, rung])
        lowest = _step_after(params, lowest, longest_s, state.media_s[d], unit_s)
        highest = _step_after(params, highest, shortest_s, state.media_s[d], unit_s)
        state.reached[0, d + 1], state.reached[1, d + 1] = lowest, highest


def _step_after(params: Params, step: int, download_s: float, media_s: float, unit_s: float) -> int:
    """The buffer step after a segment that is fetched from ``step``."""
    left_s = max(0.0, step * unit_s - download_s)
    return _nearest_step(left_s + media_s, unit_s, params.bins)


def _reached(state: State, d: int) -> tuple[int, int]:
    """The buffer steps reached ``d`` segments ahead, and that after the last.

    The compiler must see that they are 0 or more to work on several at once.
    """
    return max(int(state.reached[0, d]), 0), max(int(state.reached[1, d]), 0) + 1


def _look_ahead(params: Params, state: State, d: int, depth: int, unit_s: float) -> None:
    """Fill in ``ahead`` for the buffer steps reached ``d`` segments ahead."""
    rungs = len(state.quality_db)
    lowest, end = _reached(state, d)
    for rung in range(rungs):
        time_s = state.download_s[d, rung]
        if d + 1 == depth:
            for step in range(lowest, end):
                state.ahead[rung, step] = state.quality_db[rung]
        else:
            row = (d + 1) % 2 * rungs + rung
            _fetch_values(params, state, row, rung, time_s, state.media_s[d], lowest, end, unit_s)
        for step in range(lowest, min(end, int(min(time_s / unit_s, params.bins)) + 2)):
            lacking_s = time_s - step * unit_s
            state.ahead[rung, step] -= params.stall_weight * max(0.0, lacking_s)


def _fetch_values(
    params: Params,
    state: State,
    row: int,
    rung: int,
    time_s: float,
    media_s: float,
    lowest: int,
    end: int,
    unit_s: float,
) -> None:
    """Take from ``values`` what the buffer step after a download is worth, before its stall."""
    moved = (media_s - time_s) / unit_s + 0.5
    by = math.floor(moved) if abs(moved) < _FAR else 0
    if not _ROUNDING < moved - by < 1 - _ROUNDING:  # then rounding may decide
        for step in range(lowest, end):
            after = _step_after(params, step, time_s, media_s, unit_s)
            state.ahead[rung, step] = state.values[row, after]
        return
    # Else the segment moves every buffer that outlasts it by the same number of steps.
    emptied = _nearest_step(media_s, unit_s, params.bins)
    first = min(max(emptied - by, lowest), end)
    full = min(max(params.bins - by, first), end)
    for step in range(lowest, first):
        state.ahead[rung, step] = state.values[row, emptied]
    begin = max(first + by, 0)
    for step in range(full - first):
        state.ahead[rung, first + step] = state.values[row, begin + step]
    for step in range(full, end):
        state.ahead[rung, step] = state.values[row, params.bins]


def _fill_values(params: Params, state: State, d: int) -> None:
    """Compute the values of the steps reached ``d`` segments ahead from ``ahead``."""
    rungs = len(state.quality_db)
    lowest, end = _reached(state, d)
    # |a - b| is a - b above and b - a below, so two passes cover all pairs of rungs.
    for step in range(lowest, end):
        state.best[step] = -math.inf
    for rung in range(rungs - 1, -1, -1):
        here_db, row = state.quality_db[rung], d % 2 * rungs + rung
        paid = params.switch_weight * here_db
        for step in range(lowest, end):
            state.best[step] = max(state.best[step], state.ahead[rung, step] - paid)
            state.values[row, step] = here_db + (state.best[step] + paid)
    for step in range(lowest, end):
        state.best[step] = -math.inf
    for rung in range(rungs):
        here_db, row = state.quality_db[rung], d % 2 * rungs + rung
        paid = params.switch_weight * here_db
        for step in range(lowest, end):
            state.best[step] = max(state.best[step], state.ahead[rung, step] + paid)
            value = here_db + (state.best[step] - paid)
            state.values[row, step] = max(state.values[row, step], value)


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
