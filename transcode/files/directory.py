"""Objects in a folder: each a file, at the path that its key says."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from abr.errors import DiskFullError, MissingFileError
from abr.shell import NO_ROOM_ERRORS, reason_of
from transcode.storage.objects import (
    NoObjectError,
    ObjectExistsError,
    ObjectInfo,
    StoreError,
    check_key,
)

_BESIDE = ".abr-put-"
"""Names of files that are being written; no key begins with a dot."""


class DirectoryObjects:
    """An ``ObjectStore`` in a folder. Symbolic links are not followed."""

    def __init__(self, folder: str | Path, *, create: bool = False) -> None:
        """Open the folder.

        Raises:
            MissingFileError: there is none, and it is not to be created or cannot be.
        """
        self._folder = Path(folder).absolute()
        try:
            if create:
                self._folder.mkdir(parents=True, exist_ok=True)
            if not self._folder.is_dir():
                raise MissingFileError(f"{folder}: no such folder; expected a store")
        except OSError as exc:
            if isinstance(exc, MissingFileError):
                raise
            raise MissingFileError(f"{folder}: {reason_of(exc)}; expected a folder") from exc

    def __repr__(self) -> str:
        return f"<DirectoryObjects {str(self._folder)!r}>"

    @property
    def where(self) -> str:
        """The folder."""
        return str(self._folder)

    def put(self, key: str, data: bytes, *, replace: bool = False) -> None:
        """See ``ObjectStore``."""
        path = self._folder / check_key(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = path.parent / f"{_BESIDE}{secrets.token_hex(8)}"
            try:
                with beside.open("xb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                if replace:
                    beside.replace(path)
                else:
                    os.link(beside, path)  # fails where there is one, unlike a rename
                _sync(path.parent)
            finally:
                beside.unlink(missing_ok=True)
        except FileExistsError as exc:
            raise ObjectExistsError(f"{path}: exists already; expected a new key") from exc
        except OSError as exc:
            if exc.errno in NO_ROOM_ERRORS:
                raise DiskFullError(f"{path}: no room left on the disk; free some space") from exc
            raise StoreError(f"{path}: {reason_of(exc)}; expected a folder to write to") from exc

    def get(self, key: str) -> tuple[ObjectInfo, bytes]:
        """See ``ObjectStore``."""
        with self._open(key) as descriptor:
            info = _info(key, os.fstat(descriptor))
            return info, _read(descriptor, 0, info.size_bytes)

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """See ``ObjectStore``."""
        with self._open(key) as descriptor:
            return _read(descriptor, start, length)

    def head(self, key: str) -> ObjectInfo:
        """See ``ObjectStore``."""
        with self._open(key) as descriptor:
            return _info(key, os.fstat(descriptor))

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """See ``ObjectStore``."""
        found: list[ObjectInfo] = []
        # Only the folder in which the prefix ends can hold what begins with it.
        top = self._folder / prefix.rpartition("/")[0]
        for folder, _, names in os.walk(top):
            place = Path(folder).relative_to(self._folder)
            for name in names:
                key = (place / name).as_posix()
                with contextlib.suppress(OSError):  # removed meanwhile
                    status = (self._folder / key).lstat()
                    if key.startswith(prefix) and name[0] != "." and stat.S_ISREG(status.st_mode):
                        found.append(_info(key, status))
        yield from sorted(found, key=lambda each: each.key)

    def delete(self, key: str) -> None:
        """See ``ObjectStore``. Folders that become empty are removed too."""
        path = self._folder / check_key(key)
        try:
            path.unlink(missing_ok=True)
            for parent in path.parents:
                if parent == self._folder:
                    return
                parent.rmdir()
        except OSError as exc:
            if path.exists():
                raise StoreError(f"{path}: {reason_of(exc)}; cannot be removed") from exc

    @contextlib.contextmanager
    def _open(self, key: str) -> Iterator[int]:
        path = self._folder / check_key(key)
        try:
            flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            descriptor = os.open(path, flags)
        except (FileNotFoundError, NotADirectoryError) as exc:
            raise NoObjectError(f"{path}: no such object") from exc
        except OSError as exc:
            raise StoreError(f"{path}: {reason_of(exc)}; expected a readable file") from exc
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise NoObjectError(f"{path}: no such object")
            yield descriptor
        finally:
            os.close(descriptor)


def _info(key: str, status: os.stat_result) -> ObjectInfo:
    return ObjectInfo(
        key=key,
        size_bytes=status.st_size,
        etag=f"{status.st_mtime_ns:x}-{status.st_size:x}",
        modified_s=status.st_mtime,
    )


def _read(descriptor: int, start: int, length: int) -> bytes:
    pieces: list[bytes] = []
    while length > 0 and (piece := os.pread(descriptor, length, start)):
        pieces.append(piece)
        start, length = start + len(piece), length - len(piece)
    return b"".join(pieces)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
