"""The best next rung over a horizon, at a throughput that stays what it is: exact search.

What ``mpc``, ``robust-mpc`` and ``fast-mpc`` share. A plan gives each of the next
segments a rung; downloads take size by throughput, the buffer pays for them, and a plan
is utility the sum of its rates in Mbit/s, less ``stall_weight`` per second that the buffer
lacks, less ``switch_weight`` per Mbit/s of change between neighbours. The best plan's
first rung is the answer.

Source of the arithmetic and of the ties: ``test/mpc.py`` of Pensieve, which goes through
all plans in lexicographic order and keeps the last of the best. Here branches that
cannot hold the best plan are left out, which changes nothing in the answer:

* plans are visited from the last to the first, and only a better one replaces the best
* a bound on what a branch can come to charges every second of download a price between
  0 and ``stall_weight`` and gives the buffer back at the same price; that is never less
  than the truth, since downloads cost stalls only beyond the buffer. The best plan
  under a price is found by dynamic programming, switches included
* a branch is left out only when its bound misses the best plan known by more than
  rounding could explain, so plans that differ by rounding alone are all compared
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from abr.decision import Observation
from abr.media import FloatArray

_PRICES = 4
_ROUNDING = 1e-9


class Lookahead(NamedTuple):
    """Room for one search, H segments ahead among R rungs."""

    kbps: FloatArray
    """Nominal rates, shape (R,)."""
    download_s: FloatArray
    """Download time per segment ahead and rung, shape (H, R)."""
    media_s: FloatArray
    """Media seconds per segment ahead, shape (H,)."""
    prices: FloatArray
    """What a second of download costs in each bound, shape (P,)."""
    bounds: FloatArray
    """Most that the segments from d on add after rung r, under each price, row p (H+1) + d,
    shape (P (H+1), R)."""
    credits: FloatArray
    """Media seconds that come in before the last download begins, from d on, shape (H,)."""
    trail: FloatArray
    """Per depth: rung under way, buffer, stalled time, sum of rates and of changes before
    it, shape (H+1, 5)."""


def lookahead_start(ladder_bps: FloatArray, horizon: int) -> Lookahead:
    """Room for searches of up to ``horizon`` segments."""
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
    """Fill in the segments ahead of ``seen``; how many there are, at most the horizon.

    With ``late`` every size is that of the segment after, and 0 past the end.
    """
    segments = len(seen.durations_s)
    depth = min(len(room.media_s), segments - seen.segment)
    for d in range(depth):
        at = seen.segment + d + 1 if late else seen.segment + d
        room.media_s[d] = seen.durations_s[seen.segment + d]
        for rung in range(len(room.kbps)):
            size_bytes = seen.sizes_bytes[rung, at] if at < segments else 0.0
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
    """First rung of the best plan for ``depth`` segments, whose times the caller has filled in.

    Of equally good plans the last in lexicographic order counts, so the highest rung.

    Args:
        room: ``download_s`` and ``media_s`` hold the segments ahead.
        depth: Segments to plan for, at least 1.
        buffer_s: Media ready now.
        last_rung: Rung of the segment before.
        stall_weight: Mbit/s lost per second stalled.
        switch_weight: Mbit/s lost per Mbit/s of change.
    """
    _fill_bounds(room, depth, buffer_s, stall_weight, switch_weight)
    known = _find_good_utility(room, depth, buffer_s, last_rung, stall_weight, switch_weight)
    return _search(room, depth, buffer_s, last_rung, stall_weight, switch_weight, known)


def _fill_bounds(
    room: Lookahead, depth: int, buffer_s: float, stall_weight: float, switch_weight: float
) -> None:
    """Choose prices and fill_horizon ``bounds`` and ``credits``."""
    rungs = len(room.kbps)
    room.credits[depth - 1] = 0.0
    for d in range(depth - 2, -1, -1):
        room.credits[d] = room.credits[d + 1] + room.media_s[d]
    # Rate won per second of download when all goes up by one rung, at the first segment.
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
            # Best of the rungs from the one before upward, then of those downward.
            most = -math.inf
            for r in range(rungs - 1, -1, -1):
                paid = switch_weight * room.kbps[r] / 1000
                adds = room.kbps[r] / 1000 - price * room.download_s[d, r] + room.bounds[after, r]
                most = max(most, adds - paid)
                room.bounds[here, r] = most + paid
            most = -math.inf
            for r in range(rungs):
                paid = switch_weight * room.kbps[r] / 1000
                adds = room.kbps[r] / 1000 - price * room.download_s[d, r] + room.bounds[after, r]
                most = max(most, adds + paid)
                room.bounds[here, r] = max(room.bounds[here, r], most - paid)


def _bound_rest(room: Lookahead, d: int, buffer_s: float, rung: int) -> float:
    """Upper bound on what segments from ``d`` on add, stalls included, after ``rung``."""
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
    """Worth of the best among one plan per price and one per constant rung."""
    rungs = len(room.kbps)
    width = len(room.credits) + 1
    best = -math.inf
    for plan in range(_PRICES + rungs):
        buffer, stalled_s, rates, changes, before = buffer_s, 0.0, 0.0, 0.0, last_rung
        for d in range(depth):
            choice = plan - _PRICES
            if plan < _PRICES:
                most = -math.inf
                for r in range(rungs):
                    change = abs(room.kbps[r] - room.kbps[before]) * switch_weight
                    adds = (room.kbps[r] - change) / 1000 - room.prices[plan] * room.download_s[
                        d, r
                    ]
                    adds += room.bounds[plan * width + d + 1, r]
                    if adds > most:
                        most, choice = adds, r
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
    """Go through the plans from the last to the first, except where none can be the best."""
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
        most = utility + _bound_rest(room, d + 1, buffer, rung)
        needed = max(best, known)
        scale = 1 + abs(needed) + abs(utility) + stall_weight * (stalled_s + buffer)
        if most < needed - _ROUNDING * scale:
            continue
        d += 1
        trail[d, 0], trail[d, 1], trail[d, 2] = rungs, buffer, stalled_s
        trail[d, 3], trail[d, 4] = rates, changes
    return answer
