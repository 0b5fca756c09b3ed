"""Normal URIs, patterns that nobody knows, and hashes."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.tokens.limits import Addresses, UriHash, UriPattern, network_of, uri_of
from origin.tokens.matching import (
    MAX_PATTERN_CHARS,
    MatchError,
    checked_hash,
    compile_pattern,
    compile_wildcards,
    hash_fits,
    hash_of,
    normal_uri,
)
from origin.tokens.permission import Asked

EXAMPLE = "[^:]*\\://[^/]*/folder/content/quality_[^/]*/segment.{3}\\.mp4(\\?.*)?"
"""Of the kind that RFC 9246 shows for ``regex:``."""
ASKED = Asked(title="film", path="v0/1.m4s", scheme="http", authority="CDN.example:80")


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("HTTP://CDN.Example:80/a/./b/../%7efoo%2fx?Q=%7e", "http://cdn.example/a/~foo%2Fx?Q=~"),
        ("https://h:443", "https://h/"),
        ("http://h:8080/a/..", "http://h:8080/"),
        ("http://h/a/b/.", "http://h/a/b/"),
        ("http://h/../../x", "http://h/x"),
        ("http://h:443/x", "http://h:443/x"),
        ("http://[2001:DB8::1]:80/x#top", "http://[2001:db8::1]/x"),
        ("http://h?q", "http://h/?q"),
    ],
)
def test_uris_have_one_normal_form(uri: str, expected: str) -> None:
    assert normal_uri(uri) == expected
    assert normal_uri(expected) == expected


@pytest.mark.parametrize(
    "uri", ["/path", "ftp://h/", "http:///x", "http://u@h/", "http://h/%2", ""]
)
def test_what_is_no_absolute_uri_is_refused(uri: str) -> None:
    with pytest.raises(MatchError):
        normal_uri(uri)


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        (EXAMPLE, "http://h/folder/content/quality_hi/segment001.mp4", True),
        (EXAMPLE, "http://h/folder/content/quality_hi/segment001.mp4?a=b", True),
        (EXAMPLE, "http://h/folder/content/quality_hi/segment01.mp4", False),
        (EXAMPLE, "http://h/other?http://h/folder/content/quality_hi/segment001.mp4", False),
        ("http://h/film", "http://h/film/more", False),
        ("http://h/[[:alpha:]]+", "http://h/film", True),
        ("a|b", "ab", False),
        ("(?i)HTTP://H/.*", "http://h/", True),
        ("", "", True),
        ("", "x", False),
    ],
)
def test_a_pattern_must_fit_the_whole_text(pattern: str, text: str, fits: bool) -> None:
    assert compile_pattern(pattern).fits(text) is fits


@pytest.mark.parametrize(
    "pattern",
    [
        "(a)\\1",
        "(?=a)b",
        "[a-z",
        "a{1001}",
        "(.?){1000}",
        "((a{1,30}){1,30}){1,30}",
        "((.{0,15}){0,15})+",
        "x" * (MAX_PATTERN_CHARS + 1),
        "caf\u00e9",
        "a\x00b",
        "(?P<a",
    ],
)
def test_patterns_that_could_take_long_are_refused(pattern: str) -> None:
    with pytest.raises(MatchError):
        compile_pattern(pattern)


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|aa)+b", "(.*a){20}b", "([a-z]+)*!", "(x+x+)+y"])
def test_patterns_that_stop_other_engines_for_years_take_no_time(pattern: str) -> None:
    """Processor time, not wall time; a backtracking engine needs more than 2 ** 1000 steps."""
    fits = compile_pattern(pattern).fits
    began_s = time.process_time()
    assert not fits("a" * 8000)
    assert not fits("x" * 8000)
    assert time.process_time() - began_s < 2.0


@given(st.text(max_size=40))
def test_any_text_is_a_pattern_or_our_error(text: str) -> None:
    try:
        pattern = compile_pattern(text)
    except MatchError:
        return
    assert pattern.fits("http://h/film/x") in (True, False)


@pytest.mark.parametrize(
    ("acl", "path", "fits"),
    [
        ("/film/*", "/film/v0/1.m4s", True),
        ("/film/*", "/film2/v0/1.m4s", False),
        ("/film*", "/film2/x", True),
        ("/fil?/x", "/film/x", True),
        ("/fil?/x", "/fil/x", False),
        ("/film/x", "/film/x", True),
        ("/film/.", "/film/x", False),
        ("/a(b|c)/*", "/ab/x", False),
        ("/*", "/any/thing", True),
        ("/*/key/*", "/a/b/key/c", True),
        ("/" + 900 * "*", "/film/x", True),
        ("/" + 20 * "*?", "/" + 20 * "x", True),
    ],
)
def test_wildcards_stand_for_any_characters_and_nothing_else_is_special(
    acl: str, path: str, fits: bool
) -> None:
    assert compile_wildcards(acl).fits(path) is fits


def test_the_hash_of_the_published_example() -> None:
    """RFC 9246, appendix: the container of its first example."""
    uri = "http://cdni.example/foo/bar"
    assert hash_of(uri) == "sha-256;2tderfWPa86Ku7YnzW51YUp7dGUjBS_3SW3ELx4hmWY"
    assert hash_fits(hash_of(uri), uri)
    assert hash_fits(hash_of(uri, "sha-256-128"), uri)
    assert hash_fits(hash_of(uri, "sha-512"), uri)
    assert not hash_fits(hash_of(uri), uri + "/")


@pytest.mark.parametrize(
    "text", ["md5;AAAAAAAAAAAAAAAAAAAAAA", "sha-256-32;AAAAAA", "sha-256;", ";"]
)
def test_weak_or_unknown_hashes_are_not_accepted(text: str) -> None:
    with pytest.raises(MatchError):
        checked_hash(text)


def test_the_uri_of_a_request_is_normal_and_may_have_another_base() -> None:
    assert uri_of(ASKED) == "http://cdn.example/film/v0/1.m4s"
    assert uri_of(ASKED, "https://other.example") == "https://other.example/film/v0/1.m4s"
    query = Asked(title="film", path="x", scheme="https", authority="h", query="a=%7e")
    assert uri_of(query) == "https://h/film/x?a=~"


def test_a_request_whose_host_is_not_known_fits_no_uri() -> None:
    nameless = Asked(title="film", path="x")
    assert UriPattern(pattern=compile_pattern(".*")).refusal(nameless) == "wrong-uri"
    assert UriHash(hash=hash_of("")).refusal(nameless) == "wrong-uri"


@pytest.mark.parametrize(
    ("network", "address", "refusal"),
    [
        ("192.0.2.0/24", "192.0.2.7", None),
        ("192.0.2.0/24", "::ffff:192.0.2.7", None),
        ("192.0.2.0/24", "192.0.3.7", "wrong-address"),
        ("[2001:db8::1/32]", "2001:db8:5::9", None),
        ("2001:db8::/32", "192.0.2.7", "wrong-address"),
        ("192.0.2.7", "192.0.2.7", None),
        ("0.0.0.0/0", "", "wrong-address"),
    ],
)
def test_addresses_are_compared_whatever_their_notation(
    network: str, address: str, refusal: str | None
) -> None:
    limit = Addresses(network=network_of(network), claim="cdniip")
    assert limit.refusal(Asked(title="film", address=address)) == refusal
