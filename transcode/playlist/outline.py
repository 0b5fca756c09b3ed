"""The structure of a playlist's lines, checked before their contents are.

Decides which lines matter, what kind of playlist they make, and on which line everything is,
so that later messages can name the line. Reads no attribute.

Unknown tags are comments. What is wrong, and what a player would play on from all the same, is
left out or taken for what it most likely means, with a remark: tags without a URI, URIs without
a tag, numbers that are none, tags of the other kind of playlist.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NoReturn

from abr.errors import PlaylistError

Kind = Literal["media", "multivariant"]

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
        "#EXT-X-PLAYLIST-TYPE",
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
_EITHER_TAGS = frozenset(
    ["#EXTM3U", "#EXT-X-INDEPENDENT-SEGMENTS", "#EXT-X-START", "#EXT-X-VERSION"]
)
_WHOLE_TAGS = frozenset(
    [
        "#EXT-X-DISCONTINUITY-SEQUENCE",
        "#EXT-X-MEDIA-SEQUENCE",
        "#EXT-X-TARGETDURATION",
        "#EXT-X-VERSION",
    ]
)
_OWNERS: Mapping[str, Kind] = {"#EXTINF": "media", "#EXT-X-STREAM-INF": "multivariant"}
"""Tags whose URI is on the next line, and the kind of playlist that they make."""
_DURATION = re.compile(r"#EXTINF\s*:\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(\s[^,]*)?(?:,|$)")
"""Lists of television channels put attributes between the seconds and the comma."""
_NOT_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(slots=True)
class Outline:
    """Lines that matter, and the line number of everything that a message may name."""

    where: str
    """Name of the playlist, for messages."""
    kind: Kind = "media"
    uri_lines: list[int] = field(default_factory=list)
    """Of each segment or variant, in order."""
    tag_lines: dict[str, list[int]] = field(default_factory=dict)
    """Of each known tag, in order."""
    remarks: list[str] = field(default_factory=list)
    """What was wrong and is passed over, with its line."""
    _open: tuple[int, str] | None = None
    _kept: list[str] = field(default_factory=list)

    def fail(self, line: int, what: str) -> NoReturn:
        """Raise the error of ``line``."""
        raise PlaylistError(f"{self.where}:{line}: {what}")

    def remark(self, line: int, what: str) -> None:
        """Note something wrong on ``line`` that does not keep anybody from playing."""
        self.remarks.append(f"{self.where}:{line}: {what}")

    def line_of(self, tag: str) -> int:
        """Where ``tag`` stands first; line 1 when it does not."""
        return self.tag_lines.get(tag, [1])[0]

    def scan(self, text: str) -> list[str]:
        """The lines to read on, stripped; others are blank, so that numbers stay.

        Raises:
            PlaylistError: not a playlist, or segments and variants at once.
        """
        lines = [line.strip() for line in re.split(r"\r\n|\n|\r", text.removeprefix("\ufeff"))]
        first = self._first(lines)
        self.kind = self._kind(lines)
        self._kept = [""] * first
        for number, line in enumerate(lines[first:], first + 1):
            self._kept.append(self._line(number, line))
        self._drop_open()
        return self._kept

    def _first(self, lines: list[str]) -> int:
        """Index of the line that says that this is a playlist."""
        for index, line in enumerate(lines):
            words = line.split(None, 1)
            if words[:1] == ["#EXTM3U"]:
                if index:
                    self.remark(index + 1, "#EXTM3U; expected it on the first line")
                if words[1:]:
                    self.remark(index + 1, "#EXTM3U with more behind it; expected it alone")
                lines[index] = words[0]
                return index
            if line and (not line.startswith("#") or line.startswith("#EXT")):
                break
        return self.fail(1, "another first line; expected #EXTM3U, the mark of a playlist")

    def _kind(self, lines: list[str]) -> Kind:
        """The kind of playlist that the lines make."""
        found: dict[Kind, int] = {}
        others: dict[Kind, int] = {}
        for number, line in enumerate(lines, 1):
            tag = _tag_of(line)
            kind = _kind_of(tag)
            if kind is not None:
                (found if tag in _OWNERS else others).setdefault(kind, number)
        if len(found) == 2:
            number = max(found.values())
            self.fail(number, "segments and variants in one playlist; expected one or the other")
        if not found and not others:
            self.fail(1, "neither segments nor variants; expected #EXTINF or #EXT-X-STREAM-INF")
        return next(iter(found or others))

    def _line(self, number: int, line: str) -> str:
        if _NOT_TEXT.search(line):
            self.fail(number, "a control character; expected plain text")
        if not line.startswith("#"):
            return self._uri(number, line) if line else line
        tag = _tag_of(line)
        kind = _kind_of(tag)
        if kind is None and tag not in _EITHER_TAGS:
            return ""
        if kind not in (None, self.kind):
            self.remark(number, f"{tag} in a {self.kind} playlist; expected tags of one kind only")
            return ""
        if tag in _WHOLE_TAGS:
            line = self._whole(number, tag, line)
        if line:
            self.tag_lines.setdefault(tag, []).append(number)
        if tag in _OWNERS:
            self._drop_open()
            if tag == "#EXTINF":
                line = self._duration(number, line)
                if not line:
                    return line
            self._open = (number, tag)
        return line

    def _duration(self, number: int, line: str) -> str:
        """EXTINF whose seconds stand alone before the comma; empty when there are none in it."""
        match = _DURATION.match(line)
        if match is None:
            self.remark(number, "#EXTINF without seconds; expected a number of 0 or more")
            self.tag_lines["#EXTINF"].remove(number)
            return ""
        if (match[2] or "").strip():
            self.remark(number, "#EXTINF with attributes; expected a comma behind the seconds")
        return f"#EXTINF:{match[1]},{line[match.end() :]}"

    def _drop_open(self) -> None:
        """Leave out a tag whose URI did not come."""
        if self._open is not None:
            number, tag = self._open
            self.remark(number, f"{tag} without a URI; expected one after it")
            self._kept[number - 1] = ""
            self.tag_lines[tag].remove(number)
        self._open = None

    def _uri(self, number: int, line: str) -> str:
        if self._open is None:
            self.remark(number, "a URI without a tag; expected #EXTINF or #EXT-X-STREAM-INF before")
            return ""
        self._open = None
        self.uri_lines.append(number)
        return line

    def _whole(self, number: int, tag: str, line: str) -> str:
        """A tag of one whole number; empty when there is none in it."""
        value = line.partition(":")[2].strip()
        if re.fullmatch("[0-9]{1,20}", value):
            return f"{tag}:{value}"
        if tag == "#EXT-X-TARGETDURATION" and re.fullmatch(r"[0-9]{1,9}\.[0-9]*", value):
            self.remark(number, f"{tag}:{value}; expected a whole number")
            return f"{tag}:{math.ceil(float(value))}"
        self.remark(number, f"{tag} without a whole number; expected one of 0 or more")
        return ""


def _tag_of(line: str) -> str:
    return line.partition(":")[0].rstrip() if line.startswith("#EXT") else ""


def _kind_of(tag: str) -> Kind | None:
    if tag in _MEDIA_TAGS:
        return "media"
    return "multivariant" if tag in _MULTIVARIANT_TAGS else None
