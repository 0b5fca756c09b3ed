"""What the index of a package holds: every figure that is known of it.

``listing`` makes the playlists from it, so the two cannot disagree; ``indexfile`` is its text,
and ``checks`` says whether it is consistent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from transcode.packaging.keygroups import KeyGroup, lines_of
from transcode.packaging.layout import (
    AUDIO_GROUP,
    IFRAMES,
    INIT,
    MANIFEST,
    MULTIVARIANT,
    PLAYLIST,
    Container,
    segment_name,
    variant_b,
)
from transcode.packaging.rates import listed_peak_bps, mean_bps, peak_bps
from transcode.packaging.sidetracks import ImageTrack, TextTrack, files_of_images, files_of_text
from transcode.playlist import Segment, target_duration_s
from transcode.quality import QualityFacts

LATER = {"later": True}
"""Marks fields added since version 1.0 of the index: left out where they hold their default."""


def key_period(segment: int, rotate_every: int) -> int:
    """Which run of segments, from 0, ``segment`` belongs to: each has a content key.

    Args:
        segment: Index in the presentation, from 0.
        rotate_every: Segments to a period; 0 is one period for all.
    """
    return segment // rotate_every if rotate_every else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStream:
    """One stream of pictures or sound in the master, and what became of it."""

    index: int
    """Number of the stream in the file."""
    kind: str
    """``video`` or ``audio``."""
    what: str
    """Codec, size or layout, language and title."""
    is_used: bool
    use: str
    """What it is used for, or why it is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFacts:
    """What the package was made from."""

    name: str
    """File name without its folder, or a description of a generated master."""
    duration_s: float
    width: int
    """Pixels as displayed, rotation applied."""
    height: int
    frame_rate: float
    size_bytes: int = 0
    """0 for a generated master."""
    audio_channels: int = 0
    """0 for a silent one."""
    streams: tuple[SourceStream, ...] = field(default=(), metadata=LATER)
    """All streams of pictures and sound; none where it was not recorded."""
    notes: tuple[str, ...] = field(default=(), metadata=LATER)
    """What was found, guessed or changed that a person should know."""


class KeyFrame(NamedTuple):
    """A key frame that can be fetched alone, by a byte range of its segment as served."""

    offset_bytes: int
    """Where its fragment begins."""
    size_bytes: int
    """Of the whole fragment."""
    duration_s: float
    """Until the next key frame, or the end of the segment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentFacts:
    """One media segment as served, encrypted if it is."""

    size_bytes: int
    duration_s: float
    key_frames: tuple[KeyFrame, ...] = field(default=(), metadata=LATER)
    """Those of video, in order; none where they cannot be fetched alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One rung of video, or one rendition of audio: a folder."""

    folder: str
    kind: Literal["video", "audio"]
    codecs: str
    """RFC 6381."""
    init_bytes: int
    """Size of the initialisation section as served; 0 in transport streams, which have none."""
    segments: tuple[SegmentFacts, ...]
    width: int = 0
    height: int = 0
    frame_rate: float = 0.0
    channels: int = 0
    language: str | None = None
    name: str = ""
    """Shown in a player's menu of renditions."""
    groups: tuple[str, ...] = field(default=(), metadata=LATER)
    """Of audio: groups of renditions that it is in; none means ``audio`` alone."""
    characteristics: str = field(default="", metadata=LATER)
    """CHARACTERISTICS: media characteristic tags, separated by commas."""
    autoselect: bool = field(default=True, metadata=LATER)
    """Whether a player may choose it by itself, because of its language."""
    loudness_lufs: float | None = field(default=None, metadata=LATER)
    """Integrated loudness as written (EBU R 128); None when nobody measured."""
    video_range: Literal["SDR", "HLG", "PQ"] = field(default="SDR", metadata=LATER)
    """Dynamic range of the picture, as HLS names it."""
    timescale: int = field(default=0, metadata=LATER)
    """Units per second, in which every duration is a whole number; 0 when not recorded."""

    @property
    def durations_s(self) -> tuple[float, ...]:
        """Media seconds of each segment."""
        return tuple(segment.duration_s for segment in self.segments)

    @property
    def key_frames(self) -> tuple[KeyFrame, ...]:
        """All key frames, in order; none unless every segment has some."""
        if not all(segment.key_frames for segment in self.segments):
            return ()
        return tuple(frame for segment in self.segments for frame in segment.key_frames)

    @property
    def lines(self) -> int:
        """Lines of its pictures, as groups of keys count them; 0 for sound."""
        return lines_of(self.width, self.height)

    @property
    def media_bytes(self) -> int:
        """Bytes of all segments, the initialisation section not included."""
        return sum(segment.size_bytes for segment in self.segments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption:
    """How the segments are encrypted; never a key."""

    method: str
    """``AES-128`` of whole files; of samples ``SAMPLE-AES`` (cbcs) or ``SAMPLE-AES-CTR`` (cenc)."""
    kids: tuple[str, ...]
    """All key ids: one for each period, of each group in turn."""
    rotate_every: int = 0
    """Segments to a period; 0 is one period for all."""
    seals_init: bool = False
    """Whether the initialisation sections are encrypted, with the key of period 0."""
    explicit_iv: bool = field(default=False, metadata=LATER)
    """Whether playlists give the initialisation vector of each segment; else its number is it."""
    groups: tuple[KeyGroup, ...] = field(default=(), metadata=LATER)
    """Tracks that have keys of their own; none: all tracks have the same."""

    @property
    def is_whole(self) -> bool:
        """Whether files are encrypted as a whole, so that no part of one can be used."""
        return self.method == "AES-128"

    def period(self, segment: int) -> int:
        """Which period ``segment`` belongs to."""
        return key_period(segment, self.rotate_every)

    def kid_of(self, folder: str, segment: int = 0) -> str:
        """Id of the key of a segment of the track in ``folder``; also of what its period seals."""
        groups = (group.kids for group in self.groups if folder in group.folders)
        return next(groups, self.kids)[self.period(segment)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentationIndex:
    """Everything that can be known about a package without reading its media."""

    title: str
    """As in URLs; see ``title_of``."""
    source: SourceFacts
    video: tuple[Track, ...]
    """Rungs in the first codec, lowest first."""
    audio: tuple[Track, ...] = ()
    """Renditions, the default one first; empty for a silent source."""
    encryption: Encryption | None = None
    made_by: str = ""
    """Tool and version."""
    text: tuple[TextTrack, ...] = field(default=(), metadata=LATER)
    """Subtitles."""
    images: tuple[ImageTrack, ...] = field(default=(), metadata=LATER)
    """Thumbnails; one track at the most."""
    dash: bool = field(default=False, metadata=LATER)
    """Whether there is a manifest for players of DASH."""
    more_video: tuple[Track, ...] = field(default=(), metadata=LATER)
    """Rungs in further codecs, one ladder after another, each lowest first. What plays one
    ladder plays ``video``: a player must not change codecs in mid-film."""
    quality: QualityFacts | None = field(default=None, metadata=LATER)
    """What was measured of the rungs; None where nothing was."""
    container: Container = field(default="fmp4", metadata=LATER)
    """Of all segments of video and audio."""
    watermarked: bool = field(default=False, metadata=LATER)
    """Whether every segment of video has two variants, of the same sizes and key frames."""

    @property
    def rungs(self) -> tuple[Track, ...]:
        """Rungs of all ladders; a rung's place is the number in its folder's name."""
        return self.video + self.more_video

    @property
    def tracks(self) -> tuple[Track, ...]:
        """Video, then audio."""
        return self.rungs + self.audio

    @property
    def key_groups(self) -> tuple[KeyGroup, ...]:
        """Which keys open which tracks; none where nothing is encrypted."""
        if self.encryption is None:
            return ()
        whole = KeyGroup(
            name="all",
            height=max(track.lines for track in self.rungs),
            folders=tuple(track.folder for track in self.tracks),
            kids=self.encryption.kids,
        )
        return self.encryption.groups or (whole,)

    @property
    def target_duration_s(self) -> int:
        """EXT-X-TARGETDURATION of every track (Apple's item 8.2: the same for all)."""
        return target_duration_s(
            Segment(uri="-", duration_s=segment.duration_s)
            for track in self.tracks
            for segment in track.segments
        )

    @property
    def audio_groups(self) -> tuple[str, ...]:
        """Groups of audio renditions, the default one first; empty for a silent source."""
        return tuple(dict.fromkeys(group for each in self.audio for group in groups_of(each)))

    def audio_of(self, group: str | None = None) -> tuple[Track, ...]:
        """Renditions of a group, the default one first; None is the first group."""
        wanted = group or next(iter(self.audio_groups), "")
        return tuple(each for each in self.audio if wanted in groups_of(each))

    def peak_bps(self, rung: int, group: str | None = None) -> int:
        """Peak of a variant: that of its video plus the highest of any rendition of its group."""
        target_s = self.target_duration_s
        audio = (peak_bps(track, target_s) for track in self.audio_of(group))
        return peak_bps(self.rungs[rung], target_s) + max(audio, default=0)

    def bandwidth_bps(self, rung: int, group: str | None = None) -> int:
        """BANDWIDTH of a variant: its peak, or a little more; see ``listed_peak_bps``."""
        target_s = self.target_duration_s
        audio = (listed_peak_bps(track, target_s) for track in self.audio_of(group))
        return listed_peak_bps(self.rungs[rung], target_s) + max(audio, default=0)

    def average_bandwidth_bps(self, rung: int, group: str | None = None) -> int:
        """AVERAGE-BANDWIDTH: the video's mean plus the highest mean of a rendition of its group."""
        return mean_bps(self.rungs[rung]) + max(map(mean_bps, self.audio_of(group)), default=0)


def groups_of(track: Track) -> tuple[str, ...]:
    """Groups of renditions that an audio track is in."""
    return track.groups or (AUDIO_GROUP,)


def files_of(index: PresentationIndex) -> dict[str, int | None]:
    """Every file of the package by relative path, with its size; None where none is recorded.

    Playlists have none: they follow from the index.
    """
    files: dict[str, int | None] = {MULTIVARIANT: None}
    for track in index.tracks:
        files[f"{track.folder}/{PLAYLIST}"] = None
        if index.container == "fmp4":
            files[f"{track.folder}/{INIT}"] = track.init_bytes
        for number, segment in enumerate(track.segments):
            name = segment_name(number, index.container)
            files[f"{track.folder}/{name}"] = segment.size_bytes
            if index.watermarked and track.kind == "video":
                files[f"{track.folder}/{variant_b(name)}"] = segment.size_bytes
        if track.key_frames:
            files[f"{track.folder}/{IFRAMES}"] = None
    if index.dash:
        files[MANIFEST] = None
    for text in index.text:
        files |= files_of_text(text)
    for images in index.images:
        files |= files_of_images(images)
    return files
