"""From playlists to what is played: a ladder, two tracks and their segments.

How playlist dataclasses become a ``Presentation`` is decided here. Text is parsed in
``transcode.playlist``; this module knows nothing of buffers or requests.

Playlists do not state segment sizes exactly. Where a media playlist carries
``EXT-X-BITRATE`` the size is rate times duration; for rungs whose playlist was not
loaded yet the sizes of the nearest loaded rung are scaled by the ladder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np

from abr.errors import PlaybackError
from abr.media import FloatArray, Presentation
from player.playback.actions import KeyUse, Method
from player.playback.sizes import fill_known_sizes
from transcode.encryption import iv_for
from transcode.packaging.presentation import own_rates_bps
from transcode.playlist import (
    CLEAR_KEY,
    IDENTITY,
    ByteRange,
    Key,
    MediaPlaylist,
    MultivariantPlaylist,
    Segment,
    Variant,
    resolve,
)

SAME_BOUNDARY_S = 0.05
"""Segment durations of two rungs may differ by this much and still count as aligned."""

UNKNOWN_BITRATE_BPS = 1e6
"""Nominal rate of a lone media playlist that states none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantRef:
    """One rung as the multivariant playlist offers it."""

    url: str = field(repr=False)
    bitrate_bps: float
    audio_url: str | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class InitRef:
    """An initialisation section."""

    url: str = field(repr=False)
    byte_range: ByteRange | None
    key: KeyUse | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRef:
    """One segment of one track at one rung."""

    url: str = field(repr=False)
    byte_range: ByteRange | None
    duration_s: float
    start_s: float
    """On the media timeline, from 0."""
    bitrate_bps: float | None
    init: InitRef | None
    key: KeyUse | None

    @property
    def end_s(self) -> float:
        """Where the next segment begins."""
        return self.start_s + self.duration_s


def variants_of(playlist: MultivariantPlaylist, *, url: str) -> list[VariantRef]:
    """The ladder, lowest rung first; of equal rates the first listed stays.

    Variants without a picture are left out when others have one, and so are variants of a
    second codec family, and those that repeat a rung with another sound, such as surround: the
    family and the sound of the first variant listed are played.

    Raises:
        PlaybackError: there is nothing to play.
    """
    listed = list(playlist.variants)
    if any(variant.height for variant in listed):
        listed = [variant for variant in listed if variant.height]
    if listed:
        family = _family(listed[0].codecs)
        listed = [variant for variant in listed if _family(variant.codecs) == family]
        listed = _in_one_group(listed, playlist)
    # RFC 8216, 4.3.4.1: without a choice by the viewer, DEFAULT is played, else AUTOSELECT.
    audio = {
        group: min(members, key=lambda r: (not r.default, not r.autoselect))
        for group in {r.group_id for r in playlist.renditions if r.type == "AUDIO"}
        if (members := [r for r in playlist.renditions if r.group_id == group and r.uri])
    }
    ladder: dict[float, VariantRef] = {}
    for variant in listed:
        # RFC 8216, 4.3.4.2: BANDWIDTH is the peak; what a link must carry is the average.
        rate = float(variant.average_bandwidth_bps or variant.bandwidth_bps)
        rendition = audio.get(variant.audio_group) if variant.audio_group else None
        video_url = resolve(url, variant.uri)
        audio_url = resolve(url, rendition.uri) if rendition and rendition.uri else None
        if audio_url == video_url:  # as without a URI: RFC 8216, 4.3.4.1, within the variant
            audio_url = None
        ladder.setdefault(rate, VariantRef(url=video_url, bitrate_bps=rate, audio_url=audio_url))
    if not ladder:
        raise PlaybackError("the multivariant playlist lists no variant; nothing to play")
    return [ladder[rate] for rate in sorted(ladder)]


def _in_one_group(listed: Sequence[Variant], playlist: MultivariantPlaylist) -> list[Variant]:
    """Variants without those that are others with other sounds: the first's group is played.

    Its author lists what all can play first. Groups of the same sounds are the same.
    """

    def sounds(variant: Variant) -> frozenset[str | None]:
        group = variant.audio_group
        return frozenset(r.uri for r in playlist.renditions if group and r.group_id == group)

    with_first = {v.uri for v in listed if sounds(v) == sounds(listed[0])}
    return [v for v in listed if sounds(v) == sounds(listed[0]) or v.uri not in with_first]


def lone_variant(playlist: MediaPlaylist, *, url: str) -> VariantRef:
    """A ladder of one rung for a media playlist that was given instead of a multivariant."""
    rates = [(s.bitrate_kbps, s.duration_s) for s in playlist.segments if s.bitrate_kbps]
    total_s = sum(duration for _, duration in rates)
    mean = sum(rate * duration for rate, duration in rates) * 1000 / total_s if total_s else 0.0
    return VariantRef(url=url, bitrate_bps=mean or UNKNOWN_BITRATE_BPS, audio_url=None)


def segments_of(playlist: MediaPlaylist, *, url: str) -> tuple[SegmentRef, ...]:
    """The segments of one media playlist with everything needed to fetch and decrypt them.

    Raises:
        PlaybackError: it is live, empty, or encrypted in a way that we cannot decrypt.
    """
    if not playlist.endlist:
        raise PlaybackError(
            "a live playlist (no EXT-X-ENDLIST); only finished titles can be played"
        )
    if playlist.skipped:
        raise PlaybackError("a delta update, which was not asked for; expected all segments")
    # RFC 8216, 4.3.2.1 allows EXTINF:0; what lasts no time is never on screen.
    listed = [segment for segment in playlist.segments if segment.duration_s > 0]
    if not listed:
        raise PlaybackError("the media playlist lists no segment that lasts; nothing to play")
    starts = accumulate((s.duration_s for s in listed), initial=0.0)
    return tuple(
        SegmentRef(
            url=resolve(url, segment.uri),
            byte_range=segment.byte_range,
            duration_s=segment.duration_s,
            start_s=start_s,
            bitrate_bps=segment.bitrate_kbps * 1000.0 if segment.bitrate_kbps else None,
            init=_init(segment, url),
            key=_segment_key(segment, url),
        )
        for segment, start_s in zip(listed, starts, strict=False)
    )


def presentation_from_playlists(
    variants: Sequence[VariantRef],
    loaded: Mapping[int, Sequence[SegmentRef]],
    audio: Sequence[SegmentRef],
    *,
    title: str,
) -> Presentation:
    """The presentation as algorithms see it: video sizes, rates of the whole variant.

    Args:
        variants: The ladder.
        loaded: Video segments by rung, at least one rung.
        audio: Audio segments; empty when audio is muxed or absent.
        title: Name for reports.

    Raises:
        PlaybackError: two rungs do not share segment boundaries, or a size or rate is 0.
    """
    first = next(iter(loaded.values()))
    durations = np.array([segment.duration_s for segment in first])
    for rung, segments in loaded.items():
        theirs = np.array([segment.duration_s for segment in segments])
        if len(theirs) != len(durations) or np.abs(theirs - durations).max() > SAME_BOUNDARY_S:
            raise PlaybackError(
                f"rung {rung} has {len(theirs)} segments with other boundaries than the "
                f"{len(durations)} of the rung loaded first; switching needs aligned rungs"
            )
    rates = np.array([variant.bitrate_bps for variant in variants])
    if not (rates > 0).all():
        raise PlaybackError("a variant has BANDWIDTH=0; expected its bits per second")
    video_rates = own_rates_bps(rates, _mean_rate(audio))
    listed = np.zeros((len(variants), len(durations)))
    for rung, segments in loaded.items():
        listed[rung] = _sizes(segments, float(video_rates[rung]))
    sizes = np.empty(listed.shape)
    fill_known_sizes(sizes, listed, video_rates, sum(1 << rung for rung in loaded))
    if not (sizes > 0).all():
        raise PlaybackError("a segment of no bytes; expected an EXT-X-BYTERANGE longer than 0")
    return Presentation(bitrates_bps=rates, sizes_bytes=sizes, durations_s=durations, title=title)


def _sizes(segments: Sequence[SegmentRef], nominal_bps: float) -> FloatArray:
    return np.array(
        [
            float(s.byte_range.length)
            if s.byte_range
            else (s.bitrate_bps or nominal_bps) * s.duration_s / 8
            for s in segments
        ]
    )


def _mean_rate(segments: Sequence[SegmentRef]) -> float:
    known = [(s.bitrate_bps, s.duration_s) for s in segments if s.bitrate_bps]
    total_s = sum(duration for _, duration in known)
    return sum(rate * duration for rate, duration in known) / total_s if total_s else 0.0


def _family(codecs: str) -> str:
    """Codec family of the picture, such as ``avc1``; empty when unknown."""
    video = [c.strip().partition(".")[0] for c in codecs.split(",")]
    known = [c for c in video if c and not c.startswith(("mp4a", "ac-3", "ec-3", "opus", "fLaC"))]
    return known[0] if known else ""


def _init(segment: Segment, url: str) -> InitRef | None:
    section = segment.map
    if section is None:
        return None
    key = None
    # Whole files only; encrypted samples have a section in the clear, which says so.
    if section.key is not None and section.key.method == "AES-128":
        # RFC 8216, 4.3.2.5 requires an IV here: a section has no sequence number to take it from.
        key = _key_use(section.key, section.key.iv or bytes(16), url)
    return InitRef(url=resolve(url, section.uri), byte_range=section.byte_range, key=key)


def _segment_key(segment: Segment, url: str) -> KeyUse | None:
    if segment.key is None:
        return None
    use = _key_use(segment.key, iv_for(segment), url)
    if use.method != "AES-128" and segment.map is None:
        raise PlaybackError(
            f"EXT-X-KEY METHOD={use.method} for segments without EXT-X-MAP; expected fMP4, since "
            "samples of transport streams and packed audio are not decrypted here"
        )
    return use


def _key_use(key: Key, iv: bytes, url: str) -> KeyUse:
    """Where the key is, and how it is used.

    Raises:
        PlaybackError: another player is needed for this kind of key.
    """
    method = METHODS.get(key.method)
    if method is None:
        raise PlaybackError(
            f"EXT-X-KEY METHOD={key.method}; expected AES-128, SAMPLE-AES or SAMPLE-AES-CTR"
        )
    if key.keyformat == IDENTITY:
        return KeyUse(resolve(url, key.uri), iv, method)
    if key.keyformat != CLEAR_KEY or method == "AES-128":
        name = SYSTEMS.get(key.keyformat.lower(), key.keyformat)
        raise PlaybackError(
            f"EXT-X-KEY KEYFORMAT of {name}, which needs a player with that system; "
            "this one takes keys as they are (identity) and ClearKey licences"
        )
    if not key.kid:
        raise PlaybackError("EXT-X-KEY of ClearKey without KEYID; expected the id of its key")
    if key.uri.startswith("data:"):
        raise PlaybackError(
            "EXT-X-KEY of ClearKey with a data: URI; expected the URL of a licence server, since "
            "this player asks where the playlist says"
        )
    return KeyUse(resolve(url, key.uri), iv, method, key.kid)


METHODS: Mapping[str, Method] = {
    "AES-128": "AES-128",
    "SAMPLE-AES": "SAMPLE-AES",
    "SAMPLE-AES-CTR": "SAMPLE-AES-CTR",
}
SYSTEMS: Mapping[str, str] = {
    "com.apple.streamingkeydelivery": "FairPlay",
    "com.microsoft.playready": "PlayReady",
    "urn:uuid:9a04f079-9840-4286-ab92-e65be0885f95": "PlayReady",
    "urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed": "Widevine",
    "com.widevine": "Widevine",
}
"""Systems of other players by their KEYFORMAT in lower case."""
