"""RobustMPC: MPC at a throughput reduced by the largest recent prediction error.

The harmonic mean of the last downloads is divided by ``1 + e``, where e is the largest
relative error ``|estimate - measured| / measured`` of the last ``window`` downloads. The
rest is ``mpc``.

Source: Yin, Jindal, Sekar, Sinopoli, A Control-Theoretic Approach for Dynamic Adaptive
Video Streaming over HTTP, SIGCOMM 2015, section 4.3; weights, horizon and ties as in
``test/mpc.py`` of Pensieve, which also compares the estimate *before* the reduction with
the measured throughput.

deviation: Pensieve's program keeps the errors in a global variable of a module, so they
leak from one playback into the next, and results depend on the order of traces. Here they
are part of the state of a playback. To reproduce the leak, play one session after another
with the same state.

deviation: Pensieve's program reads sizes one segment late; here this is the option
``late_sizes``, as in ``mpc``.

deviation: as in ``mpc``, there is no startup phase, and the buffer in a plan has no upper
limit.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from abr.algorithms.sustainable import highest_within
from abr.decision import Decision, Download, Observation, Rule
from abr.estimators import harmonic_throughput_bps
from abr.lookahead import Lookahead, best_rung, fill_horizon, lookahead_start
from abr.media import FloatArray

_NO_SAMPLE, _PLANNED = 0, 1


class Params(NamedTuple):
    """Parameters of ``robust-mpc``, with the values of the paper and of Pensieve."""

    horizon: int = 5
    """Number of segments to plan for."""
    window: int = 5
    """Number of downloads in the harmonic mean, and of errors considered."""
    stall_weight: float = 4.3
    """Cost of a second of stall, in Mbit/s."""
    switch_weight: float = 1.0
    """Cost of a change of rate, in Mbit/s per Mbit/s."""
    late_sizes: bool = False
    """Whether sizes are read one segment late, as in Pensieve."""
    initial_bps: float = 0.0
    """Throughput taken for granted before the first download: it comes at the highest rung within
    this; 0: at the lowest."""


class State(NamedTuple):
    """Workspace of the search, and past errors."""

    room: Lookahead
    errors: FloatArray
    """Ring of the relative errors of the last downloads, shape (window,)."""
    estimate_bps: FloatArray
    """The newest estimate before the reduction; 0 before the first, shape (1,)."""
    finished: FloatArray
    """Number of downloads so far, shape (1,)."""


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """Create the state of one playback."""
    room = lookahead_start(ladder_bps, params.horizon, params.stall_weight, params.switch_weight)
    return State(room, np.zeros(params.window), np.zeros(1), np.zeros(1))


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """Choose the first rung of the best plan at the reduced throughput."""
    if len(seen.downloads.end_s) == 0:
        return Decision(highest_within(seen.ladder_bps, params.initial_bps), 0.0, _NO_SAMPLE)
    throughput_bps = harmonic_throughput_bps(seen.downloads, params.window)
    if math.isnan(throughput_bps):
        throughput_bps = math.inf
    worst = 0.0
    for i in range(len(state.errors)):
        worst = max(worst, state.errors[i])
    # Section 4.3: the lower bound of the throughput is the estimate over 1 + e.
    depth = fill_horizon(state.room, seen, throughput_bps / (1 + worst), params.late_sizes)
    rung = best_rung(
        state.room,
        depth,
        seen.buffer_s,
        max(seen.last_rung, 0),
    )
    return Decision(rung, 0.0, _PLANNED)


def delivered(params: Params, state: State, seen: Observation, download: Download) -> None:
    """Record the error of the newest estimate, and make the next."""
    error = 0.0
    elapsed_s = download.end_s - download.start_s
    if 0 < state.estimate_bps[0] < math.inf and elapsed_s > 0:
        measured_bps = 8 * download.size_bytes / elapsed_s
        error = abs(state.estimate_bps[0] - measured_bps) / measured_bps
    state.errors[int(state.finished[0]) % len(state.errors)] = error
    state.finished[0] += 1
    state.estimate_bps[0] = harmonic_throughput_bps(seen.downloads, params.window)


def make(**params: float) -> Rule:
    """Create the algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: a parameter is out of range.
    """
    made = Params(**params)  # type: ignore[arg-type]  # the registry checked the types
    if not (made.horizon >= 1 and made.window >= 1):
        raise ValueError("horizon and window must be 1 or more")
    if not (made.stall_weight >= 0 and made.switch_weight >= 0):
        raise ValueError("stall_weight and switch_weight must be 0 or more")
    if not made.initial_bps >= 0:
        raise ValueError("initial_bps must be 0 or more")
    return Rule(
        name="robust-mpc",
        params=made,
        start=start,
        choose=choose,
        delivered=delivered,
        reasons=("no sample yet", "best plan"),
    )
