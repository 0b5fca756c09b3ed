"""One track of a playback: what was fetched, and up to where it can be played.

A segment can be played when it, its initialisation section and its keys are all here;
they may arrive in any order.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import NamedTuple

from player.playback.actions import Resource, TrackName

HELD_RATIO = 0.05
"""See ``Track.taken_s``."""

LONG_TAIL_S = 0.5
"""Sound that ends later or earlier than the picture by more is told of."""


class Span(NamedTuple):
    """Media of one segment, from where those before it end."""

    end_s: float
    rung: int


@dataclass(slots=True)
class _Waiting:
    """A segment that was fetched and cannot be played yet."""

    end_s: float
    needs: AbstractSet[Resource]
    is_here: bool = True
    """False while it is fetched again."""


@dataclass(slots=True)
class Track:
    """Progress along one track."""

    name: TrackName
    end_s: float
    """Where its media end, as far as is known."""
    request_id: int | None = None
    """The segment request under way."""
    not_before_s: float = 0.0
    """When its next segment may be asked for: what failed is not tried again at once."""
    fetched_s: float = 0.0
    """End of the fetched media: where the next segment is looked for."""
    ready_s: float = 0.0
    """End of the playable media."""
    _waiting: list[_Waiting] = field(default_factory=list)
    _spans: list[Span] = field(default_factory=list)
    _first_s: float = 0.0
    """Where the first of the spans begins."""

    @property
    def is_fetched(self) -> bool:
        """Every segment is here."""
        return self.fetched_s >= self.end_s

    @property
    def is_playable(self) -> bool:
        """Every segment is here, and so is all that it needs."""
        return self.ready_s >= self.end_s

    @property
    def buffered_s(self) -> float:
        """End of the media that are here, though some may be about to be replaced."""
        return max(self.fetched_s, self.ready_s)

    def add(self, end_s: float, needs: AbstractSet[Resource], rung: int = -1) -> None:
        """The next segment has arrived.

        Args:
            end_s: Where it ends on the media timeline.
            needs: What must be here beside it before it can be played.
            rung: Which rung it is of.
        """
        if not self._spans:
            self._first_s = self.fetched_s
        self._waiting.append(_Waiting(end_s, needs))
        self._spans.append(Span(end_s, rung))
        self.fetched_s = end_s
        self.request_id = None

    def replace_from(self, time_s: float) -> None:
        """What is here from the segment of ``time_s`` on is fetched again; it plays until then."""
        place = bisect_right(self._spans, time_s, key=lambda span: span.end_s)
        self.fetched_s = self._spans[place - 1].end_s if place else self._first_s
        del self._spans[place:]
        self._waiting = [each for each in self._waiting if each.end_s <= self.fetched_s]

    def first_without(self, resource: Resource) -> float | None:
        """Where the first segment begins that waits for ``resource``; None: none does."""
        start_s = self.ready_s
        for waiting in self._waiting:
            if resource in waiting.needs:
                return start_s
            start_s = waiting.end_s
        return None

    def lacking(self, have: AbstractSet[Resource], *, until_s: float) -> Iterator[Resource]:
        """What segments that begin before ``until_s`` wait for and is not among ``have``."""
        start_s = self.ready_s
        for waiting in self._waiting:
            if start_s >= until_s:
                return
            yield from sorted(waiting.needs - have, key=str)
            start_s = waiting.end_s

    def start_of(self, end_s: float) -> float:
        """Where the segment begins that ends at ``end_s`` and cannot be played yet."""
        earlier = (waiting.end_s for waiting in self._waiting if waiting.end_s < end_s)
        return max(earlier, default=self.ready_s)

    def take_back(self, time_s: float) -> None:
        """What was fetched from ``time_s`` on is of no use; it is not ready yet."""
        self._waiting = [each for each in self._waiting if each.end_s <= time_s]
        self._spans = [span for span in self._spans if span.end_s <= time_s]
        self.fetched_s = time_s

    def span_at(self, time_s: float) -> Span:
        """The media that were fetched for ``time_s``, earlier than ``fetched_s``."""
        return self._spans[bisect_right(self._spans, time_s, key=lambda span: span.end_s)]

    def taken_s(self, picture_s: float, *, until_s: float) -> float:
        """Of the media up to ``until_s``, the end of what hls.js hands over beside a picture.

        It holds a segment back until the picture ends beyond ``HELD_RATIO`` of it.
        """
        last = bisect_right(self._spans, until_s, key=lambda span: span.end_s) - 1
        while last >= 0:
            start_s = self._spans[last - 1].end_s if last else self._first_s
            end_s = self._spans[last].end_s
            if start_s + HELD_RATIO * (end_s - start_s) < picture_s:
                return end_s
            last -= 1
        return self._first_s

    def update(self, have: AbstractSet[Resource]) -> None:
        """Move the end of the playable media as far as ``have`` allows."""
        while self._waiting and self._waiting[0].is_here and self._waiting[0].needs <= have:
            self.ready_s = max(self.ready_s, self._waiting.pop(0).end_s)

    def mark(self, end_s: float, *, is_here: bool) -> None:
        """The segment that ends there was of no use after all, or is here again."""
        for waiting in self._waiting:
            if waiting.end_s == end_s:
                waiting.is_here = is_here


def tail_note(tracks: Sequence[Track]) -> str:
    """What to tell of sound that ends after or before the picture; empty: nothing.

    The picture's track comes first.
    """
    ends_s = [track.end_s for track in tracks]
    tail_s = ends_s[-1] - ends_s[0] if all(map(math.isfinite, ends_s)) else 0.0
    if tail_s < -LONG_TAIL_S:
        return f"the last {-tail_s:.1f} s of the picture have no sound"
    if tail_s <= LONG_TAIL_S:
        return ""
    what = f"the sound goes on for {tail_s:.1f} s after the picture"
    return f"{what}; playback ends with the picture"
