"""FastMPC: what a table of MPC decisions over buffer and throughput holds.

The table is MPC solved beforehand for every rung before, every bin of buffer and every
bin of predicted throughput, for segments of nominal size; playing is looking up. Here
the entry is computed when it is looked up, at the middle of the two bins, which gives
the same answers as the table without its minutes of making.

Source: Yin, Jindal, Sekar, Sinopoli, A Control-Theoretic Approach for Dynamic Adaptive
Video Streaming over HTTP, SIGCOMM 2015, section 5, with its 100 bins; weights, horizon
and ties as in ``mpc``.

deviation: the paper does not say how bins lie. Here they are equally wide, from 0 to the
player's buffer limit, and from 0 to ``top_ratio`` times the top rung's rate; what lies
beyond falls into the last bin.

deviation: near the end it plans for the segments that are left, for which the paper's
table has no place; and, as in ``mpc``, there is no start phase.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from abr.decision import Decision, Observation, Rule
from abr.estimators import harmonic_throughput_bps
from abr.lookahead import Lookahead, best_rung, lookahead_start
from abr.media import FloatArray

_NO_SAMPLE, _LOOKED_UP = 0, 1


class Params(NamedTuple):
    """Parameters of ``fast-mpc``."""

    horizon: int = 5
    """Segments to plan for."""
    window: int = 5
    """Downloads in the harmonic mean."""
    bins: int = 100
    """Bins of buffer, and bins of throughput."""
    top_ratio: float = 1.5
    """Upper end of the throughput bins, in rates of the top rung."""
    stall_weight: float = 4.3
    """Mbit/s that a second stalled costs."""
    switch_weight: float = 1.0
    """Mbit/s that a change by one Mbit/s costs."""


class State(NamedTuple):
    """Room for the search."""

    room: Lookahead


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """The state of one playback."""
    return State(lookahead_start(ladder_bps, params.horizon))


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """The entry of the table."""
    if len(seen.downloads.end_s) == 0:
        return Decision(0, 0.0, _NO_SAMPLE)
    throughput_bps = harmonic_throughput_bps(seen.downloads, params.window)
    if math.isnan(throughput_bps):
        throughput_bps = math.inf
    top_bps = params.top_ratio * seen.ladder_bps[len(seen.ladder_bps) - 1]
    rate_bps = _middle(throughput_bps, top_bps, params.bins)
    room = state.room
    depth = min(len(room.media_s), len(seen.durations_s) - seen.segment)
    for d in range(depth):
        room.media_s[d] = seen.durations_s[seen.segment + d]
        for rung in range(len(seen.ladder_bps)):
            room.download_s[d, rung] = seen.ladder_bps[rung] * room.media_s[d] / rate_bps
    rung = best_rung(
        room,
        depth,
        _middle(seen.buffer_s, seen.max_buffer_s, params.bins),
        max(seen.last_rung, 0),
        params.stall_weight,
        params.switch_weight,
    )
    return Decision(rung, 0.0, _LOOKED_UP)


def _middle(value: float, top: float, bins: int) -> float:
    """Middle of the bin that ``value`` falls into, of ``bins`` between 0 and ``top``."""
    width = top / bins
    return (int(min(value / width, bins - 1.0)) + 0.5) * width


def make(**params: float) -> Rule:
    """The algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: a parameter out of range.
    """
    made = Params(**params)  # type: ignore[arg-type]  # the registry checked the types
    if not (made.horizon >= 1 and made.window >= 1 and made.bins >= 1 and made.top_ratio > 0):
        raise ValueError("horizon, window and bins must be 1 or more, top_ratio more than 0")
    if not (made.stall_weight >= 0 and made.switch_weight >= 0):
        raise ValueError("stall_weight and switch_weight must be 0 or more")
    return Rule(
        name="fast-mpc",
        params=made,
        start=start,
        choose=choose,
        reasons=("no sample yet", "table entry"),
    )
