"""Each policy against a slow one that keeps lists, over any sequence of operations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge import policies
from edge.index import CacheIndex, Entry, Miss
from edge.simulation.viewing import zipf
from tests.fakes.slowpolicies import SLOW

KEYS = st.sampled_from("abcdefghijklmnop")
SIZES = st.one_of(st.integers(0, 12), st.integers(0, 120))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), KEYS, SIZES),
        st.tuples(st.just("ask"), KEYS, SIZES),
        st.tuples(st.just("use"), KEYS, st.integers(1, 5)),
        st.tuples(st.just("replace"), KEYS, SIZES),
        st.tuples(st.just("fail"), KEYS, SIZES),
        st.tuples(st.just("remove"), KEYS, st.just(0)),
        st.tuples(st.just("pin"), KEYS, st.just(0)),
        st.tuples(st.just("unpin"), KEYS, st.just(0)),
        st.tuples(st.just("shed"), KEYS, st.integers(0, 60)),
        st.tuples(st.just("restore"), KEYS, SIZES),
    ),
    max_size=120,
)


def act(index: CacheIndex, what: str, key: str, number: int) -> object:
    """Do one step; returns what can be seen of it."""
    entry = Entry(key=key, size_bytes=number, stored_s=0.0, lifetime_s=1.0)
    if what in ("ask", "replace", "fail"):
        found = index.lookup(key, now_s=0.0)
        if what == "ask" and not isinstance(found, Miss):
            return found
        room = index.reserve(key, number)
        if room.granted and what == "fail":
            index.release(number)
        elif room.granted:
            index.commit(entry)
        return room
    if what == "restore":
        return index.restore(entry)
    if what in ("remove", "pin", "unpin"):
        return getattr(index, what)(key)
    return index.use(key, number) if what == "use" else index.shed(number)


@pytest.mark.parametrize("name", policies.names())
@settings(max_examples=300, deadline=None)
@given(steps=STEPS, capacity=st.integers(0, 150), overhead=st.integers(0, 3))
def test_each_policy_decides_as_its_slow_model(
    name: str, steps: list[tuple[str, str, int]], capacity: int, overhead: int
) -> None:
    """Same admissions, same victims in the same order, never more bytes than the capacity."""
    fast, slow = (
        CacheIndex(capacity, policy, overhead_bytes=overhead)
        for policy in (policies.make(name, capacity_bytes=capacity), SLOW[name](capacity))
    )
    for step in steps:
        assert act(fast, *step) == act(slow, *step)
        assert fast.held_bytes + fast.reserved_bytes <= capacity
        assert (sorted(fast.keys()), fast.held_bytes) == (sorted(slow.keys()), slow.held_bytes)
        assert fast.held_bytes == sum(size + overhead for size in sizes(fast))
    while (gone := fast.shed(1)) == slow.shed(1) and gone:
        pass
    assert gone == slow.shed(1) == ()
    assert fast.held_bytes == fast.pinned_bytes


def sizes(index: CacheIndex) -> list[int]:
    """Body sizes of the held objects."""
    return [entry.size_bytes for entry in index.entries()]


@pytest.mark.parametrize("name", policies.names())
@pytest.mark.parametrize("seed", range(3))
def test_each_policy_decides_as_its_slow_model_on_a_long_log(name: str, seed: int) -> None:
    """Skewed requests for 60 objects, of which about 20 fit: every queue fills and turns over."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 12, 60)
    capacity = int(sizes.sum()) // 3
    fast, slow = (
        CacheIndex(capacity, policy)
        for policy in (policies.make(name, capacity_bytes=capacity), SLOW[name](capacity))
    )
    for number in rng.choice(60, 4000, p=zipf(60, 0.8)).tolist():
        step = ("ask", f"{number}", int(sizes[number]))
        assert act(fast, *step) == act(slow, *step)
    assert sorted(fast.keys()) == sorted(slow.keys())
