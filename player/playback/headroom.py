"""When the next segment of each track may be asked for, as buffers and the other track go.

The rules of players are pure functions in ``player.playback.room``; here they are applied to one
playback. What the next segment is, is not decided here (``player.playback.agenda``), nor which
rung it is of.
"""

from __future__ import annotations

import math

from abr.media import Presentation
from player.config import PlayerConfig
from player.playback.actions import TrackName, Want
from player.playback.agenda import Agenda, Choice
from player.playback.requests import INSTANT_S
from player.playback.room import (
    Reached,
    goals_of,
    is_too_far,
    may_fetch_audio,
    sound_lasts_s,
    wait_to_lead_s,
)
from player.playback.source import Source
from player.playback.states import Playback
from player.playback.timeline import SegmentRef


class Headroom:
    """Room in the buffers of one playback, and how far its tracks may run ahead of each other."""

    def __init__(self, source: Source, agenda: Agenda, config: PlayerConfig) -> None:
        self._source = source
        self._agenda = agenda
        self._config = config
        self._full_since_s: float | None = None
        self._sound_bytes = self._sound_s = 0.0
        self._goals_s: list[float] = []
        """Most media to buffer by the rung asked for last, and before any; as ``goals_of``."""

    def __repr__(self) -> str:
        full = "" if self._full_since_s is None else f", full since {self._full_since_s:.3f} s"
        return f"<Headroom of {self._agenda!r}{full}>"

    def begin(self, presentation: Presentation) -> None:
        """The presentation is known for the first time."""
        peaks_bps, config = presentation.peaks_bps, self._config
        self._goals_s = goals_of(config, peaks_bps, presentation.duration_s).tolist()

    def weigh(self, want: Want, size_bytes: float, media_s: float) -> None:
        """A segment was that large."""
        if want.track == "audio":
            self._sound_bytes += size_bytes
            self._sound_s += media_s

    def audio_rung(self, now_s: float) -> int | None:
        """The rung beside whose video the next audio is played; None: not known yet, or no need."""
        audio, video = self._agenda.audio, self._agenda.track("video")
        if audio is None or audio.is_fetched or audio.request_id is not None:
            return None
        if audio.not_before_s > now_s + INSTANT_S:
            return None
        if video.request_id is not None and self._config.tracks == "in-turn":
            return None
        beside = self._agenda.rung_beside_sound
        if beside is not None:
            return self._source.heard_beside(beside)
        is_asked = video.request_id is not None or video.is_fetched
        is_asked |= self._config.has_own_buffers
        return self._source.heard_beside(self._agenda.asked_rung) if is_asked else None

    def is_audio_due(self, ref: SegmentRef, playback: Playback, now_s: float) -> bool:
        """Whether the next audio may be asked for, as the video beside it and its buffer go."""
        return self._audio_wait_s(ref, playback, now_s) <= INSTANT_S

    def _audio_wait_s(self, ref: SegmentRef, playback: Playback, now_s: float) -> float:
        """Seconds until the next audio may be asked for; inf when only an arrival matters."""
        config, video = self._config, self._reached("video")
        if config.tracks == "led" and not video.is_fetched:
            return wait_to_lead_s(
                ref.start_s,
                ref.duration_s,
                video_s=video.fetched_s,
                playhead_s=playback.playhead_s(now_s),
                is_playing=playback.state == "playing",
            )
        if not may_fetch_audio(
            config.tracks, ref.start_s, ref.end_s, video=video, longest_s=self._agenda.longest_s
        ):
            return math.inf
        if not config.has_own_buffers:
            return 0.0
        audio = self._agenda.track("audio")
        is_held = audio.taken_s(video.fetched_s, until_s=audio.fetched_s) < audio.fetched_s
        if config.tracks == "paced" and is_held and not video.is_fetched:
            return math.inf
        return playback.wait_for_room_s(
            now_s,
            fetched_s=audio.fetched_s,
            next_s=0.0 if config.overshoot else ref.duration_s,
            max_buffer_s=self._goal_s(self._agenda.last_rung),
        )

    @property
    def is_free_for_video(self) -> bool:
        """Nothing stands in the way of the next video segment but room and time."""
        video, audio, tracks = self._agenda.video, self._agenda.audio, self._config.tracks
        if video is None or video.is_fetched or video.request_id is not None:
            return False
        if audio is None or tracks not in ("in-turn", "apart"):
            return True
        if tracks == "in-turn":
            return audio.request_id is None
        return not is_too_far(video.fetched_s, self._reached("audio"), self._agenda.longest_s)

    def _reached(self, name: TrackName) -> Reached:
        track, segment = self._agenda.track(name), self._agenda.next_segment
        asked_s = track.buffered_s
        if name == "video" and track.request_id is not None and segment is not None:
            asked_s += self._agenda.durations_s[segment]
        return Reached(track.buffered_s, asked_s, track.is_fetched)

    def next_time_s(self, playback: Playback, now_s: float) -> float:
        """When to plan again though nothing arrives; inf when only an arrival matters."""
        held_s = [t.not_before_s for t in self._agenda.tracks() if t.request_id is None]
        next_s = min((time_s for time_s in held_s if time_s > now_s), default=math.inf)
        if self._config.has_own_buffers:
            next_s = min(next_s, self._next_audio_s(playback, now_s))
        if not self.is_free_for_video or self._agenda.next_segment is None:
            return next_s
        if self._agenda.choice is None:
            return min(next_s, now_s + self.wait_for_room_s(playback, now_s))
        if self._agenda.choice.not_before_s > now_s:
            return min(next_s, self._agenda.choice.not_before_s)
        wait_s = self.wait_for_choice_s(self._agenda.choice, playback, now_s)
        return min(next_s, now_s + wait_s) if wait_s > INSTANT_S else next_s

    def _next_audio_s(self, playback: Playback, now_s: float) -> float:
        rung = self.audio_rung(now_s) if self._agenda.has_begun else None
        ref = None if rung is None else self._agenda.find("audio", rung)
        wait_s = 0.0 if ref is None else self._audio_wait_s(ref, playback, now_s)
        return now_s + wait_s if wait_s > INSTANT_S else math.inf

    def wait_for_choice_s(self, choice: Choice, playback: Playback, now_s: float) -> float:
        """Seconds until there is room for what was chosen, where that depends on the rung."""
        return self.wait_for_room_s(playback, now_s, choice.rung) if self._goals_s else 0.0

    def wait_for_room_s(self, playback: Playback, now_s: float, rung: int | None = None) -> float:
        """Seconds until the next video segment fits the buffer; 0 when it does, or must.

        How much that holds may go by the rung, of which the newest video is when None.
        """
        video, segment = self._agenda.track("video"), self._agenda.next_segment
        if segment is None:
            return 0.0
        return playback.wait_for_room_s(
            now_s,
            fetched_s=video.buffered_s,
            next_s=0.0 if self._config.overshoot else self._agenda.durations_s[segment],
            max_buffer_s=self._goal_s(self._agenda.last_rung if rung is None else rung),
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

    def _goal_s(self, rung: int) -> float:
        goal_s = self._goals_s[rung] if self._goals_s else self._config.max_buffer_s
        if not (self._config.sound_quota_bytes and self._config.has_own_buffers):
            return goal_s
        quota_bytes = self._config.sound_quota_bytes
        return min(goal_s, sound_lasts_s(quota_bytes, self._sound_bytes, self._sound_s))
