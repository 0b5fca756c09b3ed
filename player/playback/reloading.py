"""Following a live stream: which playlists are asked for again, and what newer versions change.

Only those that are played from are followed: the picture's at the rung that was chosen last, and
the sound's beside it. A rung that is switched to is asked for when it is chosen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from abr.errors import PlaybackError
from player.config import PlayerConfig
from player.playback.actions import TrackName, Want
from player.playback.agenda import Agenda
from player.playback.recorder import Recorder
from player.playback.requests import INSTANT_S
from player.playback.source import Source
from player.playback.states import Playback

STALE_TARGETS = 3.0
"""A playlist may be without news for so many target durations, whatever the configuration."""


class Reloading:
    """The playlists that one playback follows."""

    def __init__(
        self,
        source: Source,
        agenda: Agenda,
        config: PlayerConfig,
        *,
        playback: Playback,
        recorder: Recorder,
    ) -> None:
        self._source = source
        self._agenda = agenda
        self._config = config
        self._playback = playback
        self._recorder = recorder
        self._told_edge_s = math.nan
        """The end of the stream that is in the log."""

    def __repr__(self) -> str:
        followed = ", ".join(track for track, _ in self._followed())
        return f"<Reloading of {followed or 'nothing'}>"

    def due(self, now_s: float) -> Iterator[Want]:
        """The playlists to ask for again now."""
        for track, rung in self._followed():
            yield from self._source.newer(track, rung, now_s)
            playlist = self._source.playlist_for(track, rung)
            if playlist is not None and self._is_out_of_choices:
                yield playlist

    def next_time_s(self, now_s: float) -> float:
        """When something is due here; inf: never."""
        broadcast = self._source.broadcast
        if broadcast is None:
            return math.inf
        times = []
        for track, rung in self._followed():
            url = self._source.playlist_url(track, rung)
            times += [broadcast.due_s(url), broadcast.hopes_until_s(url)]
            if self._is_waiting:
                times.append(self._stale_at_s(url))
        return min((time_s for time_s in times if time_s > now_s), default=math.inf)

    def check(self, now_s: float) -> None:
        """Give up what has had no news for too long while nothing plays.

        Raises:
            PlaybackError: it has.
        """
        if not self._is_waiting:
            return
        for track, rung in self._followed():
            stale_at_s = self._stale_at_s(self._source.playlist_url(track, rung))
            if stale_at_s <= now_s + INSTANT_S and self._is_missed(track, rung):
                raise PlaybackError(
                    f"the live stream brought nothing new for {self._limit_s:g} s; expected a "
                    f"segment every {self._target_s:g} s, or EXT-X-ENDLIST"
                )

    def miss(self, want: Want, why: str, now_s: float) -> None:
        """A newer version of a playlist could not be had: the one before holds."""
        if self._source.broadcast is not None:
            self._source.broadcast.fail(want.url, now_s)
        shown = self._recorder.shorten(want.url)
        self._recorder.add_note(f"{shown}: {why}; the version before holds", now_s)

    def max_buffer_s(self, now_s: float) -> float:
        """Most media ahead of the playhead: nobody can buffer what was not made yet."""
        if self._source.broadcast is None:
            return self._config.max_buffer_s
        ahead_s = self._source.edge_s - self._playback.playhead_s(now_s)
        return max(min(self._config.max_buffer_s, ahead_s), INSTANT_S)

    def grow(self, now_s: float) -> None:
        """What is known of the stream may have changed.

        Raises:
            PlaybackError: it has ended before there was something to play.
        """
        broadcast, presentation = self._source.broadcast, self._source.presentation
        if broadcast is None:
            return
        if presentation is None or not self._agenda.has_begun:
            urls = [self._source.playlist_url(*each) for each in self._followed()]
            if all(broadcast.has_ended(url) for url in urls):
                raise PlaybackError("the live stream has ended without a segment; nothing to play")
            return
        self._agenda.grow(presentation)
        self._playback.set_durations(presentation.durations_s.tolist())
        self._recorder.grow(presentation)
        edge_s = self._source.edge_s
        if edge_s != self._told_edge_s:
            self._told_edge_s = edge_s
            self._recorder.add_live(
                now_s=now_s,
                edge_s=edge_s,
                playhead_s=self._playback.playhead_s(now_s),
                hold_back_s=broadcast.hold_back_s,
                target_duration_s=broadcast.target_s,
            )

    def join_again(self, now_s: float, *, sound_from_s: float = -math.inf) -> bool:
        """Whether what is due is not to be had any more, so that playback joined again.

        ``sound_from_s``: there is no sound before.
        """
        fetched_s = shown_s = self._agenda.track("video").fetched_s
        if math.isfinite(sound_from_s):  # pictures without their sound are not shown
            shown_s = self._agenda.track("audio").fetched_s
        ahead_s = shown_s - self._playback.playhead_s(now_s)
        if not self._source.join_again(fetched_s, ahead_s=ahead_s, sound_from_s=sound_from_s):
            return False
        self._agenda.choice = None
        self._told_edge_s = math.nan
        self.grow(now_s)
        return True

    @property
    def have_all_ended(self) -> bool:
        """Whether no playlist of the pictures that is followed may bring more."""
        broadcast, rungs = self._source.broadcast, range(self._source.rungs)
        if broadcast is None:
            return False
        urls = (self._source.playlist_url("video", each) for each in rungs)
        return all(broadcast.has_ended(url) for url in urls if broadcast.follows(url))

    @property
    def _is_waiting(self) -> bool:
        return self._playback.state in ("startup", "stalled")

    def _followed(self) -> list[tuple[TrackName, int]]:
        """What is followed: track and rung."""
        if self._source.broadcast is None:
            return []
        agenda = self._agenda
        rung = agenda.asked_rung if agenda.choice is None else agenda.choice.rung
        nearest = self._source.nearest_rung(rung)
        if self._is_out_of_choices:
            nearest = self._growing_rung(rung, nearest)
        heard = nearest
        if agenda.audio is not None and (beside := agenda.rung_beside_sound) is not None:
            heard = self._source.heard_beside(beside)
        both: list[tuple[TrackName, int]] = [("video", nearest), ("audio", heard)]
        return [each for each in both if self._source.playlist_url(*each)]

    @property
    def _is_out_of_choices(self) -> bool:
        """Whether no segment is known to come next, so that none will be chosen."""
        return self._agenda.has_begun and self._agenda.next_segment is None

    def _growing_rung(self, rung: int, nearest: int) -> int:
        """The rung nearest to ``rung`` whose playlist may bring more; ``nearest`` if none may."""
        broadcast = self._source.broadcast
        assert broadcast is not None
        for each in self._source.nearest_rungs(rung):
            url = self._source.playlist_url("video", each)
            if broadcast.follows(url) and not broadcast.has_ended(url):
                return each
        return nearest

    def _is_missed(self, track: TrackName, rung: int) -> bool:
        """Whether there is nothing to fetch for a track."""
        agenda = self._agenda
        if not agenda.has_begun:
            return True
        state = agenda.track(track)
        return state.request_id is None and agenda.find(track, rung) is None

    def _stale_at_s(self, url: str) -> float:
        broadcast = self._source.broadcast
        return math.inf if broadcast is None else broadcast.changed_s(url) + self._limit_s

    @property
    def _target_s(self) -> float:
        broadcast = self._source.broadcast
        return 1.0 if broadcast is None else broadcast.target_s

    @property
    def _limit_s(self) -> float:
        return max(self._config.stale_limit_s, STALE_TARGETS * self._target_s)
