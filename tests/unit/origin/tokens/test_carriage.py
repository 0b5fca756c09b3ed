"""Where a token is found, and what is left of the request without it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.paths import PathError, Target, object_path, parse_target, path_form_of
from origin.tokens.carriage import (
    NAMES,
    Carrier,
    Fields,
    from_segment,
    take_arguments,
    take_parameters,
    to_segment,
)

SHORT = f"exp=1~acl=/film/*~hmac={64 * 'a'}"

FOUND: list[tuple[str, Fields, str | None, Carrier, str]] = [
    ("/t/TOK/film/x.m4s", Fields(), "TOK", "prefix", ""),
    ("/film/x.m4s;URISigningPackage=TOK", Fields(), "TOK", "parameter", ""),
    ("/film;cat=TOK/x.m4s", Fields(), "TOK", "parameter", ""),
    ("/film/x.m4s;%55RISigningPackage=TOK?a=b", Fields(), "TOK", "parameter", "a=b"),
    ("/film/x.m4s;cat=ONE;hdnts=TWO", Fields(), "ONE", "parameter", ""),
    (f"/film/x.m4s;hdnts={to_segment(SHORT)}", Fields(), SHORT, "parameter", ""),
    ("/film/x.m4s?URISigningPackage=TOK", Fields(), "TOK", "query", ""),
    ("/film/x.m4s?a=b&cat=TOK&c=d", Fields(), "TOK", "query", "a=b&c=d"),
    ("/film/x.m4s?cat=ONE&cat=TWO", Fields(), "ONE", "query", ""),
    (f"/film/x.m4s?hdnts={SHORT}", Fields(), SHORT, "query", ""),
    ("/film/x.m4s?hdnts=exp%3D1%7Eacl%3D%2Ff", Fields(), "exp=1~acl=/f", "query", ""),
    ("/film/x.m4s?Cat=TOK", Fields(), None, "", "Cat=TOK"),
    ("/film/x.m4s?xcat=TOK", Fields(), None, "", "xcat=TOK"),
    ("/film/x.m4s?cat", Fields(), None, "", "cat"),
    ("/film/x.m4s", Fields(authorization="Bearer TOK"), "TOK", "header", ""),
    ("/film/x.m4s", Fields(authorization=f"Bearer {SHORT}"), SHORT, "header", ""),
    ("/film/x.m4s", Fields(common="TOK"), "TOK", "header", ""),
    ("/film/x.m4s", Fields(cookie="a=b; URISigningPackage=TOK"), "TOK", "cookie", ""),
    ("/film/x.m4s", Fields(cookie='cat="TOK"'), "TOK", "cookie", ""),
    ("/film/x.m4s", Fields(cookie="a=b; session=TOK"), None, "", ""),
    ("/film/x.m4s;v=1", Fields(cookie="cat=TOK"), "TOK", "cookie", ""),
]
EVERYWHERE = Fields(authorization="Bearer B", common="C", cookie="cat=D")


@pytest.mark.parametrize(("target", "fields", "token", "carrier", "query"), FOUND)
def test_a_token_is_found_where_it_stands(
    target: str, fields: Fields, token: str | None, carrier: Carrier, query: str
) -> None:
    found = parse_target(target, fields)
    assert (found.token, found.carrier, found.query) == (token, carrier, query)
    assert found.title == "film"


@pytest.mark.parametrize(
    ("target", "fields", "token"),
    [
        ("/t/P/film/x;cat=Q?cat=R", EVERYWHERE, "P"),
        ("/film/x;cat=Q?cat=R", EVERYWHERE, "Q"),
        ("/film/x?cat=R", EVERYWHERE, "R"),
        ("/film/x", EVERYWHERE, "B"),
        ("/film/x", Fields(common="C", cookie="cat=D"), "C"),
        ("/film/x?cat=", EVERYWHERE, ""),
    ],
)
def test_the_first_place_counts_even_if_it_holds_nothing_good(
    target: str, fields: Fields, token: str
) -> None:
    """RFC 9246, section 2: the first matching parameter."""
    assert parse_target(target, fields).token == token


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_request_for_a_thing_asks_for_the_same_thing(name: str) -> None:
    targets = [
        "/t/TOK/film/v0/x.m4s",
        f"/film/v0/x.m4s;{name}=TOK",
        f"/film/v0;{name}=TOK/x.m4s",
        f"/film/v0/x.m4s?{name}=TOK",
    ]
    found = {(parse_target(each).cache_key, parse_target(each).token) for each in targets}
    assert found == {("/film/v0/x.m4s", "TOK")}


@pytest.mark.parametrize(
    "target",
    [
        "/film/..;cat=TOK/x",
        "/film/.;cat=TOK",
        "/film/%2e%2e;cat=TOK/x",
        "/film/a;cat=TOK%2f../x",
        "/film/;cat=TOK/x",
    ],
)
def test_taking_a_token_out_leaves_no_way_up(target: str) -> None:
    with pytest.raises(PathError):
        parse_target(target)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=80))
def test_any_token_stands_in_a_path_in_one_spelling(token: str) -> None:
    segment = to_segment(token)
    assert not set(segment) & set("/?#;%")
    assert from_segment(segment) == token
    found = parse_target(object_path(token, "film", "x"))
    assert (found.token, found.path) == (token, "x")


@pytest.mark.parametrize("text", ["~", "~!", "~VE9L", "~VE9L=", "~gIA", "~VE9LA"])
def test_other_spellings_are_left_as_they_are_and_so_are_no_tokens(text: str) -> None:
    """``VE9L`` is ``TOK``, which needs no spelling of its own."""
    assert from_segment(text) == text


@given(st.text(st.sampled_from("abct=&;%~/?.-_ 4"), max_size=60))
def test_what_is_left_of_any_query_or_path_holds_no_token(text: str) -> None:
    left, _ = take_arguments(text)
    assert take_arguments(left) == (left, None)
    left, _ = take_parameters(text)
    assert ";cat=" not in left


def target(path: str = "multivariant.m3u8", carrier: Carrier = "query", query: str = "") -> Target:
    return Target(kind="object", title="film", path=path, token=SHORT, carrier=carrier, query=query)


def test_a_playlist_whose_token_came_with_its_url_is_asked_for_in_the_path_form() -> None:
    start = f"/t/{to_segment(SHORT)}/film/"
    assert path_form_of(target()) == start + "multivariant.m3u8"
    assert path_form_of(target(query="a=b")) == start + "multivariant.m3u8?a=b"
    assert path_form_of(target("manifest.mpd", "parameter")) == start + "manifest.mpd"


def test_what_inherits_nothing_or_comes_with_each_request_stays_where_it_is() -> None:
    stays: list[Carrier] = ["prefix", "header", "cookie"]
    assert [path_form_of(target(carrier=carrier)) for carrier in stays] == [None] * 3
    assert path_form_of(target("v0/x.m4s")) is None
