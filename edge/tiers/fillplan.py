"""What to copy to an edge ahead of demand, when, and how much room to give it.

A plan fills the most asked-for objects that are not held yet, within a window at night and
at a bounded rate. What is filled is pinned, so it takes room from what the policy would keep:
that pays only while the forecast is good. So the room is earned: ``FillShare`` gives what would
have paid on the days before, and nothing when fills would not have.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

from edge.tiers.popularity import DAY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class OffPeak:
    """When to fill, each day, and how fast."""

    start_s: float = 2 * 3600.0
    """Seconds after midnight of the clock whose time is passed in."""
    length_s: float = 4 * 3600.0
    rate_bps: float = 50e6
    """Most bits per second."""

    def next_start_s(self, now_s: float) -> float:
        """Start of the window that is open at ``now_s``, or of the next."""
        start_s = now_s // DAY_S * DAY_S + self.start_s
        for days in (-1, 0):
            if now_s < start_s + days * DAY_S + self.length_s:
                return start_s + days * DAY_S
        return start_s + DAY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One object to hold pinned."""

    key: str
    size_bytes: int
    start_s: float | None
    """When to ask the parent for it; None: it is held already."""


def plan_fill(
    rates: Mapping[str, float],
    sizes_bytes: Mapping[str, int],
    *,
    held: Container[str],
    room_bytes: int,
    window: OffPeak,
    now_s: float,
    overhead_bytes: int = 0,
) -> tuple[Wanted, ...]:
    """The objects to hold pinned, the most asked-for first.

    Args:
        rates: Expected requests a day by key; a key at or below 0 is never filled.
        sizes_bytes: Sizes of bodies; a key without a size is left out.
        held: Keys that need no fetch.
        room_bytes: Most bytes pinned.
        window: When and how fast to fetch.
        now_s: Fetches start no earlier.
        overhead_bytes: Charged for each object beside its body.

    Returns:
        Fetches follow each other so that the rate is kept on average, and the last ends
        within the window; what does not fit in room or window is left out.
    """
    begin_s = max(now_s, window.next_start_s(now_s))
    left_bytes = (window.next_start_s(now_s) + window.length_s - begin_s) * window.rate_bps / 8
    at_s, plan = begin_s, []
    for key in sorted(rates, key=lambda key: (-rates[key], key)):
        size_bytes = sizes_bytes.get(key)
        if rates[key] <= 0:
            break
        if size_bytes is None or size_bytes + overhead_bytes > room_bytes:
            continue
        if key in held:
            plan.append(Wanted(key=key, size_bytes=size_bytes, start_s=None))
        elif size_bytes <= left_bytes:
            plan.append(Wanted(key=key, size_bytes=size_bytes, start_s=at_s))
            at_s += size_bytes * 8 / window.rate_bps
            left_bytes -= size_bytes
        else:
            continue
        room_bytes -= size_bytes + overhead_bytes
    return tuple(plan)


SHARES = (0.0, 0.1, 0.25, 0.5, 0.75)
"""Shares of the cache that may be pinned, each tried out in a shadow."""


class FillShare:
    """Which share of the cache to pin, from what each share would have brought so far.

    For each of ``SHARES`` a shadow, an index without bodies over the same requests (or over a
    sample of the keys), carries the same plans out. The share that did best lately is used, and
    none at all unless it was better than no fills by a margin.

    Args:
        margin: Least gain in the hit ratio by byte, 0 to 1.
        memory: Weight of all days before against the latest, 0 to 1.
    """

    def __init__(self, *, margin: float = 0.003, memory: float = 0.7) -> None:
        self._margin = margin
        self._memory = memory
        self._gains = dict.fromkeys(SHARES, 0.0)
        self.share = 0.0
        """The share to use next."""

    def __repr__(self) -> str:
        return f"<FillShare {self.share:g}: gains {self._gains}>"

    def learn(self, hit_ratios: Mapping[float, float]) -> None:
        """Take in the hit ratios by byte of the shadows over one day, by their share."""
        for share in SHARES:
            gain = hit_ratios[share] - hit_ratios[0.0]
            self._gains[share] = self._memory * self._gains[share] + (1 - self._memory) * gain
        best = max(SHARES, key=lambda share: self._gains[share])
        is_good = self._gains[best] >= self._margin and hit_ratios[best] >= hit_ratios[0.0]
        self.share = best if is_good else 0.0
