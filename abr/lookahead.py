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
* what a plan is worth without stalls depends on no size, so the best such plan is found once
  per session. Stalls only take away, so where it needs none it is the best of all
* else the rest of a branch is worth at most what it is without stalls, and at most what it is
  where every second of download costs a price between 0 and ``stall_weight`` and the
  buffer is credited at the same price. That never underestimates, because a download stalls
  only for the time it exceeds the buffer. The best plan under a price is found by dynamic
  programming, switches included
* a branch is pruned only if its bound misses the best known plan by more than rounding
  can explain, so plans that differ by rounding alone are all compared
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from abr.compilable import rarely
from abr.decision import Observation
from abr.media import FloatArray

STALL, SWITCH = 0, 1
"""Places in ``Lookahead.weights``."""

_FEW_PLANS, _PRICES_FOR_FEW, _PRICES = 10_000, (0.75,), (0.5, 1.0, 1e6)
"""Prices of a second of download, in what a second gains from the lowest rung to the top. Measured:
for six rungs by five segments one takes the least time, of 0.6 to 1.1 this one; more plans need
tighter bounds."""
_ROUNDING = 1e-9
"""Relative margin of a bound, far above the rounding of a sum over a plan."""


class Lookahead(NamedTuple):
    """Workspace of the searches of one session, H segments ahead among R rungs."""

    kbps: FloatArray
    """Nominal rates, shape (R,)."""
    mbps: FloatArray
    """The same in Mbit/s."""
    paid: FloatArray
    """Cost of a change from 0 to that rate."""
    weights: FloatArray
    """Cost of a second of stall, in Mbit/s, and of a change of rate, in Mbit/s per Mbit/s,
    shape (2,)."""
    download_s: FloatArray
    """Download time per segment ahead and rung, shape (H, R)."""
    media_s: FloatArray
    """Media seconds per segment ahead, shape (H,)."""
    at_once_s: FloatArray
    """Download times of a link without limit: 0, shape (H, R)."""
    free_plans: FloatArray
    """The best plan for h segments after rung r if nothing stalls, in row r H + h - 1; -1 where
    it is not yet known, shape (R H, H)."""
    free: FloatArray
    """Utility of the best plan for the last H - d segments after rung r if nothing stalls, in
    row d, shape (H+1, R)."""
    multiples: FloatArray
    """Of what a second of download gains, for each price, shape (P,)."""
    prices: FloatArray
    """Prices of a second of download, shape (P,)."""
    priced: FloatArray
    """As ``free`` where seconds of download have a price, of the segments planned for; of each
    price in rows p (H+1) + d, shape (P (H+1), R)."""
    credits: FloatArray
    """Media seconds gained before the last download begins, from d on, shape (H+1,)."""
    trail: FloatArray
    """For each depth: the rung being tried, and the buffer, stalled time, sum of rates and
    sum of changes before it, shape (H, 5)."""
    bounds: FloatArray
    """For each depth, upper bounds of the plans that go on with each rung, shape (H, R)."""
    plan: FloatArray
    """The best plan found, shape (H,)."""


def lookahead_start(
    ladder_bps: FloatArray, horizon: int, stall_weight: float, switch_weight: float
) -> Lookahead:
    """Create a workspace for searches of up to ``horizon`` segments.

    Args:
        ladder_bps: Nominal rates of the rungs.
        horizon: Segments to plan for at most.
        stall_weight: Cost of a second of stall, in Mbit/s.
        switch_weight: Cost of a change of rate, in Mbit/s per Mbit/s.
    """
    rungs, kbps = len(ladder_bps), np.array(ladder_bps) / 1000
    multiples = _PRICES_FOR_FEW if rungs**horizon <= _FEW_PLANS else _PRICES
    room = Lookahead(
        kbps=kbps,
        mbps=kbps / 1000,
        paid=switch_weight * kbps / 1000,
        weights=np.array([stall_weight, switch_weight], dtype=np.float64),
        download_s=np.zeros((horizon, rungs)),
        media_s=np.zeros(horizon),
        at_once_s=np.zeros((horizon, rungs)),
        free_plans=np.full((rungs * horizon, horizon), -1.0),
        free=np.zeros((horizon + 1, rungs)),
        multiples=np.array(multiples),
        prices=np.zeros(len(multiples)),
        priced=np.zeros((len(multiples) * (horizon + 1), rungs)),
        credits=np.zeros(horizon + 1),
        trail=np.zeros((horizon, 5)),
        bounds=np.zeros((horizon, rungs)),
        plan=np.zeros(horizon),
    )
    _fill_bounds(room, room.at_once_s, horizon, 0.0, room.free, 0)
    return room


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


def best_rung(room: Lookahead, depth: int, buffer_s: float, last_rung: int) -> int:
    """First rung of the best plan for the ``depth`` segments that the caller has filled in.

    Of equally good plans the last in lexicographic order wins, hence the highest rung.

    Args:
        room: The workspace; ``download_s`` and ``media_s`` hold the segments ahead.
        depth: Segments to plan for, at least 1.
        buffer_s: Media buffered now.
        last_rung: Rung of the segment before.
    """
    row = last_rung * len(room.media_s) + depth - 1
    if room.free_plans[row, 0] < 0:
        find_best(room, room.at_once_s, depth, 0.0, last_rung)
        for d in range(depth):
            room.free_plans[row, d] = room.plan[d]
    left_s = buffer_s
    for d in range(depth):
        time_s = room.download_s[d, int(room.free_plans[row, d])]
        if left_s < time_s:
            return find_best(room, room.download_s, depth, buffer_s, last_rung)
        left_s = left_s - time_s + room.media_s[d]
    return int(room.free_plans[row, 0])


@rarely
def find_best(
    room: Lookahead, download_s: FloatArray, depth: int, buffer_s: float, last_rung: int
) -> int:
    """First rung of the best plan, which is then in ``room.plan``."""
    room.credits[depth] = room.credits[depth - 1] = 0.0
    for d in range(depth - 2, -1, -1):
        room.credits[d] = room.credits[d + 1] + room.media_s[d]
    _choose_prices(room, download_s, depth, buffer_s)
    for p in range(len(room.prices)):
        first = p * (len(room.media_s) + 1)
        _fill_bounds(room, download_s, depth, room.prices[p], room.priced, first)
    known = -math.inf
    for rung in range(len(room.kbps)):
        known = max(known, _utility_of(room, download_s, depth, buffer_s, last_rung, rung))
    return _search(room, download_s, depth, buffer_s, last_rung, known)


def _choose_prices(room: Lookahead, download_s: FloatArray, depth: int, buffer_s: float) -> None:
    """Of a second of download: that of a stall where even the lowest rung stalls."""
    lowest_s, top = 0.0, len(room.kbps) - 1
    for d in range(depth):
        lowest_s += download_s[d, 0]
    span_s = download_s[0, top] - download_s[0, 0]
    gain = math.inf
    if lowest_s <= buffer_s + room.credits[0] and span_s > 0:
        gain = (room.mbps[top] - room.mbps[0]) / span_s
    for p in range(len(room.prices)):
        room.prices[p] = min(room.weights[STALL], room.multiples[p] * gain)


def _fill_bounds(
    room: Lookahead,
    download_s: FloatArray,
    depth: int,
    price: float,
    bounds: FloatArray,
    first: int,
) -> None:
    """Fill in the best utility of the segments from d on after rung r, in row ``first`` + d."""
    rungs = len(room.kbps)
    for r in range(rungs):
        bounds[first + depth, r] = 0.0
    for d in range(depth - 1, -1, -1):
        row = first + d
        # |a - b| is a - b above and b - a below, so two passes cover all pairs of rungs.
        best_gain = -math.inf
        for r in range(rungs - 1, -1, -1):
            adds = room.mbps[r] - price * download_s[d, r] + bounds[row + 1, r]
            best_gain = max(best_gain, adds - room.paid[r])
            bounds[row, r] = best_gain + room.paid[r]
        best_gain = -math.inf
        for r in range(rungs):
            adds = room.mbps[r] - price * download_s[d, r] + bounds[row + 1, r]
            best_gain = max(best_gain, adds + room.paid[r])
            bounds[row, r] = max(bounds[row, r], best_gain - room.paid[r])


def _utility_of(
    room: Lookahead,
    download_s: FloatArray,
    depth: int,
    buffer_s: float,
    last_rung: int,
    rung: int,
) -> float:
    """Utility of the plan that stays at ``rung``."""
    stalled_s, rates = 0.0, 0.0
    for d in range(depth):
        time_s = download_s[d, rung]
        if buffer_s < time_s:
            stalled_s += time_s - buffer_s
            buffer_s = 0.0
        else:
            buffer_s -= time_s
        buffer_s += room.media_s[d]
        rates += room.kbps[rung]
    changes = abs(room.kbps[rung] - room.kbps[last_rung])
    return float(
        rates / 1000 - room.weights[STALL] * stalled_s - room.weights[SWITCH] * (changes / 1000)
    )


def _search(
    room: Lookahead,
    download_s: FloatArray,
    depth: int,
    buffer_s: float,
    last_rung: int,
    needed: float,
) -> int:
    """Search the plans from the last to the first, pruning branches that cannot win.

    ``needed`` is the utility of a plan that is known.
    """
    rungs, trail, best = len(room.kbps), room.trail, -math.inf
    room.plan[0] = 0.0  # where no utility is a number
    d, rung, before = 0, rungs, last_rung
    level_s, stall_s, rate_sum, change_sum = buffer_s, 0.0, 0.0, 0.0
    while d >= 0:
        if rung == rungs:
            _bound(room, download_s, depth, d, before, level_s, stall_s, rate_sum, change_sum)
        rung -= 1
        while rung >= 0 and room.bounds[d, rung] < needed - _ROUNDING * abs(needed):
            rung -= 1
        if rung < 0:
            d -= 1
            if d >= 0:
                rung, level_s, stall_s = int(trail[d, 0]), trail[d, 1], trail[d, 2]
                rate_sum, change_sum = trail[d, 3], trail[d, 4]
                before = int(trail[d - 1, 0]) if d > 0 else last_rung
            continue
        trail[d, 0], trail[d, 1], trail[d, 2] = rung, level_s, stall_s
        trail[d, 3], trail[d, 4] = rate_sum, change_sum
        level_s -= download_s[d, rung]
        if level_s < 0:
            stall_s -= level_s
            level_s = 0.0
        level_s += room.media_s[d]
        rate_sum += room.kbps[rung]
        change_sum += abs(room.kbps[rung] - room.kbps[before])
        if d + 1 == depth:
            utility = rate_sum / 1000 - room.weights[STALL] * stall_s
            utility -= room.weights[SWITCH] * (change_sum / 1000)
            if utility > best:
                best = utility
                needed = max(needed, best)
                for i in range(depth):
                    room.plan[i] = trail[i, 0]
            level_s, stall_s = trail[d, 1], trail[d, 2]
            rate_sum, change_sum = trail[d, 3], trail[d, 4]
        else:
            d, before, rung = d + 1, rung, rungs
    return int(room.plan[0])


def _bound(
    room: Lookahead,
    download_s: FloatArray,
    depth: int,
    d: int,
    before: int,
    level_s: float,
    stall_s: float,
    rate_sum: float,
    change_sum: float,
) -> None:
    """Fill in ``bounds`` of plans that go on with each rung, ``d`` segments ahead, and rounding."""
    horizon, stall_weight = len(room.media_s), room.weights[STALL]
    for rung in range(len(room.kbps)):
        after_s, stalled_s = level_s - download_s[d, rung], stall_s
        if after_s < 0:
            stalled_s -= after_s
            after_s = 0.0
        after_s += room.media_s[d]
        changes = change_sum + abs(room.kbps[rung] - room.kbps[before])
        sure = (rate_sum + room.kbps[rung] - room.weights[SWITCH] * changes) * 1e-3
        sure -= stall_weight * stalled_s
        rest = room.free[horizon - depth + d + 1, rung]
        for p in range(len(room.prices)):
            credit = room.prices[p] * (after_s + room.credits[d + 1])
            rest = min(rest, room.priced[p * (horizon + 1) + d + 1, rung] + credit)
        scale = 1 + abs(sure) + stall_weight * (stalled_s + after_s)
        room.bounds[d, rung] = sure + rest + _ROUNDING * scale
