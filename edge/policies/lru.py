"""Least recently used: the object with the oldest use is evicted first.

Admits everything. The baseline for other policies.
"""

from __future__ import annotations

from edge.policies.bytequeue import ByteQueue


class Lru:
    """Keys in order of their latest use, the oldest first."""

    def __init__(self, _capacity_bytes: int = 0) -> None:
        self._order = ByteQueue()

    def __repr__(self) -> str:
        return f"<Lru of {len(self._order)} keys>"

    def admits(self, key: str, size_bytes: int) -> bool:
        """Every object is admitted."""
        return True

    def add(self, key: str, size_bytes: int) -> None:
        """``key`` becomes the most recently used."""
        self._order.push(key, size_bytes)

    def use(self, key: str, times: int = 1) -> None:
        """``key`` becomes the most recently used."""
        self._order.move_to_back(key)

    def resize(self, key: str, size_bytes: int) -> None:
        """``key`` keeps its place."""
        self._order.resize(key, size_bytes)

    def remove(self, key: str) -> None:
        """Forget ``key``."""
        self._order.remove(key)

    def evict(self) -> str:
        """Forget and return the least recently used key."""
        key, _ = self._order.pop()
        return key
