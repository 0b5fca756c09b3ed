"""Policies by name, and the order in which they let objects go."""

from __future__ import annotations

import pytest

from abr.errors import ConfigError
from edge import policies


def test_least_recently_used_leaves_first() -> None:
    """Added a, b, c; a is asked for, b is removed: c is the oldest, then a."""
    policy = policies.make("lru", capacity_bytes=100)
    for key in ("a", "b", "c"):
        assert policy.admits(key, 10)
        policy.add(key, 10)
    policy.use("a")
    policy.remove("b")
    assert [policy.evict(), policy.evict()] == ["c", "a"]


def test_each_cache_has_an_order_of_its_own() -> None:
    one, other = (policies.make("lru", capacity_bytes=100) for _ in range(2))
    one.add("a", 1)
    other.add("b", 1)
    assert (one.evict(), other.evict()) == ("a", "b")


def test_an_unknown_policy_is_named_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match="found 'fifo'; expected one of lru"):
        policies.make("fifo", capacity_bytes=100)
    assert policies.names() == ("lru",)
