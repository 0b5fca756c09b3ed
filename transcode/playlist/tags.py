"""The lines of a playlist exactly as written, with what is wrong in each.

``read`` gives typed values and leaves out what players do not need; a checker needs every tag
and attribute, known or not, and the number of its line. Nothing is refused here but text that
is no playlist at all.

Source: RFC 8216bis, sections 4.1 (lines), 4.2 (attribute lists).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from abr.errors import PlaylistError

ATTRIBUTE_TAGS = frozenset(
    [
        "#EXT-X-DATERANGE",
        "#EXT-X-DEFINE",
        "#EXT-X-I-FRAME-STREAM-INF",
        "#EXT-X-KEY",
        "#EXT-X-MAP",
        "#EXT-X-MEDIA",
        "#EXT-X-SESSION-DATA",
        "#EXT-X-SESSION-KEY",
        "#EXT-X-START",
        "#EXT-X-STREAM-INF",
    ]
)
"""Tags whose value is a list of attributes."""
_ATTRIBUTE = re.compile(r'\s*([A-Z0-9-]+)=("([^"]*)"|[^",\s][^",]*)\s*(?:,|$)')
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")

_REPLACED = "\ufffd"
"""What decoding puts in place of bytes that are none (4.1: playlists are in UTF-8)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line that is neither blank nor a comment."""

    number: int
    """From 1."""
    tag: str
    """Such as ``#EXTINF``; empty for a URI."""
    value: str
    """What follows the colon, or the URI."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """By name, without quotation marks."""
    quoted: frozenset[str] = frozenset()
    """Names of attributes written between quotation marks."""
    faults: tuple[str, ...] = ()
    """What breaks the grammar."""


def read_lines(text: str, *, where: str = "playlist") -> tuple[Line, ...]:
    """Every tag and URI of a playlist, in order.

    Args:
        text: The whole playlist.
        where: A name for messages.

    Raises:
        PlaylistError: the first line is not ``#EXTM3U``.
    """
    lines = re.split(r"\r\n|\n|\r", text.removeprefix("\ufeff"))
    if lines[0].rstrip() != "#EXTM3U":
        raise PlaylistError(
            f"{where}:1: another first line; expected #EXTM3U, the mark of a playlist"
        )
    found = tuple(_lines(lines))
    if text.startswith("\ufeff"):
        # 4.1: clients should reject a playlist with a byte order mark.
        first = Line(number=1, tag="#EXTM3U", value="", faults=("a byte order mark before it",))
        found = (first, *found)
    return found


def _lines(lines: list[str]) -> Iterator[Line]:
    for number, text in enumerate(lines[1:], 2):
        line = text.strip()
        if not line or (line.startswith("#") and not line.startswith("#EXT")):
            continue
        faults = ["a control character in it"] if _CONTROL.search(line) else []
        if _REPLACED in line:
            faults.append("bytes that are not UTF-8")
        if not line.startswith("#"):
            yield Line(number=number, tag="", value=line, faults=tuple(faults))
            continue
        tag, _, value = line.partition(":")
        if tag not in ATTRIBUTE_TAGS:
            yield Line(number=number, tag=tag, value=value, faults=tuple(faults))
            continue
        attributes, quoted, wrong = _attributes(value)
        yield Line(
            number=number,
            tag=tag,
            value=value,
            attributes=MappingProxyType(attributes),
            quoted=quoted,
            faults=(*faults, *wrong),
        )


def _attributes(text: str) -> tuple[dict[str, str], frozenset[str], list[str]]:
    """Attributes by name, those in quotation marks, and faults; reads as far as it can."""
    found: dict[str, str] = {}
    quoted: set[str] = set()
    faults: list[str] = []
    at = 0
    while at < len(text):
        match = _ATTRIBUTE.match(text, at)
        if match is None:
            faults.append(f"an attribute list that breaks off at {text[at : at + 20]!r}")
            break
        name = match[1]
        if name in found:
            faults.append(f"{name} twice")
        found.setdefault(name, match[2] if match[3] is None else match[3])
        if match[3] is not None:
            quoted.add(name)
        at = match.end()
    return found, frozenset(quoted), faults
