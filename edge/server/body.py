"""Bodies as files: stored objects survive a restart, and damage is recognised.

Layout of the cache folder::

    lock                      held while an edge uses the folder
    tmp/                      bodies under way; emptied at start
    objects/ab/<stem>-<n>     a whole body
    objects/ab/<stem>-<n>.json  its sidecar; written last, removed first

So a body counts as stored exactly while its sidecar exists, and what a crash leaves behind
is recognised at the start. Readers hold open descriptors, so removing a file never disturbs
them.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from io import FileIO
from pathlib import Path

from abr.errors import MissingFileError, ResourceError
from edge.caching import stored as sidecar
from edge.caching.stored import StoredObject
from edge.server.spool import Disk, Spool, memory_file
from origin.server.sending import FileBody

DISK_OVERHEAD_BYTES = 8192
"""Charged per object: a block for the sidecar and the last, half-filled block of the body."""


class BodyStore:
    """The cache folder of one edge."""

    def __init__(self, folder: Path, *, fsync: bool = False) -> None:
        self.folder = folder
        self.objects: dict[str, StoredObject] = {}
        """Stored objects by key."""
        self.disk = Disk()
        self.on_gone: Callable[[StoredObject], None] = _note_nothing
        """Told each object that was removed or replaced."""
        self._fsync = fsync
        self._verified_ns: dict[str, int] = {}  # when each verified body was last written
        self._lock: FileIO | None = None
        self._serial = 0

    def __repr__(self) -> str:
        state = "closed" if self._lock is None else "open"
        return f"<BodyStore {str(self.folder)!r}: {len(self.objects)} objects, {state}>"

    def open(self) -> list[StoredObject]:
        """Lock the folder, remove what a crash left, and list the stored objects, oldest first.

        Raises:
            MissingFileError: the folder cannot be made or written.
            ResourceError: another edge uses it.
        """
        try:
            for name in ("tmp", "objects"):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
            self._lock = open(self.folder / "lock", "ab", buffering=0)  # noqa: SIM115 -- until close()
        except OSError as exc:
            raise MissingFileError(
                f"{self.folder}: {exc.strerror}; expected a folder to keep the cache in"
            ) from exc
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            self.close()
            raise ResourceError(
                f"{self.folder}: in use by another edge; give each its own --cache-dir"
            ) from exc
        for left in (self.folder / "tmp").iterdir():
            left.unlink(missing_ok=True)
        found = sorted(self._scan(), key=lambda stored: stored.stored_s)
        self.objects = {stored.key: stored for stored in found}
        self._verified_ns = {}
        return list(self.objects.values())

    def close(self) -> None:
        """Unlock the folder; stored objects stay."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def spool(self) -> Spool:
        """A new empty body: in ``tmp``, or in memory when the disk refuses."""
        self._serial += 1
        path = self.folder / "tmp" / f"{os.getpid()}-{self._serial}"
        try:
            return Spool(self.disk, path, open(path, "x+b", buffering=0))
        except OSError as exc:
            self.disk.trouble(exc)
            return Spool(self.disk, None, memory_file())

    async def keep(self, spool: Spool, stored: StoredObject) -> StoredObject | None:
        """Store a finished spool under ``stored.key``; None when the disk refuses.

        The name of the body is chosen here, so ``stored.body`` is ignored.
        """
        if not spool.is_on_disk or spool.path is None:
            return None
        if self._fsync:
            await asyncio.to_thread(_flush, spool.path)
        self._serial += 1
        stem = sidecar.file_stem(stored.key)
        unique = f"{os.getpid():x}{self._serial:x}{os.urandom(4).hex()}"
        kept = replace(stored, body=f"{stem}-{unique}")
        path = self._path(kept)
        try:
            path.parent.mkdir(exist_ok=True)
            spool.path.rename(path)
            written_ns = path.stat().st_mtime_ns
            self._write_sidecar(kept)
        except OSError as exc:
            self.disk.trouble(exc)
            path.unlink(missing_ok=True)
            return None
        self.remove(stored.key)
        spool.path = None
        self.objects[stored.key] = kept
        self._verified_ns[stored.key] = written_ns
        return kept

    def confirm(self, stored: StoredObject) -> None:
        """Replace the sidecar of a held object after a validation."""
        before = self.objects.get(stored.key)
        self.objects[stored.key] = stored
        if before is not None:
            self.on_gone(before)
        try:
            self._write_sidecar(stored)
        except OSError as exc:  # the older sidecar is still true, only less fresh
            self.disk.trouble(exc)

    def remove(self, key: str) -> None:
        """Forget an object and remove its files; readers of it are not disturbed."""
        stored = self.objects.pop(key, None)
        self._verified_ns.pop(key, None)
        if stored is not None:
            self._unlink(self._path(stored))
            self.on_gone(stored)

    async def read(self, stored: StoredObject) -> FileBody | None:
        """Open a held body; None when it is gone or damaged.

        A body from before this process started, or written to since, is compared with
        its digest once.
        """
        try:
            file = _open_to_read(self._path(stored))
        except OSError:
            return None
        state = os.fstat(file.fileno())
        if state.st_size != stored.size_bytes:
            file.close()
            return None
        if self._verified_ns.get(stored.key) != state.st_mtime_ns:
            try:
                found = await asyncio.to_thread(hashlib.file_digest, file, "sha256")
            except OSError:
                found = hashlib.sha256()
            if found.hexdigest() != stored.sha256:
                file.close()
                return None
            self._verified_ns[stored.key] = state.st_mtime_ns
        return FileBody(file, stored.size_bytes)

    def _path(self, stored: StoredObject) -> Path:
        return self.folder / "objects" / stored.body[:2] / stored.body

    def _write_sidecar(self, stored: StoredObject) -> None:
        self._serial += 1
        temporary = self.folder / "tmp" / f"{os.getpid()}-{self._serial}.json"
        try:
            temporary.write_bytes(sidecar.dumps(stored))
            temporary.rename(_sidecar_path(self._path(stored)))
        except OSError:
            temporary.unlink(missing_ok=True)
            raise

    def _scan(self) -> Iterator[StoredObject]:
        for folder in (self.folder / "objects").iterdir():
            if folder.is_dir():
                yield from self._scan_folder(folder)

    def _scan_folder(self, folder: Path) -> Iterator[StoredObject]:
        sizes = {item.name: item.stat().st_size for item in os.scandir(folder)}
        bodies = set()
        for name in sizes:
            if not name.endswith(".json"):
                continue
            stored = sidecar.loads((folder / name).read_bytes())
            if (
                stored is not None
                and name == stored.body + ".json"
                and sizes.get(stored.body) == stored.size_bytes
            ):
                bodies.add(stored.body)
                yield stored
        for name in sizes:
            if name.removesuffix(".json") not in bodies:
                (folder / name).unlink(missing_ok=True)

    def _unlink(self, path: Path) -> None:
        with suppress(OSError):
            _sidecar_path(path).unlink(missing_ok=True)
            path.unlink(missing_ok=True)


def _note_nothing(_stored: StoredObject) -> None:
    """Do nothing about an object that is gone."""


def _sidecar_path(body: Path) -> Path:
    return body.with_name(body.name + ".json")


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
