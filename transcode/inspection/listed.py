"""Read what playlists say, as written.

Reads what is there and collects faults instead of refusing; missing values are None. URIs stay
as written: whoever loads files resolves them.

Source: RFC 8216bis, section 4.4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from abr.errors import PlaylistError
from transcode.inspection.playlists import (
    Fault,
    Listed,
    ListedKey,
    ListedMap,
    ListedMedia,
    ListedMultivariant,
    ListedRendition,
    ListedSegment,
    ListedVariant,
    decimal,
    whole,
)
from transcode.playlist.model import ByteRange
from transcode.playlist.tags import Line, read_lines
from transcode.playlist.variables import expand

MOST_SEGMENTS = 200_000
"""A playlist that lists more is refused: over nine days of 4 s segments."""
_MULTIVARIANT = frozenset(
    [
        "#EXT-X-STREAM-INF",
        "#EXT-X-I-FRAME-STREAM-INF",
        "#EXT-X-MEDIA",
        "#EXT-X-SESSION-DATA",
        "#EXT-X-SESSION-KEY",
        "#EXT-X-CONTENT-STEERING",
    ]
)
_MEDIA = frozenset(
    [
        "#EXTINF",
        "#EXT-X-TARGETDURATION",
        "#EXT-X-MEDIA-SEQUENCE",
        "#EXT-X-DISCONTINUITY-SEQUENCE",
        "#EXT-X-ENDLIST",
        "#EXT-X-PLAYLIST-TYPE",
        "#EXT-X-I-FRAMES-ONLY",
        "#EXT-X-BYTERANGE",
        "#EXT-X-DISCONTINUITY",
        "#EXT-X-KEY",
        "#EXT-X-MAP",
        "#EXT-X-GAP",
        "#EXT-X-BITRATE",
    ]
)


def read_listed(
    text: str,
    *,
    where: str,
    query: Mapping[str, str] | None = None,
    imports: Mapping[str, str] | None = None,
) -> Listed:
    """What a playlist says, its variables in place.

    Args:
        text: The whole playlist.
        where: A name for messages.
        query: Parameters of its URL; None when it has none. See ``expand``.
        imports: Variables of the multivariant playlist that lists it; None when none does.

    Raises:
        PlaylistError: no playlist, of both kinds or neither, with too many segments, a delta
            update (EXT-X-SKIP), which hides what it lists; or a variable whose value comes from
            a URL that it does not have.
    """
    expanded = expand(text, where=where, query=query, imports=imports)
    listed = _listed(read_lines(expanded.text, where=where), where)
    wrong = tuple(Fault(line=line, what=what) for line, what in expanded.faults)
    return replace(listed, faults=(*listed.faults, *wrong), variables=expanded.variables)


def _listed(lines: Sequence[Line], where: str) -> Listed:
    tags = {line.tag for line in lines}
    if "#EXT-X-SKIP" in tags:
        raise PlaylistError(f"{where}: #EXT-X-SKIP: a delta update; expected all segments")
    both = tags & _MULTIVARIANT, tags & _MEDIA
    if all(both):
        raise PlaylistError(
            f"{where}: {min(both[0])} beside {min(both[1])}; expected one kind of playlist"
        )
    if both[0]:
        return _multivariant(lines)
    if both[1]:
        if sum(line.tag == "#EXTINF" for line in lines) > MOST_SEGMENTS:
            raise PlaylistError(f"{where}: over {MOST_SEGMENTS:,} segments; expected fewer")
        return _Reader().read(lines)
    raise PlaylistError(
        f"{where}: neither segments nor variants; expected #EXTINF or #EXT-X-STREAM-INF"
    )


def _date_s(text: str) -> float | None:
    """A date and time with its zone, or in UTC without one; None for anything else."""
    try:
        date = datetime.fromisoformat(text.strip())
        # 4.4.4.6: a zone should be there.
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _common_faults(lines: Sequence[Line]) -> Iterator[Fault]:
    once = {"#EXT-X-VERSION", "#EXT-X-TARGETDURATION", "#EXT-X-ENDLIST", "#EXT-X-PLAYLIST-TYPE"}
    seen: set[str] = set()
    for line in lines:
        for what in line.faults:
            yield Fault(line=line.number, what=f"{line.tag or 'URI'}: {what}")
        if line.tag in once and line.tag in seen:
            yield Fault(line=line.number, what=f"{line.tag} twice")
        seen.add(line.tag)


def _first(lines: Sequence[Line], tag: str) -> Line | None:
    return next((line for line in lines if line.tag == tag), None)


def _version(lines: Sequence[Line]) -> int:
    line = _first(lines, "#EXT-X-VERSION")
    return (whole(line.value) if line else None) or 1


def _places(lines: Sequence[Line]) -> dict[str, int]:
    places: dict[str, int] = {}
    for line in lines:
        places.setdefault(line.tag, line.number)
    return places


_NUMBERS = {"BANDWIDTH": whole, "AVERAGE-BANDWIDTH": whole, "FRAME-RATE": decimal, "SCORE": decimal}
_UNQUOTED = ("BANDWIDTH", "AVERAGE-BANDWIDTH", "FRAME-RATE", "RESOLUTION", "TYPE", "METHOD", "IV")
_QUOTED = ("CODECS", "AUDIO", "VIDEO", "SUBTITLES", "URI", "GROUP-ID", "NAME", "LANGUAGE")


def _attribute_faults(line: Line) -> Iterator[Fault]:
    """RFC 8216bis, 4.2: an attribute has the one form that its definition gives it."""
    for name, text in line.attributes.items():
        reads = _NUMBERS.get(name)
        if reads is not None and reads(text) is None:
            yield Fault(line=line.number, what=f"{name}={text[:20]}; expected a number")
        if name in _UNQUOTED and name in line.quoted:
            yield Fault(line=line.number, what=f"{name} in quotation marks; expected none")
        if name in _QUOTED and name not in line.quoted:
            yield Fault(line=line.number, what=f"{name} without quotation marks")


def _multivariant(lines: Sequence[Line]) -> ListedMultivariant:
    faults = list(_common_faults(lines))
    variants: list[ListedVariant] = []
    trick: list[ListedVariant] = []
    renditions: list[ListedRendition] = []
    keys: list[ListedKey] = []
    waiting: Line | None = None
    for line in lines:
        faults.extend(_attribute_faults(line))
        if line.tag == "#EXT-X-STREAM-INF":
            if waiting is not None:
                faults.append(Fault(line=waiting.number, what=f"{waiting.tag} without a URI"))
            waiting = line
        elif line.tag == "#EXT-X-I-FRAME-STREAM-INF":
            uri = line.attributes.get("URI", "")
            if not uri:
                faults.append(Fault(line=line.number, what=f"{line.tag} without a URI"))
                continue
            trick.append(ListedVariant(line=line.number, uri=uri, attributes=line.attributes))
        elif line.tag == "#EXT-X-MEDIA":
            renditions.append(ListedRendition(line=line.number, attributes=line.attributes))
        elif line.tag == "#EXT-X-SESSION-KEY":
            keys.append(_key(line, faults))
        elif not line.tag:
            if waiting is None:
                faults.append(Fault(line=line.number, what="a URI without #EXT-X-STREAM-INF"))
                continue
            variants.append(
                ListedVariant(line=waiting.number, uri=line.value, attributes=waiting.attributes)
            )
            waiting = None
    if waiting is not None:
        faults.append(Fault(line=waiting.number, what=f"{waiting.tag} without a URI"))
    return ListedMultivariant(
        variants=tuple(variants),
        iframe_variants=tuple(trick),
        renditions=tuple(renditions),
        session_keys=tuple(keys),
        version=_version(lines),
        is_independent=_first(lines, "#EXT-X-INDEPENDENT-SEGMENTS") is not None,
        lines=_places(lines),
        faults=tuple(faults),
    )


def _key(line: Line, faults: list[Fault]) -> ListedKey:
    attributes = line.attributes
    iv: bytes | None = None
    if "IV" in attributes:
        match = re.fullmatch(r"0[xX]([0-9a-fA-F]{1,32})", attributes["IV"])
        if match is None:
            faults.append(Fault(line=line.number, what="IV is not a hexadecimal 128-bit number"))
        else:
            iv = bytes.fromhex(match[1].zfill(32))
    method = attributes.get("METHOD", "")
    if not method:
        faults.append(Fault(line=line.number, what=f"{line.tag} without METHOD"))
    if method != "NONE" and not attributes.get("URI"):
        faults.append(Fault(line=line.number, what=f"{line.tag} without a URI"))
    return ListedKey(
        line=line.number,
        method=method,
        uri=attributes.get("URI"),
        iv=iv,
        keyformat=attributes.get("KEYFORMAT", "identity"),
    )


@dataclass(slots=True)
class _Reader:
    """The tags of a media playlist, which hold for the segments after them."""

    faults: list[Fault] = field(default_factory=list)
    segments: list[ListedSegment] = field(default_factory=list)
    keys: dict[str, ListedKey] = field(default_factory=dict)
    section: ListedMap | None = None
    bitrate_kbps: int | None = None
    duration: Line | None = None
    byte_range: Line | None = None
    discontinuity: bool = False
    gap: bool = False
    date_s: float | None = None
    start_s: float | None = None
    last: tuple[str, int] | None = None

    def __repr__(self) -> str:
        return f"<_Reader of {len(self.segments)} segments>"

    def read(self, lines: Sequence[Line]) -> ListedMedia:
        self.faults.extend(_common_faults(lines))
        first = _first(lines, "#EXT-X-MEDIA-SEQUENCE")
        sequence = (whole(first.value) if first else 0) or 0
        for line in lines:
            self.faults.extend(_attribute_faults(line))
            if line.tag:
                self._tag(line)
            else:
                self._uri(line, sequence + len(self.segments))
        if self.duration is not None:
            self._fault(self.duration, "#EXTINF without a URI")
        target = _first(lines, "#EXT-X-TARGETDURATION")
        kind = _first(lines, "#EXT-X-PLAYLIST-TYPE")
        tags = frozenset(line.tag for line in lines)
        return ListedMedia(
            segments=tuple(self.segments),
            target_s=whole(target.value) if target else None,
            version=_version(lines),
            kind=kind.value.strip() if kind else "",
            has_end="#EXT-X-ENDLIST" in tags,
            iframes_only="#EXT-X-I-FRAMES-ONLY" in tags,
            is_independent="#EXT-X-INDEPENDENT-SEGMENTS" in tags,
            tags=tags,
            lines=_places(lines),
            faults=tuple(self.faults),
            start_s=self.start_s,
        )

    def _fault(self, line: Line, what: str) -> None:
        self.faults.append(Fault(line=line.number, what=what))

    def _tag(self, line: Line) -> None:
        if line.tag == "#EXTINF":
            if self.duration is not None:
                self._fault(self.duration, "#EXTINF without a URI")
            self.duration = line
        elif line.tag == "#EXT-X-BYTERANGE":
            self.byte_range = line
        elif line.tag == "#EXT-X-DISCONTINUITY":
            self.discontinuity = True
        elif line.tag == "#EXT-X-GAP":
            self.gap = True
        elif line.tag == "#EXT-X-BITRATE":
            self.bitrate_kbps = whole(line.value)
        elif line.tag == "#EXT-X-KEY":
            self._key(line)
        elif line.tag == "#EXT-X-MAP":
            self._map(line)
        elif line.tag == "#EXT-X-PROGRAM-DATE-TIME":
            self.date_s = _date_s(line.value)
            if self.date_s is None:
                self._fault(line, f"{line.tag}:{line.value[:30]}; expected a date (ISO 8601)")
        elif line.tag == "#EXT-X-START":
            self._start(line)

    def _key(self, line: Line) -> None:
        key = _key(line, self.faults)
        if key.method == "NONE":
            self.keys = {}
            return
        # 4.4.4.4: keys of several formats may hold at once; a later one of the same format takes
        # the place of the earlier. A new key begins a new set when the last segment lies between
        # the two.
        if any(each.line < self._last_line() for each in self.keys.values()):
            self.keys = {}
        self.keys = self.keys | {key.keyformat: key}

    def _start(self, line: Line) -> None:
        text = line.attributes.get("TIME-OFFSET", "")
        size_s = decimal(text.removeprefix("-"))
        if size_s is None:
            self._fault(line, f"{line.tag} without TIME-OFFSET in seconds")
        else:
            self.start_s = -size_s if text.startswith("-") else size_s

    def _last_line(self) -> int:
        return self.segments[-1].line if self.segments else 0

    def _map(self, line: Line) -> None:
        uri = line.attributes.get("URI")
        if not uri:
            self._fault(line, "#EXT-X-MAP without a URI")
            return
        text = line.attributes.get("BYTERANGE")
        self.section = ListedMap(
            line=line.number,
            uri=uri,
            byte_range=self._range(line, text, otherwise=0) if text else None,
            keys=tuple(self.keys.values()),
        )

    def _range(self, line: Line, text: str, *, otherwise: int | None) -> ByteRange | None:
        match = re.fullmatch(r"([0-9]{1,18})(?:@([0-9]{1,18}))?", text.strip())
        if match is None:
            self._fault(line, f"{line.tag}: a byte range {text[:20]!r}; expected LENGTH@OFFSET")
            return None
        offset = otherwise if match[2] is None else int(match[2])
        if offset is None:
            # 4.4.4.2: without an offset a range of the same resource must come before.
            self._fault(line, f"{line.tag}: no offset, and no range of the same file before it")
            return None
        return ByteRange(offset, int(match[1]))

    def _uri(self, line: Line, sequence: int) -> None:
        if self.duration is None:
            self._fault(line, "a URI without #EXTINF")
            return
        text = self.duration.value.partition(",")[0].strip()
        duration_s = decimal(text)
        if duration_s is None:
            self._fault(self.duration, f"#EXTINF:{text[:20]}; expected seconds")
        byte_range = None
        if self.byte_range is not None:
            follows = self.last[1] if self.last and self.last[0] == line.value else None
            byte_range = self._range(self.byte_range, self.byte_range.value, otherwise=follows)
        self.last = (line.value, sum(byte_range)) if byte_range else None
        self.segments.append(
            ListedSegment(
                line=line.number,
                uri=line.value,
                duration_s=duration_s or 0.0,
                is_whole_number="." not in text,
                byte_range=byte_range,
                keys=tuple(self.keys.values()),
                map=self.section,
                sequence=sequence,
                discontinuity=self.discontinuity,
                gap=self.gap,
                bitrate_kbps=None if byte_range else self.bitrate_kbps,
                date_s=self.date_s,
            )
        )
        self.date_s = None
        self.duration = self.byte_range = None
        self.discontinuity = self.gap = False
