"""The structure of a playlist's lines, checked before their contents are.

Decides which lines matter, what kind of playlist they make, and on which line everything is,
so that later messages can name the line. Reads no attribute.

Unknown tags are comments. Two tags are refused because ignoring them would give wrong
URIs or missing segments: EXT-X-DEFINE and EXT-X-SKIP.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, NoReturn

from abr.errors import PlaylistError

_MEDIA_TAGS = frozenset(
    [
        "#EXTINF",
        "#EXT-X-BITRATE",
        "#EXT-X-BYTERANGE",
        "#EXT-X-DISCONTINUITY",
        "#EXT-X-ENDLIST",
        "#EXT-X-GAP",
        "#EXT-X-I-FRAMES-ONLY",
        "#EXT-X-IMAGES-ONLY",
        "#EXT-X-KEY",
        "#EXT-X-MAP",
        "#EXT-X-MEDIA-SEQUENCE",
        "#EXT-X-PLAYLIST-TYPE",
        "#EXT-X-TARGETDURATION",
        "#EXT-X-TILES",
    ]
)
_MULTIVARIANT_TAGS = frozenset(
    [
        "#EXT-X-I-FRAME-STREAM-INF",
        "#EXT-X-IMAGE-STREAM-INF",
        "#EXT-X-MEDIA",
        "#EXT-X-STREAM-INF",
    ]
)
_EITHER_TAGS = frozenset(["#EXTM3U", "#EXT-X-VERSION", "#EXT-X-INDEPENDENT-SEGMENTS"])
_REFUSED = {
    "#EXT-X-DEFINE": "variables, which are not supported; expected literal URIs",
    "#EXT-X-SKIP": "a delta update, which was not asked for; expected all segments",
}
_NOT_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(slots=True)
class Outline:
    """Lines that matter, and the line number of everything that a message may name."""

    where: str
    """Name of the playlist, for messages."""
    kind: Literal["", "media", "multivariant"] = ""
    uri_lines: list[int] = field(default_factory=list)
    """Of each segment or variant, in order."""
    tag_lines: dict[str, list[int]] = field(default_factory=dict)
    """Of each known tag, in order."""
    _open: tuple[int, str] | None = None

    def fail(self, line: int, what: str) -> NoReturn:
        """Raise the error of ``line``."""
        raise PlaylistError(f"{self.where}:{line}: {what}")

    def line_of(self, tag: str) -> int:
        """Where ``tag`` stands first; line 1 when it does not."""
        return self.tag_lines.get(tag, [1])[0]

    def scan(self, text: str) -> list[str]:
        """The lines to read on, stripped; others are blank, so that numbers stay.

        Raises:
            PlaylistError: not a playlist, both kinds at once, or a URI and its tag apart.
        """
        lines = re.split(r"\r\n|\n|\r", text.removeprefix("\ufeff"))
        if lines[0].split() != ["#EXTM3U"]:
            self.fail(1, "another first line; expected #EXTM3U, the mark of a playlist")
        kept = [self._line(number, line.strip()) for number, line in enumerate(lines, 1)]
        if self._open is not None:
            self.fail(self._open[0], f"{self._open[1]} without a URI; expected one after it")
        if not self.kind:
            self.fail(1, "neither segments nor variants; expected #EXTINF or #EXT-X-STREAM-INF")
        return kept

    def _line(self, number: int, line: str) -> str:
        if _NOT_TEXT.search(line):
            self.fail(number, "a control character; expected plain text")
        if not line.startswith("#"):
            if line:
                self._uri(number)
            return line
        tag = line.partition(":")[0].rstrip()
        if tag in _REFUSED:
            self.fail(number, f"{tag}: {_REFUSED[tag]}")
        if not self._known(number, tag):
            return ""
        self.tag_lines.setdefault(tag, []).append(number)
        if tag in ("#EXTINF", "#EXT-X-STREAM-INF"):
            if self._open is not None:
                self.fail(number, f"{tag} where a URI was due; expected one after {self._open[1]}")
            self._open = (number, tag)
        return line

    def _known(self, number: int, tag: str) -> bool:
        if tag in _EITHER_TAGS:
            return True
        kind: Literal["media", "multivariant"]
        if tag in _MEDIA_TAGS:
            kind = "media"
        elif tag in _MULTIVARIANT_TAGS:
            kind = "multivariant"
        else:
            return False
        if self.kind and self.kind != kind:
            self.fail(number, f"{tag} in a {self.kind} playlist; expected tags of one kind only")
        self.kind = kind
        return True

    def _uri(self, number: int) -> None:
        if self._open is None:
            self.fail(number, "a URI without a tag; expected #EXTINF or #EXT-X-STREAM-INF before")
        self._open = None
        self.uri_lines.append(number)
