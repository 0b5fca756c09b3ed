"""What is fetched next in one playback, and when there is room for it.

The order of segments and tracks, room in the buffer, and what a segment needs beside
itself are decided here. Asking the algorithm, sending requests and what a failure means
are not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from abr.media import Presentation
from player.config import PlayerConfig
from player.playback.actions import KeyUse, Resource, TrackName, Want
from player.playback.requests import INSTANT_S
from player.playback.source import Source
from player.playback.states import Playback
from player.playback.tracks import Track


@dataclass(slots=True)
class Choice:
    """The rung of the next video segment, and when it may be asked for."""

    segment: int
    rung: int
    not_before_s: float


class Agenda:
    """The tracks of a playback and what they lack."""

    def __init__(self, source: Source, config: PlayerConfig) -> None:
        self.choice: Choice | None = None
        """What the algorithm chose, until it is asked for."""
        self._source = source
        self._config = config
        self._durations_s: list[float] = []
        self._ends_s: list[float] = []
        self._video: Track | None = None
        self._audio: Track | None = None
        self._have: set[Resource] = set()
        self._full_since_s: float | None = None

    def __repr__(self) -> str:
        tracks = ", ".join(f"{t.name} {t.next} of {t.count}" for t in self.tracks())
        return f"<Agenda {tracks or 'not begun'}, {self.choice or 'no choice'}>"

    def begin(self, presentation: Presentation) -> None:
        """The presentation is known for the first time."""
        self._durations_s = presentation.durations_s.tolist()
        self._ends_s = list(accumulate(self._durations_s))
        self._video = Track("video", presentation.segments)
        self._audio = Track("audio", len(self._source.audio)) if self._source.audio else None

    @property
    def has_begun(self) -> bool:
        """Whether the tracks are known."""
        return self._video is not None

    def track(self, name: TrackName) -> Track:
        """A track that there is."""
        track = self._video if name == "video" else self._audio
        assert track is not None
        return track

    def tracks(self) -> list[Track]:
        """The tracks that there are."""
        return [track for track in (self._video, self._audio) if track is not None]

    def add(self, want: Want) -> None:
        """What was wanted is here: the next segment of a track, or what segments need."""
        if want.kind == "segment":
            # Lengths of two rungs may differ by some milliseconds each, and over many
            # segments their ends would drift apart: all follow the presentation's.
            ref = self._source.segment(want.track, want.segment, want.rung)
            end_s = self._ends_s[want.segment] if want.track == "video" else ref.end_s
            needs = {need.resource for need in self.needs(want.track, want.segment, want.rung)}
            self.track(want.track).add(end_s, needs)
        else:
            self._have.add(want.resource)
        for track in self.tracks():
            track.update(self._have)

    @property
    def ready_s(self) -> float:
        """Up to where all tracks can be played."""
        ready = [track.ready_s for track in self.tracks() if not track.is_playable]
        return min([self.track("video").ready_s, *ready])

    @property
    def is_all_playable(self) -> bool:
        """Whether nothing is left to fetch."""
        return self.has_begun and all(track.is_playable for track in self.tracks())

    def audio_due(self) -> int | None:
        """The next audio segment, once its video is here, or (together) asked for."""
        audio, video = self._audio, self.track("video")
        if audio is None or audio.is_fetched or audio.request_id is not None:
            return None
        limit_s = video.fetched_s
        if video.request_id is not None:
            if self._config.tracks == "in-turn":
                return None
            limit_s += self._durations_s[video.next]
        ref = self._source.segment("audio", audio.next, -1)
        # The middle, because boundaries of audio and video differ by part of a frame.
        is_due = (ref.start_s + ref.end_s) / 2 < limit_s or video.is_fetched
        return audio.next if is_due else None

    @property
    def is_free_for_video(self) -> bool:
        """Nothing stands in the way of the next video segment but room and time."""
        video, audio = self._video, self._audio
        if video is None or video.is_fetched or video.request_id is not None:
            return False
        in_turn = self._config.tracks == "in-turn"
        return not (in_turn and audio is not None and audio.request_id is not None)

    def next_time_s(self, playback: Playback, now_s: float) -> float:
        """When to plan again though nothing arrives; inf when only an arrival matters."""
        if not self.is_free_for_video:
            return math.inf
        if self.choice is None:
            return now_s + self.wait_for_room_s(playback, now_s)
        return self.choice.not_before_s if self.choice.not_before_s > now_s else math.inf

    def wait_for_room_s(self, playback: Playback, now_s: float) -> float:
        """Seconds until the next video segment fits the buffer; 0 when it does, or must."""
        video = self.track("video")
        return playback.wait_for_room_s(
            now_s,
            fetched_s=video.fetched_s,
            next_s=self._durations_s[video.next],
            max_buffer_s=self._config.max_buffer_s,
        )

    def is_full(self, playback: Playback, now_s: float) -> bool:
        """Whether the next video segment must wait for room; from when on is remembered."""
        is_full = self.wait_for_room_s(playback, now_s) > INSTANT_S
        if is_full and self._full_since_s is None:
            self._full_since_s = now_s
        return is_full

    def take_waited_s(self, now_s: float) -> float:
        """How long the buffer was full until now; asking forgets it."""
        since_s, self._full_since_s = self._full_since_s, None
        return 0.0 if since_s is None else now_s - since_s

    def needs(self, track: TrackName, segment: int, rung: int) -> Iterator[Want]:
        """What must be here before a segment can be played: keys, initialisation section."""
        ref = self._source.segment(track, segment, rung)
        init = ref.init
        keys: list[KeyUse | None] = [init.key if init else None, ref.key]
        for key in keys:
            if key is not None:
                kind, url, _, kid = key.resource
                yield Want(kind=kind, url=url, track=track, rung=rung, kid=kid)
        if init is not None:
            yield Want(
                kind="init",
                url=init.url,
                byte_range=init.byte_range,
                track=track,
                rung=rung,
                key=init.key,
            )

    def want(self, track: TrackName, segment: int, rung: int) -> Want:
        """The segment itself."""
        ref = self._source.segment(track, segment, rung)
        return Want(
            kind="segment",
            url=ref.url,
            byte_range=ref.byte_range,
            track=track,
            segment=segment,
            rung=rung,
            key=ref.key,
            init=Resource("init", ref.init.url, ref.init.byte_range) if ref.init else None,
        )
