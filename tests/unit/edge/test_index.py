"""The account of a cache: bytes, freshness and eviction, without any bytes."""

import pytest

from abr.errors import ConfigError
from edge import policies
from edge.index import CacheIndex, Entry, Hit, Miss, Stale
from edge.policies.lru import Lru


def entry(key: str, size_bytes: int = 10, **more: float) -> Entry:
    return Entry(
        key=key,
        size_bytes=size_bytes,
        stored_s=more.get("stored_s", 100.0),
        age_s=more.get("age_s", 0.0),
        lifetime_s=more.get("lifetime_s", 60.0),
        stale_while_revalidate_s=more.get("stale_while_revalidate_s", 0.0),
        stale_if_error_s=more.get("stale_if_error_s", 0.0),
    )


def index_of(capacity_bytes: int, *entries: Entry, overhead_bytes: int = 0) -> CacheIndex:
    index = CacheIndex(capacity_bytes, Lru(), overhead_bytes=overhead_bytes)
    for each in entries:
        assert index.reserve(each.key, each.size_bytes).granted
        index.commit(each)
    return index


def test_an_object_is_fresh_until_its_lifetime_is_over() -> None:
    # Age 5 on arrival at 100, lifetime 60: fresh before 155.
    index = index_of(100, entry("/a", age_s=5.0))
    found = index.lookup("/a", now_s=154.0)
    assert isinstance(found, Hit)
    assert (found.age_s, found.ttl_s) == (59.0, 1.0)
    assert isinstance(index.lookup("/a", now_s=155.0), Stale)


def test_a_stale_object_says_how_it_may_still_be_served() -> None:
    index = index_of(100, entry("/a", stale_while_revalidate_s=10.0, stale_if_error_s=20.0))
    uses = []
    for now_s in (165.0, 175.0, 185.0):  # 5, 15 and 25 s past its lifetime
        found = index.lookup("/a", now_s=now_s)
        assert isinstance(found, Stale)
        uses.append((found.may_serve_while_revalidating, found.may_serve_if_error))
    assert uses == [(True, True), (False, True), (False, False)]


def test_a_clock_that_goes_back_makes_nothing_younger() -> None:
    index = index_of(100, entry("/a", age_s=5.0))
    found = index.lookup("/a", now_s=40.0)
    assert isinstance(found, Hit)
    assert found.age_s == 5.0


def test_an_unknown_key_is_a_miss() -> None:
    assert index_of(100).lookup("/a", now_s=0.0) == Miss("/a")


def test_the_object_unasked_for_longest_leaves_first() -> None:
    index = index_of(30, entry("/a"), entry("/b"), entry("/c"))
    index.lookup("/a", now_s=100.0)
    assert index.reserve("/d", 10).evicted == ("/b",)


def test_overhead_is_charged_for_every_object() -> None:
    index = index_of(30, entry("/a"), overhead_bytes=5)
    assert index.held_bytes == 15
    assert index.reserve("/b", 11).evicted == ("/a",)


def test_a_reservation_that_came_to_nothing_is_given_back() -> None:
    index = index_of(20)
    index.reserve("/a", 15)
    assert not index.reserve("/b", 10).granted
    index.release(15)
    assert index.reserve("/b", 10).granted


def test_what_does_not_fit_is_refused_and_evicts_nothing() -> None:
    index = index_of(20, entry("/a"))
    room = index.reserve("/b", 21)
    assert (room.granted, room.evicted) == (False, ())
    assert "/a" in index


def test_a_new_copy_replaces_the_old_one() -> None:
    index = index_of(40, entry("/a", 10))
    index.reserve("/a", 20)
    index.commit(entry("/a", 20))
    assert (len(index), index.held_bytes) == (1, 20)


def test_a_validation_renews_freshness_and_keeps_the_size() -> None:
    index = index_of(40, entry("/a", 10))
    assert index.refresh(entry("/a", 0, stored_s=500.0))
    assert isinstance(index.lookup("/a", now_s=510.0), Hit)
    assert index.held_bytes == 10
    assert not index.refresh(entry("/gone"))


def test_restoring_more_than_fits_keeps_the_latest() -> None:
    index = CacheIndex(20, Lru())
    rooms = [index.restore(entry(key)) for key in ("/a", "/b", "/c")]
    assert rooms[2].evicted == ("/a",)
    assert not index.restore(entry("/big", 21)).granted
    assert sorted(index.keys()) == ["/b", "/c"]


def test_shedding_gives_back_at_least_what_was_asked() -> None:
    index = index_of(1000, *(entry(f"/{number}") for number in range(100)))
    assert index.shed(11) == ("/0", "/1")


def test_one_large_object_that_the_disk_refuses_does_not_empty_the_cache() -> None:
    """Of 100 objects, one call lets at most five go, however much is asked for."""
    index = index_of(1000, *(entry(f"/{number}") for number in range(100)))
    assert len(index.shed(2 * 900)) == 5
    assert len(index) == 95


def test_shedding_frees_something_even_in_a_small_cache() -> None:
    index = index_of(30, entry("/a"), entry("/b"))
    assert [index.shed(5), index.shed(5), index.shed(5)] == [("/a",), ("/b",), ()]


def test_uses_that_were_answered_elsewhere_count_like_lookups() -> None:
    index = index_of(30, entry("/a"), entry("/b"), entry("/c"))
    assert index.use("/a", 4)
    assert not index.use("/gone")
    assert index.reserve("/d", 10).evicted == ("/b",)
    assert index.use_counts.take() == {"/a": 4, "/gone": 1}


def test_a_pinned_object_stays_until_it_is_unpinned() -> None:
    index = index_of(30, entry("/a"), entry("/b"), entry("/c"))
    assert index.pin("/a")
    assert not index.pin("/a")
    assert index.reserve("/d", 10).evicted == ("/b",)
    index.commit(entry("/d"))
    assert not index.reserve("/large", 21).granted
    assert index.pinned_bytes == 10
    assert index.unpin("/a")
    assert index.shed(1) == ("/c",)
    assert index.reserve("/e", 30).evicted == ("/d", "/a")


def test_a_pinned_object_can_be_used_replaced_and_removed() -> None:
    index = index_of(50, entry("/a"), entry("/b"))
    index.pin("/a")
    assert isinstance(index.lookup("/a", now_s=100.0), Hit)
    assert index.use("/a", 2)
    index.reserve("/a", 15)
    index.commit(entry("/a", 15))
    assert (index.pinned_bytes, index.held_bytes) == (15, 25)
    assert index.remove("/a")
    assert (index.pinned_bytes, index.held_bytes, index.unpin("/a")) == (0, 10, False)


def test_requests_are_counted_whether_or_not_the_object_is_held() -> None:
    index = index_of(30, entry("/a"))
    for key in ("/a", "/b", "/b"):
        index.lookup(key, now_s=0.0)
    assert index.use_counts.most_used(2) == [("/b", 2), ("/a", 1)]


def test_policies_are_made_by_name() -> None:
    assert isinstance(policies.make("lru", capacity_bytes=1), Lru)
    with pytest.raises(ConfigError, match=r"edge\.policy: found 'lur'; expected one of .*lru"):
        policies.make("lur", capacity_bytes=1)
