"""What one playback asks for next: for each segment what it still lacks, then the segment itself.

A rung that was chosen may lack its media playlist; that comes first, and the segment once it is
here. Initialisation section and keys are asked for together with the segment. In which order
segments come is decided in ``player.playback.agenda``, when there is room for them in
``player.playback.headroom``, which rung they are of by the algorithm (``player.playback.counsel``),
where they are had in ``player.playback.whereabouts``; here all of these are asked in turn. No
request is sent here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from abr.errors import PlaybackError
from player.config import PlayerConfig
from player.playback.actions import TrackName, Want
from player.playback.agenda import Agenda, Choice
from player.playback.counsel import Counsel
from player.playback.headroom import Headroom
from player.playback.progress import Progress
from player.playback.recorder import Recorder
from player.playback.reloading import Reloading
from player.playback.requests import INSTANT_S
from player.playback.source import Source
from player.playback.states import Playback
from player.playback.timeline import SegmentRef
from player.playback.tracks import LONG_TAIL_S
from player.playback.whereabouts import Whereabouts


class Planning:
    """Finds what is due, one want after another."""

    def __init__(
        self,
        config: PlayerConfig,
        *,
        source: Source,
        agenda: Agenda,
        headroom: Headroom,
        counsel: Counsel,
        whereabouts: Whereabouts,
        reloading: Reloading,
        progress: Progress,
        playback: Playback,
        recorder: Recorder,
    ) -> None:
        self._config = config
        self._source = source
        self._agenda = agenda
        self._headroom = headroom
        self._counsel = counsel
        self._whereabouts = whereabouts
        self._reloading = reloading
        self._progress = progress
        self._playback = playback
        self._recorder = recorder
        self._is_silence_told = False
        """Whether the log says that sound ends, since there was some."""

    def __repr__(self) -> str:
        return f"<Planning of {self._agenda!r}>"

    def due(self, now_s: float) -> Iterator[Want]:
        """What is to be asked for now; each before the next is looked for.

        All but segments only if it was not asked for before.

        Raises:
            PlaybackError: there is nothing to play.
        """
        if not self._agenda.has_begun:
            return
        yield from self._agenda.lacking()
        if not self._config.has_own_buffers:
            yield from self._due_audio(now_s)
        yield from self._due_video(now_s)
        yield from self._due_audio(now_s)

    def _due_audio(self, now_s: float) -> Iterator[Want]:
        while (rung := self._headroom.audio_rung(now_s)) is not None:
            playlist = self._source.playlist_for("audio", rung)
            if playlist is not None:
                yield playlist
                return
            ref = self._agenda.find("audio", rung)
            is_past = ref is not None and self._agenda.is_past_picture(ref)
            if ref is None or is_past:
                if is_past or not self._whereabouts.may_grow("audio", rung):  # it lists no more
                    self._end_sound(now_s)
                return
            from_s = self._agenda.sound_from_s(ref)
            if from_s > self._agenda.track("audio").fetched_s:
                if self._has_passed_hole(from_s, rung, now_s):
                    continue
                return
            if not self._headroom.is_audio_due(ref, self._playback, now_s):
                return
            if not ref.is_gap:
                self._is_silence_told = False
                yield from self._segment(ref, "audio", ref.index, rung)
                return
            self._skip(ref.end_s, "audio", rung, now_s)

    def _end_sound(self, now_s: float) -> None:
        """The sound is listed no further, whatever the picture does."""
        audio, video = self._agenda.track("audio"), self._agenda.track("video")
        is_live = self._source.broadcast is not None  # else it was told at the start
        is_long = video.end_s > audio.fetched_s + LONG_TAIL_S
        if is_live and is_long and not self._is_silence_told:
            self._is_silence_told = True
            self._recorder.add_note(
                f"no sound from {audio.fetched_s:g} s on: no playlist lists more of it", now_s
            )
        self._agenda.end_here("audio")
        self._progress.update(now_s)

    def _has_passed_hole(self, from_s: float, rung: int, now_s: float) -> bool:
        """Whether playback has gone on without the sound before ``from_s``, which has left."""
        agenda = self._agenda
        if self._joins_again(now_s, sound_from_s=from_s):
            return True
        end_s = min(from_s, agenda.track("video").fetched_s)
        if end_s <= agenda.track("audio").fetched_s:  # playback may yet join again there
            return False
        self._skip(end_s, "audio", rung, now_s, why="not listed any more")
        return True

    def _joins_again(self, now_s: float, *, sound_from_s: float = -math.inf) -> bool:
        """Whether a live stream left playback behind; not while a picture is under way."""
        if not self._headroom.is_free_for_video:
            return False
        has_joined = self._reloading.join_again(now_s, sound_from_s=sound_from_s)
        if has_joined:
            self._recorder.take_notes(self._source.notes, now_s)
        return has_joined

    def _due_video(self, now_s: float) -> Iterator[Want]:
        """The next video, if it is time to; what is there in name only is skipped."""
        while (choice := self._choice(now_s)) is not None:
            rung = self._whereabouts.rung_for_video(choice.rung, now_s)
            gap = self._whereabouts.gap_in_video(choice.rung) if rung is None else None
            if gap is not None:
                self._skip(gap[0].end_s, "video", gap[1], now_s)
                continue
            if rung is None:
                if self._source.broadcast is not None:  # a newer version of a playlist may tell
                    return
                raise PlaybackError(f"no rung has segment {self._agenda.next_segment}")
            yield from self._video(choice, rung, now_s)
            return

    def _choice(self, now_s: float) -> Choice | None:
        """What was chosen for the next video segment; None: it is not time to ask for it."""
        agenda, headroom = self._agenda, self._headroom
        self._joins_again(now_s)
        segment = agenda.next_segment
        if not headroom.is_free_for_video or segment is None:
            return None
        choice = agenda.choice
        if choice is None:
            if headroom.is_full(self._playback, now_s):
                return None
            choice = self._counsel.choose(segment, now_s)
            choice = agenda.replace_lower(choice, self._playback, now_s)
        if choice.not_before_s > now_s + INSTANT_S:
            return None
        if headroom.wait_for_choice_s(choice, self._playback, now_s) > INSTANT_S:
            return None
        return choice

    def _video(self, choice: Choice, rung: int, now_s: float) -> Iterator[Want]:
        """What ``rung``, which stands in for what was chosen, lacks; or the segment."""
        agenda = self._agenda
        playlist = self._source.playlist_for("video", rung)
        if playlist is not None:
            yield playlist
            return
        ref = agenda.find("video", rung)
        if ref is None:  # not in the version of its playlist that is here
            yield from self._source.newer("video", rung, now_s)
            return
        agenda.choice, agenda.asked_rung = None, rung
        yield from self._segment(ref, "video", choice.segment, rung)

    def _segment(
        self, ref: SegmentRef, track: TrackName, segment: int, rung: int
    ) -> Iterator[Want]:
        yield from self._agenda.needs(ref, track, rung)
        yield self._agenda.want(ref, track, segment, rung)

    def _skip(
        self, end_s: float, track: TrackName, rung: int, now_s: float, *, why: str = "EXT-X-GAP"
    ) -> None:
        """Do without a segment that is there in name only, or has left the list.

        Raises:
            PlaybackError: all are.
        """
        skipped = self._agenda.skip(end_s, track, rung)
        self._playback.skip(skipped)
        what = "sound" if track == "audio" else "picture"
        self._recorder.add_note(
            f"no {what} from {skipped.start_s:g} to {skipped.end_s:g} s: {why}", now_s
        )
        if self._agenda.is_all_asked and not self._agenda.has_media:
            raise PlaybackError("every segment is an EXT-X-GAP; nothing to play")
        self._progress.update(now_s)
