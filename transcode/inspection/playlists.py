"""What playlists say, as data: variants, renditions and segments with their lines.

URIs stay as written, and missing values are None; ``listed`` reads them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from transcode.playlist.model import ByteRange

_SOUND = ("mp4a", "ac-3", "ec-3", "ac-4", "opus", "flac", "alac", "mp3")
_NUMBER = re.compile(r"[0-9]{1,20}")
_DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{0,12})?")


def whole(text: str | None) -> int | None:
    """A decimal integer, or None."""
    return int(text) if text is not None and _NUMBER.fullmatch(text.strip()) else None


def decimal(text: str | None) -> float | None:
    """A decimal number of 0 or more, or None."""
    return float(text) if text is not None and _DECIMAL.fullmatch(text.strip()) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something wrong on one line."""

    line: int
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedVariant:
    """EXT-X-STREAM-INF with its URI, or EXT-X-I-FRAME-STREAM-INF."""

    line: int
    uri: str
    attributes: Mapping[str, str]

    def number(self, name: str) -> int | None:
        """A whole number, or None when absent or of another form."""
        return whole(self.attributes.get(name))

    @property
    def frame_rate(self) -> float | None:
        """FRAME-RATE."""
        return decimal(self.attributes.get("FRAME-RATE"))

    @property
    def size(self) -> tuple[int, int] | None:
        """RESOLUTION: width and height."""
        match = re.fullmatch(
            r"([0-9]{1,6})x([0-9]{1,6})", self.attributes.get("RESOLUTION", ""), re.ASCII
        )
        return (int(match[1]), int(match[2])) if match else None

    @property
    def codecs(self) -> tuple[str, ...]:
        """Names in CODECS, in order."""
        names = (name.strip() for name in self.attributes.get("CODECS", "").split(","))
        return tuple(name for name in names if name)

    @property
    def has_picture(self) -> bool:
        """Whether it is said to hold video: all are, but for those that list only sound."""
        if self.size is not None or not self.codecs:
            return True
        return not all(name.lower().startswith(_SOUND) for name in self.codecs)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRendition:
    """EXT-X-MEDIA."""

    line: int
    attributes: Mapping[str, str]

    @property
    def kind(self) -> str:
        """TYPE, such as AUDIO."""
        return self.attributes.get("TYPE", "")

    @property
    def group(self) -> str:
        """GROUP-ID."""
        return self.attributes.get("GROUP-ID", "")

    @property
    def name(self) -> str:
        """NAME."""
        return self.attributes.get("NAME", "")

    @property
    def uri(self) -> str | None:
        """URI of its playlist."""
        return self.attributes.get("URI")

    def says(self, name: str) -> bool:
        """Whether an attribute is YES."""
        return self.attributes.get(name) == "YES"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedKey:
    """EXT-X-KEY or EXT-X-SESSION-KEY."""

    line: int
    method: str
    uri: str | None
    iv: bytes | None
    keyformat: str

    @property
    def is_plain(self) -> bool:
        """Whether its URI answers with the key itself."""
        return self.keyformat == "identity"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedMap:
    """EXT-X-MAP."""

    line: int
    uri: str
    byte_range: ByteRange | None
    keys: tuple[ListedKey, ...]
    """Those in force where the tag is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSegment:
    """One segment."""

    line: int
    """Of its URI."""
    uri: str
    duration_s: float
    """EXTINF; 0 when it cannot be read."""
    is_whole_number: bool
    """Whether EXTINF is written without a fraction."""
    byte_range: ByteRange | None
    keys: tuple[ListedKey, ...]
    map: ListedMap | None
    sequence: int
    discontinuity: bool
    gap: bool
    bitrate_kbps: int | None
    date_s: float | None = None
    """EXT-X-PROGRAM-DATE-TIME, in seconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedMedia:
    """A media playlist as written."""

    segments: tuple[ListedSegment, ...]
    target_s: int | None
    version: int
    kind: str
    """EXT-X-PLAYLIST-TYPE; empty when absent."""
    has_end: bool
    iframes_only: bool
    is_independent: bool
    tags: frozenset[str]
    lines: Mapping[str, int]
    """Where each tag stands first."""
    faults: tuple[Fault, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    """Those that it defines (EXT-X-DEFINE)."""
    start_s: float | None = None
    """TIME-OFFSET of EXT-X-START; negative ones count from the end."""

    @property
    def first_sequence(self) -> int:
        """Media sequence number of the first segment; over 0, others stood before it."""
        return self.segments[0].sequence if self.segments else 0

    def line(self, tag: str) -> int | None:
        """Where ``tag`` stands first."""
        return self.lines.get(tag)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedMultivariant:
    """A multivariant playlist as written."""

    variants: tuple[ListedVariant, ...]
    iframe_variants: tuple[ListedVariant, ...]
    renditions: tuple[ListedRendition, ...]
    session_keys: tuple[ListedKey, ...]
    version: int
    is_independent: bool
    lines: Mapping[str, int]
    faults: tuple[Fault, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    """Those that it defines (EXT-X-DEFINE)."""

    def group(self, kind: str, name: str) -> tuple[ListedRendition, ...]:
        """The renditions of a group."""
        return tuple(r for r in self.renditions if r.kind == kind and r.group == name)


Listed = ListedMultivariant | ListedMedia
