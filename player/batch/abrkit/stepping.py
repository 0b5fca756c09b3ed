"""Our own player, one segment at a time: for environments that learn.

No rule and no abandonment: someone else says the rung, and when ``step`` returns the
player is ready to ask for the next segment, room for it included. Everything that is
remembered between two steps lies in ``place``, so that a thousand sessions are a
thousand rows. Each step is what ``abrkit.session`` does with a rule that answers so.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from abr.capacity import request
from abr.media import FloatArray
from player.batch.abrkit.timeline import (
    At,
    Options,
    await_room,
    await_transfer,
    begun,
    leave,
    play_out,
    take_media,
)
from player.batch.tables import (
    COMPLETE,
    DOWNLOADED,
    DOWNLOADS,
    ENDED,
    IDLE,
    OUTCOME,
    STALLED,
    STARTUP,
    Film,
    LinkTable,
)
from player.playhead import STALLED as IS_STALLED
from player.playhead import Playhead, buffer_s, thresholds_of

PLACES = (
    "now_s",
    "state",
    "since_s",
    "playhead_s",
    "ready_s",
    "begin_at_s",
    "resume_s",
    "outcome",
    "fetched_s",
    "period",
    "segment",
)
"""What the cells of ``place`` hold: the time; a ``Playhead``; how the session ended, if it did
(``COMPLETE`` as long as it goes on); end of the fetched media; period of the trace at the
last first byte; the segment to be asked for next."""
(
    NOW,
    STATE,
    SINCE,
    PLAYHEAD,
    READY,
    BEGIN_AT,
    RESUME,
    ENDED_AS,
    FETCHED,
    PERIOD,
    SEGMENT,
) = range(11)


class Stepped(NamedTuple):
    """What became of one segment."""

    size_bytes: float
    start_s: float
    """Request sent."""
    first_byte_s: float
    end_s: float
    stall_s: float
    """Stalled since the request before, or since play was asked."""
    waited_s: float
    """For room in the buffer, after this segment."""
    buffer_s: float
    """Media ahead of the playhead now, when the next segment may be asked for."""
    is_over: bool
    """All is played, the viewer left, or the session cannot go on."""


def reset(place: FloatArray, totals: FloatArray, options: Options) -> None:
    """Play is asked for: the first segment may be asked for at once."""
    for i in range(len(totals)):
        totals[i] = 0.0
    totals[STARTUP] = math.nan
    put(place, begun(thresholds_of(options)))
    place[FETCHED] = 0.0
    place[PERIOD] = 0.0
    place[SEGMENT] = 0.0


def step(
    film: Film,
    link: LinkTable,
    options: Options,
    place: FloatArray,
    totals: FloatArray,
    rung: int,
) -> Stepped:
    """Fetch the next segment at ``rung``, play meanwhile, and wait for room for one more.

    After the last segment the rest is played. ``place`` and ``totals``, made by ``reset``,
    are updated; not the totals that sum over rungs. Once ``is_over`` comes back, only
    ``reset`` may follow.
    """
    thresholds = thresholds_of(options)
    segment = int(place[SEGMENT])
    at, start_s, stalled_s = at_of(place), float(place[NOW]), stalled_by(place, totals)
    size_bytes = float(film.sizes_bytes[rung, segment])
    fetched_s = float(place[FETCHED]) + float(film.durations_s[segment])
    is_last = segment == len(film.durations_s) - 1
    first_byte_s, end_s = math.nan, math.nan
    waited_s = 0.0
    parts = 2 if len(film.audio_bytes) > 0 else 1
    for part in range(parts):
        part_bytes = size_bytes if part == 0 else float(film.audio_bytes[segment])
        transfer = request(
            link,
            at.now_s,
            segment + part > 0,
            part_bytes,
            options.overhead_bytes,
            options.server_s,
            int(place[PERIOD]),
        )
        place[PERIOD] = transfer.period
        totals[DOWNLOADS] += 1
        at = await_transfer(at, transfer, options, thresholds, totals)
        if at.outcome != COMPLETE:
            break
        totals[DOWNLOADED] += part_bytes
        if part == 0:
            first_byte_s, end_s = transfer.first_byte_s, at.now_s
    if at.outcome == COMPLETE:
        head = take_media(at, fetched_s, is_last, thresholds, totals)
        at = At(at.now_s, head, COMPLETE)
        came_s = at.now_s
        if is_last:
            at = play_out(at, options, thresholds, totals)
        else:
            next_s = float(film.durations_s[segment + 1])
            at = await_room(at, fetched_s, next_s, options, thresholds, totals)
            waited_s = at.now_s - came_s
            totals[IDLE] += waited_s
    place[FETCHED] = fetched_s
    place[SEGMENT] = segment + 1
    put(place, at)
    is_over = is_last or at.outcome != COMPLETE
    if is_over:
        if at.outcome != COMPLETE:
            leave(at.head, at.now_s, totals)
        totals[ENDED] = at.now_s
        totals[OUTCOME] = at.outcome
        stall_s = float(totals[STALLED]) - stalled_s
    else:
        stall_s = stalled_by(place, totals) - stalled_s
    return Stepped(
        size_bytes,
        start_s,
        first_byte_s,
        end_s,
        stall_s,
        waited_s,
        buffer_s(at.head, at.now_s),
        is_over,
    )


def at_of(place: FloatArray) -> At:
    """Where the session stands."""
    head = Playhead(
        int(place[STATE]),
        float(place[SINCE]),
        float(place[PLAYHEAD]),
        float(place[READY]),
        float(place[BEGIN_AT]),
        float(place[RESUME]),
    )
    return At(float(place[NOW]), head, int(place[ENDED_AS]))


def put(place: FloatArray, at: At) -> None:
    """Remember where the session stands."""
    place[NOW] = at.now_s
    place[STATE] = at.head.state
    place[SINCE] = at.head.since_s
    place[PLAYHEAD] = at.head.playhead_s
    place[READY] = at.head.ready_s
    place[BEGIN_AT] = at.head.begin_at_s
    place[RESUME] = at.head.resume_s
    place[ENDED_AS] = at.outcome


def stalled_by(place: FloatArray, totals: FloatArray) -> float:
    """Time stalled so far, an open stall included."""
    if int(place[STATE]) != IS_STALLED:
        return float(totals[STALLED])
    return float(totals[STALLED]) + float(place[NOW] - place[SINCE])
