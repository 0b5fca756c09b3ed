"""What is made in advance is told apart, and refused when viewers wait for others."""

from __future__ import annotations

import pytest

from edge.operations.shedding import MOST_FILLS, Load, sheds, urgency_of

CALM = Load(fills=0, inside=10, most_inside=100, lag_s=0.0)


@pytest.mark.parametrize(
    ("fields", "target", "urgency"),
    [
        ({}, "/a", "playback"),
        ({"sec-purpose": "prefetch"}, "/a", "prefetch"),
        ({"sec-purpose": "Prefetch;prerender"}, "/a", "prefetch"),
        ({"purpose": "prefetch"}, "/a", "prefetch"),
        ({"sec-purpose": "prefetching"}, "/a", "playback"),
        ({"cmcd-request": "bl=100,sta=d"}, "/a", "prefetch"),
        ({"cmcd-request": 'sta=p,nor="sta=d.m4s"'}, "/a", "playback"),
        ({}, "/a?CMCD=bl%3D1%2Csta%3Dd%2Csu", "prefetch"),
        ({}, "/a?x=1&CMCD=sta%3Dd", "prefetch"),
        ({}, "/a?CMCD=sta%3Dp", "playback"),
        ({}, "/a?sta=d", "playback"),
    ],
)
def test_requests_made_in_advance_say_so(fields: dict[str, str], target: str, urgency: str) -> None:
    assert urgency_of(fields, target) == urgency


@pytest.mark.parametrize(
    ("load", "held", "missing"),
    [
        (CALM, False, False),
        (Load(fills=MOST_FILLS, inside=10, most_inside=100, lag_s=0.0), False, True),
        (Load(fills=0, inside=81, most_inside=100, lag_s=0.0), True, True),
        (Load(fills=0, inside=10, most_inside=100, lag_s=0.3), True, True),
    ],
)
def test_only_what_is_not_urgent_is_refused_and_hits_only_when_the_edge_itself_is_full(
    load: Load, held: bool, missing: bool
) -> None:
    assert sheds("prefetch", load, is_held=True) is held
    assert sheds("prefetch", load, is_held=False) is missing
    assert sheds("playback", load, is_held=False) is False
