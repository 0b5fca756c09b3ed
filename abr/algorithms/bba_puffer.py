"""BBA on segment sizes, as in Puffer: the buffer level permits a segment size.

Below the lower reservoir the smallest version of the next segment is chosen, above the
upper one the largest. In between the permitted size grows linearly from the one to the
other, and the best version no larger than that is chosen.

Source: Huang, Johari, McKeown, Trunnell, Watson, A Buffer-Based Approach to Rate
Adaptation, SIGCOMM 2014, section 5, in the form of ``linear_bba.cc`` of Puffer (Yan et
al., Learning in situ, NSDI 2020), with its defaults. Puffer's buffer is limited to 15 s.

deviation: Puffer knows the SSIM of every version and chooses the highest; here the best
version is that of the highest rung, which is the same wherever higher rungs look better.
"""

from __future__ import annotations

from typing import NamedTuple

from abr.compilable import likely, natural
from abr.decision import Decision, Observation, Rule
from abr.media import FloatArray

_RESERVOIR, _CUSHION, _ABOVE = 0, 1, 2


class Params(NamedTuple):
    """Parameters of ``bba-puffer``."""

    lower: float = 0.2
    """Lower reservoir, as a fraction of the player's buffer limit."""
    upper: float = 0.8
    """Level from which the largest version is chosen, as a fraction of that limit."""


class State(NamedTuple):
    """Empty: nothing is remembered."""


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """Create the state of one playback."""
    return State()


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """Choose the highest rung whose next segment is no larger than the buffer permits."""
    buffer_s = min(max(seen.buffer_s, 0.0), seen.max_buffer_s)
    if buffer_s >= params.upper * seen.max_buffer_s:
        return Decision(largest_version(seen), 0.0, _ABOVE)
    above_s = buffer_s - params.lower * seen.max_buffer_s
    if above_s <= 0:
        return Decision(smallest_version(seen), 0.0, _RESERVOIR)
    smallest, segment = smallest_version(seen), natural(seen.segment)
    min_bytes = seen.sizes_bytes[natural(smallest), segment]
    span_bytes = seen.sizes_bytes[natural(largest_version(seen)), segment] - min_bytes
    slope = span_bytes / ((params.upper - params.lower) * seen.max_buffer_s)
    for rung in range(len(seen.ladder_bps) - 1, -1, -1):
        if seen.sizes_bytes[natural(rung), segment] <= min_bytes + slope * above_s:
            return Decision(rung, 0.0, _CUSHION)
    return Decision(smallest, 0.0, _CUSHION)


def smallest_version(seen: Observation) -> int:
    """The lowest rung of those whose next segment is the smallest."""
    found, segment = 0, natural(seen.segment)
    least_bytes = seen.sizes_bytes[0, segment]
    for rung in range(1, len(seen.ladder_bps)):
        size_bytes = seen.sizes_bytes[natural(rung), segment]
        if not likely(size_bytes >= least_bytes):
            found, least_bytes = rung, size_bytes
    return found


def largest_version(seen: Observation) -> int:
    """The lowest rung of those whose next segment is the largest."""
    found, segment = len(seen.ladder_bps) - 1, natural(seen.segment)
    most_bytes = seen.sizes_bytes[natural(found), segment]
    for rung in range(found - 1, -1, -1):
        size_bytes = seen.sizes_bytes[natural(rung), segment]
        if not likely(size_bytes < most_bytes):
            found, most_bytes = rung, size_bytes
    return found


def make(**params: float) -> Rule:
    """Create the algorithm with the given parameters; see ``Params``.

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
