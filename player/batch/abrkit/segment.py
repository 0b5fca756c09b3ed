"""One video segment, from the wait for room to what the algorithm learns of its download.

A session is such segments, one after the other: ``player.batch.abrkit.session`` plays them
for one session, ``player.batch.abrkit.lanes`` for several that take turns. What they
remember from one segment to the next is a ``Moment``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from abr.decision import Download, Observation
from player.batch.abrkit.fetching import Fetched, Position, fetch, has_goals, observe
from player.batch.abrkit.side import (
    fetch_audio,
    ready_before_audio_s,
    ready_with_audio_s,
    sizes_known,
)
from player.batch.abrkit.timeline import (
    DECIDED_S,
    At,
    Options,
    await_room,
    note_arrival,
)
from player.batch.hooks import (
    CAN_LEARN,
    HAS_AUDIO,
    choose,
    delivered,
    waited,
)
from player.batch.tables import (
    BUFFER_BEFORE_S,
    COMPLETE,
    END_S,
    FIRST_BYTE_S,
    RUNG,
    SIZE_BYTES,
    START_S,
    LinkTable,
    Out,
    PresentationTable,
    remember,
)
from player.playback.playhead import Thresholds


class Moment(NamedTuple):
    """What a session remembers from one segment to the next."""

    at: At
    fetched_s: float
    """End of the media fetched."""
    position: Position


def play_segment(
    params: Any,
    state: Any,
    presentation: PresentationTable,
    link: LinkTable,
    options: Options,
    thresholds: Thresholds,
    out: Out,
    moment: Moment,
) -> Moment:
    """Wait for room, fetch the next segment, and tell the algorithm."""
    at, fetched_s, position = moment.at, moment.fetched_s, moment.position
    known, segment, free_s = sizes_known(presentation, out.known_bytes), position.segment, at.now_s
    duration_s = float(presentation.durations_s[segment])
    goal_s = options.max_buffer_s
    if has_goals(presentation):
        goal_s = float(presentation.goals_s[position.last_rung])
    at = await_room(at, fetched_s, duration_s, goal_s, options, thresholds, out.totals)
    out.totals.idle_s += at.now_s - free_s
    if at.outcome != COMPLETE:
        return Moment(at, fetched_s, position)
    seen = observe(presentation, options, out, known, at, position)
    if at.now_s > free_s:
        waited(params, state, seen, at.now_s - free_s)
    decision = choose(params, state, seen)
    fetched = fetch(
        params,
        state,
        presentation,
        link,
        options,
        thresholds,
        out,
        known,
        at,
        position,
        decision,
        fetched_s,
    )
    at = fetched.at
    if at.outcome != COMPLETE:
        return Moment(at, fetched_s, position)
    fetched_s += duration_s
    is_last = segment == len(presentation.durations_s) - 1
    ready_s = fetched_s
    if HAS_AUDIO:
        ready_s = ready_before_audio_s(at, presentation, segment, fetched_s)
    at = note_arrival(at, ready_s, is_last and not HAS_AUDIO, thresholds, out, segment)
    position = note(fetched, out, position)
    if CAN_LEARN:
        learn(params, state, fetched, observe(presentation, options, out, known, at, position))
    have = position.have
    if HAS_AUDIO:
        at, have = fetch_audio(
            at, have, presentation, link, options, thresholds, out.totals, out.room, segment
        )
        if at.outcome != COMPLETE:
            return Moment(at, fetched_s, position)
        ready_s = ready_with_audio_s(presentation, segment, fetched_s)
        at = note_arrival(at, ready_s, is_last, thresholds, out, segment)
    return Moment(
        at, fetched_s, Position(segment + 1, position.last_rung, position.remembered, have)
    )


def note(fetched: Fetched, out: Out, position: Position) -> Position:
    """Write down how a video segment came."""
    segment, rung, transfer = position.segment, fetched.decision.rung, fetched.transfer
    end_s = fetched.at.now_s
    out.rungs[segment] = rung
    out.columns[RUNG, segment] = rung
    out.columns[START_S, segment] = transfer.start_s
    out.columns[FIRST_BYTE_S, segment] = transfer.first_byte_s
    out.columns[END_S, segment] = end_s
    out.columns[SIZE_BYTES, segment] = fetched.size_bytes
    out.columns[BUFFER_BEFORE_S, segment] = fetched.buffer_before_s
    out.columns[DECIDED_S, segment] = fetched.decided_s
    out.totals.downloaded_bytes += fetched.size_bytes
    count = remember(
        out.history,
        position.remembered,
        segment,
        rung,
        fetched.size_bytes,
        transfer.start_s,
        transfer.first_byte_s,
        end_s,
    )
    return Position(segment, rung, count, fetched.have)


def learn(params: Any, state: Any, fetched: Fetched, seen: Observation) -> None:
    """Tell the algorithm of a finished download."""
    transfer = fetched.transfer
    download = Download(
        seen.segment,
        fetched.decision.rung,
        fetched.size_bytes,
        transfer.start_s,
        transfer.first_byte_s,
        seen.now_s,
    )
    delivered(params, state, seen, download)
