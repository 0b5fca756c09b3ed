"""What was said with a stored body survives on disk, and damage is recognised."""

import json

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


def test_caches_of_earlier_versions_stay_warm() -> None:
    """A line of version 1 as it has always been on disk."""
    stem = sidecar.file_stem("/t/ü")
    text = (
        '{"version": 1, "key": "/t/\\u00fc", "body": "' + stem + '-1", "size_bytes": 3, '
        '"sha256": "ab", "headers": [["ETag", "\\"x\\""], ["Content-Type", "video/mp4"], '
        '["Cache-Control", "max-age=60"]], "stored_s": 100.25, "fresh": {"age_s": 1.0, '
        '"lifetime_s": 60.0, "usable_s": 0.0, "salvage_s": 5.0}}'
    )
    assert sidecar.dumps(stored()).decode() == text
    assert sidecar.loads(text.encode()) == stored()


@pytest.mark.parametrize(
    "damage",
    [
        {"version": 2},
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
    headers = [("cache-control", "max-age=9"), ("Content-Type", "text/html"), ("X-New", "1")]
    after = stored().refresh(headers, stored_s=200.0, fresh=fresh)
    assert after.header("Cache-Control") == "max-age=9"
    assert after.header("content-type") == "video/mp4"
    assert after.header("x-new") == "1"
    assert after.entry().lifetime_s == 9.0
    assert after.size_bytes == 3
