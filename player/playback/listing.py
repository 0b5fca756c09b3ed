"""One playlist of a live stream, and where what it lists lies on the media timeline.

Used by ``player.playback.broadcast``, which puts playlists beside each other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import accumulate

from player.playback.actions import TrackName
from player.playback.following import Follower, end_sequence
from player.playback.placing import renumbered_by
from player.playback.timeline import (
    LOOKUP_TOLERANCE_S,
    Timeline,
    nearest_s,
    snapped,
    timeline_of,
)
from transcode.playlist import MediaPlaylist


@dataclass(slots=True)
class Listing:
    """What one playlist lists."""

    track: TrackName
    url: str = field(repr=False)
    """Where it came from in the end."""
    follower: Follower = field(default_factory=Follower)
    starts_s: dict[int, float] = field(default_factory=dict, repr=False)
    """Of its segments, by media sequence number; empty while its place is not known."""
    timeline: Timeline | None = None
    """Of the same."""
    first_number: int = 0
    """Among all segments that it ever listed, the place of media sequence number 0."""
    count: int = 0
    """Which count its numbers belong to: servers may begin to count anew."""
    passed: float = -math.inf
    """The highest media sequence number of what playback has left behind."""

    @property
    def playlist(self) -> MediaPlaylist | None:
        """The newest version."""
        return self.follower.playlist

    def has_more_than(self, passed: float) -> bool:
        """Whether it lists something of a higher number."""
        listed = () if self.playlist is None else self.playlist.segments
        return any(each.sequence > passed and each.duration_s > 0 for each in listed)

    @property
    def goes_on_s(self) -> float:
        """Where the newest version begins, by what is known of the one before."""
        offset_s = 0.0
        for segment in () if self.playlist is None else self.playlist.segments:
            if segment.sequence in self.starts_s:
                return self.starts_s[segment.sequence] - offset_s
            offset_s += segment.duration_s
        # It begins where the version before ended, or behind what came and went unseen.
        return 0.0 if self.timeline is None else self.timeline.end_s + self.unseen_s

    @property
    def unseen_s(self) -> float:
        """About how long that was, at the usual length of segments."""
        segments = () if self.playlist is None else self.playlist.segments
        if not segments or not self.starts_s or self.timeline is None:
            return 0.0
        missed = segments[0].sequence - max(self.starts_s) - 1
        return max(missed, 0) * float(self.timeline.durations_s.mean())

    def put(self, start_s: float) -> None:
        """Its first segment begins at ``start_s``."""
        playlist = self.playlist
        assert playlist is not None
        starts = accumulate((s.duration_s for s in playlist.segments), initial=start_s)
        numbers = (segment.sequence for segment in playlist.segments)
        self.starts_s = dict(zip(numbers, starts, strict=False))
        if not playlist.duration_s > 0:
            self.timeline = None
            return
        first = self.first_number + playlist.media_sequence
        self.timeline = timeline_of(playlist, url=self.url, start_s=start_s, first_index=first)

    def move(self, by_s: float) -> None:
        """It lies later than was known."""
        if self.starts_s:
            self.put(next(iter(self.starts_s.values())) + by_s)

    def snap(self, grid: Timeline) -> None:
        """Set it on the boundaries of ``grid`` where they nearly are its own."""
        if self.timeline is None:
            return
        self.timeline = snapped(self.timeline, grid)
        self.starts_s = {n: nearest_s(grid, start_s) for n, start_s in self.starts_s.items()}

    def lose_place(self) -> None:
        """Where it lies is not known any more."""
        self.starts_s, self.timeline = {}, None

    def leave_behind(self, time_s: float) -> None:
        """What lies before ``time_s`` is not played any more, wherever it may be put later."""
        playlist = self.playlist
        if playlist is None:
            return
        for segment in playlist.segments:
            start_s = self.starts_s.get(segment.sequence, math.inf)
            if start_s + segment.duration_s <= time_s + LOOKUP_TOLERANCE_S:
                self.passed = max(self.passed, segment.sequence)

    def cannot_be_at(self, start_s: float, joined_s: float) -> bool:
        """Whether, put at ``start_s``, it would lie ahead with what was left behind, or before."""
        assert self.playlist is not None
        if self.timeline is not None:  # of the version before
            unseen_s = float(self.timeline.durations_s.min()) if self.unseen_s else 0.0
            if start_s < self.timeline.end_s + unseen_s - LOOKUP_TOLERANCE_S:
                return True
        segments = self.playlist.segments
        behind_s = sum(each.duration_s for each in segments if each.sequence <= self.passed)
        return behind_s > 0 and start_s + behind_s > joined_s + LOOKUP_TOLERANCE_S

    def count_anew(self, known: MediaPlaylist) -> bool:
        """Its numbers begin anew; whether files of the ``known`` version tell its place."""
        playlist = self.playlist
        assert playlist is not None
        lower_by = renumbered_by(known, playlist)
        if lower_by is None:
            self.first_number += end_sequence(known) - playlist.media_sequence
            self.passed = -math.inf
            self.lose_place()
            return False
        self.first_number += lower_by
        self.passed -= lower_by
        self.starts_s = {n - lower_by: start_s for n, start_s in self.starts_s.items()}
        return bool(self.starts_s)
