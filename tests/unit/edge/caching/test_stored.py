"""What was said with a stored body survives on disk, and damage is recognised."""

import json
from dataclasses import replace

import pytest

from edge.caching import stored as sidecar
from edge.caching.freshness import Freshness
from edge.caching.stored import StoredObject, storable_headers

FRESH = Freshness(age_s=1.0, lifetime_s=60.0, stale_while_revalidate_s=0.0, stale_if_error_s=5.0)


def stored(key: str = "/t/ü") -> StoredObject:
    return StoredObject(
        key=key,
        body=sidecar.file_stem(key) + "-1",
        size_bytes=3,
        sha256="ab",
        headers=(("ETag", '"x"'), ("Content-Type", "video/mp4"), ("Cache-Control", "max-age=60")),
        stored_s=100.25,
        fresh=FRESH,
    )


def test_what_is_written_reads_the_same() -> None:
    assert sidecar.loads(sidecar.dumps(stored())) == stored()


def test_a_variant_and_a_part_read_the_same() -> None:
    part = replace(
        stored(),
        body=f"{sidecar.file_stem('/t')}-1",
        base="/t",
        status=203,
        reason="Fine",
        vary=(("accept-language", "de"), ("x", None)),
        start_byte=10,
        total_bytes=13,
        tags=("title-1",),
    )
    assert sidecar.loads(sidecar.dumps(part)) == part
    assert part.lookup_key == "/t"
    assert stored().lookup_key == "/t/ü"


@pytest.mark.parametrize(
    "damage",
    [
        {"version": 1},
        {"total_bytes": 2},
        {"start_byte": -1},
        {"status": 103},
        {"vary": [["x"]]},
        {"tags": None},
        {"size_bytes": -1},
        {"size_bytes": "many"},
        {"body": "../../etc/passwd"},
        {"body": sidecar.file_stem("/other") + "-1"},
        {"headers": [["only-a-name"]]},
        {"fresh": {"age_s": 1}},
        {"fresh": None},
        {"key": "/moved"},
    ],
)
def test_a_damaged_sidecar_is_none(damage: dict[str, object]) -> None:
    raw = json.loads(sidecar.dumps(stored())) | damage
    assert sidecar.loads(json.dumps(raw).encode()) is None


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff", b"3", b'{"version": 1}'])
def test_garbage_is_none(data: bytes) -> None:
    assert sidecar.loads(data) is None


def test_fields_of_one_hop_are_not_kept() -> None:
    pairs = [
        ("Connection", "close, X-Hop"),
        ("X-Hop", "1"),
        ("Transfer-Encoding", "chunked"),
        ("Age", "4"),
        ("ETag", '"x"'),
    ]
    assert storable_headers(pairs) == (("ETag", '"x"'),)


def test_a_validation_renews_fields_but_not_those_of_the_body() -> None:
    fresh = Freshness(age_s=0.0, lifetime_s=9.0, stale_while_revalidate_s=0.0, stale_if_error_s=0.0)
    headers = [
        ("cache-control", "max-age=9"),
        ("Content-Encoding", "gzip"),
        ("Content-Length", "9"),
        ("Content-Type", "video/mp4;x=1"),
        ("X-New", "1"),
    ]
    after = stored().refresh(headers, stored_s=200.0, fresh=fresh)
    assert after.header("Cache-Control") == "max-age=9"
    assert after.header("content-type") == "video/mp4;x=1"
    assert after.header("content-encoding") is None
    assert after.header("content-length") is None
    assert after.header("x-new") == "1"
    assert after.entry().lifetime_s == 9.0
    assert after.size_bytes == 3


def test_what_was_stored_in_the_future_is_no_longer_fresh() -> None:
    """By a clock that was set back since; a moment may lie between two processes."""
    at_s = stored().stored_s
    assert stored().ttl_at(at_s - 1.0) == 59.0
    assert stored().ttl_at(at_s - 7200.0) == 0.0
    assert stored().ttl_at(at_s + 10.0) == 49.0
