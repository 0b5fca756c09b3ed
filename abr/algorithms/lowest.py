"""Always the lowest rung: the baseline that takes no risk.

Source: none; it is the "Rmin Always" group of Huang et al., SIGCOMM 2014, section 4.1,
a lower bound on the number of stalls of any algorithm.
"""

from __future__ import annotations

from typing import NamedTuple

from abr.decision import Decision, Observation, Rule
from abr.media import FloatArray


class Params(NamedTuple):
    """``lowest`` has no parameters."""


class State(NamedTuple):
    """Empty: nothing is remembered."""


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """Create the state of one playback."""
    return State()


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """Choose rung 0."""
    return Decision(0, 0.0, 0)


def make() -> Rule:
    """The algorithm."""
    return Rule(
        name="lowest", params=Params(), start=start, choose=choose, reasons=("lowest rung",)
    )
