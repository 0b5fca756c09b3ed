"""What an origin knows of revocations: asked of its source again and again.

The source may be shared with other processes, so it is asked every ``POLL_S``. While it fails, what
is known stays, and the log says so once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from abr.errors import AbrError
from origin.tokens.revocation import DenyList, FullListError, Revocation, RevocationSource, Revoked

LOGGER = logging.getLogger("abr.origin")

POLL_S = 0.25
"""How often the source is asked."""

LIMIT_S = 5.0
"""A source that takes longer has failed."""


class Revoking:
    """Keeps a deny list as its source says.

    Args:
        source: Where revocations come from.
        denied: The list.
        now: Unix time, seconds.
        on_change: Called when the list has changed.
    """

    def __init__(
        self,
        source: RevocationSource,
        denied: DenyList,
        *,
        now: Callable[[], float],
        on_change: Callable[[], object],
    ) -> None:
        self._source, self._denied, self._now = source, denied, now
        self._on_change = on_change
        self._version = 0
        self._task: asyncio.Task[None] | None = None
        self._asking: asyncio.Future[Revoked] | None = None
        self._is_full = False
        self.trouble = ""
        """Why the source could not be asked; empty when it could."""

    def __repr__(self) -> str:
        return f"<Revoking from {self._source!r} at version {self._version}>"

    async def open(self) -> None:
        """Ask once, and then again and again.

        Raises:
            AbrError: the source cannot be asked; a server must not start without its deny list.
        """
        await self._ask()
        self._task = asyncio.create_task(self._ask_for_ever())

    async def close(self) -> None:
        """Ask no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def take(self, *entries: Revocation) -> None:
        """Take entries that come another way than from the source.

        Raises:
            FullListError: there is no room.
        """
        if self._denied.merge(entries, now_s=self._now()):
            self._on_change()

    async def _ask_for_ever(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            try:
                async with asyncio.timeout(LIMIT_S):
                    await self._ask()
            except (AbrError, OSError, TimeoutError) as exc:
                text = str(exc) or f"no answer within {LIMIT_S:g} s"
                if text != self.trouble:
                    LOGGER.error("revocations: %s; those known stay", text)  # noqa: TRY400
                self.trouble = text
            else:
                self.trouble = ""

    async def _ask(self) -> None:
        """Ask until there is nothing new: a source need not tell everything at once.

        A question that took too long is waited for, not repeated.
        """
        while True:
            found = await self._answer()
            if found.version < self._version:  # it began anew
                self._version = 0
                continue
            try:
                self.take(*found.entries)
            except FullListError as exc:
                # What comes later may matter more, so it does not wait for room.
                if not self._is_full:
                    LOGGER.error("%s", exc)  # noqa: TRY400 -- one line is enough
                self._is_full = True
            has_more = bool(found.entries) and found.version > self._version
            self._version = found.version
            if not has_more:
                return

    async def _answer(self) -> Revoked:
        if self._asking is None:
            asking = asyncio.to_thread(self._source.revocations, self._version)
            self._asking = asyncio.ensure_future(asking)
        try:
            return await asyncio.shield(self._asking)
        finally:
            if self._asking.done():
                self._asking = None
