"""One track of a playback: what was fetched, and up to where it can be played.

A segment can be played when it, its initialisation section and its keys are all here;
they may arrive in any order.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from player.playback.actions import Resource, TrackName


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
    _waiting: list[tuple[float, AbstractSet[Resource]]] = field(default_factory=list)

    @property
    def is_fetched(self) -> bool:
        """Every segment is here."""
        return self.next >= self.count

    @property
    def is_playable(self) -> bool:
        """Every segment is here, and so is all that it needs."""
        return self.is_fetched and not self._waiting

    def add(self, end_s: float, needs: AbstractSet[Resource]) -> None:
        """The next segment has arrived.

        Args:
            end_s: Where it ends on the media timeline.
            needs: What must be here beside it before it can be played.
        """
        self._waiting.append((end_s, needs))
        self.next += 1
        self.fetched_s = end_s
        self.request_id = None

    def update(self, have: AbstractSet[Resource]) -> None:
        """Move the end of the playable media as far as ``have`` allows."""
        while self._waiting and self._waiting[0][1] <= have:
            self.ready_s = self._waiting.pop(0)[0]
