"""Eviction policies as their papers tell them: lists, searches, exact counts, no cleverness."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass


@dataclass
class Thing:
    """One held object."""

    key: str
    size: int
    uses: int = 0
    priority: float = 0.0


def find(things: list[Thing], key: str) -> Thing | None:
    return next((thing for thing in things if thing.key == key), None)


def total(things: list[Thing]) -> int:
    return sum(thing.size for thing in things)


class SlowPolicy(ABC):
    """What most of them share: one list, the next to leave first."""

    def __init__(self, capacity_bytes: int) -> None:
        self.capacity = capacity_bytes
        self.queues: list[list[Thing]] = [[]]

    def queue_of(self, key: str) -> list[Thing]:
        return next(queue for queue in self.queues if find(queue, key))

    def get(self, key: str) -> Thing:
        found = find(self.queue_of(key), key)
        assert found is not None
        return found

    def admits(self, key: str, size_bytes: int) -> bool:
        return True

    def add(self, key: str, size_bytes: int) -> None:
        self.queues[0].append(Thing(key, size_bytes))

    @abstractmethod
    def use(self, key: str, times: int = 1) -> None: ...

    def resize(self, key: str, size_bytes: int) -> None:
        self.get(key).size = size_bytes

    def remove(self, key: str) -> None:
        self.queue_of(key).remove(self.get(key))

    def evict(self) -> str:
        return self.queues[0].pop(0).key


class SlowLru(SlowPolicy):
    def use(self, key: str, times: int = 1) -> None:
        thing = self.get(key)
        self.queues[0].remove(thing)
        self.queues[0].append(thing)


class SlowS3Fifo(SlowPolicy):
    def __init__(self, capacity_bytes: int) -> None:
        super().__init__(capacity_bytes)
        self.small: list[Thing] = []
        self.main: list[Thing] = []
        self.queues = [self.small, self.main]
        self.ghosts: list[Thing] = []
        self.small_most = capacity_bytes // 10
        self.main_most = capacity_bytes - self.small_most
        self.is_filling = True

    def admits(self, key: str, size_bytes: int) -> bool:
        fits = total(self.small) + total(self.main) + size_bytes <= self.capacity
        if size_bytes <= self.capacity // 4 or fits or find(self.ghosts, key):
            return True
        self.remember(Thing(key, size_bytes))
        return False

    def add(self, key: str, size_bytes: int) -> None:
        ghost = find(self.ghosts, key)
        if ghost:
            self.ghosts.remove(ghost)
            self.main.append(Thing(key, size_bytes))
        elif self.is_filling and total(self.small) >= self.small_most:
            self.main.append(Thing(key, size_bytes))
        else:
            self.small.append(Thing(key, size_bytes))

    def use(self, key: str, times: int = 1) -> None:
        self.get(key).uses = min(3, self.get(key).uses + times)

    def evict(self) -> str:
        self.is_filling = False
        while True:
            if self.small and (total(self.small) >= self.small_most or not self.main):
                oldest = self.small.pop(0)
                if oldest.uses <= 1:
                    self.remember(Thing(oldest.key, oldest.size))
                    return oldest.key
                oldest.uses = 0
            else:
                oldest = self.main.pop(0)
                if oldest.uses == 0:
                    return oldest.key
                oldest.uses -= 1
            self.main.append(oldest)

    def remember(self, ghost: Thing) -> None:
        if ghost.size <= self.main_most:
            self.ghosts.append(ghost)
            while total(self.ghosts) > self.main_most:
                self.ghosts.pop(0)


class SlowSieve(SlowPolicy):
    """One list, oldest first, and the key under the hand (None: start with the oldest)."""

    hand: str | None = None

    def use(self, key: str, times: int = 1) -> None:
        self.get(key).uses = 1

    def next_of(self, key: str) -> str | None:
        keys = [thing.key for thing in self.queues[0]]
        at = keys.index(key) + 1
        return keys[at] if at < len(keys) else None

    def remove(self, key: str) -> None:
        if self.hand == key:
            self.hand = self.next_of(key)
        super().remove(key)

    def evict(self) -> str:
        key = self.hand or self.queues[0][0].key
        while self.get(key).uses:
            self.get(key).uses = 0
            key = self.next_of(key) or self.queues[0][0].key
        self.hand = self.next_of(key)
        super().remove(key)
        return key


class SlowGdsf(SlowPolicy):
    """One list in order of the last use; the lowest priority leaves."""

    clock = 0.0

    def add(self, key: str, size_bytes: int) -> None:
        super().add(key, size_bytes)
        self.use(key)

    def use(self, key: str, times: int = 1) -> None:
        thing = self.get(key)
        thing.uses += times
        thing.priority = self.clock + thing.uses / max(1, thing.size)
        self.queues[0].remove(thing)
        self.queues[0].append(thing)

    def resize(self, key: str, size_bytes: int) -> None:
        thing = self.get(key)
        thing.size = size_bytes
        self.use(key, 0)

    def evict(self) -> str:
        lowest = min(self.queues[0], key=lambda thing: thing.priority)
        self.clock = lowest.priority
        self.queues[0].remove(lowest)
        return lowest.key


class SlowWTinyLfu(SlowPolicy):
    """With exact counts, and without their halving: for fewer than 10,240 requests."""

    def __init__(self, capacity_bytes: int) -> None:
        super().__init__(capacity_bytes)
        self.window: list[Thing] = []
        self.probation: list[Thing] = []
        self.protected: list[Thing] = []
        self.queues = [self.window, self.probation, self.protected]
        self.counts: Counter[str] = Counter()
        self.window_most = capacity_bytes // 100
        self.main_most = capacity_bytes - self.window_most

    def count(self, key: str) -> int:
        return min(15, self.counts[key])

    def beats(self, count: int, needed: int) -> bool:
        freed = rivals = 0
        for victim in self.probation + self.protected:
            freed += victim.size
            rivals += self.count(victim.key)
            if rivals >= count:
                return False
            if freed >= needed:
                break
        return True

    def admits(self, key: str, size_bytes: int) -> bool:
        needed = sum(map(total, self.queues)) + size_bytes - self.capacity
        if size_bytes <= self.window_most or needed <= 0:
            return True
        if self.beats(self.count(key) + 1, needed):
            return True
        self.counts[key] += 1
        return False

    def add(self, key: str, size_bytes: int) -> None:
        self.counts[key] += 1
        self.window.append(Thing(key, size_bytes))
        while total(self.window) > self.window_most:
            if self.main() + self.window[0].size > self.main_most:
                break
            self.probation.append(self.window.pop(0))

    def main(self) -> int:
        return total(self.probation) + total(self.protected)

    def use(self, key: str, times: int = 1) -> None:
        self.counts[key] += times
        queue, thing = self.queue_of(key), self.get(key)
        queue.remove(thing)
        (self.window if queue is self.window else self.protected).append(thing)
        if queue is self.probation:
            while total(self.protected) > int(self.main_most * 0.8):
                self.probation.append(self.protected.pop(0))

    def evict(self) -> str:
        main = self.probation or self.protected
        if self.window and self.main() <= self.main_most:
            candidate = self.window.pop(0)
            if not main or not self.beats(self.count(candidate.key), candidate.size):
                return candidate.key
            victim = main.pop(0)
            self.probation.append(candidate)
            return victim.key
        return main.pop(0).key


SLOW: dict[str, type[SlowPolicy]] = {
    "gdsf": SlowGdsf,
    "lru": SlowLru,
    "s3-fifo": SlowS3Fifo,
    "sieve": SlowSieve,
    "w-tinylfu": SlowWTinyLfu,
}
