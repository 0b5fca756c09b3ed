"""How a cache keeps its place in the tree: it registers, renews its lease, and leaves.

The director's answer says whom to ask; while the director is away the last answer holds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from urllib.parse import urlsplit

import aiohttp

from abr.errors import UpstreamError
from edge.parents.parents import Parent
from edge.tiers.leases import ServerState
from edge.tiers.registration import Accepted, Registration, dump_registration, load_accepted
from edge.tiers.topology import Server

LOG = logging.getLogger("abr.edge")

LIMIT_S = 3.0
"""Most seconds for one registration."""

RETRY_S = 1.0
"""Wait after a failed registration."""


class Registrar:
    """Keeps one cache registered while ``run`` runs.

    Args:
        director: Base URL of the director.
        secret: Its bearer secret; empty sends none.
        server: This cache, as others reach it.
        state: Tells its state now.
        set_parents: Told whom to ask, each time that changes.
    """

    def __init__(
        self,
        director: str,
        *,
        secret: str,
        server: Server,
        state: Callable[[], ServerState],
        set_parents: Callable[[tuple[Parent, ...]], Awaitable[None]],
    ) -> None:
        self._base = director.rstrip("/")
        self._secret = secret
        self._server = server
        self._state = state
        self._set_parents = set_parents
        self._parents: tuple[Parent, ...] = ()
        self.trouble = ""
        """Why the latest registration failed; empty when it did not."""
        self.has_tried = asyncio.Event()
        """The first registration is over, well or not."""

    def __repr__(self) -> str:
        return f"<Registrar of {self._server.name} at {self._base}, trouble {self.trouble!r}>"

    async def run(self) -> None:
        """Register until cancelled, then leave."""
        timeout = aiohttp.ClientTimeout(total=LIMIT_S)
        fields = {"Authorization": f"Bearer {self._secret}"} if self._secret else {}
        async with aiohttp.ClientSession(
            timeout=timeout, trust_env=False, headers=fields
        ) as session:
            try:
                while True:
                    wait_s = await self._register(session)
                    self.has_tried.set()
                    await asyncio.sleep(wait_s)
            finally:
                with suppress(aiohttp.ClientError, TimeoutError, OSError):
                    async with session.delete(f"{self._base}/v1/servers/{self._server.name}"):
                        pass

    async def _register(self, session: aiohttp.ClientSession) -> float:
        """Register once; returns the seconds until the next time."""
        try:
            accepted = await self._ask(session)
        except (UpstreamError, aiohttp.ClientError, TimeoutError, OSError) as exc:
            text = str(exc) or type(exc).__name__
            if text != self.trouble:
                LOG.warning("director %s: %s", urlsplit(self._base).netloc, text)
            self.trouble = text
            return RETRY_S
        self.trouble = ""
        if accepted.parents and accepted.parents != self._parents:
            self._parents = accepted.parents
            await self._set_parents(accepted.parents)
        return accepted.lease_s / 3

    async def _ask(self, session: aiohttp.ClientSession) -> Accepted:
        data = dump_registration(Registration(server=self._server, state=self._state()))
        async with session.post(
            f"{self._base}/v1/servers",
            data=data,
            headers={"Content-Type": "application/json"},
            allow_redirects=False,
        ) as response:
            body = await response.read()
            if response.status != 200:
                said = body.decode("utf-8", "replace").strip()[:200]
                raise UpstreamError(f"registration refused with {response.status}: {said}")
            return load_accepted(body)
