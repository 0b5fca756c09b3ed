"""BBA on segment sizes, as Puffer runs it: the buffer says how large a segment may be.

Below the lower reservoir the smallest version of the next segment is chosen, above the
upper one the largest; in between the permitted size grows linearly from the one to the
other, and of the versions no larger than that the best is taken.

Source: Huang, Johari, McKeown, Trunnell, Watson, A Buffer-Based Approach to Rate
Adaptation, SIGCOMM 2014, section 5, in the form of ``linear_bba.cc`` of Puffer (Yan et
al., Learning in situ, NSDI 2020), whose defaults these are. Puffer's buffer holds 15 s.

deviation: Puffer knows the SSIM of every version and takes the highest; here the best
version is the one of the highest rung, which is the same wherever a higher rung looks
better.
"""

from __future__ import annotations

from typing import NamedTuple

from abr.decision import Decision, Observation, Rule
from abr.media import FloatArray

_RESERVOIR, _CUSHION, _ABOVE = 0, 1, 2


class Params(NamedTuple):
    """Parameters of ``bba-puffer``."""

    lower: float = 0.2
    """Lower reservoir, as a part of the player's buffer limit."""
    upper: float = 0.8
    """Where the largest version begins to be chosen, as a part of that limit."""


class State(NamedTuple):
    """Nothing to remember."""


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """The state of one playback."""
    return State()


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """The highest rung whose next segment is no larger than the buffer permits."""
    smallest, largest = 0, 0
    for rung in range(1, len(seen.ladder_bps)):
        size_bytes = seen.sizes_bytes[rung, seen.segment]
        if size_bytes < seen.sizes_bytes[smallest, seen.segment]:
            smallest = rung
        if size_bytes > seen.sizes_bytes[largest, seen.segment]:
            largest = rung
    buffer_s = min(max(seen.buffer_s, 0.0), seen.max_buffer_s)
    if buffer_s >= params.upper * seen.max_buffer_s:
        return Decision(largest, 0.0, _ABOVE)
    above_s = buffer_s - params.lower * seen.max_buffer_s
    if above_s <= 0:
        return Decision(smallest, 0.0, _RESERVOIR)
    least_bytes = seen.sizes_bytes[smallest, seen.segment]
    span_bytes = seen.sizes_bytes[largest, seen.segment] - least_bytes
    slope = span_bytes / ((params.upper - params.lower) * seen.max_buffer_s)
    for rung in range(len(seen.ladder_bps) - 1, -1, -1):
        if seen.sizes_bytes[rung, seen.segment] <= least_bytes + slope * above_s:
            return Decision(rung, 0.0, _CUSHION)
    return Decision(smallest, 0.0, _CUSHION)


def make(**params: float) -> Rule:
    """The algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: not ``0 <= lower < upper <= 1``.
    """
    made = Params(**params)
    if not 0 <= made.lower < made.upper <= 1:
        raise ValueError(
            f"lower is {made.lower:g} and upper {made.upper:g}; expected 0 <= lower < upper <= 1"
        )
    return Rule(
        name="bba-puffer",
        params=made,
        start=start,
        choose=choose,
        reasons=("reservoir", "cushion", "above cushion"),
    )
