"""Traces as named on a command line: files, profiles and traces drawn from a model."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from abr.arguments import as_path, expect
from abr.errors import ConfigError, InputError, MissingFileError
from abr.trace import Trace
from abr.traceformats import Reading, find_set_doubts, pick_reading, read_readings, remarks
from abr.traceformats.columns import Columns, parse_columns
from abr.traceformats.profiles import profile

PREFIXES = ("profile:", "generate:")
"""Prefixes of names that are not files; ``./profile:x`` is a file."""

Asked: TypeAlias = str | Mapping[str, object] | Columns | None
"""Columns as ``abr.traceformats.columns`` takes them."""

DRAWN_S = 600.0
"""Default length of a drawn trace, seconds."""


def check_columns(columns: Asked, names: Iterable[object]) -> None:
    """Refuse columns that are not understood, or that none of these would be read by.

    Args:
        columns: As ``resolve`` takes them.
        names: What is read, as ``resolve`` takes it; a ``Trace`` is none.

    Raises:
        ConfigError: they are not understood, or nothing here is a file.
    """
    if columns is None:
        return
    asked = parse_columns(columns)
    given = [each for each in names if not isinstance(each, Trace)]
    if not any(not str(each).startswith(PREFIXES) for each in given):
        what = f"{given[0]} is none" if given else "none is given"
        raise ConfigError(f"columns {asked} say how a file is read, and {what}; leave them out")


def read_readings_file(
    path: str | os.PathLike[str],
    format: str | None = None,  # noqa: A002  # as in abr.traceformats
    *,
    columns: Asked = None,
) -> tuple[Reading, ...]:
    """Every trace of a file, with its format and remarks; see ``abr.traceformats``.

    A trace is named after the file, without its suffix, or by the file itself if its format
    can contain several traces.

    Raises:
        ArgumentError: no path.
        MissingFileError: there is no such file, or it cannot be read.
        TraceFormatError: it is not a trace, or not a usable one.
    """
    path = as_path(path, "read_readings_file(path=...)")
    try:
        data = path.read_bytes()
    except FileNotFoundError as exc:
        raise MissingFileError(f"{path}: no such file; expected a network trace") from exc
    except IsADirectoryError as exc:
        raise MissingFileError(f"{path}: a folder; expected a network trace") from exc
    except (OSError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else exc
        raise MissingFileError(f"{path}: cannot be read ({why}); expected a network trace") from exc
    found = read_readings(data, name=str(path), format=format, columns=columns)
    return tuple(
        replace(each, trace=each.trace.named(path.stem)) if each.trace.name == path.name else each
        for each in found
    )


def read_trace_file(
    path: str | os.PathLike[str],
    format: str | None = None,  # noqa: A002  # as in abr.traceformats
    *,
    columns: Asked = None,
    pick: str | None = None,
) -> Trace:
    """The only trace of a file, or the one selected by the name or number ``pick``.

    Raises:
        MissingFileError: as ``read_readings_file``.
        TraceFormatError: likewise; also if the file contains several and ``pick`` is None.
    """
    path = as_path(path, "read_trace_file(path=...)")
    readings = read_readings_file(path, format, columns=columns)
    return pick_reading(readings, name=str(path), pick=pick).trace


def resolve_readings(
    text: str,
    format: str | None = None,  # noqa: A002  # as in abr.traceformats
    *,
    columns: Asked = None,
) -> tuple[Reading, ...]:
    """Every trace that ``text`` names; see ``resolve``.

    Raises:
        InputError: as ``resolve``, except that a file may contain several traces.
    """
    expect(text, str, "resolve_readings(text=...)", "a file, profile:NAME or generate:..., as text")
    if text.startswith("profile:"):
        return (_reading(profile(text.removeprefix("profile:")), "profile"),)
    if text.startswith("generate:"):
        return (_reading(_draw(text), "generate"),)
    path, hash_, pick = text.rpartition("#")
    if hash_ and path and not Path(text).exists() and Path(path).exists():
        readings = read_readings_file(Path(path), format, columns=columns)
        return (pick_reading(readings, name=path, pick=pick),)
    return read_readings_file(Path(text), format, columns=columns)


def resolve(
    text: str,
    format: str | None = None,  # noqa: A002  # as in abr.traceformats
    *,
    columns: Asked = None,
) -> Reading:
    """The single trace that ``text`` names.

    Args:
        text: A file; ``FILE#NAME`` or ``FILE#NUMBER`` for one of several traces in it;
            ``profile:NAME``; ``generate:CLASS:SEED[:SECONDS]``.
        format: Format of the file; detected from its content if None.
        columns: Which columns of the file are what, if it is a table in no known format.

    Raises:
        MissingFileError: there is no such file.
        TraceFormatError: the file does not contain exactly one usable trace, or the profile
            is unknown.
        InputError: the ``generate:`` syntax is wrong, or the model is unknown.
    """
    return pick_reading(resolve_readings(text, format, columns=columns), name=text)


def resolve_trace(
    text: str,
    format: str | None = None,  # noqa: A002  # as in abr.traceformats
    *,
    columns: Asked = None,
) -> Trace:
    """Like ``resolve``, but return only the trace; an implausible unit is warned of.

    Raises:
        InputError: as ``resolve``.
    """
    reading = resolve(text, format, columns=columns)
    for doubt in find_set_doubts([reading]):
        warnings.warn(doubt, stacklevel=3)
    return reading.trace


def _reading(trace: Trace, called: str) -> Reading:
    return Reading(trace=trace, format=called, remarks=remarks(trace))


def _draw(text: str) -> Trace:
    from abr.files.models import find_model
    from abr.generators import generate

    parts = text.removeprefix("generate:").split(":")
    name, seed = (*parts, "")[:2]
    if len(parts) not in (2, 3) or not (seed.isdecimal() and seed.isascii() and len(seed) < 20):
        raise InputError(
            f"{text[:80]}: expected generate:CLASS:SEED[:SECONDS], such as "
            "generate:lte-driving:7:300; `abr traces list` names the classes"
        )
    seconds = parts[2] if len(parts) == 3 else f"{DRAWN_S:g}"
    try:
        duration_s = float(seconds)
    except ValueError:
        duration_s = math.nan
    if not 0 < duration_s < math.inf:
        raise InputError(f"{text[:80]}: length {seconds[:20]!r}; expected seconds above 0")
    try:
        return generate(find_model(name), seed=int(seed), duration_s=duration_s)
    except InputError:
        raise
    except ValueError as exc:
        raise InputError(f"{text[:80]}: {exc}") from exc
