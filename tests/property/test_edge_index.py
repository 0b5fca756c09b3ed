"""The cache index against a naive model, over any sequence of operations."""

from hypothesis import given
from hypothesis import strategies as st

from edge.index import CacheIndex, Entry, Hit, Miss, Stale
from edge.policies.lru import Lru

KEYS = st.sampled_from("abcdef")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("fill"), KEYS, st.integers(0, 40)),
        st.tuples(st.just("fail"), KEYS, st.integers(0, 40)),
        st.tuples(st.just("ask"), KEYS, st.integers(0, 30)),
        st.tuples(st.just("remove"), KEYS, st.just(0)),
        st.tuples(st.just("shed"), KEYS, st.integers(0, 60)),
    ),
    max_size=40,
)


class Model:
    """A list of (key, size, stored_s), least recently used first."""

    def __init__(self, capacity: int, overhead: int) -> None:
        self.capacity, self.overhead = capacity, overhead
        self.held: list[tuple[str, int, float]] = []

    def cost(self) -> int:
        return sum(size + self.overhead for _, size, _ in self.held)

    def find(self, key: str) -> tuple[str, int, float] | None:
        return next((item for item in self.held if item[0] == key), None)

    def drop(self, key: str) -> None:
        self.held = [item for item in self.held if item[0] != key]

    def store(self, key: str, size: int, now_s: float) -> None:
        at = next((at for at, item in enumerate(self.held) if item[0] == key), None)
        if at is None:
            self.held.append((key, size, now_s))
        else:
            self.held[at] = (key, size, now_s)

    def make_room(self, most: int) -> list[str]:
        gone = []
        while self.held and self.cost() > most:
            gone.append(self.held.pop(0)[0])
        return gone


@given(steps=STEPS, capacity=st.integers(0, 100), overhead=st.integers(0, 5))
def test_the_index_agrees_with_a_naive_list(
    steps: list[tuple[str, str, int]], capacity: int, overhead: int
) -> None:
    """After each step: same keys, same bytes, same victims, never over capacity."""
    index = CacheIndex(capacity, Lru(), overhead_bytes=overhead)
    model = Model(capacity, overhead)
    for now_s, (what, key, number) in enumerate(steps):
        if what in ("fill", "fail"):
            room = index.reserve(key, number)
            fits = number + overhead <= capacity
            assert room.granted == fits
            if fits:
                most = capacity - number - overhead
                assert list(room.evicted) == model.make_room(most)
                assert index.held_bytes + index.reserved_bytes <= capacity
                if what == "fail":
                    index.release(number)
                else:
                    index.commit(Entry(key=key, size_bytes=number, stored_s=now_s, lifetime_s=10.0))
                    model.store(key, number, now_s)
        elif what == "ask":
            found = index.lookup(key, now_s=now_s + number)
            item = model.find(key)
            if item is None:
                assert isinstance(found, Miss)
            else:
                model.drop(key)
                model.held.append(item)
                age_s = now_s + number - item[2]
                assert isinstance(found, Hit if age_s < 10 else Stale)
        elif what == "remove":
            assert index.remove(key) == (model.find(key) is not None)
            model.drop(key)
        else:
            most = max(1, min(number, model.cost() // 20))
            assert list(index.shed(number)) == model.make_room(model.cost() - most)
        assert sorted(index.keys()) == sorted(item[0] for item in model.held)
        assert index.held_bytes == model.cost() <= capacity
        assert index.reserved_bytes == 0
