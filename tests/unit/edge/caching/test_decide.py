"""Decisions about requests and answers: each row cites the clause it comes from."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge.caching.decide import (
    Act,
    Outcome,
    Request,
    Rules,
    after_validation,
    conditions,
    confirms,
    decide,
    head_confirms,
    invalidated,
    judge,
    usable_until_s,
)
from edge.caching.directives import control_of, parse_request_control
from edge.caching.freshness import Defaults, assess
from edge.caching.stored import StoredObject
from edge.caching.variants import Catalogue, normalise, variant_key, vary_values

NOW_S = 1_000_000.0


def stored(cache_control: str, *, age_s: float = 0, **more: object) -> StoredObject:
    """A response that arrived ``age_s`` ago."""
    headers = {"cache-control": cache_control}
    fresh = assess(
        headers,
        control_of(headers),
        asked_s=0,
        arrived_s=0,
        defaults=Defaults(stale_if_error_s=60),
    )
    held = StoredObject(
        key="k",
        body="",
        size_bytes=3,
        sha256="",
        headers=(("ETag", '"x"'),),
        stored_s=NOW_S - age_s,
        fresh=fresh,
    )
    return replace(held, **more)  # type: ignore[arg-type]  # tests give the right types


def request(**fields: str) -> Request:
    named = {name.lower().replace("_", "-"): value for name, value in fields.items()}
    return Request(fields=named, control=parse_request_control(named))


@pytest.mark.parametrize(
    ("held", "age_s", "asked", "act", "why"),
    [
        # RFC 9111 §4.2: fresh while its lifetime exceeds its age.
        ("max-age=10", 9, {}, Act.USE, "stale"),
        ("max-age=10", 10, {}, Act.VALIDATE, "stale"),
        # §5.2.2.4: no-cache is validated before each use.
        ("max-age=10, no-cache", 1, {}, Act.VALIDATE, "stale"),
        # RFC 5861 §3, and RFC 9111 §5.2.2.2, which forbids it.
        ("max-age=10, stale-while-revalidate=5", 14, {}, Act.USE_AND_VALIDATE, "stale"),
        ("max-age=10, stale-while-revalidate=5", 15, {}, Act.VALIDATE, "stale"),
        (
            "max-age=10, stale-while-revalidate=5, must-revalidate",
            11,
            {},
            Act.VALIDATE,
            "stale",
        ),
        # §5.2.1: what a request asks for.
        ("max-age=10", 5, {"Cache_Control": "max-age=4"}, Act.VALIDATE, "request"),
        ("max-age=10", 5, {"Cache_Control": "max-age=6"}, Act.USE, "stale"),
        ("max-age=10", 0, {"Cache_Control": "max-age=0"}, Act.VALIDATE, "request"),
        ("max-age=10", 5, {"Cache_Control": "min-fresh=6"}, Act.VALIDATE, "request"),
        ("max-age=10", 5, {"Cache_Control": "min-fresh=5"}, Act.USE, "stale"),
        ("max-age=10", 15, {"Cache_Control": "max-stale=5"}, Act.USE, "stale"),
        ("max-age=10", 16, {"Cache_Control": "max-stale=5"}, Act.VALIDATE, "stale"),
        ("max-age=10", 999, {"Cache_Control": "max-stale"}, Act.USE, "stale"),
        ("s-maxage=10", 11, {"Cache_Control": "max-stale"}, Act.VALIDATE, "stale"),
        ("max-age=10", 5, {"Cache_Control": "no-cache"}, Act.VALIDATE, "request"),
        ("max-age=10", 5, {"Pragma": "no-cache"}, Act.VALIDATE, "request"),
        ("max-age=10", 5, {"Cache_Control": "no-store"}, Act.USE, "stale"),
        ("max-age=10", 5, {"Cache_Control": "only-if-cached"}, Act.USE, "stale"),
        ("max-age=10", 11, {"Cache_Control": "only-if-cached"}, Act.FAIL, "stale"),
    ],
)
def test_what_is_done_with_a_request(
    held: str, age_s: float, asked: dict[str, str], act: Act, why: str
) -> None:
    found = decide(request(**asked), [stored(held, age_s=age_s)], now_s=NOW_S)
    assert (found.act, found.why) == (act, why)
    assert found.age_s == age_s


def test_nothing_held_is_fetched_unless_the_request_wants_nothing_else() -> None:
    assert decide(request(), [], now_s=NOW_S).act is Act.FETCH
    oic = request(Cache_Control="only-if-cached")
    assert decide(oic, [], now_s=NOW_S).act is Act.FAIL


@pytest.mark.parametrize(
    ("held", "age_s", "asked", "expected"),
    [
        ("max-age=10", 69, "", True),
        ("max-age=10", 70, "", False),
        ("max-age=10, stale-if-error=5", 14, "", True),
        ("max-age=10, stale-if-error=5", 15, "", False),
        ("max-age=10, stale-if-error=5", 15, "stale-if-error=6", True),
        ("max-age=10, must-revalidate", 11, "stale-if-error=6", False),
        ("max-age=10, no-cache", 1, "", False),
    ],
)
def test_what_is_served_while_the_parent_fails(
    held: str, age_s: float, asked: str, expected: bool
) -> None:
    found = decide(request(Cache_Control=asked), [stored(held, age_s=age_s)], now_s=NOW_S)
    assert found.may_serve_if_error is expected


def test_a_clock_that_is_set_back_makes_nothing_younger() -> None:
    for step_s, age_s, act in ((1, 0.0, Act.USE), (7200, 10.0, Act.VALIDATE)):
        found = decide(request(), [stored("max-age=10", age_s=-step_s)], now_s=NOW_S)
        assert (found.age_s, found.act) == (age_s, act)


def test_plain_requests_need_no_decision_until_the_freshness_ends() -> None:
    assert usable_until_s(stored("max-age=10", age_s=4)) == NOW_S + 6


VARYING = ("accept-language", "foo")


def variant(cache_control: str, **fields: str) -> StoredObject:
    asked = {name.replace("_", "-"): value for name, value in fields.items()}
    values = vary_values(VARYING, asked)
    return stored(cache_control, vary=values, key=variant_key("k", values), base="k")


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ({"foo": "1"}, {"foo": "1"}, True),
        ({"foo": "1"}, {"foo": "2"}, False),
        ({"foo": "1"}, {}, False),
        ({}, {"foo": "1"}, False),
        ({}, {}, True),
        ({"foo": "1,2"}, {"foo": " 1, 2 "}, True),
        ({"foo": "A"}, {"foo": "a"}, False),
        ({"foo": '"1,2"'}, {"foo": '"1, 2"'}, False),
        ({"accept_language": "en, de"}, {"accept_language": "de,EN"}, True),
        ({"accept_language": "en, de;q=1.0"}, {"accept_language": "de , en"}, True),
        ({"accept_language": "en, de;q=0.5"}, {"accept_language": "de, en"}, False),
        ({"foo": "1", "other": "x"}, {"foo": "1", "other": "y"}, True),
    ],
)
def test_a_variant_is_selected_by_the_fields_that_vary_names(
    first: dict[str, str], second: dict[str, str], same: bool
) -> None:
    """RFC 9111 §4.1."""
    found = decide(request(**second), [variant("max-age=9", **first)], now_s=NOW_S)
    assert (found.act is Act.USE) is same
    assert found.why == ("stale" if same else "vary-miss")


def test_the_language_that_is_wanted_most_selects_what_is_in_that_language() -> None:
    held = variant("max-age=9", accept_language="en, de")
    held = replace(held, headers=(("Content-Language", "de"),))
    for wanted, act in (
        ("fr;q=0.5, de;q=1.0", Act.USE),
        ("de-AT, de;q=0.9", Act.FETCH),
        ("fr, de;q=0.5", Act.FETCH),
        ("", Act.FETCH),
    ):
        asked = request(Accept_Language=wanted)
        assert decide(asked, [held], now_s=NOW_S).act is act


def test_codings_differ_by_name_and_weight_only() -> None:
    assert normalise("accept-encoding", "gzip, br;q=1") == normalise("accept-encoding", "BR,gzip")
    assert normalise("accept-encoding", "gzip;q=0") != normalise("accept-encoding", "gzip")
    assert normalise("cookie", "a=1; b=2") != normalise("cookie", "b=2; a=1")


def test_the_catalogue_lists_the_newest_first_and_forgets_what_is_gone() -> None:
    held: dict[str, StoredObject] = {}
    catalogue = Catalogue(held.get)
    for value in ("1", "2"):
        each = variant("max-age=9", foo=value)
        held[each.key] = each
        assert catalogue.add(each) == ()
    assert [dict(each.vary)["foo"] for each in catalogue.all_of("k")] == ["2", "1"]
    assert catalogue.secondary("k", {"foo": " 3"}) == (("accept-language", None), ("foo", "3"))
    del held[variant("", foo="2").key]
    assert len(catalogue.all_of("k")) == 1
    held.clear()
    assert catalogue.all_of("k") == []


def test_variants_under_one_key_are_bounded() -> None:
    held: dict[str, StoredObject] = {}
    catalogue = Catalogue(held.get)
    gone: list[str] = []
    for number in range(70):
        each = variant("max-age=9", foo=str(number))
        held[each.key] = each
        for key in catalogue.add(each):
            gone.append(key)
            del held[key]
    assert len(held) == 64
    assert gone[0] == variant("", foo="0").key


TITLES = Rules(max_object_bytes=100)
OPEN = Rules(max_object_bytes=100, is_open=True)


@pytest.mark.parametrize(
    ("status", "headers", "length", "authorized", "titles", "site"),
    [
        # (stored, shared) in a cache of titles, and in a reverse proxy of any site.
        (200, {"cache-control": "max-age=5"}, 10, False, (True, True), (True, True)),
        (200, {"etag": '"x"'}, 10, False, (True, True), (True, False)),
        (200, {}, 10, False, (False, True), (False, False)),
        (200, {"cache-control": "max-age=0"}, 10, False, (False, False), (False, False)),
        (200, {"cache-control": "max-age=5"}, None, False, (True, True), (True, True)),
        (200, {"cache-control": "max-age=5"}, 101, False, (False, True), (False, True)),
        (206, {"cache-control": "max-age=5"}, 10, False, (False, False), (False, False)),
        (404, {"cache-control": "max-age=5"}, 10, False, (True, True), (True, True)),
        (410, {}, 10, False, (False, True), (False, False)),
        (503, {"cache-control": "max-age=5"}, 10, False, (False, True), (True, True)),
        (403, {"etag": '"x"'}, 10, False, (False, False), (False, False)),
        # RFC 9111 §5.2.2.3: must-understand overrides no-store for a status that is known.
        (
            200,
            {"cache-control": "max-age=5, no-store, must-understand"},
            10,
            False,
            (True, True),
            (True, True),
        ),
        (
            599,
            {"cache-control": "max-age=5, no-store, must-understand"},
            10,
            False,
            (False, False),
            (False, False),
        ),
        (200, {"cache-control": "max-age=5, private"}, 10, False, (False,) * 2, (False,) * 2),
        (200, {"cache-control": "no-store"}, 10, False, (False,) * 2, (False,) * 2),
        (200, {"cache-control": "max-age=5", "vary": "*"}, 10, False, (False,) * 2, (False,) * 2),
        (
            200,
            {"cache-control": "max-age=5", "set-cookie": "a=b"},
            10,
            False,
            (False, False),
            (True, True),
        ),
        (
            200,
            {"cache-control": "max-age=5", "vary": "Cookie"},
            10,
            False,
            (False, False),
            (True, True),
        ),
        # §3.5: answers to requests with credentials.
        (200, {"cache-control": "max-age=5"}, 10, True, (False,) * 2, (False,) * 2),
        (200, {"cache-control": "max-age=5, public"}, 10, True, (True, True), (True, True)),
        (200, {"cache-control": "s-maxage=5"}, 10, True, (True, True), (True, True)),
        # RFC 9213: the targeted field alone counts.
        (
            200,
            {"cache-control": "no-store", "cdn-cache-control": "max-age=5"},
            10,
            False,
            (True, True),
            (True, True),
        ),
        (
            200,
            {"cache-control": "max-age=5", "cdn-cache-control": "private"},
            10,
            False,
            (False, False),
            (False, False),
        ),
    ],
)
def test_what_may_be_stored_and_shared(
    status: int,
    headers: dict[str, str],
    length: int | None,
    authorized: bool,
    titles: tuple[bool, bool],
    site: tuple[bool, bool],
) -> None:
    control = control_of(headers)
    fresh = assess(headers, control, asked_s=NOW_S, arrived_s=NOW_S, status=status)
    for rules, expected in ((TITLES, titles), (OPEN, site)):
        found = judge(
            Request(fields={}, has_credentials=authorized),
            status,
            headers,
            control,
            fresh,
            length_bytes=length,
            rules=rules,
        )
        assert (found.store, found.share) == expected


def test_fields_that_must_not_be_stored_are_named() -> None:
    headers = {"cache-control": 'max-age=5, no-cache="A", private="b, c"'}
    control = control_of(headers)
    fresh = assess(headers, control, asked_s=0, arrived_s=0)
    found = judge(Request(fields={}), 200, headers, control, fresh, length_bytes=1, rules=OPEN)
    assert found.store
    assert found.dropped == {"a", "b", "c"}


def test_a_request_may_forbid_that_its_answer_is_stored() -> None:
    headers = {"cache-control": "max-age=5"}
    fresh = assess(headers, control_of(headers), asked_s=0, arrived_s=0)
    asked = request(Cache_Control="no-store")
    found = judge(asked, 200, headers, control_of(headers), fresh, length_bytes=1, rules=OPEN)
    assert not found.store


@pytest.mark.parametrize(
    ("status", "stores", "outcome"),
    [
        (304, False, Outcome.CONFIRMED),
        (200, True, Outcome.REPLACED),
        (200, False, Outcome.REPLACED),
        (404, False, Outcome.REPLACED),
        (403, False, Outcome.KEPT),
        (401, False, Outcome.KEPT),
        (403, True, Outcome.REPLACED),
        (503, False, Outcome.KEPT),
    ],
)
def test_what_a_validation_means_for_the_stored_response(
    status: int, stores: bool, outcome: Outcome
) -> None:
    """One viewer's refusal must not take the object from all others."""
    assert after_validation(status, stores=stores) is outcome


def test_a_validation_names_both_validators() -> None:
    held = replace(stored(""), headers=(("etag", 'W/"x"'), ("LAST-modified", "then")))
    assert conditions(held) == [("If-None-Match", 'W/"x"'), ("If-Modified-Since", "then")]
    assert conditions(None) == []


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [({}, True), ({"etag": '"x"'}, True), ({"etag": '"y"'}, False), ({"etag": 'W/"y"'}, True)],
)
def test_a_304_about_another_representation_renews_nothing(
    theirs: dict[str, str], expected: bool
) -> None:
    assert confirms(stored(""), theirs) is expected


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        ({}, True),
        ({"etag": '"x"', "content-length": "3"}, True),
        ({"etag": '"y"'}, False),
        ({"content-length": "4"}, False),
        ({"last-modified": "now"}, False),
    ],
)
def test_a_head_renews_what_it_is_about(theirs: dict[str, str], expected: bool) -> None:
    assert head_confirms(stored(""), theirs) is expected


@pytest.mark.parametrize(
    ("method", "status", "headers", "expected"),
    [
        ("POST", 200, {}, ["http://a/x"]),
        ("M-SEARCH", 303, {}, ["http://a/x"]),
        ("GET", 200, {}, []),
        ("OPTIONS", 200, {}, []),
        ("PUT", 500, {}, []),
        ("PUT", 404, {}, []),
        ("POST", 201, {"location": "y"}, ["http://a/x", "http://a/y"]),
        ("POST", 201, {"content-location": "http://a/z?1"}, ["http://a/x", "http://a/z?1"]),
        ("POST", 201, {"location": "http://b/y"}, ["http://a/x"]),
        ("POST", 201, {"location": "//[b/y"}, ["http://a/x"]),
    ],
)
def test_what_an_unsafe_request_makes_untrue(
    method: str, status: int, headers: dict[str, str], expected: list[str]
) -> None:
    assert invalidated(method, "http://a/x", status, headers) == expected
