"""Whether a package is consistent: its index, its files, its playlist of variants.

Judgements only; ``reader`` finds the files.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from abr.errors import PackageError
from transcode.packaging.index import Encryption, PresentationIndex, SegmentFacts, files_of
from transcode.packaging.layout import INDEX, MULTIVARIANT, PLAYLIST, REMEDY
from transcode.playlist import MultivariantPlaylist

_SAME_S = 1e-6


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
        _check_keys(index, encryption, where)


def _check_keys(index: PresentationIndex, encryption: Encryption, where: str) -> None:
    periods = 1 + max(encryption.period(len(track.segments) - 1) for track in index.tracks)
    for group in index.key_groups:
        if len(group.kids) != periods:
            raise PackageError(f"{where}: {len(group.kids)} key ids; expected {periods}; {REMEDY}")
    if not encryption.groups:
        return
    heights = {track.folder: track.lines for track in index.tracks}
    listed = sorted(folder for group in encryption.groups for folder in group.folders)
    if listed != sorted(heights):
        raise PackageError(
            f"{where}: groups of keys for {', '.join(listed) or 'no track'}; expected each of "
            f"{', '.join(sorted(heights))} in one; {REMEDY}"
        )
    for group in encryption.groups:
        height = max((heights[folder] for folder in group.folders), default=0)
        if group.height != height:
            raise PackageError(
                f"{where}: keys of group {group.name} are said to open {group.height} lines; "
                f"expected {height}; {REMEDY}"
            )
    if encryption.kids != tuple(kid for group in encryption.groups for kid in group.kids):
        raise PackageError(f"{where}: key ids are not those of the groups; {REMEDY}")
    if len(set(encryption.kids)) < len(encryption.kids):
        raise PackageError(f"{where}: two groups share a key id; expected each its own; {REMEDY}")


def _check_container(index: PresentationIndex, where: str) -> None:
    if index.container == "fmp4":
        return
    encryption = index.encryption
    found: list[str] = []
    if index.watermarked:
        found.append("a watermark")
    if index.dash:
        found.append("a DASH manifest")
    if encryption is not None and not encryption.is_whole:
        found.append("encrypted samples")
    if encryption is not None and encryption.seals_init:
        found.append("encrypted initialisation sections")
    for track in index.tracks:
        if track.init_bytes:
            found.append(f"an initialisation section in {track.folder}")
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
