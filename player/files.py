"""The player's files: logs written whole or not at all, media kept."""

from __future__ import annotations

import os
from pathlib import Path

from abr.errors import LogFormatError, MissingFileError
from abr.files.whole import write_whole
from abr.log import SessionLog
from player.playback.actions import Resource, Want


def write_log(log: SessionLog, path: Path) -> None:
    """Write ``log`` to ``path``, replacing what was there once all of it is on disk."""
    write_whole(path, log.dumps().encode())


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


def check_writable(path: Path | None) -> None:
    """Fail early, before anything is played, when ``path`` cannot become a file.

    Raises:
        MissingFileError: its folder does not exist or is closed, or it is a folder itself.
    """
    if path is None:
        return
    if path.is_dir():
        raise MissingFileError(f"{path}: a folder; expected the name of a file to write")
    if not path.parent.is_dir():
        raise MissingFileError(f"{path.parent}: no such folder; make it first")
    if not os.access(path if path.exists() and not path.is_file() else path.parent, os.W_OK):
        raise MissingFileError(f"{path}: permission denied; expected a file that can be written")


_TS_SYNC = b"\x47"  # ISO/IEC 13818-1, 2.4.3.3: every packet begins with it


class MediaFolder:
    """Decrypted media on disk: ``video-r2.mp4`` holds what was played of rung 2, in order.

    Each file is an initialisation section followed by segments and plays by itself; transport
    streams, which have no section, go to ``video-r2.ts``. A
    switch of rung leaves a gap in one file and begins in another. Where the section
    changes within a rung, the new one is written before the segments that follow it.
    """

    def __init__(self, folder: Path) -> None:
        """Make ``folder``, which must be new or empty.

        Raises:
            MissingFileError: it exists and is not an empty folder.
        """
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise MissingFileError(f"{folder}: exists and is not an empty folder; name a new one")
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._inits: dict[Resource, bytes] = {}
        self._written: dict[str, Resource | None] = {}
        self._early: dict[str, list[tuple[Want, bytes]]] = {}

    def __repr__(self) -> str:
        return f"<MediaFolder {self._folder}, {len(self._written)} files>"

    def add(self, want: Want, data: bytes) -> None:
        """One initialisation section or segment, in the clear."""
        if want.kind == "init":  # for every rung and track that shares it
            self._inits[want.resource] = data
        else:
            name = want.track if want.rung < 0 else f"{want.track}-r{want.rung}"
            self._early.setdefault(name, []).append((want, data))
        for name, waiting in self._early.items():
            while waiting and (waiting[0][0].init is None or waiting[0][0].init in self._inits):
                self._append(name, *waiting.pop(0))

    def _append(self, name: str, want: Want, data: bytes) -> None:
        is_new_init = want.init is not None and self._written.get(name) != want.init
        before = self._inits[want.init] if want.init is not None and is_new_init else b""
        self._written[name] = want.init
        is_transport = want.init is None and data[:1] == _TS_SYNC
        suffix = "ts" if is_transport else "mp4"
        with (self._folder / f"{name}.{suffix}").open("ab") as file:
            file.write(before + data)
