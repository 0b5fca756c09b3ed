"""What is fetched next in one playback, and when there is room for it.

The order of segments and tracks, room in the buffer, and what a segment needs beside
itself are decided here. Asking the algorithm, sending requests and what a failure means
are not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from abr.media import Presentation
from player.config import PlayerConfig
from player.playback.actions import Resource, TrackName, Want
from player.playback.requests import INSTANT_S
from player.playback.room import (
    REPLACED_FROM,
    Reached,
    goals_of,
    is_too_far,
    may_fetch_audio,
    sound_lasts_s,
    wait_to_lead_s,
)
from player.playback.source import Source
from player.playback.states import Playback, Skipped
from player.playback.timeline import LOOKUP_TOLERANCE_S, SegmentRef, Timeline
from player.playback.tracks import Track
from player.playback.wants import needs_of, segment_want

SAME_END_S = 0.05
"""Sound that ends so much before the picture ends with it: frames of both differ."""


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
        self.asked_rung = 0
        """The rung of the newest video that was asked for."""
        self.chosen_rung = 0
        """What it chose last, whatever stands in for it."""
        self.has_media = False
        """Whether any segment was fetched."""
        self.end_s = math.inf
        """Where what can be had ends, when that is not all."""
        self._source = source
        self._config = config
        self._durations_s: list[float] = []
        self._longest_s = 0.0
        self._video: Track | None = None
        self._audio: Track | None = None
        self._have: set[Resource] = set()
        self._full_since_s: float | None = None
        self._sound_bytes = self._sound_s = 0.0
        self._goals_s: list[float] = []
        """Most media to buffer by the rung asked for last, and before any; as ``goals_of``."""

    def __repr__(self) -> str:
        tracks = ", ".join(f"{t.name} {t.fetched_s:.3f} of {t.end_s:.3f} s" for t in self.tracks())
        return f"<Agenda {tracks or 'not begun'}, {self.choice or 'no choice'}>"

    def begin(self, presentation: Presentation) -> None:
        """The presentation is known for the first time."""
        self._durations_s = presentation.durations_s.tolist()
        self._longest_s = max(self._durations_s)
        peaks_bps, config = presentation.peaks_bps, self._config
        self._goals_s = goals_of(config, peaks_bps, presentation.duration_s).tolist()
        self._video = Track("video", self._source.ends_at_s(self._grid))
        rungs = range(presentation.rungs)
        if any(self._source.has_audio(rung) for rung in rungs):
            known = (self._source.timeline("audio", rung) for rung in rungs)
            ends_s = [self._source.ends_at_s(each) for each in known if each is not None]
            self._audio = Track("audio", ends_s[0] if ends_s else self._video.end_s)

    def grow(self, presentation: Presentation) -> None:
        """The presentation has become longer, has ended, or goes on in another way."""
        self._durations_s = presentation.durations_s.tolist()
        self._longest_s = max(self._durations_s)
        self.track("video").end_s = min(self._source.ends_at_s(self._grid), self.end_s)
        if self._audio is not None and not self._audio.is_fetched:
            timeline = self._source.timeline("audio", self.asked_rung)
            if timeline is not None:
                self._audio.end_s = min(self._source.ends_at_s(timeline), self.end_s)

    @property
    def _grid(self) -> Timeline:
        assert self._source.grid is not None
        return self._source.grid

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
        if self.is_behind(want):
            self.track(want.track).mark(want.end_s, is_here=True)
        elif want.kind == "segment":
            self.has_media = True
            self.track(want.track).add(want.end_s, want.needs, want.rung)
            self._pass_audio_within_video()
            if self.next_segment is None and self._grid.is_ended:
                self.track("video").end_here()
        else:
            self._have.add(want.resource)
        for track in self.tracks():
            track.update(self._have)

    def is_behind(self, want: Want) -> bool:
        """Whether it is a segment that was here before."""
        return want.kind == "segment" and want.end_s <= self.track(want.track).fetched_s

    def lacks(self, want: Want) -> bool:
        """Whether something is still to come without which nobody knows if ``want`` is of use."""
        if want.kind == "init":
            return want.key is not None and want.key.resource not in self._have
        return not want.needs <= self._have

    def take_back(self, want: Want) -> None:
        """What was here is of no use; nothing that needs it can be played until it comes again."""
        if want.kind == "segment":
            self.track(want.track).mark(want.end_s, is_here=False)
        else:
            self._have.discard(want.resource)

    def segments_until(self, end_s: float) -> range:
        """The presentation's segments that begin within the next video, which ends at ``end_s``."""
        fetched_s = self.track("video").fetched_s
        return range(self._grid.first_from(fetched_s), self._grid.first_from(end_s))

    def _pass_audio_within_video(self) -> None:
        """Where the video brings the sound with it, the audio track has nothing to fetch."""
        audio, video = self._audio, self.track("video")
        while audio is not None and audio.fetched_s < video.fetched_s:
            end_s, rung = video.span_at(audio.fetched_s)
            if self._source.has_audio(rung):
                return
            audio.add(end_s, frozenset(), rung)

    @property
    def next_segment(self) -> int | None:
        """The segment of the presentation that is fetched next; None past the end."""
        return self._grid.index_at(self.track("video").fetched_s)

    @property
    def ready_s(self) -> float:
        """Up to where all tracks can be played."""
        if self.is_all_playable:
            return min(self.track("video").ready_s, self.end_s)
        ready = [track.ready_s for track in self.tracks() if not track.is_playable]
        return min([self.track("video").ready_s, self.end_s, *ready])

    @property
    def sound_s(self) -> float:
        """Up to where there is sound; the end of the picture once nothing is left to fetch."""
        audio, video = self._audio, self.track("video")
        if audio is None or self.is_all_playable:
            return min(video.ready_s, self.end_s)
        if self._config.tracks != "paced" or video.is_playable:
            return audio.ready_s
        return audio.taken_s(video.ready_s, until_s=audio.ready_s)

    @property
    def picture_s(self) -> float:
        """Up to where there is a picture."""
        return min(self.track("video").ready_s, self.end_s)

    @property
    def is_all_playable(self) -> bool:
        """Whether nothing is left to fetch that is played beside a picture."""
        video, audio = self._video, self._audio
        if video is None or not video.is_playable:
            return False
        # Nobody waits at the end of the picture for the rest of the sound.
        end_s = min(video.ready_s, self.end_s)
        is_heard = audio is None or audio.ready_s >= end_s - SAME_END_S
        return is_heard or (audio is not None and audio.is_playable)

    @property
    def standing(self) -> str:
        """How far each track has come, for people."""
        if not self.has_begun:
            return "no playlist that can be had tells what to play"
        tracks = " and ".join(f"{t.name} from {t.fetched_s:.1f} s on" for t in self.tracks())
        return f"no playlist that can be had lists {tracks}"

    @property
    def is_all_asked(self) -> bool:
        """Whether no segment is left to ask for."""
        return self.has_begun and all(track.is_fetched for track in self.tracks())

    def audio_rung(self, now_s: float) -> int | None:
        """The rung beside whose video the next audio is played; None: not known yet, or no need."""
        audio, video = self._audio, self.track("video")
        if audio is None or audio.is_fetched or audio.request_id is not None:
            return None
        if audio.not_before_s > now_s + INSTANT_S:
            return None
        if video.request_id is not None and self._config.tracks == "in-turn":
            return None
        # Audio that ends a little earlier than its video is followed by that of the next video.
        for time_s in (audio.fetched_s + LOOKUP_TOLERANCE_S, audio.fetched_s):
            if time_s < video.fetched_s:
                return self._rung_for_audio(video.span_at(time_s).rung)
        is_asked = video.request_id is not None or video.is_fetched
        is_asked |= self._config.has_own_buffers
        return self._rung_for_audio(self.asked_rung) if is_asked else None

    def _rung_for_audio(self, rung: int) -> int:
        """``rung``, or the nearest whose audio can be had."""
        if not self._source.has_audio(rung):
            return rung
        return next(
            each for each in self._source.nearest_rungs(rung) if self._source.has_audio(each)
        )

    def is_past_picture(self, ref: SegmentRef) -> bool:
        """Whether sound of a live stream begins only where its picture has ended.

        What was before it has left the window, and will not come any more.
        """
        is_live = self._source.broadcast is not None
        return is_live and ref.start_s + LOOKUP_TOLERANCE_S >= self.track("video").end_s

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
            config.tracks, ref.start_s, ref.end_s, video=video, longest_s=self._longest_s
        ):
            return math.inf
        if not config.has_own_buffers:
            return 0.0
        audio = self.track("audio")
        is_held = audio.taken_s(video.fetched_s, until_s=audio.fetched_s) < audio.fetched_s
        if config.tracks == "paced" and is_held and not video.is_fetched:
            return math.inf
        return playback.wait_for_room_s(
            now_s,
            fetched_s=audio.fetched_s,
            next_s=0.0 if config.overshoot else ref.duration_s,
            max_buffer_s=self._goal_s(self._last_rung),
        )

    def _reached(self, name: TrackName) -> Reached:
        track, segment = self.track(name), self.next_segment
        asked_s = track.buffered_s
        if name == "video" and track.request_id is not None and segment is not None:
            asked_s += self._durations_s[segment]
        return Reached(track.buffered_s, asked_s, track.is_fetched)

    @property
    def is_free_for_video(self) -> bool:
        """Nothing stands in the way of the next video segment but room and time."""
        video, audio, tracks = self._video, self._audio, self._config.tracks
        if video is None or video.is_fetched or video.request_id is not None:
            return False
        if audio is None or tracks not in ("in-turn", "apart"):
            return True
        if tracks == "in-turn":
            return audio.request_id is None
        return not is_too_far(video.fetched_s, self._reached("audio"), self._longest_s)

    def next_time_s(self, playback: Playback, now_s: float) -> float:
        """When to plan again though nothing arrives; inf when only an arrival matters."""
        held_s = [t.not_before_s for t in self.tracks() if t.request_id is None]
        next_s = min((time_s for time_s in held_s if time_s > now_s), default=math.inf)
        if self._config.has_own_buffers:
            next_s = min(next_s, self._next_audio_s(playback, now_s))
        if not self.is_free_for_video or self.next_segment is None:
            return next_s
        if self.choice is None:
            return min(next_s, now_s + self.wait_for_room_s(playback, now_s))
        if self.choice.not_before_s > now_s:
            return min(next_s, self.choice.not_before_s)
        wait_s = self.wait_for_choice_s(self.choice, playback, now_s)
        return min(next_s, now_s + wait_s) if wait_s > INSTANT_S else next_s

    def _next_audio_s(self, playback: Playback, now_s: float) -> float:
        rung = self.audio_rung(now_s) if self.has_begun else None
        ref = None if rung is None else self.find("audio", rung)
        wait_s = 0.0 if ref is None else self._audio_wait_s(ref, playback, now_s)
        return now_s + wait_s if wait_s > INSTANT_S else math.inf

    @property
    def _last_rung(self) -> int:
        """The rung of the newest video; -1 before the first."""
        return self.asked_rung if self.track("video").buffered_s > 0 else -1

    def _goal_s(self, rung: int) -> float:
        goal_s = self._goals_s[rung] if self._goals_s else self._config.max_buffer_s
        if not (self._config.sound_quota_bytes and self._config.has_own_buffers):
            return goal_s
        quota_bytes = self._config.sound_quota_bytes
        return min(goal_s, sound_lasts_s(quota_bytes, self._sound_bytes, self._sound_s))

    def weigh(self, want: Want, size_bytes: float, media_s: float) -> None:
        """A segment was that large."""
        if want.track == "audio":
            self._sound_bytes += size_bytes
            self._sound_s += media_s

    def wait_for_choice_s(self, choice: Choice, playback: Playback, now_s: float) -> float:
        """Seconds until there is room for what was chosen, where that depends on the rung."""
        return self.wait_for_room_s(playback, now_s, choice.rung) if self._goals_s else 0.0

    def wait_for_room_s(self, playback: Playback, now_s: float, rung: int | None = None) -> float:
        """Seconds until the next video segment fits the buffer; 0 when it does, or must.

        How much that holds may go by the rung, of which the newest video is when None.
        """
        video, segment = self.track("video"), self.next_segment
        if segment is None:
            return 0.0
        return playback.wait_for_room_s(
            now_s,
            fetched_s=video.buffered_s,
            next_s=0.0 if self._config.overshoot else self._durations_s[segment],
            max_buffer_s=self._goal_s(self._last_rung if rung is None else rung),
        )

    def replace_lower(self, choice: Choice, playback: Playback, now_s: float) -> Choice:
        """What is asked for in place of ``choice``, where a higher rung replaces lower ones."""
        video = self.track("video")
        if not self._config.fast_switch or choice.rung <= self._last_rung:
            return choice
        if self._source.broadcast is not None:  # what is behind may not be listed any more
            return choice
        from_s = playback.playhead_s(now_s) + REPLACED_FROM * self._durations_s[choice.segment]
        if from_s >= video.fetched_s or video.span_at(from_s).rung >= choice.rung:
            return choice
        video.replace_from(from_s)
        segment = self.next_segment
        assert segment is not None
        self.choice = replace(choice, segment=segment)
        return self.choice

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

    def find(self, track: TrackName, rung: int) -> SegmentRef | None:
        """What is fetched next of ``track`` at ``rung``; None: it has nothing there."""
        timeline = self._source.timeline(track, rung)
        index = None if timeline is None else timeline.index_at(self.track(track).fetched_s)
        return None if timeline is None or index is None else timeline.segments[index]

    def skip(self, ref: SegmentRef, track: TrackName, rung: int) -> Skipped:
        """Do without the next segment of ``track``, which must not be fetched."""
        here, start_s = self.track(track), self.track(track).fetched_s
        hidden = self.segments_until(ref.end_s) if track == "video" else range(0)
        # What is heard goes on without a picture, but no picture without what is heard.
        is_heard_apart = self._audio is not None and self._source.has_audio(rung)
        is_hole = track == "audio" or not is_heard_apart
        here.add(ref.end_s, frozenset(), rung)
        if track == "video":
            self.choice = None
            self._pass_audio_within_video()
            if self.next_segment is None and self._grid.is_ended:
                here.end_here()
        for each in self.tracks():
            each.update(self._have)
        return Skipped(start_s, ref.end_s, hidden, is_hole)

    def needs(self, ref: SegmentRef, track: TrackName, rung: int) -> Iterator[Want]:
        """What must be here before ``ref`` can be played: keys, initialisation section."""
        # Sound belongs to a group; its playlist is that of the rung beside whose video it is.
        playlist = self._source.playlist_url(track, rung)
        return needs_of(ref, track, rung if track == "video" else -1, playlist=playlist)

    def want(self, ref: SegmentRef, track: TrackName, segment: int, rung: int) -> Want:
        """The segment itself."""
        playlist = self._source.playlist_url(track, rung)
        shown = rung if track == "video" else -1
        return segment_want(ref, track, segment, shown, playlist=playlist)

    def end_at(self, time_s: float) -> None:
        """Nothing from ``time_s`` on can be had."""
        self.end_s = min(self.end_s, time_s)
        self.choice = None
        for track in self.tracks():
            track.end_s = min(track.end_s, self.end_s)
            if track.is_fetched:  # or the other track would wait for its turn for ever
                track.request_id = None
