"""What the readers of text tables share: rows with line numbers, checked numbers, times.

Numbers of a column are converted together; only when that fails is the offending
line looked for, so that errors name it and good files are read fast.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from abr.errors import TraceFormatError
from abr.media import FloatArray
from abr.trace import Trace


class Found(NamedTuple):
    """A trace as a reader found it, and what it has to say about that."""

    trace: Trace
    notes: tuple[str, ...] = ()


class Row(NamedTuple):
    """The fields of one line."""

    line: int
    fields: list[str]


def numbered_lines(text: str) -> Iterator[tuple[int, str]]:
    """Numbered lines, from 1, without blanks and ``#`` comments."""
    for number, line in enumerate(text.splitlines(), 1):
        if (line := line.strip()) and line[0] != "#":
            yield number, line


def split_spaced_rows(text: str, name: str, columns: int, meaning: str) -> list[Row]:
    """Rows of ``columns`` fields with blanks between them, without ``#`` comments.

    Raises:
        TraceFormatError: a row has another number of fields.
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
    """All numbers of a text of nothing but rows of ``columns`` finite numbers, in one go.

    Returns:
        Shape (rows, columns). None when anything else is in the text, for the caller to go
        through it row by row and to find out what.
    """
    if not text.strip() or not _is_plain(text):
        return None
    try:
        table = np.loadtxt(text.splitlines(), comments=None, ndmin=2)
    except ValueError:
        return None
    return table if table.shape[1] == columns and np.isfinite(table).all() else None


def split_comma_rows(text: str, name: str) -> list[Row]:
    """Rows of comma-separated fields, stripped, without blank lines and ``#`` comments.

    Raises:
        TraceFormatError: quotes that cannot be resolved.
    """
    if '"' not in text:
        return [
            Row(line, [field.strip() for field in row.split(",")])
            for line, row in numbered_lines(text)
        ]
    reader = csv.reader(text.splitlines())
    try:
        rows = [Row(reader.line_num, [field.strip() for field in fields]) for fields in reader]
    except csv.Error as exc:
        raise TraceFormatError(
            f"{name}:{reader.line_num}: broken quotes ({exc}); expected comma-separated fields"
        ) from exc
    return [row for row in rows if any(row.fields) and not row.fields[0].startswith("#")]


def parse_number(
    text: str, where: str, what: str, *, least: float = 0.0, most: float = math.inf
) -> float:
    """The finite number in ``text``; errors call it ``what`` at ``where``."""
    try:
        value = float(text) if _is_plain(text) else math.nan
    except ValueError:
        value = math.nan
    if not (least <= value <= most and math.isfinite(value)):
        bound = f" of {least:g} or more" if least > -math.inf else ""
        bound = f" from {least:g} to {most:g}" if most < math.inf else bound
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
    """The finite numbers of one column.

    Raises:
        TraceFormatError: a field is none, or out of range; it is named with its line.
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
    """The times of one column, as written.

    Raises:
        TraceFormatError: one is no number, or comes before the one above it.
    """
    times = parse_numbers(rows, column, name, "time", least=-math.inf)
    check_times(times, [row.line for row in rows], name, unit)
    return times


def check_times(times: FloatArray, lines: list[int], name: str, unit: str) -> None:
    """Refuse times that decrease, naming the line.

    Raises:
        TraceFormatError: a time is before the one above it.
    """
    for k in np.flatnonzero(np.diff(times) < 0)[:1]:
        raise TraceFormatError(
            f"{name}:{lines[k + 1]}: time {times[k + 1]:g} {unit} comes after {times[k]:g} {unit}; "
            "times must not decrease"
        )


def require_two_rows(rows: list[Row], name: str) -> None:
    """Refuse a table that has no length.

    Raises:
        TraceFormatError: fewer than two rows.
    """
    if len(rows) < 2:
        raise TraceFormatError(
            f"{name}:{rows[0].line if rows else 1}: found {len(rows)} row{'' if rows else 's'}; "
            "expected two or more, as one row has no length"
        )


def rebase_note(first: float, unit: str) -> tuple[str, ...]:
    """What to say of a table whose times start at ``first``."""
    return () if first == 0 else (f"times start at {first:g} {unit}: counted from there",)


def join_periods(durations: FloatArray, rates: FloatArray, name: str) -> Trace:
    """A looping trace of periods, neighbours of equal rate made one."""
    bounds = np.concatenate([[0.0], np.cumsum(durations)])
    keep = np.concatenate([[True], np.diff(rates) != 0, [True]])
    return Trace(times_s=bounds[keep], capacity_bps=rates[keep[:-1]], name=name)


def format_exactly(value: float, unit: float) -> str:
    """``value`` in ``unit``s, in digits that read back as exactly ``value`` if any do."""
    near = value / unit
    for digits in (near, math.nextafter(near, math.inf), math.nextafter(near, -math.inf)):
        if digits * unit == value:
            near = digits
            break
    return repr(int(near)) if near == int(near) and abs(near) < 1e15 else repr(near)


def _is_plain(text: str) -> bool:
    # Python reads 1_000 and digits of other scripts as numbers; trace files hold neither.
    return "_" not in text and text.isascii()
