"""Rules over bit rates: what is stated against what is in the files.

Source of the definitions: RFC 8216bis, section 4.1 (segment bit rate, peak, average).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from transcode.inspection.facts import MediaFacts, PackageFacts, VariantFacts
from transcode.inspection.rules.rule import Breach, Rule, place_of

TOLERANCE = 0.1
"""Apple 1.26 and 1.27: a tenth either way."""
_ROUNDING_S = 0.01


def mean_bps(media: MediaFacts) -> float | None:
    """Bits of all segments over the sum of EXTINF; None when sizes are not known."""
    sizes = media.sizes_bytes
    if sizes is None or media.duration_s <= 0:
        return None
    return 8 * sum(sizes) / media.duration_s


def peak_bps(media: MediaFacts) -> float | None:
    """Largest rate of any run of segments of 0.5 to 1.5 target durations; None when not known.

    Where no run is that long, the largest rate of a single segment.
    """
    sizes = media.sizes_bytes
    if sizes is None or media.listed.target_s is None:
        return None
    durations = [segment.duration_s for segment in media.listed.segments]
    within = _rates(sizes, durations, media.listed.target_s)
    if within:
        return max(within)
    single = [8 * size / s for size, s in zip(sizes, durations, strict=True) if s > 0]
    return max(single, default=None)


def _rates(sizes: Sequence[int], durations: Sequence[float], target_s: float) -> list[float]:
    found = []
    for first in range(len(sizes)):
        size, duration = 0, 0.0
        for each, seconds in zip(sizes[first:], durations[first:], strict=True):
            size, duration = size + each, duration + seconds
            if duration > 1.5 * target_s + _ROUNDING_S:
                break
            if duration >= 0.5 * target_s - _ROUNDING_S:
                found.append(8 * size / duration)
    return found


def _sums(variant: VariantFacts, *, is_peak: bool) -> tuple[float, float] | None:
    """Rate of the variant with its smallest and its largest rendition of audio."""
    rate = peak_bps if is_peak else mean_bps
    own = rate(variant.media) if variant.media else None
    if own is None or variant.media is None:
        return None
    others = [rate(each) for each in variant.audio if each.name != variant.media.name]
    if any(each is None for each in others):
        return None
    known = [each for each in others if each is not None] or [0.0]
    return own + min(known), own + max(known)


def _is_finished(variant: VariantFacts) -> bool:
    return variant.media is not None and variant.media.listed.has_end


def _place(variant: VariantFacts) -> str:
    return place_of(variant.listed)


def _bandwidth(package: PackageFacts) -> Iterator[Breach]:
    for variant in package.variants:
        stated, sums = variant.listed.number("BANDWIDTH"), _sums(variant, is_peak=True)
        if stated is None or sums is None:
            continue
        peak = sums[1]
        if peak > stated * (1 + TOLERANCE):
            yield Breach(
                file=package.name,
                place=_place(variant),
                measured=f"peak {_kilo(peak)}; BANDWIDTH says {_kilo(stated)}",
                allowed=f"BANDWIDTH of {_kilo(peak)}, within a tenth",
            )


def _bandwidth_over(package: PackageFacts) -> Iterator[Breach]:
    for variant in package.variants:
        stated, sums = variant.listed.number("BANDWIDTH"), _sums(variant, is_peak=True)
        if stated is None or sums is None or not _is_finished(variant):
            continue
        # A packager may count the highest single segment where that is more.
        peak = max(sums[1], _highest_single(variant))
        if peak < stated * (1 - TOLERANCE):
            yield Breach(
                file=package.name,
                place=_place(variant),
                measured=f"peak {_kilo(peak)}; BANDWIDTH says {_kilo(stated)}",
                allowed=f"BANDWIDTH of {_kilo(peak)}, within a tenth",
            )


def _highest_single(variant: VariantFacts) -> float:
    total = 0.0
    for group in ((variant.media,), variant.audio):
        total += max((_single_bps(media) for media in group if media), default=0.0)
    return total


def _single_bps(media: MediaFacts) -> float:
    pairs = zip(media.sizes_bytes or (), media.listed.segments, strict=False)
    return max((8 * size / s.duration_s for size, s in pairs if s.duration_s > 0), default=0.0)


def _average(package: PackageFacts) -> Iterator[Breach]:
    for variant in package.variants:
        stated, sums = variant.listed.number("AVERAGE-BANDWIDTH"), _sums(variant, is_peak=False)
        if stated is None or sums is None:
            continue
        least, most = sums
        low = _is_finished(variant) and most < stated * (1 - TOLERANCE)
        if low or least > stated * (1 + TOLERANCE):
            yield Breach(
                file=package.name,
                place=_place(variant),
                measured=f"average {_kilo(most)}; AVERAGE-BANDWIDTH says {_kilo(stated)}",
                allowed=f"AVERAGE-BANDWIDTH of {_kilo(most)}, within a tenth",
            )


def _order(package: PackageFacts) -> Iterator[Breach]:
    for variant in (*package.variants, *package.iframes):
        peak = variant.listed.number("BANDWIDTH")
        average = variant.listed.number("AVERAGE-BANDWIDTH")
        if peak is not None and average is not None and average > peak:
            yield Breach(
                file=package.name,
                place=_place(variant),
                measured=f"AVERAGE-BANDWIDTH {_kilo(average)} over BANDWIDTH {_kilo(peak)}",
                allowed="an average that is not over the peak",
            )


def _swing(package: PackageFacts) -> Iterator[Breach]:
    for media in package.rungs():
        peak, mean = peak_bps(media), mean_bps(media)
        if peak is not None and mean is not None and media.listed.has_end and peak > 2 * mean:
            yield Breach(
                file=media.name,
                measured=f"peak {_kilo(peak)}, {100 * peak / mean:.0f} % of the average",
                allowed="at most 200 %",
            )


def _bitrate_tag(package: PackageFacts) -> Iterator[Breach]:
    for media in package.media():
        for number, segment in enumerate(media.listed.segments):
            size = media.segments[number].size_bytes
            if segment.bitrate_kbps is None or not size or segment.duration_s <= 0:
                continue
            measured = 8 * size / segment.duration_s / 1000
            # Half a kilobit for rounding to whole ones.
            slack = TOLERANCE * segment.bitrate_kbps + 0.5
            if abs(measured - segment.bitrate_kbps) > slack:
                yield Breach(
                    file=media.name,
                    place=media.place(number),
                    measured=f"{measured:.0f} kbit/s; EXT-X-BITRATE says {segment.bitrate_kbps}",
                    allowed="within a tenth",
                )
                break


def _kilo(bps: float) -> str:
    return f"{bps / 1000:.1f} kbit/s"


RULES = (
    Rule(
        id="bandwidth-covers-peak",
        clauses=("Apple 1.27", "Apple 9.13", "RFC 4.4.6.2"),
        severity="violation",
        text="BANDWIDTH is not below the measured peak, with the audio of the highest rate.",
        remedy="write the peak of video and audio together; ffmpeg leaves audio groups out",
        needs="sizes",
        check=_bandwidth,
    ),
    Rule(
        id="bandwidth-is-peak",
        clauses=("Apple 1.27", "RFC 4.4.6.2"),
        severity="violation",
        text="BANDWIDTH of a finished title is not over the measured peak.",
        remedy="write the measured peak; players that believe too high a rate choose a lower rung",
        needs="sizes",
        check=_bandwidth_over,
    ),
    Rule(
        id="average-bandwidth",
        clauses=("Apple 1.26",),
        severity="violation",
        text="AVERAGE-BANDWIDTH is the measured average, with the audio that plays with it.",
        remedy="write the measured average",
        needs="sizes",
        check=_average,
    ),
    Rule(
        id="average-below-peak",
        clauses=("RFC 4.4.6.2",),
        severity="violation",
        text="AVERAGE-BANDWIDTH is not over BANDWIDTH.",
        remedy="write the measured figures",
        needs="playlists",
        check=_order,
    ),
    Rule(
        id="peak-to-average",
        clauses=("Apple 1.30",),
        severity="warning",
        text="The peak of a rung is at most twice its average.",
        remedy="cap the rate when encoding (-maxrate, -bufsize)",
        needs="sizes",
        check=_swing,
    ),
    Rule(
        id="bitrate-tag",
        clauses=("RFC 4.4.4.8",),
        severity="violation",
        text="EXT-X-BITRATE is within a tenth of each segment's bit rate.",
        remedy="write the segment's own rate before it",
        needs="sizes",
        check=_bitrate_tag,
    ),
)
