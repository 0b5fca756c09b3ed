"""HYB: the highest rung whose next segment arrives within a fraction of the buffer.

A rung qualifies if ``size / throughput <= beta * buffer``. The size is that of the next
segment, the throughput the harmonic mean of the last downloads.

Source: Akhtar, Nam, Govindan, Rao, Chen, Katz-Bassett, Ribeiro, Zhan, Zhang, Oboe:
Auto-tuning Video ABR Algorithms to Network Conditions, SIGCOMM 2018, section 2, where
it represents an algorithm in wide commercial use; ``beta`` is the value without tuning.

deviation: the paper leaves the prediction open; here it is the harmonic mean of five. With
``mean=2`` it is that of an author's program (``abrtuner/ABRSim/algorithms.py`` of ABRTuner):
all bits of five over all their time. Before the first download the lowest rung is chosen.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from abr.algorithms.sustainable import highest_within
from abr.compilable import likely, natural
from abr.decision import Decision, Observation, Rule
from abr.estimators import mean_throughput_bps
from abr.media import FloatArray

_NO_SAMPLE, _FITS, _NONE_FITS = 0, 1, 2
_ROUNDING = 1e-12
"""Far more than a product and a quotient are rounded by."""


class Params(NamedTuple):
    """Parameters of ``hyb``."""

    beta: float = 0.25
    """Fraction of the buffer that a download may consume."""
    window: int = 5
    """Number of downloads in the mean."""
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
    """Choose the highest rung that arrives in time, else the lowest."""
    if len(seen.downloads.end_s) == 0:
        return Decision(highest_within(seen.ladder_bps, params.initial_bps), 0.0, _NO_SAMPLE)
    throughput_bps = mean_throughput_bps(seen.downloads, params.window, params.mean)
    if math.isnan(throughput_bps):
        throughput_bps = math.inf
    allowed_s = params.beta * seen.buffer_s
    # Bits that surely arrive in time, and that surely do not; between them rounding decides.
    surely_bits = allowed_s * throughput_bps * (1 - _ROUNDING)
    hardly_bits = allowed_s * throughput_bps * (1 + _ROUNDING)
    for rung in range(len(seen.ladder_bps) - 1, -1, -1):
        bits = 8 * seen.sizes_bytes[natural(rung), natural(seen.segment)]
        if bits > hardly_bits:
            continue
        if likely(bits <= surely_bits) or bits / throughput_bps <= allowed_s:
            return Decision(rung, 0.0, _FITS)
    return Decision(0, 0.0, _NONE_FITS)


def make(**params: float) -> Rule:
    """Create the algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: a parameter is out of range.
    """
    made = Params(**params)  # type: ignore[arg-type]  # the registry checked the types
    if not (made.window >= 1 and made.beta > 0 and made.mean in (0, 1, 2)):
        raise ValueError("window must be 1 or more, beta more than 0, mean 0, 1 or 2")
    if not made.initial_bps >= 0:
        raise ValueError("initial_bps must be 0 or more")
    return Rule(
        name="hyb",
        params=made,
        start=start,
        choose=choose,
        reasons=("no sample yet", "arrives in time", "nothing arrives in time"),
    )
