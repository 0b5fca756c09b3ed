"""ARBITER+: an exponential mean scaled by the buffer, then checked against what comes next.

The target rate is the exponentially weighted mean of the last throughputs times a factor
that rises with the buffer, from 0.75 when it is empty to 1.15 when it is full. One rung
up needs a little more than that rung's rate, and more than two rungs up are not taken at
once. Then the rung falls until the segments just ahead, by their true sizes, fit the
target rate.

Source: Zahran, Raca, Sreenan, ARBITER+: Adaptive Rate-Based InTElligent HTTP StReaming
Algorithm for Mobile Networks, IEEE Transactions on Mobile Computing 17(12), 2018, by its
abstract (which names these four components) and goDASH's ``arbiterPlus.go``, where
formulas and constants were read; the paper's text was not at hand.

deviation: newer downloads weigh more. In goDASH the list is reversed before it is
weighed, so the oldest of the window weighs most.

deviation: the four components work on rung numbers from 0, the lowest; goDASH counts
from the highest.
"""

from __future__ import annotations

from typing import NamedTuple

from abr.decision import Decision, Downloads, Observation, Rule
from abr.media import FloatArray

_NO_SAMPLE, _TARGET, _HELD, _LIMITED, _SIZES = 0, 1, 2, 3, 4
_MARGIN, _MARGIN_PER_RUNG = 1.065, 0.015


class Params(NamedTuple):
    """Parameters of ``arbiter-plus``."""

    weight: float = 0.4
    """Weight of the newest download; each older one has the rest of the one after it."""
    window: int = 10
    """Downloads in the mean."""
    empty_factor: float = 0.75
    """Part of the mean that is relied on when the buffer is empty."""
    full_factor: float = 1.15
    """The same when the buffer is full."""
    most_up: int = 2
    """Rungs that may be climbed at once."""
    ahead: int = 5
    """Segments ahead whose sizes are looked at."""


class State(NamedTuple):
    """Nothing to remember."""


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """The state of one playback."""
    return State()


def exponential_mean_bps(done: Downloads, weight: float, window: int) -> float:
    """Throughputs with weights that fall geometrically with age; 0 when there are none."""
    total_bps, weights, share = 0.0, 0.0, weight
    newest = len(done.end_s) - 1
    for i in range(newest, max(newest - window, -1), -1):
        elapsed_s = max(done.end_s[i] - done.start_s[i], 1e-9)
        total_bps += share * 8 * done.size_bytes[i] / elapsed_s
        weights += share
        share *= 1 - weight
    return total_bps / weights if weights > 0 else 0.0


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """Target rate, controlled switching, sizes ahead."""
    mean_bps = exponential_mean_bps(seen.downloads, params.weight, params.window)
    if not mean_bps > 0:
        return Decision(0, 0.0, _NO_SAMPLE)
    fullness = min(1.0, seen.buffer_s / seen.max_buffer_s)
    target_bps = mean_bps * (
        params.empty_factor + (params.full_factor - params.empty_factor) * fullness
    )
    rung, reason = 0, _TARGET
    while rung + 1 < len(seen.ladder_bps) and seen.ladder_bps[rung + 1] < target_bps:
        rung += 1
    last = max(seen.last_rung, 0)
    if rung == last + 1:
        margin = _MARGIN - (rung + 1) * _MARGIN_PER_RUNG
        if target_bps < margin * seen.ladder_bps[rung]:
            rung, reason = last, _HELD
    elif rung > last + params.most_up:
        rung, reason = last + params.most_up, _LIMITED
    while rung > 0 and rate_ahead_bps(params, rung, seen) > target_bps:
        rung, reason = rung - 1, _SIZES
    return Decision(rung, 0.0, reason)


def rate_ahead_bps(params: Params, rung: int, seen: Observation) -> float:
    """True rate of the next segments at ``rung``."""
    bits, media_s = 0.0, 0.0
    for i in range(seen.segment, min(seen.segment + params.ahead, len(seen.durations_s))):
        bits += 8 * seen.sizes_bytes[rung, i]
        media_s += seen.durations_s[i]
    return bits / media_s


def make(**params: float) -> Rule:
    """The algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: a parameter out of range.
    """
    made = Params(**params)  # type: ignore[arg-type]  # the registry checked the types
    if not (0 < made.weight <= 1 and made.window >= 1):
        raise ValueError("weight must be more than 0 and at most 1, window 1 or more")
    if not (made.empty_factor > 0 and made.full_factor > 0):
        raise ValueError("factors must be more than 0")
    if not (made.most_up >= 1 and made.ahead >= 1):
        raise ValueError("most_up and ahead must be 1 or more")
    return Rule(
        name="arbiter-plus",
        params=made,
        start=start,
        choose=choose,
        reasons=("no sample yet", "target rate", "switch held back", "two at most", "sizes ahead"),
    )
