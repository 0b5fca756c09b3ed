"""ELASTIC: control the buffer level through the bit rate, without idle periods.

The requested rate is ``b / (1 - kp q - ki qi)``, where b is the harmonic mean of the last
throughputs, q the buffer level and qi the integral over time of its distance from the
target. The highest rung of at most that rate is chosen; if the denominator is not positive,
the top rung.

Source: De Cicco, Caldaralo, Palmisano, Mascolo, ELASTIC: A Client-Side Controller for
Dynamic Adaptive Streaming over HTTP, Packet Video 2013. The control law and its inputs are
those of goDASH's ``elastic.go`` and of the controllers of TAPAS, by the same group; the
text of the paper was not available.

deviation: gains and target are the values usually quoted for the paper, which neither
program confirms: derivatives of TAPAS have 0.02 and 0.001, and goDASH uses its buffer size
as the target.

deviation: as in TAPAS, the integral is frozen while the rate is beyond either end of the
ladder; otherwise the lowest rung would be kept for minutes after a long stall.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from abr.algorithms.sustainable import highest_near, highest_within
from abr.compilable import natural
from abr.decision import Decision, Observation, Rule
from abr.estimators import harmonic_throughput_bps
from abr.media import FloatArray

_NO_SAMPLE, _LAW, _LOWEST, _HIGHEST = 0, 1, 2, 3


class Params(NamedTuple):
    """Parameters of ``elastic``."""

    kp: float = 0.01
    """Proportional gain, per second of buffer."""
    ki: float = 0.001
    """Integral gain, per second of buffer and second of time."""
    target_s: float = 15.0
    """Target buffer level."""
    window: int = 5
    """Number of downloads in the harmonic mean."""
    initial_bps: float = 0.0
    """Throughput taken for granted before the first download: it comes at the highest rung within
    this; 0: at the lowest."""


class State(NamedTuple):
    """State of one playback."""

    integral: FloatArray
    """Integral of buffer level minus target, seconds squared, shape (1,)."""


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """Create the state of one playback."""
    return State(np.zeros(1))


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """Apply the control law and quantize the rate."""
    estimate_bps = harmonic_throughput_bps(seen.downloads, params.window)
    if not estimate_bps > 0:
        return Decision(highest_within(seen.ladder_bps, params.initial_bps), 0.0, _NO_SAMPLE)
    newest = natural(len(seen.downloads.end_s) - 1)
    elapsed_s = seen.downloads.end_s[newest] - seen.downloads.start_s[newest]
    before = state.integral[0]
    integral = before + elapsed_s * (seen.buffer_s - params.target_s)
    # The denominator of the control law, 1 - kp q - ki qi.
    denominator = 1 - params.kp * seen.buffer_s - params.ki * integral
    top = natural(len(seen.ladder_bps) - 1)
    if denominator <= 0 or estimate_bps >= denominator * seen.ladder_bps[top]:
        # Anti-windup: beyond the ladder the integral may only move back.
        state.integral[0] = min(integral, before)
        return Decision(top, 0.0, _HIGHEST)
    rate_bps = estimate_bps / denominator
    if rate_bps <= seen.ladder_bps[0]:
        state.integral[0] = max(integral, before)
        return Decision(0, 0.0, _LOWEST)
    state.integral[0] = integral
    return Decision(highest_near(seen.ladder_bps, rate_bps, seen.last_rung), 0.0, _LAW)


def make(**params: float) -> Rule:
    """Create the algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: a parameter is out of range.
    """
    made = Params(**params)  # type: ignore[arg-type]  # the registry checked the types
    if not (made.kp >= 0 and made.ki >= 0 and made.target_s >= 0 and made.window >= 1):
        raise ValueError("gains and target_s must be 0 or more, window 1 or more")
    if not made.initial_bps >= 0:
        raise ValueError("initial_bps must be 0 or more")
    return Rule(
        name="elastic",
        params=made,
        start=start,
        choose=choose,
        reasons=("no sample yet", "control law", "below the ladder", "above the ladder"),
    )
