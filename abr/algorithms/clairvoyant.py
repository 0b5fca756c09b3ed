"""An upper bound for planners: model predictive control that knows the coming capacity.

For each segment all plans for the next ``horizon`` segments are evaluated with the true
capacity, and the first rung of the best one is played. It knows what MPC must predict, but
only a few segments ahead: its distance from ``optimal`` is the cost of the horizon, and the
distance of other planners from it is the cost of prediction.

Source: the score and the receding horizon of Yin, Jindal, Sekar, Sinopoli, A
Control-Theoretic Approach for Dynamic Adaptive Video Streaming over HTTP, SIGCOMM 2015,
section 4 (five segments), with QoE lin of Pensieve as in ``optimal``, over the model of
``abr.planning.model``.

deviation: plans that cannot beat the best known one are pruned: none can gain more than by
changing once to the rung that pays most for the rest, less the stall that even the lowest
rung could not avoid. Ties go to the plan found first, from the top rung down.

deviation: sizes are those the player knows, which before a rung's playlist is read are
estimates, and side files still to come are not planned for.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from abr.buffering import room_at_s
from abr.capacity import bits_by, response_bits, time_of
from abr.decision import Decision, Observation, Rule
from abr.defaults import RESPONSE_OVERHEAD_BYTES, RTT_S, SERVER_S
from abr.media import FloatArray, Presentation
from abr.planning.model import (
    OVERHEAD_BYTES,
    KnownLink,
    audio_of,
    known_link,
    segment_arrival_s,
)
from abr.trace import Trace


class Params(NamedTuple):
    """Parameters of ``clairvoyant``; those of the link default to the player's settings."""

    horizon: int = 5
    """Number of segments in a plan."""
    stall_per_s: float = 4.3
    """Cost of a second of stall, in Mbit/s of one segment: QoE lin."""
    smooth_per_mbps: float = 1.0
    """Cost of a change of rate, per Mbit/s: QoE lin."""
    rtt_s: float = RTT_S
    """Round-trip time if the trace has none."""
    response_overhead_bytes: float = float(RESPONSE_OVERHEAD_BYTES)
    """Bytes sent before every body."""
    server_s: float = SERVER_S
    """Processing time per request."""


class State(NamedTuple):
    """The link, and a workspace for the search."""

    link: KnownLink
    """The link."""
    audio_bytes: FloatArray
    """Size of the audio that goes with every segment, shape (N,); (0,) where there is none
    apart from the video."""
    rungs: FloatArray
    """Rung per step of the current plan, shape (H + 1,)."""
    now_s: FloatArray
    """Time before each step, shape (H + 1,)."""
    empty_s: FloatArray
    """When the buffer runs out, before each step, shape (H + 1,)."""
    scores: FloatArray
    """Score before each step, shape (H + 1,)."""


def start(params: Params, presentation: Presentation, trace: Trace) -> State:
    """Create the state of one playback of ``presentation`` over ``trace``."""
    room = params.horizon + 1
    return State(
        known_link(
            trace,
            rtt_s=params.rtt_s,
            overhead_bytes=params.response_overhead_bytes,
            server_s=params.server_s,
        ),
        audio_of(presentation),
        np.zeros(room),
        np.zeros(room),
        np.zeros(room),
        np.zeros(room),
    )


def step(params: Params, state: State, seen: Observation, depth: int, rung: int) -> None:
    """Play ``rung`` at one step of the current plan, and fill in the state after it."""
    segment = seen.segment + depth
    request_s = state.now_s[depth]
    if depth > 0:
        buffer_s = state.empty_s[depth] - request_s
        request_s += max(room_at_s(buffer_s, seen.durations_s[segment], seen.max_buffer_s), 0.0)
    # Playlists fetched before the first segment have opened the connection.
    is_first = segment == 0 and request_s <= 0
    size_bytes = seen.sizes_bytes[rung, segment]
    done_s = segment_arrival_s(
        state.link, request_s, size_bytes, is_first, state.audio_bytes, segment
    )
    late_s = max(done_s - state.empty_s[depth], 0.0)
    gained = seen.ladder_bps[rung] / 1e6 - params.stall_per_s * late_s
    before = seen.last_rung if depth == 0 else int(state.rungs[depth - 1])
    if before >= 0:
        change_bps = abs(seen.ladder_bps[rung] - seen.ladder_bps[before])
        gained -= params.smooth_per_mbps * change_bps / 1e6
    state.rungs[depth] = rung
    state.now_s[depth + 1] = done_s
    state.empty_s[depth + 1] = max(state.empty_s[depth], done_s) + seen.durations_s[segment]
    state.scores[depth + 1] = state.scores[depth] + gained


def bound_rest(params: Params, state: State, seen: Observation, depth: int, steps: int) -> float:
    """Upper bound on what the current plan can still gain after ``depth`` steps."""
    left = steps - depth
    if left == 0:
        return 0.0
    ladder_bps, rung = seen.ladder_bps, int(state.rungs[depth - 1])
    best = -math.inf
    for other in range(len(ladder_bps)):
        change_bps = abs(ladder_bps[other] - ladder_bps[rung])
        gain = (left * ladder_bps[other] - params.smooth_per_mbps * change_bps) / 1e6
        best = max(best, gain)
    bits, due_s = bits_by(state.link, state.now_s[depth], 0), state.empty_s[depth]
    for i in range(seen.segment + depth, seen.segment + steps):
        bits += response_bits(seen.sizes_bytes[0, i], state.link.costs[OVERHEAD_BYTES])
        if len(state.audio_bytes) > 0:
            audio_bytes = state.audio_bytes[i]
            bits += response_bits(audio_bytes, state.link.costs[OVERHEAD_BYTES])
        if i > seen.segment + depth:
            due_s += seen.durations_s[i - 1]
    late_s = max(time_of(state.link, bits, 0) - due_s, 0.0)
    return float(best - params.stall_per_s * late_s)


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """Choose the first rung of the best plan."""
    top = len(seen.ladder_bps) - 1
    steps = min(params.horizon, len(seen.durations_s) - seen.segment)
    state.now_s[0], state.empty_s[0], state.scores[0] = seen.now_s, seen.now_s + seen.buffer_s, 0.0
    first, best = 0, -math.inf
    for rung in range(top, -1, -1):  # constant plans give a score to beat
        for depth in range(steps):
            step(params, state, seen, depth, rung)
        if state.scores[steps] > best:
            first, best = rung, state.scores[steps]
    depth = 0
    state.rungs[0] = top + 1
    while depth >= 0:
        rung = int(state.rungs[depth]) - 1
        if rung < 0:
            depth -= 1
            continue
        step(params, state, seen, depth, rung)
        if state.scores[depth + 1] + bound_rest(params, state, seen, depth + 1, steps) <= best:
            continue
        if depth + 1 == steps:
            first, best = int(state.rungs[0]), state.scores[steps]
            continue
        depth += 1
        state.rungs[depth] = top + 1
    return Decision(first, 0.0, 0)


def make(**params: float) -> Rule:
    """Create the algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: a parameter is out of range.
    """
    made = Params(**params)  # type: ignore[arg-type]  # the registry checked the types
    if made.horizon < 1:
        raise ValueError("horizon must be 1 or more")
    if not all(value >= 0 for value in made):
        raise ValueError("costs must be 0 or more")
    return Rule(
        name="clairvoyant",
        params=made,
        start=start,
        choose=choose,
        needs_trace=True,
        reasons=("best plan ahead",),
    )
