"""The player's files: logs written whole or not at all, media kept."""

from __future__ import annotations

import os
from bisect import bisect_left
from io import FileIO
from pathlib import Path

from abr.arguments import as_path, expect
from abr.errors import AbrError, DiskFullError, LogFormatError, MissingFileError
from abr.files.whole import write_whole
from abr.log import SessionLog
from abr.shell import NO_ROOM_ERRORS, reason_of
from player.playback.actions import Resource, Want


def write_log(log: SessionLog, path: str | os.PathLike[str]) -> None:
    """Write ``log`` to ``path``, replacing what was there once all of it is on disk.

    Raises:
        ArgumentError: no log, or no path.
        DiskFullError: there is no room for it.
        MissingFileError: it cannot be written for another reason.
    """
    expect(log, SessionLog, "write_log(log=...)", "a SessionLog; write_log(log, path)")
    into = as_path(path, "write_log(path=...)")
    check_writable(into)
    data = log.dumps().encode()
    try:
        write_whole(into, data)
    except (OSError, ValueError) as exc:
        if isinstance(exc, AbrError):
            raise
        if isinstance(exc, OSError) and exc.errno in NO_ROOM_ERRORS:
            raise DiskFullError(f"{into}: no space left; free some and write again") from exc
        raise MissingFileError(f"{into}: cannot be written: {_why(exc)}") from exc


def read_log(path: str | os.PathLike[str]) -> SessionLog:
    """Read a session log.

    Raises:
        ArgumentError: no path.
        MissingFileError: there is no such file, or it cannot be read.
        LogFormatError: it is no session log.
    """
    where = as_path(path, "read_log(path=...)")
    try:
        text = where.read_text(encoding="utf-8")
    except FileNotFoundError as exc:
        raise MissingFileError(f"{where}: no such file; expected a session log") from exc
    except IsADirectoryError as exc:
        raise MissingFileError(f"{where}: a folder; expected a session log") from exc
    except UnicodeDecodeError as exc:
        raise LogFormatError(f"{where}: not text; expected a session log in JSON Lines") from exc
    except (OSError, ValueError) as exc:  # no permission; a name that none can have
        raise MissingFileError(f"{where}: cannot be read: {_why(exc)}") from exc
    return SessionLog.loads(text, name=str(where))


def check_writable(path: str | os.PathLike[str] | None) -> None:
    """Fail early, before anything is played, when ``path`` cannot become a file.

    Raises:
        ArgumentError: no path.
        MissingFileError: its folder does not exist or is closed, or it is a folder itself.
    """
    if path is None:
        return
    path = as_path(path, "check_writable(path=...)")
    if path.is_dir():
        raise MissingFileError(f"{path}: a folder; expected the name of a file to write")
    if not path.parent.is_dir():
        raise MissingFileError(f"{path.parent}: no such folder; make it first")
    if not os.access(path if path.exists() and not path.is_file() else path.parent, os.W_OK):
        raise MissingFileError(f"{path}: permission denied; expected a file that can be written")


def _why(exc: OSError | ValueError) -> str:
    """What is wrong with a path; a ValueError is of one that no file can have."""
    return reason_of(exc) if isinstance(exc, OSError) else str(exc)


class MediaFolder:
    """Decrypted media on disk: ``video-r2.mp4`` holds what was played of rung 2, in order.

    Each file is an initialisation section followed by segments and plays by itself. What has no
    section goes to ``video-r2.ts`` (transport streams) or under the name of its packed audio. A
    switch of rung leaves a gap in one file and begins in another; so does another section within
    a rung, since readers of files heed only the first: ``video-r2-2.mp4``. Where the first section
    comes back, so does its file.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Make ``folder``, which must be new or empty.

        Raises:
            ArgumentError: no path.
            MissingFileError: it exists and is not an empty folder, or cannot be made.
        """
        folder = as_path(folder, "MediaFolder(folder=...)")
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise MissingFileError(f"{folder}: exists and is not an empty folder; name a new one")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as exc:
            raise MissingFileError(f"{folder}: cannot be made: {_why(exc)}") from exc
        self._folder = folder
        self._inits: dict[Resource, bytes] = {}
        self._files: dict[str, dict[bytes, _MediaFile]] = {}
        self._early: list[tuple[Want, bytes]] = []

    def __repr__(self) -> str:
        files = sum(len(each) for each in self._files.values())
        return f"<MediaFolder {self._folder}, {files} files>"

    def add(self, want: Want, data: bytes) -> None:
        """One initialisation section or segment, in the clear.

        Raises:
            DiskFullError: there is no room for it; the file ends with the segment before.
            MissingFileError: it cannot be written for another reason.
        """
        if want.kind == "init":  # for every rung and track that shares it
            self._inits[want.resource] = data
        else:
            self._early.append((want, data))
        early, self._early = self._early, []
        for each, media in early:
            if each.init is None or each.init in self._inits:
                self._keep(each, media)
            else:
                self._early.append((each, media))

    def _keep(self, want: Want, data: bytes) -> None:
        name = want.track if want.rung < 0 else f"{want.track}-r{want.rung}"
        head = b"" if want.init is None else self._inits[want.init]
        files = self._files.setdefault(name, {})
        if head not in files:
            number = f"-{len(files) + 1}" if files else ""
            suffix = _suffix_of(head or data)
            files[head] = _MediaFile(self._folder / f"{name}{number}.{suffix}", head)
        file = files[head]
        try:
            file.put(want.segment, data)
        except OSError as exc:
            where = f"{file.path}: segment {want.segment} cannot be kept"
            if exc.errno in NO_ROOM_ERRORS:
                raise DiskFullError(f"{where}: no space left; free some and play again") from exc
            raise MissingFileError(f"{where}: {reason_of(exc)}") from exc


class _MediaFile:
    """An initialisation section and segments in order, whatever the order in which they come."""

    def __init__(self, path: Path, head: bytes) -> None:
        self.path = path
        self._head = head
        self._segments: list[int] = []
        self._sizes: list[int] = []

    def __repr__(self) -> str:
        return f"<_MediaFile {self.path}, {len(self._segments)} segments>"

    def put(self, segment: int, data: bytes) -> None:
        """Add a segment, or put it in place of what was there of it; all of it or nothing."""
        place = bisect_left(self._segments, segment)
        is_again = self._segments[place : place + 1] == [segment]
        head = self._head if not self._segments else b""
        at = len(self._head) + sum(self._sizes[:place]) if self._segments else 0
        with self.path.open("r+b" if self._segments else "w+b", buffering=0) as file:
            file.seek(at)
            before = file.readall()
            later = before[self._sizes[place] :] if is_again else before
            try:
                _overwrite(file, at, head + data + later)
            except OSError:
                _overwrite(file, at, before)  # for which there was room
                if not self._segments:
                    self.path.unlink()
                raise
        self._segments[place : place + is_again] = [segment]
        self._sizes[place : place + is_again] = [len(data)]


def _overwrite(file: FileIO, at: int, data: bytes) -> None:
    """Let ``data`` be all that follows ``at``."""
    file.seek(at)
    file.truncate()
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


def _suffix_of(data: bytes) -> str:
    """The usual ending of names of files that begin so."""
    if data[:1] == b"\x47":  # ISO/IEC 13818-1, 2.4.3.3: every packet begins with it
        return "ts"
    if data.startswith(b"ID3") and len(data) > 10:  # a tag before packed audio: RFC 8216bis, 3.1.3
        size = sum((byte & 0x7F) << 7 * (3 - place) for place, byte in enumerate(data[6:10]))
        data = data[10 + size :]
    if data.startswith(b"\x0b\x77"):
        return "ac3"
    if data[:1] == b"\xff" and len(data) > 1 and data[1] & 0xE0 == 0xE0:
        return "aac" if data[1] & 0x06 == 0 else "mp3"  # the layer: ISO/IEC 13818-7, 1.A.2.2
    return "mp4"
