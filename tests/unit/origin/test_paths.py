"""The shape of URLs: one spelling per object, and nothing that means two things."""

from __future__ import annotations

import posixpath
from dataclasses import replace
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.paths import (
    RESERVED,
    PathError,
    Target,
    is_servable,
    object_path,
    parse_target,
    renew_url,
    token_of,
    with_token,
)
from origin.tokens.carriage import Fields, bearer_secret, bearer_token

KID = "0123456789abcdef" * 2
VERSION = "r0123456789abcdef"

TARGETS: list[tuple[str, str | None, Target]] = [
    (
        "/t/TOK/film/v0/00001.m4s",
        None,
        Target(kind="object", title="film", path="v0/00001.m4s", token="TOK"),
    ),
    (
        "/t/TOK/film/multivariant.m3u8?CMCD=br%3D1&x=/../y",
        None,
        Target(kind="object", title="film", path="multivariant.m3u8", token="TOK"),
    ),
    (
        "http://any.example:81/t/TOK/film/x.m4s",
        None,
        Target(kind="object", title="film", path="x.m4s", token="TOK"),
    ),
    (
        "/film/v0/init.mp4",
        "Bearer TOK",
        Target(kind="object", title="film", path="v0/init.mp4", token="TOK"),
    ),
    ("/film/x.m4s", None, Target(kind="object", title="film", path="x.m4s")),
    ("/film/x.m4s", "Basic abc", Target(kind="object", title="film", path="x.m4s")),
    (
        "/t/TOK/film/x.m4s",
        "Bearer OTHER",
        Target(kind="object", title="film", path="x.m4s", token="TOK"),
    ),
    (
        "/%74/TOK/f%69lm/%762.m4s",
        None,
        Target(kind="object", title="film", path="v2.m4s", token="TOK"),
    ),
    (
        "/t/TOK/film/a%c3%bc%20b",
        None,
        Target(kind="object", title="film", path="a%C3%BC%20b", token="TOK"),
    ),
    (
        "/t/TOK/film/licence",
        None,
        Target(kind="licence", title="film", path="licence", token="TOK"),
    ),
    (
        "/t/TOK/film/r0123456789abcdef/licence/widevine",
        None,
        Target(
            kind="licence", title="film", path="r0123456789abcdef/licence/widevine", token="TOK"
        ),
    ),
    (
        "/t/TOK/film/licence/a/b",
        None,
        Target(kind="object", title="film", path="licence/a/b", token="TOK"),
    ),
    ("/t/TOK/film/renew", None, Target(kind="renew", title="film", path="renew", token="TOK")),
    ("/film/renew", "bearer TOK", Target(kind="renew", title="film", path="renew", token="TOK")),
    (
        "/t/TOK/film/steering?_HLS_pathway=%22a%22",
        None,
        Target(kind="steering", title="film", path="steering", token="TOK"),
    ),
    (
        "/t/TOK/film/steering/a",
        None,
        Target(kind="object", title="film", path="steering/a", token="TOK"),
    ),
    (
        f"/t/TOK/film/key/{KID}",
        None,
        Target(kind="key", title="film", path=f"key/{KID}", token="TOK"),
    ),
    (
        "/t/TOK/film/multivariant.m3u8?CMCD=x&player=Shaka",
        None,
        Target(kind="object", title="film", path="multivariant.identity.m3u8", token="TOK"),
    ),
    (
        "/t/TOK/film/r0123456789abcdef/v0/playlist.m3u8?player=shaka&player=hlsjs",
        None,
        Target(
            kind="object",
            title="film",
            path="r0123456789abcdef/v0/playlist.identity.m3u8",
            token="TOK",
        ),
    ),
    (
        "/t/TOK/film/multivariant.m3u8?player=hlsjs",
        None,
        Target(kind="object", title="film", path="multivariant.m3u8", token="TOK"),
    ),
    (
        "/t/TOK/film/v0/00000.m4s?player=shaka",
        None,
        Target(kind="object", title="film", path="v0/00000.m4s", token="TOK"),
    ),
    ("/t/TOK/film/", None, Target(kind="object", title="film", path="", token="TOK")),
    ("/playback/film", None, Target(kind="playback", title="film")),
    ("/.well-known/jwks.json", None, Target(kind="jwks")),
    ("/healthz?now", None, Target(kind="healthz")),
    ("/metrics", None, Target(kind="metrics")),
    ("*", None, Target(kind="server")),
    ("/", None, Target(kind="unknown")),
    ("/film", None, Target(kind="unknown")),
    ("/t/TOK/film", None, Target(kind="unknown")),
    ("/t/TOK", "Bearer TOK", Target(kind="unknown")),
    ("/Film/x", "Bearer TOK", Target(kind="unknown")),
    ("/playback/film/x", "Bearer TOK", Target(kind="unknown")),
    ("/metrics/x", "Bearer TOK", Target(kind="unknown")),
    ("/.git/config", "Bearer TOK", Target(kind="unknown")),
]


@pytest.mark.parametrize(("target", "authorization", "expected"), TARGETS)
def test_targets_are_understood(target: str, authorization: str | None, expected: Target) -> None:
    """Path form, bearer form, fixed endpoints, and what is none of them."""
    fields = Fields(authorization=authorization or "")
    found = parse_target(target, fields)
    assert replace(found, carrier="", query="") == expected


REFUSED = [
    "",
    "film/x",
    "example.com:443",
    "ftp://example.com/t/TOK/film/x",
    "/t/TOK/film/../other/x",
    "/t/TOK/film/v0/..",
    "/t/TOK/film/./x",
    "/t/TOK/film/%2e%2e/other/x",
    "/t/TOK/film/%2E./x",
    "/t/TOK/film/..%2fother/x",
    "/t/TOK/film/..%2Fother",
    "/t/TOK/film/%5c..%5cx",
    "/t/TOK/film\\..\\x",
    "/t/TOK/film//x",
    "//t/TOK/film/x",
    "/t//film/x",
    "/t/TOK/film/%00",
    "/t/TOK/film/x%0d%0aSet-Cookie:a",
    "/t/TOK/film/\x00",
    "/t/TOK/film/x\n",
    "/t/TOK/film/%252e%252e/x",
    "/t/TOK/film/%",
    "/t/TOK/film/%2",
    "/t/TOK/film/%zz",
    "/t/TOK/film/a b",
    "/t/TOK/film/é",
    "/t/TOK/film/x#y",
    "/t/TOK/film/<x>",
    "/t/TOK/" + "a/" * 40,
    "/" + "a" * 9000,
]


@pytest.mark.parametrize("target", REFUSED)
def test_paths_that_could_mean_two_things_are_refused(target: str) -> None:
    """Refused, not repaired: somebody else on the way may repair them differently."""
    with pytest.raises(PathError) as caught:
        parse_target(target)
    assert caught.value.http_status == 400
    assert "TOK" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "kid"),
    [(f"key/{KID}", KID), ("key/short", None), (f"key/{KID.upper()}", None), ("key", None)],
)
def test_key_ids_are_32_lower_case_digits(path: str, kid: str | None) -> None:
    """Anything else is no key of ours."""
    assert parse_target(f"/t/TOK/film/{path}").kid == kid
    assert parse_target(f"/t/TOK/film/{path}").kind == "key"


def test_the_cache_key_holds_no_token() -> None:
    """Two viewers share one object, whichever way their tokens come."""
    one = parse_target("/t/ONE/film/v0/x.m4s")
    two = parse_target("/film/v0/x.m4s", Fields(authorization="Bearer TWO"))
    assert one.cache_key == two.cache_key == "/film/v0/x.m4s"


@pytest.mark.parametrize(
    ("title", "good"),
    [
        ("film", True),
        ("a-b_c9", True),
        ("", False),
        ("Film", False),
        ("a.b", False),
        ("a/b", False),
        ("film\n", False),
        ("a" * 129, False),
        *((name, False) for name in RESERVED),
    ],
)
def test_titles_are_plain_and_not_reserved(title: str, good: bool) -> None:
    """A title must be told from /t/, /playback/ and the rest."""
    assert is_servable(title) == good


@pytest.mark.parametrize(
    ("field", "token"),
    [
        ("Bearer abc", "abc"),
        ("BEARER  abc ", "abc"),
        ("Bearer", None),
        ("Bearer a, Bearer b", None),
        ("Bearer a b", None),
        ("Basic abc", None),
        ("", None),
        (None, None),
    ],
)
def test_one_bearer_token_is_read(field: str | None, token: str | None) -> None:
    """Two Authorization fields, joined by a comma, are none."""
    assert bearer_token(field) == token


def test_a_secret_may_hold_what_a_token_may_not() -> None:
    """Secrets are chosen by people; both are read by the same parser of the scheme."""
    assert bearer_secret("bearer  s3cret é! ") == "s3cret é!"
    assert bearer_token("bearer  s3cret é! ") is None
    assert [bearer_secret(field) for field in ("Basic abc", "Bearer", None)] == [None] * 3


URL = "https://cdn.example/base/t/OLD/film/v0/00001.m4s?x=/t/no/q#f"


def test_tokens_in_urls_are_found_and_replaced() -> None:
    """Whatever stands before and after stays as it was."""
    assert token_of(URL) == "OLD"
    assert with_token(URL, "NEW") == URL.replace("OLD", "NEW")
    assert renew_url(URL) == "https://cdn.example/base/t/OLD/film/renew"
    assert with_token("/t/OLD/film/x", "NEW") == "/t/NEW/film/x"
    assert renew_url(object_path("OLD", "film", "v0/x")) == "/t/OLD/film/renew"


def test_urls_without_a_token_have_none_to_replace() -> None:
    """They say where to get one."""
    for url in ("http://h/film/x", "", "/t/", "http://h/t/only"):
        assert token_of(url) is None
        with pytest.raises(PathError, match="/playback/"):
            with_token(url, "NEW")
        with pytest.raises(PathError, match="/playback/"):
            renew_url(url)


PIECES = st.lists(
    st.sampled_from(
        [
            "/",
            "t",
            "film",
            "..",
            ".",
            "%2e",
            "%2f",
            "%5C",
            "%00",
            "%25",
            "\\",
            "key",
            "renew",
            "//",
            "?",
            "#",
            "%41",
            "a",
            "\x00",
            "é",
            ";",
            "http://h",
        ]
    ),
    max_size=12,
).map("".join)


@given(PIECES | st.text(max_size=60).map(lambda text: "/" + text))
def test_whatever_is_accepted_stays_inside_its_title(target: str) -> None:
    """Decoded once more and normalised as a file system would, the path is unchanged."""
    try:
        parsed = parse_target(target)
    except PathError:
        return
    for part in (parsed.title, parsed.path):
        assert "\\" not in part
        assert "\x00" not in unquote(part)
    if parsed.path and not parsed.path.endswith("/"):
        assert posixpath.normpath(unquote(parsed.path)) == unquote(parsed.path)
        assert not unquote(parsed.path).startswith(("/", "../"))


@given(PIECES | st.text(max_size=60).map(lambda text: "/" + text))
def test_normalising_twice_changes_nothing(path: str) -> None:
    """The normal form is one spelling: a cache key asked for as a path is its own cache key."""
    try:
        target = parse_target("/t/TOK/film" + path)
    except PathError:
        return
    if target.kind == "object":
        assert parse_target("/t/TOK" + target.cache_key).cache_key == target.cache_key


@pytest.mark.parametrize(
    ("path", "version", "system"),
    [
        ("licence", "", ""),
        ("licence/clearkey", "", "clearkey"),
        (f"{VERSION}/licence", VERSION, ""),
        (f"{VERSION}/licence/clearkey", VERSION, "clearkey"),
        (f"{VERSION}/key/{KID}", VERSION, ""),
        ("v0/init.mp4", "", ""),
    ],
)
def test_a_target_says_which_version_and_key_system_it_names(
    path: str, version: str, system: str
) -> None:
    target = parse_target(f"/t/TOK/film/{path}")
    assert (target.version, target.system) == (version, system)
