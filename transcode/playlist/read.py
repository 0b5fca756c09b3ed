"""Playlist text to values: liberal in what it accepts, typed in what it gives.

``outline`` finds the lines that matter; ``segments`` reads those of a media playlist, this module
those of a multivariant one; ``fields`` checks values.

Source: RFC 8216bis, sections 4 and 6.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from transcode.playlist.fields import Fields, attributes_of, fields_of
from transcode.playlist.model import (
    MultivariantPlaylist,
    Playlist,
    Rendition,
    Steering,
    TrickPlayVariant,
    Variant,
)
from transcode.playlist.outline import Line, Outline
from transcode.playlist.segments import read_media, start_of
from transcode.playlist.variables import expand


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
    outline.scan(expanded.text)
    if outline.kind == "multivariant":
        return replace(_multivariant(outline), variables=expanded.variables)
    return read_media(outline)


def _multivariant(outline: Outline) -> MultivariantPlaylist:
    variants: list[Variant] = []
    renditions: list[Rendition] = []
    iframes: list[TrickPlayVariant] = []
    images: list[TrickPlayVariant] = []
    version, independent, start, steering = 1, False, None, None
    waiting: Line | None = None
    for line in outline.lines:
        match line.tag:
            case "":
                if waiting is None:
                    outline.remark(
                        line.number, "a URI without a tag; expected #EXT-X-STREAM-INF before"
                    )
                else:
                    variants.append(_variant(waiting, line.value, outline))
                waiting = None
            case "#EXT-X-STREAM-INF":
                _remark_waiting(waiting, outline)
                waiting = line
            case "#EXT-X-MEDIA":
                renditions += _rendition(fields_of(line, outline))
            case "#EXT-X-I-FRAME-STREAM-INF":
                iframes += _trick_play(fields_of(line, outline))
            case "#EXT-X-IMAGE-STREAM-INF":
                images += _trick_play(fields_of(line, outline))
            case "#EXT-X-CONTENT-STEERING":
                steering = _steering(fields_of(line, outline)) or steering
            case "#EXT-X-START":
                start = start_of(fields_of(line, outline)) or start
            case "#EXT-X-VERSION":
                version = int(line.value) or 1
            case _:
                independent = True
    _remark_waiting(waiting, outline)
    if not variants:
        outline.fail(1, "no variant; expected #EXT-X-STREAM-INF")
    return MultivariantPlaylist(
        variants=tuple(variants),
        renditions=tuple(renditions),
        independent_segments=independent,
        version=version,
        iframe_variants=tuple(iframes),
        image_variants=tuple(images),
        steering=steering,
        start=start,
        remarks=tuple(outline.remarks),
    )


def _remark_waiting(waiting: Line | None, outline: Outline) -> None:
    if waiting is not None:
        outline.remark(waiting.number, f"{waiting.tag} without a URI; expected one after it")


def _variant(line: Line, uri: str, outline: Outline) -> Variant:
    fields = Fields(attributes_of(line.value), outline, line.number, "variant")
    width, height = fields.resolution("RESOLUTION")
    return Variant(
        uri=uri,
        bandwidth_bps=fields.expected_integer("BANDWIDTH"),
        average_bandwidth_bps=fields.integer("AVERAGE-BANDWIDTH"),
        codecs=fields.text("CODECS") or "",
        width=width,
        height=height,
        frame_rate=fields.number("FRAME-RATE") or 0.0,
        audio_group=fields.text("AUDIO"),
        subtitles_group=fields.text("SUBTITLES"),
        video_range=fields.text("VIDEO-RANGE"),
        closed_captions=fields.text("CLOSED-CAPTIONS"),
        score=fields.number("SCORE"),
        pathway_id=fields.text("PATHWAY-ID"),
        stable_id=fields.text("STABLE-VARIANT-ID"),
    )


def _rendition(fields: Fields) -> list[Rendition]:
    """One rendition; none when nobody could refer to it."""
    if fields.lacks("TYPE", "GROUP-ID"):
        return []
    default = fields.yes("DEFAULT")
    return [
        Rendition(
            type=fields.required("TYPE"),
            group_id=fields.required("GROUP-ID"),
            name=fields.expected(
                "NAME", otherwise=fields.text("LANGUAGE") or fields.text("GROUP-ID")
            ),
            language=fields.text("LANGUAGE"),
            uri=fields.text("URI"),
            channels=fields.text("CHANNELS"),
            default=default,
            autoselect=default or fields.yes("AUTOSELECT"),
            instream_id=fields.text("INSTREAM-ID"),
            forced=fields.yes("FORCED"),
            characteristics=fields.text("CHARACTERISTICS"),
            stable_id=fields.text("STABLE-RENDITION-ID"),
        )
    ]


def _trick_play(fields: Fields) -> list[TrickPlayVariant]:
    """One playlist for scrubbing; none when it cannot be fetched."""
    if fields.lacks("URI"):
        return []
    width, height = fields.resolution("RESOLUTION")
    return [
        TrickPlayVariant(
            uri=fields.required("URI"),
            bandwidth_bps=fields.expected_integer("BANDWIDTH"),
            average_bandwidth_bps=fields.integer("AVERAGE-BANDWIDTH"),
            codecs=fields.text("CODECS") or "",
            width=width,
            height=height,
            video_range=fields.text("VIDEO-RANGE"),
            score=fields.number("SCORE"),
        )
    ]


def _steering(fields: Fields) -> Steering | None:
    if fields.lacks("SERVER-URI"):
        return None
    return Steering(fields.required("SERVER-URI"), fields.text("PATHWAY-ID"))
