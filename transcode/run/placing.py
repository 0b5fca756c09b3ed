"""Folders that appear whole or not at all: written beside the target, renamed into place."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path

from abr.errors import DiskFullError, MissingFileError, PackageError, ResourceError
from abr.shell import NO_ROOM_ERRORS, reason_of
from transcode.files.reader import is_package
from transcode.run.owned import owned_folder, remove_abandoned

_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2)
_AT_FDCWD = -100


def check_target(out: Path, *, force: bool) -> None:
    """Check that ``out`` is free, or is a package that may be replaced.

    Raises:
        PackageError: it is not.
    """
    if not os.path.lexists(out):
        return
    if not force:
        raise PackageError(f"{out}: exists already; give another folder, or --force to replace it")
    if not out.is_dir() or out.is_symlink():
        raise PackageError(f"{out}: is not a folder; expected a package to replace; move it away")
    if not is_package(out) and any(out.iterdir()):
        raise PackageError(
            f"{out}: holds something other than a package; --force replaces packages only; "
            "give another folder"
        )


def remove_leftovers(out: Path) -> None:
    """Remove what runs that were killed left beside ``out``."""
    if out.parent.is_dir():
        remove_abandoned(out.parent, _prefix(out))


def _prefix(out: Path) -> str:
    return f".{out.name}.partial-"


@contextlib.asynccontextmanager
async def partial_folder(out: Path) -> AsyncIterator[Path]:
    """A folder beside ``out`` that is removed afterwards, unless it was renamed.

    Raises:
        DiskFullError: no room, here or inside the block.
        MissingFileError: the parent folder cannot be written to.
    """
    made: list[Path] = []
    finished = False
    try:
        for folder in reversed(_missing_folders(out.parent)):
            folder.mkdir()
            made.append(folder)
        with owned_folder(out.parent, _prefix(out)) as partial:
            yield partial
        finished = True
    except OSError as exc:
        raise _disk_error(exc, out) from exc
    finally:
        if not finished:
            for folder in reversed(made):
                with contextlib.suppress(OSError):
                    folder.rmdir()


def _missing_folders(folder: Path) -> list[Path]:
    """Those of ``folder`` and its parents that do not exist, innermost first."""
    return [each for each in (folder, *folder.parents) if not each.exists()]


def _disk_error(exc: OSError, out: Path) -> Exception:
    if isinstance(exc, (ResourceError, MissingFileError)):
        return exc
    if exc.errno in NO_ROOM_ERRORS:
        return DiskFullError(
            f"{out.parent}: no room left on the disk for {out.name}; "
            "free some space or give another folder"
        )
    return MissingFileError(f"{out}: {reason_of(exc)}; expected a folder that can be written to")


async def flush(folder: Path) -> None:
    """Flush everything under ``folder`` to the disk."""
    for path in _everything_under(folder):
        _sync(path)
        await asyncio.sleep(0)  # so that an interruption is noticed between files


def _everything_under(folder: Path) -> list[Path]:
    return [*sorted(folder.rglob("*")), folder]


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def move_into_place(partial: Path, out: Path, *, force: bool) -> None:
    """Rename ``partial`` to ``out``; a package it replaces takes its old name and is removed."""
    check_target(out, force=force)
    if os.path.lexists(out):
        _exchange(partial, out)  # the old package is in ``partial`` now, and is removed with it
    else:
        partial.rename(out)
    _sync(out.parent)


def _exchange(one: Path, other: Path) -> None:
    """Swap the names of two folders, atomically where the system can.

    Source: renameat2(2), RENAME_EXCHANGE. Elsewhere three renames, with a moment in which
    ``other`` does not exist.
    """
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is not None:
        if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _EXCHANGE) == 0:
            return
        if ctypes.get_errno() not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(other))
    aside = one.with_name(one.name + "-old")
    other.rename(aside)
    one.rename(other)
    aside.rename(one)
