"""Session logs on disk: written whole or not at all, read with clear errors."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from abr.errors import LogFormatError, MissingFileError
from abr.log import SessionLog


def write_log(log: SessionLog, path: Path) -> None:
    """Write ``log`` to ``path``, replacing what was there once all of it is on disk."""
    write_whole(path, log.dumps().encode())


def write_whole(path: Path, data: bytes) -> None:
    """Make ``path`` hold ``data``: beside it first, flushed, then renamed into place.

    Raises:
        MissingFileError: the folder does not exist.
        OSError: it cannot be written; ``path`` is as it was.
    """
    if not path.parent.is_dir():
        raise MissingFileError(f"{path.parent}: no such folder; make it first")
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


def read_log(path: Path) -> SessionLog:
    """Read a session log.

    Raises:
        MissingFileError: there is no such file.
        LogFormatError: it is no session log.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as exc:
        raise MissingFileError(f"{path}: no such file; expected a session log") from exc
    except IsADirectoryError as exc:
        raise MissingFileError(f"{path}: a folder; expected a session log") from exc
    except UnicodeDecodeError as exc:
        raise LogFormatError(f"{path}: not text; expected a session log in JSON Lines") from exc
    return SessionLog.loads(text, name=str(path))
