"""FESTIVE: harmonic-mean throughput, steps of one rung, and switches only if they pay.

The target is the highest rung within ``safety`` of the harmonic mean of the last
downloads. The reference is one rung towards it: immediately when down, and when up only
after as many segments at the current rung as its number, counted from 1. The switch to the
reference is made if it has the lower score: ``2 ** n``, n the number of switches in the
last 20 s including this one, plus ``alpha`` times the relative distance of the rate from
the smaller of reference and throughput. Requests wait while the buffer is above a target
that varies randomly by up to a segment.

Source: Jiang, Sekar, Zhang, Improving Fairness, Efficiency, and Stability in HTTP-based
Adaptive Video Streaming with FESTIVE, CoNEXT 2012, section 5, as far as its authors'
slides show it; thresholds and scores as in ports of the version distributed with Pensieve.

deviation: the random buffer target comes from a fixed low-discrepancy sequence (multiples
of the golden ratio, shifted by ``seed``), so that playbacks are repeatable.

deviation: the mean is used from the first download on. Two public implementations play
the lowest rung until there are 20 downloads.
"""

from __future__ import annotations

from typing import NamedTuple

from abr.algorithms.sustainable import highest_near, highest_within
from abr.compilable import likely, natural
from abr.decision import Decision, Observation, Rule
from abr.estimators import harmonic_throughput_bps
from abr.media import FloatArray

_NO_SAMPLE, _STAY, _UP, _DOWN, _DELAYED = 0, 1, 2, 3, 4
_GOLDEN = 0.6180339887498949


class Params(NamedTuple):
    """Parameters of ``festive``."""

    window: int = 20
    """Number of downloads in the harmonic mean."""
    safety: float = 0.85
    """Fraction of the mean that is relied on."""
    alpha: float = 12.0
    """Weight of efficiency against stability."""
    switch_window_s: float = 20.0
    """Time during which a switch raises the score of the next."""
    target_buffer_s: float = 30.0
    """Mean of the buffer level above which requests wait."""
    seed: int = 0
    """Shift of the sequence used in place of random numbers."""
    initial_bps: float = 0.0
    """Throughput taken for granted before the first download: it comes at the highest rung within
    this; 0: at the lowest."""


class State(NamedTuple):
    """Empty: everything follows from the downloads."""


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """Create the state of one playback."""
    return State()


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """Choose one rung towards the target if the switch pays."""
    estimate_bps = harmonic_throughput_bps(seen.downloads, params.window)
    if seen.last_rung < 0 or not estimate_bps > 0:
        return Decision(highest_within(seen.ladder_bps, params.initial_bps), 0.0, _NO_SAMPLE)
    wait_s = scheduled_wait_s(params, seen)
    last = seen.last_rung
    target = highest_near(seen.ladder_bps, params.safety * estimate_bps, last)
    reference, reason = last, _STAY
    if target < last:
        reference, reason = last - 1, _DOWN
    elif target > last and has_stayed(last, last + 1, seen):
        reference, reason = last + 1, _UP
    if reference == last:
        return Decision(last, wait_s, _STAY)
    switches = recent_switches(params, seen)
    best_bps = min(estimate_bps, seen.ladder_bps[reference])
    # Score: stability 2^n plus alpha times efficiency, the distance |rate / best - 1|.
    stay = 2.0**switches + params.alpha * abs(seen.ladder_bps[last] / best_bps - 1)
    move = 2.0 ** (switches + 1) + params.alpha * abs(seen.ladder_bps[reference] / best_bps - 1)
    if stay <= move:
        return Decision(last, wait_s, _DELAYED)
    return Decision(reference, wait_s, reason)


def has_stayed(rung: int, least: int, seen: Observation) -> bool:
    """Whether at least so many of the most recent downloads are at ``rung``."""
    rungs = seen.downloads.rung
    count = 0
    while count < least and count < len(rungs) and rungs[natural(len(rungs) - 1 - count)] == rung:
        count += 1
    return count == least


def recent_switches(params: Params, seen: Observation) -> int:
    """Number of changes of rung between downloads requested within the window."""
    done = seen.downloads
    switches = 0
    i = len(done.rung) - 1
    while i > 0 and done.start_s[natural(i)] > seen.now_s - params.switch_window_s:
        if done.rung[natural(i)] != done.rung[natural(i - 1)]:
            switches += 1
        i -= 1
    return switches


def scheduled_wait_s(params: Params, seen: Observation) -> float:
    """Time until the buffer falls to its target, which is within a segment of the nominal one."""
    media_s = seen.durations_s[natural(seen.segment)]
    # The target is at most a segment below the nominal one: seldom is there more to work out.
    if likely(seen.buffer_s <= params.target_buffer_s - media_s):
        return 0.0
    chance = ((seen.segment + 1) * _GOLDEN + params.seed * _GOLDEN * _GOLDEN) % 1.0
    target_s = params.target_buffer_s + (2 * chance - 1) * media_s
    return float(max(0.0, seen.buffer_s - target_s))


def make(**params: float) -> Rule:
    """Create the algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: a parameter is out of range.
    """
    made = Params(**params)  # type: ignore[arg-type]  # the registry checked the types
    if not (made.window >= 1 and made.safety > 0):
        raise ValueError("window must be 1 or more, safety more than 0")
    if not (made.alpha >= 0 and made.switch_window_s >= 0 and made.target_buffer_s >= 0):
        raise ValueError("alpha, switch_window_s and target_buffer_s must be 0 or more")
    if not made.initial_bps >= 0:
        raise ValueError("initial_bps must be 0 or more")
    return Rule(
        name="festive",
        params=made,
        start=start,
        choose=choose,
        reasons=("no sample yet", "at target", "one up", "one down", "switch would not pay"),
    )
