"""Traces as a command line names them: files on disk, profiles, draws from a model."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from abr.errors import InputError, MissingFileError
from abr.trace import Trace
from abr.traceformats import Reading, pick_reading, read_readings, remarks
from abr.traceformats.profiles import profile

PREFIXES = ("profile:", "generate:")
"""Beginnings of names that mean no file; ``./profile:x`` is a file again."""

DRAWN_S = 600.0
"""Length of a drawn trace when none is given, seconds."""


def read_readings_file(
    path: Path,
    format: str | None = None,  # noqa: A002  # as in abr.traceformats
) -> tuple[Reading, ...]:
    """Every trace of a file, with its format and remarks; see ``abr.traceformats``.

    A trace is called after the file, without its suffix, or by the name the file gives it
    when its format holds several.

    Raises:
        MissingFileError: there is no such file, or it cannot be read.
        TraceFormatError: it is no trace, or one nothing can be played over.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as exc:
        raise MissingFileError(f"{path}: no such file; expected a network trace") from exc
    except IsADirectoryError as exc:
        raise MissingFileError(f"{path}: a folder; expected a network trace") from exc
    except OSError as exc:
        raise MissingFileError(
            f"{path}: cannot be read ({exc.strerror}); expected a network trace"
        ) from exc
    found = read_readings(data, name=str(path), format=format)
    return tuple(
        replace(each, trace=each.trace.named(path.stem)) if each.trace.name == path.name else each
        for each in found
    )


def read_trace_file(
    path: Path,
    format: str | None = None,  # noqa: A002  # as in abr.traceformats
    *,
    pick: str | None = None,
) -> Trace:
    """The one trace of a file, or the one called ``pick`` by name or number.

    Raises:
        MissingFileError: as ``read_readings_file``.
        TraceFormatError: as there; also when the file holds several and none was picked.
    """
    return pick_reading(read_readings_file(path, format), name=str(path), pick=pick).trace


def resolve_readings(
    text: str,
    format: str | None = None,  # noqa: A002  # as in abr.traceformats
) -> tuple[Reading, ...]:
    """Every trace that ``text`` means; see ``resolve``.

    Raises:
        InputError: as ``resolve``, but a file may hold several traces.
    """
    if text.startswith("profile:"):
        return (_reading(profile(text.removeprefix("profile:")), "profile"),)
    if text.startswith("generate:"):
        return (_reading(_draw(text), "generate"),)
    path, hash_, pick = text.rpartition("#")
    if hash_ and path and not Path(text).exists() and Path(path).exists():
        return (pick_reading(read_readings_file(Path(path), format), name=path, pick=pick),)
    return read_readings_file(Path(text), format)


def resolve(
    text: str,
    format: str | None = None,  # noqa: A002  # as in abr.traceformats
) -> Reading:
    """The one trace that ``text`` means.

    Args:
        text: A file; ``FILE#NAME`` or ``FILE#NUMBER`` for one of several in it;
            ``profile:NAME``; ``generate:CLASS:SEED[:SECONDS]``.
        format: Of the file; found out from its content when None.

    Raises:
        MissingFileError: there is no such file.
        TraceFormatError: the file holds no usable trace, or several; an unknown profile.
        InputError: a draw that is not asked for properly, from an unknown model.
    """
    return pick_reading(resolve_readings(text, format), name=text)


def resolve_trace(
    text: str,
    format: str | None = None,  # noqa: A002  # as in abr.traceformats
) -> Trace:
    """The trace alone; see ``resolve``.

    Raises:
        InputError: as ``resolve``.
    """
    return resolve(text, format).trace


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
