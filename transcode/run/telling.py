"""Progress told while it happens: bars on a terminal, lines of JSON for programs."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from abr.errors import MissingFileError
from abr.shell import note, reason_of
from transcode.run.progress import TranscodeProgress

Tell = Callable[[TranscodeProgress], None]
_EVENTS_A_SECOND = 4.0


@contextlib.contextmanager
def bars() -> Iterator[Tell]:
    """A bar for the whole, with the time left, and one for each track, if there is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _progress: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[words]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        whole = shown.add_task("encode", total=1.0, words="")
        tracks: dict[str, Any] = {}

        def tell(progress: TranscodeProgress) -> None:
            words = f"{progress.speed:.1f}x"
            if progress.eta_s != float("inf"):
                words += f", {duration_words(progress.eta_s)} left"
            shown.update(
                whole, description=progress.phase, completed=progress.fraction, words=words
            )
            for track, fraction in progress.tracks.items():
                if track not in tracks:
                    tracks[track] = shown.add_task(f"  {track}", total=1.0, words="")
                shown.update(tracks[track], completed=fraction)

        yield tell


def duration_words(seconds: float) -> str:
    """``1:02:03`` or ``2:03``."""
    minutes, whole_s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{whole_s:02d}" if hours else f"{minutes}:{whole_s:02d}"


class Events:
    """Lines of JSON, each with ``event`` and ``at_s``, the seconds since the beginning."""

    def __init__(self, file: IO[str] | None) -> None:
        self._file = file
        self._began_s = time.monotonic()
        self._next_s = 0.0
        self._phase = ""

    def __repr__(self) -> str:
        return f"<Events to {getattr(self._file, 'name', 'nowhere')}>"

    def progress(self, progress: TranscodeProgress) -> None:
        """How far it is, a few times a second, and whenever a phase begins."""
        at_s = time.monotonic() - self._began_s
        if at_s < self._next_s and progress.phase == self._phase and progress.fraction < 1:
            return
        self._next_s, self._phase = at_s + 1 / _EVENTS_A_SECOND, progress.phase
        self.write(
            "progress",
            phase=progress.phase,
            fraction=round(progress.fraction, 4),
            speed=round(progress.speed, 3),
            eta_s=None if progress.eta_s == float("inf") else round(progress.eta_s, 1),
            tracks={track: round(part, 4) for track, part in progress.tracks.items()},
        )

    def note(self, line: str) -> None:
        """Something that a user should know of; it is printed as well."""
        note(line)
        self.write("note", text=line)

    def write(self, event: str, **values: object) -> None:
        """One event."""
        if self._file is None:
            return
        at_s = round(time.monotonic() - self._began_s, 3)
        print(json.dumps({"event": event, "at_s": at_s, **values}), file=self._file, flush=True)


@contextlib.contextmanager
def open_events(where: str) -> Iterator[Events]:
    """Events into the file ``where``, to standard error as ``-``, or nowhere when empty.

    The last one is ``done`` or ``failed``.

    Raises:
        MissingFileError: the file cannot be written to.
    """
    with contextlib.ExitStack() as stack:
        file: IO[str] | None = None
        if where == "-":
            file = sys.stderr
        elif where:
            try:
                file = stack.enter_context(Path(where).open("a", encoding="utf-8"))
            except OSError as exc:
                raise MissingFileError(
                    f"{where}: {reason_of(exc)}; expected a file for --events that can be written"
                ) from exc
        events = Events(file)
        try:
            yield events
        except BaseException as exc:
            events.write("failed", error=f"{exc}" or type(exc).__name__)
            raise
        events.write("done")
