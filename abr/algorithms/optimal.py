"""An upper bound: the plan of rungs that scores best over the network as it will be.

The score is Pensieve's linear one: Mbit/s per segment, less the cost of stalls and of
changes of rate. The plan is searched before playback begins, in the model of player and
link of ``abr.foresight``, and then played whatever happens.

Source: the score of Mao, Netravali, Alizadeh, Neural Adaptive Video Streaming with
Pensieve, SIGCOMM 2017, section 5.1 and table 1 (QoE lin), whose offline optimum this
stands for; the search is our own.

deviation: not proved the best. On instances small enough to try every plan it was; on
long ones a bound says how far off it can be at most.

deviation: waiting for the first frame costs as much as a stall, as in the environment of
that family, unless told otherwise.
"""

from __future__ import annotations

from typing import NamedTuple

from abr.decision import Decision, Observation, Rule
from abr.foresight import Weights, best_plan, road, search
from abr.media import FloatArray
from abr.trace import Trace


class Params(NamedTuple):
    """Parameters of ``optimal``; those of the player are its defaults."""

    stall_per_s: float = 4.3
    """Cost of a second of stall, in Mbit/s of one segment: QoE lin."""
    startup_per_s: float = 4.3
    """Cost of a second before the first frame."""
    smooth_per_mbps: float = 1.0
    """Cost of a change of rate, per Mbit/s: QoE lin."""
    max_buffer_s: float = 30.0
    """The player's limit."""
    rtt_s: float = 0.04
    """Round-trip time where the trace has none."""
    response_overhead_bytes: float = 700.0
    """Bytes before every body."""
    server_s: float = 0.004
    """Time per request that software takes."""
    width: int = 160
    """Most plans kept per rung while searching."""


class State(NamedTuple):
    """The plan."""

    rungs: FloatArray
    """Rung per segment, shape (N,)."""


def start(
    params: Params,
    ladder_bps: FloatArray,
    durations_s: FloatArray,
    sizes_bytes: FloatArray,
    trace: Trace,
) -> State:
    """Search the plan; seconds for a film of some minutes, a twentieth of that compiled."""
    way = road(trace, params.rtt_s, params.response_overhead_bytes, params.server_s)
    weights = Weights(params.stall_per_s, params.startup_per_s, params.smooth_per_mbps)
    plan = best_plan(
        ladder_bps, sizes_bytes, durations_s, way, weights, params.max_buffer_s, params.width
    )
    return State(plan[0])


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """Play the plan."""
    return Decision(int(state.rungs[seen.segment]), 0.0, 0)


def make(**params: float) -> Rule:
    """The algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: a parameter out of range.
    """
    made = Params(**params)  # type: ignore[arg-type]  # the registry checked the types
    if not (made.stall_per_s > 0 and made.max_buffer_s > 0 and made.width >= 1):
        raise ValueError("stall_per_s and max_buffer_s must be more than 0, width 1 or more")
    if not all(value >= 0 for value in made):
        raise ValueError("costs must be 0 or more")
    return Rule(
        name="optimal",
        params=made,
        start=start,
        choose=choose,
        needs_trace=True,
        heavy=(search,),
        reasons=("planned",),
    )
