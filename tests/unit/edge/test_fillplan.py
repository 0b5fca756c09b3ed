"""What is filled, when, and how much room it gets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.tiers.fillplan import SHARES, FillShare, OffPeak, Wanted, plan_fill
from edge.tiers.popularity import DAY_S

HOUR_S = 3600.0
WINDOW = OffPeak(start_s=2 * HOUR_S, length_s=4 * HOUR_S, rate_bps=8000.0)
"""1,000 bytes a second."""


def test_the_window_is_the_open_one_or_the_next() -> None:
    for now_h, start_h in ((0, 2), (3, 2), (6, 26), (25, 26), (28, 26)):
        assert WINDOW.next_start_s(now_h * HOUR_S) == start_h * HOUR_S


def test_a_window_over_midnight_is_still_open_after_it() -> None:
    late = OffPeak(start_s=22 * HOUR_S, length_s=4 * HOUR_S)
    assert late.next_start_s(25 * HOUR_S) == 22 * HOUR_S
    assert late.next_start_s(27 * HOUR_S) == 46 * HOUR_S


def test_the_most_asked_for_comes_first_at_the_rate_of_the_window() -> None:
    """c is held; d has no size and e no requests; a takes 2 s, then b may start."""
    plan = plan_fill(
        {"/a": 5.0, "/b": 3.0, "/c": 4.0, "/d": 9.0, "/e": 0.0},
        {"/a": 2000, "/b": 1000, "/c": 1000, "/e": 1},
        held={"/c"},
        room_bytes=10_000,
        window=WINDOW,
        now_s=0.0,
    )
    assert plan == (
        Wanted(key="/a", size_bytes=2000, start_s=2 * HOUR_S),
        Wanted(key="/c", size_bytes=1000, start_s=None),
        Wanted(key="/b", size_bytes=1000, start_s=2 * HOUR_S + 2),
    )


RATES = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0, 10))


@given(
    rates=RATES,
    size=st.integers(1, 20_000_000),
    held=st.frozensets(st.sampled_from("abcdefgh")),
    room=st.integers(0, 50_000_000),
    now_s=st.floats(0, 2 * DAY_S),
)
def test_a_plan_keeps_to_its_room_window_and_rate(
    rates: dict[str, float], size: int, held: frozenset[str], room: int, now_s: float
) -> None:
    sizes = {key: size + place for place, key in enumerate(sorted(rates))}
    plan = plan_fill(rates, sizes, held=held, room_bytes=room, window=WINDOW, now_s=now_s)
    assert sum(each.size_bytes for each in plan) <= room
    start_s = WINDOW.next_start_s(now_s)
    free_s = max(now_s, start_s)
    for each in plan:
        assert (each.start_s is None) == (each.key in held)
        if each.start_s is not None:
            assert each.start_s >= free_s - 1e-6
            free_s = each.start_s + each.size_bytes / 1000
    assert free_s <= max(now_s, start_s + WINDOW.length_s) + 1e-3
    assert [rates[each.key] for each in plan] == sorted(
        (rates[each.key] for each in plan), reverse=True
    )


def ratios(gain: float) -> dict[float, float]:
    """Hit ratios that rise or fall in proportion to the share."""
    return {share: 0.5 + gain * share for share in SHARES}


def test_no_room_is_given_before_fills_have_proved_good() -> None:
    advice = FillShare()
    assert advice.share == 0.0
    for _ in range(3):
        advice.learn(ratios(0.1))
    assert advice.share == max(SHARES)


def test_room_is_taken_back_on_the_first_day_that_fills_do_harm() -> None:
    advice = FillShare()
    for _ in range(10):
        advice.learn(ratios(0.1))
    advice.learn(ratios(-0.1))
    assert advice.share == 0.0


def test_a_forecast_that_never_helps_never_gets_room() -> None:
    advice = FillShare()
    for day in range(30):
        advice.learn(ratios(-0.05 if day % 2 else 0.002))
        assert advice.share == 0.0
