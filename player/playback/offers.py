"""Which variants of a multivariant playlist are played, and with which sound.

A ladder must be one that can be switched within: one codec family, one dynamic range, and each
picture once. What is left out is told, variant by variant, with what would play it.

Source: RFC 8216bis, 4.4.6.1 (EXT-X-MEDIA) and 4.4.6.2 (EXT-X-STREAM-INF).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from abr.errors import PlaybackError
from player.playback.codecnames import family_of, picture_family, sound_families
from transcode.playlist import MultivariantPlaylist, Rendition, Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a viewer prefers; empty: what the playlist prefers."""

    codecs: str = ""
    """Codec families separated by commas; the first that there is counts."""
    language: str = ""
    """Of the sound; ``de`` means ``de-AT`` too."""
    audio_group: str = ""
    """GROUP-ID of the sound."""
    max_bitrate_bps: float = 0.0
    """Ceiling of the ladder; 0: none."""
    max_height: float = 0.0
    """The same in lines of the picture."""
    live_delay_s: float = 0.0
    """Distance from the end of a live stream; 0: its hold-back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One variant, with the sound that goes with it."""

    number: int
    """Place in the list, from 1."""
    variant: Variant
    sound: Rendition | None
    """Its audio rendition; None: the sound lies within the variant, or there is none."""
    picture: str
    """Codec family; empty where nothing says."""
    sounds: frozenset[str]
    """Codec families of the sound; empty where nothing says."""

    def __str__(self) -> str:
        about = self.variant
        size = f"{about.width}x{about.height}, " if about.height else ""
        return f"variant {self.number} ({size}{about.bandwidth_bps / 1e6:g} Mbit/s)"

    @property
    def is_sound_only(self) -> bool:
        """Whether it is known to have no picture."""
        return bool(self.sounds) and not self.picture and not self.variant.height

    @property
    def video_range(self) -> str:
        """SDR, HLG or PQ; absent means SDR."""
        return self.variant.video_range or "SDR"

    @property
    def channels(self) -> str:
        """Of its audio rendition; empty where nothing says."""
        return (self.sound.channels or "") if self.sound is not None else ""

    def sounds_like(self, other: Offer) -> bool:
        """Whether the sound is of the same kind, as far as is known."""
        is_other_codec = self.sounds and other.sounds and self.sounds != other.sounds
        is_other_room = self.channels and other.channels and self.channels != other.channels
        return not is_other_codec and not is_other_room

    @property
    def looks(self) -> frozenset[object]:
        """What tells its picture: two with one of these in common show the same."""
        variant = self.variant
        if not (self.picture and variant.height):
            return frozenset([variant.uri])
        pictures = tuple(c for c in variant.codecs.split(",") if picture_family(c))
        size = (variant.width, variant.height, variant.frame_rate)
        return frozenset([variant.uri, (size, self.video_range, pictures)])


class Offers:
    """The variants that are still to be played, while some are left out."""

    def __init__(self, playlist: MultivariantPlaylist, wishes: Wishes) -> None:
        self.notes: list[str] = []
        self._playlist = playlist
        self._wishes = wishes
        self._check_wishes()
        self.left = [
            Offer(
                number=number,
                variant=variant,
                sound=_sound_of(variant, playlist, wishes),
                picture=picture_family(variant.codecs),
                sounds=sound_families(variant.codecs),
            )
            for number, variant in enumerate(playlist.variants, 1)
        ]

    def __repr__(self) -> str:
        return f"<Offers {', '.join(str(each) for each in self.left)}>"

    def narrow(self) -> Sequence[Offer]:
        """Leave out what cannot be played together; in the order listed.

        Raises:
            PlaybackError: nothing is as wished.
        """
        if not all(each.is_sound_only for each in self.left):
            self._keep(lambda each: not each.is_sound_only, "no picture")
        self._keep_codecs()
        self._keep_one_family()
        self._keep_sounds()
        self._keep_each_picture_once()
        self._tell_of_renditions()
        return self.left

    def leave_out(self, offers: Iterable[Offer], why: str) -> None:
        """``offers`` are not played."""
        out = {each.number: each for each in offers}
        if out:
            self.left = [each for each in self.left if each.number not in out]
            self.notes.append(f"not played: {', '.join(map(str, out.values()))}: {why}")

    def _keep(self, test: Callable[[Offer], bool], why: str) -> None:
        self.leave_out([each for each in self.left if not test(each)], why)

    def _keep_codecs(self) -> None:
        wanted = [family_of(name) for name in self._wishes.codecs.split(",") if name.strip()]
        pictures = {each.picture for each in self.left}
        known = set.union(pictures, *(each.sounds for each in self.left)) - {""}
        if wanted and known.isdisjoint(wanted):
            raise PlaybackError(
                f"no variant in codecs {self._wishes.codecs!r}; the playlist has "
                f"{', '.join(sorted(known)) or 'no CODECS'}"
            )
        why = f"other codecs than {self._wishes.codecs}, as asked for"
        picture = next((name for name in wanted if name in pictures), None)
        if picture is not None:
            self._keep(lambda each: each.picture == picture, why)
        sounds = [name for name in wanted if any(name in each.sounds for each in self.left)]
        if sounds:
            self._keep(lambda each: sounds[0] in each.sounds, why)

    def _keep_one_family(self) -> None:
        """The family and the range of the first variant that tells."""
        family = next((each.picture for each in self.left if each.picture), "")
        for other in dict.fromkeys(each.picture for each in self.left):
            if other not in ("", family):
                self.leave_out(
                    [each for each in self.left if each.picture == other],
                    f"{other} beside {family}, which is listed first (--codecs {other} plays it)",
                )
        first = self.left[0].video_range
        for other in dict.fromkeys(each.video_range for each in self.left):
            if other != first:
                self.leave_out(
                    [each for each in self.left if each.video_range == other],
                    f"{other} beside {first}, which is listed first",
                )

    def _keep_sounds(self) -> None:
        """Of variants with the same pictures those with the sound that is played."""
        wishes = self._wishes
        if wishes.language and any(self._is_in_language(each) for each in self.left):
            self._keep(self._is_in_language, f"no sound in {wishes.language}")
        if wishes.audio_group:
            self.left.sort(key=lambda each: each.variant.audio_group != wishes.audio_group)
        first = self.left[0]
        shown = frozenset[object]().union(
            *(each.looks for each in self.left if each.sounds_like(first))
        )
        self._keep(
            lambda each: each.sounds_like(first) or shown.isdisjoint(each.looks),
            f"another sound beside that of variant {first.number} (--audio-group plays it)",
        )

    def _keep_each_picture_once(self) -> None:
        seen: dict[str, Offer] = {}
        for each in self.left:
            seen.setdefault(each.variant.uri, each)
        kept = {each.number for each in seen.values()}
        self._keep(lambda each: each.number in kept, "the same pictures as another that is played")
        self.left.sort(key=lambda each: each.number)

    def _is_in_language(self, offer: Offer) -> bool:
        return offer.sound is not None and _speaks(offer.sound, self._wishes.language)

    def _check_wishes(self) -> None:
        sounds = [each for each in self._playlist.renditions if each.type == "AUDIO"]
        language, group = self._wishes.language, self._wishes.audio_group
        if language and not any(_speaks(each, language) for each in sounds):
            known = ", ".join(_languages(sounds)) or "none"
            raise PlaybackError(f"no sound in language {language!r}; the playlist names {known}")
        groups = dict.fromkeys(each.group_id for each in sounds)
        if group and group not in groups:
            known = ", ".join(groups) or "none"
            raise PlaybackError(f"no audio group {group!r}; the playlist names {known}")

    def _tell_of_renditions(self) -> None:
        of_sound = [each for each in self._playlist.renditions if each.type == "AUDIO"]
        played = _languages(each.sound for each in self.left if each.sound is not None)
        others = [name for name in _languages(of_sound) if name not in played]
        if others:
            self.notes.append(
                f"sound in {', '.join(played) or 'the variants'} is played; listed are also "
                f"{', '.join(others)} (--language plays them)"
            )
        texts = [each for each in self._playlist.renditions if each.type == "SUBTITLES"]
        if texts:
            names = [each.language or each.name for each in texts]
            self.notes.append(f"subtitles are not fetched: {', '.join(dict.fromkeys(names))}")
        for group in dict.fromkeys(each.variant.audio_group for each in self.left):
            if group is not None and all(each.group_id != group for each in of_sound):
                self.notes.append(
                    f"audio group {group!r} is not listed; took the sound within the variants"
                )


def _sound_of(variant: Variant, playlist: MultivariantPlaylist, wishes: Wishes) -> Rendition | None:
    """The rendition that is played with a variant: as wished, else DEFAULT, else AUTOSELECT."""
    members = [
        each
        for each in playlist.renditions
        if each.type == "AUDIO" and each.group_id == variant.audio_group
    ]
    language = wishes.language
    return min(
        members,
        key=lambda r: (
            not (language and _speaks(r, language)),
            not r.default,
            not r.autoselect,
        ),
        default=None,
    )


def _speaks(rendition: Rendition, language: str) -> bool:
    # RFC 4647, 3.3.1: a range matches a tag that is it, or begins with it and a hyphen.
    tag, wanted = (rendition.language or "").lower(), language.lower()
    return tag == wanted or tag.startswith(f"{wanted}-")


def _languages(renditions: Iterable[Rendition]) -> list[str]:
    return list(dict.fromkeys(each.language or each.name for each in renditions))
