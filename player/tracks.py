"""One track of a playback: what was fetched, and up to where it can be played.

A segment can be played when it, its initialisation section and its keys are all here;
they may arrive in any order.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from player.actions import Kind, TrackName
from player.manifest import SegmentRef
from transcode.playlist import ByteRange

Resource = tuple[Kind, str, ByteRange | None]
"""What identifies something fetched once: kind, URL and byte range. The kind, because
nothing hinders a playlist from naming one URL as two kinds of thing."""


def needs_of(segment: SegmentRef) -> frozenset[Resource]:
    """What must be here, beside the segment itself, before it can be played."""
    needs: set[Resource] = set()
    if segment.init is not None:
        needs.add(("init", segment.init.url, segment.init.byte_range))
        if segment.init.key is not None:
            needs.add(("key", segment.init.key.url, None))
    if segment.key is not None:
        needs.add(("key", segment.key.url, None))
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
        return self.is_fetched and not self._waiting

    def add(self, segment: SegmentRef, end_s: float) -> None:
        """The next segment has arrived; it ends at ``end_s`` of the media timeline."""
        self._waiting.append((end_s, needs_of(segment)))
        self.next += 1
        self.fetched_s = end_s
        self.request_id = None

    def update(self, have: AbstractSet[Resource]) -> None:
        """Move the end of the playable media as far as ``have`` allows."""
        while self._waiting and self._waiting[0][1] <= have:
            self.ready_s = self._waiting.pop(0)[0]
