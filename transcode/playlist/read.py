"""Playlist text to values: liberal in what it accepts, typed in what it gives.

The only module that uses the ``m3u8`` library, which splits lines
and attribute lists but checks nothing. ``outline`` checks structure before it runs,
``fields`` checks values after it; whatever it raises on garbage becomes a
``PlaylistError`` with the line.

Source: RFC 8216bis, sections 4 and 6.3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from m3u8.parser import parse as split_playlist

from abr.errors import PlaylistError
from transcode.playlist.fields import Fields
from transcode.playlist.model import (
    CLEAR_KEY,
    IDENTITY,
    ByteRange,
    Key,
    Map,
    MediaPlaylist,
    MultivariantPlaylist,
    Playlist,
    Rendition,
    Segment,
    ServerControl,
    Start,
    Steering,
    Tiles,
    TrickPlayVariant,
    Variant,
    target_duration_s,
)
from transcode.playlist.outline import Outline
from transcode.playlist.variables import expand

_TYPES: dict[str, Literal["VOD", "EVENT"]] = {"vod": "VOD", "event": "EVENT"}


def parse(
    text: str,
    *,
    uri: str = "",
    query: Mapping[str, str] | None = None,
    imports: Mapping[str, str] | None = None,
) -> Playlist:
    """Read a multivariant or media playlist.

    Args:
        text: The whole playlist; a byte order mark and any line ends are accepted.
        uri: A name for messages. Give one without a token in it.
        query: Parameters of its URL (``variables.query_of``), which it may use.
        imports: Variables of the multivariant playlist that lists it, which it may import.

    Raises:
        PlaylistError: naming ``uri`` and the line; no other error on any text.
    """
    outline = Outline(uri or "playlist")
    expanded = expand(text, where=outline.where, query=query or {}, imports=imports)
    if expanded.faults:
        # RFC 8216bis, 4.3: a reference to what is not defined ends the playlist.
        outline.fail(*expanded.faults[0])
    data = _split(outline.scan(expanded.text), outline)
    if outline.kind == "multivariant":
        return replace(_multivariant(data, outline), variables=expanded.variables)
    return _media(data, outline)


def _split(lines: list[str], outline: Outline) -> dict[str, Any]:
    """Run the library over lines whose order is right."""
    keys = _KeysInForce(outline)
    at = 1

    def on_tag(line: str, number: int, data: dict[str, Any], state: dict[str, Any]) -> bool:
        nonlocal at
        at = number
        if line.startswith("#EXT-X-KEY"):
            # The library forgets that keys of several formats may hold at once.
            state["current_key"] = keys.after(line, number)
            return True
        if line.startswith("#EXT-X-MAP"):
            data.setdefault("map_keys", []).append(state["current_key"])
        elif line.startswith("#EXT-X-TILES"):
            # The library lists tiles apart from the segments that they belong to.
            state.setdefault("segment", {})["tiles"] = _tiles(line, number, outline)
            return True
        elif line.startswith(("#EXT-X-I-FRAME-STREAM-INF", "#EXT-X-IMAGE-STREAM-INF")):
            kind = "images" if line.startswith("#EXT-X-IMAGE") else "iframes"
            data.setdefault(kind, []).append(_trick_play(line, number, outline))
            return True
        return False

    try:
        data: dict[str, Any] = split_playlist("\n".join(lines), custom_tags_parser=on_tag)
    except PlaylistError:
        raise
    except Exception as exc:  # on bad text it may raise anything
        tag = lines[at - 1].partition(":")[0]
        raise PlaylistError(
            f"{outline.where}:{at}: {tag} cannot be read; expected a well-formed tag"
        ) from exc
    return data


@dataclass(slots=True)
class _KeysInForce:
    """EXT-X-KEY so far: one for each KEYFORMAT, until NONE takes all away."""

    outline: Outline
    by_format: dict[str, Key] = field(default_factory=dict)

    def after(self, line: str, number: int) -> Key | None:
        """What encrypts the segments that follow ``line``; a plain key is preferred."""
        fields = Fields(split_playlist(line)["keys"][0], self.outline, number, "#EXT-X-KEY")
        method = fields.required("method")
        if method == "NONE":
            self.by_format.clear()
            return None
        key = Key(
            method=method,
            uri=fields.required("uri"),
            iv=fields.initialisation_vector("iv"),
            keyformat=fields.text("keyformat") or IDENTITY,
            keyformat_versions=fields.text("keyformatversions"),
            kid=fields.key_id("keyid"),
        )
        self.by_format[key.keyformat] = key
        return self.by_format.get(IDENTITY) or self.by_format.get(CLEAR_KEY, key)


def _trick_play(line: str, number: int, outline: Outline) -> TrickPlayVariant:
    tag = line.partition(":")[0]
    # As EXT-X-MEDIA, whose attribute list keeps a missing URI from ending the library.
    listed = split_playlist("#EXT-X-MEDIA" + line[len(tag) :])["media"]
    fields = Fields(_numbers(listed[0] if listed else {}), outline, number, tag)
    width, height = fields.resolution("resolution")
    return TrickPlayVariant(
        uri=fields.required("uri"),
        bandwidth_bps=fields.required_integer("bandwidth"),
        average_bandwidth_bps=fields.integer("average_bandwidth"),
        codecs=_unquote(fields.text("codecs")) or "",
        width=width,
        height=height,
        video_range=_unquote(fields.text("video_range")),
        score=fields.decimal("score"),
    )


def _numbers(values: Mapping[str, Any]) -> dict[str, Any]:
    """Bandwidths, which the library leaves as text in a list that is not a variant's."""
    return {
        name: int(value) if "bandwidth" in name and re.fullmatch("[0-9]{1,20}", value) else value
        for name, value in values.items()
    }


def _tiles(line: str, number: int, outline: Outline) -> Tiles:
    fields = Fields(split_playlist(line)["tiles"][0], outline, number, "#EXT-X-TILES")
    width, height = fields.resolution("resolution")
    columns, rows = fields.resolution("layout")
    if not (width and height and columns and rows):
        fields.fail("no RESOLUTION or LAYOUT; expected both")
    return Tiles(width, height, columns, rows, fields.number("duration"))


def _multivariant(data: Mapping[str, Any], outline: Outline) -> MultivariantPlaylist:
    tags = outline.tag_lines
    if not data["playlists"]:
        outline.fail(1, "no variant; expected #EXT-X-STREAM-INF")
    variants = tuple(
        _variant(Fields({**entry["stream_info"], "uri": entry["uri"]}, outline, line, "variant"))
        for entry, line in zip(data["playlists"], tags["#EXT-X-STREAM-INF"], strict=True)
    )
    renditions = tuple(
        _rendition(Fields(entry, outline, line, "#EXT-X-MEDIA"))
        for entry, line in zip(data["media"], tags.get("#EXT-X-MEDIA", ()), strict=True)
    )
    return MultivariantPlaylist(
        variants=variants,
        renditions=renditions,
        independent_segments=data["is_independent_segments"],
        version=_whole(data, outline, "version") or 1,
        iframe_variants=tuple(data.get("iframes", ())),
        image_variants=tuple(data.get("images", ())),
        steering=_steering(data, outline),
        start=_start(data, outline),
        remarks=tuple(outline.remarks),
    )


def _steering(data: Mapping[str, Any], outline: Outline) -> Steering | None:
    if not data.get("content_steering"):
        return None
    tag = "#EXT-X-CONTENT-STEERING"
    fields = Fields(data["content_steering"], outline, outline.line_of(tag), tag)
    return Steering(fields.required("server_uri"), fields.text("pathway_id"))


def _start(data: Mapping[str, Any], outline: Outline) -> Start | None:
    if not data.get("start"):
        return None
    tag = "#EXT-X-START"
    fields = Fields(data["start"], outline, outline.line_of(tag), tag)
    offset_s = fields.offset("time_offset")
    return None if offset_s is None else Start(offset_s, fields.yes("precise"))


def _variant(fields: Fields) -> Variant:
    width, height = fields.resolution("resolution")
    captions = fields.text("closed_captions")
    return Variant(
        uri=fields.required("uri"),
        bandwidth_bps=fields.expected_integer("bandwidth"),
        average_bandwidth_bps=fields.integer("average_bandwidth"),
        codecs=fields.text("codecs") or "",
        width=width,
        height=height,
        frame_rate=fields.number("frame_rate"),
        audio_group=fields.text("audio"),
        subtitles_group=_unquote(fields.text("subtitles")),
        video_range=fields.text("video_range"),
        closed_captions=_unquote(captions),
        score=fields.decimal("score"),
        pathway_id=_unquote(fields.text("pathway_id")),
        stable_id=_unquote(fields.text("stable_variant_id")),
    )


def _rendition(fields: Fields) -> Rendition:
    default = fields.yes("default")
    return Rendition(
        type=fields.required("type"),
        group_id=fields.required("group_id"),
        name=fields.expected("name", otherwise=fields.text("language") or fields.text("group_id")),
        language=fields.text("language"),
        uri=fields.text("uri"),
        channels=fields.text("channels"),
        default=default,
        autoselect=default or fields.yes("autoselect"),
        instream_id=fields.text("instream_id"),
        forced=fields.yes("forced"),
        characteristics=fields.text("characteristics"),
        stable_id=fields.text("stable_rendition_id"),
    )


def _media(data: Mapping[str, Any], outline: Outline) -> MediaPlaylist:
    kind = data["playlist_type"]
    if kind is not None and kind not in _TYPES:
        line = outline.line_of("#EXT-X-PLAYLIST-TYPE")
        outline.remark(line, "#EXT-X-PLAYLIST-TYPE of another kind; expected VOD or EVENT")
    segments = tuple(_segments(data, outline))
    target = _whole(data, outline, "targetduration")
    if target is None:
        target = target_duration_s(segments)
        outline.remark(1, f"no #EXT-X-TARGETDURATION; expected one, took {target} s")
    return MediaPlaylist(
        target_duration_s=target,
        segments=segments,
        media_sequence=_whole(data, outline, "media_sequence") or 0,
        endlist=data["is_endlist"],
        playlist_type=_TYPES.get(kind),
        independent_segments=data["is_independent_segments"],
        version=_whole(data, outline, "version") or 1,
        iframes_only=data["is_i_frames_only"],
        images_only=data["is_images_only"],
        discontinuity_sequence=_whole(data, outline, "discontinuity_sequence") or 0,
        start=_start(data, outline),
        control=_control(data, outline),
        skipped=_skipped(data, outline),
        remarks=tuple(outline.remarks),
    )


def _control(data: Mapping[str, Any], outline: Outline) -> ServerControl | None:
    if not data.get("server_control"):
        return None
    tag = "#EXT-X-SERVER-CONTROL"
    fields = Fields(data["server_control"], outline, outline.line_of(tag), tag)
    return ServerControl(
        hold_back_s=fields.number("hold_back") or None,
        can_skip_until_s=fields.number("can_skip_until") or None,
        can_block_reload=fields.yes("can_block_reload"),
    )


def _skipped(data: Mapping[str, Any], outline: Outline) -> int:
    tag = "#EXT-X-SKIP"
    if not data.get("skip"):
        return 0
    fields = Fields(data["skip"], outline, outline.line_of(tag), tag)
    return fields.required_integer("skipped_segments")


def _segments(data: Mapping[str, Any], outline: Outline) -> Iterator[Segment]:
    maps = _maps(data, outline)
    sequence = (_whole(data, outline, "media_sequence") or 0) + _skipped(data, outline)
    bitrate: int | None = None
    before: tuple[str, ByteRange] | None = None
    # A tag after the last URI leaves a segment without one behind.
    listed = (entry for entry in data["segments"] if "uri" in entry)
    for entry, line in zip(listed, outline.uri_lines, strict=True):
        fields = Fields(entry, outline, line, "segment")
        uri = fields.required("uri")
        # RFC 8216bis, 4.4.4.2: without offset, a range starts where that URI's last one ended.
        follows = sum(before[1]) if before and before[0] == uri else None
        byte_range = fields.byte_range("byterange", otherwise=follows)
        before = (uri, byte_range) if byte_range else None
        # 4.4.4.8: a bitrate holds until the next one, and for whole files only.
        own = fields.integer("bitrate")
        bitrate = bitrate if own is None else own
        yield Segment(
            uri=uri,
            duration_s=fields.number("duration"),
            byte_range=byte_range,
            key=entry.get("key"),
            map=maps.get(id(entry.get("init_section"))),
            bitrate_kbps=None if byte_range else bitrate,
            sequence=sequence,
            discontinuity=entry["discontinuity"],
            gap=bool(entry["gap_tag"]),
            tiles=entry.get("tiles"),
        )
        sequence += 1


def _maps(data: Mapping[str, Any], outline: Outline) -> dict[int, Map]:
    """Maps by the identity of the library's entry, which segments share."""
    entries = zip(
        data["segment_map"],
        data.get("map_keys", ()),
        outline.tag_lines.get("#EXT-X-MAP", ()),
        strict=True,
    )
    maps = {}
    for entry, key, line in entries:
        fields = Fields(entry, outline, line, "#EXT-X-MAP")
        maps[id(entry)] = Map(
            uri=fields.required("uri"),
            byte_range=fields.byte_range("byterange", otherwise=0),
            key=key,
        )
    return maps


def _whole(data: Mapping[str, Any], outline: Outline, name: str) -> int | None:
    """A tag that is one whole number."""
    tag = "#EXT-X-" + name.upper().replace("_", "-")
    return Fields(data, outline, outline.line_of(tag), tag).integer(name)


def _unquote(text: str | None) -> str | None:
    """CLOSED-CAPTIONS may be a word or a quoted name; the library keeps the quotes."""
    return text if text is None else text.strip('"') or None
