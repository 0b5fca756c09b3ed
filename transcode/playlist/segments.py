"""The lines of a media playlist to its segments.

Tags hold for the next segment, or for all that follow, until they are given anew.

Source: RFC 8216bis, sections 4.4.3 (of the playlist) and 4.4.4 (of segments).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from transcode.playlist.fields import Fields, fields_of
from transcode.playlist.model import (
    CLEAR_KEY,
    IDENTITY,
    ByteRange,
    Key,
    Map,
    MediaPlaylist,
    Segment,
    ServerControl,
    Start,
    Tiles,
    target_duration_s,
)
from transcode.playlist.outline import Line, Outline

_TYPES: dict[str, Literal["VOD", "EVENT"]] = {"VOD": "VOD", "EVENT": "EVENT"}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(\s[^,]*)?(?:,|$)")
"""Lists of television channels put attributes between the seconds and the comma."""
_LONGEST_S = 1e9


def read_media(outline: Outline) -> MediaPlaylist:
    """The playlist that the lines of ``outline`` make.

    Raises:
        PlaylistError: a line that a segment needs cannot be read.
    """
    return _Reader(outline).read()


def start_of(fields: Fields) -> Start | None:
    """Where to begin, of an EXT-X-START that says so."""
    offset_s = fields.offset("TIME-OFFSET")
    return None if offset_s is None else Start(offset_s, fields.yes("PRECISE"))


@dataclass(slots=True)
class _Reader:
    """One playlist under way."""

    outline: Outline
    segments: list[Segment] = field(default_factory=list)
    sequence: int = 0
    """Of the next segment, counted from the first one listed."""
    playlist: dict[str, Any] = field(default_factory=dict)
    """Of the whole playlist, by name in ``MediaPlaylist``."""
    keys: dict[str, Key] = field(default_factory=dict)
    """In force, one for each KEYFORMAT."""
    key: Key | None = None
    map: Map | None = None
    bitrate_kbps: int | None = None
    duration: tuple[int, float] | None = None
    """Line and seconds of an EXTINF whose URI has not come."""
    byte_range: Line | None = None
    of_next: dict[str, Any] = field(default_factory=dict)
    """Of the next segment alone, by name in ``Segment``."""
    before: tuple[str, int] | None = None
    """URI and end of the range before."""

    def read(self) -> MediaPlaylist:
        first = [line for line in self.outline.lines if line.tag in _FIRST]
        for line in first:
            _FIRST[line.tag](self, line)
        self.sequence = self.playlist.get("media_sequence", 0) + self.playlist.get("skipped", 0)
        for line in self.outline.lines:
            if not line.tag:
                self._uri(line)
            elif line.tag not in _FIRST:
                _OF_SEGMENTS[line.tag](self, line)
        self._drop_duration()
        self._expect_target()
        return MediaPlaylist(
            segments=tuple(self.segments), remarks=tuple(self.outline.remarks), **self.playlist
        )

    def _expect_target(self) -> None:
        if "target_duration_s" not in self.playlist:
            target = target_duration_s(self.segments)
            self.playlist["target_duration_s"] = target
            self.outline.remark(1, f"no #EXT-X-TARGETDURATION; expected one, took {target} s")

    # --- of the playlist --------------------------------------------------------

    def version(self, line: Line) -> None:
        self.playlist["version"] = int(line.value) or 1

    def target(self, line: Line) -> None:
        self.playlist["target_duration_s"] = int(line.value)

    def media_sequence(self, line: Line) -> None:
        self.playlist["media_sequence"] = int(line.value)

    def discontinuity_sequence(self, line: Line) -> None:
        self.playlist["discontinuity_sequence"] = int(line.value)

    def endlist(self, _line: Line) -> None:
        self.playlist["endlist"] = True

    def independent(self, _line: Line) -> None:
        self.playlist["independent_segments"] = True

    def iframes_only(self, _line: Line) -> None:
        self.playlist["iframes_only"] = True

    def images_only(self, _line: Line) -> None:
        self.playlist["images_only"] = True

    def type(self, line: Line) -> None:
        kind = _TYPES.get(line.value.upper())
        if kind is None:
            what = "#EXT-X-PLAYLIST-TYPE of another kind; expected VOD or EVENT"
            self.outline.remark(line.number, what)
        else:
            self.playlist["playlist_type"] = kind

    def start(self, line: Line) -> None:
        self.playlist["start"] = start_of(fields_of(line, self.outline))

    def control(self, line: Line) -> None:
        fields = fields_of(line, self.outline)
        self.playlist["control"] = ServerControl(
            hold_back_s=fields.number("HOLD-BACK") or None,
            can_skip_until_s=fields.number("CAN-SKIP-UNTIL") or None,
            can_block_reload=fields.yes("CAN-BLOCK-RELOAD"),
        )

    def skip(self, line: Line) -> None:
        fields = fields_of(line, self.outline)
        self.playlist["skipped"] = fields.required_integer("SKIPPED-SEGMENTS")

    def parts(self, _line: Line) -> None:
        self.playlist["has_parts"] = True

    # --- of segments --------------------------------------------------------------

    def extinf(self, line: Line) -> None:
        self._drop_duration()
        match = _DURATION.match(line.value)
        seconds = float(match[1]) if match else _LONGEST_S
        if match is None or seconds >= _LONGEST_S:
            what = "#EXTINF without seconds; expected a number of 0 or more"
            self.outline.remark(line.number, what)
            return
        if (match[2] or "").strip():
            what = "#EXTINF with attributes; expected a comma behind the seconds"
            self.outline.remark(line.number, what)
        self.duration = (line.number, seconds)

    def _drop_duration(self) -> None:
        if self.duration is not None:
            self.outline.remark(self.duration[0], "#EXTINF without a URI; expected one after it")
        self.duration = None

    def range(self, line: Line) -> None:
        self.byte_range = line

    def bitrate(self, line: Line) -> None:
        # 4.4.4.8: holds until the next one, and for whole files only.
        fields = Fields({"BITRATE": line.value}, self.outline, line.number, line.tag)
        kbps = fields.integer("BITRATE")
        self.bitrate_kbps = self.bitrate_kbps if kbps is None else kbps

    def discontinuity(self, _line: Line) -> None:
        self.of_next["discontinuity"] = True

    def gap(self, _line: Line) -> None:
        self.of_next["gap"] = True

    def date(self, line: Line) -> None:
        """4.4.4.6; a date without a zone is taken for UTC."""
        try:
            date = datetime.fromisoformat(line.value)
            if date.tzinfo is None:
                date = date.replace(tzinfo=UTC)
            self.of_next["date_s"] = round(date.timestamp(), 3)
        except (ValueError, OverflowError):
            what = "#EXT-X-PROGRAM-DATE-TIME of another form; expected ISO 8601"
            self.outline.remark(line.number, what)

    def tiles(self, line: Line) -> None:
        fields = fields_of(line, self.outline)
        width, height = fields.resolution("RESOLUTION")
        columns, rows = fields.resolution("LAYOUT")
        if not (width and height and columns and rows):
            fields.fail("no RESOLUTION or LAYOUT; expected both")
        self.of_next["tiles"] = Tiles(width, height, columns, rows, fields.number("DURATION") or 0)

    def key_line(self, line: Line) -> None:
        """4.4.4.4: a key for each KEYFORMAT, until NONE takes all away; plain ones first."""
        fields = fields_of(line, self.outline)
        method = fields.required("METHOD")
        if method == "NONE":
            self.keys.clear()
            self.key = None
            return
        key = Key(
            method=method,
            uri=fields.required("URI"),
            iv=fields.initialisation_vector("IV"),
            keyformat=fields.text("KEYFORMAT") or IDENTITY,
            keyformat_versions=fields.text("KEYFORMATVERSIONS"),
            kid=fields.key_id("KEYID"),
        )
        self.keys[key.keyformat] = key
        self.key = self.keys.get(IDENTITY) or self.keys.get(CLEAR_KEY, key)

    def map_line(self, line: Line) -> None:
        fields = fields_of(line, self.outline)
        self.map = Map(
            uri=fields.required("URI"),
            byte_range=fields.byte_range("BYTERANGE", otherwise=0),
            key=self.key,
        )

    def _uri(self, line: Line) -> None:
        if self.duration is None:
            what = "a URI without a tag; expected #EXTINF before"
            self.outline.remark(line.number, what)
            self.byte_range = None
            self.of_next = {name: True for name in self.of_next if name == "discontinuity"}
            return
        byte_range = None if self.byte_range is None else self._range_of(line.value)
        self.before = (line.value, sum(byte_range)) if byte_range else None
        self.segments.append(
            Segment(
                uri=line.value,
                duration_s=self.duration[1],
                byte_range=byte_range,
                key=self.key,
                map=self.map,
                bitrate_kbps=None if byte_range else self.bitrate_kbps,
                sequence=self.sequence,
                **self.of_next,
            )
        )
        self.sequence += 1
        self.duration = self.byte_range = None
        if self.of_next:
            self.of_next = {}

    def _range_of(self, uri: str) -> ByteRange | None:
        # 4.4.4.2: without offset, a range starts where that URI's last one ended.
        assert self.byte_range is not None
        number, _, value = self.byte_range
        follows = self.before[1] if self.before and self.before[0] == uri else None
        fields = Fields({"BYTERANGE": value}, self.outline, number, "segment")
        return fields.byte_range("BYTERANGE", otherwise=follows)


_Handler = Callable[[_Reader, Line], None]
_FIRST: dict[str, _Handler] = {
    "#EXT-X-DISCONTINUITY-SEQUENCE": _Reader.discontinuity_sequence,
    "#EXT-X-ENDLIST": _Reader.endlist,
    "#EXT-X-I-FRAMES-ONLY": _Reader.iframes_only,
    "#EXT-X-IMAGES-ONLY": _Reader.images_only,
    "#EXT-X-INDEPENDENT-SEGMENTS": _Reader.independent,
    "#EXT-X-MEDIA-SEQUENCE": _Reader.media_sequence,
    "#EXT-X-PART-INF": _Reader.parts,
    "#EXT-X-PLAYLIST-TYPE": _Reader.type,
    "#EXT-X-SERVER-CONTROL": _Reader.control,
    "#EXT-X-SKIP": _Reader.skip,
    "#EXT-X-START": _Reader.start,
    "#EXT-X-TARGETDURATION": _Reader.target,
    "#EXT-X-VERSION": _Reader.version,
}
"""Of the whole playlist, wherever they stand in it."""
_OF_SEGMENTS: dict[str, _Handler] = {
    "#EXTINF": _Reader.extinf,
    "#EXT-X-BITRATE": _Reader.bitrate,
    "#EXT-X-BYTERANGE": _Reader.range,
    "#EXT-X-DISCONTINUITY": _Reader.discontinuity,
    "#EXT-X-GAP": _Reader.gap,
    "#EXT-X-KEY": _Reader.key_line,
    "#EXT-X-MAP": _Reader.map_line,
    "#EXT-X-PROGRAM-DATE-TIME": _Reader.date,
    "#EXT-X-TILES": _Reader.tiles,
}
