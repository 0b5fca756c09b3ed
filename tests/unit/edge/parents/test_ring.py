"""Rendezvous hashing: which parent is asked for a key."""

from __future__ import annotations

from collections import Counter

import pytest

from edge.parents.ring import preference

NAMES = ("http://a", "http://b", "http://c", "http://d")
KEYS = [f"title/v{number % 5}/seg-{number}.m4s" for number in range(4000)]


def first(names: tuple[str, ...], weights: dict[str, float] | None = None) -> list[str]:
    """The parent of each key."""
    return [preference(key, names, weights or {})[0] for key in KEYS]


def test_only_the_keys_of_a_lost_parent_move() -> None:
    """Every other key keeps its parent, so the other caches stay warm."""
    before, after = first(NAMES), first(NAMES[:-1])
    moved = {old for old, new in zip(before, after, strict=True) if old != new}
    assert moved == {NAMES[-1]}


def test_the_keys_of_a_lost_parent_spread_over_all_others() -> None:
    """No single parent gets the whole load of the lost one."""
    before, after = first(NAMES), first(NAMES[:-1])
    heirs = Counter(new for old, new in zip(before, after, strict=True) if old == NAMES[-1])
    assert set(heirs) == set(NAMES[:-1])
    # About 1,000 keys over 3 heirs: 333 each, standard deviation 15.
    assert all(250 < count < 420 for count in heirs.values())


def test_keys_are_shared_by_weight() -> None:
    """A parent of weight 3 beside one of weight 1 gets three quarters of the keys."""
    shares = Counter(first(NAMES[:2], {NAMES[0]: 3.0}))
    # 3,000 expected, standard deviation 27.
    assert shares[NAMES[0]] == pytest.approx(3000, abs=120)


def test_order_depends_on_names_and_key_alone() -> None:
    """Two edges that list the same parents in other orders ask the same one."""
    for key in KEYS[:50]:
        assert preference(key, NAMES, {}) == preference(key, reversed(NAMES), {})
        assert sorted(preference(key, NAMES, {})) == sorted(NAMES)
