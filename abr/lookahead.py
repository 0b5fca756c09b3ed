"""Exact search for the best plan over a horizon at a constant throughput.

``mpc``, ``robust-mpc`` and ``fast-mpc`` share this search. A plan gives a rung to each of
the next segments; a download takes its size over the throughput and drains the buffer
meanwhile. The utility of a plan is the sum of its rates in Mbit/s, less ``stall_weight``
per second that the buffer lacks, less ``switch_weight`` per Mbit/s of change between
neighbours. The answer is the first rung of the best plan.

Source of the arithmetic and of the ties: ``test/mpc.py`` of Pensieve, which enumerates
all plans in lexicographic order and keeps the last of the best. This search prunes
branches that cannot contain the best plan, which does not change the answer:

* plans are visited from the last to the first, and only a better one replaces the best
* an upper bound on the rest of a branch charges every second of download a price between
  0 and ``stall_weight`` and credits the buffer at the same price. That never
  underestimates, because a download stalls only for the time it exceeds the buffer. The
  best plan under a price is found by dynamic programming, switches included
* a branch is pruned only if its bound misses the best known plan by more than rounding
  can explain, so plans that differ by rounding alone are all compared
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from abr.decision import Observation
from abr.media import FloatArray

_PRICES = 4
_ROUNDING = 1e-9
"""Relative margin of a bound, far above the rounding of a sum over a plan."""


class Lookahead(NamedTuple):
    """Workspace of one search, H segments ahead among R rungs."""

    kbps: FloatArray
    """Nominal rates, shape (R,)."""
    download_s: FloatArray
    """Download time per segment ahead and rung, shape (H, R)."""
    media_s: FloatArray
    """Media seconds per segment ahead, shape (H,)."""
    prices: FloatArray
    """Price of a second of download in each bound, shape (P,)."""
    bounds: FloatArray
    """Upper bound, under each price, on the utility of the segments from d on after rung r,
    in row p (H+1) + d, shape (P (H+1), R)."""
    credits: FloatArray
    """Media seconds gained before the last download begins, from d on, shape (H,)."""
    trail: FloatArray
    """For each depth: the rung being tried, and the buffer, stalled time, sum of rates and
    sum of changes before it, shape (H+1, 5)."""


def lookahead_start(ladder_bps: FloatArray, horizon: int) -> Lookahead:
    """Create a workspace for searches of up to ``horizon`` segments."""
    rungs = len(ladder_bps)
    return Lookahead(
        kbps=np.array(ladder_bps) / 1000,
        download_s=np.zeros((horizon, rungs)),
        media_s=np.zeros(horizon),
        prices=np.zeros(_PRICES),
        bounds=np.zeros((_PRICES * (horizon + 1), rungs)),
        credits=np.zeros(horizon),
        trail=np.zeros((horizon + 1, 5)),
    )


def fill_horizon(room: Lookahead, seen: Observation, throughput_bps: float, late: bool) -> int:
    """Fill in the segments ahead and return their number, at most the horizon.

    With ``late`` every size is that of the following segment, and 0 past the last size known.
    """
    known = seen.sizes_bytes.shape[1]
    depth = min(len(room.media_s), len(seen.durations_s) - seen.segment)
    for d in range(depth):
        at = seen.segment + d + 1 if late else seen.segment + d
        room.media_s[d] = seen.durations_s[seen.segment + d]
        for rung in range(len(room.kbps)):
            size_bytes = seen.sizes_bytes[rung, at] if at < known else 0.0
            room.download_s[d, rung] = 8 * size_bytes / throughput_bps
    return depth


def best_rung(
    room: Lookahead,
    depth: int,
    buffer_s: float,
    last_rung: int,
    stall_weight: float,
    switch_weight: float,
) -> int:
    """First rung of the best plan for the ``depth`` segments that the caller has filled in.

    Of equally good plans the last in lexicographic order wins, hence the highest rung.

    Args:
        room: The workspace; ``download_s`` and ``media_s`` hold the segments ahead.
        depth: Segments to plan for, at least 1.
        buffer_s: Media buffered now.
        last_rung: Rung of the segment before.
        stall_weight: Cost of a second of stall, in Mbit/s.
        switch_weight: Cost of a change of rate, in Mbit/s per Mbit/s.
    """
    _fill_bounds(room, depth, buffer_s, stall_weight, switch_weight)
    known = _find_good_utility(room, depth, buffer_s, last_rung, stall_weight, switch_weight)
    return _search(room, depth, buffer_s, last_rung, stall_weight, switch_weight, known)


def _fill_bounds(
    room: Lookahead, depth: int, buffer_s: float, stall_weight: float, switch_weight: float
) -> None:
    """Choose the prices and fill ``bounds`` and ``credits``."""
    rungs = len(room.kbps)
    room.credits[depth - 1] = 0.0
    for d in range(depth - 2, -1, -1):
        room.credits[d] = room.credits[d + 1] + room.media_s[d]
    # Rate gained per second of download from the lowest rung to the top, first segment.
    top = rungs - 1
    span_s = room.download_s[0, top] - room.download_s[0, 0]
    slope = (room.kbps[top] - room.kbps[0]) / 1000 / span_s if span_s > 0 else 0.0
    for p in range(_PRICES):
        room.prices[p] = min(stall_weight, slope * 0.5 * p) if p < _PRICES - 1 else stall_weight
    width = len(room.credits) + 1
    for p in range(_PRICES):
        price = room.prices[p]
        for r in range(rungs):
            room.bounds[p * width + depth, r] = 0.0
        for d in range(depth - 1, -1, -1):
            after, here = p * width + d + 1, p * width + d
            # |a - b| is a - b above and b - a below, so two passes cover all pairs of rungs.
            best_gain = -math.inf
            for r in range(rungs - 1, -1, -1):
                paid = switch_weight * room.kbps[r] / 1000
                adds = room.kbps[r] / 1000 - price * room.download_s[d, r] + room.bounds[after, r]
                best_gain = max(best_gain, adds - paid)
                room.bounds[here, r] = best_gain + paid
            best_gain = -math.inf
            for r in range(rungs):
                paid = switch_weight * room.kbps[r] / 1000
                adds = room.kbps[r] / 1000 - price * room.download_s[d, r] + room.bounds[after, r]
                best_gain = max(best_gain, adds + paid)
                room.bounds[here, r] = max(room.bounds[here, r], best_gain - paid)


def _bound_rest(room: Lookahead, d: int, buffer_s: float, rung: int) -> float:
    """Upper bound on the utility of the segments from ``d`` on after ``rung``, with stalls."""
    width = len(room.credits) + 1
    least = math.inf
    for p in range(_PRICES):
        given = room.prices[p] * (buffer_s + room.credits[d])
        least = min(least, room.bounds[p * width + d, rung] + given)
    return least


def _find_good_utility(
    room: Lookahead,
    depth: int,
    buffer_s: float,
    last_rung: int,
    stall_weight: float,
    switch_weight: float,
) -> float:
    """Utility of the best among one plan per price and one per constant rung."""
    rungs = len(room.kbps)
    width = len(room.credits) + 1
    best = -math.inf
    for plan in range(_PRICES + rungs):
        buffer, stalled_s, rates, changes, before = buffer_s, 0.0, 0.0, 0.0, last_rung
        for d in range(depth):
            choice = plan - _PRICES
            if plan < _PRICES:
                best_gain = -math.inf
                for r in range(rungs):
                    change = abs(room.kbps[r] - room.kbps[before]) * switch_weight
                    adds = (room.kbps[r] - change) / 1000 - room.prices[plan] * room.download_s[
                        d, r
                    ]
                    adds += room.bounds[plan * width + d + 1, r]
                    if adds > best_gain:
                        best_gain, choice = adds, r
            time_s = room.download_s[d, choice]
            if buffer < time_s:
                stalled_s += time_s - buffer
                buffer = 0.0
            else:
                buffer -= time_s
            buffer += room.media_s[d]
            rates += room.kbps[choice]
            changes += abs(room.kbps[choice] - room.kbps[before])
            before = choice
        best = max(best, rates / 1000 - stall_weight * stalled_s - switch_weight * (changes / 1000))
    return best


def _search(
    room: Lookahead,
    depth: int,
    buffer_s: float,
    last_rung: int,
    stall_weight: float,
    switch_weight: float,
    known: float,
) -> int:
    """Search the plans from the last to the first, pruning branches that cannot win."""
    rungs = len(room.kbps)
    trail = room.trail
    answer, best = 0, -math.inf
    d, first = 0, 0
    trail[0, 0], trail[0, 1], trail[0, 2], trail[0, 3], trail[0, 4] = rungs, buffer_s, 0, 0, 0
    while d >= 0:
        rung = int(trail[d, 0]) - 1
        if rung < 0:
            d -= 1
            continue
        trail[d, 0] = rung
        if d == 0:
            first = rung
        before = last_rung if d == 0 else int(trail[d - 1, 0])
        buffer, stalled_s = trail[d, 1], trail[d, 2]
        time_s = room.download_s[d, rung]
        if buffer < time_s:
            stalled_s += time_s - buffer
            buffer = 0.0
        else:
            buffer -= time_s
        buffer += room.media_s[d]
        rates = trail[d, 3] + room.kbps[rung]
        changes = trail[d, 4] + abs(room.kbps[rung] - room.kbps[before])
        utility = rates / 1000 - stall_weight * stalled_s - switch_weight * (changes / 1000)
        if d == depth - 1:
            if utility > best:
                best, answer = utility, first
            continue
        bound = utility + _bound_rest(room, d + 1, buffer, rung)
        needed = max(best, known)
        scale = 1 + abs(needed) + abs(utility) + stall_weight * (stalled_s + buffer)
        if bound < needed - _ROUNDING * scale:
            continue
        d += 1
        trail[d, 0], trail[d, 1], trail[d, 2] = rungs, buffer, stalled_s
        trail[d, 3], trail[d, 4] = rates, changes
    return answer
