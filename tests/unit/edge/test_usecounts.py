"""Counts of requests by key, in bounded memory."""

from __future__ import annotations

import pytest

from edge.usecounts import UseCounts


def test_counts_are_taken_once() -> None:
    counts = UseCounts()
    for key in "aab":
        counts.add(key)
    counts.add("b", 3)
    assert counts.most_used(1) == [("b", 4)]
    assert counts.take() == {"a": 2, "b": 4}
    assert counts.take() == {}


def test_the_less_used_half_is_forgotten_when_there_is_no_room() -> None:
    counts = UseCounts(most_keys=4)
    for key, times in (("a", 5), ("b", 1), ("c", 4), ("d", 2)):
        counts.add(key, times)
    counts.add("e")
    assert (len(counts), counts.forgotten) == (3, 3)
    assert counts.take() == {"a": 5, "c": 4, "e": 1}


def test_a_popular_key_survives_any_scan() -> None:
    counts = UseCounts(most_keys=100)
    for number in range(10_000):
        counts.add(f"{number}")
        if number % 10 == 0:
            counts.add("popular")
    assert len(counts) <= 100
    assert counts.take()["popular"] == 1000


def test_no_room_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="most_keys"):
        UseCounts(most_keys=1)
