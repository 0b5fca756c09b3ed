"""Policies by name, and what each of them keeps and lets go."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from abr.errors import ConfigError
from edge import policies
from edge.index import CacheIndex, Entry, Miss
from edge.policies.sketch import FrequencySketch


def index_of(name: str, capacity_bytes: int) -> CacheIndex:
    return CacheIndex(capacity_bytes, policies.make(name, capacity_bytes=capacity_bytes))


def ask(index: CacheIndex, key: str, size_bytes: int = 1) -> str:
    """One request: ``hit``, ``stored`` or ``refused``."""
    if not isinstance(index.lookup(key, now_s=0.0), Miss):
        return "hit"
    if not index.reserve(key, size_bytes).granted:
        return "refused"
    index.commit(Entry(key=key, size_bytes=size_bytes, stored_s=0.0, lifetime_s=1.0))
    return "stored"


def ask_all(index: CacheIndex, keys: Iterable[str]) -> None:
    for key in keys:
        ask(index, key)


def test_least_recently_used_leaves_first() -> None:
    """Added a, b, c; a is asked for, b is removed: c is the oldest, then a."""
    policy = policies.make("lru", capacity_bytes=100)
    for key in ("a", "b", "c"):
        assert policy.admits(key, 10)
        policy.add(key, 10)
    policy.use("a")
    policy.remove("b")
    assert [policy.evict(), policy.evict()] == ["c", "a"]


def test_s3_fifo_lets_what_was_asked_for_once_go_first() -> None:
    """Ten objects; a and b are used twice, then a scan of ten passes through and out again."""
    index = index_of("s3-fifo", 10)
    ask_all(index, "abcdefghij" + "aabb" + "0123456789")
    assert {"a", "b"} <= set(index.keys())


def test_s3_fifo_keeps_its_small_queue_when_fills_under_way_take_room() -> None:
    """A fifth is reserved: what is new still gets a tenth of the cache to be asked for again."""
    index = index_of("s3-fifo", 100)
    ask_all(index, (f"{number}" for number in range(100)))
    assert index.reserve("/under-way", 20).granted
    for number in range(200):
        ask(index, f"new{number}")
    latest = {f"new{number}" for number in range(191, 200)}
    assert latest <= set(index.keys())


def test_s3_fifo_stores_what_it_let_go_lately_in_the_main_queue() -> None:
    """a leaves the small queue, comes back as a ghost, and outlives the scan after it."""
    index = index_of("s3-fifo", 10)
    ask_all(index, "0123456789" + "a" + "b")
    assert "a" not in index
    ask_all(index, "a" + "cdefgh")
    assert "a" in index


def test_sieve_evicts_where_its_hand_stands() -> None:
    """a, c used: the hand passes a, evicts b, goes on past c and evicts d, not the new e or f."""
    index = index_of("sieve", 4)
    ask_all(index, "abcd" + "ac")
    ask_all(index, "ef")
    assert sorted(index.keys()) == ["a", "c", "e", "f"]


def test_gdsf_keeps_two_small_objects_rather_than_a_large_one() -> None:
    index = index_of("gdsf", 10)
    ask(index, "large", 8)
    ask(index, "small", 2)
    ask(index, "new", 1)
    assert sorted(index.keys()) == ["new", "small"]


def test_w_tinylfu_does_not_let_a_scan_push_out_what_is_popular() -> None:
    index = index_of("w-tinylfu", 100)
    popular = [f"popular{number}" for number in range(50)]
    for _ in range(3):
        ask_all(index, popular)
    for number in range(1000):
        ask(index, f"scan{number}")
    assert set(popular) <= set(index.keys())


@pytest.mark.parametrize("name", policies.names())
def test_every_policy_stores_an_object_of_a_tenth_of_the_cache(name: str) -> None:
    """libCacheSim's S3-FIFO and W-TinyLFU never do, and do not say so."""
    index = index_of(name, 100)
    assert [ask(index, "a", 10), ask(index, "a", 10)] == ["stored", "hit"]


@pytest.mark.parametrize("name", ["s3-fifo", "w-tinylfu"])
def test_one_large_object_evicts_others_only_when_it_is_asked_for_again(name: str) -> None:
    index = index_of(name, 100)
    for number in range(20):
        ask(index, f"small{number}", 5)
    assert ask(index, "large", 60) == "refused"
    assert len(index) == 20
    answers = [ask(index, "large", 60) for _ in range(13)]
    assert answers[-2:] == ["stored" if name == "w-tinylfu" else "hit", "hit"]


@pytest.mark.parametrize("name", policies.names())
def test_a_new_version_keeps_the_place_of_the_old(name: str) -> None:
    """a is popular, and replaced by a larger version: b, asked for once, leaves before it."""
    index = index_of(name, 100)
    for key in ("b", "a"):
        ask(index, key, 40)
    for _ in range(3):
        ask(index, "a", 40)
    assert index.reserve("a", 45).granted
    index.commit(Entry(key="a", size_bytes=45, stored_s=0.0))
    for _ in range(3):  # W-TinyLFU stores what was asked for more often than b
        ask(index, "c", 50)
    assert ("a" in index, "b" in index) == (True, False)


@pytest.mark.parametrize("name", policies.names())
def test_what_a_policy_remembers_of_objects_that_left_is_bounded(name: str) -> None:
    """A scan of 20,000 keys through a cache of 100 leaves little behind."""
    index = index_of(name, 100)
    for number in range(20_000):
        ask(index, f"{number}")
    policy = index._policy
    sized = [value for value in vars(policy).values() if hasattr(value, "__len__")]
    assert sum(len(value) for value in sized) <= 600, policy


def test_each_cache_has_an_order_of_its_own() -> None:
    one, other = (policies.make("lru", capacity_bytes=100) for _ in range(2))
    one.add("a", 1)
    other.add("b", 1)
    assert (one.evict(), other.evict()) == ("a", "b")


def test_an_unknown_policy_is_named_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match="found 'fifo'; expected one of gdsf, lru, s3-fifo"):
        policies.make("fifo", capacity_bytes=100)


def test_the_sketch_never_counts_too_few_and_keeps_counts_when_it_grows() -> None:
    sketch = FrequencySketch()
    for number in range(300):
        sketch.add(f"key{number}", number % 5)
    sketch.make_room_for(5000)
    found = [sketch.count(f"key{number}") for number in range(300)]
    assert all(count >= number % 5 for number, count in enumerate(found))
    assert sum(found) <= 1.02 * sum(number % 5 for number in range(300))


def test_the_sketch_forgets_half_of_what_is_long_ago() -> None:
    """12 requests, then 10,240 of others in 1,024 columns: halved once, twice at the most."""
    sketch = FrequencySketch(1024)
    sketch.add("old", 12)
    for number in range(10_240):
        sketch.add(f"{number % 7}")
    assert 3 <= sketch.count("old") <= 6
