"""Shaka Player: the highest rung within 0.95 of the throughput, every 8 s.

The buffer is not considered. The estimate is 1 Mbit/s until 128 kB have arrived; then the
rung is chosen again, and from then on after the first download that ends at least 8 s after
the last choice. Between choices the rung stays the same.

The throughput sample of a download is its bytes over the time from request to last byte,
including the wait for the first byte, with a weight of those seconds in two means with
half-lives of 2 and 5; the estimate is the lower mean. Bodies below 16 kB and downloads below
5 ms are ignored.

Source: npm package shaka-player 5.2.12: ``shaka.abr.SimpleAbrManager``,
``shaka.abr.EwmaBandwidthEstimator`` and ``shaka.abr.Ewma``; parameters from
``shaka.util.PlayerConfiguration``. Its decisions are reproduced.

deviation: over ``fetch`` Shaka samples a download in pieces of more than 0.1 s and 16 kB
each, the first including the wait for the first byte, and may choose after each. Here a
download is one sample, as in Shaka if the browser has no streams.

deviation: the browser's own estimate of the rate, dropped frames, screen size and hints from
servers are not considered. Shaka's streaming engine may abort a download in progress after a
switch; here it is finished.

deviation: where nobody states the rate of a rung (BANDWIDTH), it is that of its largest segment
over its duration. Sound that is fetched apart is not sampled; Shaka samples each transfer by
itself, so that two that share the link each see a part of it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from abr.algorithms.hls_js import read_peaks
from abr.decision import Decision, Download, Observation, Rule
from abr.media import FloatArray

_FIRST, _STAYS, _CHOSEN = 0, 1, 2
# Differences of times are uncertain by this much; "8 s or more" must not depend on it.
_ROUNDING_S = 1e-9


class Params(NamedTuple):
    """Parameters of ``shaka``, each with the name of the setting in the package."""

    half_life_fast_s: float = 2.0
    """Half-life of the fast mean; ``advanced.fastHalfLife``."""
    half_life_slow_s: float = 5.0
    """Half-life of the slow mean; ``advanced.slowHalfLife``."""
    initial_bps: float = 1e6
    """Estimate until enough has arrived; ``defaultBandwidthEstimate``."""
    enough_bytes: float = 128e3
    """Bytes after which the measured estimate is used; ``advanced.minTotalBytes``."""
    least_bytes: float = 16e3
    """Smaller bodies are ignored; ``advanced.minBytes``."""
    least_s: float = 0.005
    """Shorter downloads are ignored; ``cacheLoadThreshold``."""
    interval_s: float = 8.0
    """Minimum time from one choice to the next; ``switchInterval``."""
    first_interval_s: float = 0.0
    """Minimum time to the first choice by the estimate; ``minTimeToSwitch``."""
    down_target: float = 0.95
    """Fraction of the estimate that a rung may use; ``bandwidthDowngradeTarget``."""
    up_target: float = 0.85
    """A rung is skipped if this fraction sustains the next one; ``bandwidthUpgradeTarget``."""
    peak: bool = True
    """Whether the rate of a rung is its peak rate, as in HLS, or the nominal one."""


class State(NamedTuple):
    """State of one playback."""

    half_lives_s: FloatArray
    """Fast and slow, shape (2,)."""
    mean_bps: FloatArray
    """Uncorrected means, starting at 0, shape (2,)."""
    weight_s: FloatArray
    """Sum of the seconds of the samples, shape (1,)."""
    sampled_bytes: FloatArray
    """Sum of the bytes of the samples, shape (1,)."""
    has_started: FloatArray
    """1 once ``enough_bytes`` have arrived, shape (1,)."""
    chosen_s: FloatArray
    """Time of the last choice, shape (1,)."""
    rung: FloatArray
    """The chosen rung; -1 before the first choice, shape (1,)."""
    is_new: FloatArray
    """1 if it was chosen after the last download, shape (1,)."""
    rates_bps: FloatArray
    """Rate of each rung, 0 before the first choice if nobody stated it, shape (R,)."""


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
        listed_first: The rung listed first, which matters to other players.
    """
    rates_bps = np.array(ladder_bps)
    if params.peak:
        is_stated = len(peaks_bps) == len(ladder_bps)
        rates_bps = np.array(peaks_bps) if is_stated else np.zeros(len(ladder_bps))
    return State(
        np.array([params.half_life_fast_s, params.half_life_slow_s]),
        np.zeros(2),
        np.zeros(1),
        np.zeros(1),
        np.zeros(1),
        np.zeros(1),
        np.full(1, -1.0),
        np.zeros(1),
        rates_bps,
    )


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """Return the current choice; choose here only for the first segment."""
    if state.rung[0] < 0:
        if state.rates_bps[0] == 0:
            read_peaks(seen, state.rates_bps)
        _choose_rung(params, state, seen.now_s)
        return Decision(int(state.rung[0]), 0.0, _FIRST)
    reason = _CHOSEN if state.is_new[0] > 0 else _STAYS
    state.is_new[0] = 0.0
    return Decision(int(state.rung[0]), 0.0, reason)


def delivered(params: Params, state: State, seen: Observation, download: Download) -> None:
    """Update the state from a finished download, and choose again if it is time to."""
    elapsed_s = download.end_s - download.start_s
    if elapsed_s >= params.least_s - _ROUNDING_S and elapsed_s > 0:
        _add_sample(params, state, elapsed_s, download.size_bytes)
    if state.has_started[0] == 0:
        if state.sampled_bytes[0] < params.enough_bytes:
            return
        state.has_started[0] = 1.0
        state.chosen_s[0] -= params.interval_s - params.first_interval_s
    if download.end_s - state.chosen_s[0] >= params.interval_s - _ROUNDING_S:
        _choose_rung(params, state, download.end_s)
        state.is_new[0] = 1.0


def _add_sample(params: Params, state: State, elapsed_s: float, size_bytes: float) -> None:
    if size_bytes < params.least_bytes:
        return
    for i in range(2):
        kept = 0.5 ** (elapsed_s / state.half_lives_s[i])
        state.mean_bps[i] = 8 * size_bytes / elapsed_s * (1 - kept) + kept * state.mean_bps[i]
    state.weight_s[0] += elapsed_s
    state.sampled_bytes[0] += size_bytes


def _choose_rung(params: Params, state: State, now_s: float) -> None:
    estimate_bps = params.initial_bps
    if state.sampled_bytes[0] >= params.enough_bytes:
        estimate_bps = math.inf
        for i in range(2):
            bias = 1 - 0.5 ** (state.weight_s[0] / state.half_lives_s[i])
            estimate_bps = min(estimate_bps, state.mean_bps[i] / bias)
    rung, rungs = 0, len(state.rates_bps)
    for q in range(rungs):
        max_bps = state.rates_bps[q + 1] / params.up_target if q + 1 < rungs else math.inf
        if state.rates_bps[q] / params.down_target <= estimate_bps <= max_bps:
            rung = q
    state.rung[0] = rung
    state.chosen_s[0] = now_s


def make(**params: float) -> Rule:
    """Create the algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: a parameter is out of range.
    """
    made = Params(**params)  # type: ignore[arg-type]  # the registry checked the types
    if not (made.down_target > 0 and made.up_target > 0):
        raise ValueError("down_target and up_target must be more than 0")
    if not (made.half_life_fast_s > 0 and made.half_life_slow_s > 0 and made.enough_bytes > 0):
        raise ValueError("the half-lives and enough_bytes must be more than 0")
    if not made.initial_bps >= 0:
        raise ValueError("initial_bps must be 0 or more")
    return Rule(
        name="shaka",
        params=made,
        start=start,
        choose=choose,
        delivered=delivered,
        needs_listing=True,
        reasons=("first rung", "stays", "chosen anew"),
    )
