"""Opening files below a folder, without leaving it: no link is followed on the way."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def open_beneath(folder: Path, path: str) -> tuple[int, os.stat_result] | None:
    """A descriptor of the regular file ``path`` below ``folder``, and what is known of it.

    The folder itself may be a link. Of ``path`` no part may be: a link in a package could lead
    to anything on the machine. Opening a pipe does not wait for a writer.

    Args:
        folder: Where to begin.
        path: Relative, parts separated by single slashes.

    Returns:
        None when there is no such file, or it is not regular, or a part of the path is a link.
    """
    *folders, name = path.split("/")
    if any(part in ("", ".", "..") for part in (*folders, name)):
        return None
    try:
        at = os.open(folder, _FOLDER)
    except OSError:
        return None
    try:
        for part in folders:
            inner = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = inner
        descriptor = os.open(name, os.O_RDONLY | _SAFELY, dir_fd=at)
    except OSError:
        return None
    finally:
        os.close(at)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        return None
    return descriptor, found


_SAFELY = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
# O_PATH needs only permission to search the folder, and is cheaper; other systems lack it.
_FOLDER = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
