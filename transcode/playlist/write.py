"""Playlist values to text, strictly: what breaks a rule is refused, not printed.

Every playlist this project serves is printed here. What is printed reads back to an equal
value (durations to the microsecond).

Source: RFC 8216bis; Apple's HLS authoring specification for what goes on each line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from abr.errors import PlaylistError
from transcode.playlist.model import (
    IDENTITY,
    ByteRange,
    Key,
    Map,
    MediaPlaylist,
    MultivariantPlaylist,
    Rendition,
    Segment,
    ServerControl,
    Start,
    Tiles,
    TrickPlayVariant,
    Variant,
    needed_version,
    rounded_s,
)

# RFC 8216bis, 4.2: no control characters in quoted strings, nor (4.1) anywhere in a playlist;
# the two Unicode separators end a line for some readers.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")
_NAME = re.compile(r"[A-Z0-9][A-Z0-9-]*")


def print_multivariant(playlist: MultivariantPlaylist) -> str:
    """Text of a multivariant playlist, renditions first.

    Raises:
        PlaylistError: no variant, an undefined group, an unprintable name, a default
            rendition that is not selectable, or a SCORE on some variants only.
    """
    if not playlist.variants:
        raise _refusal("no variant; expected at least one")
    scores = [variant.score for variant in playlist.variants]
    scores += [variant.score for variant in playlist.iframe_variants]
    if len({score is None for score in scores}) > 1:
        # RFC 8216bis, 4.4.6.2
        raise _refusal("a SCORE on some variants only; expected it on all or none")
    _check_groups(playlist)
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{max(playlist.version, needed_version(playlist))}"]
    if playlist.independent_segments:
        lines.append("#EXT-X-INDEPENDENT-SEGMENTS")
    if playlist.start is not None:
        lines.append(_start(playlist.start))
    if playlist.steering is not None:
        fields = [("SERVER-URI", _quote(_uri(playlist.steering.server_uri)))]
        if playlist.steering.pathway_id is not None:
            fields.append(("PATHWAY-ID", _quote(playlist.steering.pathway_id)))
        lines.append("#EXT-X-CONTENT-STEERING:" + _attributes(fields))
    lines += [_rendition(rendition) for rendition in playlist.renditions]
    for variant in playlist.variants:
        lines += [_variant(variant), _uri(variant.uri)]
    lines += [_trick_play("#EXT-X-I-FRAME-STREAM-INF", each) for each in playlist.iframe_variants]
    lines += [_trick_play("#EXT-X-IMAGE-STREAM-INF", each) for each in playlist.image_variants]
    return "\n".join(lines) + "\n"


def print_media(playlist: MediaPlaylist) -> str:
    """Text of a media playlist; key, map and bitrate lines only where they change.

    Raises:
        PlaylistError: a segment is longer than the target duration, out of sequence, or
            ends what no tag can end (its map or its bitrate); or the map is
            encrypted without an IV.
    """
    _check_media(playlist)
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{max(playlist.version, needed_version(playlist))}",
        f"#EXT-X-TARGETDURATION:{playlist.target_duration_s}",
    ]
    if playlist.media_sequence:
        lines.append(f"#EXT-X-MEDIA-SEQUENCE:{playlist.media_sequence}")
    if playlist.discontinuity_sequence:
        lines.append(f"#EXT-X-DISCONTINUITY-SEQUENCE:{_integer(playlist.discontinuity_sequence)}")
    if playlist.control is not None:
        lines.append(_control(playlist.control))
    if playlist.start is not None:
        lines.append(_start(playlist.start))
    if playlist.playlist_type:
        lines.append(f"#EXT-X-PLAYLIST-TYPE:{playlist.playlist_type}")
    if playlist.independent_segments:
        lines.append("#EXT-X-INDEPENDENT-SEGMENTS")
    if playlist.iframes_only:
        lines.append("#EXT-X-I-FRAMES-ONLY")
    if playlist.images_only:
        lines.append("#EXT-X-IMAGES-ONLY")
    if playlist.skipped:
        lines.append(f"#EXT-X-SKIP:SKIPPED-SEGMENTS={_integer(playlist.skipped)}")
    lines += _segment_lines(playlist.segments)
    if playlist.endlist:
        lines.append("#EXT-X-ENDLIST")
    return "\n".join(lines) + "\n"


def _start(start: Start) -> str:
    if not abs(start.offset_s) < 1e9:
        raise _refusal(f"a start at {start.offset_s} s; expected a finite time")
    fields = [("TIME-OFFSET", _signed(start.offset_s))]
    if start.is_precise:
        fields.append(("PRECISE", "YES"))
    return "#EXT-X-START:" + _attributes(fields)


def _control(control: ServerControl) -> str:
    fields = []
    if control.can_skip_until_s is not None:
        fields.append(("CAN-SKIP-UNTIL", _seconds(control.can_skip_until_s)))
    if control.hold_back_s is not None:
        fields.append(("HOLD-BACK", _seconds(control.hold_back_s)))
    if control.can_block_reload:
        fields.append(("CAN-BLOCK-RELOAD", "YES"))
    if not fields:
        raise _refusal("a server control that says nothing; expected something, or none")
    return "#EXT-X-SERVER-CONTROL:" + _attributes(fields)


def _segment_lines(segments: Iterable[Segment]) -> Iterator[str]:
    key: Key | None = None
    section: Map | None = None
    bitrate: int | None = None
    for segment in segments:
        if segment.discontinuity:
            yield "#EXT-X-DISCONTINUITY"
        if segment.map != section:
            section = segment.map
            assert section is not None  # _check_media refuses a map that ends
            if section.key != key:
                key = section.key
                yield _key(key)
            yield _map(section)
        if segment.key != key:
            key = segment.key
            yield _key(key)
        # RFC 8216bis, 4.4.4.8: EXT-X-BITRATE does not apply to byte ranges.
        if segment.byte_range is None and segment.bitrate_kbps != bitrate:
            bitrate = segment.bitrate_kbps
            yield f"#EXT-X-BITRATE:{bitrate}"
        if segment.date_s is not None:
            yield f"#EXT-X-PROGRAM-DATE-TIME:{_date(segment.date_s)}"
        if segment.gap:
            yield "#EXT-X-GAP"
        yield f"#EXTINF:{_seconds(segment.duration_s)},"
        if segment.byte_range is not None:
            yield f"#EXT-X-BYTERANGE:{_byte_range(segment.byte_range)}"
        if segment.tiles is not None:
            yield _tiles(segment.tiles)
        yield _uri(segment.uri)


def _date(date_s: float) -> str:
    try:
        date = datetime.fromtimestamp(date_s, UTC)
    except (ValueError, OverflowError) as exc:
        raise _refusal(f"a date of {date_s} s; expected seconds since 1970") from exc
    return date.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _check_media(playlist: MediaPlaylist) -> None:
    section: Map | None = None
    bitrate: int | None = None
    if playlist.has_parts:
        raise _refusal("parts of segments; expected none, since they are not read either")
    for index, segment in enumerate(playlist.segments):
        where = f"segment {index}"
        expected = playlist.media_sequence + playlist.skipped + index
        if segment.sequence != expected:
            raise _refusal(f"{where}: sequence {segment.sequence}; expected {expected}")
        if rounded_s(segment.duration_s) > playlist.target_duration_s or segment.duration_s < 0:
            raise _refusal(
                f"{where}: lasts {segment.duration_s} s; expected 0 to the target duration, "
                f"{playlist.target_duration_s} s"
            )
        if section is not None and segment.map is None:
            raise _refusal(f"{where}: has no map after others had one; no tag can say that")
        section = segment.map
        if section and section.key and section.key.iv is None and section.key.method == "AES-128":
            # RFC 8216bis, 4.4.4.5
            raise _refusal(f"{where}: its map is encrypted without an IV; expected an explicit one")
        if segment.byte_range is not None:
            if segment.bitrate_kbps is not None:
                raise _refusal(f"{where}: a bitrate on a byte range; expected one or the other")
            continue
        if bitrate is not None and segment.bitrate_kbps is None:
            raise _refusal(f"{where}: has no bitrate after others had one; no tag can say that")
        bitrate = segment.bitrate_kbps


def _check_groups(playlist: MultivariantPlaylist) -> None:
    groups = {(rendition.type, rendition.group_id) for rendition in playlist.renditions}
    for variant in playlist.variants:
        captions = variant.closed_captions
        wanted = (
            ("AUDIO", variant.audio_group),
            ("SUBTITLES", variant.subtitles_group),
            ("CLOSED-CAPTIONS", None if captions == "NONE" else captions),
        )
        for kind, group in wanted:
            if group is not None and (kind, group) not in groups:
                raise _refusal(f"a variant names {kind} group {group!r}; no rendition is in it")


def _variant(variant: Variant) -> str:
    fields: list[tuple[str, str]] = [("BANDWIDTH", _integer(variant.bandwidth_bps))]
    if variant.average_bandwidth_bps is not None:
        fields.append(("AVERAGE-BANDWIDTH", _integer(variant.average_bandwidth_bps)))
    if variant.score is not None:
        fields.append(("SCORE", _score(variant.score)))
    if variant.codecs:
        fields.append(("CODECS", _quote(variant.codecs)))
    if variant.width or variant.height:
        fields.append(("RESOLUTION", f"{_integer(variant.width)}x{_integer(variant.height)}"))
    if variant.frame_rate:
        fields.append(("FRAME-RATE", f"{variant.frame_rate:.3f}"))
    if variant.video_range is not None:
        fields.append(("VIDEO-RANGE", _check_enumerated(variant.video_range)))
    if variant.audio_group is not None:
        fields.append(("AUDIO", _quote(variant.audio_group)))
    if variant.subtitles_group is not None:
        fields.append(("SUBTITLES", _quote(variant.subtitles_group)))
    if variant.closed_captions is not None:
        none = variant.closed_captions == "NONE"
        fields.append(("CLOSED-CAPTIONS", "NONE" if none else _quote(variant.closed_captions)))
    if variant.pathway_id is not None:
        fields.append(("PATHWAY-ID", _quote(variant.pathway_id)))
    if variant.stable_id is not None:
        fields.append(("STABLE-VARIANT-ID", _quote(variant.stable_id)))
    return "#EXT-X-STREAM-INF:" + _attributes(fields)


def _score(score: float) -> str:
    if not 0 <= score < 1e9:
        raise _refusal(f"a SCORE of {score}; expected a number of 0 or more")
    return f"{score:.3f}".rstrip("0").rstrip(".")


def _trick_play(tag: str, variant: TrickPlayVariant) -> str:
    fields = [("BANDWIDTH", _integer(variant.bandwidth_bps))]
    if variant.average_bandwidth_bps is not None:
        fields.append(("AVERAGE-BANDWIDTH", _integer(variant.average_bandwidth_bps)))
    if variant.codecs:
        fields.append(("CODECS", _quote(variant.codecs)))
    if variant.width or variant.height:
        fields.append(("RESOLUTION", f"{_integer(variant.width)}x{_integer(variant.height)}"))
    if variant.video_range is not None:
        fields.append(("VIDEO-RANGE", _check_enumerated(variant.video_range)))
    if variant.score is not None:
        fields.append(("SCORE", _score(variant.score)))
    fields.append(("URI", _quote(_uri(variant.uri))))
    return f"{tag}:" + _attributes(fields)


def _tiles(tiles: Tiles) -> str:
    return "#EXT-X-TILES:" + _attributes(
        [
            ("RESOLUTION", f"{_integer(tiles.width)}x{_integer(tiles.height)}"),
            ("LAYOUT", f"{_integer(tiles.columns)}x{_integer(tiles.rows)}"),
            ("DURATION", _seconds(tiles.duration_s)),
        ]
    )


def _rendition(rendition: Rendition) -> str:
    if rendition.default and not rendition.autoselect:
        # RFC 8216bis, 4.4.6.1: DEFAULT=YES asks for AUTOSELECT=YES.
        raise _refusal(f"rendition {rendition.name!r} is default; expected autoselect as well")
    fields = [
        ("TYPE", _check_enumerated(rendition.type)),
        ("GROUP-ID", _quote(rendition.group_id)),
        ("NAME", _quote(rendition.name)),
    ]
    if rendition.language is not None:
        fields.append(("LANGUAGE", _quote(rendition.language)))
    fields.append(("DEFAULT", "YES" if rendition.default else "NO"))
    fields.append(("AUTOSELECT", "YES" if rendition.autoselect else "NO"))
    if rendition.type == "SUBTITLES":
        fields.append(("FORCED", "YES" if rendition.forced else "NO"))
    elif rendition.forced:
        # RFC 8216bis, 4.4.6.1: FORCED must not appear on any other type.
        raise _refusal(f"rendition {rendition.name!r} is forced; expected that of subtitles only")
    if rendition.characteristics is not None:
        fields.append(("CHARACTERISTICS", _quote(rendition.characteristics)))
    if rendition.channels is not None:
        fields.append(("CHANNELS", _quote(rendition.channels)))
    if rendition.instream_id is not None:
        fields.append(("INSTREAM-ID", _quote(rendition.instream_id)))
    if rendition.stable_id is not None:
        fields.append(("STABLE-RENDITION-ID", _quote(rendition.stable_id)))
    if rendition.uri is not None:
        fields.append(("URI", _quote(_uri(rendition.uri))))
    return "#EXT-X-MEDIA:" + _attributes(fields)


def _key(key: Key | None) -> str:
    if key is None:
        return "#EXT-X-KEY:METHOD=NONE"
    fields = [("METHOD", _check_enumerated(key.method)), ("URI", _quote(_uri(key.uri)))]
    if key.iv is not None:
        if len(key.iv) != 16:
            raise _refusal(f"an IV of {len(key.iv)} bytes; expected 16")
        fields.append(("IV", f"0x{key.iv.hex()}"))
    if key.kid:
        if not re.fullmatch("[0-9a-f]{32}", key.kid):
            raise _refusal("a key id of another form; expected 32 hexadecimal digits")
        fields.append(("KEYID", f"0x{key.kid}"))
    if key.keyformat != IDENTITY:
        fields.append(("KEYFORMAT", _quote(key.keyformat)))
    if key.keyformat_versions is not None:
        fields.append(("KEYFORMATVERSIONS", _quote(key.keyformat_versions)))
    return "#EXT-X-KEY:" + _attributes(fields)


def _map(section: Map) -> str:
    fields = [("URI", _quote(_uri(section.uri)))]
    if section.byte_range is not None:
        fields.append(("BYTERANGE", _quote(_byte_range(section.byte_range))))
    return "#EXT-X-MAP:" + _attributes(fields)


def _attributes(fields: Iterable[tuple[str, str]]) -> str:
    return ",".join(f"{name}={value}" for name, value in fields)


def _byte_range(byte_range: ByteRange) -> str:
    return f"{_integer(byte_range[1])}@{_integer(byte_range[0])}"


def _seconds(duration_s: float) -> str:
    """Microseconds at most, milliseconds at least: ``4.000``, ``4.004``, ``3.999333``."""
    text = f"{duration_s:.6f}"
    return text[:-3] + text[-3:].rstrip("0")


def _signed(seconds: float) -> str:
    return ("-" if seconds < 0 else "") + _seconds(abs(seconds))


def _integer(value: int) -> str:
    if not 0 <= value < 2**64:
        raise _refusal(f"the number {value}; expected 0 to 2^64-1")
    return str(value)


def _quote(text: str) -> str:
    if not text or '"' in text or _UNPRINTABLE.search(text):
        raise _refusal(f"the text {text!r}; expected some, without quotes or control characters")
    return f'"{text}"'


def _check_enumerated(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise _refusal(f"the word {text!r}; expected capital letters, digits and hyphens")
    return text


def _uri(uri: str) -> str:
    if not uri or uri != uri.strip() or uri.startswith("#") or _UNPRINTABLE.search(uri):
        raise _refusal(f"the URI {uri!r}; expected one that can stand on a line of its own")
    return uri


def _refusal(what: str) -> PlaylistError:
    return PlaylistError(f"playlist to print: {what}")
