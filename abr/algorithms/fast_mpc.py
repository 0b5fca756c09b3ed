"""FastMPC: a table of MPC decisions over buffer level and throughput.

The table is MPC solved in advance for every previous rung, every bin of buffer level and
every bin of predicted throughput, for segments of nominal size; at run time decisions are
looked up. Here an entry is computed when it is looked up, at the middle of the two bins,
which gives the same answers as the table without the minutes of precomputing it.

Source: Yin, Jindal, Sekar, Sinopoli, A Control-Theoretic Approach for Dynamic Adaptive
Video Streaming over HTTP, SIGCOMM 2015, section 5, with its 100 bins; weights, horizon
and ties as in ``mpc``.

deviation: the paper does not define the bins. Here they have equal widths, from 0 to the
player's buffer limit and from 0 to ``top_ratio`` times the rate of the top rung; larger
values fall into the last bin.

deviation: near the end the plan covers the remaining segments, which the table of the
paper does not provide for. As in ``mpc``, there is no startup phase.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from abr.algorithms.sustainable import highest_within
from abr.decision import Decision, Observation, Rule
from abr.estimators import harmonic_throughput_bps
from abr.lookahead import Lookahead, best_rung, lookahead_start
from abr.media import FloatArray

_NO_SAMPLE, _LOOKED_UP = 0, 1


class Params(NamedTuple):
    """Parameters of ``fast-mpc``."""

    horizon: int = 5
    """Number of segments to plan for."""
    window: int = 5
    """Number of downloads in the harmonic mean."""
    bins: int = 100
    """Number of bins of buffer level, and of throughput."""
    top_ratio: float = 1.5
    """Upper end of the throughput bins, in multiples of the top rung's rate."""
    stall_weight: float = 4.3
    """Cost of a second of stall, in Mbit/s."""
    switch_weight: float = 1.0
    """Cost of a change of rate, in Mbit/s per Mbit/s."""
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
    """Choose the entry of the table."""
    if len(seen.downloads.end_s) == 0:
        return Decision(highest_within(seen.ladder_bps, params.initial_bps), 0.0, _NO_SAMPLE)
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
    )
    return Decision(rung, 0.0, _LOOKED_UP)


def _middle(value: float, top: float, bins: int) -> float:
    """Middle of the bin of ``value``, of ``bins`` equal bins from 0 to ``top``."""
    width = top / bins
    return (int(min(value / width, bins - 1.0)) + 0.5) * width


def make(**params: float) -> Rule:
    """Create the algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: a parameter is out of range.
    """
    made = Params(**params)  # type: ignore[arg-type]  # the registry checked the types
    if not (made.horizon >= 1 and made.window >= 1 and made.bins >= 1 and made.top_ratio > 0):
        raise ValueError("horizon, window and bins must be 1 or more, top_ratio more than 0")
    if not (made.stall_weight >= 0 and made.switch_weight >= 0):
        raise ValueError("stall_weight and switch_weight must be 0 or more")
    if not made.initial_bps >= 0:
        raise ValueError("initial_bps must be 0 or more")
    return Rule(
        name="fast-mpc",
        params=made,
        start=start,
        choose=choose,
        reasons=("no sample yet", "table entry"),
    )
