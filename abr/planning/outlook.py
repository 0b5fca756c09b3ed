"""What a plan can still gain at most: all bits to come, spent where they buy most."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from abr.capacity import find_period, fold, response_bits, sum_bits
from abr.compilable import cells, numbers
from abr.media import FloatArray
from abr.planning.model import OVERHEAD_BYTES, KnownLink, Problem

_NOTHING_BITS = 1e-6
_MOST_STALLS = 9


class Outlook(NamedTuple):
    """How much quality bits can buy from each segment on, if they came at any time."""

    least_bits: FloatArray
    """Fewest bits of any rung, and those of the audio, of all segments from k on, shape (N,)."""
    least_utility: FloatArray
    """Their quality, shape (N,)."""
    more_bits: FloatArray
    """Further bits, those that buy most first, summed up, shape (N, N (R - 1) + 1)."""
    more_utility: FloatArray
    """The quality they add, summed up."""


def outlook_of(problem: Problem) -> Outlook:
    """The curves of one presentation: per segment the hull of its rungs, greedily added up."""
    utility, sizes_bytes = problem.utility, problem.sizes_bytes
    rungs, segments = sizes_bytes.shape
    bits = np.zeros(segments * max(rungs - 1, 1))
    gain = np.zeros(segments * max(rungs - 1, 1))
    owner = np.zeros(segments * max(rungs - 1, 1), dtype=np.int64)
    least_bytes = np.zeros(segments)
    count = 0
    for k in range(segments):
        # The lowest rung need not be the smallest; counted as if it were, the bound holds.
        least_bytes[k] = np.min(sizes_bytes[:, k])
        rung, from_bytes = 0, least_bytes[k]
        while rung + 1 < rungs:
            # The rung above that buys most per bit; those passed over never pay.
            best, best_slope = rung + 1, -math.inf
            for above in range(rung + 1, rungs):
                extra = 8 * max(sizes_bytes[above, k] - from_bytes, _NOTHING_BITS)
                slope = (utility[above] - utility[rung]) / extra
                if slope >= best_slope:
                    best, best_slope = above, slope
            bits[count] = 8 * max(sizes_bytes[best, k] - from_bytes, 0.0)
            gain[count], owner[count] = utility[best] - utility[rung], k
            count += 1
            rung, from_bytes = best, sizes_bytes[best, k]
    bits, gain, owner = bits[:count], gain[:count], owner[:count]
    order = np.argsort(-gain / np.maximum(bits, _NOTHING_BITS))
    bits, gain, owner = bits[order], gain[order], owner[order]
    outlook = Outlook(
        np.zeros(segments),
        np.zeros(segments),
        np.zeros((segments, count + 1)),
        np.zeros((segments, count + 1)),
    )
    overhead_bytes = problem.link.costs[OVERHEAD_BYTES]
    least_bits = np.zeros(segments)
    for k in range(segments):
        least_bits[k] = response_bits(least_bytes[k], overhead_bytes)
        if len(problem.audio_bytes) > 0:
            least_bits[k] += response_bits(problem.audio_bytes[k], overhead_bytes)
    for k in range(segments):
        outlook.least_bits[k] = np.sum(least_bits[k:])
        outlook.least_utility[k] = utility[0] * (segments - k)
        outlook.more_bits[k, 1:] = np.cumsum(np.where(owner >= k, bits, 0.0))
        outlook.more_utility[k, 1:] = np.cumsum(np.where(owner >= k, gain, 0.0))
    return outlook


def hopeful_plans(
    outlook: Outlook,
    k: int,
    link: KnownLink,
    offered_bits: FloatArray,
    due_s: FloatArray,
    scores: FloatArray,
    stall_per_s: float,
    least_score: float,
) -> NDArray[np.int64]:
    """Places of the plans that may still come to ``least_score`` from segment ``k`` on.

    Their last segment must be here by ``due_s`` or stall. All bits offered until then are
    counted, as if there were room for them, and no switch costs anything.
    """
    least, last = outlook.least_utility[k], len(outlook.more_utility[k]) - 1
    longest_s = 0.25 * 2.0 ** (_MOST_STALLS - 1)
    beyond = least + outlook.more_utility[k, last] - stall_per_s * longest_s
    is_hopeful = scores + beyond >= least_score
    # What one length of stall says yes to need not be asked again.
    left = np.flatnonzero(~is_hopeful)
    lost_s = 0.0  # stalls of any length are covered: each pays for the one tried before it
    for step in range(_MOST_STALLS):
        stall_s = 0.0 if step == 0 else 0.25 * 2.0**step
        bits = bits_by_each(link, due_s[left], stall_s)
        bits = bits - offered_bits[left] - outlook.least_bits[k]
        more = np.interp(bits, outlook.more_bits[k], outlook.more_utility[k])
        gain = more + least - stall_per_s * lost_s
        enough = (bits >= 0) & (scores[left] + gain >= least_score)
        is_hopeful[left[enough]] = True
        left, lost_s = left[~enough], stall_s
        if len(left) == 0:
            break
    return np.flatnonzero(is_hopeful)


def bits_by_each(link: KnownLink, times_s: FloatArray, more_s: float) -> FloatArray:
    """Bits offered by each of ``times_s`` and ``more_s`` later."""
    offered = np.zeros(len(times_s))
    into, at_s, near = cells(offered), numbers(times_s), 0
    for i in range(len(at_s)):
        rounds, rest_s = fold(link, at_s[i] + more_s)
        near = find_period(link, rest_s, near)
        into[i] = sum_bits(link, rounds, rest_s, near)
    return offered
