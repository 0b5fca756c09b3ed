"""Rules over high dynamic range: what screens are told, and who can play it."""

from __future__ import annotations

from collections.abc import Iterator

from transcode.inspection.facts import MediaFacts, PackageFacts, TrackFacts, VariantFacts
from transcode.inspection.rules.rule import Breach, Rule
from transcode.inspection.rules.tracks import RATE_TOLERANCE

_PQ, _HLG = 16, 18
_HDR10_SEI = {137: "Mastering Display Colour Volume", 144: "Content Light Level Information"}
"""ITU-T H.265, D.3.28 and D.3.35: payload types."""
_EASY_FPS = 30.0


def _is_hdr(variant: VariantFacts) -> bool:
    track = variant.media.track("video") if variant.media else None
    if track is not None and track.transfer is not None:
        return track.transfer in (_PQ, _HLG)
    return variant.listed.attributes.get("VIDEO-RANGE") in ("PQ", "HLG")


def _slow_rates(package: PackageFacts) -> Iterator[Breach]:
    rates = []
    for variant in package.variants:
        if _is_hdr(variant):
            measured = variant.media.frame_rate if variant.media else None
            rates.append(measured or variant.listed.frame_rate)
    known = [rate for rate in rates if rate is not None]
    if known and len(known) == len(rates) and min(known) > _EASY_FPS + RATE_TOLERANCE:
        yield Breach(
            file=package.name,
            measured=f"HDR variants of {min(known):.3f} frames a second and more only",
            allowed="some of at most 30",
        )


def _hdr10(package: PackageFacts) -> Iterator[tuple[MediaFacts, TrackFacts, set[int]]]:
    """Rungs of HDR10 in HEVC, and the messages that their first segments hold."""
    for media in package.rungs():
        track = media.track("video")
        if track is None or track.entry not in ("hvc1", "hev1") or track.transfer != _PQ:
            continue
        pictures = [stretch.sei for _, stretch in media.stretches("video")]
        if pictures:
            yield media, track, set(_HDR10_SEI) & (track.sei | frozenset.intersection(*pictures))


def _light(package: PackageFacts) -> Iterator[Breach]:
    for media, _, there in _hdr10(package):
        missing = [name for kind, name in _HDR10_SEI.items() if kind not in there]
        if missing:
            yield Breach(
                file=media.name,
                measured=f"no SEI message of {' or '.join(missing)}",
                allowed="both in the sample description, or in the first picture of every segment",
            )


def _in_description(package: PackageFacts) -> Iterator[Breach]:
    for media, track, there in _hdr10(package):
        outside = [_HDR10_SEI[kind] for kind in sorted(there - track.sei)]
        if outside:
            yield Breach(
                file=media.name,
                measured=f"{' and '.join(outside)} among the samples",
                allowed="in the sample description (hvcC)",
            )


RULES = (
    Rule(
        id="hdr-frame-rate",
        clauses=("Apple 1.20",),
        severity="note",
        text="HDR content has variants of at most 30 frames a second.",
        remedy="add HDR variants at half the rate",
        needs="playlists",
        check=_slow_rates,
    ),
    Rule(
        id="hdr10-light",
        clauses=("Apple 1.35",),
        severity="warning",
        text="HDR10 (HEVC) has SEI messages of the mastering display and of the light level.",
        remedy="encode with the figures of the master (x265: master-display, max-cll)",
        needs="media",
        check=_light,
    ),
    Rule(
        id="hdr10-in-description",
        clauses=("Apple 1.8",),
        severity="note",
        text="SEI messages of HDR10 are in the sample description.",
        remedy="package with the messages in hvcC",
        needs="media",
        check=_in_description,
    ),
)
