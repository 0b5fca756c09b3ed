"""Our own player, one segment at a time: for environments that learn.

No algorithm and no abandonment: someone else says the rung and how long to wait, and when
``step`` returns the player is ready to ask for the next segment, room for it included.
Everything that is remembered between two steps lies in ``place``, so that a thousand sessions
are a thousand rows. Each step is what ``abrkit.session`` does with an algorithm that answers so.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from abr.media import FloatArray
from player.batch.abrkit.side import (
    NOTHING,
    Have,
    after,
    ask_alone,
    ask_with,
    fetch_audio,
    fetch_first_playlists,
    fetch_playlist,
    has_playlist,
    list_needs,
    ready_before_audio_s,
    ready_with_audio_s,
    take_needs,
    whole,
)
from player.batch.abrkit.timeline import (
    At,
    Options,
    await_room,
    await_time,
    await_transfer,
    begin_session,
    leave,
    play_out,
    take_media,
)
from player.batch.hooks import HAS_AUDIO, HAS_SIDE_FILES
from player.batch.tables import (
    COMPLETE,
    LinkTable,
    PresentationTable,
    Room,
    Totals,
    clear_totals,
)
from player.playback.playhead import STALLED as IS_STALLED
from player.playback.playhead import Playhead, Thresholds, buffer_s, thresholds_of

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
    "segment",
    "connections",
    "playlists",
    "inits",
    "key",
    "period",
    "rounds",
)
"""What the cells of ``place`` hold: the time; a ``Playhead``; how the session ended, if it did
(``COMPLETE`` as long as it goes on); end of the fetched media; the segment to be asked for
next; what the session has of side files, as ``Have``."""
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
    SEGMENT,
    CONNECTIONS,
    PLAYLISTS,
    INITS,
    KEY,
    PERIOD,
    ROUNDS,
) = range(16)


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


def reset(place: FloatArray, totals: Totals, options: Options) -> None:
    """Play is asked for: the first segment may be asked for at once."""
    clear_totals(totals)
    put(place, begin_session(thresholds_of(options)))
    place[FETCHED] = 0.0
    place[SEGMENT] = 0.0
    put_have(place, NOTHING)


def step(
    presentation: PresentationTable,
    link: LinkTable,
    options: Options,
    place: FloatArray,
    totals: Totals,
    room: Room,
    rung: int,
    wait_s: float,
) -> Stepped:
    """Fetch the next segment at ``rung``, play meanwhile, and wait for room for one more.

    ``wait_s`` pass before it is asked for.

    After the last segment the rest is played. ``place`` and ``totals``, made by ``reset``,
    are updated; not the totals that sum over rungs. Once ``is_over`` comes back, only
    ``reset`` may follow.
    """
    thresholds = thresholds_of(options)
    segment, at, stalled_s = int(place[SEGMENT]), at_of(place), stalled_by(place, totals)
    fetched_s = float(place[FETCHED]) + float(presentation.durations_s[segment])
    is_last, waited_s = segment == len(presentation.durations_s) - 1, 0.0
    video = fetch_video(
        presentation,
        link,
        options,
        thresholds,
        totals,
        room,
        at,
        have_of(place),
        segment,
        rung,
        wait_s,
    )
    at, have = video.at, video.have
    if HAS_AUDIO and at.outcome == COMPLETE:
        ready_s = ready_before_audio_s(at, presentation, segment, fetched_s)
        at = At(at.now_s, take_media(at, ready_s, False, thresholds, totals), COMPLETE)
        at, have = fetch_audio(
            at, have, presentation, link, options, thresholds, totals, room, segment
        )
    if at.outcome == COMPLETE:
        ready_s = ready_with_audio_s(presentation, segment, fetched_s)
        at = At(at.now_s, take_media(at, ready_s, is_last, thresholds, totals), COMPLETE)
        arrived_s = at.now_s
        if is_last:
            at = play_out(at, options, thresholds, totals)
        else:
            next_s = float(presentation.durations_s[segment + 1])
            at = await_room(
                at, fetched_s, next_s, options.max_buffer_s, options, thresholds, totals
            )
            waited_s = at.now_s - arrived_s
            totals.idle_s += waited_s
    place[FETCHED] = fetched_s
    place[SEGMENT] = segment + 1
    put_have(place, have)
    put(place, at)
    is_over = is_last or at.outcome != COMPLETE
    if is_over:
        end_session(at, totals)
    return Stepped(
        float(presentation.sizes_bytes[rung, segment]),
        video.start_s,
        video.first_byte_s,
        video.end_s,
        (float(totals.stall_s) if is_over else stalled_by(place, totals)) - stalled_s,
        waited_s,
        buffer_s(at.head, at.now_s),
        is_over,
    )


class Video(NamedTuple):
    """How the video of a segment was fetched."""

    at: At
    have: Have
    start_s: float
    """Request sent."""
    first_byte_s: float
    """nan, like the next, when the session ended before."""
    end_s: float


def fetch_video(
    presentation: PresentationTable,
    link: LinkTable,
    options: Options,
    thresholds: Thresholds,
    totals: Totals,
    room: Room,
    at: At,
    have: Have,
    segment: int,
    rung: int,
    wait_s: float,
) -> Video:
    """Until the video of a segment is here, and what must be fetched before it and with it."""
    unread = presentation.listed_bytes[:0]  # copies look sizes up when they show them
    if HAS_SIDE_FILES and segment == 0:
        at, have = fetch_first_playlists(
            at, presentation, link, options, thresholds, totals, room, unread
        )
    decided_s = at.now_s
    at = await_time(at, decided_s + wait_s, options, thresholds, totals)
    totals.idle_s += at.now_s - decided_s
    if HAS_SIDE_FILES and at.outcome == COMPLETE and not has_playlist(have, rung):
        at, have = fetch_playlist(
            at, have, presentation, link, options, thresholds, totals, unread, rung
        )
    start_s, needs = at.now_s, 0
    if at.outcome != COMPLETE:
        return Video(at, have, start_s, math.nan, math.nan)
    size_bytes = float(presentation.sizes_bytes[rung, segment])
    if HAS_SIDE_FILES:
        needs = list_needs(presentation, have, room, segment, rung)
        transfer = ask_with(link, options, at.now_s, have, room, needs, size_bytes)
        # Nobody abandons: what a segment needs is waited for too, should it come later.
        everything = whole(transfer, room, needs)
    else:
        everything = transfer = ask_alone(link, options, at.now_s, have, size_bytes)
    totals.downloads += needs + 1
    at = await_transfer(at, everything, link, options, thresholds, totals)
    if at.outcome != COMPLETE:
        return Video(at, have, start_s, math.nan, math.nan)
    totals.downloaded_bytes += size_bytes
    have = after(have, needs + 1, transfer)
    if HAS_SIDE_FILES and needs > 0:
        have = take_needs(presentation, have, totals, room, needs, segment, rung)
    return Video(at, have, start_s, transfer.first_byte_s, at.now_s)


def end_session(at: At, totals: Totals) -> None:
    """Note how the session ended."""
    if at.outcome != COMPLETE:
        leave(at.head, at.now_s, totals)
    totals.ended_s = at.now_s
    totals.outcome = at.outcome


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


def have_of(place: FloatArray) -> Have:
    """What the session has of side files."""
    return Have(
        int(place[CONNECTIONS]),
        int(place[PLAYLISTS]),
        int(place[INITS]),
        int(place[KEY]),
        int(place[PERIOD]),
        float(place[ROUNDS]),
    )


def put_have(place: FloatArray, have: Have) -> None:
    """Remember it."""
    place[CONNECTIONS] = have.connections
    place[PLAYLISTS] = have.playlists
    place[INITS] = have.inits
    place[KEY] = have.key
    place[PERIOD] = have.period
    place[ROUNDS] = have.rounds


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


def stalled_by(place: FloatArray, totals: Totals) -> float:
    """Time stalled so far, an open stall included."""
    if int(place[STATE]) != IS_STALLED:
        return float(totals.stall_s)
    return float(totals.stall_s) + float(place[NOW] - place[SINCE])
