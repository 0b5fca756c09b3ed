"""Which of the places of a rung is used now.

The pathways are ranked by a steering server, or as they are listed. A place of which something
could not be had is left out for a while, and so is a whole pathway whose server does not answer;
when all are left out, the one that has been for longest comes first. This module knows nothing of
playlists' contents, requests or buffers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from urllib.parse import urlsplit

from player.playback.ladder import Place

NEVER_S = -1.0


class Pathways:
    """What is known of the places of one playback."""

    def __init__(self) -> None:
        self._ranked: list[str] = []
        self._preferred = ""
        self._out_until_s: dict[str, float] = {}
        self._way_out_until_s: dict[str, float] = {}

    def __repr__(self) -> str:
        ranked = ", ".join(self._ranked) or "as listed"
        out = len(self._out_until_s) + len(self._way_out_until_s)
        return f"<Pathways {ranked}; {out} left out>"

    # --- what is said and found of them ------------------------------------------------

    def prefer(self, pathway: str) -> None:
        """Begin with ``pathway``, until they are ranked."""
        self._preferred = pathway

    def rank(self, pathways: Sequence[str]) -> None:
        """From now on the first of these is used that there is; others are not."""
        self._ranked = list(pathways)

    def leave_out(self, url: str, until_s: float) -> None:
        """Something of the media playlist at ``url`` could not be had."""
        self._out_until_s[url] = until_s

    def leave_out_way(self, place: Place, until_s: float) -> None:
        """The server of ``place`` does not answer as it should: all on its way are left out."""
        self._way_out_until_s[_way(place)] = until_s

    def forgive(self, now_s: float, *, but: Collection[str] = ()) -> None:
        """What was left out for long enough may be used again, but for some playlists."""
        for known in (self._out_until_s, self._way_out_until_s):
            over = [name for name, until_s in known.items() if until_s <= now_s]
            for name in over:
                if name not in but:
                    del known[name]

    # --- what follows ----------------------------------------------------------------------

    def choose(self, places: Sequence[Place]) -> Place:
        """The place to use."""
        if len(places) == 1:
            return places[0]
        allowed = [each for each in places if each.pathway in self._ranked] or places
        return min(allowed, key=lambda each: (self.out_until_s(each), self._rank_of(each)))

    def is_out(self, place: Place) -> bool:
        """Whether something of ``place`` could not be had."""
        return self.out_until_s(place) > NEVER_S

    def out_until_s(self, place: Place) -> float:
        """Until when ``place`` is left out."""
        if not (self._out_until_s or self._way_out_until_s):
            return NEVER_S
        return max(
            self._way_out_until_s.get(_way(place), NEVER_S),
            *(self._out_until_s.get(url, NEVER_S) for url in place.urls),
        )

    def elsewhere(self, place: Place, places: Iterable[Place]) -> Place | None:
        """Another of ``places`` that nothing is known against, on another way; None: none."""
        others = [each for each in places if _way(each) != _way(place)]
        allowed = [each for each in others if not self._ranked or each.pathway in self._ranked]
        good = [each for each in allowed if not self.is_out(each)]
        return min(good, key=self._rank_of, default=None)

    def _rank_of(self, place: Place) -> int:
        if place.pathway in self._ranked:
            return self._ranked.index(place.pathway)
        return -1 if place.pathway == self._preferred else 0


def _way(place: Place) -> str:
    """The pathway and its server, since redundant variants are of one pathway."""
    return f"{place.pathway} {urlsplit(place.video_url).netloc}"
