"""One session as our own player plays it over a link of its own.

The compiled form of ``player.playback.session.PlaybackSession``, driven by
``player.drivers.virtual`` over ``abr.link.SharedLink``, for a presentation that is given
whole: what comes out is that log, field by field. The first request opens a connection,
later ones reuse it, an abandoned download closes it. Where a presentation has audio of its
own, each segment's follows its video, as with ``tracks = "in-turn"``; what is fetched
beside segments is in ``player.batch.abrkit.side``.

What it leaves to the player itself: a request that meets a limit in time ends the session
here as ``BEYOND``, because what follows is drawn by chance, and so does one that finds the
link still in use; ``player.batch.run.batch`` has the player play those. ``can_play`` says
what it does not play at all: tracks fetched together, audio out of step with the video.
"""

from __future__ import annotations

import math
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from abr.capacity import Transfer, newest_bit_s, received_bytes
from abr.decision import Decision, Download, Observation, Progress
from abr.media import FloatArray, Presentation
from abr.trace import Trace
from player.batch.abrkit.side import (
    NOTHING,
    Have,
    ask_alone,
    ask_with,
    fetch_audio,
    fetch_first_playlists,
    fetch_playlist,
    has_playlist,
    list_needs,
    outlasts,
    ready_before_audio_s,
    ready_with_audio_s,
    sizes_known,
    take_needs,
    with_connections,
)
from player.batch.abrkit.timeline import (
    DECIDED_S,
    MORE_COLUMNS,
    At,
    Options,
    await_room,
    await_time,
    begin_session,
    config_of,
    leave,
    meets_limit,
    move_on,
    note_arrival,
    note_stall,
    options_of,
    play_out,
)
from player.batch.abrkit.together import others_end_s, received_of_last
from player.batch.hooks import (
    CAN_LEARN,
    CAN_RECONSIDER,
    HAS_AUDIO,
    HAS_SIDE_FILES,
    choose,
    delivered,
    reconsider,
    waited,
)
from player.batch.tables import (
    BEYOND,
    BUFFER_BEFORE_S,
    COMPLETE,
    END_S,
    FIRST_BYTE_S,
    MOST_TOGETHER,
    REFUSED,
    RUNG,
    SIZE_BYTES,
    START_S,
    LinkTable,
    Out,
    PresentationTable,
    Totals,
    clear_totals,
    downloads_so_far,
    link_of,
    remember,
    sum_rungs,
)
from player.config import PlayerConfig
from player.playback.playhead import PLAYING as IS_PLAYING
from player.playback.playhead import STALLED as IS_STALLED
from player.playback.playhead import Thresholds, buffer_s, shown_at_s, thresholds_of
from player.playback.requests import INSTANT_S

__all__ = [
    "MORE_COLUMNS",
    "Options",
    "can_play",
    "config_of",
    "link_for",
    "options_of",
    "session",
]


MOST_RUNGS = 50
"""Of presentations with side files, which are counted by bits."""


class Position(NamedTuple):
    """How far a session has come."""

    segment: int
    """The one being fetched."""
    last_rung: int
    remembered: int
    """Downloads in the history."""
    have: Have


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


def can_play(presentation: Presentation, config: PlayerConfig) -> bool:
    """Whether this simulator plays ``presentation`` with ``config``; else the player must."""
    side = presentation.side_files
    if side is not None:
        if config.connections < MOST_TOGETHER or presentation.rungs > MOST_RUNGS:
            return False
        keys = [] if side.keys is None else side.keys.tolist()
        # Keys come in order, so the newest tells which are here.
        if any(b < a for a, b in pairwise(keys)) or (keys and side.init_key > keys[0]):
            return False
    if config.fast_switch:
        return False
    if presentation.audio_sizes_bytes is None:
        return True
    return config.tracks == "in-turn" and _is_audio_in_turn(presentation)


def _is_audio_in_turn(presentation: Presentation) -> bool:
    """Whether the audio of every segment is due after its video and before the next."""
    if presentation.audio_durations_s is None:
        return True
    ends_s = list(accumulate(presentation.audio_durations_s.tolist(), initial=0.0))
    video_s = list(accumulate(presentation.durations_s.tolist(), initial=0.0))
    middles = [(a + b) / 2 for a, b in pairwise(ends_s)]
    return all(
        begin <= middle < end
        for middle, (begin, end) in zip(middles, pairwise(video_s), strict=True)
    )


def link_for(trace: Trace, options: Options) -> LinkTable:
    """The tables of a trace, whatever its end rule."""
    return link_of(trace, rtt_s=options.rtt_s, ever_s=math.inf)


def session(
    params: Any,
    state: Any,
    presentation: PresentationTable,
    link: LinkTable,
    options: Options,
    out: Out,
) -> None:
    """Play one session and fill ``out``."""
    clear(out)
    thresholds = thresholds_of(options)
    segments = len(presentation.durations_s)
    at, fetched_s = begin_session(thresholds), 0.0
    have, known = NOTHING, sizes_known(presentation, out.known_bytes)
    if HAS_SIDE_FILES:
        at, have = fetch_first_playlists(
            at, presentation, link, options, thresholds, out.totals, out.room, out.known_bytes
        )
    position = Position(0, -1, 0, have)
    while at.outcome == COMPLETE and position.segment < segments:
        segment, free_s = position.segment, at.now_s
        duration_s = float(presentation.durations_s[segment])
        goal_s = options.max_buffer_s
        if has_goals(presentation):
            goal_s = float(presentation.goals_s[position.last_rung])
        at = await_room(at, fetched_s, duration_s, goal_s, options, thresholds, out.totals)
        out.totals.idle_s += at.now_s - free_s
        if at.outcome != COMPLETE:
            break
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
            break
        fetched_s += duration_s
        is_last = segment == segments - 1
        ready_s = fetched_s
        if HAS_AUDIO:
            ready_s = ready_before_audio_s(at, presentation, segment, fetched_s)
        at = note_arrival(at, ready_s, is_last and not HAS_AUDIO, thresholds, out, segment)
        position = note(fetched, out, position)
        if CAN_LEARN:
            learn(params, state, fetched, observe(presentation, options, out, known, at, position))
        if HAS_AUDIO:
            at, have = fetch_audio(
                at,
                position.have,
                presentation,
                link,
                options,
                thresholds,
                out.totals,
                out.room,
                segment,
            )
            if at.outcome != COMPLETE:
                break
            position = Position(segment, position.last_rung, position.remembered, have)
            ready_s = ready_with_audio_s(presentation, segment, fetched_s)
            at = note_arrival(at, ready_s, is_last, thresholds, out, segment)
        position = Position(segment + 1, position.last_rung, position.remembered, position.have)
    if at.outcome == COMPLETE:
        at = play_out(at, options, thresholds, out.totals)
    close(presentation, at, out, position)


def clear(out: Out) -> None:
    """Forget the session before."""
    clear_totals(out.totals)
    out.totals.startup_s = math.nan
    for segment in range(len(out.rungs)):
        out.rungs[segment] = -1.0
        for row in range(len(out.columns)):
            out.columns[row, segment] = 0.0


def observe(
    presentation: PresentationTable,
    options: Options,
    out: Out,
    known: FloatArray,
    at: At,
    position: Position,
) -> Observation:
    """What the algorithm is shown."""
    return Observation(
        at.now_s,
        position.segment,
        buffer_s(at.head, at.now_s),
        options.max_buffer_s,
        position.last_rung,
        at.head.state == IS_PLAYING,
        presentation.ladder_bps,
        known,
        presentation.durations_s,
        downloads_so_far(out.history, position.remembered),
    )


def has_goals(presentation: PresentationTable) -> bool:
    """Whether it depends on the rung how much is buffered."""
    return len(presentation.goals_s) > 0


def is_legal(decision: Decision, presentation: PresentationTable, segment: int) -> bool:
    """Whether the algorithm asks for what there is."""
    is_there = 0 <= decision.rung < len(presentation.ladder_bps) and decision.segment in (
        -1,
        segment,
    )
    return is_there and 0 <= decision.wait_s < math.inf


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
    totals, room, have, needs = out.totals, out.room, position.have, 0
    while True:
        decided_s = at.now_s
        if not is_legal(decision, presentation, position.segment):
            return fetch_nothing(At(at.now_s, at.head, REFUSED), have, decision)
        at = await_time(at, decided_s + decision.wait_s, options, thresholds, totals)
        if has_goals(presentation):
            next_s = float(presentation.durations_s[position.segment])
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
        if at.outcome != COMPLETE:
            return fetch_nothing(at, have, decision)
        size_bytes = float(presentation.sizes_bytes[decision.rung, position.segment])
        if HAS_SIDE_FILES:
            needs = list_needs(presentation, have, room, position.segment, decision.rung)
            transfer = ask_with(link, options, at.now_s, have, room, needs, size_bytes)
        else:
            transfer = ask_alone(link, options, at.now_s, have, size_bytes)
        totals.downloads += needs + 1
        before_s = buffer_s(at.head, at.now_s)
        have = with_connections(have, needs + 1, transfer.period)
        fetched = Fetched(at, have, transfer, size_bytes, decision, decided_s, before_s)
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
        if at.outcome != COMPLETE:
            return fetched
        if HAS_SIDE_FILES:
            if outlasts(room, needs, at.now_s):
                return end_early(fetched, At(at.now_s, at.head, BEYOND))
            if needs > 0:
                have = take_needs(
                    presentation, have, totals, room, needs, position.segment, decision.rung
                )
                fetched = take_have(fetched, have)
        if fetched.decision.rung == decision.rung:
            return fetched
        # An abandoned download closes its connection.
        have = Have(have.connections - 1, have.playlists, have.inits, have.key, have.period)
        decision = fetched.decision


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
    at, transfer, size_bytes, rung = asked.at, asked.transfer, asked.size_bytes, asked.decision.rung
    ask_at_s, overhead_bytes = math.inf, options.overhead_bytes
    if CAN_RECONSIDER and rung > 0:
        ask_at_s = at.now_s + options.reconsider_every_s
    idle_at_s = transfer.first_byte_s + options.idle_limit_s
    known_bytes = size_bytes
    if HAS_SIDE_FILES and needs > 0 and others_end_s(out.room, needs + 1) > idle_at_s - INSTANT_S:
        return end_early(asked, At(at.now_s, at.head, BEYOND))  # their alarms come first
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
        if at.outcome != COMPLETE:
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
    return Fetched(at, have, Transfer(0.0, 0.0, 0.0, 0.0, 0), 0.0, decision, at.now_s, 0.0)


def count_lost(totals: Totals, size_bytes: float) -> None:
    """Bytes came of a download that was not finished."""
    totals.downloaded_bytes += size_bytes
    totals.wasted_bytes += size_bytes


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


def close(presentation: PresentationTable, at: At, out: Out, position: Position) -> None:
    """Sum up; a stall still open counts up to now."""
    totals, head = out.totals, at.head
    if at.outcome != COMPLETE:
        leave(head, at.now_s, totals)
        if head.state == IS_STALLED and position.segment < len(presentation.durations_s):
            note_stall(out, position.segment, head.since_s, at.now_s)
    totals.ended_s = at.now_s
    totals.outcome = at.outcome
    shown = count_shown(presentation, at, out)
    sum_rungs(presentation, out, shown, totals.played_s)


def count_shown(presentation: PresentationTable, at: At, out: Out) -> int:
    """Of how many segments something was shown; the bytes of all others were wasted."""
    start_s, shown, segments = 0.0, 0, len(presentation.durations_s)
    while shown < segments:
        if out.rungs[shown] < 0 or shown_at_s(at.head, start_s) > at.now_s:
            break
        start_s += presentation.durations_s[shown]
        shown += 1
    for segment in range(shown, segments):
        out.totals.wasted_bytes += out.columns[SIZE_BYTES, segment]
    return shown
