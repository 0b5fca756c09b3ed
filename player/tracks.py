"""One track of a playback: what was fetched, and up to where it can be played.

A segment can be played when it, its initialisation section and its keys are all here;
they may arrive in any order.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from player.actions import TrackName
from player.manifest import SegmentRef
from transcode.playlist import ByteRange

Resource = tuple[str, ByteRange | None]
"""What identifies something fetched once: URL and byte range."""


def needs_of(segment: SegmentRef) -> frozenset[Resource]:
    """What must be here, beside the segment itself, before it can be played."""
    needs: set[Resource] = set()
    if segment.init is not None:
        needs.add((segment.init.url, segment.init.byte_range))
        if segment.init.key is not None:
            needs.add((segment.init.key.url, None))
    if segment.key is not None:
        needs.add((segment.key.url, None))
    return frozenset(needs)


@dataclass(slots=True)
class Track:
    """Progress along one track."""

    name: TrackName
    count: int
    """Segments in all."""
    next: int = 0
    """First segment that has not been fetched."""
    request_id: int | None = None
    """The segment request under way."""
    fetched_s: float = 0.0
    """End of the fetched media."""
    ready_s: float = 0.0
    """End of the playable media."""
    _waiting: list[tuple[float, frozenset[Resource]]] = field(default_factory=list)

    @property
    def is_fetched(self) -> bool:
        """Every segment is here."""
        return self.next >= self.count

    @property
    def is_playable(self) -> bool:
        """Every segment is here, and so is all that is needed to open them."""
        return self.is_fetched and self.ready_s >= self.fetched_s

    def add(self, segment: SegmentRef) -> None:
        """The next segment has arrived."""
        self._waiting.append((segment.end_s, needs_of(segment)))
        self.next += 1
        self.fetched_s = segment.end_s
        self.request_id = None

    def update(self, have: AbstractSet[Resource]) -> None:
        """Move the end of the playable media as far as ``have`` allows."""
        while self._waiting and self._waiting[0][1] <= have:
            self.ready_s = self._waiting.pop(0)[0]
