"""Playhead and buffer arithmetic: pure functions over a small named tuple.

Every change of playhead and buffer is computed here, once for all drivers:
``player.playback.states.Playback`` keeps a ``Playhead`` and logs what happens to it, the
compiled loop of ``player.batch.abrkit`` keeps one per session and sums up. This module
knows nothing of HTTP, playlists or algorithms, and never reads a clock: callers pass
``now_s``, seconds since play was asked, never decreasing.

Playback is computed, not sampled. While playing, the playhead is a straight line from
an anchor ``(since_s, playhead_s)`` set at the last change of state, so asking more often
changes nothing, not even the last bit of a float. A stall begins at the computed instant
the media runs out, a segment begins to play at the computed instant the playhead
reaches it.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

from abr.buffering import room_at_s
from abr.compilable import capped, lifted, likely
from player.playback.requests import INSTANT_S

STARTUP, PLAYING, STALLED, PAUSED, ENDED = range(5)
"""States of a playback, as ``Playhead.state`` holds them."""


class Thresholds(NamedTuple):
    """How much media starts and resumes playback; see ``player.config.PlayerConfig``."""

    startup_s: float = 0.0
    resume_s: float = 0.0
    resume_growth: float = 1.0
    resume_max_s: float = 3.0
    render_delay_s: float = 0.0


class Buffering(Protocol):
    """What thresholds are made from: a ``PlayerConfig``, or the same as a named tuple."""

    @property
    def startup_buffer_s(self) -> float: ...  # noqa: D102  # as in PlayerConfig, like the rest
    @property
    def resume_buffer_s(self) -> float: ...  # noqa: D102
    @property
    def resume_growth(self) -> float: ...  # noqa: D102
    @property
    def resume_max_s(self) -> float: ...  # noqa: D102
    @property
    def render_delay_s(self) -> float: ...  # noqa: D102
    @property
    def max_buffer_s(self) -> float: ...  # noqa: D102


class Playhead(NamedTuple):
    """Where playback stands: a straight line from an anchor, while playing."""

    state: int
    since_s: float
    """Time of the last change of state."""
    playhead_s: float
    """Media time on screen then."""
    ready_s: float
    """End of the playable media on the timeline."""
    begin_at_s: float
    """When playback will begin with the media there is; inf when it will not."""
    resume_s: float
    """Media needed to resume after the next stall."""


def thresholds_of(config: Buffering) -> Thresholds:
    """The thresholds of a configuration."""
    return Thresholds(
        config.startup_buffer_s,
        config.resume_buffer_s,
        config.resume_growth,
        min(config.resume_max_s, config.max_buffer_s),  # or playback could never resume
        config.render_delay_s,
    )


def at_least(thresholds: Thresholds, least_s: float) -> Thresholds:
    """The same, to begin with at least ``least_s`` of media."""
    return thresholds._replace(
        startup_s=max(thresholds.startup_s, least_s),
        resume_s=max(thresholds.resume_s, least_s),
    )


def initial_playhead(thresholds: Thresholds) -> Playhead:
    """Before any media."""
    return Playhead(STARTUP, 0.0, 0.0, 0.0, math.inf, thresholds.resume_s)


# --- what can be asked ---------------------------------------------------------------------


def playhead_s(head: Playhead, now_s: float) -> float:
    """Media time on screen."""
    if likely(head.state == PLAYING):
        return capped(head.playhead_s + (now_s - head.since_s), head.ready_s)
    return head.playhead_s


def buffer_s(head: Playhead, now_s: float) -> float:
    """Media seconds ready ahead of the playhead."""
    return lifted(head.ready_s - playhead_s(head, now_s), 0.0)


def runs_out_s(head: Playhead) -> float:
    """When what is ready will have been played, while playing."""
    return head.since_s + (head.ready_s - head.playhead_s)


def next_change_s(head: Playhead) -> float:
    """When the state will change if no media arrives; inf when it will not."""
    if head.begin_at_s < math.inf:
        return head.begin_at_s
    return runs_out_s(head) if head.state == PLAYING else math.inf


def waits_for_media(head: Playhead) -> bool:
    """Whether playback lacks media, so that a full buffer must grow all the same."""
    return head.state in (STARTUP, STALLED) and head.begin_at_s == math.inf


def wait_for_room_s(
    head: Playhead, now_s: float, fetched_s: float, next_s: float, max_buffer_s: float
) -> float:
    """Seconds until ``next_s`` more media fit the buffer; 0 when they do, or must.

    Args:
        head: Where playback stands.
        now_s: The time.
        fetched_s: End of the media that was fetched.
        next_s: Length of the segment to be fetched.
        max_buffer_s: Most media ahead of the playhead.

    Returns:
        inf while nothing plays, though it could: paused, or about to begin.
    """
    ahead_s = fetched_s - playhead_s(head, now_s)
    wait_s = room_at_s(ahead_s, next_s, max_buffer_s)
    if not likely(wait_s > INSTANT_S):
        return 0.0
    if likely(head.state == PLAYING):
        return wait_s
    return 0.0 if waits_for_media(head) else math.inf


def counted_s(head: Playhead, sound_s: float, picture_s: float) -> float:
    """Up to where media counts that is to begin playback, where sound outlasts the picture.

    Chromium waits for the sound's threshold, and for one picture.
    """
    return sound_s if picture_s > head.playhead_s + INSTANT_S else head.playhead_s


def shown_at_s(head: Playhead, start_s: float) -> float:
    """When the segment that starts at ``start_s`` of the media is shown; inf: not as it is.

    Of segments shown before the last change of state the answer is the time of that
    change.
    """
    # What arrived in a stall waits for its end.
    shown_s = head.ready_s if head.state in (PLAYING, ENDED) else head.playhead_s
    if start_s >= shown_s:
        return math.inf
    return max(head.since_s + (start_s - head.playhead_s), head.since_s)


# --- what can happen -----------------------------------------------------------------------


def add_media(
    head: Playhead,
    ready_s: float,
    counted_s: float,
    is_complete: bool,
    now_s: float,
    thresholds: Thresholds,
) -> Playhead:
    """Media is playable up to ``ready_s``, which may be enough to begin; at ``now_s``.

    What counts as enough ends at ``counted_s``; the same, unless sound outlasts the picture.
    """
    ready_s = max(ready_s, head.ready_s)
    begin_at_s = head.begin_at_s
    if waits_for_media(head):
        is_startup = head.state == STARTUP
        ahead_s = counted_s - head.playhead_s
        enough_s = thresholds.startup_s if is_startup else head.resume_s
        if (ahead_s > 0 and ahead_s >= enough_s - INSTANT_S) or is_complete:
            begin_at_s = now_s + (thresholds.render_delay_s if is_startup else 0.0)
    return Playhead(
        head.state,
        head.since_s,
        head.playhead_s,
        ready_s,
        begin_at_s,
        head.resume_s,
    )


def begin(head: Playhead) -> Playhead:
    """The first picture, or the end of a stall, at ``begin_at_s``."""
    return change_state(head, PLAYING, head.begin_at_s, head.playhead_s, head.resume_s)


def run_out(head: Playhead, is_complete: bool, thresholds: Thresholds) -> Playhead:
    """All that is ready has been played: the end, or a stall; at ``runs_out_s``."""
    at_s = runs_out_s(head)
    if is_complete:
        return change_state(head, ENDED, at_s, head.ready_s, head.resume_s)
    most_s = max(thresholds.resume_max_s, thresholds.resume_s)
    resume_s = min(head.resume_s * thresholds.resume_growth, most_s)
    return change_state(head, STALLED, at_s, head.ready_s, resume_s)


def stand_still(head: Playhead, state: int, now_s: float) -> Playhead:
    """Playback pauses, waits or ends at ``now_s``, wherever it is."""
    return change_state(head, state, now_s, playhead_s(head, now_s), head.resume_s)


def change_state(
    head: Playhead, state: int, time_s: float, media_s: float, resume_s: float
) -> Playhead:
    """A new anchor; nothing is about to begin."""
    return Playhead(state, time_s, media_s, head.ready_s, math.inf, resume_s)
