"""HYB: the highest rung whose next segment arrives within a part of the buffer.

A rung will do when ``size / throughput <= beta x buffer``. The size is that of the very
next segment, the throughput the harmonic mean of the last downloads.

Source: Akhtar, Nam, Govindan, Rao, Chen, Katz-Bassett, Ribeiro, Zhan, Zhang, Oboe:
Auto-tuning Video ABR Algorithms to Network Conditions, SIGCOMM 2018, section 2, where
it stands for a rule in wide commercial use; ``beta`` as when it is not tuned there.

deviation: the paper leaves the prediction open; here it is the harmonic mean of five.
Before the first download the lowest rung is chosen.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from abr.decision import Decision, Observation, Rule
from abr.estimators import harmonic_throughput_bps
from abr.media import FloatArray

_NO_SAMPLE, _FITS, _NONE_FITS = 0, 1, 2


class Params(NamedTuple):
    """Parameters of ``hyb``."""

    beta: float = 0.25
    """Part of the buffer that a download may use up."""
    window: int = 5
    """Downloads in the harmonic mean."""


class State(NamedTuple):
    """Nothing to remember."""


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """The state of one playback."""
    return State()


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """The highest rung that arrives in time, else the lowest."""
    if len(seen.downloads.end_s) == 0:
        return Decision(0, 0.0, _NO_SAMPLE)
    throughput_bps = harmonic_throughput_bps(seen.downloads, params.window)
    if math.isnan(throughput_bps):
        throughput_bps = math.inf
    allowed_s = params.beta * seen.buffer_s
    for rung in range(len(seen.ladder_bps) - 1, -1, -1):
        if 8 * seen.sizes_bytes[rung, seen.segment] / throughput_bps <= allowed_s:
            return Decision(rung, 0.0, _FITS)
    return Decision(0, 0.0, _NONE_FITS)


def make(**params: float) -> Rule:
    """The algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: a parameter out of range.
    """
    made = Params(**params)  # type: ignore[arg-type]  # the registry checked the types
    if not (made.window >= 1 and made.beta > 0):
        raise ValueError("window must be 1 or more, beta more than 0")
    return Rule(
        name="hyb",
        params=made,
        start=start,
        choose=choose,
        reasons=("no sample yet", "arrives in time", "nothing arrives in time"),
    )
