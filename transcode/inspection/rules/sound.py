"""Rules over sound: codecs that must be there, bit rates, how SBR is signalled."""

from __future__ import annotations

from collections.abc import Iterator

from transcode.inspection.facts import MediaFacts, PackageFacts, TrackFacts
from transcode.inspection.rules.rates import TOLERANCE, mean_bps
from transcode.inspection.rules.rule import Breach, Rule, at_line

_LC, _HE = "mp4a.40.2", ("mp4a.40.5", "mp4a.40.29")
_AAC = (_LC, *_HE)
_MOST_HE_BPS = 64_000
_RANGES_BPS = {
    ("aac", 2): (32_000, 160_000),
    ("aac", 6): (320_000, 320_000),
    ("ac-3", 6): (384_000, 384_000),
    ("ec-3", 2): (96_000, 160_000),
    ("ec-3", 6): (192_000, 192_000),
    ("ec-3", 8): (384_000, 384_000),
}
"""Apple 2.9, by codec and channels."""


def _tracks(package: PackageFacts) -> Iterator[tuple[MediaFacts, TrackFacts]]:
    for media in package.audio_video():
        track = media.track("audio")
        if track is not None:
            yield media, track


def _stereo_aac(package: PackageFacts) -> Iterator[Breach]:
    if package.multivariant is None:
        return
    found = [track for _, track in _tracks(package)]
    if found and not any(each.codec in _AAC and each.channels <= 2 for each in found):
        names = dict.fromkeys(f"{t.codec} of {t.channels} channels" for t in found)
        yield Breach(
            file=package.name,
            measured=f"sound in {', '.join(names)} only",
            allowed="stereo in AAC-LC or HE-AAC as well",
        )


def _said_to_be_he(package: PackageFacts, media: MediaFacts) -> str:
    """HE-AAC by what the variants that play a playlist state; empty for what is not."""
    for variant in package.variants:
        if variant.media is media or media in variant.audio:
            said = [name for name in variant.listed.codecs if name in _AAC]
            # One name only: of several nobody says which playlist it is.
            if len(said) == 1 and said[0] in _HE:
                return said[0]
    return ""


def _he_rate(package: PackageFacts) -> Iterator[Breach]:
    for media, track in _tracks(package):
        rate = mean_bps(media)
        is_he = track.codec in _HE or track.signals_sbr or _said_to_be_he(package, media)
        if not is_he or media.role != "audio" or rate is None:
            continue
        if rate > _MOST_HE_BPS * (1 + TOLERANCE):
            yield Breach(
                file=media.name,
                measured=f"HE-AAC of {rate / 1000:.0f} kbit/s",
                allowed="at most 64 kbit/s; AAC-LC sounds better above",
            )


def _rate(package: PackageFacts) -> Iterator[Breach]:
    for media, track in _tracks(package):
        rate = mean_bps(media)
        name = "aac" if track.codec in _AAC else track.codec
        limits = _RANGES_BPS.get((name, track.channels))
        if limits is None or rate is None or media.role != "audio":
            continue
        least, most = limits
        # Quiet passages take less of any encoder; half is a choice.
        if not least / 2 <= rate <= most * (1 + TOLERANCE):
            between = f"{least // 1000}" if least == most else f"{least // 1000} to {most // 1000}"
            yield Breach(
                file=media.name,
                measured=f"{track.codec}, {track.channels} channels: {rate / 1000:.0f} kbit/s",
                allowed=f"{between} kbit/s",
            )


def _explicit_sbr(package: PackageFacts) -> Iterator[Breach]:
    for media, track in _tracks(package):
        said = _said_to_be_he(package, media)
        if not said or track.codec != _LC or track.signals_sbr or not media.inits:
            continue
        line = next(v.listed.line for v in package.variants if v.media is media or media in v.audio)
        yield Breach(
            file=media.name,
            place=f"{package.name}, {at_line(line)}",
            measured=f"CODECS says {said}; the sample description says {_LC} without SBR",
            allowed="SBR named in the AudioSpecificConfig (explicit signalling)",
        )


RULES = (
    Rule(
        id="stereo-aac",
        clauses=("Apple 2.3",),
        severity="warning",
        text="There is stereo sound in AAC.",
        remedy="add a rendition of stereo AAC; every device plays it",
        needs="media",
        check=_stereo_aac,
    ),
    Rule(
        id="he-aac-rate",
        clauses=("Apple 2.4",),
        severity="warning",
        text="HE-AAC is not used above 64 kbit/s.",
        remedy="encode in AAC-LC",
        needs="media",
        check=_he_rate,
    ),
    Rule(
        id="sound-rate",
        clauses=("Apple 2.9",),
        severity="note",
        text="Sound has the bit rate that is recommended for its codec and channels.",
        remedy="encode at the recommended rate",
        needs="media",
        check=_rate,
    ),
    Rule(
        id="sbr-explicit",
        clauses=("Apple 2.24",),
        severity="violation",
        text="HE-AAC in fMP4 says in its sample description that it carries SBR.",
        remedy="package with explicit signalling, or state mp4a.40.2 if there is no SBR",
        needs="media",
        check=_explicit_sbr,
    ),
)
