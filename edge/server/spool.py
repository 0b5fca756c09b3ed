"""A body under way: written once, read by any number of clients while it grows.

Bytes go to a file at once, so readers have their own pace and need no memory. Only when the
disk has no room does the rest of a body go to memory, within a limit, so that clients are
still served.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from io import FileIO
from pathlib import Path

from abr.errors import AbrError, ResourceError
from origin.server.sending import Piece

OVERFLOW_BYTES = 64 << 20
"""Most memory, over all spools, for bytes that the disk had no room for."""


class Disk:
    """Shared by the spools of one edge: the count of failed writes, and the spare memory."""

    def __init__(self) -> None:
        self.troubles = 0
        """How often a write to the cache failed."""
        self._memory_bytes = 0

    def __repr__(self) -> str:
        return f"<Disk {self.troubles} failed writes, {self._memory_bytes} bytes in memory>"

    def trouble(self, _exc: OSError) -> None:
        """Count a failed write."""
        self.troubles += 1

    def take_memory(self, count: int) -> None:
        """Account for spooled bytes in memory.

        Raises:
            ResourceError: it would be more than ``OVERFLOW_BYTES`` in all.
        """
        if self._memory_bytes + count > OVERFLOW_BYTES:
            raise ResourceError(
                f"cache: no room on the disk, and {OVERFLOW_BYTES >> 20} MiB of bodies in "
                "memory; free some space or lower --cache-bytes"
            )
        self._memory_bytes += count

    def give_memory_back(self, count: int) -> None:
        """Undo ``take_memory``."""
        self._memory_bytes -= count


class Spool:
    """A body under way: written once, read by any number meanwhile, from its file.

    When the disk has no room, the rest goes to memory and the spool cannot be stored. Its
    maker calls ``close`` when nobody reads it any more.
    """

    def __init__(self, disk: Disk, path: Path | None, file: FileIO) -> None:
        self.path = path
        self.written_bytes = 0
        self.is_done = False
        self._disk = disk
        self._files: list[tuple[int, FileIO]] = [(0, file)]
        self._overflow_bytes = 0
        self._error: AbrError | None = None
        self._hasher = hashlib.sha256()
        self._waiting: set[asyncio.Future[None]] = set()

    def __repr__(self) -> str:
        state = "done" if self.is_done else "failed" if self._error else "growing"
        place = "on disk" if self.is_on_disk else "partly in memory"
        readers = f"{len(self._waiting)} readers wait"
        return f"<Spool {self.written_bytes} bytes {place}, {state}, {readers}>"

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes written so far, hexadecimal."""
        return self._hasher.hexdigest()

    @property
    def is_on_disk(self) -> bool:
        """Whether every byte is in the file, so that it can be stored."""
        return self.path is not None and len(self._files) == 1

    def allocate(self, size_bytes: int) -> bool:
        """Take the room for a whole body on the disk; False when there is not so much.

        Whoever is told that a body is stored, is told before it has come.
        """
        if self.path is None:
            return False
        try:
            os.posix_fallocate(self._files[0][1].fileno(), 0, max(1, size_bytes))
        except OSError as exc:
            if exc.errno in (errno.EOPNOTSUPP, errno.EINVAL):
                return True  # this file system cannot say
            self._disk.trouble(exc)
            return False
        return True

    def write(self, data: bytes) -> None:
        """Append bytes and wake the readers that wait for them.

        Raises:
            ResourceError: neither the disk nor memory has room.
        """
        view = memoryview(data)
        while view:
            count = self._write_some(view)
            view = view[count:]
        self._hasher.update(data)
        self.written_bytes += len(data)
        self._wake()

    def _write_some(self, view: memoryview) -> int:
        start, file = self._files[-1]
        offset = self._end - start
        if self._in_memory:
            self._take_memory(len(view))
        try:
            count = os.pwrite(file.fileno(), view, offset)
        except OSError as exc:
            if self._in_memory:
                raise ResourceError(f"memory for a body: {exc.strerror}") from exc
            # The disk is full or failing: the rest is served from memory.
            self._disk.trouble(exc)
            self._files.append((self._end, memory_file()))
            return 0
        self._end += count
        return count

    def finish(self) -> None:
        """Declare the body complete."""
        self.is_done = True
        self._wake()

    def fail(self, error: AbrError) -> None:
        """Declare the body failed; readers get ``error`` after the bytes that are there."""
        self._error = error
        self._wake()

    def pieces(self, start: int, stop: int) -> list[Piece]:
        """Where the bytes from ``start`` up to ``stop`` are; they must be written."""
        found = []
        for at, (begin, file) in enumerate(self._files):
            end = self._files[at + 1][0] if at + 1 < len(self._files) else stop
            low, high = max(start, begin), min(stop, end)
            if low < high:
                found.append(Piece(file, low - begin, high - low))
        return found

    async def wait_beyond(self, offset: int) -> int:
        """Bytes that can be read, once they are more than ``offset`` or all there are.

        Raises:
            AbrError: the fill failed and nothing beyond ``offset`` was written.
        """
        while self.written_bytes <= offset and not self.is_done:
            if self._error is not None:
                raise self._error
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.add(waiter)
            try:
                await waiter
            finally:
                self._waiting.discard(waiter)
        return self.written_bytes

    def close(self) -> None:
        """Close the files and remove a body that was not stored."""
        for _, file in self._files:
            file.close()
        self._disk.give_memory_back(self._overflow_bytes)
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    _end = 0

    @property
    def _in_memory(self) -> bool:
        return self.path is None or len(self._files) > 1

    def _take_memory(self, count: int) -> None:
        self._disk.take_memory(count)
        self._overflow_bytes += count

    def _wake(self) -> None:
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)


def memory_file() -> FileIO:
    """An empty file in memory."""
    return os.fdopen(os.memfd_create("abr-body", os.MFD_CLOEXEC), "r+b", buffering=0)
