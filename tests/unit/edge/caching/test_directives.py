"""Cache directives as fields spell them."""

import pytest

from edge.caching.directives import (
    CacheControl,
    RequestControl,
    control_of,
    parse_cache_control,
    parse_request_control,
    parse_targeted,
)


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
        (
            'private="Set-Cookie", no-cache',
            CacheControl(private_fields=frozenset({"set-cookie"}), no_cache=True),
        ),
        ('no-cache="A, b"', CacheControl(no_cache_fields=frozenset({"a", "b"}))),
        ('no-cache, no-cache="a"', CacheControl(no_cache=True)),
        ('no-cache="a", no-cache', CacheControl(no_cache=True)),
        ("max-age =5", CacheControl(max_age_s=0)),
        ("max-age= 5", CacheControl(max_age_s=0)),
        ("max-age='5'", CacheControl(max_age_s=0)),
        ("max-age=00000000000000005", CacheControl(max_age_s=5)),
        ("no-store, must-understand", CacheControl(no_store=True, must_understand=True)),
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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("max-age=60", CacheControl(max_age_s=60, is_targeted=True)),
        ("foobar, max-age=60;x=1", CacheControl(max_age_s=60, is_targeted=True)),
        ("max-age=99999999999", CacheControl(max_age_s=2**31, is_targeted=True)),
        ("no-store", CacheControl(no_store=True, is_targeted=True)),
        ("no-store=?0", CacheControl(is_targeted=True)),
        ("private", CacheControl(private=True, is_targeted=True)),
        ("", None),
        ("max-age=60, &&&&", None),
        ('max-age="60"', None),
        ("max-age=?1", None),
        ("max-age=6.5", None),
        ("max-age= 60", None),
        ("MaX-aGe=60", None),
        ("max-age=60, x=\u20ac", None),
    ],
)
def test_a_targeted_field_is_a_structured_field_or_ignored(
    text: str, expected: CacheControl | None
) -> None:
    assert parse_targeted(text) == expected


def test_a_targeted_field_replaces_the_others() -> None:
    both = {"cdn-cache-control": "max-age=9", "cache-control": "no-store, max-age=1"}
    assert control_of(both) == CacheControl(max_age_s=9, is_targeted=True)
    broken = {"cdn-cache-control": "max-age=", "cache-control": "no-store"}
    assert control_of(broken) == CacheControl(no_store=True)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, RequestControl()),
        ({"cache-control": "max-age=5, min-fresh=3"}, RequestControl(max_age_s=5, min_fresh_s=3)),
        ({"cache-control": "max-stale"}, RequestControl(max_stale_s=float("inf"))),
        ({"cache-control": "max-stale=7"}, RequestControl(max_stale_s=7)),
        ({"cache-control": "max-age=x, max-stale=x"}, RequestControl()),
        ({"cache-control": "No-Cache"}, RequestControl(no_cache=True)),
        ({"cache-control": "no-store"}, RequestControl(no_store=True)),
        ({"cache-control": "only-if-cached"}, RequestControl(only_if_cached=True)),
        ({"pragma": "x, No-Cache"}, RequestControl(no_cache=True)),
        ({"pragma": "no-cache", "cache-control": "x"}, RequestControl()),
    ],
)
def test_what_a_request_asks_of_caches(headers: dict[str, str], expected: RequestControl) -> None:
    assert parse_request_control(headers) == expected
