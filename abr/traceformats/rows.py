"""Helpers for readers of text tables: rows with line numbers, checked numbers and times.

The numbers of a column are converted together; only if that fails is the offending line
searched for. So valid files are read fast, and errors name the line.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from abr.errors import TraceFormatError
from abr.media import FloatArray
from abr.trace import Trace

_COMMENT = re.compile(r"\s#.*")


class Assumed(NamedTuple):
    """Units that a file does not name, and how ``--columns`` would name others."""

    time: str
    rate: str
    time_column: str = "1"
    rate_column: str = "2"
    applies: str = "until"


class Found(NamedTuple):
    """A trace found by a reader, with the reader's notes."""

    trace: Trace
    notes: tuple[str, ...] = ()
    assumed: Assumed | None = None
    """None if the file names its units."""
    doubts: tuple[str, ...] = ()
    """What else is hardly plausible, and the option that reads it otherwise."""


class Row(NamedTuple):
    """The fields of one line."""

    line: int
    fields: list[str]


def numbered_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers from 1, without blank lines and ``#`` comments."""
    for number, line in enumerate(text.splitlines(), 1):
        if (line := line.strip()) and line[0] != "#":
            yield number, line


def without_comment(line: str) -> str:
    """A line of fields separated by white space, without a ``#`` comment at its end."""
    return _COMMENT.sub("", line)


def split_spaced_rows(text: str, name: str, columns: int, meaning: str) -> list[Row]:
    """Split text into rows of ``columns`` fields separated by white space.

    Blank lines and ``#`` comments are skipped.

    Raises:
        TraceFormatError: a row has a different number of fields.
    """
    lines = enumerate(map(str.split, text.splitlines()), 1)
    rows = [Row(line, fields) for line, fields in lines if fields and fields[0][0] != "#"]
    for line, fields in rows:
        if len(fields) != columns:
            raise TraceFormatError(
                f"{name}:{line}: found {len(fields)} column{'' if len(fields) == 1 else 's'}; "
                f"expected {columns}, {meaning}"
            )
    return rows


def plain_table(text: str, columns: int) -> FloatArray | None:
    """Parse a text that consists only of rows of ``columns`` finite numbers.

    Returns:
        Shape (rows, columns); None if the text contains anything else, so that the caller
        goes through it row by row.
    """
    if not text.strip() or not _is_plain(text):
        return None
    try:
        table = np.loadtxt(text.splitlines(), comments=None, ndmin=2)
    except ValueError:
        return None
    return table if table.shape[1] == columns and np.isfinite(table).all() else None


def split_comma_rows(text: str, name: str) -> list[Row]:
    """Split text into rows of comma-separated fields; see ``split_separated_rows``."""
    return split_separated_rows(text, name, ",")


def split_separated_rows(text: str, name: str, separator: str) -> list[Row]:
    """Split text into rows of stripped fields.

    Blank lines and ``#`` comments are skipped.

    Raises:
        TraceFormatError: the quotes are unbalanced.
    """
    if '"' not in text:
        return [
            Row(line, [field.strip() for field in row.split(separator)])
            for line, row in numbered_lines(text)
        ]
    reader = csv.reader(text.splitlines(), delimiter=separator)
    try:
        rows = [Row(reader.line_num, [field.strip() for field in fields]) for fields in reader]
    except csv.Error as exc:
        raise TraceFormatError(
            f"{name}:{reader.line_num}: broken quotes ({exc}); expected fields separated by "
            f"{separator!r}"
        ) from exc
    return [row for row in rows if any(row.fields) and not row.fields[0].startswith("#")]


def parse_number(
    text: str, where: str, what: str, *, least: float = 0.0, most: float = math.inf
) -> float:
    """Parse a finite number; error messages call it ``what`` at ``where``."""
    try:
        value = float(text) if _is_plain(text) else math.nan
    except ValueError:
        value = math.nan
    if not (least <= value <= most and math.isfinite(value)):
        bound = f" of {least:g} or more" if least > -math.inf else ""
        bound = f" from {least:g} to {most:g}" if most < math.inf else bound
        bound += ", with a decimal point" if "," in text else ""
        raise TraceFormatError(
            f"{where}: found {what} {text[:40]!r}; expected a finite number{bound}"
        )
    return value


def parse_numbers(
    rows: list[Row],
    column: int,
    name: str,
    what: str,
    *,
    least: float = 0.0,
    most: float = math.inf,
) -> FloatArray:
    """Parse the finite numbers of one column.

    Raises:
        TraceFormatError: a field is not a number or out of range; the message names its line.
    """
    texts = [fields[column] for _, fields in rows]
    if _is_plain("".join(texts)):
        try:
            values = np.array(list(map(float, texts)), dtype=np.float64)
        except ValueError:
            pass
        else:
            if np.all((values >= least) & (values <= most) & np.isfinite(values)):
                return values
    return np.array(
        [
            parse_number(text, f"{name}:{row.line}", what, least=least, most=most)
            for row, text in zip(rows, texts, strict=True)
        ]
    )


def parse_times(rows: list[Row], column: int, name: str, unit: str) -> FloatArray:
    """Parse the times of one column.

    Raises:
        TraceFormatError: one is not a number, or is earlier than the one before it.
    """
    times = parse_numbers(rows, column, name, "time", least=-math.inf)
    check_times(times, [row.line for row in rows], name, unit)
    return times


def check_times(times: FloatArray, lines: list[int], name: str, unit: str) -> None:
    """Check that times do not decrease.

    Raises:
        TraceFormatError: a time is earlier than the one before it; the message names its line.
    """
    for k in np.flatnonzero(np.diff(times) < 0)[:1]:
        raise TraceFormatError(
            f"{name}:{lines[k + 1]}: time {times[k + 1]:g} {unit} comes after {times[k]:g} {unit}; "
            "times must not decrease"
        )


def require_two_rows(rows: list[Row], name: str) -> None:
    """Check that a table has two rows, so that the trace has a length.

    Raises:
        TraceFormatError: there are fewer than two rows.
    """
    if len(rows) < 2:
        raise TraceFormatError(
            f"{name}:{rows[0].line if rows else 1}: found {len(rows)} row{'' if rows else 's'}; "
            "expected two or more, as one row has no length"
        )


def rebase_note(first: float, unit: str) -> tuple[str, ...]:
    """A note about times that do not start at 0; empty if ``first`` is 0."""
    return () if first == 0 else (f"times start at {first:g} {unit}, which becomes 0",)


def join_periods(durations: FloatArray, rates: FloatArray, name: str) -> Trace:
    """Join periods into a looping trace; adjacent periods of equal rate are merged."""
    bounds = np.concatenate([[0.0], np.cumsum(durations)])
    keep = np.concatenate([[True], np.diff(rates) != 0, [True]])
    return Trace(times_s=bounds[keep], capacity_bps=rates[keep[:-1]], name=name)


def format_exactly(value: float, unit: float) -> str:
    """Format ``value`` in units of ``unit`` so that it reads back exactly, if that is possible."""
    near = value / unit
    for digits in (near, math.nextafter(near, math.inf), math.nextafter(near, -math.inf)):
        if digits * unit == value:
            near = digits
            break
    return repr(int(near)) if near == int(near) and abs(near) < 1e15 else repr(near)


def _is_plain(text: str) -> bool:
    # float() accepts 1_000 and digits of other scripts; trace files contain neither.
    return "_" not in text and text.isascii()
