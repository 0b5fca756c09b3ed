"""BBA-1: the buffer level permits a segment size, between a moving reservoir and the cushion.

The chunk map is linear in the buffer, from the mean segment of the lowest rung at the
reservoir to that of the top rung at 0.9 of the buffer. A rung is kept until the permitted
size passes the next segment of a neighbouring rung (algorithm 1, on sizes). The reservoir
is what the buffer would lose over the next ``window_s`` at the lowest rung if the link had
just its rate, within bounds; outage protection adds to it while the buffer grows.

Source: Huang, Johari, McKeown, Trunnell, Watson, A Buffer-Based Approach to Rate
Adaptation, SIGCOMM 2014: algorithm 1, section 5.1 (reservoir), 5.2 (chunk map), 7.1
(outage protection).

deviation: the player of the paper buffers 240 s. Its look-ahead of 480 s, its maximum of
140 s of reservoir and 80 s of protection, and the end of its cushion at 216 s (90 s of
reservoir and 126 s of cushion in section 4) are scaled to the buffer limit, so that players
with a smaller buffer can use the algorithm. The minimum reservoir remains 8 s, two of the
paper's segments.

deviation: mean segment sizes are nominal, rate times duration.

deviation: protection moves only the lower end of the map; the paper shifts the curve and
does not say where it ends then.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from abr.compilable import natural
from abr.decision import Decision, Download, Observation, Rule
from abr.media import FloatArray

_RESERVOIR, _MAP, _ABOVE = 0, 1, 2


class Params(NamedTuple):
    """Parameters of ``bba-1``."""

    reservoir_min_s: float = 8.0
    """Minimum reservoir: section 5.1."""
    reservoir_max_s: float = 140.0
    """Maximum reservoir of a player that buffers ``buffer_s``: section 5.1."""
    window_s: float = 480.0
    """How far the reservoir of that player looks ahead: section 5.1."""
    full_s: float = 216.0
    """Buffer level of that player at which the top rung is permitted: section 4."""
    protection_step_s: float = 0.4
    """Outage protection added for each segment that raised the buffer: section 7.1."""
    protection_below_s: float = 180.0
    """Buffer level of that player above which none is added: section 7.1."""
    protection_max_s: float = 80.0
    """Maximum protection of that player: section 7.1."""
    buffer_s: float = 240.0
    """Buffer limit that the lengths above refer to: that of the paper's player."""


class State(NamedTuple):
    """State of one playback."""

    protection_s: FloatArray
    """Outage protection accumulated so far, shape (1,)."""


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """Create the state of one playback."""
    return State(np.zeros(1))


def reservoir_s(params: Params, seen: Observation) -> float:
    """Reservoir: what the buffer would lose ahead if the link had just the lowest rate."""
    scale = seen.max_buffer_s / params.buffer_s
    window_s = params.window_s * scale
    lost_s, ahead_s = 0.0, 0.0
    segment = seen.segment
    while segment < len(seen.durations_s) and ahead_s < window_s:
        media_s = seen.durations_s[natural(segment)]
        lost_s += 8 * seen.sizes_bytes[0, natural(segment)] / seen.ladder_bps[0] - media_s
        ahead_s += media_s
        segment += 1
    return min(max(lost_s, params.reservoir_min_s), params.reservoir_max_s * scale)


def least_reservoir_s(params: Params, seen: Observation) -> float:
    """What the reservoir is at least, whatever lies ahead."""
    scale = seen.max_buffer_s / params.buffer_s
    return min(params.reservoir_min_s, params.reservoir_max_s * scale)


def rung_by_map(params: Params, protection_s: float, seen: Observation) -> tuple[int, int]:
    """The rung by the chunk map, and its reason code."""
    top = len(seen.ladder_bps) - 1
    upper_s = params.full_s * seen.max_buffer_s / params.buffer_s
    # Looking ahead takes longest, so only where the reservoir decides.
    if seen.buffer_s > upper_s:
        return top, _ABOVE
    if seen.buffer_s <= min(least_reservoir_s(params, seen) + protection_s, upper_s):
        return 0, _RESERVOIR
    lower_s = min(reservoir_s(params, seen) + protection_s, upper_s)
    if seen.buffer_s <= lower_s:
        return 0, _RESERVOIR
    if seen.buffer_s >= upper_s:
        return top, _ABOVE
    segment = natural(seen.segment)
    media_s = seen.durations_s[segment]
    # Section 5.2: the chunk map, linear between the mean sizes of the end rungs.
    part = (seen.buffer_s - lower_s) / (upper_s - lower_s)
    rate_bps = seen.ladder_bps[0] + part * (seen.ladder_bps[top] - seen.ladder_bps[0])
    allowed_bytes = rate_bps * media_s / 8
    # Algorithm 1: keep the rung until the permitted size passes a neighbour's.
    last = max(seen.last_rung, 0)
    rung = last
    if last < top and allowed_bytes >= seen.sizes_bytes[natural(last + 1), segment]:
        while rung < top and seen.sizes_bytes[natural(rung + 1), segment] < allowed_bytes:
            rung += 1
    elif last > 0 and allowed_bytes <= seen.sizes_bytes[natural(last - 1), segment]:
        rung = 0
        while rung < last and seen.sizes_bytes[natural(rung), segment] <= allowed_bytes:
            rung += 1
    return rung, _MAP


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """Choose the rung by the chunk map."""
    rung, reason = rung_by_map(params, state.protection_s[0], seen)
    return Decision(rung, 0.0, reason)


def protect(
    params: Params, protection_s: FloatArray, seen: Observation, download: Download
) -> None:
    """Add outage protection if a download raised the buffer and the limits permit it."""
    elapsed_s = download.end_s - download.start_s
    if elapsed_s >= seen.durations_s[download.segment]:
        return
    scale = seen.max_buffer_s / params.buffer_s
    if seen.buffer_s >= params.protection_below_s * scale:
        return
    max_s = params.protection_max_s * scale
    protection_s[0] = min(protection_s[0] + params.protection_step_s, max_s)


def delivered(params: Params, state: State, seen: Observation, download: Download) -> None:
    """Add outage protection after a download that raised the buffer."""
    protect(params, state.protection_s, seen, download)


def check(params: Params) -> None:
    """Check that the parameters are in range.

    Raises:
        ValueError: one of them is not.
    """
    if not 0 < params.full_s <= params.buffer_s:
        raise ValueError("expected 0 < full_s <= buffer_s")
    if not all(value >= 0 for value in params):
        raise ValueError("lengths must be 0 or more")


def make(**params: float) -> Rule:
    """Create the algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: a parameter is out of range.
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
