"""What could have been: the best plan over a network that is known beforehand.

Rules of residence: the model of player and link that upper bounds plan with stands here,
once as scalars and once over arrays of states. Plain functions over numbers and arrays,
so that they can be compiled.

Model, that of our player with a title of one track. A request costs a round trip (two on
the first, which opens the connection) and ``server_s``, then its bytes with
``response_overhead_bytes`` before them come at the trace's full capacity. The next
request is sent when its segment fits the buffer, at once when it does. The first segment
starts playback and any segment ends a stall. Nothing is abandoned or replaced, and no
request waits of its own will: that could only help if the trace's round-trip times fell
faster than time passes.

The search. After segment k a plan is at a time T and has a lag L, the time not spent
playing so far; the buffer runs out at L plus the media fetched. The lag only ever becomes
``max(L, T - media before k)``, so a plan's final score is its quality Q less
``stall_per_mbps_s L``. Of two plans that end with the same rung, one is at least as good
for ever when it is no later, and has no less of Q nor of Q less the stall cost: whatever
the other does next, it can do too. (A larger lag may then mean a later request when the
buffer is full. The search for the best plan neglects this; the bound does not.)

``best_plan`` keeps per rung the plans that no other makes useless; when there are more
than ``width``, also those go that another nearly matches, and in two of its three passes
scores alone are compared. So its plan is real but may miss the best. ``upper_bound``
merges instead of dropping: the plan that stays gets the better of both in every respect.
Both drop plans that cannot reach a score already found, even if all bits to come could be
spent on the segments where they buy most. No plan scores more than the bound; where the
two agree, the plan is the best. (With a trace whose round-trip time falls faster than time
passes, later requests could overtake earlier ones and the bound would not be strict.)
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from abr.media import FloatArray
from abr.trace import Trace

_SLACK_BITS = 1e-6
_ENDS = ("loop", "hold", "end")
_LOOP, _HOLD = 0, 1
_NEVER_S = 1e9  # stands for a time that never comes, so that sums stay numbers


class Road(NamedTuple):
    """A trace and the costs of a request over it."""

    times_s: FloatArray
    """Bounds of the periods, shape (K+1,)."""
    offered_bits: FloatArray
    """Bits offered from 0 to each bound, shape (K+1,)."""
    capacity_bps: FloatArray
    """Capacity in each period, shape (K,)."""
    rtt_s: FloatArray
    """Round-trip time in each period, shape (K,)."""
    costs: FloatArray
    """Number of the end rule (loop, hold, end), bytes before each body, and seconds that
    software takes per request, shape (3,)."""


class Weights(NamedTuple):
    """What a plan is scored by: ``sum of Mbit/s - stalls - changes``."""

    stall_per_s: float
    """Cost of a second of stall."""
    startup_per_s: float
    """Cost of a second before the first frame."""
    smooth_per_mbps: float
    """Cost of a change of rate between consecutive segments, per Mbit/s."""


class Plans(NamedTuple):
    """Plans for the segments so far, one a column."""

    request_s: FloatArray
    """When the next request can be sent."""
    lag_s: FloatArray
    """Time not spent playing so far."""
    floor_s: FloatArray
    """The least lag of all that were merged into it; decides when there is room."""
    quality: FloatArray
    """Score so far, without the cost of the lag."""
    rung: NDArray[np.int64]
    """Rung of the newest segment."""
    parent: NDArray[np.int64]
    """Place of the plan it continues."""


def road(trace: Trace, rtt_s: float, overhead_bytes: float, server_s: float) -> Road:
    """``trace`` with the costs of a request; ``rtt_s`` is for traces that have none."""
    rtts = np.full(len(trace.capacity_bps), rtt_s) if trace.rtt_s is None else trace.rtt_s
    offered = np.concatenate((np.zeros(1), np.cumsum(np.diff(trace.times_s) * trace.capacity_bps)))
    return Road(
        np.array(trace.times_s),
        offered,
        np.array(trace.capacity_bps),
        np.array(rtts, dtype=np.float64),
        np.array([_ENDS.index(trace.end), overhead_bytes, server_s], dtype=np.float64),
    )


# --- one request ---------------------------------------------------------------------------


def last_at_most(values: FloatArray, value: float) -> int:
    """Index of the last of ascending ``values`` that is at most ``value``; -1 for none."""
    low, high = -1, len(values) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if values[middle] <= value:
            low = middle
        else:
            high = middle - 1
    return low


def folded_s(way: Road, t_s: float) -> tuple[float, float]:
    """Whole passes of the trace before ``t_s``, and the time within the next."""
    period_s = way.times_s[-1]
    if way.costs[0] != _LOOP or t_s < period_s:
        return 0.0, t_s
    rounds = math.floor(t_s / period_s)
    rest_s = t_s - rounds * period_s
    if rest_s < 0:
        return rounds - 1.0, rest_s + period_s
    if rest_s >= period_s:
        return rounds + 1.0, rest_s - period_s
    return float(rounds), rest_s


def period_at(way: Road, rest_s: float) -> int:
    """The period that a time within a pass falls in."""
    return min(max(last_at_most(way.times_s, rest_s), 0), len(way.capacity_bps) - 1)


def bits_by(way: Road, t_s: float) -> float:
    """Bits the link can deliver in ``[0, t_s]``, as ``Trace.bits_by``."""
    rounds, rest_s = folded_s(way, t_s)
    last = len(way.capacity_bps)
    if way.costs[0] > _HOLD and rest_s >= way.times_s[last]:
        return float(way.offered_bits[last])
    k = period_at(way, rest_s)
    within = way.offered_bits[k] + (rest_s - way.times_s[k]) * way.capacity_bps[k]
    return float(rounds * way.offered_bits[last] + within)


def time_of(way: Road, bits: float) -> float:
    """Earliest time by which ``bits`` can have come, as ``Trace.time_of``; inf when never."""
    last = len(way.capacity_bps)
    total, period_s = way.offered_bits[last], way.times_s[last]
    slack = _SLACK_BITS + 1e-15 * bits
    rounds = 0.0
    if bits > total + slack:
        if way.costs[0] == _HOLD and way.capacity_bps[last - 1] > 0:
            return float(period_s + (bits - total) / way.capacity_bps[last - 1])
        if way.costs[0] != _LOOP or not bits < math.inf:
            return math.inf
        rounds = max(math.ceil((bits - slack) / total) - 1.0, 0.0)
        bits -= rounds * total
    bits = min(bits, total)
    # The first bound at which that many bits, less the slack, have been offered.
    bound = last_at_most(way.offered_bits, bits - slack)
    while bound >= 0 and way.offered_bits[bound] == bits - slack:
        bound -= 1
    bound += 1
    if bound == 0:
        return float(rounds * period_s)
    begin_s = way.times_s[bound - 1]
    took_s = (bits - way.offered_bits[bound - 1]) / way.capacity_bps[bound - 1]
    return float(rounds * period_s + min(max(begin_s + took_s, begin_s), way.times_s[bound]))


def arrival_s(way: Road, request_s: float, size_bytes: float, is_first: bool) -> float:
    """When the last byte of a response is here that is asked for at ``request_s``."""
    ready_s = request_s
    if is_first:
        ready_s += way.rtt_s[period_at(way, folded_s(way, ready_s)[1])]
    ready_s += way.rtt_s[period_at(way, folded_s(way, ready_s)[1])] + way.costs[2]
    bits = bits_by(way, ready_s) + 8 * (size_bytes + way.costs[1])
    return float(max(ready_s, time_of(way, bits)))


# --- many states at once -------------------------------------------------------------------


def all_folded_s(way: Road, t_s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """``folded_s`` of every time."""
    period_s = way.times_s[-1]
    if way.costs[0] != _LOOP:
        return np.zeros(len(t_s)), t_s
    rounds = np.floor(t_s / period_s)
    rest_s = t_s - rounds * period_s
    off = np.where(rest_s < 0, -1.0, np.where(rest_s >= period_s, 1.0, 0.0))
    return rounds + off, rest_s - off * period_s


def all_periods(way: Road, rest_s: FloatArray) -> NDArray[np.int64]:
    """``period_at`` of every time."""
    found = np.searchsorted(way.times_s, rest_s, side="right") - 1
    return np.minimum(np.maximum(found, 0), len(way.capacity_bps) - 1)


def all_bits_at_first_byte(way: Road, request_s: FloatArray) -> FloatArray:
    """What the link has offered by the first byte of each response; not of the first."""
    ready_s = request_s + way.rtt_s[all_periods(way, all_folded_s(way, request_s)[1])]
    return all_bits_by(way, ready_s + way.costs[2])


def all_bits_by(way: Road, t_s: FloatArray) -> FloatArray:
    """``bits_by`` of every time."""
    rounds, rest_s = all_folded_s(way, t_s)
    k = all_periods(way, rest_s)
    last = len(way.capacity_bps)
    bits = way.offered_bits[k] + (rest_s - way.times_s[k]) * way.capacity_bps[k]
    if way.costs[0] > _HOLD:
        bits = np.where(rest_s >= way.times_s[last], way.offered_bits[last], bits)
    offered: FloatArray = rounds * way.offered_bits[last] + bits
    return offered


def all_times_of(way: Road, bits: FloatArray) -> FloatArray:
    """``time_of`` of every number of bits."""
    last = len(way.capacity_bps)
    total, period_s = way.offered_bits[last], way.times_s[last]
    slack = _SLACK_BITS + 1e-15 * bits
    rounds = np.zeros(len(bits))
    if way.costs[0] == _LOOP:
        rounds = np.maximum(np.ceil((bits - slack) / total) - 1.0, 0.0)
    within = np.minimum(bits - rounds * total, total)
    bound = np.maximum(np.searchsorted(way.offered_bits, within - slack, side="left"), 1)
    begin_s = way.times_s[bound - 1]
    took_s = (within - way.offered_bits[bound - 1]) / np.maximum(way.capacity_bps[bound - 1], 1e-9)
    done_s: FloatArray = rounds * period_s + np.minimum(
        np.maximum(begin_s + took_s, begin_s), way.times_s[bound]
    )
    if way.costs[0] == _LOOP:
        return done_s
    beyond = bits > total + slack
    rate_bps = way.capacity_bps[last - 1]
    if way.costs[0] == _HOLD and rate_bps > 0:
        return np.where(beyond, period_s + (bits - total) / rate_bps, done_s)
    return np.where(beyond, np.inf, done_s)


def useful_of(
    order: NDArray[np.int64],
    plans: Plans,
    stall_per_s: float,
    slack: float,
    is_strict: bool,
    merges: bool,
    kept: NDArray[np.int64],
) -> int:
    """Put those of one rung into ``kept`` that none before them in ``order`` makes useless.

    What another matches within ``slack`` goes too; unless ``is_strict``, scores alone
    are compared. With ``merges`` the other gets the better of both, in place.

    Returns:
        How many are kept.
    """
    count = 0
    quality, lag_s, floor_s = plans.quality, plans.lag_s, plans.floor_s
    first, second = -1, -1  # of those kept, the one of most score, and of most quality
    first_score, second_score = -math.inf, -math.inf
    for place in range(len(order)):
        i = order[place]
        score = quality[i] - stall_per_s * lag_s[i]
        if not score > -math.inf:
            continue
        by = -1
        if first >= 0:
            enough = quality[first] >= quality[i] - slack or not is_strict
            if first_score >= score - slack and enough:
                by = first
            elif second_score >= score - slack and quality[second] >= quality[i] - slack:
                by = second
        if by < 0:
            kept[count] = i
            count += 1
            if score > first_score:
                first, first_score = i, score
            if second < 0 or quality[i] > quality[second]:
                second, second_score = i, score
        elif merges:
            quality[by] = max(quality[by], quality[i])
            # So much lag that the score is no less than the one that goes.
            lag_s[by] = min(lag_s[by], (quality[by] - score) / stall_per_s)
            floor_s[by] = min(floor_s[by], floor_s[i])
            first_score = quality[first] - stall_per_s * lag_s[first]
            second_score = quality[second] - stall_per_s * lag_s[second]
    return count


def drop_across_rungs(
    plans: Plans,
    worth: FloatArray,
    weights: Weights,
    is_strict: bool,
    merges: bool,
    is_kept: FloatArray,
) -> None:
    """Clear ``is_kept`` of plans that one of another rung makes useless, switch included."""
    rungs = len(worth)
    stall = weights.stall_per_s
    best = np.full(rungs, -1, dtype=np.int64)
    best_score = np.full(rungs, -math.inf)
    order = np.argsort(plans.request_s, kind="mergesort")
    for place in range(len(order)):
        i = order[place]
        rung = int(plans.rung[i])
        score = plans.quality[i] - stall * plans.lag_s[i]
        for other in range(rungs):
            by = best[other]
            if other == rung or by < 0:
                continue
            cost = weights.smooth_per_mbps * abs(worth[other] - worth[rung])
            enough = plans.quality[by] - cost >= plans.quality[i] or not is_strict
            if best_score[other] - cost >= score and enough:
                is_kept[i] = 0.0
                if merges:
                    plans.floor_s[by] = min(plans.floor_s[by], plans.floor_s[i])
                break
        if is_kept[i] > 0 and score > best_score[rung]:
            best[rung], best_score[rung] = i, score


def taken(plans: Plans, chosen: NDArray[np.int64]) -> Plans:
    """The chosen plans, in that order."""
    return Plans(
        plans.request_s[chosen],
        plans.lag_s[chosen],
        plans.floor_s[chosen],
        plans.quality[chosen],
        plans.rung[chosen],
        plans.parent[chosen],
    )


def thinned(
    plans: Plans,
    stall_per_s: float,
    width: int,
    is_strict: bool,
    merges: bool,
    kept: NDArray[np.int64],
) -> int:
    """Put at most ``width`` of one rung's plans, earliest request first, into ``kept``."""
    order = np.argsort(plans.request_s, kind="mergesort")
    if len(order) <= width:
        kept[: len(order)] = order
        return len(order)
    score = plans.quality - stall_per_s * plans.lag_s
    slack = max(float(np.max(score) - np.min(score)) / (2 * width), 1e-9)
    while True:
        copy = Plans(
            plans.request_s,
            plans.lag_s.copy(),
            plans.floor_s.copy(),
            plans.quality.copy(),
            plans.rung,
            plans.parent,
        )
        count = useful_of(order, copy, stall_per_s, slack, is_strict, merges, kept)
        if count <= width:
            break
        slack *= 1.5
    plans.lag_s[:], plans.floor_s[:], plans.quality[:] = copy.lag_s, copy.floor_s, copy.quality
    return count


def thinned_all(
    found: Plans,
    is_kept: FloatArray,
    rungs: int,
    stall_per_s: float,
    width: int,
    is_strict: bool,
    merges: bool,
    left: NDArray[np.int64],
) -> int:
    """Put at most ``width`` plans of each rung into ``left``; how many they are."""
    kept = np.zeros(len(is_kept), dtype=np.int64)
    total = 0
    for rung in range(rungs):
        members = np.flatnonzero((found.rung == rung) & (is_kept > 0))
        if len(members) == 0:
            continue
        group = taken(found, members)
        count = thinned(group, stall_per_s, width, is_strict, merges, kept)
        for j in range(count):
            i = members[kept[j]]
            found.lag_s[i], found.floor_s[i] = group.lag_s[kept[j]], group.floor_s[kept[j]]
            found.quality[i] = group.quality[kept[j]]
            left[total] = i
            total += 1
    return total


class Future(NamedTuple):
    """How much quality bits can buy from each segment on, if they came at any time."""

    least_bits: FloatArray
    """Bits of the lowest rung of all segments from k on, shape (N,)."""
    least_worth: FloatArray
    """Their quality, shape (N,)."""
    more_bits: FloatArray
    """Further bits, those that buy most first, summed up, shape (N, N (R - 1) + 1)."""
    more_worth: FloatArray
    """The quality they add, summed up."""


def future_of(worth: FloatArray, sizes_bytes: FloatArray, way: Road) -> Future:
    """The curves of one film: per segment the hull of its rungs, greedily added up."""
    rungs, segments = sizes_bytes.shape
    bits = np.zeros(segments * max(rungs - 1, 1))
    gain = np.zeros(segments * max(rungs - 1, 1))
    owner = np.zeros(segments * max(rungs - 1, 1), dtype=np.int64)
    count = 0
    for k in range(segments):
        rung = 0
        while rung + 1 < rungs:
            # The rung above that buys most per bit; those passed over never pay.
            best, best_slope = rung + 1, -math.inf
            for above in range(rung + 1, rungs):
                extra = 8 * max(sizes_bytes[above, k] - sizes_bytes[rung, k], 1e-6)
                slope = (worth[above] - worth[rung]) / extra
                if slope >= best_slope:
                    best, best_slope = above, slope
            bits[count] = 8 * max(sizes_bytes[best, k] - sizes_bytes[rung, k], 0.0)
            gain[count], owner[count] = worth[best] - worth[rung], k
            count += 1
            rung = best
    bits, gain, owner = bits[:count], gain[:count], owner[:count]
    order = np.argsort(-gain / np.maximum(bits, 1e-6))
    bits, gain, owner = bits[order], gain[order], owner[order]
    future = Future(
        np.zeros(segments),
        np.zeros(segments),
        np.zeros((segments, count + 1)),
        np.zeros((segments, count + 1)),
    )
    for k in range(segments):
        future.least_bits[k] = np.sum(8 * (sizes_bytes[0, k:] + way.costs[1]))
        future.least_worth[k] = worth[0] * (segments - k)
        future.more_bits[k, 1:] = np.cumsum(np.where(owner >= k, bits, 0.0))
        future.more_worth[k, 1:] = np.cumsum(np.where(owner >= k, gain, 0.0))
    return future


def at_most(
    future: Future,
    k: int,
    way: Road,
    offered: FloatArray,
    due_s: FloatArray,
    stall_per_s: float,
) -> FloatArray:
    """What plans can gain from segment ``k`` on, at most.

    Their last segment must be here by ``due_s`` or stall. All bits offered until then are
    counted, as if there were room for them, and no switch costs anything.
    """
    most = np.full(len(offered), -math.inf)
    spent_s = 0.0
    for step in range(9):
        allowed_s = 0.0 if step == 0 else 0.25 * 2.0**step
        bits = all_bits_by(way, due_s + allowed_s) - offered - future.least_bits[k]
        worth = np.interp(bits, future.more_bits[k], future.more_worth[k]) + future.least_worth[k]
        most = np.maximum(most, np.where(bits >= 0, worth - stall_per_s * spent_s, -math.inf))
        spent_s = allowed_s
    last = len(future.more_worth[k]) - 1
    beyond = future.least_worth[k] + future.more_worth[k, last] - stall_per_s * spent_s
    bound: FloatArray = np.maximum(most, beyond)
    return bound


def no_plans(count: int) -> Plans:
    """Room for ``count`` plans."""
    return Plans(
        np.zeros(count),
        np.zeros(count),
        np.zeros(count),
        np.zeros(count),
        np.zeros(count, dtype=np.int64),
        np.zeros(count, dtype=np.int64),
    )


def extended(
    plans: Plans,
    numbers: NDArray[np.int64],
    worth: FloatArray,
    weights: Weights,
    rung: int,
    done_s: FloatArray,
    media_s: float,
    fits_after_s: float,
) -> Plans:
    """``plans`` with one more segment of ``rung``, here at ``done_s``."""
    change = np.abs(worth[rung] - worth[plans.rung])
    floor_s = np.maximum(plans.floor_s, done_s - media_s)
    return Plans(
        # Whoever has to wait for room anyway gains nothing by being earlier.
        np.maximum(done_s, fits_after_s + floor_s),
        np.maximum(plans.lag_s, done_s - media_s),
        floor_s,
        plans.quality + worth[rung] - weights.smooth_per_mbps * change,
        np.full(len(done_s), rung),
        numbers,
    )


def traced(parents: NDArray[np.int64], played: NDArray[np.int64], last: int) -> FloatArray:
    """The rungs that led to the plan at ``last``."""
    place = last
    rungs = np.zeros(len(played))
    for k in range(len(played) - 1, -1, -1):
        rungs[k] = played[k, place]
        place = parents[k, place]
    return rungs


def search(
    ladder_bps: FloatArray,
    sizes_bytes: FloatArray,
    durations_s: FloatArray,
    way: Road,
    curves: Future,
    weights: Weights,
    max_buffer_s: float,
    width: int,
    is_strict: bool,
    merges: bool,
    known: float,
) -> tuple[FloatArray, float]:
    """The search of the module's docstring, segment by segment.

    Args:
        ladder_bps: As ``best_plan``, like all but the last three and ``curves``.
        sizes_bytes: Sizes.
        durations_s: Lengths.
        way: The link.
        curves: What ``future_of`` says of the film.
        weights: The score.
        max_buffer_s: The player's limit.
        width: Most plans kept per rung and segment.
        is_strict: Compare quality and score, not scores alone.
        merges: Merge instead of dropping.
        known: A score that some plan is known to have; what cannot reach it is dropped.

    Returns:
        Rungs, shape (N,), and their score; with ``merges`` the score is a bound, and the
        rungs are not worth much.
    """
    rungs, segments = sizes_bytes.shape
    worth = ladder_bps / 1e6
    stall = weights.stall_per_s
    parents = np.zeros((segments, rungs * width), dtype=np.int64)
    played = np.zeros((segments, rungs * width), dtype=np.int64)
    kept = np.zeros(rungs * rungs * width, dtype=np.int64)
    last_due_s = float(np.sum(durations_s[: segments - 1]))
    now_s = np.zeros(rungs)
    for rung in range(rungs):
        now_s[rung] = min(arrival_s(way, 0.0, sizes_bytes[rung, 0], True), _NEVER_S)
    media_s = durations_s[0]
    quality = worth + (stall - weights.startup_per_s) * now_s
    numbers = np.arange(rungs)
    plans = Plans(now_s, now_s.copy(), now_s.copy(), quality, numbers, numbers)
    played[0, :rungs] = numbers
    for k in range(1, segments):
        fits_s = media_s + plans.floor_s + durations_s[k] - max_buffer_s
        empty_s = media_s + plans.floor_s
        request_s = np.maximum(plans.request_s, np.minimum(fits_s, empty_s))
        offered = all_bits_at_first_byte(way, request_s)
        if known > -math.inf:
            more = at_most(curves, k, way, offered, last_due_s + plans.lag_s, stall)
            hopeful = np.flatnonzero(plans.quality - stall * plans.lag_s + more >= known - 1e-6)
            if len(hopeful) == 0:
                return np.zeros(segments), -math.inf
            former = hopeful
            plans, offered = taken(plans, hopeful), offered[hopeful]
            request_s = request_s[hopeful]
        else:
            former = np.arange(len(request_s))
        fits_after_s = media_s + durations_s[k] - max_buffer_s
        if k + 1 < segments:
            fits_after_s += durations_s[k + 1]
        else:
            fits_after_s = -math.inf
        found = no_plans(rungs * len(request_s))
        total = 0
        for rung in range(rungs):
            done_s = all_times_of(way, offered + 8 * (sizes_bytes[rung, k] + way.costs[1]))
            done_s = np.minimum(done_s, _NEVER_S)
            reached = extended(plans, former, worth, weights, rung, done_s, media_s, fits_after_s)
            count = useful_of(
                np.argsort(reached.request_s, kind="mergesort"),
                reached,
                stall,
                0.0,
                is_strict,
                merges,
                kept,
            )
            chosen = taken(reached, kept[:count])
            found.request_s[total : total + count] = chosen.request_s
            found.lag_s[total : total + count] = chosen.lag_s
            found.floor_s[total : total + count] = chosen.floor_s
            found.quality[total : total + count] = chosen.quality
            found.rung[total : total + count] = rung
            found.parent[total : total + count] = chosen.parent
            total += count
        found = taken(found, np.arange(total))
        is_kept = np.ones(total)
        drop_across_rungs(found, worth, weights, is_strict, merges, is_kept)
        left = np.zeros(rungs * width, dtype=np.int64)
        total = thinned_all(found, is_kept, rungs, stall, width, is_strict, merges, left)
        plans = taken(found, left[:total])
        parents[k, :total], played[k, :total] = plans.parent, plans.rung
        media_s += durations_s[k]
    score = plans.quality - stall * plans.lag_s
    best = int(np.argmax(score))
    value = float(score[best])
    return traced(parents, played, best), value


def best_plan(
    ladder_bps: FloatArray,
    sizes_bytes: FloatArray,
    durations_s: FloatArray,
    way: Road,
    weights: Weights,
    max_buffer_s: float,
    width: int,
) -> tuple[FloatArray, float]:
    """Rungs of the best plan found, shape (N,), and its score.

    Args:
        ladder_bps: Nominal rates, shape (R,).
        sizes_bytes: Sizes, shape (R, N).
        durations_s: Lengths, shape (N,).
        way: The link.
        weights: The score.
        max_buffer_s: The player's limit.
        width: Most plans kept per rung and segment.
    """
    narrow = width // 4 + 1
    curves = future_of(ladder_bps / 1e6, sizes_bytes, way)
    plan, score = search(
        ladder_bps, sizes_bytes, durations_s, way, curves, weights, max_buffer_s, narrow,
        False, False, -math.inf,
    )  # fmt: skip
    for each in range(2):
        is_strict = each == 1
        other, reached = search(
            ladder_bps, sizes_bytes, durations_s, way, curves, weights, max_buffer_s,
            narrow if is_strict else width, is_strict, False, score,
        )  # fmt: skip
        if reached > score:
            plan, score = other, reached
    return plan, score


def upper_bound(
    ladder_bps: FloatArray,
    sizes_bytes: FloatArray,
    durations_s: FloatArray,
    way: Road,
    weights: Weights,
    max_buffer_s: float,
    width: int,
    known: float,
) -> float:
    """What no plan can score more than; arguments as ``best_plan``, whose score is known."""
    curves = future_of(ladder_bps / 1e6, sizes_bytes, way)
    found = search(
        ladder_bps, sizes_bytes, durations_s, way, curves, weights, max_buffer_s, width,
        True, True, known,
    )[1]  # fmt: skip
    return max(found, known)


def score_of(
    rungs: FloatArray,
    ladder_bps: FloatArray,
    sizes_bytes: FloatArray,
    durations_s: FloatArray,
    way: Road,
    weights: Weights,
    max_buffer_s: float,
) -> float:
    """What one plan scores in the model, one request after the other."""
    now_s, lag_s, media_s, score = 0.0, 0.0, 0.0, 0.0
    before = int(rungs[0])
    for k in range(len(rungs)):
        rung = int(rungs[k])
        if k > 0:
            buffer_s = media_s + lag_s - now_s
            now_s += max(min(buffer_s + durations_s[k] - max_buffer_s, buffer_s), 0.0)
        now_s = arrival_s(way, now_s, sizes_bytes[rung, k], k == 0)
        late_s = max(now_s - media_s - lag_s, 0.0)
        score -= late_s * (weights.startup_per_s if k == 0 else weights.stall_per_s)
        score += ladder_bps[rung] / 1e6
        score -= weights.smooth_per_mbps * abs(ladder_bps[rung] - ladder_bps[before]) / 1e6
        lag_s += late_s
        media_s += durations_s[k]
        before = rung
    return score
