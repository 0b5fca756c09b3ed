"""Which rungs can be had: one that failed is left out for a while, and another stands in.

For one segment each rung is tried once, so that a search for something that can be had always ends.
"""

from __future__ import annotations


class Availability:
    """The rungs of one playback that failed."""

    def __init__(self, penalty_s: float) -> None:
        """A rung that failed is left out for ``penalty_s``."""
        self._penalty_s = penalty_s
        self._until_s: dict[int, float] = {}
        self._segment = -1
        self._tried: set[int] = set()

    def __repr__(self) -> str:
        return f"<Availability without {sorted(self._until_s) or 'nothing'}>"

    def fail(self, rung: int, segment: int, now_s: float) -> None:
        """``rung`` cannot be had for ``segment``, and is left out for a while."""
        if segment != self._segment:
            self._segment, self._tried = segment, set()
        self._tried.add(rung)
        self._until_s[rung] = now_s + self._penalty_s

    def nearest(self, rung: int, rungs: int, segment: int, now_s: float) -> int | None:
        """``rung`` if it can be had, else the next lower one, else the next higher; None: none."""
        tried = self._tried if segment == self._segment else set()
        order = [*range(rung, -1, -1), *range(rung + 1, rungs)]
        open_rungs = [each for each in order if each not in tried]
        good = (each for each in open_rungs if self._until_s.get(each, -1.0) <= now_s)
        # What failed for an earlier segment is better than nothing.
        return next(good, next(iter(open_rungs), None))
