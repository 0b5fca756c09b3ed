"""Playhead and buffer arithmetic of one session, in scalars.

The compiled form of ``player.playback.Playback``: the same anchors, the same sums in the
same order. A stall begins at the computed instant the media runs out. There are no
pauses: nobody watches.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from abr.media import FloatArray
from player.batch.tables import PLAYED, STALL_EVENTS, STALLED, STARTUP
from player.requests import INSTANT_S

IN_STARTUP, IN_PLAY, IN_STALL, AT_END = 0, 1, 2, 3
"""States of a playback, as ``Head.state`` holds them."""


class Thresholds(NamedTuple):
    """How much media starts and resumes playback; see ``player.playback.Thresholds``."""

    startup_s: float
    resume_s: float
    resume_growth: float
    resume_max_s: float
    render_delay_s: float


class Head(NamedTuple):
    """The playhead: a straight line from an anchor, while playing."""

    state: int
    since_s: float
    """Time of the last change of state."""
    playhead_s: float
    """Media time on screen then."""
    ready_s: float
    """End of the playable media."""
    begin_at_s: float
    """When playback will begin with the media there is; inf when it will not."""
    resume_s: float
    """Media needed to resume after the next stall."""


def fresh(thresholds: Thresholds) -> Head:
    """Before anything is there."""
    return Head(IN_STARTUP, 0.0, 0.0, 0.0, math.inf, thresholds.resume_s)


def playhead_s(head: Head, now_s: float) -> float:
    """Media time on screen."""
    if head.state != IN_PLAY:
        return head.playhead_s
    return min(head.playhead_s + (now_s - head.since_s), head.ready_s)


def buffer_s(head: Head, now_s: float) -> float:
    """Media seconds ready ahead of the playhead."""
    return max(head.ready_s - playhead_s(head, now_s), 0.0)


def out_s(head: Head) -> float:
    """When what is ready will have been played, while playing."""
    return head.since_s + (head.ready_s - head.playhead_s)


def advance(
    head: Head, now_s: float, is_complete: bool, thresholds: Thresholds, totals: FloatArray
) -> Head:
    """Move time on; what was played, and what was waited, is added to ``totals``."""
    if head.begin_at_s <= now_s:
        head = _begun(head, totals)
    if head.state != IN_PLAY:
        return head
    at_s = out_s(head)
    if at_s > now_s:
        return head
    totals[PLAYED] += at_s - head.since_s
    if is_complete:
        return Head(AT_END, at_s, head.ready_s, head.ready_s, math.inf, head.resume_s)
    most_s = max(thresholds.resume_max_s, thresholds.resume_s)
    resume_s = min(head.resume_s * thresholds.resume_growth, most_s)
    return Head(IN_STALL, at_s, head.ready_s, head.ready_s, math.inf, resume_s)


def media_ready(
    head: Head,
    ready_s: float,
    is_complete: bool,
    now_s: float,
    thresholds: Thresholds,
    totals: FloatArray,
) -> Head:
    """Media is playable up to ``ready_s``; call ``advance`` to ``now_s`` first."""
    begin_at_s = head.begin_at_s
    if head.state != IN_PLAY and begin_at_s == math.inf:
        is_startup = head.state == IN_STARTUP
        ahead_s = ready_s - head.playhead_s
        enough_s = thresholds.startup_s if is_startup else head.resume_s
        if (ahead_s > 0 and ahead_s >= enough_s) or is_complete:
            begin_at_s = now_s + (thresholds.render_delay_s if is_startup else 0.0)
    head = Head(head.state, head.since_s, head.playhead_s, ready_s, begin_at_s, head.resume_s)
    return advance(head, now_s, is_complete, thresholds, totals)


def wait_for_room_s(
    head: Head, now_s: float, fetched_s: float, next_s: float, max_buffer_s: float
) -> float:
    """Seconds until ``next_s`` more media fit the buffer; 0 when they do, or must."""
    ahead_s = fetched_s - playhead_s(head, now_s)
    excess_s = min(ahead_s + next_s - max_buffer_s, ahead_s)
    if excess_s <= INSTANT_S:
        return 0.0
    if head.state == IN_PLAY:
        return excess_s
    return 0.0 if head.begin_at_s == math.inf else math.inf


def stopped(head: Head, now_s: float, totals: FloatArray) -> None:
    """The viewer leaves: what is open is counted up to ``now_s``."""
    if head.state == IN_PLAY:
        totals[PLAYED] += now_s - head.since_s
    elif head.state == IN_STALL and now_s > head.since_s:
        totals[STALL_EVENTS] += 1
        totals[STALLED] += now_s - head.since_s


def shown_at_s(head: Head, start_s: float) -> float:
    """When the segment that starts at ``start_s`` was shown; inf when it was not.

    ``head`` is where playback was left. Of segments shown before its last change of
    state the answer is the time of that change.
    """
    # What came in a stall waits for its end.
    shown_s = head.ready_s if head.state in (IN_PLAY, AT_END) else head.playhead_s
    if start_s >= shown_s:
        return math.inf
    return max(head.since_s + (start_s - head.playhead_s), head.since_s)


def _begun(head: Head, totals: FloatArray) -> Head:
    """The first picture, or the end of a stall."""
    at_s = head.begin_at_s
    if head.state == IN_STARTUP:
        totals[STARTUP] = at_s
    elif at_s > head.since_s:
        totals[STALL_EVENTS] += 1
        totals[STALLED] += at_s - head.since_s
    return Head(IN_PLAY, at_s, head.playhead_s, head.ready_s, math.inf, head.resume_s)
