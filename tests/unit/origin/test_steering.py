"""The steering tag in a multivariant playlist."""

from __future__ import annotations

from origin.steering import LINE, with_steering

PLAIN = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv0.m3u8\n"


def test_the_tag_comes_second_and_nothing_else_changes() -> None:
    """#EXTM3U must stay the first line."""
    lines = with_steering(PLAIN).split("\n")
    assert lines[:2] == ["#EXTM3U", LINE]
    assert "\n".join(lines[:1] + lines[2:]) == PLAIN


def test_a_playlist_that_is_steered_already_stays_as_it_is() -> None:
    """The tag may appear once."""
    steered = with_steering(PLAIN)
    assert with_steering(steered) == steered
