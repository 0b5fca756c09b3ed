"""W-TinyLFU: a new object must be more popular than those it would push out.

New objects enter a small window in order of use. What falls out of the window competes with
the oldest objects of the main part: it stays if it was asked for more often than all of those
that would make room for it together. The main part has a probationary and a protected
segment; an object enters the latter on its first use in the main part.

Sources: G. Einziger, R. Friedman, B. Manes, "TinyLFU: A Highly Efficient Cache Admission
Policy", arXiv:1512.00727 (the window of 1 % and the segments); G. Einziger, O. Eytan, R. Friedman,
B. Manes, "Lightweight Robust Size Aware Cache Management", ACM Transactions on Storage, 2022
(objects of different sizes). Deviations: an object larger than the window competes before it
is stored; no doorkeeper in front of the sketch.
"""

from __future__ import annotations

from edge.policies.bytequeue import ByteQueue
from edge.policies.sketch import FrequencySketch

WINDOW_RATIO = 0.01
PROTECTED_RATIO = 0.8
"""Share of the main part."""


class WTinyLfu:
    """Window and segments of one cache, and the sketch of what it was asked for."""

    def __init__(self, capacity_bytes: int) -> None:
        self._capacity_bytes = capacity_bytes
        self._window_bytes = int(capacity_bytes * WINDOW_RATIO)
        self._main_bytes = capacity_bytes - self._window_bytes
        self._protected_bytes = int(self._main_bytes * PROTECTED_RATIO)
        self._window, self._probation, self._protected = ByteQueue(), ByteQueue(), ByteQueue()
        self._sketch = FrequencySketch()

    def __repr__(self) -> str:
        segments = f"{self._probation!r} on probation, {self._protected!r} protected"
        return f"<WTinyLfu: {self._window!r} in the window, {segments}>"

    def admits(self, key: str, size_bytes: int) -> bool:
        """Whether the object fits the window or free space, or is more popular than its victims."""
        held_bytes = self._window.size_bytes + self._held_in_main
        excess_bytes = held_bytes + size_bytes - self._capacity_bytes
        if size_bytes <= self._window_bytes or excess_bytes <= 0:
            return True
        if self._beats_victims(self._sketch.count(key) + 1, excess_bytes):
            return True
        self._sketch.add(key)
        return False

    def add(self, key: str, size_bytes: int) -> None:
        """``key`` enters the window; the main part takes what overflows while it has room."""
        self._sketch.make_room_for(self._count + 1)
        self._sketch.add(key)
        self._window.push(key, size_bytes)
        while self._window.size_bytes > self._window_bytes:
            _, oldest_bytes = next(iter(self._window))
            if self._held_in_main + oldest_bytes > self._main_bytes:
                return
            self._probation.push(*self._window.pop())

    def use(self, key: str, times: int = 1) -> None:
        """Count the use; in the main part, ``key`` becomes protected."""
        self._sketch.add(key, times)
        if key in self._protected:
            self._protected.move_to_back(key)
        elif key in self._window:
            self._window.move_to_back(key)
        else:
            self._protected.push(key, self._probation.remove(key))
            while self._protected.size_bytes > self._protected_bytes:
                self._probation.push(*self._protected.pop())

    def resize(self, key: str, size_bytes: int) -> None:
        """``key`` keeps its place."""
        self._queue_of(key).resize(key, size_bytes)

    def remove(self, key: str) -> None:
        """Forget ``key``."""
        self._queue_of(key).remove(key)

    def evict(self) -> str:
        """Let the window's oldest compete with the main part's oldest; the loser is returned."""
        if not self._window or self._held_in_main > self._main_bytes:
            return self._pop_main()
        key, size_bytes = self._window.pop()
        if not self._held_in_main or not self._beats_victims(self._sketch.count(key), size_bytes):
            return key
        victim = self._pop_main()
        self._probation.push(key, size_bytes)
        return victim

    @property
    def _held_in_main(self) -> int:
        return self._probation.size_bytes + self._protected.size_bytes

    @property
    def _count(self) -> int:
        return len(self._window) + len(self._probation) + len(self._protected)

    def _beats_victims(self, count: int, needed_bytes: int) -> bool:
        """Whether ``count`` requests are more than those of the victims that free so many bytes."""
        for queue in (self._probation, self._protected):
            for victim, size_bytes in queue:
                count -= self._sketch.count(victim)
                needed_bytes -= size_bytes
                if count <= 0:
                    return False
                if needed_bytes <= 0:
                    return True
        return True

    def _pop_main(self) -> str:
        key, _ = (self._probation or self._protected).pop()
        return key

    def _queue_of(self, key: str) -> ByteQueue:
        for queue in (self._window, self._probation):
            if key in queue:
                return queue
        return self._protected
