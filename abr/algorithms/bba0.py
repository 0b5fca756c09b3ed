"""BBA-0: choose the rung from the buffer level alone, linearly between reservoir and cushion.

Source: Huang, Johari, McKeown, Trunnell, Watson, A Buffer-Based Approach to Rate
Adaptation, SIGCOMM 2014, in the form of ``bb.py`` of the Pensieve family, with its
defaults.

deviation: as in that family, the buffer level maps to rung numbers instead of rates, and
the paper's rule of keeping the previous rate until the map crosses a neighbouring one is
omitted.
"""

from __future__ import annotations

from typing import NamedTuple

from abr.compilable import likely
from abr.decision import Decision, Observation, Rule
from abr.media import FloatArray

_RESERVOIR, _CUSHION, _ABOVE = 0, 1, 2
_ROUNDING = 1e-9
"""Far more than a product and a quotient below the number of rungs are rounded by."""


class Params(NamedTuple):
    """Parameters of ``bba-0``."""

    reservoir_s: float = 5.0
    """Buffer level below which the lowest rung is chosen."""
    cushion_s: float = 10.0
    """Width of the range between the reservoir and the level at which the top rung is chosen."""


class State(NamedTuple):
    """Empty: nothing is remembered."""


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """Create the state of one playback."""
    return State()


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """Choose the lowest rung in the reservoir, the top rung above the cushion, else by the map."""
    top = len(seen.ladder_bps) - 1
    above_s = seen.buffer_s - params.reservoir_s
    if above_s < 0:
        return Decision(0, 0.0, _RESERVOIR)
    if above_s >= params.cushion_s:
        return Decision(top, 0.0, _ABOVE)
    # A division would be waited for longest: rounding decides only close to a whole number.
    near = top * above_s * (1 / params.cushion_s)
    rung = int(near)
    if not likely(near - rung > _ROUNDING) or not likely(rung + 1 - near > _ROUNDING):
        rung = int(top * above_s / params.cushion_s)
    return Decision(rung, 0.0, _CUSHION)


def make(**params: float) -> Rule:
    """Create the algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: a length is negative.
    """
    made = Params(**params)
    if not (made.reservoir_s >= 0 and made.cushion_s >= 0):
        raise ValueError("reservoir_s and cushion_s must be 0 or more")
    return Rule(
        name="bba-0",
        params=made,
        start=start,
        choose=choose,
        reasons=("reservoir", "cushion", "above cushion"),
    )
