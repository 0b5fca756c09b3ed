"""How long answers took to begin, counted into buckets."""

from __future__ import annotations

from bisect import bisect_left

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets; a last one has none."""


class Waits:
    """A histogram of waits."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        """By bucket, not cumulated."""
        self.sum_s = 0.0

    def __repr__(self) -> str:
        return f"<Waits: {sum(self.counts)}, {self.sum_s:.3f} s in all>"

    def add(self, wait_s: float) -> None:
        """Count one."""
        self.counts[bisect_left(BOUNDS_S, wait_s)] += 1
        self.sum_s += wait_s

    def cumulated(self) -> list[tuple[str, float]]:
        """Counts up to each bound, as Prometheus has them."""
        bounds = [f"{bound:g}" for bound in BOUNDS_S] + ["+Inf"]
        total, found = 0, []
        for bound, count in zip(bounds, self.counts, strict=True):
            total += count
            found.append((bound, float(total)))
        return found
