"""One playback as it is logged: its states, pauses, and what was shown when.

``player.playback.playhead`` computes; what happened is told here, in order, as changes of state
and segments shown. Like it, this module knows nothing of HTTP, playlists or algorithms,
and never reads a clock: callers pass ``now_s``, seconds since play was asked, never
decreasing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, NamedTuple, get_args

from player.playback import playhead
from player.playback.actions import TrackName
from player.playback.playhead import Playhead, Thresholds
from player.playback.requests import INSTANT_S

State = Literal["startup", "playing", "stalled", "paused", "ended"]

STATES: tuple[State, ...] = get_args(State)
"""By the number that ``player.playback.playhead.Playhead.state`` holds."""

TRANSITIONS: dict[tuple[State, str], State] = {
    ("startup", "media ready"): "playing",
    ("playing", "media ran out"): "stalled",
    ("stalled", "media ready"): "playing",
    ("playing", "end of media"): "ended",
    ("playing", "paused by viewer"): "paused",
    ("stalled", "paused by viewer"): "paused",
    ("paused", "resumed by viewer"): "stalled",
    ("startup", "stopped"): "ended",
    ("playing", "stopped"): "ended",
    ("stalled", "stopped"): "ended",
    ("paused", "stopped"): "ended",
}
"""(state, cause) -> next state. A resumed playback with media goes on to playing at
the same instant, so it counts no stall. The diagram in the documentation is drawn
from this table."""


@dataclass(frozen=True, slots=True)
class StateChange:
    """Playback went from one state to another."""

    time_s: float
    before: State
    after: State
    cause: str


@dataclass(frozen=True, slots=True)
class SegmentStart:
    """The first frame of a segment was shown."""

    time_s: float
    segment: int


class Skipped(NamedTuple):
    """Media of a track that nobody has."""

    track: TrackName
    start_s: float
    end_s: float
    segments: range
    """Those that are not shown."""
    is_hole: bool
    """Nothing is played there; else what is heard goes on without a picture."""


class Playback:
    """The playhead of one session."""

    def __init__(self, thresholds: Thresholds | None = None, *, grace_s: float = 0.0) -> None:
        """``grace_s``: for so long sound plays on without a picture."""
        self._thresholds = thresholds or Thresholds()
        self._head = playhead.initial_playhead(self._thresholds)
        self._is_complete = False
        self._grace_s = grace_s
        self._sound_s = 0.0
        self._picture_s: float | None = None
        """None: both end together."""
        self._now_s = 0.0
        self._starts: list[float] = []
        self._shown = -1
        self._skips: list[Skipped] = []
        self._holes: list[tuple[float, float]] = []
        """Of the media timeline, in order and apart: they take no time to play."""
        self._hidden: set[int] = set()
        """Segments without a picture."""

    def __repr__(self) -> str:
        return (
            f"<Playback {self.state} at {self.playhead_s(self._now_s):.3f} s, "
            f"buffer {self.buffer_s(self._now_s):.3f} s>"
        )

    @property
    def state(self) -> State:
        """What playback is doing."""
        return STATES[self._head.state]

    def set_durations(self, durations_s: Sequence[float]) -> None:
        """Tell where segments begin on the media timeline.

        Before media arrives, and again when a live stream goes on; what was fetched stays.
        """
        self._starts = [0.0, *accumulate(durations_s)]

    def skip(self, skipped: Skipped) -> None:
        """Some media ahead are not to be had; where nothing is heard playback jumps over them."""
        self._skips.append(skipped)
        self._find_holes()

    def take_back(self, track: TrackName, time_s: float) -> None:
        """A track is fetched anew from ``time_s`` on, so that what was skipped there may be had."""
        self._skips = [each for each in self._skips if each.track != track or each.end_s <= time_s]
        self._find_holes()

    def _find_holes(self) -> None:
        self._hidden = set[int]().union(*(each.segments for each in self._skips))
        self._holes = []
        for skipped in sorted((each for each in self._skips if each.is_hole), key=_start_s):
            start_s, end_s = skipped.start_s, skipped.end_s
            if self._holes and start_s <= self._holes[-1][1]:  # of both tracks
                before_s, until_s = self._holes.pop()
                start_s, end_s = before_s, max(until_s, end_s)
            self._holes.append((start_s, end_s))

    def _played_s(self, media_s: float) -> float:
        """How long it takes to play the media up to ``media_s``: less by its holes."""
        skipped_s = (min(end_s, media_s) - start_s for start_s, end_s in self._holes)
        return media_s - sum(each_s for each_s in skipped_s if each_s > 0)

    def _media_s(self, played_s: float) -> float:
        """Where on the media timeline playback is after ``played_s`` of media."""
        media_s = played_s
        for start_s, end_s in self._holes:
            if media_s >= start_s:
                media_s += end_s - start_s
        return media_s

    def need_at_least(self, least_s: float) -> None:
        """To start or resume needs at least so much; told before media arrive."""
        self._thresholds = playhead.at_least(self._thresholds, least_s)
        self._head = self._head._replace(resume_s=self._thresholds.resume_s)

    def playhead_s(self, now_s: float) -> float:
        """Media time on screen."""
        return self._media_s(playhead.playhead_s(self._head, now_s))

    def buffer_s(self, now_s: float) -> float:
        """Media seconds ready ahead of the playhead; of the picture, if that ends apart."""
        if self._picture_s is not None:
            return max(self._picture_s - playhead.playhead_s(self._head, now_s), 0.0)
        return playhead.buffer_s(self._head, now_s)

    def wait_for_room_s(
        self, now_s: float, *, fetched_s: float, next_s: float, max_buffer_s: float
    ) -> float:
        """Seconds until ``next_s`` more media fit; see ``playhead.wait_for_room_s``."""
        played_s = self._played_s(fetched_s)
        return playhead.wait_for_room_s(self._head, now_s, played_s, next_s, max_buffer_s)

    def next_change_s(self) -> float:
        """When the state will change if nothing arrives; inf when it will not."""
        return playhead.next_change_s(self._head)

    def advance(self, now_s: float) -> list[StateChange | SegmentStart]:
        """Move time on and return what happened up to ``now_s``, in order.

        Raises:
            ValueError: time went back.
        """
        if now_s < self._now_s:
            raise ValueError(f"time went back from {self._now_s} s to {now_s} s")
        happened: list[StateChange | SegmentStart] = []
        if self._head.begin_at_s <= now_s:
            happened.append(self._enter(playhead.begin(self._head), "media ready"))
        if self._head.state == playhead.PLAYING:
            happened.extend(self._segments_shown(now_s))
            if playhead.runs_out_s(self._head) <= now_s:
                cause = "end of media" if self._is_complete else "media ran out"
                happened.append(self._enter(self._run_out(), cause))
        self._now_s = now_s
        return happened

    def media_ready(
        self,
        ready_s: float,
        *,
        complete: bool,
        now_s: float,
        picture_s: float | None = None,
    ) -> list[StateChange | SegmentStart]:
        """Media is playable up to ``ready_s`` of the timeline; ``complete`` when that is all.

        With ``picture_s``, that is the sound, and the picture ends there. Call
        ``advance(now_s)`` first; the changes returned happened at ``now_s``.
        """
        self._is_complete = complete
        self._sound_s = self._played_s(ready_s)
        self._picture_s = None if picture_s is None else self._played_s(picture_s)
        self._add(now_s)
        return self.advance(now_s)

    def _add(self, now_s: float) -> None:
        """What is ready, to the playhead."""
        sound_s = self._sound_s
        picture_s = sound_s if self._picture_s is None else self._picture_s
        ready_s, counted_s = min(sound_s, picture_s + self._grace_s), min(sound_s, picture_s)
        if self._grace_s > 0:
            counted_s = playhead.counted_s(self._head, sound_s, picture_s)
        self._head = playhead.add_media(
            self._head, ready_s, counted_s, self._is_complete, now_s, self._thresholds
        )

    def _run_out(self) -> Playhead:
        """The end, or a stall, after which more is needed if it was the sound that ran out."""
        thresholds = self._thresholds
        if self._sound_s > self._head.ready_s:
            thresholds = thresholds._replace(resume_growth=1.0)
        return playhead.run_out(self._head, self._is_complete, thresholds)

    def pause(self, now_s: float) -> list[StateChange | SegmentStart]:
        """The viewer pauses; nothing happens in startup or when already paused."""
        if self.state not in ("playing", "stalled"):
            return []
        return [self._stand_still(playhead.PAUSED, now_s, "paused by viewer")]

    def resume(self, now_s: float) -> list[StateChange | SegmentStart]:
        """The viewer resumes; stalled at once when there is nothing to play."""
        if self.state != "paused":
            return []
        resumed = self._stand_still(playhead.STALLED, now_s, "resumed by viewer")
        self._add(now_s)
        return [resumed, *self.advance(now_s)]

    def stop(self, now_s: float) -> list[StateChange | SegmentStart]:
        """The session ends here."""
        if self.state == "ended":
            return []
        return [self._stand_still(playhead.ENDED, now_s, "stopped")]

    def _stand_still(self, state: int, now_s: float, cause: str) -> StateChange:
        return self._enter(playhead.stand_still(self._head, state, now_s), cause)

    def _enter(self, head: playhead.Playhead, cause: str) -> StateChange:
        before, self._head = self.state, head
        assert self.state == TRANSITIONS[before, cause]
        return StateChange(head.since_s, before, self.state, cause)

    def _is_hidden(self, segment: int) -> bool:
        start_s = self._starts[segment]
        return segment in self._hidden or any(a <= start_s < b for a, b in self._holes)

    def _segments_shown(self, now_s: float) -> list[StateChange | SegmentStart]:
        """Segments whose first frame is reached by ``now_s`` with media behind it."""
        shown: list[StateChange | SegmentStart] = []
        while self._shown + 2 < len(self._starts):
            # Compared as the time that is logged: as media time it could round past now_s.
            if self._is_hidden(self._shown + 1):
                self._shown += 1
                continue
            start_s = self._played_s(self._starts[self._shown + 1])
            if start_s > self._head.ready_s - INSTANT_S:
                break  # by the rounding of added lengths it may lie before what is ready
            shown_at_s = playhead.shown_at_s(self._head, start_s)
            if shown_at_s > now_s:
                break
            if self._picture_s is not None:
                if start_s >= self._picture_s:  # only its sound is heard
                    break
                shown_at_s = max(shown_at_s, self._now_s)
            self._shown += 1
            shown.append(SegmentStart(shown_at_s, self._shown))
        return shown


def _start_s(skipped: Skipped) -> float:
    return skipped.start_s
