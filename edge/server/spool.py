"""A body under way: written once, read by any number of clients while it grows.

Bytes go to a file at once, so readers have their own pace and need no memory. Only when the disk
refuses, the rest of a body passes through memory, a window of it at a time: what every reader has
been sent is let go, and the parent waits for the slowest. So a body of any size reaches all who
wait for it, whatever the disk does.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from io import FileIO
from pathlib import Path

from abr.errors import AbrError, ResourceError, UpstreamError
from origin.server.sending import Piece

LOG = logging.getLogger("abr.edge")

WINDOW_BYTES = 4 << 20
"""Most of one body in memory while the disk refuses."""

SEGMENT_BYTES = 256 << 10
"""What is let go at once; each body may have two of them, however little memory is left."""

MEMORY_BYTES = 32 << 20
"""Bodies have larger windows only while all of them have less than this in memory."""

QUIET_S = 60.0
"""A trouble with the disk is logged at most so often."""

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})

LONGEST_SHED_S = 600.0


class Disk:
    """Shared by the spools of one edge: what the disk refused, and the bytes in memory for it."""

    def __init__(self) -> None:
        self.troubles = 0
        """How often a write to the cache failed."""
        self.memory_bytes = 0
        """Bytes of bodies that are in memory because the disk refused them."""
        self._is_well = True
        self._logged_s = float("-inf")
        self._latest: int | None = None
        self._shed_from_s = float("-inf")
        self._shed_wait_s = 1.0

    def __repr__(self) -> str:
        state = "well" if self._is_well else "in trouble"
        return f"<Disk {state}: {self.troubles} failures, {self.memory_bytes} bytes in memory>"

    def trouble(self, exc: OSError) -> None:
        """Count a failed write; the first of a kind is logged, and then one a minute at most."""
        self.troubles += 1
        now_s = time.monotonic()
        if exc.errno != self._latest or now_s - self._logged_s > QUIET_S:
            LOG.warning(
                "cache: %s: %s; answers are passed through without being stored, until the disk "
                "takes them again",
                exc.filename or "a write failed",
                exc.strerror,
            )
            self._logged_s = now_s
        self._is_well, self._latest = False, exc.errno

    def note_success(self) -> None:
        """Note that something was stored."""
        if not self._is_well and time.monotonic() - self._logged_s > QUIET_S:
            self._latest = None  # the next trouble is a new one
        self._is_well, self._shed_wait_s = True, 1.0

    def wants_shedding(self) -> bool:
        """Whether objects should be evicted, because the disk holds less than was assumed.

        Not when it fails for another reason; and rarely when that has not helped.
        """
        now_s = time.monotonic()
        if self._latest not in NO_ROOM or now_s < self._shed_from_s:
            return False
        self._shed_from_s = now_s + self._shed_wait_s
        self._shed_wait_s = min(2 * self._shed_wait_s, LONGEST_SHED_S)
        return True


class Spool:
    """A body under way: written once, read by any number meanwhile, from its file.

    When the disk refuses, the rest goes through memory and the spool cannot be stored. Its
    maker calls ``close`` when nobody reads it any more. Readers are the tasks that wait for it.
    """

    def __init__(self, disk: Disk, path: Path | None, file: FileIO | None) -> None:
        """Nothing is written yet.

        Args:
            disk: Told about failures.
            path: Where the file is; None without one.
            file: Open for writing; None when the disk refused it.
        """
        self.path = path
        self.written_bytes = 0
        self.is_done = False
        self._disk = disk
        self._files: list[tuple[int, FileIO]] = [] if file is None else [(0, file)]
        self._in_memory = file is None
        self._let_go = range(0)
        self._error: AbrError | None = None
        self._hasher = hashlib.sha256()
        self._waiting: set[asyncio.Future[None]] = set()
        self._readers: dict[asyncio.Task[object], int] = {}  # where each has got to
        self._progress = asyncio.Event()

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
        return self.path is not None and not self._in_memory

    @property
    def has_gap(self) -> bool:
        """Whether bytes are gone already, so that nobody can begin to read it any more."""
        return bool(self._let_go)

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
            self._in_memory = True  # what little room there is is not used up
            return False
        return True

    def write(self, data: bytes) -> None:
        """Append bytes and wake the readers that wait for them; then ``wait_for_room``."""
        view = memoryview(data)
        while view:
            count = self._write_some(view)
            view = view[count:]
        self._hasher.update(data)
        self.written_bytes += len(data)
        self._wake()

    async def wait_for_room(self, users: Callable[[], int]) -> None:
        """Wait until more may be written: at once, unless the disk refuses.

        Args:
            users: How many will read it, of whom some may not have begun.

        Raises:
            ResourceError: nobody does.
        """
        while self._in_memory and not self._has_room():
            if not users():
                raise ResourceError("cache: the disk has no room, and nobody waits for the rest")
            self._progress.clear()
            self._drop(users())
            if not self._has_room():
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.2):  # a reader may leave without a word
                        await self._progress.wait()

    def _has_room(self) -> bool:
        kept = self._memory_bytes()
        if kept <= 2 * SEGMENT_BYTES:
            return True
        return kept <= WINDOW_BYTES and self._disk.memory_bytes < MEMORY_BYTES

    def _memory_bytes(self) -> int:
        first = next((begin for begin, file in self._files if not self._is_disk(file)), self._end)
        return self._end - first

    def _is_disk(self, file: FileIO) -> bool:
        return self.path is not None and file is self._files[0][1] and not self._files[0][0]

    def _write_some(self, view: memoryview) -> int:
        if self._in_memory:
            return self._write_to_memory(view)
        start, file = self._files[-1]
        try:
            count = os.pwrite(file.fileno(), view, self._end - start)
        except OSError as exc:
            self._disk.trouble(exc)
            self._in_memory = True
            return 0
        self._end += count
        return count

    def _write_to_memory(self, view: memoryview) -> int:
        if not self._files or self._is_disk(self._files[-1][1]) or self._segment_is_full():
            self._files.append((self._end, memory_file()))
        start, file = self._files[-1]
        count = os.pwrite(
            file.fileno(), view[: start + SEGMENT_BYTES - self._end], self._end - start
        )
        self._end += count
        self._disk.memory_bytes += count
        return count

    def _segment_is_full(self) -> bool:
        return self._end - self._files[-1][0] >= SEGMENT_BYTES

    def _drop(self, users: int) -> None:
        """Let go of segments that all readers have been sent."""
        for task in [task for task in self._readers if task.done()]:
            del self._readers[task]
        if len(self._readers) < users:
            return  # somebody has not begun
        low = min(self._readers.values(), default=0)
        first = 1 if self._files and self._is_disk(self._files[0][1]) else 0
        while first + 1 < len(self._files) and self._files[first + 1][0] <= low:
            begin, file = self._files.pop(first)
            end = self._files[first][0]
            self._let_go = range(self._let_go.start if self._let_go else begin, end)
            self._disk.memory_bytes -= end - begin
            file.close()

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
        task = asyncio.current_task()
        assert task is not None
        self._readers[task] = offset
        self._progress.set()
        if offset in self._let_go:
            raise UpstreamError("the disk has no room, and the beginning of the body is gone")
        while self.written_bytes <= offset and not self.is_done:
            if self._error is not None:
                raise self._error
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.add(waiter)
            try:
                await waiter
            finally:
                self._waiting.discard(waiter)
        if offset < self._let_go.start:
            return min(self.written_bytes, self._let_go.start)
        return self.written_bytes

    def leave(self) -> None:
        """Note that the current task reads no more."""
        task = asyncio.current_task()
        if task is not None:
            self._readers.pop(task, None)
            self._progress.set()

    def close(self) -> None:
        """Close the files and remove a body that was not stored."""
        for _, file in self._files:
            file.close()
        self._disk.memory_bytes -= self._memory_bytes() if self._in_memory else 0
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    _end = 0

    def _wake(self) -> None:
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)


def memory_file() -> FileIO:
    """An empty file in memory."""
    return os.fdopen(os.memfd_create("abr-body", os.MFD_CLOEXEC), "r+b", buffering=0)
