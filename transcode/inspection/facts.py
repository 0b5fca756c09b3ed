"""What was measured of a package: of each sample description, segment and playlist.

Plain values, in seconds where times are compared across tracks. ``isomedia``, ``transport`` and
``webvtt`` fill them from bytes; the rules judge them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from transcode.inspection.bits import Sps
from transcode.inspection.playlists import (
    ListedMap,
    ListedMedia,
    ListedMultivariant,
    ListedRendition,
    ListedSegment,
    ListedVariant,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackFacts:
    """One track as its sample description or its parameter sets describe it."""

    id: int
    """Track id, or packet id in a transport stream."""
    kind: str
    """``video``, ``audio``, ``text`` or ``other``."""
    codec: str
    """RFC 6381 name; empty when unknown."""
    entry: str = ""
    """Kind of sample entry, such as ``avc1``, encryption taken off."""
    timescale: int = 90_000
    width: int = 0
    """Pixels as displayed."""
    height: int = 0
    sps: Sps | None = None
    is_progressive: bool = True
    transfer: int | None = None
    """Transfer characteristics (ISO/IEC 23091-2): 16 is PQ, 18 is HLG."""
    primaries: int | None = None
    matrix: int | None = None
    channels: int = 0
    sample_rate: int = 0
    scheme: str = ""
    """``cenc`` or ``cbcs`` when samples are encrypted."""
    pattern: tuple[int, int] | None = None
    """Encrypted and clear blocks in turn."""
    empty_edit_s: float = 0.0
    """Nothing is shown for so long at the start, by the edit list."""
    skipped_s: float = 0.0
    """Media before the first that is shown, by the edit list."""
    defaults: tuple[int, int, int] = (0, 0, 0)
    """Duration, size and flags of samples that state none."""
    nal_length_bytes: int = 0
    """Bytes of the length before each NAL unit; 0 for other codecs."""
    clear_entries: frozenset[int] = frozenset()
    """Numbers of sample entries of an encrypted track that hold clear samples."""
    sei: frozenset[int] = frozenset()
    """Payload types of SEI messages in the sample description (HEVC)."""
    signals_sbr: bool = False
    """Whether the sample description says that AAC carries SBR."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """One track inside one segment."""

    track: int
    kind: str
    start_s: float
    """Decoding time of the first sample."""
    end_s: float
    """Decoding time of the last sample and its duration."""
    first_shown_s: float
    """Earliest presentation time."""
    shown_end_s: float
    """Latest presentation time and its sample's duration."""
    frames: int
    """Samples."""
    key_times_s: tuple[float, ...] = ()
    """Presentation times of pictures at which decoding can begin."""
    starts_with_idr: bool | None = None
    """None for what is no video, or cannot be seen."""
    first_picture: str = ""
    """What the first picture is, in words."""
    frame_s: float = 0.0
    """Commonest duration of a sample; 0 where it is not known, and with it where the last ends."""
    is_clear: bool = False
    """Samples in the clear, of a track that is encrypted elsewhere."""
    sei: frozenset[int] = frozenset()
    """Payload types of SEI messages in its first picture (HEVC)."""
    jump_s: float = 0.0
    """Largest step between the end of a fragment and the start of the next, inside the segment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """Times of one subtitle, in seconds on its segment's own clock."""

    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFacts:
    """One segment of WebVTT."""

    has_header: bool
    offset_s: float | None
    """What X-TIMESTAMP-MAP adds to local times (modulo its clock); None without the map."""
    cues: tuple[Cue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentFacts:
    """One segment's bytes."""

    size_bytes: int | None = None
    """As served; None when not known."""
    problem: str = ""
    """Why it cannot be used; empty when all is well."""
    is_missing: bool = False
    is_sealed: bool = False
    """Encrypted whole, and no key was at hand."""
    container: str = ""
    """``fmp4``, ``ts``, ``aac``, ``vtt``; empty when not read."""
    stretches: tuple[Stretch, ...] = ()
    tracks: tuple[TrackFacts, ...] = ()
    """Where segments describe themselves (transport streams)."""
    counters: str = ""
    """What is wrong with continuity counters; empty when nothing."""
    text: TextFacts | None = None
    decoded_frames: int | None = None
    """Frames that came out when decoded alone; None when not tried."""
    decode_problem: str = ""

    def of(self, kind: str) -> Stretch | None:
        """The first stretch of a kind."""
        return next((each for each in self.stretches if each.kind == kind), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class InitFacts:
    """One initialisation section."""

    uri: str
    tracks: tuple[TrackFacts, ...] = ()
    problem: str = ""
    is_sealed: bool = False
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How a server answered; what comes from a disk has none."""

    content_type: str
    """In lower case, without parameters; empty when not stated."""
    encoding: str
    """Content-Encoding, such as ``gzip``."""
    was_redirected: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFacts:
    """One media playlist and what was measured of its files."""

    name: str
    """Its address as shown to people: relative, without query."""
    listed: ListedMedia
    role: str
    """``video`` (a variant), ``audio``, ``subtitles`` or ``iframes``."""
    segments: tuple[SegmentFacts, ...]
    """One for each listed segment."""
    inits: Mapping[str, InitFacts] = field(default_factory=dict)
    """By ``init_key`` of the map."""
    names: tuple[str, ...] = ()
    """Addresses of segments as shown to people."""
    delivery: Delivery | None = None
    """Of the playlist."""
    segment_delivery: Delivery | None = None
    """Of the first segment."""

    def init_of(self, segment: ListedSegment) -> InitFacts | None:
        """The initialisation section that goes before a segment."""
        return self.inits.get(init_key(segment.map)) if segment.map else None

    def tracks(self) -> tuple[TrackFacts, ...]:
        """Tracks of all initialisation sections, or of the first segment that shows its own."""
        found = [track for init in self.inits.values() for track in init.tracks]
        if not found:
            found = list(next((s.tracks for s in self.segments if s.tracks), ()))
        return tuple(found)

    def track(self, kind: str) -> TrackFacts | None:
        """The first track of a kind."""
        return next((track for track in self.tracks() if track.kind == kind), None)

    def stretches(self, kind: str) -> Iterator[tuple[int, Stretch]]:
        """Number of the segment and stretch, for each segment that has one."""
        for number, segment in enumerate(self.segments):
            stretch = segment.of(kind)
            if stretch is not None:
                yield number, stretch

    def place(self, number: int) -> str:
        """Name of a segment for messages."""
        name = self.names[number] if number < len(self.names) else ""
        byte_range = self.listed.segments[number].byte_range
        at = f", bytes {byte_range.offset}+{byte_range.length}" if byte_range else ""
        return f"segment {number} ({name}{at})"

    @property
    def duration_s(self) -> float:
        """Sum of EXTINF."""
        return sum(segment.duration_s for segment in self.listed.segments)

    @property
    def sizes_bytes(self) -> tuple[int, ...] | None:
        """Size of every segment, or None when one is not known."""
        sizes = tuple(segment.size_bytes or 0 for segment in self.segments)
        return sizes if sizes and all(sizes) else None

    @property
    def main_kind(self) -> str:
        """The kind of track whose times count: video where there is any."""
        kinds = {stretch.kind for segment in self.segments for stretch in segment.stretches}
        return next((kind for kind in ("video", "audio", "text") if kind in kinds), "")

    @property
    def frame_rate(self) -> float | None:
        """Frames a second, measured over all segments of video; None without any."""
        frames = seconds = 0.0
        for _, stretch in self.stretches("video"):
            frames += stretch.frames
            seconds += stretch.end_s - stretch.start_s
        return frames / seconds if seconds > 0 else None

    @property
    def commonest_rate(self) -> float | None:
        """Frames a second by the commonest length of a picture; None without any video."""
        lengths = Counter(s.frame_s for _, s in self.stretches("video") if s.frame_s > 0)
        return 1 / lengths.most_common(1)[0][0] if lengths else None

    @property
    def codecs(self) -> tuple[str, ...]:
        """Names of the codecs inside, each once."""
        return tuple(dict.fromkeys(t.codec for t in self.tracks() if t.kind != "other"))


def init_key(section: ListedMap) -> str:
    """One name for each initialisation section of a playlist."""
    part = section.byte_range
    return f"{section.uri}#{part.offset}+{part.length}" if part else section.uri


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantFacts:
    """A variant, with the playlists that play together in it."""

    listed: ListedVariant
    media: MediaFacts | None
    """None when its playlist could not be read."""
    audio: tuple[MediaFacts, ...] = ()
    """Playlists of its audio group."""

    @property
    def aspect(self) -> Fraction | None:
        """Width over height, as stated."""
        size = self.listed.size
        return Fraction(*size) if size and all(size) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RenditionFacts:
    """A rendition and its playlist; None without a URI, or when it could not be read."""

    listed: ListedRendition
    media: MediaFacts | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """A file that could not be read."""

    name: str
    why: str
    listed_in: str
    line: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageFacts:
    """Everything known of a package."""

    name: str
    """The playlist that was opened, as shown to people."""
    multivariant: ListedMultivariant | None
    """None when a media playlist was given."""
    lone: MediaFacts | None = None
    """The media playlist that was given instead."""
    variants: tuple[VariantFacts, ...] = ()
    renditions: tuple[RenditionFacts, ...] = ()
    iframes: tuple[VariantFacts, ...] = ()
    unusable: tuple[Unusable, ...] = ()
    """Playlists that could not be read."""
    delivery: Delivery | None = None
    """Of the multivariant playlist."""
    is_stored: bool = False
    """On disk: nothing will be added to it."""
    quality: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Quality of each segment by name of the media playlist, where the package states it."""
    metric: str = ""
    """Of ``quality``, such as ``vmaf``."""

    def media(self) -> Iterator[MediaFacts]:
        """Every media playlist once: variants, renditions, trick play."""
        seen: set[str] = set()
        everything = (
            self.lone,
            *(variant.media for variant in self.variants),
            *(rendition.media for rendition in self.renditions),
            *(variant.media for variant in self.iframes),
        )
        for media in everything:
            if media is not None and media.name not in seen:
                seen.add(media.name)
                yield media

    def audio_video(self) -> Iterator[MediaFacts]:
        """Media playlists of variants and audio renditions."""
        for media in self.media():
            if media.role in ("video", "audio"):
                yield media

    def rungs(self) -> Iterator[MediaFacts]:
        """Media playlists of variants, each once."""
        for media in self.media():
            if media.role == "video" and media.main_kind != "audio":
                yield media
