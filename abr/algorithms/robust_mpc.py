"""RobustMPC: MPC at a throughput lowered by how wrong the estimates were of late.

The harmonic mean of the last downloads is divided by ``1 + e``, e the largest relative
error ``|estimate - measured| / measured`` of the last ``window`` downloads. All else is
``mpc``.

Source: Yin, Jindal, Sekar, Sinopoli, A Control-Theoretic Approach for Dynamic Adaptive
Video Streaming over HTTP, SIGCOMM 2015, section 4.3; weights, horizon and ties as in
``test/mpc.py`` of Pensieve, which, like here, compares the estimate *before* it is
lowered with what was measured.

deviation: Pensieve's program keeps its errors in a module's global, so that they leak
from one playback into the next and results depend on the order of traces. Here they
belong to the playback's state. Whoever wants the leak plays one session after another
with the same state.

deviation: Pensieve's program reads the sizes one segment late; here it is the option
``late_sizes``.

deviation: as in ``mpc``, no start phase, and no upper limit of the buffer planned with.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from abr.decision import Decision, Download, Observation, Rule
from abr.estimators import harmonic_throughput_bps
from abr.lookahead import Lookahead, best_rung, fill_horizon, lookahead_start
from abr.media import FloatArray

_NO_SAMPLE, _PLANNED = 0, 1


class Params(NamedTuple):
    """Parameters of ``robust-mpc``, with the values of the paper and of Pensieve."""

    horizon: int = 5
    """Segments to plan for."""
    window: int = 5
    """Downloads in the harmonic mean, and errors that count."""
    stall_weight: float = 4.3
    """Mbit/s that a second stalled costs."""
    switch_weight: float = 1.0
    """Mbit/s that a change by one Mbit/s costs."""
    late_sizes: bool = False
    """Whether sizes are read one segment late, as in Pensieve's program."""


class State(NamedTuple):
    """Room for the search, and the errors."""

    room: Lookahead
    errors: FloatArray
    """Relative errors of the last downloads, in a ring, shape (window,)."""
    estimate_bps: FloatArray
    """The newest estimate, not lowered, shape (1,); 0 before the first."""
    finished: FloatArray
    """Downloads so far, shape (1,)."""


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """The state of one playback."""
    room = lookahead_start(ladder_bps, params.horizon)
    return State(room, np.zeros(params.window), np.zeros(1), np.zeros(1))


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """The first rung of the best plan at the lowered throughput."""
    if len(seen.downloads.end_s) == 0:
        return Decision(0, 0.0, _NO_SAMPLE)
    throughput_bps = harmonic_throughput_bps(seen.downloads, params.window)
    if math.isnan(throughput_bps):
        throughput_bps = math.inf
    state.estimate_bps[0] = throughput_bps
    worst = 0.0
    for i in range(len(state.errors)):
        worst = max(worst, state.errors[i])
    depth = fill_horizon(state.room, seen, throughput_bps / (1 + worst), params.late_sizes)
    rung = best_rung(
        state.room,
        depth,
        seen.buffer_s,
        max(seen.last_rung, 0),
        params.stall_weight,
        params.switch_weight,
    )
    return Decision(rung, 0.0, _PLANNED)


def delivered(params: Params, state: State, seen: Observation, download: Download) -> None:
    """Compare the newest estimate with what came."""
    error = 0.0
    elapsed_s = download.end_s - download.start_s
    if 0 < state.estimate_bps[0] < math.inf and elapsed_s > 0:
        measured_bps = 8 * download.size_bytes / elapsed_s
        error = abs(state.estimate_bps[0] - measured_bps) / measured_bps
    state.errors[int(state.finished[0]) % len(state.errors)] = error
    state.finished[0] += 1


def make(**params: float) -> Rule:
    """The algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: a parameter out of range.
    """
    made = Params(**params)  # type: ignore[arg-type]  # the registry checked the types
    if not (made.horizon >= 1 and made.window >= 1):
        raise ValueError("horizon and window must be 1 or more")
    if not (made.stall_weight >= 0 and made.switch_weight >= 0):
        raise ValueError("stall_weight and switch_weight must be 0 or more")
    return Rule(
        name="robust-mpc",
        params=made,
        start=start,
        choose=choose,
        delivered=delivered,
        reasons=("no sample yet", "best plan"),
    )
