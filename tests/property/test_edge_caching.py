"""Invariants of the caching rules, over any text and any time."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from edge.caching.decide import Act, Request, decide, usable_until_s
from edge.caching.directives import (
    control_of,
    parse_cache_control,
    parse_request_control,
    parse_targeted,
)
from edge.caching.freshness import assess, parse_age_s
from edge.caching.parts import Window, covering, read_part, slice_at, window_of
from edge.caching.purging import tags_of
from edge.caching.stored import StoredObject, dumps, file_stem, loads
from edge.caching.variants import matches, normalise, variant_key, vary_values
from origin.httpdate import parse_http_date

TEXT = st.text(st.characters(max_codepoint=255), max_size=60)
WORDS = st.lists(
    st.sampled_from(
        [
            *("max-age=9", "max-age=0", 'max-age="5"', "max-age =5", "s-maxage=3", "no-store"),
            *("no-cache", 'no-cache="a"', "private", 'private="b, c"', "public", "x=y"),
            *("must-revalidate", "must-understand", "stale-while-revalidate=4"),
            *("stale-if-error=6", "immutable", '"', ",", "=", 'x="max-age=7"'),
        ]
    ),
    max_size=6,
).map(", ".join)
REQUEST = st.lists(
    st.sampled_from(["no-cache", "max-age=3", "min-fresh=2", "max-stale", "max-stale=4", "x"]),
    max_size=3,
).map(", ".join)
TIMES = st.floats(min_value=0, max_value=40)


def stored(text: str) -> StoredObject:
    headers = {"cache-control": text}
    return StoredObject(
        key="k",
        body="",
        size_bytes=1,
        sha256="",
        headers=(),
        stored_s=1000.0,
        fresh=assess(headers, control_of(headers), asked_s=1000, arrived_s=1000),
    )


@given(TEXT)
def test_no_field_is_beyond_reading(text: str) -> None:
    control = parse_cache_control([text])
    assert control.max_age_s is None or 0 <= control.max_age_s <= 2**31
    parse_targeted(text)
    parse_request_control({"cache-control": text, "pragma": text})
    assert parse_age_s(text) >= 0
    parse_http_date(text, now_s=1e9, any_case=True)
    tags_of([("Cache-Tag", text)])
    for name in ("accept-language", "accept-encoding", "x"):
        once = normalise(name, text)
        assert normalise(name, once) == once
        assert matches(replace(stored(""), vary=vary_values([name], {name: text})), {name: text})


@given(WORDS, TIMES)
def test_what_is_used_without_asking_is_fresh_or_within_its_window(
    text: str, after_s: float
) -> None:
    held = stored(text)
    now_s = 1000 + after_s
    found = decide(Request(fields={}), [held], now_s=now_s)
    if found.act is Act.USE:
        assert found.ttl_s > 0
        assert now_s < usable_until_s(held)
    if found.act is Act.USE_AND_VALIDATE:
        assert -found.ttl_s < control_of({"cache-control": text}).stale_while_revalidate_s
    if parse_cache_control([text]).no_cache:
        assert found.act is Act.VALIDATE


@given(WORDS, REQUEST, TIMES)
def test_a_request_gets_nothing_stale_that_the_response_forbids(
    text: str, asked: str, after_s: float
) -> None:
    fields = {"cache-control": asked}
    request = Request(fields=fields, control=parse_request_control(fields))
    found = decide(request, [stored(text)], now_s=1000 + after_s)
    control = parse_cache_control([text])
    if found.ttl_s <= 0 and (control.must_revalidate or control.no_cache):
        assert found.act is Act.VALIDATE
        assert not found.may_serve_if_error


@given(WORDS, TIMES, TIMES)
def test_time_makes_nothing_fresh_again(text: str, one_s: float, other_s: float) -> None:
    held = stored(text)
    early, late = sorted((one_s, other_s))
    order = [Act.USE, Act.USE_AND_VALIDATE, Act.VALIDATE]
    acts = [decide(Request(fields={}), [held], now_s=1000 + t).act for t in (early, late)]
    assert order.index(acts[0]) <= order.index(acts[1])


@given(
    st.dictionaries(st.sampled_from(["a", "accept", "b"]), TEXT, max_size=3),
    st.dictionaries(st.sampled_from(["a", "accept", "b"]), TEXT, max_size=3),
)
def test_two_requests_have_one_key_when_each_selects_what_the_other_stored(
    one: dict[str, str], two: dict[str, str]
) -> None:
    names = ("a", "accept")
    keys = [variant_key("k", vary_values(names, each)) for each in (one, two)]
    selects = matches(replace(stored(""), vary=vary_values(names, one)), two)
    assert (keys[0] == keys[1]) is selects


@given(st.integers(0, 10**6), st.integers(1, 10**4), st.integers(1, 10**6))
def test_a_slice_holds_its_byte_and_slices_do_not_overlap(
    offset: int, slice_bytes: int, total: int
) -> None:
    window = slice_at(offset, slice_bytes, max(total, offset + 1))
    assert window.stop is not None
    assert window.start <= offset < window.stop <= max(total, offset + 1)
    assert window.start % slice_bytes == 0
    assert slice_at(window.start, slice_bytes, max(total, offset + 1)) == window


@given(TEXT, st.integers(0, 100), st.integers(0, 1000))
def test_a_part_is_never_larger_than_what_came(text: str, length: int, start: int) -> None:
    window_of(text, 10)
    for field in (text, f"bytes {start}-{start + length}/{start + 500}"):
        part = read_part(206, {"content-range": field}, length, Window(start, start + 100))
        if part is not None:
            assert part.stop - part.start == length
            assert part.start == start


@given(
    st.lists(st.tuples(st.integers(0, 100), st.integers(1, 30)), max_size=5), st.integers(0, 140)
)
def test_covering_finds_a_byte_exactly_when_a_part_holds_it(
    spans: list[tuple[int, int]], offset: int
) -> None:
    parts = [
        replace(stored(""), start_byte=start, size_bytes=size, total_bytes=200)
        for start, size in spans
    ]
    found = covering(parts, offset)
    assert (found is not None) is any(start <= offset < start + size for start, size in spans)


@given(TEXT, WORDS, st.tuples(TEXT, TEXT))
def test_a_sidecar_reads_as_it_was_written(key: str, text: str, field: tuple[str, str]) -> None:
    held = replace(stored(text), key=key, body=file_stem(key) + "-1", headers=(field,))
    assert loads(dumps(held)) == held
