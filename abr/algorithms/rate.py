"""RB: the highest rung that the throughput of the last five downloads sustains.

The harmonic mean of the last downloads, including waits for first bytes, is compared with
nominal rates; the buffer is not considered.

Source: the rate-based algorithm that Yin, Jindal, Sekar, Sinopoli, A Control-Theoretic
Approach for Dynamic Adaptive Video Streaming over HTTP, SIGCOMM 2015, section 7.1.2,
and Pensieve, SIGCOMM 2017, section 5.1, compare with.

deviation: the papers do not define the choice before the first download; here it is the
lowest rung.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from abr.algorithms.sustainable import highest_near, highest_within
from abr.decision import Decision, Observation, Rule
from abr.estimators import mean_throughput_bps
from abr.media import FloatArray

_NO_SAMPLE, _THROUGHPUT = 0, 1


class Params(NamedTuple):
    """Parameters of ``rate``."""

    window: int = 5
    """Number of downloads in the mean."""
    safety: float = 1.0
    """Fraction of the mean that is relied on."""
    mean: int = 0
    """0 harmonic, 1 arithmetic, 2 all bits over all the time."""
    initial_bps: float = 0.0
    """Throughput taken for granted before the first download: it comes at the highest rung within
    this; 0: at the lowest."""


class State(NamedTuple):
    """Empty: nothing is remembered."""


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """Create the state of one playback."""
    return State()


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """Choose the highest rung of at most the mean, else the lowest."""
    if len(seen.downloads.end_s) == 0:
        return Decision(highest_within(seen.ladder_bps, params.initial_bps), 0.0, _NO_SAMPLE)
    throughput_bps = mean_throughput_bps(seen.downloads, params.window, params.mean)
    if math.isnan(throughput_bps):
        throughput_bps = math.inf
    rung = highest_near(seen.ladder_bps, params.safety * throughput_bps, seen.last_rung)
    return Decision(rung, 0.0, _THROUGHPUT)


def make(**params: float) -> Rule:
    """Create the algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: a parameter is out of range.
    """
    made = Params(**params)  # type: ignore[arg-type]  # the registry checked the types
    if not (made.window >= 1 and made.safety > 0 and made.mean in (0, 1, 2)):
        raise ValueError("window must be 1 or more, safety more than 0, mean 0, 1 or 2")
    if not made.initial_bps >= 0:
        raise ValueError("initial_bps must be 0 or more")
    return Rule(
        name="rate",
        params=made,
        start=start,
        choose=choose,
        reasons=("no sample yet", "throughput"),
    )
