"""What a playlist holds: variants, renditions, segments, keys.

Plain frozen values with units in their names. URIs are kept as written, relative ones
included; ``resolving`` makes them absolute. ``read`` parses the text and ``write`` prints it.

Source: RFC 8216bis (HTTP Live Streaming, 2nd edition), sections named beside the fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

IDENTITY = "identity"
"""The KEYFORMAT of a URI that answers with the key's bytes themselves."""

CLEAR_KEY = "org.w3.clearkey"
"""The KEYFORMAT of ClearKey, whose licences W3C's Encrypted Media Extensions define."""


class ByteRange(NamedTuple):
    """A run of bytes inside a resource."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One rung as listed in the multivariant playlist (EXT-X-STREAM-INF)."""

    uri: str
    """Its media playlist."""
    bandwidth_bps: int
    """BANDWIDTH: peak segment bit rate, with the audio rendition of the highest rate."""
    average_bandwidth_bps: int | None = None
    codecs: str = ""
    """CODECS: RFC 6381 names separated by commas; empty when not stated."""
    width: int = 0
    """Pixels; 0 when not stated."""
    height: int = 0
    """Pixels; 0 when not stated."""
    frame_rate: float = 0.0
    """Highest frames per second; 0 when not stated."""
    audio_group: str | None = None
    """GROUP-ID of the audio renditions that go with it."""
    subtitles_group: str | None = None
    video_range: str | None = None
    """SDR, HLG or PQ."""
    closed_captions: str | None = None
    """``NONE``, or the GROUP-ID of closed captions; None when not stated."""
    score: float | None = None
    """SCORE: how good the variant is compared with the others; None when not stated."""
    pathway_id: str | None = None
    """PATHWAY-ID: which of several ways to the same content; None when not stated."""
    stable_id: str | None = None
    """STABLE-VARIANT-ID: the same at every server that has the variant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """An alternative of the same content (EXT-X-MEDIA)."""

    type: str
    """AUDIO, VIDEO, SUBTITLES or CLOSED-CAPTIONS."""
    group_id: str
    name: str
    language: str | None = None
    """RFC 5646 tag."""
    uri: str | None = None
    """Its media playlist; None when the variants carry it inside."""
    channels: str | None = None
    """CHANNELS, such as ``2`` or ``6``."""
    default: bool = False
    autoselect: bool = False
    """A default rendition is always selectable: reading sets this too."""
    instream_id: str | None = None
    """Which captions inside the video; for CLOSED-CAPTIONS only."""
    forced: bool = False
    """Subtitles that are to be shown even to those who asked for none."""
    characteristics: str | None = None
    """CHARACTERISTICS: media characteristic tags (UTIs) separated by commas."""
    stable_id: str | None = None
    """STABLE-RENDITION-ID: the same at every server that has the rendition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrickPlayVariant:
    """A playlist for scrubbing (EXT-X-I-FRAME-STREAM-INF, EXT-X-IMAGE-STREAM-INF)."""

    uri: str
    """Its media playlist."""
    bandwidth_bps: int
    """BANDWIDTH: peak segment bit rate of that playlist alone."""
    average_bandwidth_bps: int | None = None
    codecs: str = ""
    """CODECS: RFC 6381 names; ``jpeg`` for images; empty when not stated."""
    width: int = 0
    """Pixels; 0 when not stated."""
    height: int = 0
    """Pixels; 0 when not stated."""
    video_range: str | None = None
    """SDR, HLG or PQ."""
    score: float | None = None
    """SCORE: how good it is compared with the others; None when not stated."""


class Steering(NamedTuple):
    """Who says which way to take (EXT-X-CONTENT-STEERING)."""

    server_uri: str
    """Of the steering manifest; may be a ``data:`` URI that holds it."""
    pathway_id: str | None = None
    """The way to take until the manifest is here."""


class Start(NamedTuple):
    """Where to begin (EXT-X-START)."""

    offset_s: float
    """From the beginning, or, when negative, from the end of the last segment."""
    is_precise: bool = False
    """Show nothing before it, not even of the segment that holds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MultivariantPlaylist:
    """All variants and renditions of one title."""

    variants: tuple[Variant, ...]
    """In the order listed: a player that knows nothing starts with the first."""
    renditions: tuple[Rendition, ...] = ()
    independent_segments: bool = False
    version: int = 1
    iframe_variants: tuple[TrickPlayVariant, ...] = ()
    """Playlists of key frames alone (EXT-X-I-FRAME-STREAM-INF)."""
    image_variants: tuple[TrickPlayVariant, ...] = ()
    """Playlists of thumbnails (EXT-X-IMAGE-STREAM-INF)."""
    steering: Steering | None = None
    start: Start | None = None
    """Of all its media playlists that say nothing of their own."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """What it defines (EXT-X-DEFINE), for media playlists that import it."""
    remarks: tuple[str, ...] = ()
    """What was wrong in the text that was read, and is passed over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """How segments after it are encrypted (EXT-X-KEY); METHOD=NONE is represented by no ``Key``."""

    method: str
    """AES-128, SAMPLE-AES or SAMPLE-AES-CTR."""
    uri: str
    """Where the content key can be fetched."""
    iv: bytes | None = None
    """16 bytes; None means the segment's media sequence number."""
    keyformat: str = IDENTITY
    keyformat_versions: str | None = None
    kid: str = ""
    """KEYID: the key's id, 32 lower-case hexadecimal digits; empty when not stated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Map:
    """Where the initialisation section of segments is (EXT-X-MAP)."""

    uri: str
    byte_range: ByteRange | None = None
    key: Key | None = None
    """The key in force where the tag is: it encrypts the section too (4.4.4.5)."""


class Tiles(NamedTuple):
    """How an image is divided into thumbnails (EXT-X-TILES), in rows from the top left."""

    width: int
    """Pixels of one thumbnail."""
    height: int
    columns: int
    rows: int
    duration_s: float
    """Seconds that each thumbnail stands for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One line of media with everything that applies to it."""

    uri: str
    duration_s: float
    byte_range: ByteRange | None = None
    """Part of the resource; None is all of it. Implicit offsets are filled in."""
    key: Key | None = None
    map: Map | None = None
    bitrate_kbps: int | None = None
    """EXT-X-BITRATE in force: thousands of bits per second, within 10 %; None unknown."""
    sequence: int = 0
    """Media sequence number."""
    discontinuity: bool = False
    """Timestamps or encoding change before this segment."""
    gap: bool = False
    """Listed, but not to be fetched."""
    date_s: float | None = None
    """Of its first sample, seconds since 1970 in UTC, to the millisecond (EXT-X-PROGRAM-DATE-TIME);
    None when not stated."""
    tiles: Tiles | None = None
    """In a playlist of images only."""


class ServerControl(NamedTuple):
    """What the server can do for players of live streams (EXT-X-SERVER-CONTROL)."""

    hold_back_s: float | None = None
    """HOLD-BACK: least distance from the end at which to play; None: three target durations."""
    can_skip_until_s: float | None = None
    """CAN-SKIP-UNTIL: delta updates leave out segments farther than this from the end."""
    can_block_reload: bool = False
    """CAN-BLOCK-RELOAD: a request for a playlist may wait for a segment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaPlaylist:
    """The segments of one rung or rendition."""

    target_duration_s: int
    """No segment's rounded duration is longer."""
    segments: tuple[Segment, ...]
    media_sequence: int = 0
    """Sequence number of the first segment."""
    endlist: bool = False
    """Nothing will be added."""
    playlist_type: Literal["VOD", "EVENT"] | None = None
    independent_segments: bool = False
    version: int = 1
    iframes_only: bool = False
    """Each segment is one key frame (EXT-X-I-FRAMES-ONLY); it lasts until the next."""
    images_only: bool = False
    """Each segment is an image (EXT-X-IMAGES-ONLY)."""
    discontinuity_sequence: int = 0
    """Discontinuities before the first segment."""
    start: Start | None = None
    control: ServerControl | None = None
    skipped: int = 0
    """Segments left out of a delta update, between the first and those listed (EXT-X-SKIP)."""
    has_parts: bool = False
    """It offers parts of segments too, for low latency (EXT-X-PART-INF); they are not read."""
    remarks: tuple[str, ...] = ()
    """What was wrong in the text that was read, and is passed over."""

    @property
    def duration_s(self) -> float:
        """Media seconds listed."""
        return sum(segment.duration_s for segment in self.segments)


Playlist = MultivariantPlaylist | MediaPlaylist


def vod_playlist(
    segments: Iterable[Segment],
    *,
    media_sequence: int = 0,
    iframes_only: bool = False,
    images_only: bool = False,
) -> MediaPlaylist:
    """A finished playlist of independent segments, numbered from ``media_sequence``.

    Target duration and version follow from the segments.
    """
    numbered = tuple(
        replace(segment, sequence=media_sequence + index) for index, segment in enumerate(segments)
    )
    playlist = MediaPlaylist(
        target_duration_s=target_duration_s(numbered),
        segments=numbered,
        media_sequence=media_sequence,
        endlist=True,
        playlist_type="VOD",
        independent_segments=True,
        iframes_only=iframes_only,
        images_only=images_only,
    )
    return replace(playlist, version=needed_version(playlist))


def target_duration_s(segments: Iterable[Segment]) -> int:
    """The least EXT-X-TARGETDURATION that covers ``segments``; at least 1.

    RFC 8216bis, 4.4.3.1: every EXTINF, rounded to the nearest integer, must not exceed it.
    """
    return max(1, *(rounded_s(segment.duration_s) for segment in segments), 1)


def rounded_s(duration_s: float) -> int:
    """Nearest whole second, halves up (not to even: the specification's readers differ)."""
    return int(duration_s + 0.5)


def needed_version(playlist: Playlist) -> int:
    """The least EXT-X-VERSION whose features cover ``playlist``.

    RFC 8216bis, section 8: 2 for IV, 3 for fractional EXTINF, 4 for BYTERANGE and
    EXT-X-I-FRAMES-ONLY, 5 for KEYFORMAT and for EXT-X-MAP beside I-frames only, 6 for
    EXT-X-MAP beside whole segments, 7 for SERVICE captions, 8 for EXT-X-GAP, 9 for EXT-X-SKIP.
    """
    if isinstance(playlist, MultivariantPlaylist):
        services = (rendition.instream_id or "" for rendition in playlist.renditions)
        return 7 if any(name.startswith("SERVICE") for name in services) else 3
    of_segments = {version for s in playlist.segments for version in _versions(s)}
    if playlist.iframes_only:
        of_segments = {5 if version == 6 else version for version in of_segments} | {4}
    if playlist.skipped:
        of_segments |= {9}
    return max(3, *of_segments, 3)


def _versions(segment: Segment) -> Iterator[int]:
    keys = (segment.key, segment.map.key if segment.map else None)
    if segment.byte_range is not None:
        yield 4
    if any(key and (key.keyformat != IDENTITY or key.keyformat_versions) for key in keys):
        yield 5
    if segment.map is not None:
        yield 6
    if segment.gap:
        yield 8
