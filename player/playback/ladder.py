"""The ladder of a title: its rungs, and where each can be had.

How the variants and renditions of a multivariant playlist become rungs is decided here. A rung has
one place or more: the same pictures at another address, such as a redundant variant or another
pathway. Which of them is used now is asked of ``player.playback.pathways``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from abr.errors import PlaybackError
from transcode.playlist import MediaPlaylist, MultivariantPlaylist, Variant, resolve

UNKNOWN_BITRATE_BPS = 1e6
"""Nominal rate of a lone media playlist that states none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a rung can be had: one set of media playlists."""

    video_url: str = field(repr=False)
    audio_url: str | None = field(default=None, repr=False)
    """None: the sound lies within the video's segments, or there is none."""
    pathway: str = "."
    """PATHWAY-ID: the way that it belongs to."""

    @property
    def urls(self) -> tuple[str, ...]:
        """Its media playlists."""
        return (self.video_url,) if self.audio_url is None else (self.video_url, self.audio_url)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One step of the ladder."""

    bitrate_bps: float
    places: tuple[Place, ...]
    """In the order listed; at least one."""
    is_first: bool = False
    """Listed first, of all that are played."""
    peak_bps: float = 0.0
    """As listed (BANDWIDTH); 0 where nothing is."""


def rungs_of(playlist: MultivariantPlaylist, *, url: str) -> list[Rung]:
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
    ladder: dict[float, Rung] = {}
    for variant in listed:
        # RFC 8216, 4.3.4.2: BANDWIDTH is the peak; what a link must carry is the average.
        rate = float(variant.average_bandwidth_bps or variant.bandwidth_bps)
        rendition = audio.get(variant.audio_group) if variant.audio_group else None
        video_url = resolve(url, variant.uri)
        audio_url = resolve(url, rendition.uri) if rendition and rendition.uri else None
        if audio_url == video_url:  # as without a URI: RFC 8216, 4.3.4.1, within the variant
            audio_url = None
        place = Place(video_url=video_url, audio_url=audio_url)
        peak_bps = float(variant.bandwidth_bps)
        rung = Rung(
            bitrate_bps=rate, places=(place,), peak_bps=peak_bps, is_first=variant is listed[0]
        )
        ladder.setdefault(rate, rung)
    if not ladder:
        raise PlaybackError("the multivariant playlist lists no variant; nothing to play")
    return [ladder[rate] for rate in sorted(ladder)]


def lone_rung(playlist: MediaPlaylist, *, url: str) -> Rung:
    """A ladder of one rung for a media playlist that was given instead of a multivariant."""
    rates = [(s.bitrate_kbps, s.duration_s) for s in playlist.segments if s.bitrate_kbps]
    total_s = sum(duration for _, duration in rates)
    mean = sum(rate * duration for rate, duration in rates) * 1000 / total_s if total_s else 0.0
    return Rung(bitrate_bps=mean or UNKNOWN_BITRATE_BPS, places=(Place(video_url=url),))


def _in_one_group(listed: Sequence[Variant], playlist: MultivariantPlaylist) -> list[Variant]:
    """Variants without those that are others with other sounds: the first's group is played.

    Its author lists what all can play first. Groups of the same sounds are the same.
    """

    def sounds(variant: Variant) -> frozenset[str | None]:
        group = variant.audio_group
        return frozenset(r.uri for r in playlist.renditions if group and r.group_id == group)

    with_first = {v.uri for v in listed if sounds(v) == sounds(listed[0])}
    return [v for v in listed if sounds(v) == sounds(listed[0]) or v.uri not in with_first]


def _family(codecs: str) -> str:
    """Codec family of the picture, such as ``avc1``; empty when unknown."""
    video = [c.strip().partition(".")[0] for c in codecs.split(",")]
    known = [c for c in video if c and not c.startswith(("mp4a", "ac-3", "ec-3", "opus", "fLaC"))]
    return known[0] if known else ""
