"""Rules over playlists of I-frames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from transcode.inspection.facts import MediaFacts, PackageFacts
from transcode.inspection.rules.rates import TOLERANCE, mean_bps
from transcode.inspection.rules.rule import Breach, Rule, at_line
from transcode.inspection.rules.variants import has_picture

_DENSE_S = 1.1
_RATE_SLACK = 1.5
"""Half as much again is no recommendation missed."""


def _present(package: PackageFacts) -> Iterator[Breach]:
    if package.multivariant is None or package.multivariant.iframe_variants:
        return
    if any(has_picture(variant) for variant in package.variants):
        yield Breach(
            file=package.name,
            measured="no EXT-X-I-FRAME-STREAM-INF",
            allowed="a playlist of I-frames, for scrubbing",
        )


def _attributes(package: PackageFacts) -> Iterator[Breach]:
    for variant in package.iframes:
        missing = [
            name
            for name in ("BANDWIDTH", "CODECS", "RESOLUTION")
            if not variant.listed.attributes.get(name)
        ]
        if missing:
            yield Breach(
                file=package.name,
                place=at_line(variant.listed.line),
                measured=f"no {', '.join(missing)}",
                allowed="BANDWIDTH, CODECS and RESOLUTION",
            )


def _trick(package: PackageFacts) -> Iterator[MediaFacts]:
    for media in package.media():
        if media.role == "iframes":
            yield media


def _marked(package: PackageFacts) -> Iterator[Breach]:
    for media in _trick(package):
        if not media.listed.iframes_only:
            yield Breach(file=media.name, measured="no EXT-X-I-FRAMES-ONLY", allowed="the tag")


def _one_frame(package: PackageFacts) -> Iterator[Breach]:
    for media in _trick(package):
        for number, segment in enumerate(media.segments):
            stretch = segment.of("video")
            if stretch is None:
                continue
            if stretch.frames != 1 or stretch.starts_with_idr is False:
                yield Breach(
                    file=media.name,
                    place=media.place(number),
                    measured=f"{stretch.frames} frames, the first of which is "
                    f"{stretch.first_picture}",
                    allowed="one frame, an IDR picture, with its moof in fMP4",
                )


def _decodes(package: PackageFacts) -> Iterator[Breach]:
    for media in _trick(package):
        for number, segment in enumerate(media.segments):
            if segment.decoded_frames is not None and segment.decoded_frames != 1:
                yield Breach(
                    file=media.name,
                    place=media.place(number),
                    measured=f"{segment.decoded_frames} frames decode",
                    allowed="one",
                )


def _all_listed(package: PackageFacts) -> Iterator[Breach]:
    keys: dict[str, int] = {}
    for rung in package.rungs():
        for number, stretch in rung.stretches("video"):
            name = rung.names[number]
            keys[name] = keys.get(name, 0) + len(stretch.key_times_s)
    for media in _trick(package):
        listed = Counter(media.names)
        shared = {name: count for name, count in listed.items() if name in keys}
        expected = sum(keys[name] for name in shared)
        if shared and sum(shared.values()) < expected:
            yield Breach(
                file=media.name,
                measured=f"{sum(shared.values())} I-frames listed",
                allowed=f"all {expected} in those segments",
            )


def _length(package: PackageFacts) -> Iterator[Breach]:
    rung = next(package.rungs(), None)
    for media in _trick(package):
        if rung is None or not rung.listed.has_end or not media.listed.segments:
            continue
        allowed_s = max(segment.duration_s for segment in media.listed.segments) + 0.1
        if abs(media.duration_s - rung.duration_s) > allowed_s:
            yield Breach(
                file=media.name,
                measured=f"{media.duration_s:.3f} s",
                allowed=f"{rung.duration_s:.3f} s, as the title, within one I-frame",
            )


def _dense(package: PackageFacts) -> Iterator[Breach]:
    densest = [m.duration_s / len(m.listed.segments) for m in _trick(package) if m.listed.segments]
    if densest and min(densest) > _DENSE_S:
        yield Breach(
            file=package.name,
            measured=f"an I-frame every {min(densest):.3f} s",
            allowed="one a second in a playlist of I-frames",
        )


def _bandwidth(package: PackageFacts) -> Iterator[Breach]:
    for variant in package.iframes:
        stated, media = variant.listed.number("BANDWIDTH"), variant.media
        if stated is None or media is None or media.sizes_bytes is None:
            continue
        mean = 8 * sum(media.sizes_bytes) / media.duration_s if media.duration_s else 0.0
        if mean > stated * (1 + TOLERANCE):
            yield Breach(
                file=package.name,
                place=at_line(variant.listed.line),
                measured=f"I-frames of {mean / 1000:.1f} kbit/s on average; BANDWIDTH says "
                f"{stated / 1000:.1f}",
                allowed="BANDWIDTH that covers the peak",
            )


def _rate(package: PackageFacts) -> Iterator[Breach]:
    """6.5: the rate of normal variants of the same size, times I-frames a second, by eight."""
    normal: dict[tuple[int, int], list[float]] = {}
    for variant in package.variants:
        rate = mean_bps(variant.media) if variant.media else None
        if rate is not None and variant.listed.size is not None:
            normal.setdefault(variant.listed.size, []).append(rate)
    for variant in package.iframes:
        media, size = variant.media, variant.listed.size
        own = mean_bps(media) if media else None
        if media is None or own is None or size not in normal:
            continue
        fps = len(media.listed.segments) / media.duration_s
        allowed = max(normal[size]) * fps / 8
        if own > _RATE_SLACK * allowed:
            yield Breach(
                file=media.name,
                measured=f"{own / 1000:.1f} kbit/s for {fps:.2f} I-frames a second",
                allowed=f"{allowed / 1000:.1f} kbit/s: {max(normal[size]) / 1000:.1f} at that "
                f"size, times {fps:.2f}, by 8",
            )


RULES = (
    Rule(
        id="iframes-listed",
        clauses=("Apple 6.1",),
        severity="warning",
        text="There is a playlist of I-frames for scrubbing.",
        remedy="add EXT-X-I-FRAME-STREAM-INF and its playlist",
        needs="playlists",
        check=_present,
    ),
    Rule(
        id="iframes-attributes",
        clauses=("Apple 9.3", "Apple 9.4", "RFC 4.4.6.3"),
        severity="violation",
        text="EXT-X-I-FRAME-STREAM-INF states BANDWIDTH, CODECS and RESOLUTION.",
        remedy="add the attributes",
        needs="playlists",
        check=_attributes,
    ),
    Rule(
        id="iframes-only",
        clauses=("Apple 6.8", "RFC 4.4.6.3"),
        severity="violation",
        text="A playlist of I-frames says EXT-X-I-FRAMES-ONLY.",
        remedy="add #EXT-X-I-FRAMES-ONLY",
        needs="playlists",
        check=_marked,
    ),
    Rule(
        id="iframes-range",
        clauses=("Apple 6.10", "RFC 4.4.3.6"),
        severity="violation",
        text="Every range of a playlist of I-frames holds one frame, an IDR, with its moof.",
        remedy="write ranges from the start of the moof to the end of its first sample",
        needs="media",
        check=_one_frame,
    ),
    Rule(
        id="iframes-decode",
        clauses=("Apple 6.10", "RFC 4.4.3.6"),
        severity="violation",
        text="Every range of a playlist of I-frames decodes alone to exactly one frame.",
        remedy="write ranges from the start of the moof to the end of its first sample",
        needs="decode",
        check=_decodes,
    ),
    Rule(
        id="iframes-all",
        clauses=("Apple 6.3",),
        severity="warning",
        text="A playlist of I-frames lists all those of the segments that it points into.",
        remedy="list every I-frame; scrubbing is coarser without",
        needs="media",
        check=_all_listed,
    ),
    Rule(
        id="iframes-dense",
        clauses=("Apple 6.2",),
        severity="note",
        text="There is a playlist of I-frames with one frame a second.",
        remedy="encode a rendition of I-frames only, or a key frame each second",
        needs="playlists",
        check=_dense,
    ),
    Rule(
        id="iframes-length",
        clauses=("RFC 4.4.3.6",),
        severity="warning",
        text="A playlist of I-frames covers the title from start to end.",
        remedy="make EXTINF of each I-frame the time to the next one",
        needs="playlists",
        check=_length,
    ),
    Rule(
        id="iframes-rate",
        clauses=("Apple 6.5",),
        severity="note",
        text="I-frames have the rate of their size, times their frames a second, by eight.",
        remedy="encode a rendition of I-frames only, of lower quality; it scrubs faster",
        needs="sizes",
        check=_rate,
    ),
    Rule(
        id="iframes-bandwidth",
        clauses=("Apple 6.9", "RFC 4.4.6.3"),
        severity="violation",
        text="BANDWIDTH of a playlist of I-frames covers their bit rate.",
        remedy="write the peak of I-frame sizes over their durations",
        needs="sizes",
        check=_bandwidth,
    ),
)
