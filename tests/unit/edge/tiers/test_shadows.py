"""What fills would have brought, learned from logs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from abr.errors import LogFormatError
from edge.simulation.days import by_day
from edge.simulation.requests import Request
from edge.tiers.fillplan import OffPeak
from edge.tiers.popularity import DAY_S, Premiere
from edge.tiers.shadows import Rehearsal, Shadow

HOUR_S = 3600.0
SIZE = 1000
WINDOW = OffPeak(start_s=2 * HOUR_S, length_s=HOUR_S, rate_bps=1e6)


def busy_day(day: int, first: int) -> Iterator[Request]:
    """Five objects are asked for five times each, with fifty one-timers before each round.

    The cache has room for ten: a policy that sees only the past loses them between rounds.
    """
    t_s = day * DAY_S + 3 * HOUR_S
    for lap in range(5):
        for number in range(50):
            yield Request(t_s, f"/once/{day}/{lap}/{number}", SIZE)
        for number in range(first, first + 5):
            yield Request(t_s, f"/often/{number}", SIZE)
        t_s += HOUR_S


def rehearse(days: int, *, moves: bool) -> Rehearsal:
    rehearsal = Rehearsal({"a": 10 * SIZE}, window=WINDOW, policy="lru")
    for day in range(days):
        rehearsal.live(day, {"a": busy_day(day, 5 * day if moves else 0)})
    return rehearsal


def test_fills_earn_room_where_the_days_are_alike() -> None:
    rehearsal = rehearse(4, moves=False)
    assert (rehearsal.days, rehearsal.nights) == (4, 3)
    assert rehearsal.share >= 0.5


def test_fills_earn_nothing_where_every_day_is_another() -> None:
    rehearsal = rehearse(4, moves=True)
    assert (rehearsal.nights, rehearsal.share) == (3, 0.0)


def test_one_day_teaches_nothing() -> None:
    assert (rehearse(1, moves=False).nights, rehearse(1, moves=False).share) == (0, 0.0)


def test_a_day_that_ends_before_its_night_teaches_nothing() -> None:
    rehearsal = rehearse(3, moves=False)
    before = rehearsal.share, rehearsal.nights
    rehearsal.live(3, {"a": [Request(3 * DAY_S + HOUR_S, "/else", SIZE)]})
    assert (rehearsal.share, rehearsal.nights) == before


def test_a_plan_holds_the_most_asked_for_and_nothing_too_large() -> None:
    rehearsal = Rehearsal({"a": 10 * SIZE}, window=WINDOW, overhead_bytes=100)
    requests = [Request(0.0, "/a", SIZE)] * 3 + [Request(0.0, "/huge", 9 * SIZE)] * 9
    rehearsal.live(0, {"a": [*requests, Request(0.0, "/b", SIZE), Request(0.0, "/b", SIZE)]})

    def keys(room_bytes: int) -> list[str]:
        plan = rehearsal.plan(
            rehearsal.rates("a", now_s=DAY_S),
            held=frozenset(),
            room_bytes=room_bytes,
            max_object_bytes=2 * SIZE,
            window=WINDOW,
            now_s=DAY_S,
        )
        return [each.key for each in plan]

    assert keys(2200) == ["/a", "/b"]
    assert keys(2199) == ["/a"]
    assert keys(1099) == []


def test_what_starts_tomorrow_is_filled_tonight_and_not_before() -> None:
    premiere = Premiere(key="/new", at_s=2.5 * DAY_S, expected_share=0.9)
    rehearsal = Rehearsal(
        {"a": 10 * SIZE}, window=WINDOW, premieres=[premiere], premiere_sizes_bytes={"/new": SIZE}
    )
    rehearsal.live(0, {"a": busy_day(0, 0)})
    assert "/new" not in rehearsal.rates("a", now_s=DAY_S)
    rates = rehearsal.rates("a", now_s=2 * DAY_S)
    assert max(rates, key=lambda key: rates[key]) == "/new"


def test_a_shadow_keeps_what_was_filled_and_lets_go_of_the_night_before() -> None:
    shadow = Shadow(4 * SIZE, window=WINDOW, policy="lru")
    sizes = {"/a": SIZE, "/b": SIZE}
    assert shadow.fill({"/a": 1.0}, sizes, share=0.5, now_s=0.0) == SIZE
    for number in range(9):
        shadow.ask(f"/{number}", SIZE)
    assert shadow.ask("/a", SIZE)
    assert shadow.fill({"/b": 1.0}, sizes, share=0.5, now_s=DAY_S) == SIZE
    for number in range(9):
        shadow.ask(f"/{number}", SIZE)
    assert shadow.ask("/b", SIZE)
    assert not shadow.ask("/a", SIZE)


def test_logs_are_read_side_by_side_day_by_day() -> None:
    logs = {
        "a": [Request(10.0, "/1", 1), Request(DAY_S + 5, "/2", 1), Request(DAY_S - 5, "/late", 1)],
        "b": [Request(3 * DAY_S, "/3", 1)],
    }
    found = [
        (day, {name: [each.key for each in requests] for name, requests in asked.items()})
        for day, asked in by_day(logs)
    ]
    assert found == [
        (0, {"a": ["/1"], "b": []}),
        (1, {"a": ["/2", "/late"], "b": []}),
        (3, {"a": [], "b": ["/3"]}),
    ]


def test_a_log_in_another_order_is_refused_by_name() -> None:
    logs = {"a": [Request(5 * DAY_S, "/1", 1), Request(DAY_S, "/2", 1)]}
    with pytest.raises(
        LogFormatError, match=r"log of a: t_s 86400 after .*\(give older files first\)"
    ):
        [list(asked["a"]) for _, asked in by_day(logs)]
