"""How time passes in one session of our own player: waiting, for whatever reason.

The compiled form of what ``player.playback.session.PlaybackSession`` and its virtual driver do
between inputs. Every wait goes through ``move_on``: playback follows, and the viewer may
leave on the way.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from abr.capacity import Transfer, newest_bit_s
from abr.compilable import capped, likely, rarely
from player.batch.tables import (
    BEYOND,
    COLUMNS,
    COMPLETE,
    STALL_S,
    STOPPED,
    LinkTable,
    Out,
    Totals,
)
from player.config import PlayerConfig
from player.playback.playhead import PLAYING as IS_PLAYING
from player.playback.playhead import STALLED as IS_STALLED
from player.playback.playhead import STARTUP as IN_STARTUP
from player.playback.playhead import (
    Playhead,
    Thresholds,
    add_media,
    begin,
    initial_playhead,
    run_out,
    runs_out_s,
    wait_for_room_s,
)
from player.playback.requests import INSTANT_S

MORE_COLUMNS = ("stall_start_s", "decided_s")
"""Columns that only this simulator fills: when the stall began of which ``stall_s`` is the
length, and when the rung was decided on."""
STALL_START_S, DECIDED_S = len(COLUMNS), len(COLUMNS) + 1


_DEFAULT = PlayerConfig()


class Options(NamedTuple):
    """What a session in this preset may be told; see ``player.config.PlayerConfig``."""

    max_buffer_s: float = _DEFAULT.max_buffer_s
    startup_buffer_s: float = _DEFAULT.startup_buffer_s
    resume_buffer_s: float = _DEFAULT.resume_buffer_s
    resume_growth: float = _DEFAULT.resume_growth
    resume_max_s: float = _DEFAULT.resume_max_s
    render_delay_s: float = _DEFAULT.render_delay_s
    reconsider_every_s: float = _DEFAULT.reconsider_every_s
    rtt_s: float = _DEFAULT.rtt_s
    """Where the trace says nothing of round trips."""
    overhead_bytes: float = float(_DEFAULT.response_overhead_bytes)
    server_s: float = _DEFAULT.server_s
    first_byte_limit_s: float = _DEFAULT.first_byte_limit_s
    idle_limit_s: float = _DEFAULT.idle_limit_s
    total_limit_s: float = _DEFAULT.total_limit_s
    max_play_s: float = math.inf
    """The viewer leaves this long after asking to play."""
    begins_listed: float = 0.0
    """1: with the playlist of the rung listed first."""
    overshoot: float = 0.0
    """1: yes."""
    buffer_bytes: float = _DEFAULT.buffer_bytes
    buffer_limit_s: float = _DEFAULT.buffer_limit_s
    top_buffer_s: float = _DEFAULT.top_buffer_s
    long_top_buffer_s: float = _DEFAULT.long_top_buffer_s
    max_bitrate_bps: float = _DEFAULT.max_bitrate_bps
    max_height: float = _DEFAULT.max_height


class At(NamedTuple):
    """Where a session stands."""

    now_s: float
    head: Playhead
    outcome: int
    """``COMPLETE`` as long as it goes on."""


def options_of(config: PlayerConfig, *, max_play_s: float = math.inf) -> Options:
    """The player's configuration as numbers, all of one type: the compiler tells 5 from 5.0."""
    return Options(
        max_buffer_s=float(config.max_buffer_s),
        startup_buffer_s=float(config.startup_buffer_s),
        resume_buffer_s=float(config.resume_buffer_s),
        resume_growth=float(config.resume_growth),
        resume_max_s=float(config.resume_max_s),
        render_delay_s=float(config.render_delay_s),
        reconsider_every_s=float(config.reconsider_every_s),
        rtt_s=float(config.rtt_s),
        overhead_bytes=float(config.response_overhead_bytes),
        server_s=float(config.server_s),
        first_byte_limit_s=float(config.first_byte_limit_s),
        idle_limit_s=float(config.idle_limit_s),
        total_limit_s=float(config.total_limit_s),
        max_play_s=float(max_play_s),
        begins_listed=float(config.begins_with == "listed"),
        overshoot=float(config.overshoot),
        buffer_bytes=float(config.buffer_bytes),
        buffer_limit_s=float(config.buffer_limit_s),
        top_buffer_s=float(config.top_buffer_s),
        long_top_buffer_s=float(config.long_top_buffer_s),
        max_bitrate_bps=float(config.max_bitrate_bps),
        max_height=float(config.max_height),
    )


def config_of(options: Options) -> PlayerConfig:
    """The numbers as the player's configuration; what they leave out is as by default."""
    return PlayerConfig(
        max_buffer_s=options.max_buffer_s,
        startup_buffer_s=options.startup_buffer_s,
        resume_buffer_s=options.resume_buffer_s,
        resume_growth=options.resume_growth,
        resume_max_s=options.resume_max_s,
        render_delay_s=options.render_delay_s,
        reconsider_every_s=options.reconsider_every_s,
        rtt_s=options.rtt_s,
        response_overhead_bytes=int(options.overhead_bytes),
        server_s=options.server_s,
        first_byte_limit_s=options.first_byte_limit_s,
        idle_limit_s=options.idle_limit_s,
        total_limit_s=options.total_limit_s,
        begins_with="listed" if options.begins_listed > 0 else "lowest",
        overshoot=options.overshoot > 0,
        buffer_bytes=options.buffer_bytes,
        buffer_limit_s=options.buffer_limit_s,
        top_buffer_s=options.top_buffer_s,
        long_top_buffer_s=options.long_top_buffer_s,
        max_bitrate_bps=options.max_bitrate_bps,
        max_height=options.max_height,
    )


def begin_session(thresholds: Thresholds) -> At:
    """Play is asked for."""
    return At(0.0, initial_playhead(thresholds), COMPLETE)


def move_on(at: At, to_s: float, options: Options, thresholds: Thresholds, totals: Totals) -> At:
    """Time moves on to ``to_s``, or to when the viewer leaves."""
    if likely(at.now_s <= to_s <= options.max_play_s and to_s < math.inf):
        return At(to_s, advance(at.head, to_s, False, thresholds, totals), COMPLETE)
    return stop_at(at, to_s, options, thresholds, totals)


@rarely
def stop_at(at: At, to_s: float, options: Options, thresholds: Thresholds, totals: Totals) -> At:
    """The same, where the viewer leaves or no time passes."""
    outcome = COMPLETE
    if to_s > options.max_play_s or to_s == math.inf:
        outcome = STOPPED
        to_s = options.max_play_s if options.max_play_s < math.inf else at.now_s
    to_s = max(to_s, at.now_s)
    return At(to_s, advance(at.head, to_s, False, thresholds, totals), outcome)


def advance(
    head: Playhead, now_s: float, is_complete: bool, thresholds: Thresholds, totals: Totals
) -> Playhead:
    """Playback up to ``now_s``; what was played, and what was waited, is summed up."""
    if not likely(head.begin_at_s > now_s):
        if head.state == IN_STARTUP:
            totals.startup_s = head.begin_at_s
        else:
            count_stall(head, head.begin_at_s, totals)
        head = begin(head)
    if likely(head.state != IS_PLAYING or runs_out_s(head) > now_s):
        return head
    totals.played_s += runs_out_s(head) - head.since_s
    return run_out(head, is_complete, thresholds)


def count_stall(head: Playhead, end_s: float, totals: Totals) -> None:
    """A stall ends at ``end_s``; one of no length is none."""
    if end_s > head.since_s:
        totals.stall_events += 1
        totals.stall_s += end_s - head.since_s


def leave(head: Playhead, now_s: float, totals: Totals) -> None:
    """The viewer leaves: what is open is counted up to ``now_s``."""
    if head.state == IS_PLAYING:
        totals.played_s += now_s - head.since_s
    elif head.state == IS_STALLED:
        count_stall(head, now_s, totals)


def await_room(
    at: At,
    fetched_s: float,
    next_s: float,
    goal_s: float,
    options: Options,
    thresholds: Thresholds,
    totals: Totals,
) -> At:
    """Until the next segment fits the buffer, which holds ``goal_s``."""
    if options.overshoot > 0:
        next_s = 0.0
    while at.outcome == COMPLETE:
        wait_s = wait_for_room_s(at.head, at.now_s, fetched_s, next_s, goal_s)
        if wait_s <= INSTANT_S:
            break
        at = move_on(at, capped(at.now_s + wait_s, at.head.begin_at_s), options, thresholds, totals)
    return at


def await_time(
    at: At, until_s: float, options: Options, thresholds: Thresholds, totals: Totals
) -> At:
    """Until the algorithm wants its request sent."""
    while at.outcome == COMPLETE and until_s > at.now_s + INSTANT_S:
        at = move_on(at, min(until_s, at.head.begin_at_s), options, thresholds, totals)
    return at


def await_transfer(
    at: At,
    transfer: Transfer,
    link: LinkTable,
    options: Options,
    thresholds: Thresholds,
    totals: Totals,
) -> At:
    """Until a response is complete."""
    if meets_limit(transfer, transfer.end_s, options) or falls_silent(link, transfer, options):
        return At(at.now_s, at.head, BEYOND)
    return move_on(at, transfer.end_s, options, thresholds, totals)


def meets_limit(transfer: Transfer, until_s: float, options: Options) -> bool:
    """Whether a request passes, or all but passes, a limit in time before ``until_s``."""
    # The player takes times within an instant for the same; with two of them nothing that it
    # might call overdue is played here.
    limit_s = transfer.start_s + options.total_limit_s
    first_limit_s = transfer.start_s + options.first_byte_limit_s
    if not likely(transfer.first_byte_s <= first_limit_s - 2 * INSTANT_S):
        limit_s = min(limit_s, first_limit_s)
    return min(until_s, options.max_play_s) > limit_s - 2 * INSTANT_S


def falls_silent(link: LinkTable, transfer: Transfer, options: Options) -> bool:
    """Whether the link is, or all but is, silent for so long that a response is given up."""
    idle_s, until_s = options.idle_limit_s, min(transfer.end_s, options.max_play_s)
    look_at_s = transfer.start_s + idle_s
    while look_at_s <= until_s + 2 * INSTANT_S and look_at_s < math.inf:
        newest_s = max(newest_bit_s(link, look_at_s, transfer.period), transfer.start_s)
        if newest_s + idle_s <= look_at_s + 2 * INSTANT_S:
            return True
        look_at_s = newest_s + idle_s
    return False


def take_media(
    at: At, ready_s: float, is_complete: bool, thresholds: Thresholds, totals: Totals
) -> Playhead:
    """Media can be played up to ``ready_s`` of the timeline."""
    head = add_media(at.head, ready_s, ready_s, is_complete, at.now_s, thresholds)
    return advance(head, at.now_s, is_complete, thresholds, totals)


def note_arrival(
    at: At, ready_s: float, is_complete: bool, thresholds: Thresholds, out: Out, segment: int
) -> At:
    """The same, with the stall noted that it ended."""
    head = take_media(at, ready_s, is_complete, thresholds, out.totals)
    if not likely(at.head.state != IS_STALLED or head.state != IS_PLAYING):
        note_stall(out, segment, at.head.since_s, head.since_s)
    return At(at.now_s, head, at.outcome)


def has_columns(out: Out) -> bool:
    """Whether what happens in each segment is kept."""
    return bool(out.columns.shape[1] > 0)


def note_stall(out: Out, segment: int, start_s: float, end_s: float) -> None:
    """A stall ended when ``segment`` came, or its audio did; two of them count together."""
    if not has_columns(out):
        return
    if out.columns[STALL_S, segment] <= 0:
        out.columns[STALL_START_S, segment] = start_s
    out.columns[STALL_S, segment] += end_s - start_s


def play_out(at: At, options: Options, thresholds: Thresholds, totals: Totals) -> At:
    """Everything is here: play to the end."""
    if at.head.begin_at_s < math.inf:
        at = move_on(at, at.head.begin_at_s, options, thresholds, totals)
    if at.outcome != COMPLETE:
        return at
    end_s = runs_out_s(at.head)
    if end_s > options.max_play_s:
        return At(options.max_play_s, at.head, STOPPED)
    return At(end_s, advance(at.head, end_s, True, thresholds, totals), COMPLETE)
