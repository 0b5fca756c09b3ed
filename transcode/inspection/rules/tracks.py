"""Rules over what is encoded: codecs, sizes, rates, levels, key frames, colours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from transcode.inspection.bits import Sps, level_needed
from transcode.inspection.facts import MediaFacts, PackageFacts, TrackFacts, VariantFacts
from transcode.inspection.rules.rule import Breach, Rule, place_of

NATURAL_RATES = (24_000 / 1001, 24, 25, 30_000 / 1001, 30, 50, 60_000 / 1001, 60)
RATE_TOLERANCE = 0.015
"""Half of what 24 and 23.976 frames a second differ by."""
_IN_SAMPLES = {"avc3": "avc1", "hev1": "hvc1", "dvhe": "dvh1"}
_IMPLICIT = frozenset({"mp4a.40.2", "mp4a.40.5", "mp4a.40.29"})
_MP3_NAMES = frozenset({"mp3", "mp4a.6b", "mp4a.69", "mp4a.40.34"})
_HIGH = 100
_MOST_FPS = 60.0
_HEVC_NAME = re.compile(r"(?:hvc1|hev1)\.[A-C]?(\d+)\.[0-9A-F]+\.[LH](\d+)")
_HEVC_LEVEL = 153
"""Thirty times 5.1."""
_AV1_NAME = re.compile(r"av01\.\d\.(\d\d)")
_AV1_LEVEL = 18
"""seq_level_idx of level 6.2."""
_UNSTATED = 2
"""ISO/IEC 23091-2: a colour code point that says nothing."""


def _variants(package: PackageFacts) -> Iterator[tuple[VariantFacts, MediaFacts, str]]:
    for variant in package.variants:
        if variant.media is not None:
            yield variant, variant.media, place_of(variant.listed)


def _codecs(package: PackageFacts) -> Iterator[Breach]:
    for variant, media, place in _variants(package):
        stated = variant.listed.codecs
        inside = [media, *variant.audio]
        if not stated or not all(each.codecs for each in inside):
            continue
        actual = tuple(dict.fromkeys(codec for each in inside for codec in each.codecs))
        missing = [codec for codec in actual if not any(_same(codec, s) for s in stated)]
        extra = [s for s in stated if s != "wvtt" and not any(_same(c, s) for c in actual)]
        extra = [s for s in extra if not s.startswith("stpp")]
        if missing or extra:
            yield Breach(
                file=package.name,
                place=place,
                measured=f"CODECS {','.join(stated)}; the files hold {','.join(actual)}",
                allowed=",".join(actual),
            )


def _same(actual: str, stated: str) -> bool:
    """Whether a stated name fits bytes; AAC may carry SBR that its header does not show."""
    if actual in _IMPLICIT and stated in _IMPLICIT:
        return True
    actual, stated = _plain(actual), _plain(stated)
    if actual == "mp3":
        return stated in _MP3_NAMES
    if "." not in actual:  # parameters could not be read
        return stated.partition(".")[0] == actual
    if actual.startswith("av01"):
        # AV1 in ISOBMFF, 5: four fields are required, those after them may be left out.
        ours, theirs = actual.split("."), stated.split(".")
        least = min(len(ours), len(theirs))
        return least >= 4 and ours[:least] == theirs[:least]
    if actual.startswith("vp09"):
        return stated.startswith(actual.rpartition(".")[0])
    return actual == stated


def _plain(codec: str) -> str:
    """Digits in lower case, and entries that are in use in both cases (``Opus``, ``fLaC``).

    RFC 6381, 3.3: the name of a sample entry is that in the file, so ``AVC1`` is none.
    """
    entry, dot, rest = codec.partition(".")
    return (entry if dot else entry.lower()) + dot + rest.lower()


def _resolution(package: PackageFacts) -> Iterator[Breach]:
    for variant, media, place in _variants(package):
        stated, track = variant.listed.size, media.track("video")
        if stated is None or track is None or not track.width:
            continue
        coded = (track.sps.width, track.sps.height) if track.sps else (track.width, track.height)
        if stated not in ((track.width, track.height), coded) and not _near(stated, track):
            yield Breach(
                file=package.name,
                place=place,
                measured=f"RESOLUTION {stated[0]}x{stated[1]}; pictures are "
                f"{track.width}x{track.height}",
                allowed=f"{track.width}x{track.height}",
            )


def _near(stated: tuple[int, int], track: TrackFacts) -> bool:
    """Within a pixel of the displayed size, or with the height scaled instead of the width."""
    return abs(stated[0] - track.width) <= 1 and abs(stated[1] - track.height) <= 1


def _sets(package: PackageFacts) -> Iterator[Breach]:
    for media in package.audio_video():
        for init in media.inits.values():
            for track in init.tracks:
                if track.kind == "video" and track.sps is not None:
                    sps = track.sps
                    shown = round(sps.width * sps.sample_aspect)
                    sizes = {(sps.width, sps.height), (shown, sps.height)}
                    if not any(
                        abs(w - track.width) <= 1 and abs(h - track.height) <= 1 for w, h in sizes
                    ):
                        yield Breach(
                            file=media.name,
                            place=f"EXT-X-MAP ({init.uri})",
                            measured=f"sample entry {track.width}x{track.height}, parameter "
                            f"sets {sps.width}x{sps.height}",
                            allowed="one size",
                        )


def _frame_rate(package: PackageFacts) -> Iterator[Breach]:
    for variant, media, place in _variants(package):
        stated, measured = variant.listed.frame_rate, media.frame_rate
        if stated is None or measured is None:
            continue
        # One long picture, such as the last, lowers the mean; coarse clocks blur the commonest.
        rates = (measured, media.commonest_rate or measured)
        if min(abs(stated - rate) for rate in rates) > max(RATE_TOLERANCE, 0.0005 * measured):
            yield Breach(
                file=package.name,
                place=place,
                measured=f"FRAME-RATE {stated:g}; pictures come at {measured:.3f} a second",
                allowed=f"{measured:.3f}",
            )


def _rate_limit(package: PackageFacts) -> Iterator[Breach]:
    for media in package.rungs():
        rate = media.frame_rate
        if rate is not None and rate > _MOST_FPS + RATE_TOLERANCE:
            yield Breach(
                file=media.name, measured=f"{rate:.3f} frames a second", allowed="at most 60"
            )


def _natural(package: PackageFacts) -> Iterator[Breach]:
    for media in package.rungs():
        rate = media.frame_rate
        if rate is None or rate > _MOST_FPS + RATE_TOLERANCE:
            continue
        if min(abs(rate - each) for each in NATURAL_RATES) > RATE_TOLERANCE:
            yield Breach(
                file=media.name,
                measured=f"{rate:.3f} frames a second",
                allowed="23.976, 24, 25, 29.97, 30, 50, 59.94 or 60",
            )


def _profile(package: PackageFacts) -> Iterator[Breach]:
    for media, sps in _sps(package):
        if sps.profile > _HIGH or sps.level > 52:
            yield Breach(
                file=media.name,
                measured=f"H.264 profile {sps.profile}, level {sps.level / 10:g}",
                allowed="High (100) and level 5.2 at most",
            )


def _sps(package: PackageFacts) -> Iterator[tuple[MediaFacts, Sps]]:
    for media in package.rungs():
        track = media.track("video")
        if track is not None and track.sps is not None:
            yield media, track.sps


def _profile_low(package: PackageFacts) -> Iterator[Breach]:
    for media, sps in _sps(package):
        if sps.profile < _HIGH:
            yield Breach(
                file=media.name,
                measured=f"H.264 profile {sps.profile}",
                allowed="High (100), which saves bits",
            )


def _level(package: PackageFacts) -> Iterator[Breach]:
    for media, sps in _sps(package):
        rate = media.frame_rate
        if rate is None:
            continue
        needed = level_needed(sps.macroblocks, rate - RATE_TOLERANCE)
        if sps.level < needed and sps.level not in (9, 11):
            yield Breach(
                file=media.name,
                measured=f"level {sps.level / 10:g} for {sps.width}x{sps.height} at {rate:.3f}",
                allowed=f"level {needed / 10:g}, or more",
            )


def _level_high(package: PackageFacts) -> Iterator[Breach]:
    for media, sps in _sps(package):
        rate = media.frame_rate
        if rate is None:
            continue
        needed = level_needed(sps.macroblocks, rate - RATE_TOLERANCE)
        if sps.level > needed + 10:
            yield Breach(
                file=media.name,
                measured=f"level {sps.level / 10:g}",
                allowed=f"level {needed / 10:g} is enough for {sps.width}x{sps.height}",
            )


def _sample_entry(package: PackageFacts) -> Iterator[Breach]:
    for media in package.rungs():
        track = media.track("video")
        if track is not None and track.entry in _IN_SAMPLES:
            yield Breach(
                file=media.name,
                measured=f"{track.entry}: parameter sets among the samples",
                allowed=f"{_IN_SAMPLES[track.entry]}: parameter sets in the sample description",
            )


def _hevc(package: PackageFacts) -> Iterator[Breach]:
    for media in package.rungs():
        track = media.track("video")
        is_ts = any(segment.container == "ts" for segment in media.segments)
        if track is not None and is_ts and track.entry in ("hvc1", "hev1"):
            yield Breach(
                file=media.name, measured="HEVC in a transport stream", allowed="HEVC in fMP4"
            )


def _other_profiles(package: PackageFacts) -> Iterator[Breach]:
    for media in package.rungs():
        for codec in media.codecs:
            match = _HEVC_NAME.match(codec)
            if match and (int(match[1]) not in (1, 2) or int(match[2]) > _HEVC_LEVEL):
                yield Breach(
                    file=media.name,
                    measured=f"HEVC profile {match[1]}, level {int(match[2]) / 30:g}",
                    allowed="Main or Main 10 (1 or 2), level 5.1 at most",
                )


def _av1_level(package: PackageFacts) -> Iterator[Breach]:
    for media in package.rungs():
        for codec in media.codecs:
            match = _AV1_NAME.match(codec)
            if match and int(match[1]) > _AV1_LEVEL:
                index = int(match[1])
                yield Breach(
                    file=media.name,
                    measured=f"AV1 level {2 + index // 4}.{index % 4}",
                    allowed="level 6.2 at most",
                )


def _idr(package: PackageFacts) -> Iterator[Breach]:
    for media in package.rungs():
        for number, stretch in media.stretches("video"):
            if stretch.starts_with_idr is False:
                yield Breach(
                    file=media.name,
                    place=media.place(number),
                    measured=f"begins with {stretch.first_picture}",
                    allowed="an IDR picture first",
                )


def _key_frames(package: PackageFacts) -> Iterator[Breach]:
    for media in package.rungs():
        worst_s, where = 0.0, 0
        allowed_s = 2.0
        for number, stretch in media.stretches("video"):
            allowed_s = 2.0 + max(stretch.frame_s, 1 / 120)
            times = [*stretch.key_times_s, stretch.shown_end_s]
            gap_s = max((b - a for a, b in pairwise(times)), default=0.0)
            if gap_s > worst_s:
                worst_s, where = gap_s, number
        if worst_s > allowed_s:
            yield Breach(
                file=media.name,
                place=media.place(where),
                measured=f"{worst_s:.3f} s from one IDR to the next",
                allowed="2 s",
            )


def _interlaced(package: PackageFacts) -> Iterator[Breach]:
    for media in package.rungs():
        track = media.track("video")
        if track is not None and not track.is_progressive:
            yield Breach(
                file=media.name,
                measured="coded as fields or as frames of two fields",
                allowed="progressive pictures",
            )


def _colours(package: PackageFacts) -> Iterator[Breach]:
    seen: dict[tuple[int | None, ...], MediaFacts] = {}
    for media in package.rungs():
        track = media.track("video")
        if track is None:
            continue
        colours = tuple(None if c == _UNSTATED else c for c in (track.primaries, track.matrix))
        seen.setdefault(colours, media)
        if len(seen) > 1:
            first = next(iter(seen))
            yield Breach(
                file=media.name,
                measured=f"primaries and matrix {_named(colours)}",
                allowed=f"{_named(first)}, as in {seen[first].name}",
            )
            return


def _named(colours: tuple[int | None, ...]) -> str:
    return " and ".join("unstated" if each is None else str(each) for each in colours)


RULES = (
    Rule(
        id="codecs",
        clauses=("Apple 9.1", "RFC 4.4.6.2"),
        severity="violation",
        text="CODECS names what the files hold: the variant's and its audio group's.",
        remedy="write the names that the sample descriptions give",
        needs="media",
        check=_codecs,
    ),
    Rule(
        id="resolution",
        clauses=("Apple 9.2", "RFC 4.4.6.2"),
        severity="violation",
        text="RESOLUTION is the size of the pictures.",
        remedy="correct RESOLUTION, or put the right initialisation section beside the segments",
        needs="media",
        check=_resolution,
    ),
    Rule(
        id="one-size",
        clauses=("ours",),
        severity="violation",
        text="A sample entry has the size of its parameter sets.",
        remedy="package again; the initialisation section is mixed from two encodes",
        needs="media",
        check=_sets,
    ),
    Rule(
        id="frame-rate",
        clauses=("Apple 9.15", "RFC 4.4.6.2"),
        severity="violation",
        text="FRAME-RATE is the rate of the pictures.",
        remedy="correct FRAME-RATE",
        needs="media",
        check=_frame_rate,
    ),
    Rule(
        id="frame-rate-limit",
        clauses=("Apple 1.19",),
        severity="violation",
        text="There are at most 60 frames a second.",
        remedy="halve the frame rate",
        needs="media",
        check=_rate_limit,
    ),
    Rule(
        id="frame-rate-natural",
        clauses=("Apple 1.18",),
        severity="warning",
        text="The frame rate is one that films and cameras have.",
        remedy="keep the rate of the source; check that frames were not repeated or dropped",
        needs="media",
        check=_natural,
    ),
    Rule(
        id="h264-profile",
        clauses=("Apple 1.3b",),
        severity="violation",
        text="H.264 is at most High profile, level 5.2.",
        remedy="encode 8-bit 4:2:0 in High profile",
        needs="media",
        check=_profile,
    ),
    Rule(
        id="h264-high",
        clauses=("Apple 1.4",),
        severity="note",
        text="H.264 is in High profile.",
        remedy="encode in High profile, unless very old devices must play it",
        needs="media",
        check=_profile_low,
    ),
    Rule(
        id="h264-level",
        clauses=("ours",),
        severity="violation",
        text="The level of H.264 covers its size and frame rate (ITU-T H.264, table A-1).",
        remedy="state the level that the size and rate need",
        needs="media",
        check=_level,
    ),
    Rule(
        id="h264-level-needed",
        clauses=("Apple 1.11",),
        severity="note",
        text="The level of H.264 is not over what size and rate need.",
        remedy="lower the level; some devices refuse by it",
        needs="media",
        check=_level_high,
    ),
    Rule(
        id="sample-entry",
        clauses=("Apple 1.10",),
        severity="warning",
        text="Parameter sets are in the sample description (avc1, hvc1).",
        remedy="package as avc1 or hvc1 (ffmpeg: -tag:v hvc1); Safari refuses hev1",
        needs="media",
        check=_sample_entry,
    ),
    Rule(
        id="hevc-in-fmp4",
        clauses=("Apple 1.5",),
        severity="violation",
        text="HEVC is in fragmented MP4.",
        remedy="package HEVC as fMP4",
        needs="media",
        check=_hevc,
    ),
    Rule(
        id="hevc-profile",
        clauses=("Apple 1.6b",),
        severity="violation",
        text="HEVC is at most Main 10 profile, level 5.1.",
        remedy="encode 4:2:0 of 8 or 10 bits, at a lower size or rate",
        needs="media",
        check=_other_profiles,
    ),
    Rule(
        id="av1-level",
        clauses=("Apple 1.37",),
        severity="violation",
        text="AV1 is at most level 6.2.",
        remedy="state the level that size and rate need",
        needs="media",
        check=_av1_level,
    ),
    Rule(
        id="starts-with-idr",
        clauses=("Apple 7.4", "RFC 4.4.2.1"),
        severity="violation",
        text="Every video segment begins with an IDR picture.",
        remedy="cut at closed GOPs (x265: open-gop=0); re-encode where there is no IDR",
        needs="media",
        check=_idr,
    ),
    Rule(
        id="key-frame-spacing",
        clauses=("Apple 1.13",),
        severity="warning",
        text="There is an IDR picture every two seconds.",
        remedy="encode with a GOP of two seconds",
        needs="media",
        check=_key_frames,
    ),
    Rule(
        id="progressive",
        clauses=("Apple 1.14",),
        severity="warning",
        text="Pictures are progressive.",
        remedy="deinterlace before encoding",
        needs="media",
        check=_interlaced,
    ),
    Rule(
        id="one-colour-space",
        clauses=("Apple 1.21",),
        severity="warning",
        text="All rungs state the same colour space.",
        remedy="convert all rungs to one colour space and tag it",
        needs="media",
        check=_colours,
    ),
)
