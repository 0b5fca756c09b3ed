"""SIEVE: one queue, a hand that moves through it, and one bit for each object.

The hand moves from the oldest object to the newest. It passes an object that was used since
the hand last passed it, which stays where it is, and evicts the first that was not.

Source: Y. Zhang, J. Yang, Y. Yue, Y. Vigfusson, K. V. Rashmi, "SIEVE is Simpler than LRU: an
Efficient Turn-Key Eviction Algorithm for Web Caches", NSDI 2024.

The queue is kept as two, behind and ahead of the hand: moving the hand over an object takes
it from the front of the one to the back of the other, and no links are needed.
"""

from __future__ import annotations

from edge.policies.bytequeue import ByteQueue


class Sieve:
    """The queue of one cache, cut in two at the hand."""

    def __init__(self, _capacity_bytes: int = 0) -> None:
        self._behind, self._ahead = ByteQueue(), ByteQueue()
        self._used: set[str] = set()

    def __repr__(self) -> str:
        return f"<Sieve of {len(self._behind)} keys behind its hand, {len(self._ahead)} ahead>"

    def admits(self, key: str, size_bytes: int) -> bool:
        """Every object is admitted."""
        return True

    def add(self, key: str, size_bytes: int) -> None:
        """``key`` becomes the newest."""
        self._ahead.push(key, size_bytes)

    def use(self, key: str, times: int = 1) -> None:
        """Mark ``key``; nothing moves."""
        self._used.add(key)

    def resize(self, key: str, size_bytes: int) -> None:
        """``key`` keeps its place."""
        (self._ahead if key in self._ahead else self._behind).resize(key, size_bytes)

    def remove(self, key: str) -> None:
        """Forget ``key``."""
        self._used.discard(key)
        (self._ahead if key in self._ahead else self._behind).remove(key)
        self._wrap()

    def evict(self) -> str:
        """Move the hand to the first key that was not used; forget and return it."""
        while True:
            key, size_bytes = self._ahead.pop()
            if key not in self._used:
                self._wrap()
                return key
            self._used.remove(key)
            self._behind.push(key, size_bytes)
            self._wrap()

    def _wrap(self) -> None:
        """After the newest object, go on with the oldest."""
        if not self._ahead:
            self._ahead, self._behind = self._behind, self._ahead
