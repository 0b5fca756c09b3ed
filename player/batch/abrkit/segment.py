"""One video segment, from the wait for room to what the algorithm learns of its download.

A session is such segments, one after the other; what it remembers from one to the next is a
``Moment``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from abr.compilable import likely, natural
from abr.decision import Decision, Download, Observation
from abr.media import FloatArray
from player.batch.abrkit.fetching import Fetched, fetch
from player.batch.abrkit.position import Position, has_goals, observe
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
    has_columns,
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
    Totals,
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
    fetched_s, position = moment.fetched_s, moment.position
    known, segment, totals = (
        sizes_known(presentation, out.known_bytes),
        natural(position.segment),
        out.totals,
    )
    at = make_room(
        moment.at, presentation, options, thresholds, totals, fetched_s, segment, position.last_rung
    )
    if not likely(at.outcome == COMPLETE):
        return Moment(at, fetched_s, position)
    seen = observe(presentation, options, out, known, at, position)
    decision = decide(params, state, seen, at.now_s - moment.at.now_s)
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
    if not likely(at.outcome == COMPLETE):
        return Moment(at, fetched_s, position)
    at, position = arrive(
        params, state, presentation, options, thresholds, out, known, fetched, position, fetched_s
    )
    fetched_s += float(presentation.durations_s[segment])
    have = position.have
    if HAS_AUDIO:
        at, have = fetch_audio(
            at, have, presentation, link, options, thresholds, totals, out.room, segment
        )
        if not likely(at.outcome == COMPLETE):
            return Moment(at, fetched_s, position)
        ready_s = ready_with_audio_s(presentation, segment, fetched_s)
        is_last = segment == len(presentation.durations_s) - 1
        at = note_arrival(at, ready_s, is_last, thresholds, out, segment)
    return Moment(
        at, fetched_s, Position(segment + 1, position.last_rung, position.remembered, have)
    )


def make_room(
    at: At,
    presentation: PresentationTable,
    options: Options,
    thresholds: Thresholds,
    totals: Totals,
    fetched_s: float,
    segment: int,
    last_rung: int,
) -> At:
    """Until ``segment`` fits the buffer."""
    free_s, goal_s = at.now_s, options.max_buffer_s
    if not likely(not has_goals(presentation)):
        goal_s = float(presentation.goals_s[last_rung])
    next_s = float(presentation.durations_s[segment])
    at = await_room(at, fetched_s, next_s, goal_s, options, thresholds, totals)
    totals.idle_s += at.now_s - free_s
    return at


def decide(params: Any, state: Any, seen: Observation, waited_s: float) -> Decision:
    """What the algorithm wants, after it is told how long the player waited for room."""
    if waited_s > 0:
        waited(params, state, seen, waited_s)
    return choose(params, state, seen)


def arrive(
    params: Any,
    state: Any,
    presentation: PresentationTable,
    options: Options,
    thresholds: Thresholds,
    out: Out,
    known: FloatArray,
    fetched: Fetched,
    position: Position,
    fetched_s: float,
) -> tuple[At, Position]:
    """The video of a segment is here, which begins where ``fetched_s`` of media end."""
    segment = position.segment
    is_last = segment == len(presentation.durations_s) - 1
    ready_s = fetched_s + float(presentation.durations_s[segment])
    if HAS_AUDIO:
        ready_s = ready_before_audio_s(fetched.at, presentation, segment, ready_s)
    at = note_arrival(fetched.at, ready_s, is_last and not HAS_AUDIO, thresholds, out, segment)
    position = note(fetched, out, position)
    if CAN_LEARN:
        learn(params, state, fetched, observe(presentation, options, out, known, at, position))
    return at, position


def note(fetched: Fetched, out: Out, position: Position) -> Position:
    """Write down how a video segment came."""
    segment, rung, transfer = position.segment, fetched.decision.rung, fetched.transfer
    end_s = fetched.at.now_s
    out.rungs[segment] = rung
    if not likely(not has_columns(out)):
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
