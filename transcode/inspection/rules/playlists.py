"""Rules over the tags of media playlists."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

from transcode.inspection.facts import InitFacts, MediaFacts, PackageFacts
from transcode.inspection.rules.rule import Breach, Rule, at_line
from transcode.playlist.model import rounded_s

NOMINAL_S = 6
OVER_S = 0.5
"""Apple 7.7: a segment may be longer than the target duration by so much."""
_FMP4_NAMES = (".m4s", ".mp4", ".cmfv", ".cmfa", ".m4a", ".m4v", ".fmp4")
_COUNTED = ("video", "audio")


def longest_s(media: MediaFacts) -> float:
    """The longest EXTINF."""
    return max((segment.duration_s for segment in media.listed.segments), default=0.0)


def _faults(package: PackageFacts) -> Iterator[Breach]:
    for media in package.media():
        for fault in media.listed.faults:
            yield Breach(
                file=media.name,
                place=at_line(fault.line),
                measured=fault.what,
                allowed="tags and attributes in the form their definitions give",
            )


def _segments(package: PackageFacts) -> Iterator[Breach]:
    for media in package.media():
        if not media.listed.segments:
            yield Breach(file=media.name, measured="no segment", allowed="one at least")


def _target(package: PackageFacts) -> Iterator[Breach]:
    for media in package.media():
        target_s = media.listed.target_s
        line = media.listed.line("#EXT-X-TARGETDURATION")
        if target_s is None:
            yield Breach(
                file=media.name,
                place=at_line(line),
                measured="no EXT-X-TARGETDURATION that can be read",
                allowed="whole seconds",
            )
            continue
        for segment in media.listed.segments:
            if rounded_s(segment.duration_s) > target_s:
                yield Breach(
                    file=media.name,
                    place=at_line(segment.line),
                    measured=f"EXTINF {segment.duration_s:g} s, rounded {_r(segment.duration_s)}",
                    allowed=f"at most EXT-X-TARGETDURATION, {target_s}",
                )
                break


def _r(duration_s: float) -> int:
    return rounded_s(duration_s)


def _target_loose(package: PackageFacts) -> Iterator[Breach]:
    # The packager writes the ceiling over all renditions; that is as far as it may go.
    needed_s = max((math.ceil(longest_s(m)) for m in package.media()), default=0)
    for media in package.media():
        target_s = media.listed.target_s
        if target_s is not None and media.listed.segments and target_s > max(1, needed_s):
            yield Breach(
                file=media.name,
                place=at_line(media.listed.line("#EXT-X-TARGETDURATION")),
                measured=f"EXT-X-TARGETDURATION {target_s}; no segment is over {needed_s} s",
                allowed=f"{needed_s}, or less",
            )


def _target_same(package: PackageFacts) -> Iterator[Breach]:
    targets = [(m, m.listed.target_s) for m in package.audio_video() if m.listed.target_s]
    if not targets:
        return
    first, reference = targets[0]
    for media, target_s in targets[1:]:
        if target_s != reference:
            yield Breach(
                file=media.name,
                place=at_line(media.listed.line("#EXT-X-TARGETDURATION")),
                measured=f"EXT-X-TARGETDURATION {target_s}",
                allowed=f"{reference}, as in {first.name}",
            )


def _nominal(package: PackageFacts) -> Iterator[Breach]:
    for media in package.rungs():
        target_s = media.listed.target_s
        if target_s is not None and target_s != NOMINAL_S and len(media.listed.segments) > 1:
            yield Breach(
                file=media.name, measured=f"target duration {target_s} s", allowed=f"{NOMINAL_S} s"
            )
            return


def _uneven(package: PackageFacts) -> Iterator[Breach]:
    for media in package.rungs():
        durations = [segment.duration_s for segment in media.listed.segments[:-1]]
        if len(durations) > 1 and max(durations) > 2 * min(durations):
            yield Breach(
                file=media.name,
                measured=f"segments of {min(durations):.3f} to {max(durations):.3f} s",
                allowed="about the same length, but for the last",
            )


def _measured_length(package: PackageFacts) -> Iterator[Breach]:
    for media in package.audio_video():
        target_s = media.listed.target_s
        if target_s is None or not media.main_kind:
            continue
        for number, stretch in media.stretches(media.main_kind):
            length_s = stretch.end_s - stretch.start_s
            if stretch.frame_s and length_s > target_s + OVER_S:
                yield Breach(
                    file=media.name,
                    place=media.place(number),
                    measured=f"{length_s:.3f} s of media",
                    allowed=f"at most {target_s + OVER_S:g} s",
                )


def _kind(package: PackageFacts) -> Iterator[Breach]:
    for media in package.media():
        kind = media.listed.kind
        if kind not in ("VOD", "EVENT", ""):
            yield Breach(
                file=media.name,
                place=at_line(media.listed.line("#EXT-X-PLAYLIST-TYPE")),
                measured=f"EXT-X-PLAYLIST-TYPE {kind[:20]}",
                allowed="VOD or EVENT",
            )


def _kind_absent(package: PackageFacts) -> Iterator[Breach]:
    for media in package.media():
        if not media.listed.kind and media.listed.has_end:
            yield Breach(
                file=media.name,
                measured="no EXT-X-PLAYLIST-TYPE in a finished playlist",
                allowed="VOD",
            )


def _end(package: PackageFacts) -> Iterator[Breach]:
    ends = [media.listed.has_end for media in package.media()]
    for media in package.media():
        listed = media.listed
        if listed.has_end:
            continue
        # Live playlists have none; what says VOD is finished, and what stands on a disk, unless
        # segments were taken from its front.
        is_window = listed.first_sequence > 0 or listed.kind == "EVENT"
        if listed.kind == "VOD" or any(ends) or (package.is_stored and not is_window):
            yield Breach(
                file=media.name,
                measured="no EXT-X-ENDLIST",
                allowed="the tag at the end of a finished playlist",
            )


def _live(package: PackageFacts) -> Iterator[Breach]:
    for media in package.rungs():
        listed = media.listed
        is_window = not package.is_stored or listed.first_sequence > 0 or listed.kind == "EVENT"
        if not listed.has_end and listed.kind != "VOD" and is_window:
            yield Breach(
                file=media.name,
                measured="a live playlist: what it lists now was checked",
                allowed="a finished playlist, for rules about the whole title",
            )
            return


def _map(package: PackageFacts) -> Iterator[Breach]:
    for media in package.media():
        for number, segment in enumerate(media.listed.segments):
            facts = media.segments[number] if number < len(media.segments) else None
            container = facts.container if facts else ""
            name = segment.uri.partition("?")[0].lower()
            is_fmp4 = container == "fmp4" or (not container and name.endswith(_FMP4_NAMES))
            if is_fmp4 and segment.map is None:
                yield Breach(
                    file=media.name,
                    place=at_line(segment.line),
                    measured="a fragment of MP4 without EXT-X-MAP before it",
                    allowed="EXT-X-MAP with its initialisation section",
                )
                break


def _version(package: PackageFacts) -> Iterator[Breach]:
    for media in package.media():
        needed, why = _needed_version(media)
        if media.listed.version < needed:
            yield Breach(
                file=media.name,
                place=at_line(media.listed.line("#EXT-X-VERSION")),
                measured=f"EXT-X-VERSION {media.listed.version}",
                allowed=f"{needed} or more, for {why}",
            )


def _needed_version(media: MediaFacts) -> tuple[int, str]:
    """RFC 8216bis, section 8."""
    found = [(1, "what every version has")]
    for segment in media.listed.segments:
        if not segment.is_whole_number:
            found.append((3, "fractions of seconds in EXTINF"))
        if segment.byte_range is not None:
            found.append((4, "EXT-X-BYTERANGE"))
        if segment.map is not None:
            found.append(
                (5, "EXT-X-MAP in a playlist of I-frames")
                if media.listed.iframes_only
                else (6, "EXT-X-MAP")
            )
        if any(key.iv is not None for key in segment.keys):
            found.append((2, "an IV"))
        if any(not key.is_plain or key.method == "SAMPLE-AES" for key in segment.keys):
            found.append((5, "KEYFORMAT and SAMPLE-AES"))
    if media.listed.iframes_only:
        found.append((4, "EXT-X-I-FRAMES-ONLY"))
    if "#EXT-X-DEFINE" in media.listed.tags:
        found.append((8, "EXT-X-DEFINE"))
    return max(found)


def _gap(package: PackageFacts) -> Iterator[Breach]:
    for media in package.media():
        gaps = [segment for segment in media.listed.segments if segment.gap]
        if gaps:
            yield Breach(
                file=media.name,
                place=at_line(gaps[0].line),
                measured=f"{len(gaps)} segments marked EXT-X-GAP",
                allowed="none in a finished title: several players do not know the tag",
            )


def _discontinuities(package: PackageFacts) -> Iterator[Breach]:
    listed = [(m, _breaks_s(m)) for m in package.audio_video()]
    if not listed:
        return
    first, reference = listed[0]
    for media, breaks in listed[1:]:
        if len(breaks) != len(reference):
            yield Breach(
                file=media.name,
                measured=f"{len(breaks)} EXT-X-DISCONTINUITY",
                allowed=f"{len(reference)}, as in {first.name}",
            )
            continue
        for own_s, other_s in zip(breaks, reference, strict=True):
            if abs(own_s - other_s) > OVER_S:
                yield Breach(
                    file=media.name,
                    place=f"{own_s:.3f} s",
                    measured=f"EXT-X-DISCONTINUITY at {own_s:.3f} s",
                    allowed=f"at {other_s:.3f} s, as in {first.name}",
                )
                break


def _breaks_s(media: MediaFacts) -> list[float]:
    """Times of discontinuities, but for one before the first segment."""
    at_s, found = 0.0, []
    for number, segment in enumerate(media.listed.segments):
        if segment.discontinuity and number:
            found.append(at_s)
        at_s += segment.duration_s
    return found


def _encoding_changes(package: PackageFacts) -> Iterator[Breach]:
    for media in package.audio_video():
        for before, after in pairwise(media.listed.segments):
            if after.discontinuity or before.map is after.map:
                continue
            first, second = media.init_of(before), media.init_of(after)
            if first is None or second is None or _encoding(first) == _encoding(second):
                continue
            yield Breach(
                file=media.name,
                place=at_line(after.line),
                measured=f"{_encoding(second)} after {_encoding(first)}",
                allowed="EXT-X-DISCONTINUITY where the encoding changes",
            )
            break


def _encoding(init: InitFacts) -> str:
    """What a decoder must know, in words; empty when the section could not be read."""
    return ", ".join(
        f"{t.codec} {t.width}x{t.height}" if t.kind == "video" else t.codec for t in init.tracks
    )


def _zero(package: PackageFacts) -> Iterator[Breach]:
    for media in package.audio_video():
        for segment in media.listed.segments[:-1]:
            if segment.duration_s == 0:
                yield Breach(
                    file=media.name,
                    place=at_line(segment.line),
                    measured="EXTINF of 0 s",
                    allowed="the length of the segment",
                )
                break


RULES = (
    Rule(
        id="playlist-grammar",
        clauses=("RFC 4.2", "RFC 4.1"),
        severity="violation",
        text="Every tag and attribute has the form that its definition gives it.",
        remedy="write the line as its definition says",
        needs="playlists",
        check=_faults,
    ),
    Rule(
        id="segments-listed",
        clauses=("RFC 4.4.4",),
        severity="violation",
        text="A media playlist lists segments.",
        remedy="package again; a full disk leaves empty playlists behind",
        needs="playlists",
        check=_segments,
    ),
    Rule(
        id="target-duration",
        clauses=("RFC 4.4.3.1",),
        severity="violation",
        text="No EXTINF, rounded to whole seconds, is over EXT-X-TARGETDURATION.",
        remedy="raise EXT-X-TARGETDURATION to the longest EXTINF, rounded",
        needs="playlists",
        check=_target,
    ),
    Rule(
        id="target-duration-tight",
        clauses=("RFC 4.4.3.1",),
        severity="warning",
        text="EXT-X-TARGETDURATION is not over the longest segment of any playlist, rounded up.",
        remedy="lower EXT-X-TARGETDURATION; players size their buffers by it",
        needs="playlists",
        check=_target_loose,
    ),
    Rule(
        id="target-duration-same",
        clauses=("Apple 8.2", "RFC 6.2.4"),
        severity="violation",
        text="All audio and video playlists have the same target duration.",
        remedy="write the largest of them in all",
        needs="playlists",
        check=_target_same,
    ),
    Rule(
        id="target-duration-nominal",
        clauses=("Apple 7.5", "Apple 7.6"),
        severity="note",
        text="Target durations are six seconds.",
        remedy="none needed: other lengths play; six seconds is Apple's advice",
        needs="playlists",
        check=_nominal,
    ),
    Rule(
        id="segments-even",
        clauses=("Apple 7.6",),
        severity="warning",
        text="The segments of a rung, but for the last, are about equally long.",
        remedy="fix key frames (ffmpeg: -g and -keyint_min frames of a segment, -sc_threshold 0)",
        needs="playlists",
        check=_uneven,
    ),
    Rule(
        id="segment-length",
        clauses=("Apple 7.7",),
        severity="violation",
        text="No segment's media last over half a second longer than the target duration.",
        remedy="cut shorter segments, or raise EXT-X-TARGETDURATION",
        needs="media",
        check=_measured_length,
    ),
    Rule(
        id="segment-lasts",
        clauses=("RFC 4.4.4.1",),
        severity="warning",
        text="Every segment but the last lasts more than no time.",
        remedy="write the real length in EXTINF",
        needs="playlists",
        check=_zero,
    ),
    Rule(
        id="playlist-type",
        clauses=("RFC 4.4.3.5",),
        severity="violation",
        text="EXT-X-PLAYLIST-TYPE is VOD or EVENT.",
        remedy="write VOD for a finished title",
        needs="playlists",
        check=_kind,
    ),
    Rule(
        id="playlist-type-stated",
        clauses=("Apple 8.6",),
        severity="warning",
        text="A finished playlist says EXT-X-PLAYLIST-TYPE:VOD.",
        remedy="add #EXT-X-PLAYLIST-TYPE:VOD (ffmpeg: -hls_playlist_type vod)",
        needs="playlists",
        check=_kind_absent,
    ),
    Rule(
        id="end-list",
        clauses=("RFC 4.4.3.4", "Apple 8.6"),
        severity="violation",
        text="A finished playlist ends with EXT-X-ENDLIST.",
        remedy="add #EXT-X-ENDLIST; without it players wait for more and start near the end",
        needs="playlists",
        check=_end,
    ),
    Rule(
        id="live",
        clauses=("ours",),
        severity="note",
        text="Only what a live playlist lists at the moment can be checked.",
        remedy="inspect the title again when it has ended",
        needs="playlists",
        check=_live,
    ),
    Rule(
        id="map",
        clauses=("Apple 8.20", "RFC 3.1.2"),
        severity="violation",
        text="Fragments of MP4 have an EXT-X-MAP before them.",
        remedy="add #EXT-X-MAP with the URI of the initialisation section",
        needs="playlists",
        check=_map,
    ),
    Rule(
        id="version",
        clauses=("RFC 8", "RFC 4.4.1.2"),
        severity="violation",
        text="EXT-X-VERSION is high enough for the tags that are used.",
        remedy="raise EXT-X-VERSION",
        needs="playlists",
        check=_version,
    ),
    Rule(
        id="gap",
        clauses=("RFC 4.4.4.7",),
        severity="warning",
        text="A finished title has no gaps.",
        remedy="fill the gap, or cut the title there",
        needs="playlists",
        check=_gap,
    ),
    Rule(
        id="encoding-changes",
        clauses=("Apple 8.13", "Apple 8.14", "RFC 4.4.4.3"),
        severity="violation",
        text="A change of codec or size is marked with EXT-X-DISCONTINUITY.",
        remedy="add #EXT-X-DISCONTINUITY before the segment",
        needs="media",
        check=_encoding_changes,
    ),
    Rule(
        id="discontinuities",
        clauses=("Apple 8.15", "RFC 6.2.4"),
        severity="violation",
        text="All audio and video playlists have discontinuities at the same times.",
        remedy="mark the same breaks in all playlists",
        needs="playlists",
        check=_discontinuities,
    ),
)
