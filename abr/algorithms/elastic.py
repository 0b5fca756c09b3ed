"""ELASTIC: drives the buffer to a set point with the rate itself, and never idles.

The rate asked for is ``b / (1 - kp q - ki qi)``: b the harmonic mean of the last
throughputs, q the buffer, qi the integral over time of its distance from the target. The
highest rung of at most that rate is played; when nothing is left of the denominator, the
top rung.

Source: De Cicco, Caldaralo, Palmisano, Mascolo, ELASTIC: A Client-Side Controller for
Dynamic Adaptive Streaming over HTTP, Packet Video 2013. The law and its inputs as in
goDASH's ``elastic.go`` and in the controllers of TAPAS, by the same group; the paper's
text was not at hand.

deviation: gains and target are the values usually quoted for the paper, which neither
program confirms: TAPAS derivatives have 0.02 and 0.001, goDASH takes its buffer's size
as target.

deviation: the integral rests while the rate is beyond either end of the ladder, as in
TAPAS; without this a long stall would keep the lowest rung for minutes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from abr.algorithms.sustainable import highest_within
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
    """Buffer to be kept."""
    window: int = 5
    """Downloads in the harmonic mean."""


class State(NamedTuple):
    """Memory of one playback."""

    integral: FloatArray
    """Integral of buffer less target, square seconds, shape (1,)."""


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """The state of one playback."""
    return State(np.zeros(1))


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """The control law, quantized."""
    estimate_bps = harmonic_throughput_bps(seen.downloads, params.window)
    if not estimate_bps > 0:
        return Decision(0, 0.0, _NO_SAMPLE)
    newest = len(seen.downloads.end_s) - 1
    elapsed_s = seen.downloads.end_s[newest] - seen.downloads.start_s[newest]
    before = state.integral[0]
    integral = before + elapsed_s * (seen.buffer_s - params.target_s)
    left = 1 - params.kp * seen.buffer_s - params.ki * integral
    top = len(seen.ladder_bps) - 1
    if left <= 0 or estimate_bps >= left * seen.ladder_bps[top]:
        state.integral[0] = min(integral, before)
        return Decision(top, 0.0, _HIGHEST)
    rate_bps = estimate_bps / left
    if rate_bps <= seen.ladder_bps[0]:
        state.integral[0] = max(integral, before)
        return Decision(0, 0.0, _LOWEST)
    state.integral[0] = integral
    return Decision(highest_within(seen.ladder_bps, rate_bps), 0.0, _LAW)


def make(**params: float) -> Rule:
    """The algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: a parameter out of range.
    """
    made = Params(**params)  # type: ignore[arg-type]  # the registry checked the types
    if not (made.kp >= 0 and made.ki >= 0 and made.target_s >= 0 and made.window >= 1):
        raise ValueError("gains and target_s must be 0 or more, window 1 or more")
    return Rule(
        name="elastic",
        params=made,
        start=start,
        choose=choose,
        reasons=("no sample yet", "control law", "below the ladder", "above the ladder"),
    )
