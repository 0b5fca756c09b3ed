"""Least recently used: the object with the oldest use is evicted first.

Admits everything. The baseline for other policies.
"""

from __future__ import annotations

from collections import OrderedDict


class Lru:
    """Keys in order of their latest use, the oldest first."""

    def __init__(self) -> None:
        self._order: OrderedDict[str, None] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Lru of {len(self._order)} keys>"

    def admits(self, key: str, size_bytes: int) -> bool:
        """Every object is admitted."""
        return True

    def add(self, key: str, size_bytes: int) -> None:
        """``key`` becomes the most recently used."""
        self._order[key] = None

    def use(self, key: str) -> None:
        """``key`` becomes the most recently used."""
        self._order.move_to_end(key)

    def remove(self, key: str) -> None:
        """Forget ``key``."""
        del self._order[key]

    def evict(self) -> str:
        """Forget and return the least recently used key."""
        key, _ = self._order.popitem(last=False)
        return key
