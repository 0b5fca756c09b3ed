"""The package on disk: names of its files, what its index holds, and their checks.

What a package contains is decided here only. The index holds every figure, and ``listing``
makes the playlists from it, so the two cannot disagree. No file is touched here: ``reader``
reads packages, ``package`` writes them, and ``indexfile`` is the text of the index.

Folder of one title::

    multivariant.m3u8   presentation.json   v0/ v1/ …   a0/
    v0/playlist.m3u8    v0/init.mp4         v0/00000.m4s …   v0/iframes.m3u8
    v0/00000.ts …                           transport streams instead, without init.mp4
    s0/00000.vtt …      t0/00000.jpg …      see ``sidetracks``

Source: RFC 8216bis, 4.4.6.2 for bandwidths; Apple's HLS authoring specification, items
1.27, 9.13 and 9.14.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from abr.errors import PackageError
from transcode.packaging.sidetracks import ImageTrack, TextTrack, files_of_images, files_of_text
from transcode.playlist import MultivariantPlaylist, Segment, target_duration_s
from transcode.quality import QualityFacts

MULTIVARIANT = "multivariant.m3u8"
INDEX = "presentation.json"
MANIFEST = "manifest.mpd"
PLAYLIST = "playlist.m3u8"
IFRAMES = "iframes.m3u8"
INIT = "init.mp4"
Container = Literal["fmp4", "ts"]
"""What segments are: fragments of MP4, or MPEG-2 transport streams."""
AUDIO_GROUP = "audio"
"""The group of renditions that every player can play: stereo AAC."""
REMEDY = "make the package again with `abr transcode MASTER OUT --force`"
MAX_TITLE_CHARS = 128
"""Longest title: it is part of URLs, cache keys and file names."""
_TITLE = re.compile(rf"[a-z0-9_-]{{1,{MAX_TITLE_CHARS}}}")
_SAME_S = 1e-6
_RAISE = 1.09
LATER = {"later": True}
"""Marks fields added since version 1.0 of the index: left out where they hold their default."""


def video_folder(rung: int) -> str:
    """``v0``, ``v1``, …; rung 0 is the lowest."""
    return f"v{rung}"


def audio_folder(rendition: int) -> str:
    """``a0``, ``a1``, …."""
    return f"a{rendition}"


def segment_name(index: int, container: Container = "fmp4") -> str:
    """``00000.m4s``, ``00001.m4s``, …; of transport streams ``00000.ts``, …."""
    return f"{index:05d}.{'ts' if container == 'ts' else 'm4s'}"


def is_title(text: str) -> bool:
    """Whether ``text`` can be a title: ``a-z``, ``0-9``, ``-`` and ``_``, and not too long."""
    return _TITLE.fullmatch(text) is not None


def title_of(name: str) -> str:
    """The title that the name of a folder gives: ``a-z``, ``0-9``, ``-`` and ``_`` only.

    Raises:
        PackageError: no such character is left, or too many are.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9_]+", "-", plain).strip("-")
    if not slug:
        raise PackageError(f"folder {name!r}: no letter or digit to name the title by; rename it")
    if not is_title(slug):
        raise PackageError(
            f"folder {name[:40]!r}…: {len(slug)} characters to name the title by; "
            f"expected at most {MAX_TITLE_CHARS}; rename it"
        )
    return slug


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
    def media_bytes(self) -> int:
        """Bytes of all segments, the initialisation section not included."""
        return sum(segment.size_bytes for segment in self.segments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption:
    """How the segments are encrypted; never a key."""

    method: str
    """``AES-128`` of whole files; of samples ``SAMPLE-AES`` (cbcs) or ``SAMPLE-AES-CTR`` (cenc)."""
    kids: tuple[str, ...]
    """Key ids, one for each period."""
    rotate_every: int = 0
    """Segments to a period; 0 is one period for all."""
    seals_init: bool = False
    """Whether the initialisation sections are encrypted, with the key of period 0."""

    @property
    def is_whole(self) -> bool:
        """Whether files are encrypted as a whole, so that no part of one can be used."""
        return self.method == "AES-128"

    def period(self, segment: int) -> int:
        """Which period ``segment`` belongs to."""
        return key_period(segment, self.rotate_every)


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

    @property
    def rungs(self) -> tuple[Track, ...]:
        """Rungs of all ladders; a rung's place is the number in its folder's name."""
        return self.video + self.more_video

    @property
    def tracks(self) -> tuple[Track, ...]:
        """Video, then audio."""
        return self.rungs + self.audio

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


class _Timed(Protocol):
    """Bytes that last."""

    @property
    def size_bytes(self) -> int: ...

    @property
    def duration_s(self) -> float: ...


def mean_bps(track: Track) -> int:
    """Bits of all segments over their seconds, rounded up."""
    return math.ceil(8 * track.media_bytes / sum(track.durations_s))


def peak_bps(track: Track, target_s: float) -> int:
    """Largest bit rate of any run of segments lasting 0.5 to 1.5 target durations, rounded up.

    A short last segment does not count alone. Where no run is that long, single ones count.

    Source: RFC 8216bis, section 4.1, "peak segment bit rate".
    """
    return run_peak_bps(track.segments, target_s)


def run_peak_bps(segments: Sequence[_Timed], target_s: float) -> int:
    """As ``peak_bps``, of anything that has sizes and durations."""
    within = [
        8 * size / duration
        for size, duration in _runs(segments, 1.5 * target_s + _SAME_S)
        if duration >= 0.5 * target_s - _SAME_S
    ]
    return math.ceil(max(within, default=0.0) or _single_peak_bps(segments))


def listed_peak_bps(track: Track, target_s: float) -> int:
    """The peak as playlists state it: raised for a short last segment, by less than a tenth.

    Apple's item 1.27 lets BANDWIDTH and the peak differ by a tenth. Using that upwards covers
    the highest rate of a single segment, which many players and checkers call the peak.
    """
    peak = peak_bps(track, target_s)
    return max(peak, math.ceil(min(_single_peak_bps(track.segments), _RAISE * peak)))


def _single_peak_bps(segments: Sequence[_Timed]) -> float:
    return max(8 * segment.size_bytes / segment.duration_s for segment in segments)


def _runs(segments: Sequence[_Timed], longest_s: float) -> Iterator[tuple[int, float]]:
    for first in range(len(segments)):
        size, duration = 0, 0.0
        for segment in segments[first:]:
            size, duration = size + segment.size_bytes, duration + segment.duration_s
            if duration > longest_s:
                break
            yield size, duration


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
        if track.key_frames:
            files[f"{track.folder}/{IFRAMES}"] = None
    if index.dash:
        files[MANIFEST] = None
    for text in index.text:
        files |= files_of_text(text)
    for images in index.images:
        files |= files_of_images(images)
    return files


def check_index(index: PresentationIndex, *, where: str = INDEX) -> None:
    """Check that the index is consistent.

    Raises:
        PackageError: no rung, a track without segments, impossible sizes or durations,
            rungs whose segment boundaries differ, or too few keys.
    """
    if not index.video:
        raise PackageError(f"{where}: no rung; expected at least one; {REMEDY}")
    for track in index.tracks:
        name = f"{where}: track {track.folder}"
        if not track.segments:
            raise PackageError(f"{name}: no segments; expected at least one; {REMEDY}")
        for number, segment in enumerate(track.segments):
            if segment.size_bytes <= 0 or not 0 < segment.duration_s < math.inf:
                raise PackageError(
                    f"{name}: segment {number} has {segment.size_bytes} bytes and lasts "
                    f"{segment.duration_s} s; expected more than 0 of both; {REMEDY}"
                )
            _check_key_frames(segment, f"{name}: segment {number}")
    _check_container(index, where)
    _check_boundaries(index, where)
    _check_side_tracks(index, where)
    _check_quality(index, where)
    encryption = index.encryption
    if index.dash and encryption is not None and encryption.is_whole:
        raise PackageError(
            f"{where}: a DASH manifest and {encryption.method}; expected one or the other, because "
            f"DASH cannot describe segments that are encrypted as a whole; {REMEDY}"
        )
    if encryption is not None:
        periods = 1 + max(encryption.period(len(track.segments) - 1) for track in index.tracks)
        if len(encryption.kids) != periods:
            raise PackageError(
                f"{where}: {len(encryption.kids)} key ids; expected {periods}; {REMEDY}"
            )


def _check_container(index: PresentationIndex, where: str) -> None:
    if index.container == "fmp4":
        return
    encryption = index.encryption
    found: list[str] = []
    if index.dash:
        found.append("a DASH manifest")
    if encryption is not None and not encryption.is_whole:
        found.append("encrypted samples")
    if encryption is not None and encryption.seals_init:
        found.append("encrypted initialisation sections")
    for track in index.tracks:
        if track.init_bytes:
            found.append(f"an initialisation section in {track.folder}")
        if track.key_frames:
            found.append(f"key frames by byte range in {track.folder}")
        if not track.codecs.startswith(("avc1.", "mp4a.")):
            found.append(f"{track.codecs} in {track.folder}")
    if found:
        raise PackageError(f"{where}: transport streams with {found[0]}; expected none; {REMEDY}")


def _check_quality(index: PresentationIndex, where: str) -> None:
    if index.quality is None:
        return
    found = [(each.folder, len(each.segments)) for each in index.quality.tracks]
    found_low = [(each.folder, len(each.segments_low)) for each in index.quality.tracks]
    expected = [(track.folder, len(track.segments)) for track in index.rungs]
    for each in (found, found_low):
        if each != expected:
            raise PackageError(
                f"{where}: quality of {_listed(each)}; expected that of {_listed(expected)}; "
                f"{REMEDY}"
            )


def _listed(counts: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{folder} in {count} segments" for folder, count in counts) or "nothing"


def _check_key_frames(segment: SegmentFacts, name: str) -> None:
    before = 0
    for frame in segment.key_frames:
        end = frame.offset_bytes + frame.size_bytes
        if frame.offset_bytes < before or frame.size_bytes <= 0 or end > segment.size_bytes:
            raise PackageError(
                f"{name}: a key frame at bytes {frame.offset_bytes} to {end}; expected it between "
                f"{before} and {segment.size_bytes}; {REMEDY}"
            )
        if not 0 < frame.duration_s <= segment.duration_s + _SAME_S:
            raise PackageError(
                f"{name}: a key frame that lasts {frame.duration_s} s; expected more than 0 and "
                f"at most the segment's {segment.duration_s} s; {REMEDY}"
            )
        before = end


def _check_boundaries(index: PresentationIndex, where: str) -> None:
    lowest = index.video[0]
    for rung, track in enumerate(index.rungs):
        if len(track.segments) != len(lowest.segments):
            raise PackageError(
                f"{where}: rung {rung} lists {len(track.segments)} segments, "
                f"rung 0 lists {len(lowest.segments)}; {REMEDY}"
            )
        for number, (own, other) in enumerate(
            zip(track.durations_s, lowest.durations_s, strict=True)
        ):
            if abs(own - other) > _SAME_S:
                raise PackageError(
                    f"{where}: segment {number} lasts {own} s at rung {rung} and {other} s at "
                    f"rung 0; expected the same; {REMEDY}"
                )


def _check_side_tracks(index: PresentationIndex, where: str) -> None:
    segments = len(index.video[0].segments)
    for text in index.text:
        name = f"{where}: track {text.folder}"
        if len(text.sizes_bytes) != segments:
            raise PackageError(
                f"{name}: {len(text.sizes_bytes)} segments; expected {segments}, as the video has; "
                f"{REMEDY}"
            )
    for images in index.images:
        name = f"{where}: track {images.folder}"
        full = images.per_image
        if not (images.width and images.height and full and images.interval_s > 0 and images.count):
            raise PackageError(f"{name}: no size, number or interval; expected all; {REMEDY}")
        if len(images.sizes_bytes) != -(-images.count // full):
            raise PackageError(
                f"{name}: {len(images.sizes_bytes)} images, {images.count} thumbnails, {full} to "
                f"an image; expected {-(-images.count // full)}; {REMEDY}"
            )


def check_files(
    index: PresentationIndex, found: Mapping[str, int], *, where: str = "package"
) -> None:
    """Check the files that were found, by relative path and size, against the index.

    Raises:
        PackageError: a file is missing, or is of another size than recorded.
    """
    for path, size in files_of(index).items():
        if path not in found:
            raise PackageError(f"{where}: {path} is missing; {REMEDY}")
        if size is not None and found[path] != size:
            raise PackageError(
                f"{where}: {path} has {found[path]} bytes; {INDEX} lists {size}; {REMEDY}"
            )
        if not found[path]:
            raise PackageError(f"{where}: {path} is empty; {REMEDY}")


def check_multivariant(
    index: PresentationIndex, playlist: MultivariantPlaylist, *, where: str = MULTIVARIANT
) -> None:
    """Check the variants of a playlist against the files' figures.

    Raises:
        PackageError: a rung is not listed, or its BANDWIDTH is below its peak.
    """
    variants = {(variant.uri, variant.audio_group): variant for variant in playlist.variants}
    groups = index.audio_groups or (None,)
    for rung, track in enumerate(index.rungs):
        for group in groups:
            variant = variants.get((f"{track.folder}/{PLAYLIST}", group))
            sound = f" with audio group {group}" if len(groups) > 1 else ""
            if variant is None:
                raise PackageError(
                    f"{where}: rung {rung} ({track.folder}){sound} is not listed; {REMEDY}"
                )
            if variant.bandwidth_bps < index.peak_bps(rung, group):
                raise PackageError(
                    f"{where}: rung {rung} has BANDWIDTH {variant.bandwidth_bps}{sound}; expected "
                    f"its peak, {index.peak_bps(rung, group)}, or more; {REMEDY}"
                )
