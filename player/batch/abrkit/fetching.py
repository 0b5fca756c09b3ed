"""One video segment's download, however often the algorithm changes its mind about it."""

from __future__ import annotations

import math
import sys
from typing import Any, NamedTuple

from abr.capacity import Transfer, newest_bit_s, received_bytes
from abr.compilable import likely
from abr.decision import Decision, Progress
from abr.media import FloatArray
from player.batch.abrkit.position import Position, has_goals, observe
from player.batch.abrkit.side import (
    Have,
    after,
    ask_alone,
    ask_with,
    fetch_playlist,
    has_playlist,
    list_needs,
    outlasts,
    take_needs,
)
from player.batch.abrkit.timeline import (
    At,
    Options,
    advance,
    await_room,
    await_time,
    has_columns,
    meets_limit,
    move_on,
)
from player.batch.abrkit.together import others_end_s, received_of_last
from player.batch.hooks import (
    CAN_RECONSIDER,
    HAS_SIDE_FILES,
    reconsider,
)
from player.batch.tables import (
    BEYOND,
    COMPLETE,
    REFUSED,
    LinkTable,
    Out,
    PresentationTable,
    Totals,
)
from player.playback.playhead import Thresholds, buffer_s
from player.playback.requests import INSTANT_S

_MOST_S = sys.float_info.max
"""Finite, which the compiler makes more of when it is asked whether a time is infinite."""
_MARGIN_S = 1e-3
"""More than sums of times are rounded by."""


class Fetched(NamedTuple):
    """How a video segment was fetched, or where that ended."""

    at: At
    have: Have
    transfer: Transfer
    size_bytes: float
    """Received and reported."""
    decision: Decision
    """The last one; after an abandoned download, what is to take its place."""
    decided_s: float
    buffer_before_s: float


def fetch(
    params: Any,
    state: Any,
    presentation: PresentationTable,
    link: LinkTable,
    options: Options,
    thresholds: Thresholds,
    out: Out,
    known: FloatArray,
    at: At,
    position: Position,
    decision: Decision,
    fetched_s: float,
) -> Fetched:
    """Until a segment is here, however often the algorithm changes its mind.

    It goes where ``fetched_s`` of media are here.
    """
    room, have = out.room, position.have
    while True:
        fetched, needs = ask(
            presentation,
            link,
            options,
            thresholds,
            out,
            at,
            have,
            position.segment,
            decision,
            fetched_s,
        )
        have = fetched.have
        if not likely(fetched.at.outcome == COMPLETE):
            return fetched
        fetched = download(
            params,
            state,
            presentation,
            link,
            options,
            thresholds,
            out,
            known,
            position,
            fetched,
            needs,
        )
        at = fetched.at
        if not likely(at.outcome == COMPLETE):
            return fetched
        if HAS_SIDE_FILES:
            if outlasts(room, needs, at.now_s):
                return end_early(fetched, At(at.now_s, at.head, BEYOND))
            if needs > 0:
                have = take_needs(
                    presentation, have, out.totals, room, needs, position.segment, decision.rung
                )
                fetched = take_have(fetched, have)
        if likely(fetched.decision.rung == decision.rung):
            return fetched
        # An abandoned download closes its connection.
        have = Have(
            have.connections - 1, have.playlists, have.inits, have.key, have.period, have.rounds
        )
        decision = fetched.decision


def ask(
    presentation: PresentationTable,
    link: LinkTable,
    options: Options,
    thresholds: Thresholds,
    out: Out,
    at: At,
    have: Have,
    segment: int,
    decision: Decision,
    fetched_s: float,
) -> tuple[Fetched, int]:
    """Until a segment is asked for, and how much is asked for with it."""
    decided_s, needs, totals, room = at.now_s, 0, out.totals, out.room
    if not (  # a hint per comparison: from a function that returned them they would be lost
        likely(0 <= decision.rung < len(presentation.ladder_bps))
        and likely(decision.segment in (-1, segment))
        and likely(0 <= decision.wait_s <= _MOST_S)
    ):
        return fetch_nothing(At(at.now_s, at.head, REFUSED), have, decision), 0
    if decision.wait_s > 0 or has_goals(presentation):
        at = await_time(at, decided_s + decision.wait_s, options, thresholds, totals)
        if has_goals(presentation):
            next_s = float(presentation.durations_s[segment])
            goal_s = float(presentation.goals_s[decision.rung])
            at = await_room(at, fetched_s, next_s, goal_s, options, thresholds, totals)
        totals.idle_s += at.now_s - decided_s
    is_going_on = at.outcome == COMPLETE
    if HAS_SIDE_FILES and is_going_on and not has_playlist(have, decision.rung):
        at, have = fetch_playlist(
            at,
            have,
            presentation,
            link,
            options,
            thresholds,
            totals,
            out.known_bytes,
            decision.rung,
        )
    if not likely(at.outcome == COMPLETE):
        return fetch_nothing(at, have, decision), 0
    size_bytes = float(presentation.sizes_bytes[decision.rung, segment])
    if HAS_SIDE_FILES:
        needs = list_needs(presentation, have, room, segment, decision.rung)
        transfer = ask_with(link, options, at.now_s, have, room, needs, size_bytes)
    else:
        transfer = ask_alone(link, options, at.now_s, have, size_bytes)
    totals.downloads += needs + 1
    before_s = 0.0
    if not likely(not has_columns(out)):
        before_s = buffer_s(at.head, at.now_s)
    have = after(have, needs + 1, transfer)
    return Fetched(at, have, transfer, size_bytes, decision, decided_s, before_s), needs


def download(
    params: Any,
    state: Any,
    presentation: PresentationTable,
    link: LinkTable,
    options: Options,
    thresholds: Thresholds,
    out: Out,
    known: FloatArray,
    position: Position,
    asked: Fetched,
    needs: int,
) -> Fetched:
    """Until a response is complete, or the algorithm abandons it."""
    at, end_s = asked.at, asked.transfer.end_s
    ask_at_s, idle_at_s = first_alarms_s(asked, options)
    if HAS_SIDE_FILES and needs > 0 and others_end_s(out.room, needs + 1) > idle_at_s - INSTANT_S:
        return end_early(asked, At(at.now_s, at.head, BEYOND))  # their alarms come first
    is_asked = CAN_RECONSIDER and end_s > ask_at_s
    if likely(end_s < at.now_s + patience_s(options)) and likely(
        end_s <= at.head.begin_at_s and end_s <= options.max_play_s and not is_asked
    ):
        head = advance(at.head, end_s, False, thresholds, out.totals)
        return end_download(asked, At(end_s, head, COMPLETE), asked.size_bytes, asked.decision)
    return follow_on(
        params,
        state,
        presentation,
        link,
        options,
        thresholds,
        out,
        known,
        position,
        asked,
        needs,
    )


def patience_s(options: Options) -> float:
    """A download that takes less meets no limit, and the link cannot be silent for too long."""
    limit_s = min(options.first_byte_limit_s, options.idle_limit_s, options.total_limit_s)
    return limit_s - _MARGIN_S


def first_alarms_s(asked: Fetched, options: Options) -> tuple[float, float]:
    """When the algorithm is asked first, and when the link has been silent for too long."""
    ask_at_s = math.inf
    if CAN_RECONSIDER and asked.decision.rung > 0:
        ask_at_s = asked.at.now_s + options.reconsider_every_s
    return ask_at_s, asked.transfer.first_byte_s + options.idle_limit_s


def follow_on(
    params: Any,
    state: Any,
    presentation: PresentationTable,
    link: LinkTable,
    options: Options,
    thresholds: Thresholds,
    out: Out,
    known: FloatArray,
    position: Position,
    asked: Fetched,
    needs: int,
) -> Fetched:
    """A download from alarm to alarm."""
    at, transfer, size_bytes, rung = asked.at, asked.transfer, asked.size_bytes, asked.decision.rung
    ask_at_s, idle_at_s = first_alarms_s(asked, options)
    overhead_bytes, known_bytes = options.overhead_bytes, size_bytes
    if HAS_SIDE_FILES:
        known_bytes = float(known[rung, position.segment])
    # Bytes are summed as a driver reports them: at each alarm, and at the end.
    reported_bytes = got_bytes = 0.0
    while True:
        alarm_s = min(ask_at_s, at.head.begin_at_s, idle_at_s)
        is_finished = transfer.end_s <= alarm_s
        until_s = transfer.end_s if is_finished else alarm_s
        if meets_limit(transfer, until_s, options):
            return end_early(asked, At(at.now_s, at.head, BEYOND))
        at = move_on(at, until_s, options, thresholds, out.totals)
        if is_finished and at.outcome == COMPLETE:
            got_bytes += size_bytes - reported_bytes
            return end_download(asked, at, got_bytes, asked.decision)
        now_bytes = received_bytes(link, transfer, size_bytes, overhead_bytes, at.now_s)
        if HAS_SIDE_FILES and needs > 0:
            now_bytes = received_of_last(
                link, transfer, needs + 1, out.room, overhead_bytes, at.now_s
            )
        got_bytes += now_bytes - reported_bytes
        reported_bytes = now_bytes
        if at.now_s >= transfer.first_byte_s:
            newest_s = newest_bit_s(link, at.now_s, transfer.period)
            idle_at_s = max(newest_s, transfer.first_byte_s) + options.idle_limit_s
            if idle_at_s <= at.now_s + 2 * INSTANT_S and at.outcome == COMPLETE:
                return end_early(asked, At(at.now_s, at.head, BEYOND))
        if not likely(at.outcome == COMPLETE):
            count_lost(out.totals, now_bytes)
            return end_early(asked, at)
        if CAN_RECONSIDER and at.now_s + INSTANT_S >= ask_at_s:
            progress = Progress(
                at.now_s,
                position.segment,
                rung,
                known_bytes,
                got_bytes,
                transfer.start_s,
                transfer.first_byte_s if transfer.first_byte_s <= at.now_s else math.nan,
                buffer_s(at.head, at.now_s),
            )
            seen = observe(presentation, options, out, known, at, position)
            answer = reconsider(params, state, seen, progress)
            if answer.rung < rung:
                count_lost(out.totals, now_bytes)
                out.totals.abandoned += 1
                return end_download(asked, at, got_bytes, answer)
            ask_at_s = at.now_s + options.reconsider_every_s


def end_download(asked: Fetched, at: At, size_bytes: float, decision: Decision) -> Fetched:
    """A download ended with so many bytes received."""
    return Fetched(
        at,
        asked.have,
        asked.transfer,
        size_bytes,
        decision,
        asked.decided_s,
        asked.buffer_before_s,
    )


def take_have(fetched: Fetched, have: Have) -> Fetched:
    """The same, with what the session has now."""
    return Fetched(
        fetched.at,
        have,
        fetched.transfer,
        fetched.size_bytes,
        fetched.decision,
        fetched.decided_s,
        fetched.buffer_before_s,
    )


def end_early(fetched: Fetched, at: At) -> Fetched:
    """The session ended on the way."""
    return end_download(fetched, at, fetched.size_bytes, fetched.decision)


def fetch_nothing(at: At, have: Have, decision: Decision) -> Fetched:
    """The session ended before a segment was asked for."""
    return Fetched(at, have, Transfer(0.0, 0.0, 0.0, 0.0, 0, 0.0, 0), 0.0, decision, at.now_s, 0.0)


def count_lost(totals: Totals, size_bytes: float) -> None:
    """Bytes came of a download that was not finished."""
    totals.downloaded_bytes += size_bytes
    totals.wasted_bytes += size_bytes
