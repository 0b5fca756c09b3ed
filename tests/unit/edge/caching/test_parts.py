"""Parts of large representations: what is asked for, and what is believed."""

from __future__ import annotations

import pytest

from edge.caching.freshness import Freshness
from edge.caching.parts import (
    Part,
    Window,
    covering,
    read_part,
    slice_at,
    usable_parts,
    window_of,
)
from edge.caching.stored import StoredObject

S = 100
FRESH = Freshness(age_s=0, lifetime_s=60, stale_while_revalidate_s=0, stale_if_error_s=0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bytes=250-260", Window(200, 300)),
        ("bytes=100-", Window(100, 200)),
        ("bytes=99-", None),  # it would not wait for more than a slice
        ("bytes=0-5", None),
        ("bytes=-5", Window(-5)),
        ("bytes=-0", None),
        ("bytes=250-260, 300-310", None),
        ("lines=250-", None),
        ("bytes=-", None),
        ("", None),
        (None, None),
    ],
)
def test_what_is_asked_for_first(text: str | None, expected: Window | None) -> None:
    assert window_of(text, S) == expected


def test_windows_read_as_range_fields() -> None:
    assert str(Window(100, 200)) == "bytes=100-199"
    assert str(Window(-5)) == "bytes=-5"
    assert slice_at(250, S, 270) == Window(200, 270)


@pytest.mark.parametrize(
    ("asked", "field", "length", "expected"),
    [
        (Window(100, 200), "bytes 100-199/1000", 100, Part(100, 200, 1000)),
        (Window(100, 200), "bytes 100-149/150", 50, Part(100, 150, 150)),
        (Window(100, 200), "bytes 100-149/1000", 50, None),  # cut short
        (Window(100, 200), "bytes 90-199/1000", 110, None),
        (Window(100, 200), "bytes 100-199/1000", 99, None),
        (Window(100, 200), "bytes 100-199/*", 100, None),
        (Window(100, 200), "bytes 100-199/150", 100, None),
        (Window(-5), "bytes 95-99/100", 5, Part(95, 100, 100)),
        (Window(-500), "bytes 0-99/100", 100, Part(0, 100, 100)),
        (Window(-5), "bytes 4-9/10", 5, None),  # six bytes named, five sent
        (Window(-5), "bytes 0-4/10", 5, None),
        (Window(-5), "", 5, None),
    ],
)
def test_only_the_part_that_was_asked_for_is_believed(
    asked: Window, field: str, length: int, expected: Part | None
) -> None:
    assert read_part(206, {"content-range": field}, length, asked) == expected
    assert read_part(200, {"content-range": field}, length, asked) is None


def part(start: int, tag: str = '"x"', *, stored_s: float = 0) -> StoredObject:
    return StoredObject(
        key=f"k {start}",
        body="",
        size_bytes=S,
        sha256="",
        headers=(("ETag", tag),) if tag else (),
        stored_s=stored_s,
        fresh=FRESH,
        base="k",
        start_byte=start,
        total_bytes=1000,
    )


def test_parts_belong_together_by_a_strong_tag_only() -> None:
    for other, together in ((part(0), 2), (part(0, '"y"'), 1), (part(0, 'W/"x"'), 1)):
        assert len(usable_parts([part(100), other], now_s=1)) == together
    assert len(usable_parts([part(100, ""), part(0, "")], now_s=1)) == 1


def test_stale_parts_are_of_no_use() -> None:
    assert usable_parts([part(100)], now_s=60) == []


def test_a_byte_is_found_in_the_part_that_holds_it() -> None:
    parts = [part(100), part(300)]
    assert covering(parts, 199) is parts[0]
    assert covering(parts, 200) is None
    assert covering(parts, 300) is parts[1]
