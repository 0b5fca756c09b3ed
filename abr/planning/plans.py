"""Which of many plans for the segments so far are worth extending.

After segment k a plan is at a time T and has a lag L, the time not spent playing so far;
the buffer runs out at L plus the media fetched. The lag only ever becomes
``max(L, T - media before k)``, so a plan's final score is its quality Q less
``stall_per_s L``. Of two plans that end with the same rung, one is at least as good for
ever when it is no later, and has no less of Q nor of Q less the stall cost: whatever the
other does next, it can do too. (A larger lag may then mean a later request when the buffer
is full, and a rung not played yet needs its playlist where there are side files. The search
for the best plan neglects both; the bound does not.)
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from abr.compilable import cells, numbers
from abr.media import FloatArray
from abr.planning.model import Weights

Places = NDArray[np.int64]


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
    played: NDArray[np.int64]
    """Bit r: some segment is of rung r, so its playlist and initialisation section are here."""


class Rigour(NamedTuple):
    """How plans are compared, and how many are kept."""

    width: int
    """Most plans kept per rung and segment."""
    is_strict: bool
    """Compare quality and score, not scores alone."""
    merges: bool
    """A plan that goes leaves the better of both in every respect to the one that stays."""


def room_for_plans(count: int) -> Plans:
    """Room for ``count`` plans."""
    return Plans(
        np.zeros(count),
        np.zeros(count),
        np.zeros(count),
        np.zeros(count),
        np.zeros(count, dtype=np.int64),
        np.zeros(count, dtype=np.int64),
        np.zeros(count, dtype=np.int64),
    )


def take(plans: Plans, chosen: Places) -> Plans:
    """The chosen plans, in that order."""
    return Plans(
        plans.request_s[chosen],
        plans.lag_s[chosen],
        plans.floor_s[chosen],
        plans.quality[chosen],
        plans.rung[chosen],
        plans.parent[chosen],
        plans.played[chosen],
    )


def put(plans: Plans, into: Plans, begin: int) -> int:
    """Copy ``plans`` to where ``begin`` says; the place after the last of them."""
    end = begin + len(plans.request_s)
    into.request_s[begin:end] = plans.request_s
    into.lag_s[begin:end] = plans.lag_s
    into.floor_s[begin:end] = plans.floor_s
    into.quality[begin:end] = plans.quality
    into.rung[begin:end] = plans.rung
    into.parent[begin:end] = plans.parent
    into.played[begin:end] = plans.played
    return end


def scores_of(plans: Plans, stall_per_s: float) -> FloatArray:
    """What plans would score if the presentation ended here."""
    score: FloatArray = plans.quality - stall_per_s * plans.lag_s
    return score


def by_request(plans: Plans) -> Places:
    """Places of plans, earliest next request first."""
    return np.argsort(plans.request_s, kind="mergesort")


def keep_useful(
    order: Places, plans: Plans, stall_per_s: float, slack: float, rigour: Rigour, kept: Places
) -> int:
    """Put those of one rung into ``kept`` that none before them in ``order`` makes useless.

    What another matches within ``slack`` goes too. With ``rigour.merges`` the other gets
    the better of both, in place.

    Returns:
        How many are kept.
    """
    count = 0
    quality, lag_s, floor_s = cells(plans.quality), cells(plans.lag_s), cells(plans.floor_s)
    played = cells(plans.played)
    first, second = -1, -1  # of those kept, the one of most score, and of most quality
    first_score, second_score = -math.inf, -math.inf
    places = numbers(order)
    for place in range(len(places)):
        i = places[place]
        score = quality[i] - stall_per_s * lag_s[i]
        if not score > -math.inf:
            continue
        by = -1
        if first >= 0:
            enough = quality[first] >= quality[i] - slack or not rigour.is_strict
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
        elif rigour.merges:
            quality[by] = max(quality[by], quality[i])
            # So much lag that the score is no less than the one that goes.
            lag_s[by] = min(lag_s[by], (quality[by] - score) / stall_per_s)
            floor_s[by] = min(floor_s[by], floor_s[i])
            played[by] |= played[i]
            first_score = quality[first] - stall_per_s * lag_s[first]
            second_score = quality[second] - stall_per_s * lag_s[second]
    return count


def drop_across_rungs(
    plans: Plans, utility: FloatArray, weights: Weights, rigour: Rigour, is_kept: FloatArray
) -> None:
    """Clear ``is_kept`` of plans that one of another rung makes useless, switch included."""
    best = np.full(len(utility), -1, dtype=np.int64)
    best_score = np.full(len(utility), -math.inf)
    scores = scores_of(plans, weights.stall_per_s)
    order = by_request(plans)
    _drop(plans, scores, order, utility, weights, rigour, best, best_score, is_kept)


def _drop(
    plans: Plans,
    all_scores: FloatArray,
    places: Places,
    utility: FloatArray,
    weights: Weights,
    rigour: Rigour,
    best_places: Places,
    best_scores: FloatArray,
    is_kept: FloatArray,
) -> None:
    """Of each rung the best of those before is in ``best_places`` and ``best_scores``."""
    rungs = len(utility)
    gains, scores, order = numbers(utility), numbers(all_scores), numbers(places)
    quality, floor_s, rung_of = cells(plans.quality), cells(plans.floor_s), numbers(plans.rung)
    best, best_score, kept = cells(best_places), cells(best_scores), cells(is_kept)
    played = cells(plans.played)
    for place in range(len(order)):
        i = order[place]
        rung, score = rung_of[i], scores[i]
        for other in range(rungs):
            by = best[other]
            if other == rung or by < 0:
                continue
            cost = weights.smooth_per_mbps * abs(gains[other] - gains[rung])
            enough = quality[by] - cost >= quality[i] or not rigour.is_strict
            if best_score[other] - cost >= score and enough:
                kept[i] = 0.0
                if rigour.merges:
                    floor_s[by] = min(floor_s[by], floor_s[i])
                    played[by] |= played[i]
                break
        if kept[i] > 0 and score > best_score[rung]:
            best[rung], best_score[rung] = i, score


def thin(plans: Plans, stall_per_s: float, rigour: Rigour, kept: Places) -> int:
    """Put at most ``rigour.width`` of one rung's plans, earliest request first, into ``kept``.

    When there are more, also those go that another nearly matches.

    Returns:
        How many are kept.
    """
    order, width = by_request(plans), rigour.width
    if len(order) <= width:
        kept[: len(order)] = order
        return len(order)
    score = scores_of(plans, stall_per_s)
    slack = max(float(np.max(score) - np.min(score)) / (2 * width), 1e-9)
    while True:
        copy = Plans(
            plans.request_s,
            plans.lag_s.copy(),
            plans.floor_s.copy(),
            plans.quality.copy(),
            plans.rung,
            plans.parent,
            plans.played.copy(),
        )
        count = keep_useful(order, copy, stall_per_s, slack, rigour, kept)
        if count <= width:
            break
        slack *= 1.5
    plans.lag_s[:], plans.floor_s[:], plans.quality[:] = copy.lag_s, copy.floor_s, copy.quality
    plans.played[:] = copy.played
    return count


def thin_each_rung(
    found: Plans, is_kept: FloatArray, rungs: int, stall_per_s: float, rigour: Rigour
) -> Plans:
    """At most ``rigour.width`` plans of each rung, of those that ``is_kept`` marks."""
    kept = np.zeros(len(is_kept), dtype=np.int64)
    left = np.zeros(rungs * rigour.width, dtype=np.int64)
    total = 0
    for rung in range(rungs):
        members = np.flatnonzero((found.rung == rung) & (is_kept > 0))
        if len(members) == 0:
            continue
        group = take(found, members)
        count = thin(group, stall_per_s, rigour, kept)
        for j in range(count):
            i = members[kept[j]]
            found.lag_s[i], found.floor_s[i] = group.lag_s[kept[j]], group.floor_s[kept[j]]
            found.quality[i], found.played[i] = group.quality[kept[j]], group.played[kept[j]]
            left[total] = i
            total += 1
    return take(found, left[:total])
