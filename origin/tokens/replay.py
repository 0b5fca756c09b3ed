"""Which tokens that may be used once have been used.

Both forms that know such tokens share it: ``jti`` of RFC 9246 and ``catreplay`` of CTA-5007. It is
the memory of one process and survives nothing: after a restart, and at every other process, a
token may be used once more until it ends. So tokens that may be used once should end soon.

A use is forgotten when its token has ended, and not earlier: when the memory is full, further
tokens of this kind are refused, for to forget one would let it be used again.
"""

from __future__ import annotations

import hashlib
import heapq
from typing import Literal

CAPACITY = 100_000
"""Most uses remembered, about 20 MB."""

Use = Literal["first", "again", "full"]
"""``full``: nobody knows, for there is no room to remember it."""


class ReplayMemory:
    """The uses of tokens that have not ended yet."""

    def __init__(self, *, capacity: int = CAPACITY) -> None:
        """Remember ``capacity`` uses at most."""
        self._capacity = capacity
        self._used: set[bytes] = set()
        self._ends: list[tuple[float, bytes]] = []  # a heap, earliest end first
        self.again = 0
        """Uses after the first, of tokens that are remembered."""

    def __repr__(self) -> str:
        return f"<ReplayMemory of {len(self._used)} uses, {self.again} of them again>"

    def __len__(self) -> int:
        return len(self._used)

    def use(self, name: str, *, ends_s: float, now_s: float) -> Use:
        """Note that ``name`` is used.

        Args:
            name: What may be used once; it names the token's issuer too.
            ends_s: From when on nobody accepts it anyway, Unix seconds.
            now_s: Unix time, seconds.
        """
        while self._ends and self._ends[0][0] <= now_s:
            self._used.discard(heapq.heappop(self._ends)[1])
        # Names may be long, and come from outside.
        key = hashlib.blake2b(name.encode(), digest_size=16).digest()
        if key in self._used:
            self.again += 1
            return "again"
        if len(self._used) >= self._capacity:
            return "full"
        self._used.add(key)
        heapq.heappush(self._ends, (ends_s, key))
        return "first"
