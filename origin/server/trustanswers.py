"""Answers of the trust feed at any tier: at once when there is news, else when there is some.

Those who wait are few (the next tier's processes), and there is a limit: whoever comes beyond it is
answered at once, and asks again a little later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from aiohttp import hdrs, web

from origin.server.answers import error_response
from origin.tokens.carriage import bearer_secret
from origin.tokens.revocation import DenyList
from origin.tokens.trustfeed import Bulletin, News, parse_question, print_news

MOST_WAITING = 1024
"""Most requests that wait for news."""

_JSON = {"Content-Type": "application/json", "Cache-Control": "no-store"}


class TrustAnswers:
    """The feed of one server.

    Args:
        denied: What is told; call ``wake`` when it has changed.
        keys: Digest of the key set now; empty while this server knows too little to tell anything.
        epoch: 16 hexadecimal digits by chance.
        knows: Whether a bearer shows that who asks is a tier.
    """

    def __init__(
        self,
        denied: DenyList,
        *,
        keys: Callable[[], str],
        epoch: str,
        knows: Callable[[str | None], bool] = lambda _bearer: False,
    ) -> None:
        self._bulletin = Bulletin(denied, epoch=epoch)
        self._keys, self._knows = keys, knows
        self._news = asyncio.Event()
        self._is_closed = False
        self.waiting = 0
        """Requests that wait for news."""

    def __repr__(self) -> str:
        return f"<TrustAnswers of {self._bulletin!r}: {self.waiting} waiting>"

    def wake(self) -> None:
        """Look for news for all who wait."""
        self._news.set()
        self._news = asyncio.Event()

    def close(self) -> None:
        """Answer all who wait, and let nobody wait any more."""
        self._is_closed = True
        self.wake()

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one request."""
        asked = parse_question(request.raw_path.partition("?")[2])
        found = self._find(asked.after)
        can_wait = request.method == "GET" and self.waiting < MOST_WAITING
        if found is None and asked.wait_s > 0 and can_wait:
            self.waiting += 1
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout(asked.wait_s):
                        while found is None and not self._is_closed:
                            await self._news.wait()
                            found = self._find(asked.after)
            finally:
                self.waiting -= 1
        keys = self._keys()
        if not keys:
            text = "this tier does not know yet what was revoked; ask again"
            return error_response(503, "not-ready", text, {"Retry-After": "1"})
        takes_tiers = self._knows(bearer_secret(request.headers.get(hdrs.AUTHORIZATION)))
        news = replace(found or self._bulletin.nothing(keys), takes_tiers=takes_tiers)
        return web.Response(text=print_news(news), headers=_JSON)

    def _find(self, after: str) -> News | None:
        keys = self._keys()
        return self._bulletin.news(after, keys) if keys else None
