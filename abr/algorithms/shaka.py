"""What Shaka Player does: the highest rung within 0.95 of the throughput, every 8 s.

The buffer is not looked at. The estimate is 1 Mbit/s until 128 kB have arrived; at that
moment the rung is chosen anew, and from then on after the first download that ends 8 s or
more after the last choice. Between choices the rung stays.

The throughput sample of a download is its bytes over the time from request to last byte,
the wait for the first byte included, and weighs those seconds in two means with half-lives
of 2 and 5; the lower counts. Bodies below 16 kB and downloads below 5 ms are not sampled.

Source: npm package shaka-player 5.2.12: ``shaka.abr.SimpleAbrManager``,
``shaka.abr.EwmaBandwidthEstimator`` and ``shaka.abr.Ewma``; parameters from
``shaka.util.PlayerConfiguration``. Its decisions are reproduced.

deviation: over ``fetch`` Shaka samples a download in pieces of more than 0.1 s and 16 kB
each, the first with the wait for the first byte, and may choose after each; here a download
is one sample, as it is to Shaka where the browser has no streams.

deviation: the browser's own guess of the rate, dropped frames, the size of the screen and
hints from servers are not seen. Shaka's streaming engine may drop a download under way after
a switch; here it is finished.

deviation: the rate of a rung (BANDWIDTH) is that of its biggest segment in its time.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from abr.algorithms.hls_js import read_peaks
from abr.decision import Decision, Download, Observation, Rule
from abr.media import FloatArray

_FIRST, _STAYS, _CHOSEN = 0, 1, 2
# Differences of times are this uncertain; it keeps "8 s or more" from depending on it.
_ROUNDING_S = 1e-9


class Params(NamedTuple):
    """Parameters of ``shaka``; the package's setting follows each."""

    half_life_fast_s: float = 2.0
    """Half-life of the fast mean; ``advanced.fastHalfLife``."""
    half_life_slow_s: float = 5.0
    """Half-life of the slow mean; ``advanced.slowHalfLife``."""
    initial_bps: float = 1e6
    """Estimate until enough has arrived; ``defaultBandwidthEstimate``."""
    enough_bytes: float = 128e3
    """How much that is; ``advanced.minTotalBytes``."""
    least_bytes: float = 16e3
    """Smaller bodies are not sampled; ``advanced.minBytes``."""
    least_s: float = 0.005
    """Quicker downloads are not sampled; ``cacheLoadThreshold``."""
    interval_s: float = 8.0
    """Time from one choice to the next; ``switchInterval``."""
    first_interval_s: float = 0.0
    """Time to the first choice with enough bytes; ``minTimeToSwitch``."""
    down_target: float = 0.95
    """Part of the estimate within which a rung is; ``bandwidthDowngradeTarget``."""
    up_target: float = 0.85
    """A rung is passed over where this part carries the next; ``bandwidthUpgradeTarget``."""
    peak: bool = True
    """Whether a rung's rate is its biggest segment's, as in HLS, or else the nominal one."""


class State(NamedTuple):
    """Memory of one playback."""

    half_lives_s: FloatArray
    """Fast and slow, shape (2,)."""
    mean_bps: FloatArray
    """Means that start at 0, shape (2,)."""
    weight_s: FloatArray
    """Sum of the samples' seconds, shape (1,)."""
    sampled_bytes: FloatArray
    """Sum of the samples' bytes, shape (1,)."""
    has_started: FloatArray
    """1 once enough has arrived, shape (1,)."""
    chosen_s: FloatArray
    """When the rung was last chosen, shape (1,)."""
    rung: FloatArray
    """What was chosen; -1 before the first question, shape (1,)."""
    is_new: FloatArray
    """1 when it was chosen after the last download, shape (1,)."""
    rates_bps: FloatArray
    """Rate of each rung, shape (R,)."""


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """The state of one playback."""
    return State(
        np.array([params.half_life_fast_s, params.half_life_slow_s]),
        np.zeros(2),
        np.zeros(1),
        np.zeros(1),
        np.zeros(1),
        np.zeros(1),
        np.full(1, -1.0),
        np.zeros(1),
        np.zeros(len(ladder_bps)) if params.peak else np.array(ladder_bps),
    )


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """What was chosen after the last download that brought a choice."""
    if state.rung[0] < 0:
        if params.peak:
            read_peaks(seen, state.rates_bps)
        _choose_rung(params, state, seen.now_s)
        return Decision(int(state.rung[0]), 0.0, _FIRST)
    reason = _CHOSEN if state.is_new[0] > 0 else _STAYS
    state.is_new[0] = 0.0
    return Decision(int(state.rung[0]), 0.0, reason)


def delivered(params: Params, state: State, seen: Observation, download: Download) -> None:
    """Learn from a finished download, and choose when it is time to."""
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
        most_bps = state.rates_bps[q + 1] / params.up_target if q + 1 < rungs else math.inf
        if state.rates_bps[q] / params.down_target <= estimate_bps <= most_bps:
            rung = q
    state.rung[0] = rung
    state.chosen_s[0] = now_s


def make(**params: float) -> Rule:
    """The algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: a parameter out of range.
    """
    made = Params(**params)  # type: ignore[arg-type]  # the registry checked the types
    if not (made.down_target > 0 and made.up_target > 0):
        raise ValueError("down_target and up_target must be more than 0")
    if not (made.half_life_fast_s > 0 and made.half_life_slow_s > 0 and made.enough_bytes > 0):
        raise ValueError("the half-lives and enough_bytes must be more than 0")
    return Rule(
        name="shaka",
        params=made,
        start=start,
        choose=choose,
        delivered=delivered,
        reasons=("first rung", "stays", "chosen anew"),
    )
