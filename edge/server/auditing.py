"""Comparing stored bodies with their digests now and then: disks flip bits without a word.

A body is compared when it is opened first after the start, or was written to since; this module
compares those that are in use again and again, and goes round all others, slowly and in a thread.
A body that differs is forgotten, counted and logged, and the next request fetches it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import islice

from edge.caching.stored import StoredObject
from edge.server.body import BodyStore

PAUSE_S = 1.0
"""Between two bodies, at least."""

MOST_IN_USE = 256
"""Objects asked for last that are compared in every other turn."""

BYTES_PER_S = 8 << 20
"""Longer after a large one: so that auditing costs about a hundredth of a processor."""


class Audit:
    """Compares the bodies of one store for as long as it runs.

    Args:
        store: Where they are.
        on_damage: Told each that differs from its digest, or is gone.
    """

    def __init__(self, store: BodyStore, *, on_damage: Callable[[StoredObject], None]) -> None:
        self._store, self._on_damage = store, on_damage
        self._round: list[str] = []
        self._round_in_use: list[str] = []
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Audit of {self._store!r}, {len(self._round)} left of this round>"

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        in_use = False
        while True:
            await asyncio.sleep(PAUSE_S)
            in_use = not in_use
            key = self._in_use() if in_use else self._next()
            stored = None if key is None else await self._described(key)
            if stored is None:
                continue
            if not await self._store.verify(stored):
                self._on_damage(stored)
            await asyncio.sleep(stored.size_bytes / BYTES_PER_S)

    def _in_use(self) -> str | None:
        """One after the other of those that were asked for last."""
        if not self._round_in_use:
            self._round_in_use = list(islice(reversed(self._store.objects), MOST_IN_USE))
        return self._round_in_use.pop() if self._round_in_use else None

    def _next(self) -> str | None:
        """One after the other of all."""
        if not self._round:
            self._round = list(self._store.all_keys())
        return self._round.pop() if self._round else None

    async def _described(self, key: str) -> StoredObject | None:
        held = self._store.objects.get(key)
        if held is None and key in self._store:
            held = await asyncio.to_thread(self._store.look_at, key)
        return held
