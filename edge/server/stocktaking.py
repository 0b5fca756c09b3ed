"""Finding out what a cache folder holds, while requests are answered already.

A large cache takes long to read, so an edge listens first. Folder by folder is read in a thread.
What a request asks for before that is done is found by its file name. When everything has been
read, the index learns it, the oldest first. Header fields of what nobody asks for stay on disk.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from edge.caching.stored import StoredObject, file_stem
from edge.caching.variants import Catalogue
from edge.counters import Counters
from edge.index import CacheIndex, Entry
from edge.server import scan
from edge.server.body import BodyStore

MOST_LOOKED_UP = 100_000
"""Keys looked for by file name that are remembered."""

T = TypeVar("T")

LOG = logging.getLogger("abr.edge")

STEP_OBJECTS = 256
"""Entered into the index before requests get their turn."""


class Stocktaking:
    """Reads the folder of one edge; ``start`` once, ``close`` at the end."""

    def __init__(
        self,
        *,
        store: BodyStore,
        index: CacheIndex,
        catalogue: Catalogue,
        counters: Counters,
        owns: Callable[[str], bool] = lambda _stem: True,
    ) -> None:
        """Know nothing yet.

        Args:
            store: The files.
            index: Told what is held.
            catalogue: Told what is held.
            counters: What was found gone is counted there.
            owns: Whether objects whose file names begin with this stem are this process's.
        """
        self._store, self._index, self._catalogue = store, index, catalogue
        self._counters, self._owns = counters, owns
        self.is_done = False
        """Whether the index knows everything that the folder held at the start."""
        self._task: asyncio.Task[None] | None = None
        self._looking: dict[str, asyncio.Task[None]] = {}
        self._looked_up: set[str] = set()
        self._outdated: set[str] = set()

    def __repr__(self) -> str:
        state = "done" if self.is_done else "under way"
        return f"<Stocktaking of {self._store!r}, {state}>"

    def start(self) -> None:
        """Begin to read the folder."""
        self._task = asyncio.create_task(self._read())

    async def wait(self) -> None:
        """Wait until it is done and leftovers of a crash are gone."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def close(self) -> None:
        """Stop reading."""
        tasks = [*self._looking.values(), *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def lacks(self, base: str) -> bool:
        """Whether ``prepare`` has to be awaited before ``base`` is looked up."""
        if self._is_unknown(base):
            return True
        store = self._store
        return any(key not in store.objects and key in store for key in self._catalogue.keys(base))

    async def prepare(self, base: str) -> None:
        """Have everything that is stored under a lookup key in memory, without its body."""
        looking = self._looking.get(base)
        if looking is None:
            looking = self._looking[base] = asyncio.create_task(self._prepare(base))
            looking.add_done_callback(lambda _: self._looking.pop(base, None))
        await asyncio.shield(looking)

    def forget_lookups(self) -> None:
        """Look again for what others may have stored."""
        self._looked_up = set()

    def outdate(self, base: str) -> None:
        """Let nothing count as stored that is on disk under ``base`` and not yet known."""
        if not self.is_done:
            self._outdated.add(base)

    def _is_unknown(self, base: str) -> bool:
        """Whether files may be there that have not been read about."""
        if base in self._looked_up:
            return False
        # Those of other workers are not read at the start, but this one may have to stand in.
        return not self.is_done or not self._owns(file_stem(base))

    async def _prepare(self, base: str) -> None:
        if self._is_unknown(base):
            for stored in await asyncio.to_thread(scan.find, self._store.objects_folder, base):
                if self._enter(stored.entry(), base, stored.body.partition("-")[2], stored.tags):
                    self._catalogue.restore(stored.key, base, _names(stored))
                    self._store.warm(stored)
            if len(self._looked_up) > MOST_LOOKED_UP:
                self._looked_up.clear()
            self._looked_up.add(base)
        for key in self._catalogue.keys(base):
            if key in self._store.objects or key not in self._store:
                continue
            body, path = self._store.body_of(key), self._store.path_of(key)
            found = await asyncio.to_thread(scan.read_sidecar, path)
            if self._store.body_of(key) != body or key in self._store.objects:
                continue  # replaced or removed meanwhile
            if found is not None and found.key == key:
                self._store.warm(found)
            else:
                self._store.remove(key)
                self._counters.dropped += self._index.remove(key)

    async def _read(self) -> None:
        # Not one object for each: their memory would not be of use to anything afterwards.
        entries: list[Entry] = []
        ends: dict[str, str] = {}
        special: dict[str, scan.Found] = {}
        left: list[Path] = []
        none: list[Path] = []
        for folder in await self._in_thread(scan.folders, self._store.objects_folder, none):
            listing = await self._in_thread(
                partial(scan.list_folder, owns=self._owns), folder, None
            )
            if listing is None:
                continue
            left += listing.leftovers
            for each in listing.found:
                entries.append(each.entry)
                ends[each.entry.key] = each.end
                if each.base != each.entry.key or each.tags:
                    special[each.entry.key] = each
        entries.sort(key=lambda entry: entry.stored_s, reverse=True)
        while entries:
            for _ in range(min(STEP_OBJECTS, len(entries))):
                entry = entries.pop()
                self._enter_found(entry, ends.pop(entry.key), special.get(entry.key))
            await asyncio.sleep(0)
        self.is_done = True
        self._looked_up, self._outdated = set(), set()
        await asyncio.to_thread(scan.remove_leftovers, left, self._holds)

    async def _in_thread(self, read: Callable[[Path], T], folder: Path, otherwise: T) -> T:
        """What ``read`` finds in a folder; ``otherwise`` when the disk fails."""
        try:
            return await asyncio.to_thread(read, folder)
        except OSError as exc:
            text = "%s: %s; what it holds is found only when it is asked for"
            LOG.warning(text, folder, exc.strerror)
            return otherwise

    def _enter_found(self, entry: Entry, end: str, found: scan.Found | None) -> None:
        base, tags = (entry.key, ()) if found is None else (found.base, found.tags)
        if self._enter(entry, base, end, tags):
            self._catalogue.restore(entry.key, base, () if found is None else found.vary)

    def _holds(self, stored: StoredObject) -> bool:
        return self._store.body_of(stored.key) == stored.body

    def _enter(self, entry: Entry, base: str, end: str, tags: tuple[str, ...]) -> bool:
        """Hold an object that was found on disk; False when it is held or not wanted."""
        body = f"{file_stem(base)}-{end}"
        known = self._store.body_of(entry.key)
        if known is not None:
            if known != body:
                self._store.discard(body)
            return False
        room = None if base in self._outdated else self._index.restore(entry)
        for key in room.evicted if room else ():
            self._store.remove(key)
        if room is None or not room.granted:
            self._store.discard(body)
            return False
        self._store.take(entry.key, end, tags)
        return True


def _names(stored: StoredObject) -> tuple[str, ...]:
    return tuple(name for name, _ in stored.vary)
