"""Times in tables: numbers with a unit, or dates in the forms that published tables use."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import numpy as np

from abr.errors import TraceFormatError
from abr.media import FloatArray
from abr.traceformats.quantities import time_scale
from abr.traceformats.rows import Row, parse_numbers

_RACA = re.compile(r"(\d{4})\.(\d\d)\.(\d\d)_(\d\d)\.(\d\d)\.(\d\d)(\.\d+)?")
_CTIME = re.compile(
    r"(?:[A-Z][a-z]{2} )?([A-Z][a-z]{2}) +(\d+) (\d\d:\d\d:\d\d)(?: [A-Z]+)? (\d{4})"
)
_ISO = "%Y-%m-%d %H:%M:%S"
_CLOCK = re.compile(r"(\d+):([0-5]\d):([0-5]\d(?:\.\d+)?)")


def parse_stamps(rows: list[Row], column: int, name: str, unit: str) -> FloatArray:
    """Times of a column in seconds.

    Args:
        rows: Where they stand.
        column: Position of the column.
        name: Name of the file in error messages.
        unit: Unit of numbers; ``date`` for dates; empty for whichever there is.

    Raises:
        TraceFormatError: a field is no time; the message names its line.
    """
    scale = time_scale(unit or "s")
    if scale is not None and (unit or is_number(rows[0].fields[column])):
        times = parse_numbers(rows, column, name, "time", least=-np.inf)
        return np.asarray((times - times[0]) * scale)
    return np.array([_date(row, column, name) for row in rows])


def is_number(text: str) -> bool:
    """Whether ``text`` is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def is_stamp(text: str) -> bool:
    """Whether ``text`` is a number or a date."""
    return is_number(text) or _seconds(text) is not None


def _date(row: Row, column: int, name: str) -> float:
    seconds = _seconds(row.fields[column])
    if seconds is None:
        raise TraceFormatError(
            f"{name}:{row.line}: found time {row.fields[column][:40]!r}; expected a date like the "
            "first, or a number"
        )
    return seconds


def _seconds(text: str) -> float | None:
    try:
        if match := _CLOCK.fullmatch(text):
            hours, minutes, seconds = match.groups()
            return 3600.0 * int(hours) + 60.0 * int(minutes) + float(seconds)
        if match := _RACA.fullmatch(text):
            return _at(f"{'-'.join(match.groups()[:3])} {':'.join(match.groups()[3:6])}", _ISO) + (
                float(match[7] or 0)
            )
        if match := _CTIME.fullmatch(text):
            return _at(" ".join(match.groups()), "%b %d %H:%M:%S %Y")
        date = datetime.fromisoformat(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _at(text: str, form: str) -> float:
    return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
