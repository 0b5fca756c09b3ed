"""What the parents tell of tokens: every parent is asked for news, and answers when it has some.

All are listened to, not only the one that would be asked for an object: one that is cut off from
the origin keeps no news from this tier that another one has. What they say is merged, so none can
undo what is known. While no parent answers, this tier goes on with what it knows; tokens end at
their time, and renewals are the origin's, so it fails closed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from urllib.parse import urlencode

from abr.errors import AbrError, UpstreamError
from edge.config import EdgeConfig
from edge.server.tokencheck import TokenCheck
from edge.server.upstream import Upstream
from edge.server.upward import Upward
from origin.tokens.keysets import keys_from
from origin.tokens.redaction import redact
from origin.tokens.revocation import FullListError
from origin.tokens.trustfeed import MAX_ANSWER_BYTES, PATH, News, parse_news

LOG = logging.getLogger("abr.edge")

WAIT_S = 4.0
"""How long a parent waits for news before it answers that there is none."""

LATE_S = 2.0
"""A parent that takes so much longer does not answer: it is asked again on a new connection."""

RETRY_S = 0.5
"""Wait after a failure."""

SPACING_S = 0.05
"""Least time between two answers with news; what comes meanwhile is told at once."""

WITHOUT_S = 10.0
"""A parent that has no feed is asked again so long after."""


class _NoFeedError(UpstreamError):
    """A parent that does not have this endpoint."""


class Following:
    """Listens to all parents; ``open`` before use, ``close`` after.

    Args:
        config: Limits, and how parents are checked.
        now: Seconds since the epoch.
        tokens: Takes what they tell, of keys and of what was revoked.
        on_change: Called when the deny list has changed.
        upward: Shows parents that this is a tier.
    """

    def __init__(
        self,
        config: EdgeConfig,
        *,
        tokens: TokenCheck,
        now: Callable[[], float],
        on_change: Callable[[], object],
        upward: Upward,
    ) -> None:
        self._config, self._tokens, self._now, self._on_change = config, tokens, now, on_change
        self._upward = upward
        self._takes_tiers: dict[str, bool] = {}
        self._upstreams: dict[str, Upstream] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._troubles: dict[str, str] = {}
        self._is_open = self._is_full = False

    def __repr__(self) -> str:
        return f"<Following of {len(self._tasks)} parents, trouble {self.trouble!r}>"

    @property
    def trouble(self) -> str:
        """Why a parent told nothing; empty when all did."""
        return "; ".join(filter(None, self._troubles.values()))

    def takes_tiers(self) -> bool:
        """Whether every parent has said that it takes tokens of tiers."""
        told = [self._takes_tiers.get(name, False) for name in self._tasks]
        return bool(told) and all(told)

    def open(self, parents: Iterable[str]) -> None:
        """Listen to these parents."""
        self._is_open = True
        self.set_parents(parents)

    async def close(self) -> None:
        """Listen to nobody."""
        self._is_open = False
        tasks = list(self._tasks.values())
        self.set_parents(())
        await asyncio.gather(*tasks, return_exceptions=True)

    def reconfigure(self, config: EdgeConfig) -> None:
        """Use other settings from now on."""
        self._config = config
        for upstream in self._upstreams.values():
            upstream.reconfigure(_patient(config))

    def set_parents(self, parents: Iterable[str]) -> None:
        """Listen to these parents from now on."""
        wanted = set(parents) if self._is_open else set()
        for name in self._tasks.keys() - wanted:
            self._tasks.pop(name).cancel()
            self._troubles.pop(name, None)
            self._takes_tiers.pop(name, None)
        self._tokens.key_sets.keep(wanted)
        for name in wanted - self._tasks.keys():
            self._tasks[name] = asyncio.create_task(self._follow(name))

    async def _follow(self, name: str) -> None:
        # A client of its own: its one connection stays with one of a parent's processes, which
        # each number their news, and takes no place from requests of viewers.
        upstream = self._upstreams[name] = Upstream(_patient(self._config), name, now=self._now)
        await upstream.open()
        cursor = ""
        try:
            while True:
                began_s = asyncio.get_running_loop().time()
                try:
                    news = await self._ask(upstream, cursor)
                    pause_s = await self._take(upstream, name, news, began_s)
                except _NoFeedError as exc:
                    # Then what its key set and the end of each token say has to do.
                    self._note(name, str(exc))
                    self._tokens.is_told.set()
                    pause_s = WITHOUT_S
                except AbrError as exc:
                    self._note(name, str(exc))
                    pause_s = RETRY_S
                else:
                    self._note(name, "")
                    cursor = news.cursor
                await asyncio.sleep(pause_s)
        finally:
            if self._upstreams.get(name) is upstream:
                del self._upstreams[name]
            await upstream.close()

    async def _ask(self, upstream: Upstream, cursor: str) -> News:
        """The answer of a parent.

        Raises:
            PeerError: there is none, or it is none.
        """
        target = f"{PATH}?{urlencode({'after': cursor, 'wait': WAIT_S})}"
        asking = [("Accept-Encoding", "identity"), *self._upward.shown_to_parents()]
        async with upstream.ask("GET", target, headers=asking) as answer:
            data = b""
            async for piece in answer.pieces():
                data += piece
                if len(data) > MAX_ANSWER_BYTES:
                    raise UpstreamError("trust feed: a longer answer than any")
            if answer.status == 404:
                raise _NoFeedError("it has no trust feed: what is revoked is refused here later")
            if answer.status != 200:
                raise UpstreamError(f"trust feed: status {answer.status}")
        return parse_news(data)

    async def _take(self, upstream: Upstream, name: str, news: News, began_s: float) -> float:
        """Do what a parent told; returns how long to wait before it is asked again.

        Raises:
            AbrError: it cannot be done; then the parent is to tell it again.
        """
        tokens = self._tokens
        self._note_tiers(name, takes_them=news.takes_tiers)
        try:
            has_changed = tokens.denied.merge(news.revocations, now_s=tokens.now_s())
        except FullListError as exc:
            has_changed = True
            if not self._is_full:
                LOG.error("%s", exc)  # noqa: TRY400 -- one line is enough
            self._is_full = True
        if has_changed:
            self._on_change()
        await tokens.settle()  # it may bring this very key set
        if not tokens.key_sets.hear(name, news.keys, now_s=self._now()):
            found = await upstream.key_set(past_caches=False)
            keys_from(found.jwks)
            tokens.key_sets.tell(name, news.keys, found.jwks, now_s=self._now())
            tokens.use_keys()
        if news.has_more:
            return 0.0
        tokens.is_told.set()
        took_s = asyncio.get_running_loop().time() - began_s
        # One that lets nobody wait, because too many do, is not asked all the time.
        return SPACING_S if news.revocations or took_s > WAIT_S / 2 else RETRY_S

    def _note_tiers(self, name: str, *, takes_them: bool) -> None:
        """Note whether a parent takes tokens of tiers; log when one does not that should."""
        before = self._takes_tiers.get(name)
        self._takes_tiers[name] = takes_them
        if self._upward.tiers is not None and not takes_them and before is not False:
            LOG.warning(
                "parent %s does not take this tier's tokens and is shown viewers'; "
                "set the same tier_secret there",
                name,
            )

    def _note(self, name: str, trouble: str) -> None:
        """Log what is wrong with a parent, once."""
        if trouble and trouble != self._troubles.get(name):
            LOG.warning("parent %s: %s; going on with what is known", name, redact(trouble))
        self._troubles[name] = trouble


def _patient(config: EdgeConfig) -> EdgeConfig:
    """Limits for a question whose answer may be a while in coming."""
    return replace(config, first_byte_limit_s=WAIT_S + LATE_S)
