"""Always the lowest rung: what playing costs when nothing is risked.

Source: none; it is the "Rmin Always" group of Huang et al., SIGCOMM 2014, section 4.1,
which shows how few stalls any algorithm could have.
"""

from __future__ import annotations

from typing import NamedTuple

from abr.decision import Decision, Observation, Rule
from abr.media import FloatArray


class Params(NamedTuple):
    """``lowest`` has no parameters."""


class State(NamedTuple):
    """Nothing to remember."""


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """The state of one playback."""
    return State()


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """Rung 0."""
    return Decision(0, 0.0, 0)


def make() -> Rule:
    """The algorithm."""
    return Rule(
        name="lowest", params=Params(), start=start, choose=choose, reasons=("lowest rung",)
    )
