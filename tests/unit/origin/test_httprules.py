"""HTTP rules: conditions, ranges and the fields of every answer."""

from __future__ import annotations

import calendar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.httprules import (
    MAX_RANGES,
    Representation,
    ResponsePlan,
    Span,
    media_type,
    parse_ranges,
    plan_response,
)

NOW_S = 1796083200.0  # 1 December 2026
MODIFIED_S = calendar.timegm((2024, 2, 29, 12, 0, 5))
MODIFIED = "Thu, 29 Feb 2024 12:00:05 GMT"
BEFORE = "Thu, 29 Feb 2024 12:00:04 GMT"
HELD = Representation(
    size_bytes=100,
    media_type="video/iso.segment",
    etag='"abc"',
    last_modified_s=MODIFIED_S,
    cache_control="public, max-age=31536000, immutable",
)
DATA = bytes(range(100))


def sent(plan: ResponsePlan) -> bytes:
    """The body a server would send for ``plan``."""
    parts = (
        part if isinstance(part, bytes) else DATA[part.start : part.start + part.length]
        for part in plan.body
    )
    return b"".join(parts)


def test_a_plain_get_sends_everything_and_describes_it() -> None:
    """Length, type, both validators, freshness and the range unit are always there."""
    plan = plan_response("GET", [], HELD, now_s=NOW_S)
    assert (plan.status, sent(plan)) == (200, DATA)
    assert dict(plan.headers) == {
        "Content-Type": "video/iso.segment",
        "Content-Length": "100",
        "ETag": '"abc"',
        "Last-Modified": MODIFIED,
        "Cache-Control": "public, max-age=31536000, immutable",
        "Accept-Ranges": "bytes",
    }


@pytest.mark.parametrize("fields", [[], [("If-None-Match", '"abc"')], [("Range", "bytes=0-1")]])
def test_head_has_no_body_and_ignores_ranges(fields: list[tuple[str, str]]) -> None:
    """RFC 9110 §14.2: a range means something for GET only."""
    plan = plan_response("HEAD", fields, HELD, now_s=NOW_S)
    assert plan.body == ()
    assert plan.status == (304 if fields and fields[0][0] == "If-None-Match" else 200)
    if plan.status == 200:
        assert plan.headers == plan_response("GET", [], HELD, now_s=NOW_S).headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "get", "BREW"])
def test_other_methods_are_told_which_are_allowed(method: str) -> None:
    """405 carries Allow (RFC 9110 §15.5.6)."""
    plan = plan_response(method, [], HELD, now_s=NOW_S)
    assert plan.status == 405
    assert dict(plan.headers)["Allow"] == "GET, HEAD, OPTIONS"


CONDITIONS = [
    (304, {"If-None-Match": '"abc"'}),
    (304, {"If-None-Match": 'W/"abc"'}),
    (304, {"If-None-Match": '"x", W/"y,z" , "abc"'}),
    (304, {"If-None-Match": "*"}),
    (200, {"If-None-Match": '"ab"'}),
    (200, {"If-None-Match": "abc"}),
    (200, {"If-None-Match": ""}),
    (304, {"If-Modified-Since": MODIFIED}),
    (304, {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}),
    (200, {"If-Modified-Since": BEFORE}),
    (200, {"If-Modified-Since": "yesterday"}),
    (200, {"If-None-Match": '"other"', "If-Modified-Since": MODIFIED}),
    (304, {"If-None-Match": '"abc"', "If-Modified-Since": BEFORE}),
    (200, {"If-Match": '"abc"'}),
    (200, {"If-Match": "*"}),
    (412, {"If-Match": '"other"'}),
    (412, {"If-Match": 'W/"abc"'}),
    (412, {"If-Match": "nonsense"}),
    (412, {"If-Match": '"other"', "If-None-Match": '"abc"'}),
    (304, {"If-Match": '"abc"', "If-None-Match": '"abc"'}),
    (412, {"If-Unmodified-Since": BEFORE}),
    (200, {"If-Unmodified-Since": MODIFIED}),
    (200, {"If-Unmodified-Since": "never"}),
    (200, {"If-Match": '"abc"', "If-Unmodified-Since": BEFORE}),
    (304, {"If-None-Match": '"abc"', "Range": "bytes=0-1"}),
    (412, {"If-Match": '"x"', "Range": "bytes=900-"}),
    (206, {"If-Match": '"abc"', "Range": "bytes=0-1"}),
    (206, {"If-Range": '"abc"', "Range": "bytes=0-1"}),
    (200, {"If-Range": '"x"', "Range": "bytes=0-1"}),
    (200, {"If-Range": 'W/"abc"', "Range": "bytes=0-1"}),
    (206, {"If-Range": MODIFIED, "Range": "bytes=0-1"}),
    (200, {"If-Range": "Fri, 01 Jan 2100 00:00:00 GMT", "Range": "bytes=0-1"}),
    (200, {"If-Range": "nonsense", "Range": "bytes=900-"}),
    (200, {"If-Range": '"abc"'}),
]


@pytest.mark.parametrize(("status", "fields"), CONDITIONS, ids=str)
def test_conditions_are_evaluated_in_the_order_of_the_standard(
    status: int, fields: dict[str, str]
) -> None:
    """RFC 9110 §13.2.2, every branch."""
    plan = plan_response("GET", fields.items(), HELD, now_s=NOW_S)
    assert plan.status == status
    names = dict(plan.headers)
    assert names.get("ETag") == '"abc"'
    if status == 304:
        assert not {"Content-Length", "Content-Type"} & names.keys()
        assert plan.body == ()


RANGES: list[tuple[str, list[tuple[int, int]] | None]] = [
    ("bytes=0-0", [(0, 1)]),
    ("bytes=0-9", [(0, 10)]),
    ("bytes=90-", [(90, 10)]),
    ("bytes=90-1000", [(90, 10)]),
    ("bytes=99-99", [(99, 1)]),
    ("bytes=-1", [(99, 1)]),
    ("bytes=-100", [(0, 100)]),
    ("bytes=-1000", [(0, 100)]),
    ("BYTES=0-1", [(0, 2)]),
    ("bytes= 0-1 , 5-6\t", [(0, 2), (5, 2)]),
    ("bytes=0-1,,5-6,", [(0, 2), (5, 2)]),
    ("bytes=0-1,200-300", [(0, 2)]),
    ("bytes=0-" + "9" * 5000, [(0, 100)]),
    ("bytes=100-", []),
    ("bytes=100-200,300-", []),
    ("bytes=-0", []),
    ("bytes=" + "9" * 5000 + "-", []),
    ("bytes=", None),
    ("bytes=,", None),
    ("bytes=-", None),
    ("bytes=5-4", None),
    ("bytes=0-1,5-4", None),
    ("bytes=a-b", None),
    ("bytes=0-1-2", None),
    ("bytes=+0-1", None),
    ("bytes=0x0-1", None),
    ("bytes=٠-١", None),
    ("bytes 0-1", None),
    ("seconds=0-1", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "expected"), RANGES, ids=[row[0][:24] for row in RANGES])
def test_ranges_are_read_as_the_standard_says(
    text: str, expected: list[tuple[int, int]] | None
) -> None:
    """None: ignored, the whole object follows. Empty: 416."""
    spans = parse_ranges(text, 100)
    assert spans == (None if expected is None else [Span(*pair) for pair in expected])


def test_a_single_range_names_its_place() -> None:
    """Bytes 90 to 99 of 100: ten bytes."""
    plan = plan_response("GET", [("range", "bytes=-10")], HELD, now_s=NOW_S)
    assert (plan.status, sent(plan)) == (206, DATA[90:])
    names = dict(plan.headers)
    assert (names["Content-Range"], names["Content-Length"]) == ("bytes 90-99/100", "10")


def test_an_unsatisfiable_range_is_told_the_size() -> None:
    """416 with the size, so that a client can ask again."""
    plan = plan_response("GET", [("Range", "bytes=100-")], HELD, now_s=NOW_S)
    assert (plan.status, plan.body) == (416, ())
    assert dict(plan.headers)["Content-Range"] == "bytes */100"


def test_several_ranges_come_as_multipart_with_an_exact_length() -> None:
    """Each part names its place and its type; Content-Length counts the separators."""
    plan = plan_response("GET", [("Range", "bytes=0-1,98-")], HELD, now_s=NOW_S)
    names = dict(plan.headers)
    assert (plan.status, "Content-Range" in names) == (206, False)
    body = sent(plan)
    assert len(body) == int(names["Content-Length"]) == plan.body_bytes
    kind, _, boundary = names["Content-Type"].partition("; boundary=")
    assert kind == "multipart/byteranges"
    preamble, first, second, end = body.split(b"--" + boundary.encode())
    assert (preamble, end) == (b"\r\n", b"--\r\n")
    assert first.endswith(b"Content-Range: bytes 0-1/100\r\n\r\n" + DATA[:2] + b"\r\n")
    assert second.endswith(b"Content-Range: bytes 98-99/100\r\n\r\n" + DATA[98:] + b"\r\n")


@pytest.mark.parametrize(
    "text",
    [
        "bytes=0-50,40-60",
        "bytes=0-,0-",
        "bytes=" + ",".join(f"{n * 5}-{n * 5}" for n in range(MAX_RANGES + 1)),
        "bytes=" + "0-0," * 5000,
        "bytes=" + "," * 5000,
    ],
    ids=["overlapping", "twice the whole", "too many", "far too many", "commas"],
)
def test_wasteful_sets_of_ranges_get_the_whole_object(text: str) -> None:
    """RFC 9110 §14.2 lets a server ignore them; it costs least."""
    assert plan_response("GET", [("Range", text)], HELD, now_s=NOW_S).status == 200


def test_repeated_range_fields_are_ignored() -> None:
    """Joined by a comma they are no valid Range; nothing is guessed."""
    fields = [("Range", "bytes=0-1"), ("Range", "bytes=5-6")]
    assert plan_response("GET", fields, HELD, now_s=NOW_S).status == 200


def test_an_empty_object_is_sent_whole_and_has_no_ranges() -> None:
    """Nothing of it can be satisfied."""
    empty = Representation(
        size_bytes=0, media_type="a/b", etag='"e"', last_modified_s=0, cache_control="no-store"
    )
    plan = plan_response("GET", [], empty, now_s=NOW_S)
    assert (plan.status, plan.body, dict(plan.headers)["Content-Length"]) == (200, (), "0")
    for text in ("bytes=0-", "bytes=-5", "bytes=0-0"):
        assert plan_response("GET", [("Range", text)], empty, now_s=NOW_S).status == 416


FIELD_NAMES = ["Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since"]
FIELD_TEXT = st.text("bytes=0123456789-, W/\"abcMonTueGT:'", max_size=40) | st.sampled_from(
    [row[0] for row in RANGES] + [MODIFIED, BEFORE, '"abc"', "*"]
)


@given(st.lists(st.tuples(st.sampled_from(FIELD_NAMES), FIELD_TEXT), max_size=4))
def test_any_fields_give_a_consistent_plan(fields: list[tuple[str, str]]) -> None:
    """Whatever is asked: a known status, bytes inside the object, a true length."""
    plan = plan_response("GET", fields, HELD, now_s=NOW_S)
    assert plan.status in (200, 206, 304, 412, 416)
    assert all(
        part.start >= 0 < part.length and part.start + part.length <= 100
        for part in plan.body
        if isinstance(part, Span)
    )
    if plan.status != 304:
        assert int(dict(plan.headers)["Content-Length"]) == len(sent(plan)) == plan.body_bytes


@given(st.integers(0, 99), st.integers(0, 200))
def test_a_range_sends_exactly_those_bytes(first: int, more: int) -> None:
    """Compared with slicing."""
    plan = plan_response("GET", [("Range", f"bytes={first}-{first + more}")], HELD, now_s=NOW_S)
    assert sent(plan) == DATA[first : first + more + 1]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("multivariant.m3u8", "application/vnd.apple.mpegurl"),
        ("v0/00001.m4s", "video/iso.segment"),
        ("v0/init.mp4", "video/mp4"),
        ("s0/00001.vtt", "text/vtt; charset=utf-8"),
        ("t0/00001.jpg", "image/jpeg"),
        ("manifest.mpd", "application/dash+xml"),
        ("presentation.json", "application/json"),
        ("v0/00001.m4s.tmp", None),
        ("key.pem", None),
        ("noextension", None),
        (".m3u8", None),
    ],
)
def test_types_follow_the_suffix(path: str, expected: str | None) -> None:
    """Nothing else belongs to a package."""
    assert media_type(path) == expected
