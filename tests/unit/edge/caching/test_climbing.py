"""Which request targets could lead out of a parent's folder."""

from __future__ import annotations

import pytest

from edge.caching.forwarding import climbs


@pytest.mark.parametrize(
    "target",
    [
        "/../x",
        "/a/../../x",
        "/a/..",
        "/%2e%2e/x",
        "/.%2E/x",
        "/a%2f..%2Fx",
        "/a\\..\\x",
        "/a%5c%2e%2e%5cx",
        "/..;x=1/x",
        "/%2e%2e%3bx/x",
        "/%252e%252e/x",
        "/%25252e%25252e%25252fx",
        "/%c0%ae%c0%ae/x",
        "/..%c0%afx",
        "/..%20/x",
        "/%09../x",
        "/%" + "25" * 40 + "2e",
    ],
)
def test_a_way_up_is_seen_however_it_is_written(target: str) -> None:
    assert climbs(target)


@pytest.mark.parametrize(
    "target",
    ["/", "*", "/a/b", "/a..b/c", "/...", "/.../x", "/a?x=../..", "/%41", "/%", "/%zz", "/a;../b"],
)
def test_what_does_not_lead_up_is_let_through(target: str) -> None:
    assert not climbs(target)
