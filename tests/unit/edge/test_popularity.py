"""Expected requests from counts: fading, pooled over a region, with premieres."""

from __future__ import annotations

import numpy as np
import pytest

from edge.tiers.popularity import DAY_S, Popularity, Premiere


def after(*days: dict[str, dict[str, int]], **more: float) -> Popularity:
    """Counts of whole days, one after the other."""
    popularity = Popularity(half_life_s=more.get("half_life_s", DAY_S))
    for number, counts in enumerate(days, start=1):
        popularity.add(counts, length_s=DAY_S, now_s=number * DAY_S)
    return popularity


def test_a_request_of_one_half_life_ago_weighs_half() -> None:
    """8 on the first day, 2 on the second: 4 + 2."""
    popularity = after({"edge": {"/a": 8}}, {"edge": {"/a": 2, "/b": 3}})
    assert popularity.counts("edge") == {"/a": 6.0, "/b": 3.0}


def test_rates_are_requests_a_day() -> None:
    """A single edge that is asked 30 times every day."""
    popularity = after(*[{"edge": {"/a": 20, "/b": 10}}] * 5)
    assert popularity.rates("edge") == pytest.approx({"/a": 20.0, "/b": 10.0})


def test_an_edge_that_is_seldom_asked_goes_by_its_region() -> None:
    """All edges are asked for the same; one of them has seen one request."""
    busy = {f"busy{number}": {"/a": 80, "/b": 20} for number in range(10)}
    popularity = after({**busy, "small": {"/b": 1}})
    rates = popularity.rates("small")
    assert rates["/a"] > 3 * rates["/b"]
    assert sum(rates.values()) == pytest.approx(1.0)


def test_an_edge_with_a_taste_of_its_own_keeps_it() -> None:
    """Half of the edges ask only for a, the others only for b: the region says little."""
    edges = {f"{number}": {"/a" if number % 2 else "/b": 100} for number in range(10)}
    popularity = after(edges)
    assert popularity.concentration() < 1
    rates = popularity.rates("1")
    assert rates["/a"] > 50 * rates["/b"]


def test_the_concentration_of_a_dirichlet_is_found_from_its_counts() -> None:
    """40 edges of 2,000 requests for 50 keys, drawn with concentration 100."""
    rng = np.random.default_rng(3)
    shares = rng.dirichlet(np.full(50, 100 / 50), 40)
    counts = {
        f"{edge}": {f"/{key}": int(n) for key, n in enumerate(rng.multinomial(2000, each)) if n}
        for edge, each in enumerate(shares)
    }
    assert after(counts).concentration() == pytest.approx(100, rel=0.2)


def test_edges_that_do_not_differ_are_pooled_whole() -> None:
    edges = {f"{number}": {"/a": 50, "/b": 50} for number in range(5)}
    assert after(edges).concentration() > 1e6


def test_a_premiere_starts_with_what_is_expected_and_follows_what_is_seen() -> None:
    """Expected 20 %, asked for by 2 %: after 50,000 requests the expectation counts little."""
    others = {f"/{number}": 980 for number in range(50)}
    premiere = Premiere(key="/new", at_s=DAY_S, expected_share=0.2)
    before = after({"edge": others})
    assert before.shares([premiere])["/new"] == pytest.approx(0.2)
    later = after({"edge": others}, *[{"edge": {**others, "/new": 1000}}] * 5)
    assert later.shares([premiere])["/new"] == pytest.approx(0.02, rel=0.3)


def test_an_unknown_edge_expects_nothing() -> None:
    assert after({"edge": {"/a": 1}}).rates("other") == {}
    assert Popularity().rates("edge") == {}


def test_memory_is_bounded_and_the_popular_stay() -> None:
    popularity = Popularity(most_keys=10)
    counts = {f"/{number}": number for number in range(1, 101)}
    popularity.add({"edge": counts}, length_s=DAY_S, now_s=0.0)
    assert sorted(popularity.counts("edge").values()) == list(range(91, 101))


def test_what_has_faded_is_forgotten() -> None:
    assert after({"edge": {"/a": 1}}, *[{"edge": {"/b": 1}}] * 8).counts("edge").keys() == {"/b"}


def test_counts_come_in_order_of_time() -> None:
    popularity = after({"edge": {"/a": 1}})
    with pytest.raises(ValueError, match="order of time"):
        popularity.add({}, length_s=DAY_S, now_s=0.0)
