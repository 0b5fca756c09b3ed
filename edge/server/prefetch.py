"""Fetching what a player says it will ask for next, when there is room for it.

Such a fetch goes after all that viewers wait for: only so many at once, none while the edge has
much to fetch for viewers, and the parents give it only what playback leaves.
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from edge.operations.prefetching import Prefetches, next_objects
from edge.operations.shedding import MOST_FILLS
from edge.server.fill import Fill
from edge.server.filling import Fills
from edge.server.reports import cmcd_of
from edge.server.wanted import Wanted
from origin.server.answers import error_response
from origin.server.door import Answered
from transcode.packaging.layout import split_variant

MOST_AT_ONCE = 8
"""Prefetches under way."""


class Prefetcher:
    """Prefetches of one edge.

    Args:
        fills: Does the fetching.
        holds: Whether the cache has an object, by its key.
        wanted: What a target wants; None when it cannot be fetched without a viewer's request.
        has_tokens: Paths hold tokens.
    """

    def __init__(
        self,
        fills: Fills,
        *,
        holds: Callable[[str], bool],
        wanted: Callable[[str], Wanted | None],
        has_tokens: bool,
    ) -> None:
        self.counts = Prefetches()
        self._fills, self._holds, self._wanted = fills, holds, wanted
        self._has_tokens = has_tokens
        self._under_way: set[Fill] = set()

    def __repr__(self) -> str:
        return f"<Prefetcher: {self.counts!r}, {len(self._under_way)} under way>"

    def consider(self, answered: Answered, key: str) -> None:
        """Fetch what a request says comes next, if that is not held and there is room."""
        self.counts.asked(key)
        if answered.method != "GET" or answered.status not in (200, 206, 304):
            return  # whoever was refused names nothing
        if not _names_next(answered):
            return
        cmcd = cmcd_of(answered.target, answered.fields)
        for target in next_objects(cmcd, answered.target, has_tokens=self._has_tokens):
            wanted = self._wanted(target)
            if wanted is not None and not self._holds(wanted.key):
                self._begin(wanted)

    def _begin(self, wanted: Wanted) -> None:
        self._under_way = {fill for fill in self._under_way if not fill.is_over}
        if len(self._under_way) >= MOST_AT_ONCE or self._fills.under_way >= MOST_FILLS:
            self.counts.shed += 1
            return
        place = self._fills.join(wanted)
        place.fill.leave()
        if place.started:
            place.fill.starter_left.set()
            self._under_way.add(place.fill)
            self.counts.began(split_variant(wanted.key)[0])  # as it is asked for


def shed_response() -> web.Response:
    """The answer to a request that nobody waits for, when others do."""
    return error_response(
        503, "shed", "too much to do for what is not urgent", {"Retry-After": "2"}
    )


def _names_next(answered: Answered) -> bool:
    if "nor" in answered.target:
        return True
    if isinstance(answered.fields, bytes):
        return b"nor=" in answered.fields
    return any(b"nor=" in value for _, value in answered.fields)
