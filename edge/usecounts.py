"""How often each key was asked for: the raw material of popularity, in bounded memory."""

from __future__ import annotations

MOST_KEYS = 65_536


class UseCounts:
    """Requests by key since ``take``.

    When ``most_keys`` are counted, the less used half is forgotten: what is popular stays
    exact from its first request after that on.
    """

    __slots__ = ("_counts", "_most_keys", "forgotten")

    def __init__(self, most_keys: int = MOST_KEYS) -> None:
        if most_keys < 2:
            raise ValueError("most_keys must be 2 or more")
        self._counts: dict[str, int] = {}
        self._most_keys = most_keys
        self.forgotten = 0
        """Requests forgotten for lack of room since ``take``."""

    def __repr__(self) -> str:
        return f"<UseCounts of {len(self._counts)} keys, {self.forgotten} requests forgotten>"

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, key: str, times: int = 1) -> None:
        """Count ``times`` requests for ``key``."""
        counts = self._counts
        found = counts.get(key)
        if found is not None:
            counts[key] = found + times
            return
        if len(counts) >= self._most_keys:
            self._forget_half()
        self._counts[key] = times

    def most_used(self, most: int) -> list[tuple[str, int]]:
        """Up to ``most`` keys with their counts, the most used first."""
        ranked = sorted(self._counts.items(), key=lambda counted: -counted[1])
        return ranked[:most]

    def take(self) -> dict[str, int]:
        """All counts; counting starts anew."""
        taken, self._counts = self._counts, {}
        self.forgotten = 0
        return taken

    def _forget_half(self) -> None:
        kept = dict(self.most_used(self._most_keys // 2))
        self.forgotten += sum(self._counts.values()) - sum(kept.values())
        self._counts = kept
