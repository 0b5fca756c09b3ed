"""The search for the best plan, segment by segment.

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

from abr.buffering import room_at_s
from abr.capacity import find_period, fold, response_bits, sum_bits, time_of, wait_for_first_byte
from abr.compilable import cells, numbers, rarely
from abr.media import FloatArray
from abr.planning.model import NEVER_S, OVERHEAD_BYTES, SERVER_S, KnownLink, Problem
from abr.planning.outlook import Outlook, hopeful_plans, outlook_of
from abr.planning.plans import (
    Plans,
    Rigour,
    by_request,
    drop_across_rungs,
    keep_useful,
    put,
    room_for_plans,
    scores_of,
    take,
    thin_each_rung,
)

_ROUNDING = 1e-6


class Requests(NamedTuple):
    """The next requests of plans, one a place."""

    sent_s: FloatArray
    """When they are sent."""
    offered_bits: FloatArray
    """What the link has offered by the first byte of the response."""
    period: NDArray[np.int64]
    """Period of the link then."""


def best_plan(problem: Problem, width: int) -> tuple[FloatArray, float]:
    """Rungs of the best plan found, shape (N,), and its score.

    Args:
        problem: What is planned.
        width: Most plans kept per rung and segment.
    """
    outlook = outlook_of(problem)
    passes = (
        Rigour(width // 4 + 1, False, False),
        Rigour(width, False, False),
        Rigour(width // 4 + 1, True, False),
    )
    plan, score = search(problem, outlook, passes[0], -math.inf)
    for rigour in passes[1:]:
        other, reached = search(problem, outlook, rigour, score)
        if reached > score:
            plan, score = other, reached
    return plan, score


def upper_bound(problem: Problem, width: int, known: float) -> float:
    """What no plan can score more than; ``known`` is the score of ``best_plan``."""
    found = search(problem, outlook_of(problem), Rigour(width, True, True), known)[1]
    return max(found, known)


def search(
    problem: Problem, outlook: Outlook, rigour: Rigour, known: float
) -> tuple[FloatArray, float]:
    """One pass over the segments.

    Args:
        problem: What is planned.
        outlook: What ``outlook_of`` says of it.
        rigour: Which plans are kept.
        known: A score that some plan is known to have; what cannot reach it is dropped.

    Returns:
        Rungs, shape (N,), and their score; when plans are merged the score is a bound, and
        the rungs are not worth much.
    """
    rungs, segments = problem.sizes_bytes.shape
    stall_per_s = problem.weights.stall_per_s
    link = bare_link(problem.link)
    last_due_s = float(np.sum(problem.durations_s[: segments - 1]))
    parents = np.zeros((segments, rungs * rigour.width), dtype=np.int64)
    played = np.zeros((segments, rungs * rigour.width), dtype=np.int64)
    plans, media_s = begin_plans(problem), problem.durations_s[0]
    played[0, :rungs] = plans.rung
    for k in range(1, segments):
        request_s = next_requests_s(problem, plans, k, media_s)
        requests = send(link, request_s)
        former = np.arange(len(request_s))
        if known > -math.inf:
            former = hopeful_plans(
                outlook,
                k,
                link,
                requests.offered_bits,
                last_due_s + plans.lag_s,
                scores_of(plans, stall_per_s),
                stall_per_s,
                known - _ROUNDING,
            )
            if len(former) == 0:
                return np.zeros(segments), -math.inf
            plans = take(plans, former)
            requests = Requests(
                request_s[former], requests.offered_bits[former], requests.period[former]
            )
        found = extend_each_rung(problem, link, plans, requests, former, k, media_s, rigour)
        is_kept = np.ones(len(found.request_s))
        drop_across_rungs(found, problem.utility, problem.weights, rigour, is_kept)
        plans = thin_each_rung(found, is_kept, rungs, stall_per_s, rigour)
        count = len(plans.rung)
        parents[k, :count], played[k, :count] = plans.parent, plans.rung
        media_s += problem.durations_s[k]
    score = scores_of(plans, stall_per_s)
    best = int(np.argmax(score))
    return trace_back(parents, played, best), float(score[best])


def bare_link(link: KnownLink) -> KnownLink:
    """The same numbers, as they are looked up fastest."""
    return KnownLink(
        numbers(link.times_s),
        numbers(link.offered_bits),
        numbers(link.capacity_bps),
        numbers(link.rtt_s),
        numbers(link.costs),
    )


def begin_plans(problem: Problem) -> Plans:
    """A plan for each rung of the first segment."""
    now_s, weights = problem.first_s.copy(), problem.weights
    places = np.arange(len(now_s))
    played = np.zeros(len(places), dtype=np.int64)
    for rung in range(len(places)):
        played[rung] = 1 << rung
    quality = problem.utility + (weights.stall_per_s - weights.startup_per_s) * now_s
    return Plans(now_s, now_s.copy(), now_s.copy(), quality, places, places, played)


def next_requests_s(problem: Problem, plans: Plans, k: int, media_s: float) -> FloatArray:
    """When plans ask for segment ``k``, once it fits; ``media_s`` lie before it."""
    times_s = plans.request_s.copy()
    into, floors_s = cells(times_s), numbers(plans.floor_s)
    duration_s = float(problem.durations_s[k])
    for i in range(len(floors_s)):
        fits_s = room_at_s(media_s + floors_s[i], duration_s, problem.max_buffer_s)
        into[i] = max(into[i], fits_s)
    return times_s


def send(link: KnownLink, request_s: FloatArray) -> Requests:
    """Requests over open connections, as far as their first bytes."""
    count = len(request_s)
    requests = Requests(request_s, np.zeros(count), np.zeros(count, dtype=np.int64))
    offered, periods = cells(requests.offered_bits), cells(requests.period)
    at_s, near, server_s = numbers(request_s), 0, link.costs[SERVER_S]
    for i in range(len(at_s)):
        first_byte_s, near = wait_for_first_byte(link, at_s[i], True, server_s, near)
        rounds, rest_s = fold(link, first_byte_s)
        near = find_period(link, rest_s, near)
        periods[i], offered[i] = near, sum_bits(link, rounds, rest_s, near)
    return requests


def arrivals_s(link: KnownLink, requests: Requests, size_bytes: float) -> FloatArray:
    """When segments of ``size_bytes`` are here."""
    times_s = np.zeros(len(requests.period))
    into, offered, periods = (
        cells(times_s),
        numbers(requests.offered_bits),
        numbers(requests.period),
    )
    bits = response_bits(size_bytes, link.costs[OVERHEAD_BYTES])
    for i in range(len(periods)):
        into[i] = min(time_of(link, offered[i] + bits, periods[i]), NEVER_S)
    return times_s


@rarely
def later_arrivals_s(link: KnownLink, request_s: FloatArray, size_bytes: float) -> FloatArray:
    """When bodies of ``size_bytes`` are here that are asked for at each of ``request_s``."""
    return arrivals_s(link, send(link, request_s), size_bytes)


@rarely
def await_playlists(
    problem: Problem,
    link: KnownLink,
    plans: Plans,
    requests: Requests,
    rung: int,
    k: int,
    done_s: FloatArray,
) -> None:
    """Correct ``done_s`` of plans in which ``rung`` is new: its playlist comes first."""
    new = np.flatnonzero((plans.played >> rung) & 1 == 0)
    if len(new) > 0:
        listed_s = requests.sent_s[new]
        if rung > 0:  # the playlist of rung 0 is fetched before all
            listed_s = later_arrivals_s(link, listed_s, float(problem.playlist_bytes[rung]))
        size_bytes = problem.sizes_bytes[rung, k] + problem.init_bytes[rung]
        done_s[new] = later_arrivals_s(link, listed_s, float(size_bytes))


def extend_each_rung(
    problem: Problem,
    link: KnownLink,
    plans: Plans,
    requests: Requests,
    former: NDArray[np.int64],
    k: int,
    media_s: float,
    rigour: Rigour,
) -> Plans:
    """``plans``, at the places ``former``, with segment ``k`` at each rung; the useful ones."""
    rungs = len(problem.utility)
    fits_after_s = -math.inf  # after the last segment nothing waits for room
    if k + 1 < len(problem.durations_s):
        fits_after_s = (
            media_s + problem.durations_s[k] + problem.durations_s[k + 1] - problem.max_buffer_s
        )
    found = room_for_plans(rungs * len(plans.rung))
    kept = np.zeros(len(plans.rung), dtype=np.int64)
    total = 0
    for rung in range(rungs):
        done_s = arrivals_s(link, requests, float(problem.sizes_bytes[rung, k]))
        if len(problem.playlist_bytes) > 0:
            await_playlists(problem, link, plans, requests, rung, k, done_s)
        if len(problem.audio_bytes) > 0:
            done_s = later_arrivals_s(link, done_s, float(problem.audio_bytes[k]))
        longer = extend(problem, plans, former, rung, done_s, media_s, fits_after_s)
        order = by_request(longer)
        count = keep_useful(order, longer, problem.weights.stall_per_s, 0.0, rigour, kept)
        total = put(take(longer, kept[:count]), found, total)
    return take(found, np.arange(total))


def extend(
    problem: Problem,
    plans: Plans,
    former: NDArray[np.int64],
    rung: int,
    done_s: FloatArray,
    media_s: float,
    fits_after_s: float,
) -> Plans:
    """``plans`` with one more segment of ``rung``, here at ``done_s``."""
    utility = problem.utility
    change = np.abs(utility[rung] - utility[plans.rung])
    floor_s = np.maximum(plans.floor_s, done_s - media_s)
    return Plans(
        # Whoever has to wait for room anyway gains nothing by being earlier.
        np.maximum(done_s, fits_after_s + floor_s),
        np.maximum(plans.lag_s, done_s - media_s),
        floor_s,
        plans.quality + utility[rung] - problem.weights.smooth_per_mbps * change,
        np.full(len(done_s), rung),
        former,
        plans.played | (1 << rung),
    )


def trace_back(parents: NDArray[np.int64], played: NDArray[np.int64], last: int) -> FloatArray:
    """The rungs that led to the plan at ``last``."""
    place = last
    rungs = np.zeros(len(played))
    for k in range(len(played) - 1, -1, -1):
        rungs[k] = played[k, place]
        place = parents[k, place]
    return rungs
