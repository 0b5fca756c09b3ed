"""One fetch under way: its head, its body while it grows, and who reads it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from abr.errors import AbrError
from edge.caching.parts import Part
from edge.caching.stored import StoredObject, VaryValue
from edge.server.spool import Spool
from edge.server.upstream import UpstreamResponse
from edge.server.wire import OnInterim
from origin.tokens.redaction import redact

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """Outcome of a fill, known as soon as the head of the parent's response has arrived."""

    status: int
    reason: str = ""
    headers: Headers = ()
    """Fields to answer the request that caused the fill with."""
    kept: Headers = ()
    """Fields to answer others with."""
    length_bytes: int | None = None
    direct: UpstreamResponse | None = None
    """The response itself, when it is of use to nobody but the request that caused it."""
    stores: bool = False
    """It will be stored once it is complete."""
    shares: bool = True
    """Waiting requests that ``vary`` selects may be answered with it."""
    vary: tuple[VaryValue, ...] = ()
    """Request fields that it depends on."""
    part: Part | None = None
    """Which bytes it holds, when a part was asked for and came."""
    confirmed: StoredObject | None = None
    """The held object, which the parent confirmed (304)."""
    age_s: float | None = 0.0
    """Its age; None for one that comes from the origin just now."""


class Fill:
    """One fetch under way and its readers; each reader calls ``leave`` once."""

    def __init__(self, key: str, base: str) -> None:
        self.key = key
        self.base = base
        """Lookup key of what is fetched."""
        self.is_over = False
        """Nothing is fetched any more."""
        self.is_outdated = False
        """What it fetches was changed meanwhile, so it is not stored."""
        self.tags: tuple[str, ...] | None = None
        """Its surrogate keys; None before its head."""
        self.ignores_ranges = False
        """A part was asked for, and the whole came."""
        self.spool: Spool | None = None
        """The body, from the head until the last user has left."""
        self.starter_left = asyncio.Event()
        """The request that caused the fill needs it no more."""
        self._users = 2  # the fetch itself, and the request that caused it
        self._head: asyncio.Future[Filled] = asyncio.get_running_loop().create_future()
        # Retrieve a failure that no reader waits for, or asyncio would log it.
        self._head.add_done_callback(lambda head: head.cancelled() or head.exception())
        self._interims: list[tuple[int, str, list[tuple[str, str]]]] = []
        self._listeners: list[OnInterim] = []

    def __repr__(self) -> str:
        state = "under way" if self._head.done() else "waits for its head"
        return f"<Fill {redact(self.key)}: {state}, {self._users} users>"

    async def head(self, on_interim: OnInterim | None = None) -> Filled:
        """Wait for the head of the response; cancelling this does not cancel the fill.

        Args:
            on_interim: Told about each informational response, those of the past first.

        Raises:
            AbrError: the fill failed before it arrived.
        """
        if on_interim is None:
            return await asyncio.shield(self._head)
        for interim in self._interims:
            on_interim(*interim)
        self._listeners.append(on_interim)
        try:
            return await asyncio.shield(self._head)
        finally:
            self._listeners.remove(on_interim)

    def add_interim(self, status: int, reason: str, fields: list[tuple[str, str]]) -> None:
        """Pass an informational response on to all who wait."""
        self._interims.append((status, reason, fields))
        for tell in tuple(self._listeners):
            tell(status, reason, fields)

    @property
    def readers(self) -> int:
        """Requests that need it, beside the fetch itself."""
        return self._users - 1

    def enter(self) -> None:
        """Add a reader."""
        self._users += 1

    def leave(self) -> None:
        """Remove a reader; the last one closes the spool."""
        self._users -= 1
        if self.spool is not None:
            self.spool.leave()
        if self._users == 0 and self.spool is not None:
            self.spool.close()

    def set_head(self, filled: Filled) -> None:
        """Wake all who wait for the head."""
        if not self._head.done():
            self._head.set_result(filled)

    def fail(self, error: AbrError) -> None:
        """Fail all who wait for the head, if it has not arrived."""
        if not self._head.done():
            self._head.set_exception(error)
