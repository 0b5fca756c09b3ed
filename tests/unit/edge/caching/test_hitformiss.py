"""The memory of what proved uncacheable is bounded, and forgets."""

from edge.caching.hitformiss import MAX_KEYS, HitForMiss


def test_a_key_is_remembered_for_a_while() -> None:
    memory = HitForMiss(ttl_s=30)
    memory.note("a", now_s=100)
    assert memory.covers("a", now_s=129)
    assert not memory.covers("a", now_s=130)
    assert not memory.covers("b", now_s=100)


def test_a_response_that_can_be_shared_is_the_end_of_it() -> None:
    memory = HitForMiss(ttl_s=30)
    memory.note("a", now_s=100)
    memory.forget("a")
    assert not memory.covers("a", now_s=100)


def test_the_oldest_keys_make_room() -> None:
    memory = HitForMiss(ttl_s=30)
    for number in range(MAX_KEYS + 1):
        memory.note(str(number), now_s=0)
    assert not memory.covers("0", now_s=1)
    assert memory.covers("1", now_s=1)
