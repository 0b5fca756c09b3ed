"""Which of the places of a rung is used now.

Places are in order of preference; one of whose playlists was lost is passed over. This module
knows nothing of playlists' contents, requests or buffers.
"""

from __future__ import annotations

from collections.abc import Sequence

from player.playback.ladder import Place


class Pathways:
    """The places of one playback that can be had."""

    def __init__(self) -> None:
        self._lost: set[str] = set()

    def __repr__(self) -> str:
        return f"<Pathways, {len(self._lost)} playlists lost>"

    def lose(self, url: str) -> None:
        """The media playlist at ``url`` cannot be had."""
        self._lost.add(url)

    def choose(self, places: Sequence[Place]) -> Place | None:
        """The place to use; None: none can be had."""
        return next((each for each in places if self._lost.isdisjoint(each.urls)), None)
