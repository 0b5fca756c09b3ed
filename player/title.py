"""What is known of the title being played, and how it becomes known.

Starts from the URL of a playlist (then playlists arrive one by one and sharpen what is
known) or from a ``Presentation`` given whole.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from itertools import accumulate

import numpy as np

from abr.errors import PlaybackError
from abr.media import Presentation, SideFiles
from player.actions import KeyUse, TrackName, Want
from player.manifest import (
    InitRef,
    SegmentRef,
    VariantRef,
    lone_variant,
    presentation_from_playlists,
    segments_of,
    variants_of,
)
from player.sizes import fill_known_sizes
from transcode.playlist import MultivariantPlaylist, parse

KNOWN_SOURCE = "presentation:"
"""Where what belongs to a given ``Presentation`` is asked for: ``presentation:v2/17`` is a
segment, ``presentation:audio/17`` its audio; side files are ``presentation:multivariant``,
``presentation:v2/playlist``, ``presentation:v2/init`` and ``presentation:key/0``."""


class Title:
    """One title, from first playlist to full presentation."""

    def __init__(self, source: str | Presentation) -> None:
        self.presentation: Presentation | None = None
        self.audio: tuple[SegmentRef, ...] = ()
        self.first_wants: tuple[Want, ...] = ()
        self._variants: list[VariantRef] = []
        self._loaded: dict[int, tuple[SegmentRef, ...]] = {}
        self._given: Presentation | None = None
        self._name = ""
        if not isinstance(source, Presentation):
            self._name = source.rpartition("/")[0].rpartition("/")[2]
            self.first_wants = (Want(kind="multivariant", url=source),)
        elif source.side_files is not None:
            self._given = source
            url = f"{KNOWN_SOURCE}multivariant"
            self.first_wants = (Want(kind="multivariant", url=url),)
        else:
            self.presentation = source
            self._loaded = {rung: given_segments(source, rung) for rung in range(source.rungs)}
            if source.audio_sizes_bytes is not None:
                self.audio = given_segments(source, AUDIO)

    def take(self, want: Want, text: str, *, url: str, shown: str) -> tuple[Want, ...]:
        """A playlist has arrived; returns what to fetch next, if it must be fetched.

        Args:
            want: What it was asked for as.
            text: The playlist.
            url: Where it came from in the end; its URIs are relative to this.
            shown: The same for people.

        Raises:
            PlaylistError: it is no valid playlist.
            PlaybackError: it cannot be played.
        """
        if self._given is not None:
            return self._take_given(self._given, want)
        playlist = parse(text, uri=shown)
        if isinstance(playlist, MultivariantPlaylist):
            if want.kind == "media":
                raise PlaybackError("a multivariant playlist; expected a media playlist")
            self._variants = variants_of(playlist, url=url)
            return self._first_playlists()
        segments = segments_of(playlist, url=url)
        if want.kind == "multivariant":
            self._variants = [lone_variant(playlist, url=url)]
            self._loaded[0] = segments
        elif want.track == "audio":
            self.audio = segments
        else:
            self._loaded[want.rung] = segments
        if self._loaded and (self.audio or self._variants[0].audio_url is None):
            self.presentation = presentation_from_playlists(
                self._variants, self._loaded, self.audio, title=self._name
            )
        return ()

    def playlist_for(self, rung: int) -> Want | None:
        """What must be fetched before segments of ``rung`` can be; None when nothing."""
        if rung in self._loaded:
            return None
        return Want(kind="media", url=self._variants[rung].url, track="video", rung=rung)

    def segment(self, track: TrackName, index: int, rung: int) -> SegmentRef:
        """One segment; its rung's playlist must have arrived."""
        return self.audio[index] if track == "audio" else self._loaded[rung][index]

    def _take_given(self, given: Presentation, want: Want) -> tuple[Want, ...]:
        """A playlist of a given presentation has arrived; what it says is known."""
        if want.kind == "multivariant":
            self._variants = given_variants(given)
            return self._first_playlists()
        if want.track == "audio":
            self.audio = given_segments(given, AUDIO)
        else:
            self._loaded[want.rung] = given_segments(given, want.rung)
        if self._loaded and (self.audio or given.audio_sizes_bytes is None):
            self.presentation = presentation_known(given, self._loaded)
        return ()

    def _first_playlists(self) -> tuple[Want, ...]:
        lowest = self._variants[0]
        video = Want(kind="media", url=lowest.url, track="video", rung=0)
        if lowest.audio_url is None:
            return (video,)
        return (video, Want(kind="media", url=lowest.audio_url, track="audio"))


AUDIO = -1
"""In place of a rung: the audio."""


def presentation_known(given: Presentation, read: Collection[int]) -> Presentation:
    """``given`` as a player knows it that has read the media playlists of the rungs ``read``."""
    side = given.side_files
    if side is None:
        return given
    is_read = np.array([float(rung in read) for rung in range(given.rungs)])
    sizes = np.empty(given.sizes_bytes.shape)
    fill_known_sizes(sizes, side.listed_sizes_bytes, side.listed_rates_bps, is_read)
    return replace(given, sizes_bytes=sizes, side_files=None)


def given_variants(given: Presentation) -> list[VariantRef]:
    """The ladder of a presentation with side files."""
    audio = None if given.audio_sizes_bytes is None else f"{KNOWN_SOURCE}audio/playlist"
    return [
        VariantRef(
            url=f"{KNOWN_SOURCE}v{rung}/playlist", bitrate_bps=float(rate_bps), audio_url=audio
        )
        for rung, rate_bps in enumerate(given.bitrates_bps)
    ]


def given_segments(given: Presentation, rung: int) -> tuple[SegmentRef, ...]:
    """The segments of one rung, or of the audio, and what each needs beside itself."""
    folder = KNOWN_SOURCE + ("audio" if rung == AUDIO else f"v{rung}")
    lasting_s = given.durations_s
    if rung == AUDIO and given.audio_durations_s is not None:
        lasting_s = given.audio_durations_s
    durations = lasting_s.tolist()
    starts = accumulate(durations, initial=0.0)
    side = given.side_files
    keys = [-1] * len(durations) if side is None or side.keys is None else side.keys.tolist()
    return tuple(
        SegmentRef(
            url=f"{folder}/{index}",
            byte_range=None,
            duration_s=duration_s,
            start_s=start_s,
            bitrate_bps=None,
            init=_given_init(side, rung, folder),
            key=_given_key(keys[index]),
        )
        for index, (duration_s, start_s) in enumerate(zip(durations, starts, strict=False))
    )


def _given_init(side: SideFiles | None, rung: int, folder: str) -> InitRef | None:
    if side is None or not side_init_bytes(side, rung):
        return None
    return InitRef(url=f"{folder}/init", byte_range=None, key=_given_key(side.init_key))


def side_init_bytes(side: SideFiles, rung: int) -> float:
    """Size of the initialisation section of one rung, or of the audio."""
    return side.audio_init_bytes if rung == AUDIO else float(side.init_bytes[rung])


def _given_key(number: float) -> KeyUse | None:
    return KeyUse(f"{KNOWN_SOURCE}key/{number:.0f}", b"") if number >= 0 else None
