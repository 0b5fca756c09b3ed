"""What must hold for every network and every pattern of requests."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abr import capacity
from abr.link import LinkEvent, SharedLink
from abr.trace import Trace

PERIODS = st.lists(
    st.tuples(st.sampled_from([0.2, 1.0, 3.7]), st.sampled_from([0.0, 4e5, 2e6, 9e6])),
    min_size=1,
    max_size=5,
).filter(lambda rows: any(c for _, c in rows))
REQUESTS = st.lists(
    st.tuples(st.floats(0, 8), st.sampled_from([0.0, 1e3, 2e5, 1e6])), min_size=1, max_size=9
)
CANCELS = st.lists(st.tuples(st.floats(0, 12), st.integers(0, 8)), max_size=4)
STEPS = st.lists(st.floats(0, 40), max_size=30)


def play(
    periods: list[tuple[float, float]],
    requests: list[tuple[float, float]],
    cancels: list[tuple[float, int]],
    looks: list[float],
    connections: int,
) -> tuple[list[LinkEvent], SharedLink, Trace]:
    """All events of the plan, with extra looks in between."""
    trace = Trace.from_periods(periods)
    link = SharedLink(trace, rtt_s=0.05, connections=connections)
    plan: list[tuple[float, int, int, float]] = [
        (t_s, 0, flow, size) for flow, (t_s, size) in enumerate(requests)
    ]
    plan += [(t_s, 1, flow, 0.0) for t_s, flow in cancels]
    plan += [(t_s, 2, 0, 0.0) for t_s in looks]
    events: list[LinkEvent] = []
    for t_s, kind, flow, size in sorted(plan):
        if kind == 0:
            link.request(flow, size, t_s)
        elif kind == 1:
            link.cancel(flow, t_s)
        else:
            events += link.advance(t_s)
    while (at_s := link.next_event_s()) < math.inf:
        events += link.advance(at_s)
    return events, link, trace


@settings(max_examples=100)
@given(PERIODS, REQUESTS, CANCELS, STEPS, st.integers(1, 6))
def test_looking_often_changes_no_event(
    periods: list[tuple[float, float]],
    requests: list[tuple[float, float]],
    cancels: list[tuple[float, int]],
    looks: list[float],
    connections: int,
) -> None:
    """One long step and many short ones give equal events, to the last bit."""
    often, *_ = play(periods, requests, cancels, looks, connections)
    once, *_ = play(periods, requests, cancels, [], connections)
    assert often == once


@settings(max_examples=100)
@given(PERIODS, REQUESTS, CANCELS, st.integers(1, 6))
def test_every_flow_ends_once_and_in_order(
    periods: list[tuple[float, float]],
    requests: list[tuple[float, float]],
    cancels: list[tuple[float, int]],
    connections: int,
) -> None:
    events, link, _ = play(periods, requests, cancels, [], connections)
    assert [e.time_s for e in events] == sorted(e.time_s for e in events)
    ended = [e.flow for e in events if e.kind == "finished"]
    assert len(ended) == len(set(ended))
    given_up = {flow for _, flow in cancels}
    assert {*range(len(requests))} - given_up <= set(ended)
    for flow in ended:
        assert link.received_bytes(flow, 1e6) == requests[flow][1]


@settings(max_examples=100)
@given(PERIODS, REQUESTS, st.integers(1, 6), st.floats(0, 20))
def test_bytes_are_conserved(
    periods: list[tuple[float, float]],
    requests: list[tuple[float, float]],
    connections: int,
    until_s: float,
) -> None:
    """Bytes received by t are what the trace offered while anybody was receiving."""
    events, *_ = play(periods, requests, [], [], connections)
    trace = Trace.from_periods(periods)
    link = SharedLink(trace, rtt_s=0.05, connections=connections)
    asked = [(t, f, s) for f, (t, s) in enumerate(requests) if t <= until_s]
    for t_s, flow, size in sorted(asked):
        link.request(flow, size, t_s)
    received = sum(link.received_bytes(flow, until_s) for _, flow, _ in asked)
    active, since_s, offered = 0, 0.0, 0.0
    for event in [*events, LinkEvent(math.inf, -1, "finished")]:
        end_s = min(event.time_s, until_s)
        if active and end_s > since_s:
            offered += (trace.bits_by(end_s) - trace.bits_by(since_s)) / 8
        active += 1 if event.kind == "first_byte" else -1
        since_s = end_s
    assert received == pytest.approx(offered, abs=1, rel=1e-9)


@settings(max_examples=60)
@given(PERIODS, REQUESTS, st.integers(1, 6))
def test_events_equal_those_of_a_plain_simulation(
    periods: list[tuple[float, float]], requests: list[tuple[float, float]], connections: int
) -> None:
    """A step from bound to bound of the trace, without closed forms, says the same."""
    events, *_ = play(periods, requests, [], [], connections)
    plain = _plain(periods, requests, connections)
    ours = sorted((e.flow, e.kind, e.time_s) for e in events)
    theirs = sorted(plain)
    assert [e[:2] for e in ours] == [e[:2] for e in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        assert mine[2] == pytest.approx(other[2], abs=1e-5)


def _plain(
    periods: list[tuple[float, float]], requests: list[tuple[float, float]], connections: int
) -> list[tuple[int, str, float]]:
    rtt_s, nearly_nothing = 0.05, 1e-4
    bounds = [0.0]
    for duration_s, _ in periods:
        bounds.append(bounds[-1] + duration_s)
    t_s, idle, unopened = 0.0, 0, connections
    waiting: list[int] = []
    todo = sorted((t, flow) for flow, (t, _) in enumerate(requests))
    coming: dict[int, float] = {}
    left: dict[int, float] = {}
    events: list[tuple[int, str, float]] = []
    while todo or waiting or coming or left:
        for flow in [f for f, bits in left.items() if bits <= nearly_nothing]:
            del left[flow]
            idle += 1
            events.append((flow, "finished", t_s))
        while todo and todo[0][0] <= t_s:
            waiting.append(todo.pop(0)[1])
        while waiting and (idle or unopened):
            trips = 1 if idle else 2
            idle, unopened = (idle - 1, unopened) if idle else (idle, unopened - 1)
            coming[waiting.pop(0)] = t_s + trips * rtt_s
        for flow in [f for f, at_s in coming.items() if at_s <= t_s]:
            del coming[flow]
            left[flow] = 8 * requests[flow][1]
            events.append((flow, "first_byte", t_s))
        if any(bits <= nearly_nothing for bits in left.values()):
            continue
        passes = math.floor(t_s / bounds[-1] + 1e-12)
        within_s = max(t_s - passes * bounds[-1], 0.0)
        k = max(i for i, b in enumerate(bounds[:-1]) if b <= within_s + 1e-9)
        rate = periods[k][1]
        steps = [passes * bounds[-1] + bounds[k + 1] - t_s]
        steps += [t - t_s for t, _ in todo[:1]] + [t - t_s for t in coming.values()]
        if left and rate:
            steps.append(min(left.values()) * len(left) / rate)
        step_s = max(min(steps), 0.0) if min(steps) > 1e-12 else 1e-10
        for flow in left:
            left[flow] -= rate * step_s / len(left)
        nexts = [t for t, _ in todo[:1]] + list(coming.values())
        t_s = next((t for t in nexts if t - t_s == step_s), t_s + step_s)
    return events


@settings(max_examples=200)
@given(
    PERIODS,
    st.floats(0, 200),
    st.floats(0, 20, exclude_min=True),
    st.sampled_from([0.0, 1.0, 2.0, 7.0, 19.0, 1e7]),
    st.integers(0, 4),
    st.sampled_from(["loop", "hold", "end"]),
)
def test_what_is_taken_for_likely_changes_no_answer(
    periods: list[tuple[float, float]],
    passes: float,
    size: float,
    likely: float,
    near: int,
    end: capacity.End,
) -> None:
    """Near bounds too, where rounding decides in which pass a time falls."""
    trace = Trace.from_periods(periods)
    table = capacity.table_of(
        trace.times_s, trace.capacity_bps, np.zeros(len(trace.capacity_bps)), end
    )
    near = min(near, len(table.capacity_bps) - 1)
    pass_s, total = trace.duration_s, float(np.diff(trace.times_s) @ trace.capacity_bps)
    times_s = [passes * pass_s, round(passes) * pass_s]
    times_s += [math.nextafter(times_s[1], sign * math.inf) for sign in (-1, 1)]
    for time_s in (each for each in times_s if each >= 0):
        assert capacity.fold(table, time_s, likely) == capacity.fold(table, time_s)
        rounds = float(time_s // pass_s)
        assert capacity.fold(table, time_s, rounds) == capacity.fold(table, time_s)
    if end == "end":
        return
    amounts = [size * total, max(round(size), 1) * total]
    amounts += [math.nextafter(amounts[1], sign * math.inf) for sign in (-1, 1)]
    for bits in amounts:
        bare = capacity.time_of(table, bits, near)
        assert capacity.time_of(table, bits, near, likely) == bare
        assert capacity.time_of(table, bits, near, float(bits // total)) == bare


@given(PERIODS, st.floats(0, 40), st.booleans(), st.integers(0, 4))
def test_a_round_trip_time_that_never_changes_may_stand_once(
    periods: list[tuple[float, float]], now_s: float, is_connected: bool, near: int
) -> None:
    trace = Trace.from_periods(periods)
    many = np.full(len(trace.capacity_bps), 0.07)
    table = capacity.table_of(trace.times_s, trace.capacity_bps, many, "loop")
    near = min(near, len(many) - 1)
    once = table._replace(rtt_s=many[:1])
    waits = [
        capacity.wait_for_first_byte(each, now_s, is_connected, 0.01, near)[0]
        for each in (table, once)
    ]
    assert waits[0] == waits[1]
