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
from collections import Counter
from typing import Literal

CAPACITY = 100_000
"""Most uses remembered, about 20 MB."""

SHARE = 10
"""One token has this part of them at most: whoever asks for ever new names with a token that opens
each object once must not fill the memory for all others."""

Use = Literal["first", "again", "full"]
"""``full``: nobody knows, for there is no room to remember it."""


class ReplayMemory:
    """The uses of tokens that have not ended yet."""

    def __init__(self, *, capacity: int = CAPACITY) -> None:
        """Remember ``capacity`` uses at most."""
        self._capacity = capacity
        self._most_of_one = max(1, capacity // SHARE)
        self._used: set[bytes] = set()
        self._ends: list[tuple[float, bytes, bytes]] = []  # a heap, earliest end first
        self._of_token: Counter[bytes] = Counter()
        self.again = 0
        """Uses after the first, of tokens that are remembered."""

    def __repr__(self) -> str:
        return f"<ReplayMemory of {len(self._used)} uses, {self.again} of them again>"

    def __len__(self) -> int:
        return len(self._used)

    def use(self, name: str, *, ends_s: float, now_s: float, thing: str = "") -> Use:
        """Note that a token is used.

        Args:
            name: Names the token, and its issuer too.
            ends_s: From when on nobody accepts it anyway, Unix seconds.
            now_s: Unix time, seconds.
            thing: What it is used for, if it may be used once for each.
        """
        while self._ends and self._ends[0][0] <= now_s:
            self._forget(*heapq.heappop(self._ends)[1:])
        # Names may be long, and come from outside.
        token = _digest(name)
        key = _digest(f"{name}\n{thing}") if thing else token
        if key in self._used:
            self.again += 1
            return "again"
        if len(self._used) >= self._capacity or self._of_token[token] >= self._most_of_one:
            return "full"
        self._used.add(key)
        self._of_token[token] += 1
        heapq.heappush(self._ends, (ends_s, key, token))
        return "first"

    def _forget(self, key: bytes, token: bytes) -> None:
        self._used.discard(key)
        self._of_token[token] -= 1
        if not self._of_token[token]:
            del self._of_token[token]


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
