"""PANDA: probe for the fair share by raising the target rate, and pace requests.

The share ``x`` grows by ``kappa w`` per second while it is below the measured throughput and
falls towards it when above; ``y`` smooths it. The rung is raised to the highest one within
``y`` less ``w + epsilon y``, and lowered to the highest one within ``y`` less ``w``. The next
request follows ``r length / y + beta (buffer - buffer_min)`` after the current one.

Source: Li, Zhu, Gahm, Pan, Hu, Begen, Oran, Probe and Adapt: Rate Adaptation for HTTP
Video Streaming At Scale, IEEE JSAC 32(4) 2014 (arXiv 1305.0510), the four steps of its
section on the algorithm: estimating, smoothing, quantizing, scheduling. Steps and
constants are those of several public implementations; the text of the paper was not
available.

deviation: the throughput is that of the bytes received, not of the nominal rate.

deviation: a time step moves a rate at most to the value it converges to. The difference
equations of the paper overshoot, and diverge if a segment takes longer than ``2 / alpha``,
10 s.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from abr.algorithms.sustainable import highest_near, highest_within
from abr.compilable import lifted, natural
from abr.decision import Decision, Observation, Rule
from abr.media import FloatArray

_NO_SAMPLE, _STAY, _UP, _DOWN = 0, 1, 2, 3
_SHARE, _SMOOTH, _PACE = 0, 1, 2


class Params(NamedTuple):
    """Parameters of ``panda``."""

    kappa: float = 0.14
    """Probing convergence rate, per second; one public implementation has 0.28."""
    probe_bps: float = 0.3e6
    """Additive increase and safety margin, w in the paper."""
    alpha: float = 0.2
    """Smoothing convergence rate, per second."""
    beta: float = 0.2
    """Buffer convergence rate."""
    epsilon: float = 0.15
    """Relative margin for switching up."""
    buffer_min_s: float = 26.0
    """Buffer level that the pacing of requests maintains."""
    initial_bps: float = 0.0
    """Throughput taken for granted before the first download: it comes at the highest rung within
    this; 0: at the lowest."""


class State(NamedTuple):
    """State of one playback."""

    rates: FloatArray
    """Share and smoothed share in bits per second, and the target interval between the last
    request and the next in seconds, shape (3,)."""


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """Create the state of one playback."""
    return State(np.zeros(3))


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """Estimate, smooth, quantize and schedule."""
    done = seen.downloads
    media_s = seen.durations_s[natural(seen.segment)]
    if len(done.end_s) == 0 or seen.last_rung < 0:
        return Decision(highest_within(seen.ladder_bps, params.initial_bps), 0.0, _NO_SAMPLE)
    newest = natural(len(done.end_s) - 1)
    elapsed_s = lifted(done.end_s[newest] - done.start_s[newest], 1e-9)
    throughput_bps = 8 * done.size_bytes[newest] / elapsed_s
    since_s = lifted(seen.now_s - done.start_s[newest], elapsed_s)
    interval_s = max(state.rates[_PACE], since_s)
    # Step 1, estimating: update the share. Step 2, smoothing.
    if state.rates[_SMOOTH] <= 0:
        state.rates[_SHARE] = throughput_bps
        state.rates[_SMOOTH] = throughput_bps
    else:
        share_bps = next_share_bps(params, state.rates[_SHARE], throughput_bps, interval_s)
        state.rates[_SHARE] = share_bps
        part = min(params.alpha * interval_s, 1.0)
        state.rates[_SMOOTH] += part * (share_bps - state.rates[_SMOOTH])
    smooth_bps = state.rates[_SMOOTH]
    # Step 3, quantizing, with a dead zone between the two limits.
    last, reason = seen.last_rung, _STAY
    down_bps = smooth_bps - params.probe_bps
    up_bps = down_bps - params.epsilon * smooth_bps
    rung = last
    if last + 1 < len(seen.ladder_bps) and seen.ladder_bps[natural(last + 1)] <= up_bps:
        rung, reason = highest_near(seen.ladder_bps, up_bps, last), _UP
    elif last > 0 and seen.ladder_bps[natural(last)] > down_bps:
        rung, reason = highest_near(seen.ladder_bps, down_bps, last), _DOWN
    # Step 4, scheduling.
    wait_s = max(0.0, state.rates[_PACE] - since_s)
    pace_s = seen.ladder_bps[natural(rung)] * media_s / smooth_bps
    pace_s += params.beta * (seen.buffer_s - params.buffer_min_s)
    state.rates[_PACE] = max(pace_s, 0.0)
    return Decision(rung, wait_s, reason)


def next_share_bps(
    params: Params, share_bps: float, throughput_bps: float, interval_s: float
) -> float:
    """The share after ``interval_s`` of probing, or of falling towards the throughput."""
    above_bps = share_bps - throughput_bps
    if above_bps + params.probe_bps > 0:
        # Within w of the throughput or above, the share converges to it exponentially.
        return share_bps - min(params.kappa * interval_s, 1.0) * above_bps
    return min(share_bps + params.kappa * interval_s * params.probe_bps, throughput_bps)


def make(**params: float) -> Rule:
    """Create the algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: a parameter is out of range.
    """
    made = Params(**params)
    if not (made.kappa > 0 and made.alpha > 0 and made.probe_bps > 0):
        raise ValueError("kappa, alpha and probe_bps must be more than 0")
    if not (made.beta >= 0 and made.epsilon >= 0 and made.buffer_min_s >= 0):
        raise ValueError("beta, epsilon and buffer_min_s must be 0 or more")
    if not made.initial_bps >= 0:
        raise ValueError("initial_bps must be 0 or more")
    return Rule(
        name="panda",
        params=made,
        start=start,
        choose=choose,
        reasons=("no sample yet", "in the dead zone", "pays for more", "does not pay"),
    )
