"""Heads of small answers: read where they are plain, and as they are sent on."""

from __future__ import annotations

import pytest

from edge.caching.smallanswers import passed_fields, read_answer

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nCache-Control: no-store\r\n"
    b"Content-Length: 16\r\n\r\n"
)


def test_a_plain_head_is_read() -> None:
    found = read_answer(HEAD)
    assert found is not None
    assert (found.status, found.reason, found.length, found.keeps_s) == (200, "OK", 16, None)
    assert found.fields[0] == ("Content-Type", "application/octet-stream")


@pytest.mark.parametrize(
    ("line", "keeps_s"),
    [
        (b"Connection: close", 0.0),
        (b"Connection: Keep-Alive", None),
        (b"Keep-Alive: timeout=5", 4.0),
        (b"Keep-Alive: timeout=0", 0.0),
        (b"Keep-Alive: timeout=9\r\nConnection: close", 0.0),
    ],
)
def test_it_says_how_long_the_connection_is_kept(line: bytes, keeps_s: float | None) -> None:
    found = read_answer(HEAD.replace(b"Content-Length", line + b"\r\nContent-Length"))
    assert found is not None
    assert found.keeps_s == keeps_s


@pytest.mark.parametrize(
    "head",
    [
        b"",
        HEAD[:-2],
        HEAD.replace(b"\r\n", b"\n"),
        HEAD.replace(b"HTTP/1.1", b"HTTP/1.0"),
        HEAD.replace(b"200 OK", b"100 Continue"),
        HEAD.replace(b"200 OK", b"204 No Content"),
        HEAD.replace(b"200 OK", b"304 Not Modified"),
        HEAD.replace(b"200 OK", b"2000 OK"),
        HEAD.replace(b"200 OK", b"200"),
        HEAD.replace(b"Content-Length: 16\r\n", b""),
        HEAD.replace(b": 16", b": +16"),
        HEAD.replace(b": 16", b": 016"),
        HEAD.replace(b": 16", b": 16, 16"),
        HEAD.replace(b": 16", b": 70000"),
        HEAD.replace(b"Content-Length: 16", b"Content-Length: 16\r\nContent-Length: 16"),
        HEAD.replace(b"Content-Length: 16", b"Transfer-Encoding: chunked"),
        HEAD.replace(b"Content-Length: 16", b"Content-Length: 16\r\nTransfer-Encoding: gzip"),
        HEAD.replace(b"Content-Length: 16", b"Content-Length: 16\r\nConnection: x-odd"),
        HEAD.replace(b"Content-Length: 16", b"Content-Length: 16\r\n folded"),
        HEAD.replace(b"Content-Length: 16", b"Content-Length : 16"),
        HEAD.replace(b"octet", b"oct\x00et"),
        HEAD.replace(b"octet", "oct\u00e9t".encode()),
        HEAD.replace(b"octet-stream", b"x" * 9000),
    ],
)
def test_every_other_head_is_left_to_a_whole_parser(head: bytes) -> None:
    assert read_answer(head) is None


def test_it_is_passed_on_without_what_is_between_neighbours_or_for_caches() -> None:
    fields = [
        ("Keep-Alive", "timeout=5"),
        ("Cache-Status", '"origin"; hit'),
        ("Cache-Control", "public, max-age=9"),
        ("Surrogate-Key", "film"),
        ("X-Own", "1"),
    ]
    assert passed_fields(fields, cache="edge", to_tier=False) == [
        ("X-Own", "1"),
        ("Cache-Status", '"origin"; hit, "edge"; fwd=bypass'),
        ("Cache-Control", "private, max-age=9"),
    ]
    to_tier = passed_fields(fields, cache="edge", to_tier=True)
    assert ("Surrogate-Key", "film") in to_tier
    assert ("Abr-Cache-Control", "public, max-age=9") in to_tier
