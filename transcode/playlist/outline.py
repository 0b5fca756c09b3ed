"""The structure of a playlist's lines, checked before their contents are.

Decides which lines matter, what kind of playlist they make, and on which line everything is,
so that later messages can name the line. Reads no attribute.

Unknown tags are comments. What is wrong, and what a player would play on from all the same, is
left out or taken for what it most likely means, with a remark: numbers that are none, tags of the
other kind of playlist.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, NoReturn

from abr.errors import PlaylistError

Kind = Literal["media", "multivariant"]


class Line(NamedTuple):
    """A tag that is known, or a URI."""

    number: int
    """From 1."""
    tag: str
    """Such as ``#EXTINF``; empty for a URI."""
    value: str
    """What follows the colon, or the URI."""


_MEDIA_TAGS = frozenset(
    [
        "#EXTINF",
        "#EXT-X-BITRATE",
        "#EXT-X-BYTERANGE",
        "#EXT-X-DISCONTINUITY",
        "#EXT-X-DISCONTINUITY-SEQUENCE",
        "#EXT-X-ENDLIST",
        "#EXT-X-GAP",
        "#EXT-X-I-FRAMES-ONLY",
        "#EXT-X-IMAGES-ONLY",
        "#EXT-X-KEY",
        "#EXT-X-MAP",
        "#EXT-X-MEDIA-SEQUENCE",
        "#EXT-X-PART-INF",
        "#EXT-X-PLAYLIST-TYPE",
        "#EXT-X-PROGRAM-DATE-TIME",
        "#EXT-X-SERVER-CONTROL",
        "#EXT-X-SKIP",
        "#EXT-X-TARGETDURATION",
        "#EXT-X-TILES",
    ]
)
_MULTIVARIANT_TAGS = frozenset(
    [
        "#EXT-X-CONTENT-STEERING",
        "#EXT-X-I-FRAME-STREAM-INF",
        "#EXT-X-IMAGE-STREAM-INF",
        "#EXT-X-MEDIA",
        "#EXT-X-STREAM-INF",
    ]
)
_EITHER_TAGS = frozenset(["#EXT-X-INDEPENDENT-SEGMENTS", "#EXT-X-START", "#EXT-X-VERSION"])
_WHOLE_TAGS = frozenset(
    [
        "#EXT-X-DISCONTINUITY-SEQUENCE",
        "#EXT-X-MEDIA-SEQUENCE",
        "#EXT-X-TARGETDURATION",
        "#EXT-X-VERSION",
    ]
)
_DECIDING_TAGS = ("#EXTINF", "#EXT-X-STREAM-INF")
"""Of which a playlist holds one kind only."""
_NOT_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")
_LINE_ENDS = re.compile(r"\r\n|\n|\r")


@dataclass(slots=True)
class Outline:
    """Lines that matter, and everything that a message may name."""

    where: str
    """Name of the playlist, for messages."""
    kind: Kind = "media"
    lines: list[Line] = field(default_factory=list, repr=False)
    remarks: list[str] = field(default_factory=list)
    """What was wrong and is passed over, with its line."""

    def fail(self, line: int, what: str) -> NoReturn:
        """Raise the error of ``line``."""
        raise PlaylistError(f"{self.where}:{line}: {what}")

    def remark(self, line: int, what: str) -> None:
        """Note something wrong on ``line`` that does not keep anybody from playing."""
        self.remarks.append(f"{self.where}:{line}: {what}")

    def scan(self, text: str) -> None:
        """Find the lines that matter.

        Raises:
            PlaylistError: not a playlist, or segments and variants at once.
        """
        texts = [line.strip() for line in _LINE_ENDS.split(text.removeprefix("\ufeff"))]
        first = self._first(texts)
        if _NOT_TEXT.search(text):
            self._refuse_control(texts, first)
        lines = [
            Line(number, *_tag_and_value(line))
            for number, line in enumerate(texts[first + 1 :], first + 2)
            if line and (line[0] != "#" or line.startswith("#EXT"))
        ]
        self.kind = self._kind(lines)
        known = _MEDIA_TAGS if self.kind == "media" else _MULTIVARIANT_TAGS
        keep = self.lines.append
        for line in lines:
            if line.tag in _WHOLE_TAGS:
                self._keep_whole(line)
            elif line.tag in known or not line.tag or line.tag in _EITHER_TAGS:
                keep(line)
            elif line.tag in _MEDIA_TAGS or line.tag in _MULTIVARIANT_TAGS:
                self._remark_kind(line)

    def _first(self, texts: list[str]) -> int:
        """Index of the line that says that this is a playlist."""
        for index, line in enumerate(texts):
            words = line.split(None, 1)
            if words[:1] == ["#EXTM3U"]:
                if index:
                    self.remark(index + 1, "#EXTM3U; expected it on the first line")
                if words[1:]:
                    self.remark(index + 1, "#EXTM3U with more behind it; expected it alone")
                return index
            if line and (not line.startswith("#") or line.startswith("#EXT")):
                break
        return self.fail(1, "another first line; expected #EXTM3U, the mark of a playlist")

    def _refuse_control(self, texts: list[str], first: int) -> None:
        """RFC 8216bis, 4.1: clients SHOULD fail to parse a playlist with a control character."""
        for number, line in enumerate(texts, 1):
            if number > first and _NOT_TEXT.search(line):
                self.fail(number, "a control character; expected plain text")

    def _kind(self, lines: list[Line]) -> Kind:
        """The kind of playlist that the lines make."""
        first: dict[str, int] = {}
        for number, tag, _ in lines:
            if tag not in first:
                first[tag] = number
        segments, variants = (first.get(tag) for tag in _DECIDING_TAGS)
        if segments and variants:
            number = max(segments, variants)
            self.fail(number, "segments and variants in one playlist; expected one or the other")
        if segments or variants:
            return "media" if segments else "multivariant"
        for tag in first:
            if tag in _MEDIA_TAGS or tag in _MULTIVARIANT_TAGS:
                return "media" if tag in _MEDIA_TAGS else "multivariant"
        return self.fail(1, "neither segments nor variants; expected #EXTINF or #EXT-X-STREAM-INF")

    def _remark_kind(self, line: Line) -> None:
        what = f"{line.tag} in a {self.kind} playlist; expected tags of one kind only"
        self.remark(line.number, what)

    def _keep_whole(self, line: Line) -> None:
        """Keep a tag of one whole number, if there is one in it."""
        number, tag, value = line
        if tag in _MEDIA_TAGS and self.kind != "media":
            self._remark_kind(line)
        elif re.fullmatch("[0-9]{1,20}", value):
            self.lines.append(line)
        elif tag == "#EXT-X-TARGETDURATION" and re.fullmatch(r"[0-9]{1,9}\.[0-9]*", value):
            self.remark(number, f"{tag}:{value}; expected a whole number")
            self.lines.append(Line(number, tag, str(math.ceil(float(value)))))
        else:
            self.remark(number, f"{tag} without a whole number; expected one of 0 or more")


def _tag_and_value(line: str) -> tuple[str, str]:
    if line[0] != "#":
        return "", line
    tag, _, value = line.partition(":")
    return tag.rstrip(), value.lstrip()
