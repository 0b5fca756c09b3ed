"""Rules over EXT-X-STREAM-INF: what variants must state, and the ladder they make."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction

from transcode.inspection.facts import PackageFacts, VariantFacts
from transcode.inspection.rules.rule import Breach, Rule, at_line, place_of, shown

HD_LINES = 720
UHD_WIDTH = 3840
_UHD_BPS = 15e6
_HIGH, _EASY_LEVEL = 100, 41
_PQ, _HLG = 16, 18
_RANGES = {_PQ: "PQ", _HLG: "HLG"}


def has_picture(variant: VariantFacts) -> bool:
    """Whether a variant carries video, by its figures, its codecs or its media."""
    if variant.media is not None and variant.media.main_kind:
        return variant.media.main_kind == "video"
    return variant.listed.has_picture


def _absent(
    name: str, *, video_only: bool, allowed: str
) -> Callable[[PackageFacts], Iterator[Breach]]:
    def check(package: PackageFacts) -> Iterator[Breach]:
        for variant in package.variants:
            if video_only and not has_picture(variant):
                continue
            if not variant.listed.attributes.get(name):
                yield Breach(
                    file=package.name,
                    place=place_of(variant.listed),
                    measured=f"no {name}",
                    allowed=allowed,
                )

    return check


def _faults(package: PackageFacts) -> Iterator[Breach]:
    if package.multivariant is not None:
        for fault in package.multivariant.faults:
            yield Breach(
                file=package.name,
                place=at_line(fault.line),
                measured=fault.what,
                allowed="tags and attributes in the form their definitions give",
            )


def _several(package: PackageFacts) -> Iterator[Breach]:
    pictures = [variant for variant in package.variants if has_picture(variant)]
    if package.multivariant is not None and len(pictures) == 1:
        yield Breach(
            file=package.name, measured="one video variant", allowed="several, of different rates"
        )


def _top_twice(package: PackageFacts) -> Iterator[Breach]:
    sizes = [v.listed.size for v in package.variants if v.listed.size]
    if not sizes:
        return
    top = max(sizes, key=lambda size: size[0] * size[1])
    if min(top) >= HD_LINES and sizes.count(top) < 2:
        yield Breach(
            file=package.name,
            place=f"{top[0]}x{top[1]}",
            measured="one variant at the highest resolution",
            allowed="two or more",
        )


def _rate_bps(variant: VariantFacts) -> int:
    """Average rate as stated, or the peak; 0 when neither is."""
    listed = variant.listed
    return listed.number("AVERAGE-BANDWIDTH") or listed.number("BANDWIDTH") or 0


def _default(package: PackageFacts) -> Iterator[Breach]:
    # 1.32: there is a default among variants whose sound goes together. Players leave out what
    # they cannot decode or show before they take the first.
    alike: dict[tuple[str, ...], list[VariantFacts]] = {}
    for variant in package.variants:
        if has_picture(variant):
            stated = variant.listed.attributes
            family = next(iter(variant.listed.codecs), "").partition(".")[0]
            key = (stated.get("AUDIO", ""), family, stated.get("VIDEO-RANGE", "SDR"))
            alike.setdefault(key, []).append(variant)
    for variants in alike.values():
        rates = [_rate_bps(variant) for variant in variants]
        if len(rates) < 2 or not all(rates):
            continue
        nearest = min(rates, key=_from_default)
        if _from_default(rates[0]) > 1.001 * _from_default(nearest):
            first = variants[0].listed
            yield Breach(
                file=package.name,
                place=f"{place_of(first)}, first of {len(rates)} alike",
                measured=f"{rates[0] / 1000:.0f} kbit/s on average",
                allowed=f"the one nearest 2000 kbit/s ({nearest / 1000:.0f})",
            )


def _from_default(rate_bps: int) -> float:
    return max(rate_bps / 2e6, 2e6 / rate_bps)


def _uhd_rate(package: PackageFacts) -> Iterator[Breach]:
    sizes = [(v, v.listed.size) for v in package.variants]
    rates = [_rate_bps(v) for v, size in sizes if size and max(size) >= UHD_WIDTH]
    if rates and min(rates) > _UHD_BPS:
        yield Breach(
            file=package.name,
            measured=f"UHD variants of {min(rates) / 1e6:.1f} Mbit/s and more only",
            allowed="some of at most 15 Mbit/s",
        )


def _easy_h264(package: PackageFacts) -> Iterator[Breach]:
    names = [n for v in package.variants for n in v.listed.codecs]
    found = [
        m for n in names if (m := re.fullmatch(r"avc[13]\.([0-9a-f]{2})..([0-9a-f]{2})", n.lower()))
    ]
    levels = [(int(m[1], 16), int(m[2], 16)) for m in found]
    if levels and not any(profile <= _HIGH and level <= _EASY_LEVEL for profile, level in levels):
        yield Breach(
            file=package.name,
            measured=f"H.264 of level {min(level for _, level in levels) / 10:g} and more only",
            allowed="some of High profile, level 4.1, or less",
        )


def _aspect(package: PackageFacts) -> Iterator[Breach]:
    shown = [(v, v.aspect, v.listed.size) for v in package.variants]
    known = [(v, aspect, size) for v, aspect, size in shown if aspect and size]
    if len(known) < 2:
        return
    reference = max(known, key=lambda each: each[2][0] * each[2][1])[1]
    for variant, _, (width, height) in known:
        if not _fits(width, height, reference):
            yield Breach(
                file=package.name,
                place=place_of(variant.listed),
                measured=f"{width}x{height} is {width / height:.3f} wide",
                allowed=f"{float(reference):.3f}, that of the largest variant, within 2 pixels",
            )


def _fits(width: int, height: int, aspect: Fraction) -> bool:
    """Whether a size has an aspect ratio but for rounding to even numbers."""
    return abs(width - height * aspect) <= 2 or abs(height - width / aspect) <= 2


def _independent(package: PackageFacts) -> Iterator[Breach]:
    if package.multivariant is None or package.multivariant.is_independent:
        return
    silent = [m.name for m in package.rungs() if not m.listed.is_independent]
    if silent:
        yield Breach(
            file=package.name,
            measured=f"no EXT-X-INDEPENDENT-SEGMENTS here, nor in {silent[0]}",
            allowed="the tag here or in every video playlist, where segments begin with an IDR",
        )


def _range(package: PackageFacts) -> Iterator[Breach]:
    found = []
    for variant in package.variants:
        track = variant.media.track("video") if variant.media else None
        if track is not None:
            found.append((variant, _RANGES.get(track.transfer or 0, "SDR")))
    all_sdr = all(actual == "SDR" for _, actual in found)
    for variant, actual in found:
        stated = variant.listed.attributes.get("VIDEO-RANGE")
        if stated is None and all_sdr:
            continue
        if (stated or "SDR") != actual or stated is None:
            yield Breach(
                file=package.name,
                place=place_of(variant.listed),
                measured=f"VIDEO-RANGE {stated or 'absent'}; the pictures are {actual}",
                allowed=f"VIDEO-RANGE={actual}",
            )


def _sdr(package: PackageFacts) -> Iterator[Breach]:
    ranges = {
        v.listed.attributes.get("VIDEO-RANGE", "SDR") for v in package.variants if has_picture(v)
    }
    if package.multivariant is not None and ranges and "SDR" not in ranges:
        yield Breach(
            file=package.name,
            measured=f"variants in {' and '.join(sorted(ranges))} only",
            allowed="variants in SDR as well, for screens without HDR",
        )


def _score(package: PackageFacts) -> Iterator[Breach]:
    with_score = [v for v in package.variants if "SCORE" in v.listed.attributes]
    if with_score and len(with_score) < len(package.variants):
        yield Breach(
            file=package.name,
            measured=f"SCORE on {len(with_score)} of {len(package.variants)} variants",
            allowed="on all or on none",
        )


def _captions(package: PackageFacts) -> Iterator[Breach]:
    words = Counter(v.listed.attributes.get("CLOSED-CAPTIONS") == "NONE" for v in package.variants)
    if words[True] and words[False]:
        yield Breach(
            file=package.name,
            measured=f"CLOSED-CAPTIONS=NONE on {words[True]} of {words.total()} variants",
            allowed="on all or on none",
        )


def _captions_unsaid(package: PackageFacts) -> Iterator[Breach]:
    pictures = [v for v in package.variants if has_picture(v)]
    if package.multivariant is None or not pictures:
        return
    if not any("CLOSED-CAPTIONS" in v.listed.attributes for v in pictures):
        yield Breach(
            file=package.name,
            measured="no CLOSED-CAPTIONS on any variant",
            allowed="NONE, or a group of captions: some players load segments to find out",
        )


def _twice(package: PackageFacts) -> Iterator[Breach]:
    seen: dict[tuple[str, ...], int] = {}
    for variant in package.variants:
        groups = [variant.listed.attributes.get(n, "") for n in ("AUDIO", "SUBTITLES", "VIDEO")]
        key = (variant.listed.uri, *groups)
        if key in seen:
            yield Breach(
                file=package.name,
                place=at_line(variant.listed.line),
                measured=f"{shown(variant.listed.uri)} with the same groups as on line {seen[key]}",
                allowed="each variant once",
            )
        seen.setdefault(key, variant.listed.line)


RULES = (
    Rule(
        id="multivariant-grammar",
        clauses=("RFC 4.2", "RFC 4.1"),
        severity="violation",
        text="Every tag and attribute has the form that its definition gives it.",
        remedy="write the line as its definition says",
        needs="playlists",
        check=_faults,
    ),
    Rule(
        id="bandwidth-stated",
        clauses=("RFC 4.4.6.2",),
        severity="violation",
        text="Every variant states BANDWIDTH.",
        remedy="add BANDWIDTH, the peak bit rate",
        needs="playlists",
        check=_absent("BANDWIDTH", video_only=False, allowed="the peak bit rate"),
    ),
    Rule(
        id="average-bandwidth-stated",
        clauses=("Apple 9.14",),
        severity="warning",
        text="Every variant states AVERAGE-BANDWIDTH.",
        remedy="add AVERAGE-BANDWIDTH; players plan by it",
        needs="playlists",
        check=_absent("AVERAGE-BANDWIDTH", video_only=False, allowed="the average bit rate"),
    ),
    Rule(
        id="codecs-stated",
        clauses=("Apple 9.1", "RFC 4.4.6.2"),
        severity="violation",
        text="Every variant states CODECS.",
        remedy="add CODECS; without it browsers cannot tell what they can play",
        needs="playlists",
        check=_absent("CODECS", video_only=False, allowed="every codec in the variant"),
    ),
    Rule(
        id="resolution-stated",
        clauses=("Apple 9.2",),
        severity="violation",
        text="Every variant with video states RESOLUTION.",
        remedy="add RESOLUTION",
        needs="playlists",
        check=_absent("RESOLUTION", video_only=True, allowed="WIDTHxHEIGHT"),
    ),
    Rule(
        id="frame-rate-stated",
        clauses=("Apple 9.15",),
        severity="warning",
        text="Every variant with video states FRAME-RATE.",
        remedy="add FRAME-RATE",
        needs="playlists",
        check=_absent("FRAME-RATE", video_only=True, allowed="frames a second"),
    ),
    Rule(
        id="several-variants",
        clauses=("Apple 9.9",),
        severity="warning",
        text="There are several video variants.",
        remedy="encode more rungs, so that players can adapt",
        needs="playlists",
        check=_several,
    ),
    Rule(
        id="variant-once",
        clauses=("ours",),
        severity="warning",
        text="No variant is listed twice with the same groups.",
        remedy="take out one of the lines, unless it is meant as a backup",
        needs="playlists",
        check=_twice,
    ),
    Rule(
        id="top-resolution-twice",
        clauses=("Apple 9.10",),
        severity="note",
        text="HD content has at least two variants at its highest resolution.",
        remedy="add a variant of lower rate at that resolution",
        needs="playlists",
        check=_top_twice,
    ),
    Rule(
        id="default-variant",
        clauses=("Apple 1.32",),
        severity="note",
        text="The variant listed first, of those alike in sound and codec, is nearest 2000 kbit/s.",
        remedy="list that variant first; players start with it",
        needs="playlists",
        check=_default,
    ),
    Rule(
        id="uhd-rate",
        clauses=("Apple 1.34",),
        severity="note",
        text="UHD content has variants of at most 15 Mbit/s at that size.",
        remedy="add a UHD variant of lower rate",
        needs="playlists",
        check=_uhd_rate,
    ),
    Rule(
        id="h264-easy",
        clauses=("Apple 1.12",),
        severity="note",
        text="H.264 has variants that need no more than High profile, level 4.1.",
        remedy="add a variant for older devices",
        needs="playlists",
        check=_easy_h264,
    ),
    Rule(
        id="aspect-ratio",
        clauses=("Apple 1.33",),
        severity="warning",
        text="All video variants have the same aspect ratio.",
        remedy="scale every rung from the same picture shape",
        needs="playlists",
        check=_aspect,
    ),
    Rule(
        id="independent-segments",
        clauses=("Apple 9.11", "Apple 9.12", "RFC 4.4.2.1"),
        severity="warning",
        text="EXT-X-INDEPENDENT-SEGMENTS says that segments begin with an IDR.",
        remedy="add EXT-X-INDEPENDENT-SEGMENTS to the multivariant playlist",
        needs="playlists",
        check=_independent,
    ),
    Rule(
        id="video-range",
        clauses=("Apple 9.16", "RFC 4.4.6.2"),
        severity="violation",
        text="VIDEO-RANGE is that of the pictures, and is stated unless all are SDR.",
        remedy="state PQ, HLG or SDR as the pictures are",
        needs="media",
        check=_range,
    ),
    Rule(
        id="sdr-present",
        clauses=("Apple 1.24",),
        severity="warning",
        text="HDR content has variants in SDR too.",
        remedy="add a ladder that is tone-mapped",
        needs="playlists",
        check=_sdr,
    ),
    Rule(
        id="score-on-all",
        clauses=("Apple 9.19",),
        severity="violation",
        text="SCORE is on every variant or on none.",
        remedy="give every variant a SCORE, or none",
        needs="playlists",
        check=_score,
    ),
    Rule(
        id="captions-none-on-all",
        clauses=("RFC 4.4.6.2",),
        severity="violation",
        text="CLOSED-CAPTIONS=NONE is on every variant or on none.",
        remedy="state it on every variant",
        needs="playlists",
        check=_captions,
    ),
    Rule(
        id="captions-stated",
        clauses=("ours",),
        severity="note",
        text="Variants say whether they have closed captions.",
        remedy="add CLOSED-CAPTIONS=NONE to every variant when there are none",
        needs="playlists",
        check=_captions_unsaid,
    ),
)
