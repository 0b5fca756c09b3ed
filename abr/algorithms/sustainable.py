"""The highest rung that the mean throughput so far sustains: a slow, steady baseline.

The mean is all bits over all the time spent on downloads, including waits for first bytes,
so a single fast segment changes it little. The result shows what the network sustains
without adapting to every segment.

Source: none; it is a baseline.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from abr.compilable import natural
from abr.decision import Decision, Download, Observation, Rule
from abr.media import FloatArray

_NO_SAMPLE, _MEAN = 0, 1
_BITS, _SECONDS = 0, 1


class Params(NamedTuple):
    """Parameters of ``sustainable``."""

    safety: float = 1.0
    """Fraction of the mean throughput that is relied on."""
    initial_bps: float = 0.0
    """Throughput taken for granted before the first download: it comes at the highest rung within
    this; 0: at the lowest."""


class State(NamedTuple):
    """State of one playback."""

    sums: FloatArray
    """Total bits received, and seconds spent on them, shape (2,)."""


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """Create the state of one playback."""
    return State(np.zeros(2))


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """Choose the highest rung within the mean."""
    if state.sums[_SECONDS] <= 0:
        return Decision(highest_within(seen.ladder_bps, params.initial_bps), 0.0, _NO_SAMPLE)
    mean_bps = params.safety * state.sums[_BITS] / state.sums[_SECONDS]
    return Decision(highest_near(seen.ladder_bps, mean_bps, seen.last_rung), 0.0, _MEAN)


def highest_within(ladder_bps: FloatArray, limit_bps: float) -> int:
    """The highest rung of at most ``limit_bps``, or the lowest."""
    rung = 0
    while rung + 1 < len(ladder_bps) and ladder_bps[rung + 1] <= limit_bps:
        rung += 1
    return rung


def highest_near(ladder_bps: FloatArray, limit_bps: float, rung: int) -> int:
    """The same, looked for from ``rung`` on: soonest found where it is that one."""
    rung = max(rung, 0)
    while rung > 0 and not ladder_bps[natural(rung)] <= limit_bps:
        rung -= 1
    while rung + 1 < len(ladder_bps) and ladder_bps[natural(rung + 1)] <= limit_bps:
        rung += 1
    return rung


def delivered(params: Params, state: State, seen: Observation, download: Download) -> None:
    """Add a finished download to the sums."""
    state.sums[_BITS] += 8 * download.size_bytes
    state.sums[_SECONDS] += download.end_s - download.start_s


def make(**params: float) -> Rule:
    """Create the algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: ``safety`` is not positive.
    """
    made = Params(**params)
    if not made.safety > 0:
        raise ValueError("safety must be more than 0")
    if not made.initial_bps >= 0:
        raise ValueError("initial_bps must be 0 or more")
    return Rule(
        name="sustainable",
        params=made,
        start=start,
        choose=choose,
        delivered=delivered,
        reasons=("no sample yet", "mean throughput"),
    )
