"""BBA-1: the buffer allows a size of segment, between a reservoir that moves and the cushion's end.

The chunk map is linear in the buffer, from the mean segment of the lowest rung at the
reservoir to that of the highest at 0.9 of the buffer. A rung is kept until the allowed
size passes the next segment of a neighbouring rung (algorithm 1, on sizes). The
reservoir is what the buffer would lose over the next ``window_s`` of the lowest rung on a
link of just its rate, within bounds; outage protection adds to it while the buffer
grows.

Source: Huang, Johari, McKeown, Trunnell, Watson, A Buffer-Based Approach to Rate
Adaptation, SIGCOMM 2014: algorithm 1, section 5.1 (reservoir), 5.2 (chunk map), 7.1
(outage protection).

deviation: the paper's player holds 240 s. Its 480 s of looking ahead, its most of 140 s
of reservoir and 80 s of protection, and the end of its cushion at 216 s (from 90 s of
reservoir and 126 s of cushion in section 4) are kept as parts of the buffer, so that a
player with less can use the rule. The least reservoir stays 8 s, two of its segments.

deviation: mean segment sizes are nominal ones, rate times length of the segment.

deviation: protection moves the lower end of the map only; the paper shifts the curve and
does not say where it then ends.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from abr.decision import Decision, Download, Observation, Rule
from abr.media import FloatArray

_RESERVOIR, _MAP, _ABOVE = 0, 1, 2


class Params(NamedTuple):
    """Parameters of ``bba-1``."""

    reservoir_min_s: float = 8.0
    """Least reservoir: section 5.1."""
    reservoir_max_s: float = 140.0
    """Most reservoir of a player that holds ``buffer_s``: section 5.1."""
    window_s: float = 480.0
    """How far the reservoir of such a player looks ahead: section 5.1."""
    full_s: float = 216.0
    """Buffer of such a player at which the top rung is allowed: section 4."""
    protection_step_s: float = 0.4
    """Outage protection gained with each segment that raised the buffer: section 7.1."""
    protection_below_s: float = 180.0
    """Buffer of such a player above which no protection is gained: section 7.1."""
    protection_max_s: float = 80.0
    """Most protection of such a player: section 7.1."""
    buffer_s: float = 240.0
    """The buffer that the lengths above belong to; the paper's player."""


class State(NamedTuple):
    """Memory of one playback."""

    protection_s: FloatArray
    """Outage protection gained so far, shape (1,)."""


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """The state of one playback."""
    return State(np.zeros(1))


def reservoir_s(params: Params, seen: Observation) -> float:
    """What the buffer would lose ahead if the link carried just the lowest rate."""
    scale = seen.max_buffer_s / params.buffer_s
    window_s = params.window_s * scale
    lost_s, ahead_s = 0.0, 0.0
    segment = seen.segment
    while segment < len(seen.durations_s) and ahead_s < window_s:
        media_s = seen.durations_s[segment]
        lost_s += 8 * seen.sizes_bytes[0, segment] / seen.ladder_bps[0] - media_s
        ahead_s += media_s
        segment += 1
    return min(max(lost_s, params.reservoir_min_s), params.reservoir_max_s * scale)


def rung_by_map(params: Params, protection_s: float, seen: Observation) -> tuple[int, int]:
    """The rung that the chunk map gives, and why."""
    top = len(seen.ladder_bps) - 1
    upper_s = params.full_s * seen.max_buffer_s / params.buffer_s
    lower_s = min(reservoir_s(params, seen) + protection_s, upper_s)
    if seen.buffer_s <= lower_s:
        return 0, _RESERVOIR
    if seen.buffer_s >= upper_s:
        return top, _ABOVE
    media_s = seen.durations_s[seen.segment]
    part = (seen.buffer_s - lower_s) / (upper_s - lower_s)
    rate_bps = seen.ladder_bps[0] + part * (seen.ladder_bps[top] - seen.ladder_bps[0])
    allowed_bytes = rate_bps * media_s / 8
    last = max(seen.last_rung, 0)
    rung = last
    if last < top and allowed_bytes >= seen.sizes_bytes[last + 1, seen.segment]:
        while rung < top and seen.sizes_bytes[rung + 1, seen.segment] < allowed_bytes:
            rung += 1
    elif last > 0 and allowed_bytes <= seen.sizes_bytes[last - 1, seen.segment]:
        rung = 0
        while rung < last and seen.sizes_bytes[rung, seen.segment] <= allowed_bytes:
            rung += 1
    return rung, _MAP


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """The chunk map's rung."""
    rung, reason = rung_by_map(params, state.protection_s[0], seen)
    return Decision(rung, 0.0, reason)


def protect(
    params: Params, protection_s: FloatArray, seen: Observation, download: Download
) -> None:
    """Gain outage protection when a download raised the buffer and there is room for it."""
    elapsed_s = download.end_s - download.start_s
    if elapsed_s >= seen.durations_s[download.segment]:
        return
    scale = seen.max_buffer_s / params.buffer_s
    if seen.buffer_s >= params.protection_below_s * scale:
        return
    most_s = params.protection_max_s * scale
    protection_s[0] = min(protection_s[0] + params.protection_step_s, most_s)


def delivered(params: Params, state: State, seen: Observation, download: Download) -> None:
    """Gain outage protection."""
    protect(params, state.protection_s, seen, download)


def check(params: Params) -> None:
    """Refuse parameters out of range.

    Raises:
        ValueError: one of them is.
    """
    if not 0 < params.full_s <= params.buffer_s:
        raise ValueError("expected 0 < full_s <= buffer_s")
    if not all(value >= 0 for value in params):
        raise ValueError("lengths must be 0 or more")


def make(**params: float) -> Rule:
    """The algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: a parameter out of range.
    """
    made = Params(**params)
    check(made)
    return Rule(
        name="bba-1",
        params=made,
        start=start,
        choose=choose,
        delivered=delivered,
        reasons=("reservoir", "chunk map", "above cushion"),
    )
