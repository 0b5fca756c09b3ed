"""What is known of the presentation being played, and how it becomes known.

Starts from the URL of a playlist (then playlists arrive one by one and sharpen what is
known) or from a ``Presentation`` given whole.
"""

from __future__ import annotations

from collections.abc import Mapping

from abr.decision import Algorithm, Rule
from abr.errors import PlaybackError
from abr.media import Presentation
from player.playback.actions import TrackName, Want
from player.playback.given import (
    AUDIO,
    KNOWN_SOURCE,
    given_segments,
    given_variants,
    presentation_known,
)
from player.playback.manifest import (
    SegmentRef,
    VariantRef,
    lone_variant,
    presentation_from_playlists,
    segments_of,
    variants_of,
)
from transcode.playlist import MultivariantPlaylist, parse
from transcode.playlist.variables import query_of


class Source:
    """One presentation, from first playlist to all that is known."""

    def __init__(self, source: str | Presentation) -> None:
        self.presentation: Presentation | None = None
        self.audio: tuple[SegmentRef, ...] = ()
        self.first_wants: tuple[Want, ...] = ()
        self._variants: list[VariantRef] = []
        self._loaded: dict[int, tuple[SegmentRef, ...]] = {}
        self._given: Presentation | None = None
        self._variables: Mapping[str, str] | None = None
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

    def __repr__(self) -> str:
        given = self._given or self.presentation
        name = self._name or (given.title if given else "")
        return f"<Source {name or 'without a name'}, {len(self._loaded)} rungs known>"

    def presentation_for(self, algorithm: Algorithm) -> Presentation | None:
        """What ``algorithm`` begins with: what is known, or to one that knows the trace, all."""
        if isinstance(algorithm, Rule) and algorithm.needs_trace and self._given is not None:
            return self._given
        return self.presentation

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
        playlist = parse(text, uri=shown, query=query_of(url), imports=self._variables)
        if isinstance(playlist, MultivariantPlaylist):
            if want.kind == "media":
                raise PlaybackError("a multivariant playlist; expected a media playlist")
            self._variants = variants_of(playlist, url=url)
            self._variables = playlist.variables
            return self._first_playlists()
        segments = segments_of(playlist, url=url)
        if want.kind == "multivariant":
            self._variants = [lone_variant(playlist, url=url)]
            self._loaded[0] = segments
        else:
            self._take_media(want.url, segments)
        if self._loaded and (self.audio or self._variants[0].audio_url is None):
            self.presentation = presentation_from_playlists(
                self._variants, self._loaded, self.audio, title=self._name
            )
        return ()

    def _take_media(self, url: str, segments: tuple[SegmentRef, ...]) -> None:
        """Give ``segments`` to every rung and track whose playlist is at ``url``."""
        for rung, variant in enumerate(self._variants):
            if variant.url == url:
                self._loaded[rung] = segments
        if self._variants[0].audio_url == url:
            self.audio = segments

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
