"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from abr.errors import MissingFileError


def write_whole(path: Path, data: bytes) -> None:
    """Make ``path`` hold ``data``: beside it first, flushed, then renamed into place.

    A symbolic link keeps pointing where it does. A device or a pipe, such as ``/dev/stdout``,
    is written to and never replaced.

    Raises:
        MissingFileError: the folder does not exist.
        OSError: it cannot be written; ``path`` is as it was.
    """
    if not path.parent.is_dir():
        raise MissingFileError(f"{path.parent}: no such folder; make it first")
    if path.exists() and not path.is_file():
        with path.open("wb") as device:
            device.write(data)
        return
    path = path.resolve()
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
