"""What is fetched next in one playback, and how far what is here can be played.

The order of segments and what a segment needs beside itself are decided here. When there is
room for it is not (``player.playback.headroom``), nor are asking the algorithm, sending requests
and what a failure means.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from abr.media import Presentation
from player.config import PlayerConfig
from player.playback.actions import Resource, TrackName, Want
from player.playback.room import REPLACED_FROM
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
        self.durations_s: list[float] = []
        """Of the segments of the presentation."""
        self.longest_s = 0.0
        self.video: Track | None = None
        """None before the presentation is known."""
        self.audio: Track | None = None
        """None also where no rung has audio apart from its video."""
        self._source = source
        self._config = config
        self._have: set[Resource] = set()
        self._needed: dict[tuple[TrackName, Resource], Want] = {}
        """What segments were found to need, as it is asked for."""

    def __repr__(self) -> str:
        tracks = ", ".join(f"{t.name} {t.fetched_s:.3f} of {t.end_s:.3f} s" for t in self.tracks())
        return f"<Agenda {tracks or 'not begun'}, {self.choice or 'no choice'}>"

    def begin(self, presentation: Presentation) -> None:
        """The presentation is known for the first time."""
        self.durations_s = presentation.durations_s.tolist()
        self.longest_s = max(self.durations_s)
        self.video = Track("video", self._source.ends_at_s(self._grid))
        rungs = range(presentation.rungs)
        if any(self._source.has_audio(rung) for rung in rungs):
            known = (self._source.timeline("audio", rung) for rung in rungs)
            ends_s = [self._source.ends_at_s(each) for each in known if each is not None]
            self.audio = Track("audio", ends_s[0] if ends_s else self.video.end_s)

    def grow(self, presentation: Presentation) -> None:
        """The presentation has become longer, has ended, or goes on in another way."""
        self.durations_s = presentation.durations_s.tolist()
        self.longest_s = max(self.durations_s)
        self.track("video").end_s = min(self._source.ends_at_s(self._grid), self.end_s)
        audio, video = self.audio, self.track("video")
        # Where the picture goes on after all, so may its sound.
        if audio is not None and (not audio.is_fetched or audio.end_s < video.end_s):
            timeline = self._source.timeline("audio", self.asked_rung)
            if timeline is not None and audio.is_fetched and video.ready_s > audio.fetched_s:
                audio.add(video.ready_s, frozenset(), self.asked_rung)  # played without sound
                audio.update(self._have)
            if timeline is not None:
                audio.end_s = max(audio.fetched_s, self._source.ends_at_s(timeline))
                audio.end_s = min(audio.end_s, self.end_s)

    @property
    def _grid(self) -> Timeline:
        assert self._source.grid is not None
        return self._source.grid

    @property
    def has_begun(self) -> bool:
        """Whether the tracks are known."""
        return self.video is not None

    def track(self, name: TrackName) -> Track:
        """A track that there is."""
        track = self.video if name == "video" else self.audio
        assert track is not None
        return track

    def tracks(self) -> list[Track]:
        """The tracks that there are."""
        return [track for track in (self.video, self.audio) if track is not None]

    def add(self, want: Want) -> None:
        """What was wanted is here: the next segment of a track, or what segments need."""
        if self.is_behind(want):
            self.track(want.track).mark(want.end_s, is_here=True)
        elif want.kind == "segment":
            self.has_media = True
            self.track(want.track).add(want.end_s, want.needs, want.rung)
            self._pass_audio_within_video()
            if self.next_segment is None and self._grid.is_ended:
                self.end_here("video")
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
        audio, video = self.audio, self.track("video")
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
        audio, video = self.audio, self.track("video")
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
        video, audio = self.video, self.audio
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

    def is_past_picture(self, ref: SegmentRef) -> bool:
        """Whether sound of a live stream begins only where its picture has ended.

        What was before it has left the window, and will not come any more.
        """
        is_live = self._source.broadcast is not None
        return is_live and ref.start_s + LOOKUP_TOLERANCE_S >= self.track("video").end_s

    @property
    def last_rung(self) -> int:
        """The rung of the newest video; -1 before the first."""
        return self.asked_rung if self.track("video").buffered_s > 0 else -1

    def replace_lower(self, choice: Choice, playback: Playback, now_s: float) -> Choice:
        """What is asked for in place of ``choice``, where a higher rung replaces lower ones."""
        video = self.track("video")
        if not self._config.fast_switch or choice.rung <= self.last_rung:
            return choice
        if self._source.broadcast is not None:  # what is behind may not be listed any more
            return choice
        from_s = playback.playhead_s(now_s) + REPLACED_FROM * self.durations_s[choice.segment]
        if from_s >= video.fetched_s or video.span_at(from_s).rung >= choice.rung:
            return choice
        video.replace_from(from_s)
        playback.take_back("video", video.fetched_s)
        segment = self.next_segment
        assert segment is not None
        self.choice = replace(choice, segment=segment)
        return self.choice

    def find(self, track: TrackName, rung: int) -> SegmentRef | None:
        """What is fetched next of ``track`` at ``rung``; None: it has nothing there."""
        timeline, from_s = self._source.timeline(track, rung), self.track(track).fetched_s
        index = None if timeline is None else timeline.index_at(from_s)
        if timeline is None or index is None:
            return None
        ref = timeline.segments[index]
        # A live window may have moved on: a picture that begins later is not what is due.
        is_later = track == "video" and ref.start_s > from_s + LOOKUP_TOLERANCE_S
        return None if is_later else ref

    @property
    def rung_beside_sound(self) -> int | None:
        """The rung of the picture beside the next sound; None: that picture is not here yet."""
        video, fetched_s = self.track("video"), self.track("audio").fetched_s
        # Sound that ends a little earlier than its picture is followed by that of the next.
        for time_s in (fetched_s + LOOKUP_TOLERANCE_S, fetched_s):
            if time_s < video.fetched_s:
                return video.span_at(time_s).rung
        return None

    def sound_from_s(self, ref: SegmentRef) -> float:
        """Where sound goes on with ``ref``, the next: later, where it is not listed any more."""
        broadcast, fetched_s = self._source.broadcast, self.track("audio").fetched_s
        if broadcast is None:
            return fetched_s
        from_s = max(ref.start_s, min(broadcast.joined_s, ref.end_s))
        return from_s if from_s > fetched_s + LOOKUP_TOLERANCE_S else fetched_s

    def skip(self, end_s: float, track: TrackName, rung: int) -> Skipped:
        """Do without the media of ``track`` up to ``end_s``, which must not be fetched."""
        here, start_s = self.track(track), self.track(track).fetched_s
        hidden = self.segments_until(end_s) if track == "video" else range(0)
        # What is heard goes on without a picture, but no picture without what is heard.
        is_heard_apart = self.audio is not None and self._source.has_audio(rung)
        is_hole = track == "audio" or not is_heard_apart
        here.add(end_s, frozenset(), rung)
        if track == "video":
            self.choice = None
            self._pass_audio_within_video()
            if self.next_segment is None and self._grid.is_ended:
                self.end_here("video")
        for each in self.tracks():
            each.update(self._have)
        return Skipped(track, start_s, end_s, hidden, is_hole)

    def needs(self, ref: SegmentRef, track: TrackName, rung: int) -> Iterator[Want]:
        """What must be here before ``ref`` can be played: keys, initialisation section."""
        # Sound belongs to a group; its playlist is that of the rung beside whose video it is.
        playlist = self._source.playlist_url(track, rung)
        for want in needs_of(ref, track, rung if track == "video" else -1, playlist=playlist):
            self._needed[track, want.resource] = want
            yield want

    def lacking(self) -> Iterator[Want]:
        """What segments wait for that are here, and are to be played.

        It may have been given up for other segments, of the other track or of another rung.
        """
        for track in self.tracks():
            for resource in track.lacking(self._have, until_s=self.end_s):
                yield self._needed[track.name, resource]

    def end_here(self, name: TrackName) -> None:
        """Nothing is listed behind what was fetched of a track."""
        track = self.track(name)
        track.end_s = min(track.fetched_s, self.end_s)

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
