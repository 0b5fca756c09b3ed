"""Heads of requests that are refused whatever they ask for."""

from __future__ import annotations

import pytest

from origin.framing import RawField, find_fault

HOST: RawField = (b"Host", b"x")
LENGTH: RawField = (b"Content-Length", b"0")
CODING: RawField = (b"transfer-encoding", b"chunked")


@pytest.mark.parametrize(
    ("fields", "http_1_1", "status"),
    [
        ([HOST], True, None),
        ([HOST, LENGTH], True, None),
        ([HOST, CODING], True, None),
        ([], False, None),
        ([HOST, (b"X", b"1"), (b"X", b"2")], True, None),
        ([], True, 400),
        ([HOST, (b"host", b"y")], True, 400),
        ([HOST, HOST], False, 400),
        ([HOST, LENGTH, LENGTH], True, 400),
        ([HOST, CODING, CODING], True, 400),
        ([HOST, LENGTH, CODING], True, 400),
        ([HOST, CODING], False, 400),
        ([HOST, (b"X", b"a" * 32768)], True, 431),
        ([(b"Host", b"x.example:8080")], True, None),
        ([(b"Host", b"[::1]:80")], True, None),
        ([(b"Host", b"")], True, None),
        ([(b"Host", b"x/y")], True, 400),
        ([(b"Host", b"user@x")], True, 400),
        ([(b"Host", b"x y")], True, 400),
        ([(b"Host", b"x:port")], True, 400),
        ([(b"Host", b"x\\y")], True, 400),
    ],
)
def test_ambiguous_and_oversized_heads_are_refused(
    fields: list[RawField], http_1_1: bool, status: int | None
) -> None:
    """One Host, one way to tell the length, 32 KiB in all."""
    found = find_fault(fields, http_1_1=http_1_1)
    assert (found.status if found else None) == status
