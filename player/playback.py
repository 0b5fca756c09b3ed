"""Playhead and buffer arithmetic of one playback.

Rules of residence: every change of playhead and playback state happens here. This
module knows nothing of HTTP, playlists or algorithms, and never reads a clock:
callers pass ``now_s``, seconds since play was asked, never decreasing.

Playback is computed, not sampled. While playing, the playhead is a straight line
from an anchor ``(time, playhead)`` set at the last change of state, so asking more
often changes nothing, not even the last bit of a float. A stall begins at the
computed instant the media runs out, a segment begins to play at the computed
instant the playhead reaches it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

State = Literal["startup", "playing", "stalled", "paused", "ended"]

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """How much media starts and resumes playback; see ``PlayerConfig``."""

    startup_s: float = 0.0
    resume_s: float = 0.0
    resume_growth: float = 1.0
    resume_max_s: float = 3.0
    render_delay_s: float = 0.0


class Playback:
    """The playhead of one session."""

    def __init__(self, thresholds: Thresholds | None = None) -> None:
        self.state: State = "startup"
        self._thresholds = thresholds or Thresholds()
        self._resume_s = self._thresholds.resume_s
        self._now_s = 0.0
        self._anchor = (0.0, 0.0)
        self._ready_s = 0.0
        self._complete = False
        self._starts: list[float] = []
        self._shown = -1
        self._begin_at_s: float | None = None

    def __repr__(self) -> str:
        return (
            f"<Playback {self.state} at {self.playhead_s(self._now_s):.3f} s, "
            f"buffer {self.buffer_s(self._now_s):.3f} s>"
        )

    def set_durations(self, durations_s: Sequence[float]) -> None:
        """Tell where segments begin on the media timeline; once, before media arrives."""
        self._starts = [0.0, *accumulate(durations_s)]

    def playhead_s(self, now_s: float) -> float:
        """Media time on screen."""
        time_s, playhead_s = self._anchor
        if self.state != "playing":
            return playhead_s
        return min(playhead_s + (now_s - time_s), self._ready_s)

    def buffer_s(self, now_s: float) -> float:
        """Media seconds ready ahead of the playhead."""
        return max(self._ready_s - self.playhead_s(now_s), 0.0)

    @property
    def lacks_media(self) -> bool:
        """Playback waits for more media than there is, so a full buffer must still grow."""
        return self.state in ("startup", "stalled") and self._begin_at_s is None

    def next_change_s(self) -> float:
        """When the state will change if nothing arrives; inf when it will not."""
        if self._begin_at_s is not None:
            return self._begin_at_s
        if self.state == "playing":
            time_s, playhead_s = self._anchor
            return time_s + (self._ready_s - playhead_s)
        return float("inf")

    def advance(self, now_s: float) -> list[StateChange | SegmentStart]:
        """Move time on and return what happened up to ``now_s``, in order.

        Raises:
            ValueError: time went back.
        """
        if now_s < self._now_s:
            raise ValueError(f"time went back from {self._now_s} s to {now_s} s")
        happened: list[StateChange | SegmentStart] = []
        if self._begin_at_s is not None and self._begin_at_s <= now_s:
            begin_s, self._begin_at_s = self._begin_at_s, None
            happened.append(self._change("media ready", begin_s, self._anchor[1]))
        if self.state == "playing":
            happened.extend(self._segments_shown(now_s))
            out_s = self.next_change_s()
            if out_s <= now_s:
                cause = "end of media" if self._complete else "media ran out"
                happened.append(self._change(cause, out_s, self._ready_s))
                if not self._complete:
                    self._resume_s = min(
                        self._resume_s * self._thresholds.resume_growth,
                        max(self._thresholds.resume_max_s, self._thresholds.resume_s),
                    )
        self._now_s = now_s
        return happened

    def media_ready(
        self, ready_s: float, *, complete: bool, now_s: float
    ) -> list[StateChange | SegmentStart]:
        """Media is playable up to ``ready_s`` of the timeline; ``complete`` when that is all.

        Call ``advance(now_s)`` first; the changes returned happened at ``now_s``.
        """
        self._ready_s = max(ready_s, self._ready_s)
        self._complete = complete
        self._consider_starting(now_s)
        return self.advance(now_s)

    def pause(self, now_s: float) -> list[StateChange | SegmentStart]:
        """The viewer pauses; nothing happens in startup or when already paused."""
        if self.state not in ("playing", "stalled"):
            return []
        self._begin_at_s = None
        return [self._change("paused by viewer", now_s, self.playhead_s(now_s))]

    def resume(self, now_s: float) -> list[StateChange | SegmentStart]:
        """The viewer resumes; stalled at once when there is nothing to play."""
        if self.state != "paused":
            return []
        changes: list[StateChange | SegmentStart] = [
            self._change("resumed by viewer", now_s, self._anchor[1])
        ]
        self._consider_starting(now_s)
        return changes + self.advance(now_s)

    def stop(self, now_s: float) -> list[StateChange | SegmentStart]:
        """The session ends here."""
        if self.state == "ended":
            return []
        self._begin_at_s = None
        return [self._change("stopped", now_s, self.playhead_s(now_s))]

    def _consider_starting(self, now_s: float) -> None:
        if self.state not in ("startup", "stalled") or self._begin_at_s is not None:
            return
        ahead_s = self._ready_s - self._anchor[1]
        is_startup = self.state == "startup"
        enough_s = self._thresholds.startup_s if is_startup else self._resume_s
        if (ahead_s > 0 and ahead_s >= enough_s) or self._complete:
            self._begin_at_s = now_s + (self._thresholds.render_delay_s if is_startup else 0.0)

    def _change(self, cause: str, time_s: float, playhead_s: float) -> StateChange:
        before = self.state
        self.state = TRANSITIONS[before, cause]
        self._anchor = (time_s, playhead_s)
        return StateChange(time_s, before, self.state, cause)

    def _segments_shown(self, now_s: float) -> list[StateChange | SegmentStart]:
        """Segments whose first frame is reached by ``now_s`` with media behind it."""
        time_s, playhead_s = self._anchor
        shown: list[StateChange | SegmentStart] = []
        while self._shown + 2 < len(self._starts):
            start_s = self._starts[self._shown + 1]
            # Compared as the time that is logged: as media time it could round past now_s.
            shown_at_s = max(time_s + (start_s - playhead_s), time_s)
            if shown_at_s > now_s or start_s >= self._ready_s:
                break
            self._shown += 1
            shown.append(SegmentStart(shown_at_s, self._shown))
        return shown
