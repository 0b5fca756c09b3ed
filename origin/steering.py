"""Where players ask to be steered: the tag in a multivariant playlist.

The URI is relative, so it inherits the token in the playlist's path and leads to the cache that the
playlist came from. Source: RFC 8216bis, EXT-X-CONTENT-STEERING.
"""

from __future__ import annotations

TAG = "#EXT-X-CONTENT-STEERING"
"""Name of the tag."""

LINE = f'{TAG}:SERVER-URI="steering",PATHWAY-ID="."'
"""The tag as it is added: every variant belongs to the pathway ``.`` unless it names one."""


def with_steering(text: str) -> str:
    """A multivariant playlist with the tag; one that has it already is not changed."""
    if TAG in text:
        return text
    head, newline, rest = text.partition("\n")
    return f"{head}{newline}{LINE}\n{rest}" if newline else text
