"""An upper bound: the best plan of rungs found for the true capacity of the trace.

The score is the linear one of Pensieve: Mbit/s per segment, less the cost of stalls and of
changes of rate. The plan is searched before playback starts, in the model of player and
link of ``abr.planning``, and then followed unconditionally.

Source: the score of Mao, Netravali, Alizadeh, Neural Adaptive Video Streaming with
Pensieve, SIGCOMM 2017, section 5.1 and table 1 (QoE lin), for whose offline optimum this
stands; the search is original.

deviation: the plan is not proved optimal. It was on all instances small enough to try every
plan; on long ones a bound limits its distance from the optimum.

deviation: waiting for the first frame costs as much as a stall, as in the environment of
that family, unless the parameters say otherwise.
"""

from __future__ import annotations

from typing import NamedTuple

from abr.decision import Decision, Observation, Rule
from abr.defaults import MAX_BUFFER_S, RESPONSE_OVERHEAD_BYTES, RTT_S, SERVER_S
from abr.media import FloatArray, Presentation
from abr.planning.model import Weights, problem_of
from abr.planning.search import best_plan, search
from abr.trace import Trace


class Params(NamedTuple):
    """Parameters of ``optimal``; those of player and link default to the player's settings."""

    stall_per_s: float = 4.3
    """Cost of a second of stall, in Mbit/s of one segment: QoE lin."""
    startup_per_s: float = 4.3
    """Cost of a second before the first frame."""
    smooth_per_mbps: float = 1.0
    """Cost of a change of rate, per Mbit/s: QoE lin."""
    max_buffer_s: float = MAX_BUFFER_S
    """Buffer limit of the player."""
    rtt_s: float = RTT_S
    """Round-trip time if the trace has none."""
    response_overhead_bytes: float = float(RESPONSE_OVERHEAD_BYTES)
    """Bytes sent before every body."""
    server_s: float = SERVER_S
    """Processing time per request."""
    width: int = 160
    """Maximum number of plans kept per rung during the search."""


class State(NamedTuple):
    """The plan."""

    rungs: FloatArray
    """Rung per segment, shape (N,)."""


def start(params: Params, presentation: Presentation, trace: Trace) -> State:
    """Search the plan.

    This takes seconds for a presentation of some minutes, a twentieth of that compiled.
    """
    problem = problem_of(
        presentation,
        trace,
        rtt_s=params.rtt_s,
        overhead_bytes=params.response_overhead_bytes,
        server_s=params.server_s,
        weights=Weights(params.stall_per_s, params.startup_per_s, params.smooth_per_mbps),
        max_buffer_s=params.max_buffer_s,
    )
    return State(best_plan(problem, params.width)[0])


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """Follow the plan."""
    return Decision(int(state.rungs[seen.segment]), 0.0, 0)


def make(**params: float) -> Rule:
    """Create the algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: a parameter is out of range.
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
