"""Bodies as files: stored objects survive a restart, and damage is recognised.

Layout of the cache folder::

    lock                      held while an edge uses the folder
    tmp/                      bodies under way; emptied at start
    objects/ab/<stem>-<n>     a whole body
    objects/ab/<stem>-<n>.json  its sidecar; written last, removed first

So a body counts as stored exactly while its sidecar exists, and what a crash leaves behind
is recognised. A stem is made of the key that requests are looked up by, so that what is stored
under it can be found by name. Readers hold open descriptors, so removing a file never disturbs
them.

Of an object that nobody asks for, only the name of its body is in memory.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import hashlib
import logging
import os
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from io import FileIO
from pathlib import Path

from abr.errors import MissingFileError, ResourceError
from edge.caching import stored as sidecar
from edge.caching.stored import StoredObject
from edge.caching.variants import base_of
from edge.server.scan import read_sidecar, sidecar_path
from edge.server.spool import Disk, Spool
from origin.server.sending import FileBody

LOG = logging.getLogger("abr.edge")

DISK_OVERHEAD_BYTES = 8192
"""Charged per object: a block for the sidecar and the last, half-filled block of the body."""

MOST_WARM = 8192
"""Most objects whose fields are kept in memory."""


class BodyStore:
    """The cache folder of one edge."""

    def __init__(self, folder: Path, *, fsync: bool = False, is_shared: bool = False) -> None:
        """Nothing is opened yet.

        Args:
            folder: Made when missing.
            fsync: Flush each body to the disk before it counts as stored.
            is_shared: Whoever started this process holds the lock for several.
        """
        self.folder = folder
        self._is_shared = is_shared
        self.objects_folder = folder / "objects"
        """Where whole bodies are."""
        self.objects: OrderedDict[str, StoredObject] = OrderedDict()
        """Stored objects whose fields are in memory, the least recently asked for first."""
        self.disk = Disk()
        self.on_change: list[Callable[[str], None]] = []
        """Each is told the key of each object that was stored, renewed or removed."""
        self._fsync = fsync
        self._ends: dict[str, str] = {}  # of the file name after its stem, by key, of all
        self._tags: dict[str, tuple[str, ...]] = {}  # of those that have any
        self._verified_ns: dict[str, int] = {}  # when each verified body was last written
        self._lock: FileIO | None = None
        self.is_let_go = False
        """Another process uses the folder."""
        self._serial = 0

    def __repr__(self) -> str:
        state = "closed" if self._lock is None else "open"
        return f"<BodyStore {str(self.folder)!r}: {len(self)} objects, {state}>"

    def __len__(self) -> int:
        return len(self._ends)

    def __contains__(self, key: object) -> bool:
        return key in self._ends

    def open(self) -> None:
        """Lock the folder and remove what was under way; nothing counts as stored yet.

        Raises:
            MissingFileError: the folder cannot be made or written.
            ResourceError: another edge uses it.
        """
        if not self._is_shared:
            self._lock = lock_folder(self.folder)
        for known in (self.objects, self._ends, self._tags, self._verified_ns):
            known.clear()

    def close(self) -> None:
        """Unlock the folder; stored objects stay."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def let_go(self) -> None:
        """Unlock the folder and change nothing in it any more; it can still be read."""
        self.is_let_go = True
        self.close()

    def get(self, key: str) -> StoredObject | None:
        """A stored object; read from its sidecar when it is not in memory."""
        stored = self.objects.get(key)
        if stored is not None:
            self.objects.move_to_end(key)
        elif key in self._ends:
            stored = read_sidecar(self.path_of(key))
            if stored is not None:
                self.warm(stored)
        return stored

    def body_of(self, key: str) -> str | None:
        """File name of a stored body; None when the key is not known."""
        end = self._ends.get(key)
        return None if end is None else _name(key, end)

    def path_of(self, key: str) -> Path:
        """Where the body of a stored object is."""
        return self._place(_name(key, self._ends[key]))

    def tags_of(self, key: str) -> tuple[str, ...]:
        """Surrogate keys of a stored object."""
        return self._tags.get(key, ())

    def all_keys(self) -> tuple[str, ...]:
        """Keys of all stored objects."""
        return tuple(self._ends)

    def take(self, key: str, end: str, tags: tuple[str, ...] = ()) -> None:
        """Count a body that is on disk as stored; its fields are read when they are needed."""
        self._ends[key] = end
        if tags:
            self._tags[key] = tags

    def warm(self, stored: StoredObject) -> None:
        """Keep the fields of an object that counts as stored in memory."""
        if self.body_of(stored.key) != stored.body:
            return
        self.objects[stored.key] = stored
        self.objects.move_to_end(stored.key)
        while len(self.objects) > MOST_WARM:
            self.objects.popitem(last=False)

    def release(self, key: str) -> None:
        """Forget an object whose files another worker goes on to hold."""
        self._ends.pop(key, None)
        self.objects.pop(key, None)
        self._tags.pop(key, None)
        self._verified_ns.pop(key, None)
        self._note_change(key)

    def doubt(self, key: str, body: str) -> None:
        """Compare a body with its digest when it is opened next."""
        if self.body_of(key) == body:
            self._verified_ns.pop(key, None)
            self._note_change(key)

    def discard(self, body: str) -> None:
        """Remove the files of a body that does not count as stored."""
        self._unlink(self._place(body))

    def spool(self) -> Spool:
        """A new empty body: in ``tmp``, or in memory when the disk refuses."""
        self._serial += 1
        path = self.folder / "tmp" / f"{os.getpid()}-{self._serial}"
        try:
            return Spool(self.disk, path, self._create(path))
        except OSError as exc:
            self.disk.trouble(exc)
            return Spool(self.disk, None, None)

    def _create(self, path: Path) -> FileIO:
        try:
            return open(path, "x+b", buffering=0)
        except FileNotFoundError:
            if not self.is_let_go:
                self._make_again()
            return open(path, "x+b", buffering=0)

    def _make_again(self) -> None:
        """Make and lock the folder that somebody has removed; each loss is found when asked for."""
        if self._is_shared:
            make_folder(self.folder)
            return
        self.close()
        try:
            self._lock = lock_folder(self.folder)
        except ResourceError:  # another edge was faster
            self.let_go()
        except MissingFileError as exc:
            raise OSError(errno.ENOENT, str(exc)) from exc

    async def keep(self, spool: Spool, stored: StoredObject) -> StoredObject | None:
        """Store a finished spool under ``stored.key``; None when the disk refuses.

        The name of the body is chosen here, so ``stored.body`` is ignored.
        """
        if not spool.is_on_disk or spool.path is None:
            return None
        if self._fsync:
            await asyncio.to_thread(_flush, spool.path)
        if self.is_let_go:
            return None
        self._serial += 1
        stem = sidecar.file_stem(stored.lookup_key)
        unique = f"{os.getpid():x}{self._serial:x}{os.urandom(4).hex()}"
        kept = replace(stored, body=f"{stem}-{unique}")
        path = self._place(kept.body)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            spool.path.rename(path)
            written_ns = path.stat().st_mtime_ns
            self._write_sidecar(kept)
        except OSError as exc:
            self.disk.trouble(exc)
            path.unlink(missing_ok=True)
            return None
        self.disk.note_success()
        self.remove(stored.key)
        spool.path = None
        self.take(kept.key, unique, kept.tags)
        self.warm(kept)
        self._note_change(kept.key)
        self._verified_ns[stored.key] = written_ns
        return kept

    def confirm(self, stored: StoredObject) -> None:
        """Replace the sidecar of a held object after a validation."""
        self.warm(stored)
        self._note_change(stored.key)
        try:
            self._write_sidecar(stored)
        except OSError as exc:  # the older sidecar is still true, only less fresh
            self.disk.trouble(exc)

    def remove(self, key: str) -> None:
        """Forget an object and remove its files; readers of it are not disturbed."""
        self.objects.pop(key, None)
        self._tags.pop(key, None)
        self._verified_ns.pop(key, None)
        body = self.body_of(key)
        if body is not None:
            del self._ends[key]
            self.discard(body)
            self._note_change(key)

    async def read(self, stored: StoredObject) -> FileBody | None:
        """Open a held body; None when it is gone or damaged.

        A body from before this process started, or written to since, is compared with
        its digest first.
        """
        try:
            file = _open_to_read(self._place(stored.body))
        except OSError:
            return None
        state = os.fstat(file.fileno())
        if state.st_size != stored.size_bytes:
            file.close()
            return None
        if self._verified_ns.get(stored.key) != state.st_mtime_ns:
            if not await asyncio.to_thread(_is_intact, file, stored):
                file.close()
                return None
            self._verified_ns[stored.key] = state.st_mtime_ns
        return FileBody(file, stored.size_bytes)

    async def verify(self, stored: StoredObject) -> bool:
        """Compare a held body with its digest now; False when it is damaged or gone.

        True as well when the object was replaced or removed meanwhile.
        """
        path = self._place(stored.body)
        is_intact = await asyncio.to_thread(_is_intact_at, path, stored)
        return is_intact or self.body_of(stored.key) != stored.body

    def look_at(self, key: str) -> StoredObject | None:
        """A stored object as its sidecar says, which is read now; for threads."""
        end = self._ends.get(key)
        return None if end is None else read_sidecar(self._place(_name(key, end)))

    def _note_change(self, key: str) -> None:
        for tell in self.on_change:
            tell(key)

    def _place(self, body: str) -> Path:
        return self.objects_folder / body[:2] / body

    def _write_sidecar(self, stored: StoredObject) -> None:
        if self.is_let_go:
            return
        self._serial += 1
        temporary = self.folder / "tmp" / f"{os.getpid()}-{self._serial}.json"
        try:
            temporary.write_bytes(sidecar.dumps(stored))
            temporary.rename(sidecar_path(self._place(stored.body)))
        except OSError:
            temporary.unlink(missing_ok=True)
            raise

    def _unlink(self, path: Path) -> None:
        if self.is_let_go:
            return
        with suppress(OSError):
            sidecar_path(path).unlink(missing_ok=True)
            path.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make a cache folder, or what is missing of it."""
    for name in ("tmp", "objects"):
        (folder / name).mkdir(parents=True, exist_ok=True)


def lock_folder(folder: Path) -> FileIO:
    """Lock a cache folder, which is made when missing, and remove what was under way in it.

    Returns:
        What holds the lock until it is closed, also in processes forked meanwhile.

    Raises:
        MissingFileError: the folder cannot be made or written.
        ResourceError: another edge uses it.
    """
    try:
        make_folder(folder)
        lock = open(folder / "lock", "ab", buffering=0)  # noqa: SIM115 -- the caller's
    except OSError as exc:
        raise MissingFileError(
            f"{folder}: {exc.strerror}; expected a folder to keep the cache in"
        ) from exc
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        lock.close()
        raise ResourceError(
            f"{folder}: in use by another edge; give each its own --cache-dir, or take "
            "its place with --replace"
        ) from exc
    remove_unfinished(folder)
    return lock


def remove_unfinished(folder: Path, pid: int | None = None) -> None:
    """Remove bodies under way that nobody finishes: all, or those of one process that ended."""
    for left in (folder / "tmp").glob("*" if pid is None else f"{pid}-*"):
        left.unlink(missing_ok=True)


def _name(key: str, end: str) -> str:
    return f"{sidecar.file_stem(base_of(key))}-{end}"


def _is_intact(file: FileIO, stored: StoredObject) -> bool:
    try:
        is_intact = hashlib.file_digest(file, "sha256").hexdigest() == stored.sha256
    except OSError as exc:
        LOG.warning("cache: %s: cannot be read (%s); fetched again", stored.body, exc.strerror)
        return False
    if not is_intact:
        LOG.warning("cache: %s: differs from its digest; fetched again", stored.body)
    return is_intact


def _is_intact_at(path: Path, stored: StoredObject) -> bool:
    try:
        with _open_to_read(path) as file:
            return _is_intact(file, stored)
    except OSError:
        return False


def _open_to_read(path: Path) -> FileIO:
    # In the event loop on purpose: opening takes microseconds, a thread takes longer.
    return open(path, "rb", buffering=0)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as exc:  # not every file system can; the body is written all the same
        if exc.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
