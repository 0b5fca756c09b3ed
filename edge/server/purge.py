"""Purging: remove what is stored of one key, of a prefix, or under a tag, while serving.

``POST /.abr/purge?key=…`` (or ``prefix=…``, ``tag=…``) answers how many stored responses were
removed. With ``purge_secret`` it must be presented; without, only this machine may ask.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from edge.caching.purging import Purge
from edge.caching.variants import base_of
from edge.config import EdgeConfig
from edge.server.body import BodyStore
from edge.server.filling import Fills
from edge.server.permission import is_permitted
from edge.server.stocktaking import Stocktaking
from origin.server.answers import error_response, json_response, method_response

PATH = "/.abr/purge"
"""Where purges are asked for, whatever ``own_prefix`` says."""

_STEP = 2000
"""Objects looked at in one go, so that purging a large cache holds nobody up."""


class Purger:
    """Answers requests to purge."""

    def __init__(
        self,
        config: EdgeConfig,
        *,
        store: BodyStore,
        stock: Stocktaking,
        fills: Fills,
        forget: Callable[[str], bool],
    ) -> None:
        self._config = config
        self._store = store
        self._stock = stock
        self._fills = fills
        self._forget = forget
        self.elsewhere: Callable[[Purge], Awaitable[int]] = _nowhere
        """Has the other workers purge as well; returns how much they removed."""

    def __repr__(self) -> str:
        who = "holders of the secret" if self._config.purge_secret else "this machine"
        return f"<Purger for {who}>"

    def reconfigure(self, config: EdgeConfig) -> None:
        """Use other settings from now on."""
        self._config = config

    async def answer(self, request: web.Request) -> web.Response:
        """Purge, if that is permitted."""
        if not is_permitted(request, self._config.purge_secret):
            return error_response(
                403,
                "purge",
                "purging needs `Authorization: Bearer SECRET` as in edge.purge_secret, "
                "or to be asked from this machine when there is none",
            )
        if request.method != "POST":
            return method_response(("POST",))
        given = {name: value for name, value in request.query.items() if value}
        if len(request.query) != 1 or not given.keys() <= {"key", "prefix", "tag"} or not given:
            return error_response(400, "purge", "expected one of ?key=, ?prefix= and ?tag=")
        wanted = Purge(**given)
        purged = await self.purge(wanted) + await self.elsewhere(wanted)
        return json_response({"purged": purged})

    async def purge(self, wanted: Purge) -> int:
        """Remove what ``wanted`` selects and this worker holds; the number of responses."""
        self._fills.outdate_purged(wanted)
        await self._stock.wait()  # what is on disk and not known yet counts too
        purged = 0
        for number, key in enumerate(self._store.all_keys(), start=1):
            if wanted.selects(base_of(key), self._store.tags_of(key)):
                purged += self._forget(key)
            if number % _STEP == 0:
                await asyncio.sleep(0)
        return purged


async def _nowhere(_wanted: Purge) -> int:
    """There are no other workers."""
    return 0
