"""What is known of the title being played, and how it becomes known.

Starts from the URL of a playlist (then playlists arrive one by one and sharpen what is
known) or from a ``Presentation`` given whole.
"""

from __future__ import annotations

from itertools import accumulate

from abr.errors import PlaybackError
from abr.media import Presentation
from player.actions import TrackName, Want
from player.manifest import (
    SegmentRef,
    VariantRef,
    lone_variant,
    presentation_of,
    segments_of,
    variants_of,
)
from transcode.playlist import MultivariantPlaylist, parse

KNOWN_SOURCE = "presentation:"
"""Where the segments of a given ``Presentation`` are asked for: ``presentation:v2/17``,
and its audio: ``presentation:audio/17``."""


class Title:
    """One title, from first playlist to full presentation."""

    def __init__(self, source: str | Presentation) -> None:
        self.presentation: Presentation | None = None
        self.audio: tuple[SegmentRef, ...] = ()
        self._variants: list[VariantRef] = []
        self._loaded: dict[int, tuple[SegmentRef, ...]] = {}
        self._name = ""
        if isinstance(source, Presentation):
            self.presentation = source
            rungs = range(source.rungs)
            self._loaded = {rung: _given_segments(source, f"v{rung}") for rung in rungs}
            if source.audio_sizes_bytes is not None:
                self.audio = _given_segments(source, "audio")
            self.first_wants: tuple[Want, ...] = ()
        else:
            self._name = source.rpartition("/")[0].rpartition("/")[2]
            self.first_wants = (Want(kind="multivariant", url=source),)

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
            self.presentation = presentation_of(
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

    def _first_playlists(self) -> tuple[Want, ...]:
        lowest = self._variants[0]
        video = Want(kind="media", url=lowest.url, track="video", rung=0)
        if lowest.audio_url is None:
            return (video,)
        return (video, Want(kind="media", url=lowest.audio_url, track="audio"))


def _given_segments(presentation: Presentation, folder: str) -> tuple[SegmentRef, ...]:
    durations = presentation.durations_s.tolist()
    starts = accumulate(durations, initial=0.0)
    return tuple(
        SegmentRef(
            url=f"{KNOWN_SOURCE}{folder}/{index}",
            byte_range=None,
            duration_s=duration_s,
            start_s=start_s,
            bitrate_bps=None,
            init=None,
            key=None,
        )
        for index, (duration_s, start_s) in enumerate(zip(durations, starts, strict=False))
    )
