"""Times in tables: numbers with a unit, or dates in the forms that tables use.

Only differences of times matter. So a day and a month that may be taken for each other are no
question as long as both readings give the same differences.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import numpy as np

from abr.errors import TraceFormatError
from abr.media import FloatArray
from abr.traceformats.numerals import is_numeric
from abr.traceformats.quantities import time_scale
from abr.traceformats.rows import Row, parse_numbers

_RACA = re.compile(r"(\d{4})\.(\d\d)\.(\d\d)_(\d\d)\.(\d\d)\.(\d\d)(\.\d+)?")
_CTIME = re.compile(
    r"(?:[A-Z][a-z]{2} )?([A-Z][a-z]{2}) +(\d+) (\d\d:\d\d:\d\d)(?: [A-Z]+)? (\d{4})"
)
_ISO = "%Y-%m-%d %H:%M:%S"
_CLOCK = re.compile(r"(\d+):([0-5]\d):([0-5]\d(?:[.,]\d+)?)(?: ?([AaPp])[Mm])?")
_MINUTES = re.compile(r"(\d\d?:[0-5]\d)( ?[AaPp][Mm])?")
_YEAR_LAST = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})[ T,_]+(\d.+)")
_YEAR_FIRST = re.compile(r"(\d{4})([./])(\d{1,2})\2(\d{1,2})[ T,_]+(\d.+)")
_DAY_S, _NIGHT_S = 86400.0, 82800.0


def parse_stamps(rows: list[Row], column: int, name: str, unit: str) -> FloatArray:
    """Times of a column in seconds; those of a clock without dates go on after midnight.

    Args:
        rows: Where they stand.
        column: Position of the column.
        name: Name of the file in error messages.
        unit: Unit of numbers; ``date`` for dates, ``dmy`` or ``mdy`` where day and month may be
            taken for each other; empty for whichever there is.

    Raises:
        TraceFormatError: a field is no time, or nothing tells day from month; the message names
            its line.
    """
    scale = time_scale(unit or "s")
    if scale is not None and (unit or is_number(rows[0].fields[column])):
        times = parse_numbers(rows, column, name, "time", least=-np.inf)
        return np.asarray((times - times[0]) * scale)
    texts = [row.fields[column] for row in rows]
    if all(map(_YEAR_LAST.fullmatch, texts)):
        return _year_last(rows, column, name, unit)
    times = np.array([_date(row, column, name) for row in rows])
    return _past_midnight(times) if all(map(_CLOCK.fullmatch, texts)) else times


def is_number(text: str) -> bool:
    """Whether ``text`` is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def is_stamp(text: str) -> bool:
    """Whether ``text`` is a number, in whatever notation, or a date."""
    is_date = _seconds(text) is not None or _YEAR_LAST.fullmatch(text) is not None
    return is_date or is_numeric(text)


def _past_midnight(times_s: FloatArray) -> FloatArray:
    """Times of a clock that starts again at midnight, as times that do not."""
    nights = np.concatenate([[0], np.cumsum(np.diff(times_s) <= -_NIGHT_S)])
    return np.asarray(times_s + nights * _DAY_S)


def _year_last(rows: list[Row], column: int, name: str, unit: str) -> FloatArray:
    """Times of dates such as ``31.01.2024 10:00:00`` or ``1/31/2024 10:00:00 PM``."""
    is_dotted = all(_parts(row, column)[1] == "." for row in rows)
    orders = (unit,) if unit in ("dmy", "mdy") else ("dmy",) if is_dotted else ("dmy", "mdy")
    read = [_in_order(rows, column, order) for order in orders]
    found = [times for times in read if times is not None]
    if not found:
        wrong = next((row for row in rows if _in_order([row], column, orders[0]) is None), rows[0])
        raise _no_time(wrong, column, name)
    for k in np.flatnonzero(np.diff(found[0]) != np.diff(found[-1]))[:1]:
        raise TraceFormatError(
            f"{name}:{rows[k + 1].line}: found date {rows[k + 1].fields[column][:40]!r}; nothing "
            "tells day from month: say which comes first, time=COLUMN:dmy or time=COLUMN:mdy"
        )
    return found[0]


def _in_order(rows: list[Row], column: int, order: str) -> FloatArray | None:
    """Times of dates with the year last; None if one of them has no such month, day or time."""
    times = np.empty(len(rows))
    for k, row in enumerate(rows):
        one, _, other, year, clock = _parts(row, column)
        day, month = (one, other) if order == "dmy" else (other, one)
        seconds = _on_day(year, month, day, clock)
        if seconds is None:
            return None
        times[k] = seconds
    return times


def _parts(row: Row, column: int) -> tuple[str, ...]:
    match = _YEAR_LAST.fullmatch(row.fields[column])
    assert match is not None
    return match.groups()


def _on_day(year: str, month: str, day: str, clock: str) -> float | None:
    if minutes := _MINUTES.fullmatch(clock):
        clock = f"{minutes[1]}:00{minutes[2] or ''}"
    since_s = _clock_s(clock)
    try:
        return None if since_s is None else _at(f"{year}-{month}-{day} 0:0:0", _ISO) + since_s
    except ValueError:
        return None


def _clock_s(text: str) -> float | None:
    match = _CLOCK.fullmatch(text)
    if match is None:
        return None
    hours, half = int(match[1]), (match[4] or "").lower()
    if half and not 1 <= hours <= 12:
        return None
    if half:
        hours = hours % 12 + 12 * (half == "p")
    return 3600.0 * hours + 60.0 * int(match[2]) + float(match[3].replace(",", "."))


def _date(row: Row, column: int, name: str) -> float:
    seconds = _seconds(row.fields[column])
    if seconds is None:
        raise _no_time(row, column, name)
    return seconds


def _no_time(row: Row, column: int, name: str) -> TraceFormatError:
    return TraceFormatError(
        f"{name}:{row.line}: found time {row.fields[column][:40]!r}; expected a number, or a date "
        "like the first, such as 2024-01-31 10:00:00 or 31.01.2024 10:00:00"
    )


def _seconds(text: str) -> float | None:
    try:
        if _CLOCK.fullmatch(text):
            return _clock_s(text)
        if match := _RACA.fullmatch(text):
            return _at(f"{'-'.join(match.groups()[:3])} {':'.join(match.groups()[3:6])}", _ISO) + (
                float(match[7] or 0)
            )
        if match := _CTIME.fullmatch(text):
            return _at(" ".join(match.groups()), "%b %d %H:%M:%S %Y")
        if match := _YEAR_FIRST.fullmatch(text):
            return _on_day(match[1], match[3], match[4], match[5])
        date = datetime.fromisoformat(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _at(text: str, form: str) -> float:
    return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
