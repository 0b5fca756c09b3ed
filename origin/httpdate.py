"""HTTP dates ⇄ Unix seconds, whatever the locale.

Source: RFC 9110 §5.6.7. We write the first form only and read all three.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_CLOCK = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})"
_FORMS = (
    re.compile(rf"[A-Z][a-z]{{2}}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_CLOCK} GMT"),
    re.compile(rf"[A-Z][a-z]+, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_CLOCK} GMT"),
    re.compile(rf"[A-Z][a-z]{{2}} {_MONTH} (?P<day>[ 0-9][0-9]) {_CLOCK} (?P<year>[0-9]{{4}})"),
)


def http_date(unix_s: int) -> str:
    """``unix_s`` as ``Tue, 15 Nov 1994 08:12:31 GMT``."""
    at = datetime.fromtimestamp(unix_s, UTC)
    day, month = _DAYS[at.weekday()], _MONTHS[at.month - 1]
    return f"{day}, {at.day:02} {month} {at.year:04} {at:%H:%M:%S} GMT"


def parse_http_date(text: str) -> int | None:
    """Unix seconds of an HTTP date in any of the three forms; None when it is none.

    A year of two digits is read as 1970 to 2069: which one is meant depends on the
    clock, which this module has not got.
    """
    text = text.strip(" \t")
    for form in _FORMS:
        match = form.fullmatch(text)
        if match is not None:
            return _unix_s(match.groupdict())
    return None


def _unix_s(parts: dict[str, str]) -> int | None:
    year = int(parts["year"])
    if len(parts["year"]) == 2:
        year += 1900 if year >= 70 else 2000
    month = _MONTHS.index(parts["month"]) + 1
    hour, minute, second = (int(parts[name]) for name in ("hour", "minute", "second"))
    try:
        at = datetime(year, month, int(parts["day"]), hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return int(at.timestamp())
