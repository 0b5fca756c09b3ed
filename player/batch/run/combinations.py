"""What ``simulate_many`` combines: presentations, networks, algorithms and seeds.

All are checked, and no two of a kind are called the same, as rows of a table could not be told
apart.
"""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from abr.arguments import kind_of
from abr.decision import Algorithm, Chooser, Rule, fresh
from abr.errors import InputError, TraceFormatError
from abr.files.traces import check_columns, resolve_readings
from abr.media import Presentation
from abr.qoe import Model, check_distinct, named
from abr.trace import Trace
from abr.traceformats import Reading, find_set_doubts
from abr.traceformats.names import distinguish
from transcode.files.reader import read_presentation

Source = str | Path | Presentation
"""A package's folder, or a presentation."""
TraceSource = str | Path | Trace
"""A trace; a file or folder of traces; ``profile:NAME`` or ``generate:CLASS:SEED[:SECONDS]``."""

Wanted = str | Algorithm | Chooser
"""A registered name, a ``Rule``, what makes an object with ``choose(seen)``, or such an object."""

_SEEDS = "expected several whole numbers of 0 or more"


def models_of(given: str | Model | Sequence[str | Model]) -> list[Model]:
    """QoEs by their names or values.

    Raises:
        QoEError: one is unknown, or two have the same name.
    """
    every = given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    models = [named(each) if isinstance(each, str) else each for each in every]
    check_distinct(models)
    return models


def seeds_of(given: object) -> list[int]:
    """Seeds of NumPy's generators, of an iterator too.

    Raises:
        InputError: they are none, or one is there twice.
    """
    if not isinstance(given, Iterable) or isinstance(given, str | bytes | Mapping):
        raise InputError(f"seeds are {_short(given)}; {_SEEDS}")
    found: dict[int, None] = {}
    for each in given:
        if not isinstance(each, int | np.integer) or isinstance(each, bool) or each < 0:
            raise InputError(f"one of the seeds is {_short(each)}; {_SEEDS}")
        if each in found:
            raise InputError(f"seed {each} is there twice; expected each once")
        found[int(each)] = None
    return list(found)


def check_labels(labels: Sequence[str]) -> None:
    """Rows of equal labels could not be told apart.

    Raises:
        InputError: two algorithms have the same.
    """
    for label, count in Counter(labels).items():
        if count > 1:
            raise InputError(
                f"{count} algorithms are called {label!r}; give each a label of its own: "
                f"algorithms={{{label + ', one'!r}: ..., {label + ', other'!r}: ...}}"
            )


def need_some(what: str, found: Sequence[object]) -> None:
    """Refuse nothing.

    Raises:
        InputError: there is none.
    """
    if not found:
        raise InputError(f"no {what}; give at least one")


def several(given: Any) -> Sequence[Any]:
    """One or several, as several."""
    if isinstance(given, str | os.PathLike | Presentation | Trace):
        return [given]
    return list(given)


def presentations_of(sources: Sequence[Source]) -> list[Presentation]:
    """All presentations; packages of equal titles are told apart by their folders.

    Raises:
        InputError: one is there twice, or two have the same title and no folder.
    """
    found = [
        each if isinstance(each, Presentation) else read_presentation(each) for each in sources
    ]
    places = ["" if isinstance(each, Presentation) else str(Path(each)) for each in sources]
    for (title, place), count in Counter(
        (each.title, place) for each, place in zip(found, places, strict=True)
    ).items():
        if count > 1:
            remedy = (
                "give it once" if place else "dataclasses.replace(..., title=...) makes another"
            )
            raise InputError(f"{count} presentations are called {place or title!r}; {remedy}")
    names = distinguish([each.title for each in found], places)
    return [
        each if each.title == name else replace(each, title=name)
        for each, name in zip(found, names, strict=True)
    ]


def networks_of(
    given: Sequence[TraceSource], columns: str | Mapping[str, object] | None
) -> list[Trace]:
    """All traces, no two called the same; what is odd about them together is warned of."""
    check_columns(columns, given)
    readings: list[Reading] = []
    traces: list[Trace] = []
    places: list[str] = []
    for source in given:
        if isinstance(source, Trace):
            traces.append(source)
            places.append("")
            continue
        for place, reading in _readings(Path(source), columns):
            readings.append(reading)
            traces.append(reading.trace)
            places.append(place)
    for doubt in find_set_doubts(readings):
        warnings.warn(doubt, stacklevel=3)
    names = distinguish([trace.name for trace in traces], places)
    return [trace.named(name) for trace, name in zip(traces, names, strict=True)]


def _readings(
    path: Path, columns: str | Mapping[str, object] | None
) -> Iterator[tuple[str, Reading]]:
    """The traces of a file, or of all files of a folder that hold some.

    Raises:
        MissingFileError, TraceFormatError: the file, or everything in the folder, holds none.
    """
    if not path.is_dir():
        yield from ((str(path), each) for each in resolve_readings(str(path), columns=columns))
        return
    files = sorted(each for each in path.iterdir() if each.is_file())
    if not files:
        raise InputError(f"{path}: an empty folder; expected trace files")
    errors: list[TraceFormatError] = []
    for each in files:
        try:
            found = resolve_readings(str(each), columns=columns)
        except TraceFormatError as exc:
            errors.append(exc)
            continue
        yield from ((str(each), reading) for reading in found)
    if len(errors) == len(files):
        raise errors[0]
    for error in errors:
        warnings.warn(f"left out: {error}", stacklevel=4)


def labelled(
    given: Wanted | Sequence[Wanted] | Mapping[str, Wanted],
) -> Iterator[tuple[str, Wanted]]:
    """Algorithms with what rows call them.

    Raises:
        InputError: a label is no text.
    """
    if isinstance(given, Mapping):
        for label, wanted in given.items():
            if not isinstance(label, str):
                raise InputError(f"algorithms has the label {label!r}; expected text")
            yield label, wanted
        return
    every: Any = given
    if isinstance(given, str | Rule) or callable(fresh(every)):
        every = [given]
    for each in every:
        yield each if isinstance(each, str) else _label(each), each


def _short(given: object) -> str:
    return repr(given) if isinstance(given, str | int | float) else kind_of(given)


def _label(given: Algorithm | Chooser) -> str:
    named = given.func if isinstance(given, partial) else given
    return str(getattr(named, "name", getattr(named, "__name__", type(named).__name__)))
