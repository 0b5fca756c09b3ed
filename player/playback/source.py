"""What is known of the presentation being played, and how it becomes known.

Starts from the URL of a playlist (then playlists arrive one by one and sharpen what is
known) or from a ``Presentation`` given whole.

What a media playlist brought is kept by its URL, once, however many rungs and tracks share it.
Which place of a rung is used now is asked of ``player.playback.pathways``; what is found at a place
is looked up by media time. A playlist that arrives again replaces what it brought before. What
algorithms see of all this is decided in ``player.playback.outlook``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Literal
from urllib.parse import urlsplit

from abr.errors import PlaybackError
from abr.media import Presentation
from player.playback.actions import TrackName, Want
from player.playback.broadcast import Broadcast
from player.playback.following import may_grow
from player.playback.given import (
    AUDIO,
    KNOWN_SOURCE,
    given_rungs,
    given_timeline,
    given_timelines,
    presentation_known,
)
from player.playback.ladder import Place, Rung, as_picture, ladder_of, lone_rung, with_clone
from player.playback.learning import Learned
from player.playback.manifest import presentation_from_playlists
from player.playback.offers import Wishes
from player.playback.pathways import Pathways
from player.playback.remarks import remarks_of
from player.playback.starting import starting_s
from player.playback.steering import Steering, SteeringManifest
from player.playback.timeline import Timeline, timeline_of
from player.playback.wants import media_want
from transcode.playlist import MediaPlaylist, MultivariantPlaylist, Start, parse
from transcode.playlist.variables import query_of


class Source:
    """One presentation, from first playlist to all that is known."""

    def __init__(
        self,
        source: str | Presentation,
        wishes: Wishes | None = None,
        *,
        begins_with: Literal["lowest", "listed"] = "lowest",
    ) -> None:
        """``begins_with``: the rung whose playlist is loaded first."""
        self.presentation: Presentation | None = None
        self.first_wants: tuple[Want, ...] = ()
        self.notes: list[str] = []
        """What was left out or put right, for people; whoever logs them takes them away."""
        self.grid: Timeline | None = None
        """The segments that the presentation is told in: the video's that was loaded first."""
        self._rungs: list[Rung] = []
        self._early: list[tuple[Callable[..., object], Want, MediaPlaylist]] = []  # live or not?
        self._timelines: dict[str, Timeline] = {}
        """By the URL of their playlists, as those tell them."""
        self._on_grid: dict[str, Timeline] = {}
        """The same of video, on the boundaries of the grid where they nearly are."""
        self._begins_listed = begins_with == "listed"
        self.pathways = Pathways()
        """Which places are used."""
        self.steering: Steering | None = None
        """Who ranks them; None: nobody."""
        self._wishes = wishes or Wishes()
        self._learned = Learned()
        self._start: Start | None = None
        """Where to begin, as the multivariant playlist says."""
        self._begins_s = 0.0
        """Where the first segment that is played lies in its playlist."""
        self.broadcast: Broadcast | None = None
        """All playlists of a live stream, also when it has ended; None of a finished title."""
        self.given: Presentation | None = None
        """What is played, if it was given whole, also before it is known."""
        self._variables: Mapping[str, str] | None = None
        self._name = ""
        if not isinstance(source, Presentation):
            self._name = urlsplit(source).path.rpartition("/")[0].rpartition("/")[2]
            self.first_wants = (Want(kind="multivariant", url=source),)
            return
        self.given = source
        if source.side_files is not None:
            url = f"{KNOWN_SOURCE}multivariant"
            self.first_wants = (Want(kind="multivariant", url=url),)
        else:
            self._take_whole(source)

    def __repr__(self) -> str:
        name = self._name or (self.given.title if self.given else "")
        known = sum(1 for _ in self._loaded_rungs())
        return f"<Source {name or 'without a name'}, {known} rungs known>"

    @property
    def ladder(self) -> tuple[Rung, ...]:
        """The ladder, lowest rung first."""
        return tuple(self._rungs)

    # --- playlists -----------------------------------------------------------------

    def take(
        self,
        want: Want,
        text: str,
        *,
        url: str,
        shown: str,
        asked_s: float = 0.0,
        now_s: float = 0.0,
    ) -> tuple[Want, ...]:
        """A playlist has arrived; returns what to fetch next, if it must be fetched.

        Args:
            want: What it was asked for as.
            text: The playlist.
            url: Where it came from in the end; its URIs are relative to this.
            shown: The same for people.
            asked_s: When it was asked for.
            now_s: Now.

        Raises:
            PlaylistError: it is no valid playlist.
            PlaybackError: it cannot be played.
        """
        if self.given is not None:
            return self._take_given(self.given, want)
        playlist = parse(text, uri=shown, query=query_of(url), imports=self._variables)
        if not self.follows(want.url):  # of its first version, whatever it lists later
            self.notes += remarks_of(playlist, shown)
        if isinstance(playlist, MultivariantPlaylist):
            if want.kind == "media":
                raise PlaybackError("a multivariant playlist; expected a media playlist")
            ladder = ladder_of(playlist, url=url, wishes=self._wishes)
            self._rungs = ladder.rungs
            self.notes += ladder.notes
            self._variables = playlist.variables
            self._start = playlist.start
            if playlist.steering is not None:
                self.steering = Steering(playlist.steering, url=url)
                self.pathways.prefer(self.steering.pathway)
            return self.first_playlists()
        if want.kind == "multivariant":
            self._rungs = [lone_rung(playlist, url=want.url)]
        version = replace(playlist, start=playlist.start or self._start)
        of_picture = as_picture(want, self._rungs)
        arrive = partial(Broadcast.take, url=url, asked_s=asked_s, now_s=now_s)
        if self.grid is None and self.broadcast is None:
            self._early.append((arrive, of_picture, version))
            if may_grow(playlist):
                self.broadcast = Broadcast(self._wishes.live_delay_s)
                for earlier, *what in self._early[:-1]:  # sound that came before its picture
                    earlier(self.broadcast, *what)
        if self.broadcast is None:
            self._take_media(want, playlist, url, shown)
        else:
            arrive(self.broadcast, of_picture, version)
            self._update_live(self.broadcast)
        return ()

    def first_playlists(self) -> tuple[Want, ...]:
        """What tells the presentation: media playlists of the first rung that can be had."""
        rung = self._first_rung()
        wants = (self.playlist_for("video", rung), self.playlist_for("audio", rung))
        return tuple(want for want in wants if want is not None)

    def look_elsewhere(self) -> tuple[Want, ...]:
        """What tells the presentation, now that something of it could not be had."""
        self._update_presentation()
        return () if self.presentation is not None else self.first_playlists()

    def playlist_for(self, track: TrackName, rung: int) -> Want | None:
        """What must be fetched before segments of ``rung`` can be; None when nothing."""
        url = self.playlist_url(track, rung)
        if not url or url in self._timelines or self.follows(url):
            return None
        return media_want(track, url, rung)

    # --- places --------------------------------------------------------------------

    def steer(self, manifest: SteeringManifest) -> None:
        """What a steering server says counts from now on."""
        for clone in manifest.clones:
            self._rungs = [with_clone(rung, clone) for rung in self._rungs]
        self.pathways.rank(manifest.priority)

    @property
    def pathway(self) -> str:
        """The pathway in use."""
        return self.place(0).pathway

    @property
    def rungs(self) -> int:
        """How many there are."""
        return len(self._rungs)

    def place(self, rung: int) -> Place:
        """Where ``rung`` is had now."""
        return self.pathways.choose(self._rungs[rung].places)

    def place_of(self, playlist: str) -> Place | None:
        """The first place with this media playlist."""
        places = (place for rung in self._rungs for place in rung.places)
        return next((each for each in places if playlist in each.urls), None)

    def learn(self, want: Want, size_bytes: float, media_s: float) -> bool:
        """A segment was fetched: where no rate was stated, what is fetched tells it.

        Returns:
            Whether the rates of the presentation have changed.
        """
        rungs = self._learned.put_right(self._rungs, want, size_bytes, media_s)
        if rungs is None:
            return False
        self._rungs = rungs
        self._update_presentation()
        return True

    # --- a live stream -------------------------------------------------------------

    def ends_at_s(self, timeline: Timeline) -> float:
        """Where a track ends; inf while more may come."""
        return timeline.end_s if self.broadcast is None or timeline.is_ended else math.inf

    @property
    def edge_s(self) -> float:
        """Where what is known of the presentation ends."""
        return 0.0 if self.grid is None else self.grid.end_s

    def follows(self, url: str) -> bool:
        """Whether the playlist at ``url`` is asked for again and again."""
        return self.broadcast is not None and self.broadcast.follows(url)

    def newer(self, track: TrackName, rung: int, now_s: float) -> tuple[Want, ...]:
        """The playlist that must be asked for again now; nothing when it need or must not."""
        url = self.playlist_url(track, rung)
        if self.broadcast is None or not self.broadcast.is_due(url, now_s):
            return ()
        directives = self.broadcast.ask(url, now_s)
        return (replace(media_want(track, url, rung), directives=directives),)

    def may_tell(self, track: TrackName, rung: int, now_s: float) -> bool:
        """Whether the playlist of ``rung`` is not here yet, or a newer version may come soon."""
        url = self.playlist_url(track, rung)
        if self.broadcast is None or not self.broadcast.follows(url):
            return bool(url) and url not in self._timelines
        return self.broadcast.may_tell(url, now_s)

    def playlist_url(self, track: TrackName, rung: int) -> str:
        """The playlist of one track at one rung that is used now; empty when there is none."""
        place = self.place(rung)
        return (place.video_url if track == "video" else place.audio_url) or ""

    def lose(self, want: Want, start_s: float) -> None:
        """A segment of a live stream could be had nowhere, from ``start_s`` on."""
        assert self.broadcast is not None
        self.broadcast.lose(want, start_s)
        self._timelines = self.broadcast.timelines()

    def join_again(self, at_s: float, *, ahead_s: float, sound_from_s: float = -math.inf) -> bool:
        """Whether playback joined again at ``at_s``: see ``Broadcast.join_again``."""
        broadcast, told = self.broadcast, {"ahead_s": ahead_s, "sound_from_s": sound_from_s}
        if broadcast is None or not broadcast.join_again(at_s, **told):
            return False
        self._update_live(broadcast)
        return True

    def _update_live(self, broadcast: Broadcast) -> None:
        self._timelines = broadcast.timelines()
        self.notes += broadcast.notes
        broadcast.notes.clear()
        if broadcast.grid.segments:
            self.grid = broadcast.grid
            self._update_presentation()

    # --- segments ------------------------------------------------------------------

    def nearest_rungs(self, rung: int) -> list[int]:
        """``rung``, those below it downwards, those above it upwards.

        Those of which something could not be had come last, the one that has been left out for
        longest before the others.
        """
        order = (*range(rung, -1, -1), *range(rung + 1, len(self._rungs)))
        return sorted(order, key=lambda each: self.pathways.out_until_s(self.place(each)))

    def nearest_rung(self, rung: int) -> int:
        """The first of ``nearest_rungs``."""
        return self.nearest_rungs(rung)[0]

    def has_audio(self, rung: int) -> bool:
        """Whether ``rung`` has audio apart from its video."""
        return self._rungs[rung].places[0].audio_url is not None

    def heard_beside(self, rung: int) -> int:
        """``rung``, or the nearest whose audio can be had."""
        nearest = self.nearest_rungs(rung) if self.has_audio(rung) else [rung]
        return next((each for each in nearest if self.has_audio(each)), rung)

    def timeline(self, track: TrackName, rung: int) -> Timeline | None:
        """The segments of one track at one rung; None when they are not known (yet)."""
        url = self.playlist_url(track, rung)
        return self._timelines.get(url) if track == "audio" else self._video_at(url)

    @property
    def has_encrypted_samples(self) -> bool:
        """Whether pictures or sound are encrypted as samples, as far as playlists are here."""
        return any(timeline.has_encrypted_samples for timeline in self._timelines.values())

    # --- inside --------------------------------------------------------------------

    def _video_at(self, url: str) -> Timeline | None:
        if self.broadcast is not None:
            return self._timelines.get(url)
        if url in self._timelines and url not in self._on_grid and self.grid is not None:
            self._on_grid[url] = self._timelines[url].aligned_to(self.grid)
        return self._on_grid.get(url)

    def _first_rung(self) -> int:
        """The rung to begin with, or the nearest to it that can be had."""
        listed = next((n for n, rung in enumerate(self._rungs) if rung.is_first), 0)
        return self.nearest_rung(listed if self._begins_listed else 0)

    def _loaded_rungs(self) -> Iterator[tuple[int, Timeline]]:
        """What is known of rungs, from whichever of their places it came."""
        for number, rung in enumerate(self._rungs):
            urls = (place.video_url for place in (self.place(number), *rung.places))
            known = (each for url in urls if (each := self._video_at(url)) and each.segments)
            if timeline := next(known, None):
                yield number, timeline

    def _take_media(self, want: Want, playlist: MediaPlaylist, url: str, shown: str) -> None:
        if not playlist.endlist:
            self.notes.append(f"{shown}: no EXT-X-ENDLIST in a finished title; taken as finished")
        if playlist.skipped:
            raise PlaybackError("a delta update, which was not asked for; expected all segments")
        whole = timeline_of(replace(playlist, endlist=True), url=url)
        self._keep(want, whole, playlist.start or self._start)

    def _keep(self, want: Want, timeline: Timeline, start: Start | None = None) -> None:
        """A media playlist is here, for the first time or anew."""
        if want.track != "audio" and self.grid is None:
            self._begin_at(starting_s(timeline, start))
            self.grid = timeline.starting_at(self._begins_s)
        self._timelines[want.url] = timeline.starting_at(self._begins_s)
        self._on_grid.pop(want.url, None)
        self._update_presentation()

    def _begin_at(self, time_s: float) -> None:
        """What lies before ``time_s`` is not played, on any track."""
        self._begins_s = time_s
        if time_s > 0:
            known = self._timelines.items()
            self._timelines = {url: timeline.starting_at(time_s) for url, timeline in known}
            self.notes.append(f"begins at {time_s:g} s, as EXT-X-START says")

    def _update_presentation(self) -> None:
        first = self._first_rung()
        if self.grid is None:  # it may have come as the audio of another rung
            self.grid = self._timelines.get(self.playlist_url("video", first))
        audio = self.timeline("audio", first)
        is_first = self.presentation is None
        is_apart = bool(self.playlist_url("audio", first))  # at the place that is used now
        if self.grid is None or (is_first and audio is None and is_apart):
            return
        if self.given is not None:
            read = [rung for rung, _ in self._loaded_rungs()]
            self.presentation = presentation_known(self.given, read)
            return
        loaded = dict(self._loaded_rungs())
        if loaded:  # of a live stream the place of what is listed may be lost for a time
            self.presentation = presentation_from_playlists(
                self._rungs, loaded, audio, grid=self.grid, title=self._name
            )

    # --- a presentation given whole --------------------------------------------------

    def _take_given(self, given: Presentation, want: Want) -> tuple[Want, ...]:
        """A playlist of a given presentation has arrived; what it says is known."""
        if want.kind == "multivariant":
            self._rungs = given_rungs(given)
            return self.first_playlists()
        self._keep(want, given_timeline(given, AUDIO if want.track == "audio" else want.rung))
        return ()

    def _take_whole(self, given: Presentation) -> None:
        """Everything of a given presentation is known."""
        self._rungs = given_rungs(given)
        self._timelines = given_timelines(given)
        self.grid = self._timelines[self._rungs[0].places[0].video_url]
        self.presentation = given
