"""HTTP dates: the three forms of RFC 9110 §5.6.7, and nothing else."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.httpdate import http_date, parse_http_date

EXAMPLE_S = 784111777
"""Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110."""
NOW_S = 1796083200.0
"""Tue, 01 Dec 2026 00:00:00 GMT."""


@given(st.integers(0, 4_000_000_000))
def test_dates_print_as_the_standard_library_does_and_parse_again(unix_s: int) -> None:
    """Two independent writers agree; our reader undoes them."""
    assert http_date(unix_s) == formatdate(unix_s, usegmt=True)
    assert parse_http_date(http_date(unix_s), now_s=NOW_S) == unix_s


@pytest.mark.parametrize(
    ("text", "unix_s"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", EXAMPLE_S),
        ("Sunday, 06-Nov-94 08:49:37 GMT", EXAMPLE_S),
        ("Sun Nov  6 08:49:37 1994", EXAMPLE_S),
        (" \tSun, 06 Nov 1994 08:49:37 GMT ", EXAMPLE_S),
        ("Sat, 31 Dec 2016 23:59:60 GMT", 1483228800),  # the leap second before 2017
        ("Sat, 31 Dec 2016 22:59:60 GMT", None),
        ("Sun, 06 Nov 1994 10:49:37 +0200", None),
        ("Sun, 06 Nov 1994 08:49:37 UTC", None),
        ("Sun, 06 Nov 1994 08:49:37", None),
        ("sun, 06 nov 1994 08:49:37 gmt", None),
        ("Xyz, 06 Nov 1994 08:49:37 GMT", None),
        ("Sun, 06-Nov-94 08:49:37 GMT", None),
        ("Sun, 31 Feb 1994 08:49:37 GMT", None),
        ("Sun, 06 Nov 0000 08:49:37 GMT", None),
        ("Sun, 06 Nov 1994 25:49:37 GMT", None),
        ("Sun, 6 Nov 1994 08:49:37 GMT", None),
        ("Sun, 06 Nov 94 08:49:37 GMT", None),
        ("784111777", None),
        ("0", None),
        ("", None),
        (None, None),
    ],
)
def test_all_three_forms_of_a_date_are_read(text: str | None, unix_s: int | None) -> None:
    """The examples of RFC 9110 §5.6.7, and what is none of them."""
    assert parse_http_date(text, now_s=NOW_S) == unix_s


@pytest.mark.parametrize(
    ("two_digits", "expected"),
    [
        ("Tuesday, 01-Dec-26 00:00:00 GMT", "Tue, 01 Dec 2026 00:00:00 GMT"),
        ("Friday, 01-Nov-69 00:00:00 GMT", "Fri, 01 Nov 2069 00:00:00 GMT"),
        ("Tuesday, 01-Dec-76 00:00:00 GMT", "Tue, 01 Dec 2076 00:00:00 GMT"),  # 50 years ahead
        ("Wednesday, 01-Dec-76 00:00:01 GMT", "Wed, 01 Dec 1976 00:00:01 GMT"),  # and a second
        ("Thursday, 01-Dec-77 00:00:00 GMT", "Thu, 01 Dec 1977 00:00:00 GMT"),
        ("Saturday, 29-Feb-76 00:00:00 GMT", "Sat, 29 Feb 2076 00:00:00 GMT"),
    ],
)
def test_a_year_of_two_digits_is_at_most_fifty_years_ahead(two_digits: str, expected: str) -> None:
    """Read on 1 December 2026."""
    assert http_date(parse_http_date(two_digits, now_s=NOW_S) or 0) == expected


def test_the_century_follows_the_clock() -> None:
    """The same text, read in 1994 and in 2026, is a hundred years apart."""
    text = "Friday, 01-Nov-69 00:00:00 GMT"
    years = [http_date(parse_http_date(text, now_s=now_s) or 0)[12:16] for now_s in (1e9, NOW_S)]
    assert years == ["1969", "2069"]


@given(st.text(max_size=60))
def test_random_text_as_a_date_raises_nothing(text: str) -> None:
    """A date is a number or None."""
    assert parse_http_date(text, now_s=NOW_S) is None or text
