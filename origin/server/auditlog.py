"""The file of the audit log: whole lines, written before the key leaves.

Each line is one write to the end of the file, at once: whatever happens to this process later,
what it gave is written down. A line that cannot be written does not stop viewers; it is counted,
the log of the server says so, and so does the audit log itself once it can be written again.

The file is opened anew on request (SIGHUP), so that other programs can move it away, and is moved
away here when it has grown to its limit. Nothing is ever deleted.
"""

from __future__ import annotations

import json
import logging
import os
from datetime import UTC, datetime
from pathlib import Path

from abr.errors import ResourceError

LOGGER = logging.getLogger("abr.http")

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class AuditLog:
    """Appends lines to one file, which only its owner may read; ``close`` at the end."""

    def __init__(self, path: Path, *, max_bytes: int = 0) -> None:
        """Open the file.

        Args:
            path: Of the file; made when missing.
            max_bytes: Move the file away before it grows beyond this; 0: never.

        Raises:
            ResourceError: it cannot be written.
        """
        self.path = path
        self.written = 0
        """Lines that were written."""
        self.lost = 0
        """Lines that could not be."""
        self._max_bytes = max_bytes
        self._file = -1
        self._size_bytes = 0
        self._is_torn = False  # the last line may lack its end
        self._untold = 0  # lines lost since the last one that was written
        try:
            self._open()
        except OSError as exc:
            raise ResourceError(
                f"{path}: {exc.strerror}; expected a file that the audit log can be appended to; "
                "name another with --audit-log"
            ) from exc

    def __repr__(self) -> str:
        return f"<AuditLog {str(self.path)!r}: {self.written} written, {self.lost} lost>"

    def write(self, line: bytes, *, now_s: float) -> None:
        """Append a line, which ends in a line feed.

        Args:
            line: The line.
            now_s: Unix seconds, for the name of a file that is moved away.
        """
        try:
            if self._file < 0:
                self._open()
            if self._max_bytes and self._size_bytes and self._is_full(len(line)):
                self._move_away(now_s)
            self._append(line)
        except OSError as exc:
            self.lost += 1
            self._untold += 1
            if self._untold == 1:
                LOGGER.error(  # noqa: TRY400 -- a full disk is no fault of this program
                    "audit log %s: %s; keys are given on, and not written down, until it can be "
                    "written again",
                    self.path,
                    exc.strerror,
                )
            return
        self.written += 1

    def reopen(self) -> None:
        """Go on in the file that has the name now; a missing one is made."""
        self.close()
        try:
            self._open()
        except OSError as exc:
            LOGGER.warning("audit log %s: %s; it is tried again", self.path, exc.strerror)

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _is_full(self, more_bytes: int) -> bool:
        return self._size_bytes + more_bytes > self._max_bytes

    def _open(self) -> None:
        self._file = os.open(self.path, _FLAGS, 0o600)
        self._size_bytes = os.fstat(self._file).st_size
        # A line that was cut off, as by a full disk, is ended before the next.
        last = os.pread(self._file, 1, self._size_bytes - 1) if self._size_bytes else b"\n"
        self._is_torn = last != b"\n"

    def _append(self, line: bytes) -> None:
        data = b"\n" if self._is_torn else b""
        if self._untold:
            data += json.dumps({"outcome": "lines-lost", "lines": self._untold}).encode() + b"\n"
        data += line
        count = os.write(self._file, data)
        self._size_bytes += count
        if count < len(data):
            self._is_torn = True
            raise OSError(0, "no room for a whole line")
        self._is_torn, self._untold = False, 0

    def _move_away(self, now_s: float) -> None:
        at = datetime.fromtimestamp(now_s, UTC).strftime("%Y%m%dT%H%M%SZ")
        for number in range(1000):
            name = f"{self.path.name}.{at}" + (f"-{number}" if number else "")
            try:
                # A link fails where something has that name; a rename would replace it.
                os.link(self.path, self.path.with_name(name))
            except FileExistsError:
                continue
            except FileNotFoundError:  # moved away by others
                break
            self.path.unlink()
            break
        self.close()
        self._open()
