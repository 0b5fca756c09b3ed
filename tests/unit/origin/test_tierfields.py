"""Fields between tiers, and what is left of them for a viewer."""

from __future__ import annotations

import pytest

from edge.caching.directives import TARGETED, TARGETED_WITH_TOKENS, control_of
from origin.httprules import join_fields
from origin.tierfields import (
    asked_by_tier,
    next_tier_fields,
    private_control,
    tier_fields,
    viewer_fields,
)


@pytest.mark.parametrize(
    ("value", "is_ours"),
    [
        ('abrkit; id="00ff"', True),
        ("abrkit", True),
        ('other; v=1, abrkit; id="1"', True),
        ("abrkit2; id=1", False),
        ("not-abrkit", False),
        ("other", False),
        ("", False),
    ],
)
def test_a_tier_is_known_by_its_name_in_cdn_loop(value: str, is_ours: bool) -> None:
    assert asked_by_tier([("Host", "x"), ("cdn-loop", value)]) is is_ours


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("", "private"),
        ("public, max-age=31536000, immutable", "private, max-age=31536000, immutable"),
        ("s-maxage=60, max-age=5", "private, max-age=5"),
        ("Public,S-MaxAge=60", "private"),
        ("max-age=5, must-revalidate", "private, max-age=5, must-revalidate"),
        ("private, max-age=5", "private, max-age=5"),
        ('private="x, public", max-age=5', "private, max-age=5"),
        ("no-store", "no-store"),
        ("no-cache", "private, no-cache"),
        ('broken="', 'private, broken="'),
    ],
)
def test_no_shared_cache_may_keep_what_a_viewer_gets(said: str, shown: str) -> None:
    assert private_control(said) == shown


def test_the_fields_between_tiers_are_taken_off_for_viewers() -> None:
    fields = [
        ("ETag", '"1"'),
        ("Cache-Control", "public"),
        ("cache-control", "max-age=9"),
        ("CDN-Cache-Control", "max-age=60"),
        ("Surrogate-Control", "max-age=60"),
        ("Expires", "Tue, 15 Nov 2044 08:12:31 GMT"),
        ("Cache-Tag", "film"),
        ("X-Accel-Expires", "600"),
        ("Some-Cache-Control", "max-age=60"),
        *tier_fields("max-age=60", ("film", "film/r1")),
    ]
    assert viewer_fields(fields) == [("ETag", '"1"'), ("Cache-Control", "private, max-age=9")]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ([("Cache-Control", "public, max-age=9")], "public, max-age=9"),
        ([("Cache-Control", "private"), ("CDN-Cache-Control", "max-age=5")], "max-age=5"),
        ([("Cache-Control", "private"), ("Abr-Cache-Control", "max-age=7")], "max-age=7"),
        ([], "max-age=0"),
    ],
)
def test_another_tier_is_told_what_the_parent_said_and_no_foreign_cache_is(
    said: list[tuple[str, str]], told: str
) -> None:
    """Whoever says that it is one could have a foreign cache keep the answer otherwise."""
    found = join_fields(next_tier_fields([("ETag", '"1"'), *said, ("Cache-Tag", "film")]))
    assert found["abr-cache-control"] == told
    assert "private" in found["cache-control"]
    assert (found["etag"], found["cache-tag"]) == ('"1"', "film")
    assert not found.keys() & {"cdn-cache-control", "surrogate-control", "expires"}


def test_only_a_cache_that_checks_tokens_acts_on_our_field() -> None:
    headers = join_fields(
        [("Cache-Control", "private, max-age=5"), *tier_fields("max-age=60, immutable", ("f",))]
    )
    trusted, foreign = control_of(headers, TARGETED_WITH_TOKENS), control_of(headers, TARGETED)
    assert (trusted.max_age_s, trusted.private, trusted.is_targeted) == (60.0, False, True)
    assert (foreign.private, foreign.is_targeted) == (True, False)
