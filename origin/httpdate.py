"""HTTP dates ⇄ Unix seconds, whatever the locale: the one parser of every tier.

Writes the preferred form (IMF-fixdate) only and reads all three; anything else, a numeric
zone such as ``+0200`` included, is no date. ``email.utils`` is not used because it accepts
far more than HTTP does, and a date that two tiers read differently makes a cached response
fresh in one of them only.

Source: RFC 9110 §5.6.7.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAY = rf"(?:{'|'.join(day[:3] for day in _DAYS)})"
_LONG_DAY = rf"(?:{'|'.join(_DAYS)})"
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})"
_CLOCK = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
# RFC 9110 §5.6.7: names are case-sensitive, and each form has exactly these spaces.
_FORMS = (
    re.compile(rf"{_DAY}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_CLOCK} GMT"),
    re.compile(rf"{_LONG_DAY}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_CLOCK} GMT"),
    re.compile(rf"{_DAY} {_MONTH} (?P<day>[ 0-9][0-9]) {_CLOCK} (?P<year>[0-9]{{4}})"),
)


def http_date(unix_s: int) -> str:
    """``unix_s`` as ``Tue, 15 Nov 1994 08:12:31 GMT``."""
    at = datetime.fromtimestamp(unix_s, UTC)
    day, month = _DAYS[at.weekday()][:3], _MONTHS[at.month - 1]
    return f"{day}, {at.day:02} {month} {at.year:04} {at:%H:%M:%S} GMT"


def parse_http_date(text: str | None, *, now_s: float, any_case: bool = False) -> int | None:
    """Unix seconds of an HTTP date in any of the three forms; None when it is no date.

    Args:
        text: Value of a header field; None or empty when there is no such field.
        now_s: Unix time, which decides the century of a year of two digits.
        any_case: Accept names in any case, as RFC 9111 §4.2 asks of caches.
    """
    text = (text or "").strip(" \t")
    if any_case:
        # Every name of a day, a month or a zone begins with its only capital letter.
        text = re.sub(r"[A-Za-z]+", lambda word: _spelled(word[0]), text)
    for form in _FORMS:
        match = form.fullmatch(text)
        if match is not None:
            return _unix_s(match.groupdict(), now_s)
    return None


def _spelled(word: str) -> str:
    return "GMT" if word.upper() == "GMT" else word.capitalize()


def _unix_s(parts: dict[str, str], now_s: float) -> int | None:
    day, hour, minute, second = (int(parts[name]) for name in ("day", "hour", "minute", "second"))
    month = _MONTHS.index(parts["month"]) + 1
    # The grammar permits a leap second, 23:59:60; ``datetime`` does not.
    leap = int((hour, minute, second) == (23, 59, 60))
    clock = (month, day, hour, minute, second - leap)
    year = int(parts["year"])
    if len(parts["year"]) == 2:
        year = _full_year(year, clock, datetime.fromtimestamp(now_s, UTC))
    try:
        at = datetime(year, *clock, tzinfo=UTC)
    except ValueError:
        return None
    return int(at.timestamp()) + leap


def _full_year(two_digits: int, clock: tuple[int, ...], now: datetime) -> int:
    """The latest year with these digits in which ``clock`` is at most 50 years ahead.

    RFC 9110 §5.6.7: a date that appears to be more than 50 years in the future is in the past.
    """
    latest = (now.year + 50, now.month, now.day, now.hour, now.minute, now.second)
    year = latest[0] - (latest[0] - two_digits) % 100
    return year if (year, *clock) <= latest else year - 100
