"""The ladder of a title: its rungs, and where each can be had.

How the variants that are played become rungs is decided here; which are played, in
``player.playback.offers``. A rung has one place or more: the same pictures at another address, such
as a redundant variant or another pathway. Which of them is used now is asked of
``player.playback.pathways``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from abr.errors import PlaybackError
from player.playback.actions import Want
from player.playback.offers import Offer, Offers, Wishes
from player.playback.rates import UNKNOWN_BITRATE_BPS, guessed_bps, stated_bps
from player.playback.steering import Clone
from transcode.playlist import MediaPlaylist, MultivariantPlaylist, Variant, resolve


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a rung can be had: one set of media playlists."""

    video_url: str = field(repr=False)
    audio_url: str | None = field(default=None, repr=False)
    """None: the sound lies within the video's segments, or there is none."""
    pathway: str = "."
    """PATHWAY-ID: the way that it belongs to."""
    variant_id: str | None = None
    """STABLE-VARIANT-ID."""
    rendition_id: str | None = None
    """STABLE-RENDITION-ID of the audio."""

    @property
    def way(self) -> str:
        """The way to it in words: redundant variants without a pathway have their server's name."""
        is_named = self.pathway != "."
        return f"pathway {self.pathway}" if is_named else f"server {_server_of(self.video_url)}"

    @property
    def urls(self) -> tuple[str, ...]:
        """Its media playlists."""
        return (self.video_url,) if self.audio_url is None else (self.video_url, self.audio_url)


def _server_of(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


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
    codecs: str = ""
    """As listed (CODECS); empty where nothing is."""
    is_rate_guessed: bool = False
    """The playlist states no rate that can be true: what is fetched tells better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """What a multivariant playlist offers."""

    rungs: list[Rung]
    """Lowest first."""
    notes: list[str]
    """What is not played, and what was put right."""


@dataclass(slots=True)
class _Step:
    """A rung in the making."""

    offer: Offer
    rate_bps: float
    is_guessed: bool
    others: list[Offer] = field(default_factory=list)
    """The same pictures at other addresses."""

    @property
    def peak_bps(self) -> float:
        """As listed; 0 where that cannot be."""
        peak_bps = float(self.offer.variant.bandwidth_bps)
        return peak_bps if peak_bps >= self.rate_bps and not self.is_guessed else 0.0


def ladder_of(playlist: MultivariantPlaylist, *, url: str, wishes: Wishes | None = None) -> Ladder:
    """The ladder, lowest rung first.

    Args:
        playlist: As it was read.
        url: Where it came from in the end.
        wishes: What the viewer prefers.

    Raises:
        PlaybackError: there is nothing to play, or nothing as wished.
    """
    if not playlist.variants:
        raise PlaybackError("the multivariant playlist lists no variant; nothing to play")
    wishes = wishes or Wishes()
    offers = Offers(playlist, wishes)
    offers.narrow()
    steps = _steps(offers, playlist)
    _guess_rates(offers, steps)
    kept: list[_Step] = []
    for step in sorted(steps, key=lambda step: step.rate_bps):
        if kept and step.rate_bps == kept[-1].rate_bps:
            offers.leave_out(
                [step.offer, *step.others], f"the rate of variant {kept[-1].offer.number}"
            )
        else:
            kept.append(step)
    kept = _below_ceiling(kept, offers, wishes)
    first = min(kept, key=lambda step: step.offer.number)
    rungs = [
        Rung(
            bitrate_bps=step.rate_bps,
            places=tuple(_place(offer, url) for offer in (step.offer, *step.others)),
            is_rate_guessed=step.is_guessed,
            peak_bps=step.peak_bps,
            codecs=step.offer.variant.codecs,
            is_first=step is first,
        )
        for step in kept
    ]
    return Ladder(rungs=rungs, notes=offers.notes)


def _below_ceiling(steps: list[_Step], offers: Offers, wishes: Wishes) -> list[_Step]:
    """The steps below the first that exceeds what is wished, the lowest always."""
    ceilings = []
    if wishes.max_bitrate_bps:
        ceilings.append(f"{wishes.max_bitrate_bps / 1e6:g} Mbit/s")
    if wishes.max_height:
        ceilings.append(f"{wishes.max_height:g} lines")
    for place, step in enumerate(steps[1:], 1):
        is_above = 0 < wishes.max_bitrate_bps < step.rate_bps
        if is_above or 0 < wishes.max_height < (step.offer.variant.height or 0):
            out = [offer for each in steps[place:] for offer in (each.offer, *each.others)]
            offers.leave_out(out, f"above the ceiling of {' or '.join(ceilings)}")
            return steps[:place]
    return steps


def _steps(offers: Offers, playlist: MultivariantPlaylist) -> list[_Step]:
    """One for each picture of the pathway that is taken first, with all its places."""
    steering = playlist.steering
    pathways = [_pathway(each) for each in offers.left]
    first = pathways[0]
    if steering is not None and steering.pathway_id in pathways:
        first = steering.pathway_id
    steps: dict[object, _Step] = {}
    # Those of the first pathway before the others; the order is the list's otherwise.
    for offer in sorted(offers.left, key=lambda each: _pathway(each) != first):
        keys = _identities(offer)
        step = next((steps[key] for key in keys if key in steps), None)
        if step is None and _pathway(offer) != first:
            offers.leave_out([offer], f"pathway {_pathway(offer)} only")
            continue
        if step is None:
            rate_bps = stated_bps(offer.variant)
            step = _Step(offer, rate_bps or 0.0, rate_bps is None)
            steps.update((key, step) for key in keys)
        else:
            step.others.append(offer)
    return list({id(step): step for step in steps.values()}.values())


def _guess_rates(offers: Offers, steps: Sequence[_Step]) -> None:
    known = {step.offer.variant: step.rate_bps for step in steps if not step.is_guessed}
    for number, step in enumerate(step for step in steps if step.is_guessed):
        step.rate_bps = guessed_bps(step.offer.variant, known, number)
        offers.notes.append(
            f"{step.offer}: a BANDWIDTH that cannot be; took {step.rate_bps / 1e6:.3g} Mbit/s, "
            "and what is fetched will tell"
        )


def _identities(offer: Offer) -> tuple[object, ...]:
    """What the same pictures at another address share: redundant, or on another pathway."""
    variant = offer.variant
    if variant.stable_id is not None:
        return (variant.stable_id, _listed_as(variant))
    return (offer.number if stated_bps(variant) is None else _listed_as(variant),)


def _listed_as(variant: Variant) -> Variant:
    """A variant without what says where it is."""
    return replace(
        variant,
        uri="",
        audio_group=None,
        subtitles_group=None,
        closed_captions=None,
        pathway_id=None,
        stable_id=None,
        score=None,
    )


def _pathway(offer: Offer) -> str:
    return offer.variant.pathway_id or "."


def _place(offer: Offer, url: str) -> Place:
    video_url = resolve(url, offer.variant.uri)
    sound = offer.sound
    audio_url = resolve(url, sound.uri) if sound is not None and sound.uri else None
    if offer.is_sound_only and audio_url is not None:
        # The variant is one of its own renditions (RFC 8216bis, 4.4.6.2.1): one is played.
        video_url = audio_url
    # The same URI would fetch everything twice: as without one (RFC 8216bis, 4.4.6.2.1).
    return Place(
        video_url=video_url,
        audio_url=None if audio_url == video_url else audio_url,
        pathway=_pathway(offer),
        variant_id=offer.variant.stable_id,
        rendition_id=None if sound is None else sound.stable_id,
    )


def with_clone(rung: Rung, clone: Clone) -> Rung:
    """``rung`` with its place on the pathway ``clone``, if it has one on the base of it."""
    if any(place.pathway == clone.pathway for place in rung.places):
        return rung
    base = next((place for place in rung.places if place.pathway == clone.base), None)
    if base is None:
        return rung
    audio_url = base.audio_url
    moved = replace(
        base,
        pathway=clone.pathway,
        video_url=clone.video_url(base.video_url, base.variant_id),
        audio_url=None if audio_url is None else clone.audio_url(audio_url, base.rendition_id),
    )
    return replace(rung, places=(*rung.places, moved))


def as_picture(want: Want, rungs: Sequence[Rung]) -> Want:
    """``want``, or the same as of a picture: one rung's may be listed as the sound of another."""
    places = (place for rung in rungs for place in rung.places)
    is_picture = any(want.url == place.video_url for place in places)
    return replace(want, track="video") if is_picture else want


def lone_rung(playlist: MediaPlaylist, *, url: str) -> Rung:
    """A ladder of one rung for a media playlist that was given instead of a multivariant."""
    rates = [(s.bitrate_kbps, s.duration_s) for s in playlist.segments if s.bitrate_kbps]
    total_s = sum(duration for _, duration in rates)
    mean = sum(rate * duration for rate, duration in rates) * 1000 / total_s if total_s else 0.0
    return Rung(
        bitrate_bps=mean or UNKNOWN_BITRATE_BPS,
        places=(Place(video_url=url),),
        is_rate_guessed=not mean,
    )
