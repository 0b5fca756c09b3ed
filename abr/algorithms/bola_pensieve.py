"""BOLA as in the Pensieve family: utility per byte of the next segment.

Utilities are ``ln(b / b_lowest)``. ``gp = 1 + u_top / (target / low - 1)`` and
``Vp = low / (gp - 1)`` place the thresholds so that the top rung is reached at the
target. The rung with the highest ``(Vp (u + gp) - buffer) / size`` is chosen.

Source: Spiteri, Urgaonkar, Sitaraman, BOLA, INFOCOM 2016; parameters, sizes and ties as in
``bola.py`` of the SABR benchmark. Its simulator downloads the first segment at rung 1
without asking the algorithm; here BOLA is asked, and answers with a low rung.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from abr.decision import Decision, Observation, Rule
from abr.media import FloatArray


class Params(NamedTuple):
    """Parameters of ``bola-pensieve``."""

    low_s: float = 10.0
    """Buffer level up to which the lowest rung is the best."""
    target_s: float = 30.0
    """Buffer level at which the top rung becomes the best; more than ``low_s``."""


class State(NamedTuple):
    """What depends on the ladder alone."""

    worth: FloatArray
    """``Vp (u + gp)`` of each rung, shape (R,); (0,) if all have the same rate."""


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """Create the state of one playback."""
    utilities = [math.log(rate_bps / ladder_bps[0]) for rate_bps in ladder_bps]
    if utilities[-1] <= 0:
        return State(np.zeros(0))
    gp = 1 + utilities[-1] / (params.target_s / params.low_s - 1)
    vp = params.low_s / (gp - 1)
    return State(np.array([vp * (utility + gp) for utility in utilities]))


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """Choose the rung with the best score per byte; ties go to the higher rung."""
    best, best_score = 0, -math.inf
    for rung in range(len(state.worth)):
        score = (state.worth[rung] - seen.buffer_s) / seen.sizes_bytes[rung, seen.segment]
        if score >= best_score:
            best, best_score = rung, score
    return Decision(best, 0.0, 0)


def make(**params: float) -> Rule:
    """Create the algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: not ``0 < low_s < target_s``.
    """
    made = Params(**params)
    if not 0 < made.low_s < made.target_s:
        raise ValueError(
            f"low_s is {made.low_s:g} and target_s {made.target_s:g}; expected 0 < low_s < target_s"
        )
    return Rule(
        name="bola-pensieve", params=made, start=start, choose=choose, reasons=("best score",)
    )
