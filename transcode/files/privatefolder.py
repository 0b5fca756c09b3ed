"""A folder of secrets: mode 0700, files of mode 0600 that appear whole or not at all, one lock.

Reading refuses what others may read. A process may die at any instant: the file it was writing
stays as it was, and what it leaves beside it, ``.NAME.xxxxxxxx``, ``sweep`` removes.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from abr.errors import DiskFullError, KeyStoreError, ResourceError
from abr.shell import NO_ROOM_ERRORS, reason_of

LOCK = "lock"
LOCK_LIMIT_S = 20.0
"""Longest wait for the lock; longer than a command that wraps keys may take."""
_LOCK_STEP_S = 0.01
_LEFT_BEHIND = re.compile(r"\..+\.[0-9a-f]{8}")


class PrivateFolder:
    """The folder; ``lock`` holds it against all other processes and threads."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"PrivateFolder({str(self.path)!r})"

    def prepare(self, *, create: bool) -> None:
        """Make the folder, or check that nobody else can read it.

        Raises:
            KeyStoreError: there is none, or others may use it.
            ResourceError, DiskFullError: it cannot be made.
        """
        folder = self.path
        try:
            if create and not folder.exists():
                folder.parent.mkdir(parents=True, exist_ok=True)
                folder.mkdir(mode=0o700, exist_ok=True)
            if not folder.is_dir():
                raise KeyStoreError(f"{folder}: no such folder; expected a key store")
            if create and not any(folder.iterdir()):
                folder.chmod(0o700)
        except OSError as exc:
            raise _error_of(folder, exc) from exc
        _check_private(folder, "700")

    def read(self, name: str) -> str:
        """The text of a file.

        Raises:
            KeyStoreError: there is none, or others may read it.
        """
        path = self.path / name
        try:
            _check_private(path, "600")
            return path.read_bytes().decode("utf-8", errors="replace")
        except OSError as exc:
            raise _error_of(path, exc) from exc

    def write(self, name: str, text: str) -> None:
        """Replace a file at once.

        Raises:
            ResourceError, DiskFullError: it cannot be written; it is as it was.
        """
        path = self.path / name
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            write_private(path, text.encode())
        except OSError as exc:
            raise _error_of(path, exc) from exc

    def left_behind(self) -> list[Path]:
        """Files that processes were writing when they died; only what holds the lock can tell."""
        folders = [self.path, *(each for each in self.path.iterdir() if each.is_dir())]
        names = (each for folder in folders for each in folder.iterdir())
        return sorted(each for each in names if _LEFT_BEHIND.fullmatch(each.name))

    def sweep(self) -> None:
        """Remove what was left behind; the lock is held."""
        for path in self.left_behind():
            path.unlink(missing_ok=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder.

        Raises:
            ResourceError: another process holds it for too long.
        """
        path = self.path / LOCK
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as exc:
            raise _error_of(path, exc) from exc
        try:
            _take(handle, path)
            yield
        finally:
            os.close(handle)


def is_private(path: Path) -> bool:
    """Whether nobody but its owner may use it."""
    return not stat.S_IMODE(path.stat().st_mode) & 0o077


def write_private(path: Path, data: bytes) -> None:
    """Replace ``path`` at once: never half-written, never readable by others."""
    target = Path(os.path.realpath(path))  # a symbolic link stays, its target is replaced
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    handle = os.open(beside, flags, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _take(handle: int, path: Path) -> None:
    limit_s = time.monotonic() + LOCK_LIMIT_S
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as exc:
            if exc.errno not in (errno.EAGAIN, errno.EACCES, errno.EINTR):
                raise _error_of(path, exc) from exc
            if time.monotonic() > limit_s:
                raise ResourceError(
                    f"{path}: held by another process for {LOCK_LIMIT_S:.0f} s; "
                    "expected it to be free; end that process"
                ) from exc
        time.sleep(_LOCK_STEP_S)


def _check_private(path: Path, wanted: str) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise KeyStoreError(
            f"{path}: mode {mode:04o}, so others may use it; expected 0{wanted}; "
            f"run chmod {wanted} on it"
        )


def _error_of(path: Path, exc: OSError) -> KeyStoreError | ResourceError:
    if exc.errno in NO_ROOM_ERRORS:
        return DiskFullError(f"{path}: no room left; expected a few kilobytes; free some")
    reason = reason_of(exc)
    if exc.errno == errno.ENOENT:
        return KeyStoreError(f"{path}: {reason}; expected a key store")
    return ResourceError(f"{path}: {reason}; expected a folder of your own for keys")
