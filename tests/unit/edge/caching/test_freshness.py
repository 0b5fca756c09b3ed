"""Freshness read from header fields; times from RFC 9111 worked out by hand."""

import pytest

from edge.caching.freshness import (
    CacheControl,
    assess,
    parse_age_s,
    parse_cache_control,
    uses,
)

NOON_S = 784111777.0  # Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("max-age=5", CacheControl(max_age_s=5)),
        ("public, max-age=31536000, immutable", CacheControl(public=True, max_age_s=31536000)),
        ("MAX-AGE=7", CacheControl(max_age_s=7)),
        ('max-age="7"', CacheControl(max_age_s=7)),
        ("max-age=9, max-age=3", CacheControl(max_age_s=3)),
        ("max-age=-1", CacheControl(max_age_s=0)),
        ("max-age=1.5", CacheControl(max_age_s=0)),
        ("max-age", CacheControl(max_age_s=0)),
        ("max-age=99999999999999999999", CacheControl(max_age_s=2**31)),
        ("s-maxage=4", CacheControl(s_maxage_s=4, must_revalidate=True)),
        ("no-store", CacheControl(no_store=True)),
        ('private="Set-Cookie", no-cache', CacheControl(private=True, no_cache=True)),
        ('x="a, max-age=5", no-store', CacheControl(no_store=True)),
        ("proxy-revalidate", CacheControl(must_revalidate=True)),
        ("stale-while-revalidate=8", CacheControl(stale_while_revalidate_s=8)),
        ("stale-if-error=8", CacheControl(stale_if_error_s=8)),
        (", ,;=, no-store", CacheControl(no_store=True)),
        ("", CacheControl()),
    ],
)
def test_cache_control_is_read_in_the_direction_of_less_caching(
    text: str, expected: CacheControl
) -> None:
    assert parse_cache_control([text]) == expected


def test_ages_that_cannot_be_read_are_zero_and_the_largest_counts() -> None:
    assert [parse_age_s(t) for t in ("5", "5, 9", "-3", "x", None)] == [5, 9, 0, 0, 0]


def freshness_of(**headers: str) -> tuple[float, float]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    control = parse_cache_control([named.get("cache-control", "")])
    found = assess(
        named, control, asked_s=NOON_S, arrived_s=NOON_S + 2, default_stale_if_error_s=60
    )
    return found.age_s, found.lifetime_s


def test_age_counts_the_wait_and_what_tiers_before_us_said() -> None:
    # Age 10 upstream and 2 s of waiting.
    assert freshness_of(age="10", cache_control="max-age=60") == (12.0, 60.0)


def test_age_is_at_least_the_time_since_the_date() -> None:
    early = "Sun, 06 Nov 1994 08:49:07 GMT"  # 32 s before the arrival
    assert freshness_of(date=early, cache_control="max-age=60") == (32.0, 60.0)


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
    found = assess({}, control, asked_s=0, arrived_s=0, default_stale_if_error_s=60)
    assert (found.stale_while_revalidate_s, found.stale_if_error_s) == (
        stale_while_revalidate_s,
        stale_if_error_s,
    )


@pytest.mark.parametrize(
    ("status", "headers", "length", "authorized", "store", "share"),
    [
        (200, {"cache-control": "max-age=5"}, 10, False, True, True),
        (200, {"etag": '"x"'}, 10, False, True, True),
        (200, {}, 10, False, False, True),
        (200, {"cache-control": "max-age=5"}, None, False, False, True),
        (200, {"cache-control": "max-age=5"}, 101, False, False, True),
        (206, {"cache-control": "max-age=5"}, 10, False, False, True),
        (404, {"cache-control": "max-age=5"}, 10, False, False, True),
        (200, {"cache-control": "max-age=5, private"}, 10, False, False, False),
        (200, {"cache-control": "no-store"}, 10, False, False, False),
        (200, {"cache-control": "max-age=5", "set-cookie": "a=b"}, 10, False, False, False),
        (200, {"cache-control": "max-age=5", "vary": "Cookie"}, 10, False, False, False),
        (200, {"cache-control": "max-age=5"}, 10, True, False, False),
        (200, {"cache-control": "max-age=5, public"}, 10, True, True, True),
    ],
)
def test_what_may_be_stored_and_shared(
    status: int,
    headers: dict[str, str],
    length: int | None,
    authorized: bool,
    store: bool,
    share: bool,
) -> None:
    control = parse_cache_control([headers.get("cache-control", "")])
    found = uses(
        status,
        headers,
        control,
        length_bytes=length,
        max_object_bytes=100,
        authorized=authorized,
    )
    assert (found.store, found.share) == (store, share)
