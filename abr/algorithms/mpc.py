"""MPC: the best plan for the next segments at the harmonic mean of the last throughputs.

The future throughput is taken to be the harmonic mean of the last downloads, including
waits for first bytes. The utility of a plan of rungs for the next ``horizon`` segments is
the sum of its rates in Mbit/s, less ``stall_weight`` per second of stall and
``switch_weight`` per Mbit/s of change. The first rung of the best plan is chosen; ties go to
the higher rung.

Source: Yin, Jindal, Sekar, Sinopoli, A Control-Theoretic Approach for Dynamic Adaptive
Video Streaming over HTTP, SIGCOMM 2015, section 4 and algorithm 1; weights, horizon and
ties as in ``test/mpc.py`` of Pensieve. See ``abr.lookahead`` for the search.

deviation: the startup phase of the paper, which also chooses when playback starts, is
omitted; before the first download the lowest rung is chosen.

deviation: as in Pensieve, the buffer in a plan has no upper limit.

deviation: Pensieve's program reads sizes one segment late; here this is the option
``late_sizes``. Its size files have a row more than is played, which it reads at the end; so does
the option where that row is given, and else takes 0. Near the end both plan for the remaining
segments only.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from abr.algorithms.sustainable import highest_within
from abr.decision import Decision, Observation, Rule
from abr.estimators import harmonic_throughput_bps
from abr.lookahead import Lookahead, best_rung, fill_horizon, lookahead_start
from abr.media import FloatArray

_NO_SAMPLE, _PLANNED = 0, 1


class Params(NamedTuple):
    """Parameters of ``mpc``, with the values of the paper and of Pensieve."""

    horizon: int = 5
    """Number of segments to plan for."""
    window: int = 5
    """Number of downloads in the harmonic mean."""
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
    """Workspace of the search."""

    room: Lookahead


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """Create the state of one playback."""
    return State(
        lookahead_start(ladder_bps, params.horizon, params.stall_weight, params.switch_weight)
    )


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """Choose the first rung of the best plan."""
    if len(seen.downloads.end_s) == 0:
        return Decision(highest_within(seen.ladder_bps, params.initial_bps), 0.0, _NO_SAMPLE)
    throughput_bps = harmonic_throughput_bps(seen.downloads, params.window)
    if math.isnan(throughput_bps):
        throughput_bps = math.inf
    depth = fill_horizon(state.room, seen, throughput_bps, params.late_sizes)
    rung = best_rung(
        state.room,
        depth,
        seen.buffer_s,
        max(seen.last_rung, 0),
    )
    return Decision(rung, 0.0, _PLANNED)


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
        name="mpc", params=made, start=start, choose=choose, reasons=("no sample yet", "best plan")
    )
