"""The memory of tokens that may be used once."""

from __future__ import annotations

import tracemalloc

from origin.tokens.replay import CAPACITY, ReplayMemory


def test_a_name_is_first_once_until_its_token_ends() -> None:
    """Then it is forgotten, for the token is refused as expired."""
    memory = ReplayMemory()
    asked = [("a", 10.0), ("a", 10.0), ("b", 20.0), ("a", 10.0)]
    assert [memory.use(name, ends_s=end, now_s=1.0) for name, end in asked] == [
        "first",
        "again",
        "first",
        "again",
    ]
    assert memory.again == 2
    assert len(memory) == 2
    assert memory.use("c", ends_s=30.0, now_s=10.0) == "first"
    assert len(memory) == 2  # "a" has gone


def test_a_full_memory_refuses_new_names_and_still_knows_the_old() -> None:
    """Forgetting the oldest instead would let it be used again."""
    memory = ReplayMemory(capacity=2)
    assert memory.use("a", ends_s=10.0, now_s=0.0) == "first"
    assert memory.use("b", ends_s=11.0, now_s=0.0) == "first"
    assert memory.use("c", ends_s=12.0, now_s=0.0) == "full"
    assert memory.use("a", ends_s=10.0, now_s=0.0) == "again"
    assert memory.use("c", ends_s=12.0, now_s=10.0) == "first"


def test_one_token_cannot_fill_the_memory_for_all_others() -> None:
    """Paths can be made up without end, and a use is noted before anybody knows what there is."""
    memory = ReplayMemory(capacity=50)
    found = [memory.use("a", thing=f"/{n}", ends_s=10.0, now_s=0.0) for n in range(100)]
    assert found == ["first"] * 5 + ["full"] * 95
    assert memory.use("a", thing="/4", ends_s=10.0, now_s=0.0) == "again"
    assert memory.use("b", thing="/4", ends_s=10.0, now_s=0.0) == "first"
    assert memory.use("a", thing="/5", ends_s=20.0, now_s=10.0) == "first"
    assert len(memory) == 1


def test_names_that_are_already_over_do_not_stay() -> None:
    """With a leeway somebody may ask about the past; it must not fill the memory."""
    memory = ReplayMemory(capacity=10)
    for number in range(1000):
        assert memory.use(str(number), ends_s=5.0, now_s=6.0) == "first"
    assert len(memory) == 1


def test_a_full_memory_is_no_larger_than_stated() -> None:
    """However long the names are; the figure stands beside ``CAPACITY``."""
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    memory = ReplayMemory(capacity=CAPACITY // 10)
    for number in range(CAPACITY // 10):
        memory.use(f"{number}{'x' * 500}", ends_s=1e9 + number, now_s=0.0)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (after - before) * 10 < 25e6
    assert "xxx" not in repr(memory)
