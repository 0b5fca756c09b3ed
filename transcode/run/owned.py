"""Folders that belong to a process while it lives, and how those of the dead are told apart.

Beside each folder lies a lock file that its owner holds with ``flock``. The kernel lets go of
it however the owner ends, so a lock that can be taken is a folder that nobody will finish.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

_LOCK = ".lock"


@contextlib.contextmanager
def owned_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A new folder ``parent/prefix…``, removed afterwards; ``parent`` must exist."""
    with _new_lock(parent, prefix) as lock:
        folder = lock.with_suffix("")
        try:
            folder.mkdir()
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _new_lock(parent: Path, prefix: str) -> Iterator[Path]:
    """A lock file of a new name, held; it is there before the folder and goes after it."""
    while True:
        path = parent / f"{prefix}{secrets.token_hex(4)}{_LOCK}"
        with path.open("xb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not _is_at(path, file.fileno()):
                continue  # somebody who tidied up was faster
            try:
                yield path
            finally:
                path.unlink(missing_ok=True)
            return


def remove_abandoned(parent: Path, prefix: str) -> list[Path]:
    """Remove folders ``parent/prefix…`` whose owners are gone; return those that were there."""
    removed = []
    for path in sorted(parent.glob(f"{_escaped(prefix)}*")):
        lock = path if path.suffix == _LOCK else path.with_name(path.name + _LOCK)
        with abandoned(lock) as is_abandoned:
            folder = lock.with_suffix("")
            if is_abandoned and folder.exists():
                shutil.rmtree(folder, ignore_errors=True)
                removed.append(folder)
    return removed


@contextlib.contextmanager
def abandoned(lock: Path) -> Iterator[bool]:
    """Whether nobody holds ``lock``, which is then held in the block and removed after it."""
    try:
        file = lock.open("r+b")
    except FileNotFoundError:
        yield True
        return
    except OSError:
        yield False
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True
        if _is_at(lock, file.fileno()):
            lock.unlink(missing_ok=True)


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether the open file is still the one at ``path``."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except OSError:
        return False


def _escaped(prefix: str) -> str:
    return "".join(f"[{each}]" if each in "*?[" else each for each in prefix)
