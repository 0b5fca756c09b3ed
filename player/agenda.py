"""What is fetched next in one playback, and when there is room for it.

Rules of residence: the order of segments and tracks, room in the buffer, and what a
segment needs beside itself are decided here. Asking the algorithm, sending requests and
what a failure means are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from abr.media import Presentation
from player.actions import KeyUse, TrackName, Want
from player.config import PlayerConfig
from player.playback import Playback
from player.requests import INSTANT_S
from player.title import Title
from player.tracks import Track


@dataclass(slots=True)
class Choice:
    """The rung of the next video segment, and when it may be asked for."""

    segment: int
    rung: int
    not_before_s: float


class Agenda:
    """The tracks of a playback and what they lack."""

    def __init__(self, title: Title, config: PlayerConfig) -> None:
        self.choice: Choice | None = None
        """What the algorithm chose, until it is asked for."""
        self._title = title
        self._config = config
        self._durations_s: list[float] = []
        self._video: Track | None = None
        self._audio: Track | None = None
        self._full_since_s: float | None = None

    def begin(self, presentation: Presentation) -> None:
        """The presentation is known for the first time."""
        self._durations_s = presentation.durations_s.tolist()
        self._video = Track("video", presentation.segments)
        self._audio = Track("audio", len(self._title.audio)) if self._title.audio else None

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
        ref = self._title.segment("audio", audio.next, -1)
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

    def waited_s(self, now_s: float) -> float:
        """How long the buffer was full until now; asking forgets it."""
        since_s, self._full_since_s = self._full_since_s, None
        return 0.0 if since_s is None else now_s - since_s

    def needs(self, track: TrackName, segment: int, rung: int) -> Iterator[Want]:
        """What must be here before a segment can be opened: keys, initialisation."""
        ref = self._title.segment(track, segment, rung)
        init = ref.init
        keys: list[KeyUse | None] = [init.key if init else None, ref.key]
        for key in keys:
            if key is not None:
                yield Want(kind="key", url=key.url, track=track, rung=rung)
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
        ref = self._title.segment(track, segment, rung)
        return Want(
            kind="segment",
            url=ref.url,
            byte_range=ref.byte_range,
            track=track,
            segment=segment,
            rung=rung,
            key=ref.key,
        )
