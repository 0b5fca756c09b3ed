"""hls.js: the highest rung whose next segment fits both the estimate and the buffer.

A rung qualifies if 0.95 of the estimated throughput (0.7 for a rung above the last one)
sustains its peak rate, and its segment would arrive before the buffer is empty. If none
does, up to 4 s of stall (at most one segment) are accepted; failing that, the lowest rung
is chosen. With two segments in the buffer the mean rate is used instead of the peak. A
download that has taken more than half a segment duration and would outlast the buffer is
abandoned for a lower rung that would not. If even that is more than twice as fast, the
player starts over at the lowest rung and discards its estimate. Otherwise, if the lower rung's
playlist must be loaded first, the download goes on meanwhile and is judged again when it is
here, unless that takes as long as the segment would: what it brought is a second sample.

The throughput sample of a download is its bytes over the time from request to last byte,
less the wait for the first byte up to its usual length, with a weight of those seconds in
two means with half-lives of 3 and 9; the estimate is the lower mean. The usual wait is a
separate mean.

Source: npm package hls.js 1.7.4: ``AbrController`` (``nextAutoLevel``, ``findBestLevel``,
``_abandonRulesCheck``, ``onFragLoaded``, ``onFragBuffered``), ``EwmaBandWidthEstimator``,
``LevelController.onManifestLoaded``; parameters from ``config.ts``. Its decisions for
video on demand are reproduced.

deviation: where nobody states the peak rate (BANDWIDTH), it is that of the rung's largest
segment over its duration; the mean rate (AVERAGE-BANDWIDTH) is nominal.

deviation: the playlist of a rung is assumed to be loaded once the rung has been requested,
and to take no time after its first byte, nor before it when a download is abandoned for a rung
above the lowest. Parsing takes no time. Waits for initialisation sections do not count towards
the usual wait.

deviation: hls.js checks a download every 0.1 s, here the player asks.

deviation: segments in the buffer are not replaced, all rungs have the same codec, and
errors, dropped frames and screen size are not considered.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from abr.decision import Decision, Download, Observation, Progress, Rule
from abr.media import FloatArray

_FIRST, _FITS, _LATE, _LOWEST, _EMERGENCY, _RESTART, _AT_ONCE = 0, 1, 2, 3, 4, 5, 6
_USUAL_WAIT_S = 0.1
_MIN_WAIT_MS = 5.0
_MIN_WEIGHT = 0.001
_UNREASONABLE = 10.0
"""Download time, in segment durations, above which a lower rung does not help either."""
# Differences of times are uncertain by this much; "more than half" must not depend on it.
_ROUNDING_S = 1e-9


class Params(NamedTuple):
    """Parameters of ``hls-js``, each with the name of the setting in the package."""

    half_life_fast_s: float = 3.0
    """Half-life of the fast mean; ``abrEwmaFastVoD``."""
    half_life_slow_s: float = 9.0
    """Half-life of the slow mean and of the mean wait; ``abrEwmaSlowVoD``."""
    initial_bps: float = 500e3
    """Estimate before the first download; ``abrEwmaDefaultEstimate``."""
    initial_max_bps: float = 5e6
    """Limit up to which the first variant's rate raises it; ``abrEwmaDefaultEstimateMax``."""
    first_rung: int = -1
    """The variant that the multivariant playlist lists first; -1: as it does, the lowest where
    nobody says."""
    factor: float = 0.95
    """Fraction of the estimate that must sustain a rung; ``abrBandWidthFactor``."""
    up_factor: float = 0.7
    """The same for a rung above the last one; ``abrBandWidthUpFactor``."""
    max_starvation_s: float = 4.0
    """Stall that is accepted if nothing fits; ``maxStarvationDelay``."""
    abandon: bool = True
    """Whether slow downloads may be abandoned."""


class State(NamedTuple):
    """State of one playback."""

    half_lives_s: FloatArray
    """Fast and slow, shape (2,)."""
    mean_bps: FloatArray
    """Uncorrected means, starting at 0, shape (2,)."""
    weight_s: FloatArray
    """Sum of the seconds of the samples, shape (1,)."""
    wait: FloatArray
    """Mean wait for a first byte, in milliseconds from 0, and its weight, shape (2,)."""
    default_bps: FloatArray
    """Estimate in the absence of samples, shape (1,)."""
    peak_bps: FloatArray
    """Peak rate of each rung, 0 before the first decision if nobody stated it, shape (R,)."""
    listed_first: FloatArray
    """Rung that the multivariant playlist lists first, shape (1,)."""
    has_playlist: FloatArray
    """1 for each rung that has been requested, shape (R,)."""
    mean_segment_s: FloatArray
    """Mean length of a segment, shape (1,)."""
    second: FloatArray
    """By when the playlist that a switch to the lowest rung waits for must be here so that the
    download given up counts twice, 0 for none; and the estimates then, shape (7,)."""


def start(
    params: Params,
    ladder_bps: FloatArray,
    durations_s: FloatArray,
    peaks_bps: FloatArray,
    listed_first: int,
) -> State:
    """Create the state of one playback.

    Args:
        params: The parameters.
        ladder_bps: Nominal rate of each rung.
        durations_s: Of each segment.
        peaks_bps: Stated peak rate of each rung; none where nobody stated it.
        listed_first: The rung listed first; -1 where nobody says.
    """
    rungs = len(ladder_bps)
    first = params.first_rung if params.first_rung >= 0 else listed_first
    state = State(
        np.array([params.half_life_fast_s, params.half_life_slow_s]),
        np.zeros(2),
        np.zeros(1),
        np.zeros(2),
        np.full(1, params.initial_bps),
        np.zeros(rungs),
        np.full(1, float(min(max(first, 0), rungs - 1))),
        np.zeros(rungs),
        np.full(1, np.mean(durations_s)),
        np.zeros(7),
    )
    if len(peaks_bps) == rungs:
        state.peak_bps[:] = peaks_bps
        _set_first_estimate(params, state)
    return state


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """Choose the highest rung that fits without a stall, or else with a short one."""
    if state.peak_bps[0] == 0:
        read_peaks(seen, state.peak_bps)
        _set_first_estimate(params, state)
    rung, reason = 0, _LOWEST
    if seen.last_rung < 0 or seen.segment < 1:
        for q in range(len(seen.ladder_bps)):
            if state.peak_bps[q] <= _estimate_bps(state):
                rung = q
        reason = _FIRST
    elif len(seen.ladder_bps) > 1:
        segment_s = seen.durations_s[seen.segment - 1]
        best = -1
        if seen.buffer_s > 0:
            best, reason = _best(params, state, seen, segment_s, seen.buffer_s, 0.0), _FITS
        if best < 0:
            max_s = min(segment_s, params.max_starvation_s)
            best, reason = _best(params, state, seen, segment_s, seen.buffer_s, max_s), _LATE
        if best >= 0:
            rung = best
        else:
            reason = _LOWEST
    state.has_playlist[rung] = 1.0
    return Decision(rung, 0.0, reason)


def reconsider(params: Params, state: State, seen: Observation, progress: Progress) -> Decision:
    """Abandon a download that would outlast the buffer for a rung that would not."""
    stay = Decision(progress.rung, 0.0, _FITS)
    if not params.abandon or progress.rung == 0 or seen.last_rung < 0:
        return stay
    first = _judge(params, state, seen, progress, False)
    if first.rung < 0:
        return stay
    rung, reason = first.rung, first.reason
    if reason == _EMERGENCY and state.has_playlist[rung] == 0:
        state.has_playlist[rung] = 1.0
        before = _estimates(state)
        second = _judge(params, state, seen, progress, True)
        if second.rung == 0 and rung == 0:
            # What it changes is known only when the playlist is here.
            state.second[0] = progress.now_s + first.takes_s
            state.second[1:] = _estimates(state)
            _set_estimates(state, before)
        elif second.rung >= 0:
            rung, reason = second.rung, second.reason
    state.has_playlist[rung] = 1.0
    return Decision(rung, 0.0, reason)


class _Verdict(NamedTuple):
    """The lower rung to load instead of a download under way, -1 for none."""

    rung: int
    reason: int
    takes_s: float
    """How long it would take."""


def _judge(
    params: Params, state: State, seen: Observation, progress: Progress, is_second: bool
) -> _Verdict:
    """The lower rung to load instead of a download under way; -1 for none.

    A second look, when the playlist of a lower rung is here, does not wait any longer.
    """
    rung = progress.rung
    segment_s = seen.durations_s[progress.segment]
    buffer_s, received_bytes = progress.buffer_s, progress.received_bytes
    loading_s = progress.now_s - progress.start_s
    usual_s = _usual_wait_s(state)
    stay = _Verdict(-1, _FITS, 0.0)
    if (
        loading_s <= max(usual_s, segment_s / 2) + _ROUNDING_S
        or received_bytes >= progress.size_bytes
    ):
        return stay
    wait_s = progress.first_byte_s - progress.start_s
    estimate_bps = _estimate_bps(state)
    # Written so that it is false for nan: before the first byte there is no wait.
    has_begun = received_bytes > 0 and wait_s >= 0
    if has_begun:
        rate_bps = (
            8 * received_bytes / _streaming_s(loading_s, wait_s, received_bytes, estimate_bps)
        )
        left_s = 8 * (progress.size_bytes - received_bytes) / rate_bps
    else:
        rate_bps = estimate_bps
        expected_bytes = math.floor(segment_s * seen.ladder_bps[rung] / 8 + 0.5)
        left_s = 8 * expected_bytes / estimate_bps + usual_s
    if left_s <= buffer_s:
        return stay
    lower, lower_s = rung - 1, math.inf
    while lower > 0:
        lower_s = usual_s + segment_s * state.peak_bps[lower] / rate_bps
        if state.has_playlist[lower] == 0:
            lower_s += usual_s
        if lower_s < min(buffer_s, segment_s + usual_s):
            break
        lower -= 1
    if lower_s >= left_s or lower_s > _UNREASONABLE * segment_s:
        return stay
    if has_begun:
        _add_sample(state, loading_s - min(usual_s, wait_s), received_bytes)
    else:
        _add_wait(state, loading_s)
    lower_bps = state.peak_bps[lower]
    if _estimate_bps(state) * params.up_factor > lower_bps:
        _forget(state, lower_bps)
    best = _highest(state, seen, lower, lower_bps, segment_s, buffer_s)
    if best >= 0:
        lower = best
    is_urgent = left_s > 2 * lower_s
    if lower == 0 or not (is_urgent or is_second):
        return _Verdict(lower, _AT_ONCE if is_urgent else _EMERGENCY, lower_s)
    best = _highest(state, seen, lower, state.peak_bps[0], segment_s, buffer_s)
    lower = max(best, 0)
    _forget(state, state.peak_bps[lower])
    return _Verdict(lower, _RESTART, lower_s)


def delivered(params: Params, state: State, seen: Observation, download: Download) -> None:
    """Update the state from a finished download."""
    if state.second[0] > 0:
        if download.start_s <= state.second[0] + _ROUNDING_S:
            _set_estimates(state, state.second[1:])
        state.second[0] = 0.0
    wait_s = download.first_byte_s - download.start_s
    _add_wait(state, wait_s)
    usual_s = min(wait_s, _usual_wait_s(state))
    _add_sample(state, download.end_s - download.start_s - usual_s, download.size_bytes)


def read_peaks(seen: Observation, peak_bps: FloatArray) -> None:
    """Write the rate of each rung's largest segment over its duration into ``peak_bps``."""
    for q in range(len(seen.ladder_bps)):
        for n in range(len(seen.durations_s)):
            rate_bps = seen.sizes_bytes[q, n] * 8 / seen.durations_s[n]
            peak_bps[q] = max(peak_bps[q], rate_bps)


def _set_first_estimate(params: Params, state: State) -> None:
    """Set the first estimate, from the rate of the variant listed first."""
    first_bps = min(state.peak_bps[int(state.listed_first[0])], params.initial_max_bps)
    state.default_bps[0] = max(state.default_bps[0], first_bps)


def _best(
    params: Params,
    state: State,
    seen: Observation,
    segment_s: float,
    buffer_s: float,
    stall_s: float,
) -> int:
    """The highest rung that the estimate sustains and that arrives in time; -1 for none."""
    estimate_bps, usual_s = _estimate_bps(state), _usual_wait_s(state)
    is_calm = buffer_s >= 2 * segment_s and stall_s == 0
    for q in range(len(seen.ladder_bps) - 1, -1, -1):
        factor = params.up_factor if q > seen.last_rung else params.factor
        rate_bps = seen.ladder_bps[q] if is_calm else state.peak_bps[q]
        takes_s = _takes_s(state, q, rate_bps / (factor * estimate_bps), segment_s, usual_s)
        if factor * estimate_bps >= rate_bps and takes_s < buffer_s + stall_s:
            return q
    return -1


def _highest(
    state: State,
    seen: Observation,
    below: int,
    link_bps: float,
    segment_s: float,
    buffer_s: float,
) -> int:
    """The highest rung up to ``below`` that arrives within the buffer at ``link_bps``, or -1."""
    usual_s = _usual_wait_s(state)
    for q in range(below, -1, -1):
        takes_s = _takes_s(state, q, state.peak_bps[q] / link_bps, segment_s, usual_s)
        if link_bps >= state.peak_bps[q] and takes_s < buffer_s:
            return q
    return -1


def _takes_s(state: State, rung: int, load: float, segment_s: float, usual_s: float) -> float:
    """Time for a segment, and for the playlist of a rung that has not been requested yet."""
    if state.has_playlist[rung] > 0:
        return float(usual_s + load * state.mean_segment_s[0])
    return usual_s + load * segment_s + usual_s


def _streaming_s(
    loading_s: float, wait_s: float, received_bytes: float, estimate_bps: float
) -> float:
    """Time in which a download in progress received its bytes."""
    streaming_s = loading_s - wait_s
    if streaming_s < 1e-3:
        # hls.js divides by 1000 as if this were milliseconds; reproduced.
        return float(min(loading_s, 8 * received_bytes / estimate_bps / 1e3))
    return streaming_s


def _add_sample(state: State, transfer_s: float, size_bytes: float) -> None:
    """Add a sample of throughput, with a limit of 100 MB/s for very small bodies."""
    if size_bytes <= 0:
        return
    transfer_s = max(transfer_s, min(0.05, size_bytes / 1e8))
    for i in range(2):
        kept = 0.5 ** (transfer_s / state.half_lives_s[i])
        state.mean_bps[i] = 8 * size_bytes / transfer_s * (1 - kept) + kept * state.mean_bps[i]
    state.weight_s[0] += transfer_s


def _add_wait(state: State, wait_s: float) -> None:
    """Add a sample of the wait for a first byte; longer waits have smaller weights."""
    weight = math.sqrt(2.0) * math.exp(-wait_s * wait_s / 2)
    kept = 0.5 ** (weight / state.half_lives_s[1])
    state.wait[0] = max(1e3 * wait_s, _MIN_WAIT_MS) * (1 - kept) + kept * state.wait[0]
    state.wait[1] += weight


def _estimate_bps(state: State) -> float:
    if state.weight_s[0] < _MIN_WEIGHT:
        return float(state.default_bps[0])
    lowest = math.inf
    for i in range(2):
        bias = 1 - 0.5 ** (state.weight_s[0] / state.half_lives_s[i])
        lowest = min(lowest, state.mean_bps[i] / bias)
    return float(lowest)


def _usual_wait_s(state: State) -> float:
    if state.wait[1] < _MIN_WEIGHT:
        return _USUAL_WAIT_S
    return float(state.wait[0] / (1 - 0.5 ** (state.wait[1] / state.half_lives_s[1])) / 1e3)


def _estimates(state: State) -> FloatArray:
    """All that is estimated, as numbers of one array."""
    numbers = np.zeros(6)
    numbers[0:2], numbers[2:4] = state.mean_bps, state.wait
    numbers[4], numbers[5] = state.weight_s[0], state.default_bps[0]
    return numbers


def _set_estimates(state: State, numbers: FloatArray) -> None:
    """Estimate what ``_estimates`` gave."""
    state.mean_bps[:], state.wait[:] = numbers[0:2], numbers[2:4]
    state.weight_s[0], state.default_bps[0] = numbers[4], numbers[5]


def _forget(state: State, default_bps: float) -> None:
    """Discard the samples and restart the estimates."""
    state.default_bps[0] = default_bps
    state.weight_s[0] = 0.0
    for i in range(2):
        state.mean_bps[i] = 0.0
        state.wait[i] = 0.0


def make(**params: float) -> Rule:
    """Create the algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: a parameter is out of range.
    """
    made = Params(**params)  # type: ignore[arg-type]  # the registry checked the types
    if not (made.factor > 0 and made.up_factor > 0 and made.initial_bps > 0):
        raise ValueError("factor, up_factor and initial_bps must be more than 0")
    if not (made.half_life_fast_s > 0 and made.half_life_slow_s > 0):
        raise ValueError("the half-lives must be more than 0")
    return Rule(
        name="hls-js",
        params=made,
        start=start,
        choose=choose,
        reconsider=reconsider,
        delivered=delivered,
        needs_listing=True,
        reasons=(
            "first rung",
            "fits",
            "fits with a stall",
            "lowest",
            "too slow",
            "starts over",
            "much too slow",
        ),
    )
