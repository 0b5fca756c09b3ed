"""Lines of a log, written by a thread: a disk that stands still never holds a request up.

Lines wait in a bounded queue. What finds it full is dropped and counted. The file can be moved
away and opened anew (SIGHUP), as rotation by other programs needs it.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TextIO

LOG = logging.getLogger("abr.edge")

MOST_WAITING = 16_384
"""Lines that may wait to be written."""

CLOSE_S = 2.0
"""Most seconds to write what waits when it is closed."""

Line = Callable[[], str]
"""Makes a line; called in the thread."""


class LineWriter:
    """Writes lines to the end of one file; ``close`` at the end."""

    def __init__(self, path: Path) -> None:
        """Start the thread; the file is opened there, with the first line."""
        self.path = path
        self.dropped = 0
        """Lines that found no room, or could not be written."""
        self.written = 0
        """Lines that were written."""
        self._waiting: queue.Queue[Line | None] = queue.Queue(MOST_WAITING)
        self._reopens = False
        self._is_broken = False
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"log {path.name}", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"<LineWriter {str(self.path)!r}: {self.written} written, {self.dropped} dropped>"

    def write(self, line: Line) -> None:
        """Have a line written, if there is room for it."""
        try:
            self._waiting.put_nowait(line)
        except queue.Full:
            self.dropped += 1

    def reopen(self) -> None:
        """Close the file, and open the one that has its name from the next line on."""
        self._reopens = True

    def close(self) -> None:
        """Write what waits, within ``CLOSE_S``, and close the file."""
        self._ends.set()
        with suppress(queue.Full):  # then the thread looks at _ends after each line
            self._waiting.put_nowait(None)
        self._thread.join(CLOSE_S)
        if self._thread.is_alive():
            self.dropped += self._waiting.qsize()

    def _run(self) -> None:
        file: TextIO | None = None
        while True:
            line = self._waiting.get()
            if line is None:
                break
            if self._reopens and file is not None:
                file.close()
                file = None
            self._reopens = False
            try:
                if file is None:
                    # Line by line, because other workers append to the same file.
                    file = self.path.open("a", buffering=1, encoding="utf-8", errors="replace")
                file.write(line())
                self.written += 1
                self._is_broken = False
            except OSError as exc:
                self.dropped += 1
                self._complain(exc)
            if self._ends.is_set() and self._waiting.empty():
                break
        if file is not None:
            try:
                file.close()
            except OSError as exc:
                self._complain(exc)

    def _complain(self, exc: OSError) -> None:
        """Say once that it cannot be written, until it can again."""
        if not self._is_broken:
            LOG.error("%s: %s; lines are dropped until it can be written", self.path, exc.strerror)
        self._is_broken = True
