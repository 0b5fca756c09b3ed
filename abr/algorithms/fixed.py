"""Always the same rung: a baseline that does not adapt."""

from __future__ import annotations

from typing import NamedTuple

from abr.decision import Decision, Observation, Rule
from abr.media import FloatArray


class Params(NamedTuple):
    """Parameters of ``fixed``."""

    rung: int = 0
    """Rung to play, 0 the lowest; negative numbers count from the top, -1 the highest."""


class State(NamedTuple):
    """Empty: nothing is remembered."""


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """Create the state of one playback."""
    return State()


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """Choose the rung; one that the ladder lacks is an error of the caller, and not clipped."""
    rung = params.rung
    if rung < 0:
        rung += len(seen.ladder_bps)
    return Decision(rung, 0.0, 0)


def make(**params: int) -> Rule:
    """Create the algorithm with the given parameters; see ``Params``."""
    return Rule(
        name="fixed", params=Params(**params), start=start, choose=choose, reasons=("fixed rung",)
    )
