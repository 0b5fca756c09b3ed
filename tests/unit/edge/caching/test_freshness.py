"""Freshness read from header fields; times from RFC 9111 worked out by hand."""

import pytest

from edge.caching.directives import control_of, parse_cache_control
from edge.caching.freshness import Defaults, assess, parse_age_s

NOON_S = 784111777.0  # Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(
    ("text", "age_s"),
    [
        ("5", 5),
        ("5, 9", 5),
        ("9,5", 9),
        ("-3", 0),
        ("7200.0", 0),
        ("x", 0),
        ("x, 9", 0),
        (None, 0),
        ("0000000000007", 7),
        ("99999999999999", 2**31),
    ],
)
def test_an_age_is_the_first_number_and_what_cannot_be_read_is_zero(
    text: str | None, age_s: float
) -> None:
    assert parse_age_s(text) == age_s


def freshness_of(**headers: str) -> tuple[float, float]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    found = assess(named, control_of(named), asked_s=NOON_S, arrived_s=NOON_S + 2)
    return found.age_s, found.lifetime_s


def test_age_counts_the_wait_and_what_tiers_before_us_said() -> None:
    # Age 10 upstream and 2 s of waiting.
    assert freshness_of(age="10", cache_control="max-age=60") == (12.0, 60.0)


def test_a_clock_that_differs_from_the_origins_makes_nothing_older() -> None:
    early = "Sun, 06 Nov 1994 06:49:37 GMT"  # two hours and 2 s before the arrival
    assert freshness_of(date=early, cache_control="max-age=60") == (2.0, 60.0)
    later = "Sun, 06 Nov 1994 06:50:37 GMT"
    assert freshness_of(date=early, expires=later) == (2.0, 60.0)


def test_expires_counts_from_the_date_and_only_without_max_age() -> None:
    later = "Sun, 06 Nov 1994 08:50:37 GMT"
    assert freshness_of(date=DATE, expires=later)[1] == 60.0
    assert freshness_of(date=DATE, expires=later, cache_control="max-age=3")[1] == 3.0
    assert freshness_of(date=DATE, expires="0")[1] == 0.0


@pytest.mark.parametrize(
    "unreadable",
    [
        "Sun, 06 Nov 1994 10:50:37 +0200",  # the same instant, in a zone that HTTP has not
        "Sun, 06 Nov 1994 08:50:37",
        "6 Nov 1994 08:50:37 GMT",
        "yesterday",
    ],
)
def test_a_date_in_no_form_of_http_makes_nothing_fresh(unreadable: str) -> None:
    assert freshness_of(date=DATE, expires=unreadable)[1] == 0.0


def test_an_expiry_of_two_digits_is_at_most_fifty_years_ahead() -> None:
    """The response arrives in November 1994, so 69 is 1969 and 44 (December) is 1944."""
    assert freshness_of(date=DATE, expires="Thursday, 06-Nov-69 08:49:37 GMT")[1] == 0.0
    assert freshness_of(date=DATE, expires="Tuesday, 06-Dec-44 08:49:37 GMT")[1] == 0.0
    assert freshness_of(date=DATE, expires="Sunday, 06-Nov-94 08:50:37 GMT")[1] == 60.0


def test_the_shared_limit_beats_the_private_one() -> None:
    assert freshness_of(cache_control="max-age=60, s-maxage=7")[1] == 7.0
    assert freshness_of(cache_control="max-age=60, no-cache")[1] == 0.0


def test_nothing_said_is_stale_at_once() -> None:
    assert freshness_of(last_modified=DATE)[1] == 0.0


@pytest.mark.parametrize(
    ("status", "headers", "lifetime_s"),
    [
        (200, {"last-modified": "Sun, 06 Nov 1994 08:39:37 GMT"}, 60.0),  # 10 % of 600 s
        (200, {"last-modified": "Sun, 06 Nov 1904 08:39:37 GMT"}, 86400.0),
        (200, {"last-modified": "Sun, 06 Nov 2044 08:39:37 GMT"}, 0.0),
        (201, {"last-modified": "Sun, 06 Nov 1994 08:39:37 GMT"}, 0.0),
        (404, {}, 7.0),
        (404, {"cache-control": "max-age=3"}, 3.0),
        (410, {"cache-control": "no-cache"}, 0.0),
    ],
)
def test_freshness_is_guessed_only_where_that_is_asked_for(
    status: int, headers: dict[str, str], lifetime_s: float
) -> None:
    defaults = Defaults(heuristic_ratio=0.1, negative_ttl_s=7.0)
    found = assess(
        {"date": DATE, **headers},
        control_of(headers),
        asked_s=NOON_S,
        arrived_s=NOON_S,
        status=status,
        defaults=defaults,
    )
    assert found.lifetime_s == lifetime_s


@pytest.mark.parametrize(
    "expires", ["SUN, 06 Nov 1994 08:50:37 GMT", "Sun, 06 nov 1994 08:50:37 gMt"]
)
def test_a_cache_reads_dates_in_any_case(expires: str) -> None:
    assert freshness_of(date=DATE, expires=expires)[1] == 60.0


@pytest.mark.parametrize(
    ("text", "stale_while_revalidate_s", "stale_if_error_s"),
    [
        ("max-age=1", 0, 60),
        ("max-age=1, stale-if-error=5, stale-while-revalidate=3", 3, 5),
        ("max-age=1, must-revalidate, stale-while-revalidate=3", 0, 0),
        ("no-cache", 0, 0),
    ],
)
def test_how_long_a_stale_response_may_serve(
    text: str, stale_while_revalidate_s: int, stale_if_error_s: int
) -> None:
    control = parse_cache_control([text])
    defaults = Defaults(stale_if_error_s=60)
    found = assess({}, control, asked_s=0, arrived_s=0, defaults=defaults)
    assert (found.stale_while_revalidate_s, found.stale_if_error_s) == (
        stale_while_revalidate_s,
        stale_if_error_s,
    )
