"""How long is tried for the next media of a track, whatever stands in for what.

One budget covers every rung and pathway that is tried for the same media, so that many ways to fail
do not add up. It lasts as long as what is buffered when the first try fails, or the patience of the
player if that is longer, and half as long as that before playback has begun.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from player.playback.actions import Kind, TrackName, Want

STARTUP_RATIO = 0.5
"""Of the player's patience, before playback has begun: who waits sees nothing at all."""


@dataclass(slots=True)
class Search:
    """The tries for one piece of media."""

    at_s: float
    """Where it begins on the media timeline."""
    until_s: float
    """When patience ends."""
    what: str
    """What failed first, and how."""
    tries: Counter[Kind] = field(default_factory=Counter)
    """Failed so far, at any rung and place, by what was tried: keys fail beside their segments."""
    left: set[str] = field(default_factory=set)
    """Playlists for which another stood in: once each, so that every search ends."""
    playlists: set[str] = field(default_factory=set)
    """Where it was tried, once each before any a second time, however long that takes."""


class Availability:
    """What is searched for on each track."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._searches: dict[tuple[TrackName, float], Search] = {}

    @property
    def playlists(self) -> set[str]:
        """Where what is searched for was tried."""
        return {url for search in self._searches.values() for url in search.playlists}

    def found(self, track: TrackName, ready_s: float) -> None:
        """The media of ``track`` can be played up to ``ready_s``."""
        over = [each for each in self._searches if each[0] == track and each[1] < ready_s]
        for each in over:
            del self._searches[each]

    def __repr__(self) -> str:
        found = ", ".join(f"{track} {at_s:g} s" for track, at_s in self._searches)
        return f"<Availability, searching for {found or 'nothing'}>"

    def failed(
        self,
        want: Want,
        at_s: float,
        *,
        what: str,
        asked_s: float,
        now_s: float,
        buffer_s: float | None,
    ) -> Search:
        """A try has failed for ``want``, which the media from ``at_s`` on cannot do without.

        Args:
            want: What was tried.
            at_s: Where they begin.
            what: What failed, and how.
            asked_s: When it was asked for first.
            now_s: Now.
            buffer_s: What is buffered; None before playback has begun.

        Returns:
            The search for them; a new one if they were not searched for before.
        """
        search = self._searches.get((want.track, at_s))
        if search is None:
            until_s = asked_s + STARTUP_RATIO * self._patience_s
            if buffer_s is not None:
                until_s = max(asked_s + self._patience_s, now_s + buffer_s)
            search = self._searches[want.track, at_s] = Search(at_s, until_s, what)
        search.tries[want.kind] += 1
        search.playlists.add(want.playlist)
        return search
