"""ARBITER+: an exponential mean scaled by the buffer level, then checked against coming sizes.

The target rate is the exponentially weighted mean of the last throughputs times a factor
that rises with the buffer, from 0.75 when it is empty to 1.15 when it is full. A step up
by one rung requires slightly more than the rate of that rung, and steps of more than two
rungs are limited to two. Finally the rung is lowered until the next segments, by their
actual sizes, fit the target rate.

Source: Zahran, Raca, Sreenan, ARBITER+: Adaptive Rate-Based InTElligent HTTP StReaming
Algorithm for Mobile Networks, IEEE Transactions on Mobile Computing 17(12), 2018, by its
abstract (which names these four components) and goDASH's ``arbiterPlus.go``, the source of
formulas and constants; the text of the paper was not available.

deviation: newer downloads have larger weights. goDASH reverses the list before weighting,
so the oldest download of the window has the largest.

deviation: the four components use rung numbers counted from the lowest, 0; goDASH counts
from the highest.
"""

from __future__ import annotations

from typing import NamedTuple

from abr.algorithms.sustainable import highest_within
from abr.compilable import lifted, natural
from abr.decision import Decision, Downloads, Observation, Rule
from abr.media import FloatArray

_NO_SAMPLE, _TARGET, _HELD, _LIMITED, _SIZES = 0, 1, 2, 3, 4
_MARGIN, _MARGIN_PER_RUNG = 1.065, 0.015


class Params(NamedTuple):
    """Parameters of ``arbiter-plus``."""

    weight: float = 0.4
    """Weight of the newest download; each older one has the next one's times 1 - ``weight``."""
    window: int = 10
    """Number of downloads in the mean."""
    empty_factor: float = 0.75
    """Factor applied to the mean when the buffer is empty."""
    full_factor: float = 1.15
    """Factor applied to the mean when the buffer is full."""
    most_up: int = 2
    """Maximum number of rungs to step up at once."""
    ahead: int = 5
    """Number of coming segments whose sizes are checked."""
    initial_bps: float = 0.0
    """Throughput taken for granted before the first download: it comes at the highest rung within
    this; 0: at the lowest."""


class State(NamedTuple):
    """Empty: nothing is remembered."""


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """Create the state of one playback."""
    return State()


def exponential_mean_bps(done: Downloads, weight: float, window: int) -> float:
    """Mean throughput with weights falling geometrically with age; 0 if there are none."""
    total_bps, weights, share = 0.0, 0.0, weight
    newest = len(done.end_s) - 1
    for k in range(newest, max(newest - window, -1), -1):
        i = natural(k)
        elapsed_s = lifted(done.end_s[i] - done.start_s[i], 1e-9)
        total_bps += share * 8 * done.size_bytes[i] / elapsed_s
        weights += share
        share *= 1 - weight
    return total_bps / weights if weights > 0 else 0.0


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """Apply the target rate, controlled switching and the check of coming sizes."""
    mean_bps = exponential_mean_bps(seen.downloads, params.weight, params.window)
    if not mean_bps > 0:
        return Decision(highest_within(seen.ladder_bps, params.initial_bps), 0.0, _NO_SAMPLE)
    fullness = min(1.0, seen.buffer_s / seen.max_buffer_s)
    target_bps = mean_bps * (
        params.empty_factor + (params.full_factor - params.empty_factor) * fullness
    )
    last = max(seen.last_rung, 0)
    rung, reason = last, _TARGET
    while rung > 0 and not seen.ladder_bps[natural(rung)] < target_bps:
        rung -= 1
    while rung + 1 < len(seen.ladder_bps) and seen.ladder_bps[natural(rung + 1)] < target_bps:
        rung += 1
    if rung == last + 1:
        margin = _MARGIN - (rung + 1) * _MARGIN_PER_RUNG
        if target_bps < margin * seen.ladder_bps[natural(rung)]:
            rung, reason = last, _HELD
    elif rung > last + params.most_up:
        rung, reason = last + params.most_up, _LIMITED
    while rung > 0 and rate_ahead_bps(params, rung, seen) > target_bps:
        rung, reason = rung - 1, _SIZES
    return Decision(rung, 0.0, reason)


def rate_ahead_bps(params: Params, rung: int, seen: Observation) -> float:
    """Actual bit rate of the next segments at ``rung``."""
    bits, media_s = 0.0, 0.0
    for k in range(seen.segment, min(seen.segment + params.ahead, len(seen.durations_s))):
        i = natural(k)
        bits += 8 * seen.sizes_bytes[natural(rung), i]
        media_s += seen.durations_s[i]
    return bits / media_s


def make(**params: float) -> Rule:
    """Create the algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: a parameter is out of range.
    """
    made = Params(**params)  # type: ignore[arg-type]  # the registry checked the types
    if not (0 < made.weight <= 1 and made.window >= 1):
        raise ValueError("weight must be more than 0 and at most 1, window 1 or more")
    if not (made.empty_factor > 0 and made.full_factor > 0):
        raise ValueError("factors must be more than 0")
    if not (made.most_up >= 1 and made.ahead >= 1):
        raise ValueError("most_up and ahead must be 1 or more")
    if not made.initial_bps >= 0:
        raise ValueError("initial_bps must be 0 or more")
    return Rule(
        name="arbiter-plus",
        params=made,
        start=start,
        choose=choose,
        reasons=("no sample yet", "target rate", "switch held back", "two at most", "sizes ahead"),
    )
