"""What fills would have brought: the nights of a log, gone through again without bodies.

A ``Shadow`` is the cache of one edge. A ``Rehearsal`` has one for each edge and each share of the
cache that may be pinned, forecasts each day from the days before it, and so learns which share to
use tonight. Fills that would not have paid get none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence

from edge import policies
from edge.index import CacheIndex, Entry, Miss
from edge.simulation.requests import Request
from edge.tiers.fillplan import SHARES, FillShare, OffPeak, Wanted, plan_fill
from edge.tiers.popularity import DAY_S, Popularity, Premiere


class Shadow:
    """The cache of one edge without bodies, in which plans are carried out at once."""

    def __init__(
        self,
        capacity_bytes: int,
        *,
        window: OffPeak,
        policy: str = policies.DEFAULT,
        overhead_bytes: int = 0,
    ) -> None:
        self._index = CacheIndex(
            capacity_bytes,
            policies.make(policy, capacity_bytes=capacity_bytes),
            overhead_bytes=overhead_bytes,
        )
        self._window = window
        self._overhead_bytes = overhead_bytes

    def __repr__(self) -> str:
        return f"<Shadow of {self._index!r}>"

    def ask(self, key: str, size_bytes: int) -> bool:
        """One request; True: a hit."""
        if not isinstance(self._index.lookup(key, now_s=0.0), Miss):
            return True
        self._store(key, size_bytes)
        return False

    def fill(
        self,
        rates: Mapping[str, float],
        sizes_bytes: Mapping[str, int],
        *,
        share: float,
        now_s: float,
    ) -> int:
        """Plan and carry out one night; returns the bytes copied.

        Args:
            rates: Expected requests a day by key.
            sizes_bytes: Sizes of bodies.
            share: Of the cache, that may be pinned.
            now_s: Fetches start no earlier.
        """
        plan = plan_fill(
            rates,
            sizes_bytes,
            held=self._index,
            room_bytes=int(self._index.capacity_bytes * share),
            window=self._window,
            now_s=now_s,
            overhead_bytes=self._overhead_bytes,
        )
        wanted = {each.key for each in plan}
        for key in self._index.pinned_keys:
            if key not in wanted:
                self._index.unpin(key)
        copied_bytes = 0
        for each in plan:
            if each.key not in self._index and self._store(each.key, each.size_bytes):
                copied_bytes += each.size_bytes
            self._index.pin(each.key)
        return copied_bytes

    def _store(self, key: str, size_bytes: int) -> bool:
        if not self._index.reserve(key, size_bytes).granted:
            return False
        self._index.commit(Entry(key=key, size_bytes=size_bytes, stored_s=0.0, lifetime_s=1.0))
        return True


class Rehearsal:
    """The days of one region, in order, and what they say about the next night.

    Args:
        capacities_bytes: Size of the cache of each edge.
        window: When and how fast each edge is filled.
        half_life_s: A request this long ago weighs half of one now.
        premieres: What starts on some day.
        premiere_sizes_bytes: Their sizes.
        policy: What evicts, in the shadows.
        overhead_bytes: Charged for each object beside its body.
    """

    def __init__(
        self,
        capacities_bytes: Mapping[str, int],
        *,
        window: OffPeak,
        half_life_s: float = 2 * DAY_S,
        premieres: Sequence[Premiere] = (),
        premiere_sizes_bytes: Mapping[str, int] | None = None,
        policy: str = policies.DEFAULT,
        overhead_bytes: int = 0,
    ) -> None:
        self._capacities_bytes = dict(capacities_bytes)
        self._window = window
        self._premieres = tuple(premieres)
        self._overhead_bytes = overhead_bytes
        self._popularity = Popularity(half_life_s=half_life_s)
        self._sizes_bytes = dict(premiere_sizes_bytes or {})
        self._shadows = {
            edge: {
                share: Shadow(
                    capacity_bytes, window=window, policy=policy, overhead_bytes=overhead_bytes
                )
                for share in SHARES
            }
            for edge, capacity_bytes in capacities_bytes.items()
        }
        self._advice = FillShare()
        self.days = 0
        """Days gone through."""
        self.nights = 0
        """Of them, those with a night that something was learned from."""

    def __repr__(self) -> str:
        return f"<Rehearsal of {self.days} days, {self._advice!r}>"

    @property
    def share(self) -> float:
        """Which share of each cache to pin next; 0: fills would not have paid."""
        return self._advice.share

    def live(self, day: int, asked: Mapping[str, Iterable[Request]]) -> None:
        """Go through one day: what each edge was asked for, in order of time.

        Args:
            day: Its number, counted from the epoch; larger than those before.
            asked: By edge; read once, one edge after the other.
        """
        hit_bytes = dict.fromkeys(SHARES, 0)
        asked_bytes = filled = 0
        counts: dict[str, Counter[str]] = {}
        fill_s = day * DAY_S + self._window.start_s
        known = self._known(until_s=(day + 1) * DAY_S)
        for edge, requests in asked.items():
            shadows = self._shadows[edge]
            rates = self._popularity.rates(edge, known) if self.days else {}
            count = counts[edge] = Counter()
            for t_s, key, size_bytes in requests:
                if rates and t_s >= fill_s:
                    for share, shadow in shadows.items():
                        shadow.fill(rates, self._sizes_bytes, share=share, now_s=fill_s)
                    filled += 1
                    rates = {}
                count[key] += 1
                self._sizes_bytes[key] = size_bytes
                asked_bytes += size_bytes
                for share, shadow in shadows.items():
                    hit_bytes[share] += size_bytes * shadow.ask(key, size_bytes)
        self._popularity.add(counts, length_s=DAY_S, now_s=(day + 1) * DAY_S)
        self.days += 1
        self._forget_sizes()
        if filled and asked_bytes:
            self._advice.learn({share: hit / asked_bytes for share, hit in hit_bytes.items()})
            self.nights += 1

    def rates(self, edge: str, *, now_s: float) -> dict[str, float]:
        """Expected requests a day for each key at ``edge``, until a day from now."""
        return self._popularity.rates(edge, self._known(until_s=now_s + DAY_S))

    def plan(
        self,
        rates: Mapping[str, float],
        *,
        held: Container[str] | None,
        room_bytes: int,
        max_object_bytes: int,
        window: OffPeak,
        now_s: float,
    ) -> tuple[Wanted, ...]:
        """What to hold pinned tonight, the most asked-for first.

        Args:
            rates: Of ``rates``.
            held: Keys that need no fetch; None: as if all were held.
            room_bytes: Most bytes pinned.
            max_object_bytes: Larger objects are left out.
            window: When and how fast to fetch.
            now_s: Fetches start no earlier.
        """
        sizes = {key: size for key, size in self._sizes_bytes.items() if size <= max_object_bytes}
        return plan_fill(
            rates,
            sizes,
            held=sizes if held is None else held,
            room_bytes=room_bytes,
            window=window,
            now_s=now_s,
            overhead_bytes=self._overhead_bytes,
        )

    def _known(self, *, until_s: float) -> list[Premiere]:
        return [each for each in self._premieres if each.at_s < until_s]

    def _forget_sizes(self) -> None:
        """Sizes of what nobody counts any more, so that they do not grow with the log."""
        kept = {each.key for each in self._premieres}
        kept.update(*(self._popularity.counts(edge) for edge in self._capacities_bytes))
        self._sizes_bytes = {key: size for key, size in self._sizes_bytes.items() if key in kept}
