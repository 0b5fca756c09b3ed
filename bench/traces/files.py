"""Trace files that a command line means: found, and read one by one."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from abr.errors import AbrError, InputError, MissingFileError
from abr.shell import note, one_line
from bench.traces.names import is_other_kind, safe

if TYPE_CHECKING:
    from abr.trace import Trace
    from abr.traceformats import Reading
    from abr.traceformats.units import Summary

T = TypeVar("T")

NOTES = 5
"""Files that could not be read are named one by one up to this many."""


class Source(NamedTuple):
    """One file, or one named trace."""

    text: str
    """Path or name, as errors call it."""
    below: str
    """The path below the folder that was named; the last part of it for a single file."""
    is_named: bool = True
    """Named itself, and not found in a folder or by a pattern."""


@dataclass(frozen=True, slots=True)
class Read:
    """What one source held."""

    source: Source
    readings: tuple[Reading, ...] = ()
    """Empty when it could not be read."""
    error: str = ""
    """Why not; empty when it could."""

    @property
    def traces(self) -> list[Trace]:
        """The traces alone."""
        return [reading.trace for reading in self.readings]


def sources(words: Sequence[str]) -> list[Source]:
    """Files that the words of a command line mean, each once, in order.

    A word is a file, a folder (all files in and below it, but hidden ones and those that
    are clearly something else), a pattern with ``*``, ``?`` or ``[``, or a named trace.

    Raises:
        MissingFileError: a word means nothing that is there, or a folder holds no files.
    """
    found: dict[str, Source] = {}
    for word in words:
        for source in _meant(word):
            if source.is_named or source.text not in found:
                found[source.text] = source
    return list(found.values())


def _meant(word: str) -> list[Source]:
    from abr.files.traces import PREFIXES

    path = Path(word)
    if word.startswith(PREFIXES):
        return [Source(word, safe(word))]
    is_part = "#" in word and Path(word.rpartition("#")[0]).is_file()
    if is_part and not path.exists():
        return [Source(word, safe(path.name))]
    if path.is_dir():
        return _in_folder(path)
    if not os.path.lexists(path) and any(sign in word for sign in "*?["):
        matches = sorted(glob.glob(word, recursive=True))
        files = [match for match in matches if Path(match).is_file()]
        if not files:
            raise MissingFileError(f"{word}: matches no file; expected traces")
        return [Source(match, Path(match).name, is_named=False) for match in files]
    if not path.exists():
        raise MissingFileError(f"{word}: no such file or folder; expected traces")
    return [Source(word, path.name)]


def _in_folder(folder: Path) -> list[Source]:
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(place, name)
            if not is_other_kind(name) and path.is_file():  # no pipe, which might never end
                below = str(path.relative_to(folder))
                found.append(Source(str(path), below, is_named=False))
    if not found:
        raise MissingFileError(f"{folder}: no files in this folder; expected traces")
    return found


def read_source(source: Source, form: str | None = None, columns: str | None = None) -> Read:
    """Read one source; what is wrong with it becomes a line of text."""
    try:
        return Read(source, _readings(source.text, form, columns))
    except AbrError as exc:
        return Read(source, error=one_line(exc))
    except OSError as exc:
        return Read(source, error=f"{source.text}: {exc.strerror or type(exc).__name__}")


def _readings(text: str, form: str | None, columns: str | None) -> tuple[Reading, ...]:
    from abr.files.traces import resolve_readings

    return resolve_readings(text, form, columns=columns)


def one_trace(word: str, form: str | None = None, columns: str | None = None) -> Trace:
    """The one trace in the one file that ``word`` means; doubts about it are said on stderr.

    Raises:
        InputError: several files or several traces; or none can be read.
    """
    from abr.files.traces import check_columns

    check_columns(columns, [word])
    meant = sources([word])
    if len(meant) != 1:
        raise InputError(f"{word}: {len(meant)} files; expected one trace")
    found = _readings(meant[0].text, form, columns)
    if len(found) != 1:
        raise InputError(
            f"{word}: holds {len(found)} traces; expected one: name it, as in {word}#1"
        )
    doubts = Doubts()
    doubts.add(found)
    doubts.tell()
    return found[0].trace


def read_each(
    words: Sequence[str], form: str | None, what: str, columns: str | None = None
) -> Iterator[Read]:
    """Read all that ``words`` mean, one after the other, with a bar on a terminal.

    Raises:
        MissingFileError: before the first, when a word means nothing.
    """
    return (read_source(each, form, columns) for each in progress(sources(words), what))


def need_some(good: int, bad: Sequence[Read]) -> None:
    """Refuse to go on with nothing.

    Raises:
        InputError: no trace could be read.
    """
    if good == 0 and bad:
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        raise InputError(bad[0].error + more)


def note_left_out(bad: Sequence[Read]) -> None:
    """Say on stderr which sources were left out, and why."""
    for each in bad[:NOTES]:
        note(f"left out: {each.error}")
    if len(bad) > NOTES:
        note(f"left out: {len(bad) - NOTES} more; `abr traces validate` names them all")


class Doubts:
    """Collects what doubts about a set need, without keeping its traces."""

    def __init__(self) -> None:
        self._summaries: list[Summary] = []

    def __repr__(self) -> str:
        """How many traces were seen."""
        return f"<Doubts about {len(self._summaries)} traces>"

    def add(self, readings: Iterable[Reading]) -> None:
        """Take traces into account."""
        self._summaries += [each.summary for each in readings if each.summary is not None]

    def find(self) -> tuple[str, ...]:
        """What is hardly plausible about all of them together."""
        from abr.traceformats.units import find_doubts

        return find_doubts(self._summaries)

    def tell(self) -> None:
        """Say it on stderr."""
        for doubt in self.find():
            note(doubt)


def progress(items: Iterable[T], what: str) -> Iterator[T]:
    """The items, with a bar on a terminal while they are worked through."""
    todo = list(items)
    if not sys.stderr.isatty() or len(todo) < 2:
        yield from todo
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        yield from bar.track(todo, description=what)


def check_format(words: Sequence[str], form: str | None, columns: str | None = None) -> None:
    """Fail early when nobody can read a format, or columns are not understood or of no use.

    Raises:
        InputError: it is none of ``abr.traceformats.FORMATS``, or both are given, or none of
            ``words`` is read by the columns.
    """
    from abr.files.traces import check_columns
    from abr.traceformats import FORMATS

    check_columns(columns, words)
    if columns is not None and form is not None:
        raise InputError("a format and --columns exclude each other; give one")
    if form is not None and form not in FORMATS:
        raise InputError(f"unknown trace format {form!r}; expected one of {', '.join(FORMATS)}")
