"""One session as our own player plays it over a link of its own.

The compiled form of ``player.session.PlaybackSession`` driven by ``player.drivers.virtual``
over ``abr.link.SharedLink``, for a bare presentation: what comes out is that log, field by
field. The first request opens a connection, later ones reuse it, an abandoned download
closes it. Where a presentation has audio of its own, each segment's follows its video, as
with ``tracks = "in-turn"``.

What it leaves to the player itself: a request that meets a limit in time ends the session
here as ``BEYOND``, because what follows is drawn by chance, and ``player.batch.run.batch``
has the player play it; tracks fetched together; segments downloaded again. ``can_play``
says what it plays.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from abr.capacity import Transfer, received_bytes, request
from abr.decision import Decision, Download, Observation, Progress
from abr.media import FloatArray, Presentation
from abr.trace import Trace
from player.batch.abrkit.timeline import (
    DECIDED_S,
    MORE_COLUMNS,
    STALL_START_S,
    At,
    Options,
    arrived,
    await_room,
    await_time,
    await_transfer,
    begun,
    config_of,
    leave,
    meets_limit,
    moved,
    options_of,
    play_out,
)
from player.batch.hooks import (
    CAN_LEARN,
    CAN_RECONSIDER,
    choose,
    delivered,
    reconsider,
    waited,
)
from player.batch.tables import (
    ABANDONED,
    BEYOND,
    BITRATE_CHANGE,
    BITRATE_TIME,
    BUFFER_BEFORE_S,
    COMPLETE,
    DOWNLOADED,
    DOWNLOADS,
    END_S,
    ENDED,
    FIRST_BYTE_S,
    IDLE,
    OUTCOME,
    PLAYED,
    REFUSED,
    RUNG,
    SHOWN,
    SIZE_BYTES,
    STALL_S,
    START_S,
    STARTUP,
    SWITCHES,
    UTILITY_CHANGE,
    UTILITY_TIME,
    WASTED,
    Film,
    LinkTable,
    Out,
    downloads_so_far,
    link_of,
    remember,
)
from player.config import PlayerConfig
from player.playhead import PLAYING as IS_PLAYING
from player.playhead import STALLED as IS_STALLED
from player.playhead import Thresholds, buffer_s, shown_at_s, thresholds_of
from player.requests import INSTANT_S

__all__ = [
    "MORE_COLUMNS",
    "Options",
    "can_play",
    "config_of",
    "link_for",
    "options_of",
    "session",
]


class Way(NamedTuple):
    """How far a session has come."""

    segment: int
    """The one being fetched."""
    last_rung: int
    remembered: int
    """Downloads in the history."""
    is_connected: bool
    """Whether a connection is open."""
    period: int
    """Of the trace, at the last first byte."""


class Fetched(NamedTuple):
    """How a video segment was fetched, or where that ended."""

    at: At
    transfer: Transfer
    size_bytes: float
    """Received and reported."""
    decision: Decision
    """The last one; after an abandoned download, what is to take its place."""
    decided_s: float
    buffer_before_s: float


def can_play(presentation: Presentation, config: PlayerConfig) -> bool:
    """Whether this kernel plays ``presentation`` with ``config``; else the player must."""
    return presentation.audio_sizes_bytes is None or config.tracks == "in-turn"


def link_for(trace: Trace, options: Options) -> LinkTable:
    """The tables of a trace, whatever its end rule."""
    return link_of(trace, rtt_s=options.rtt_s, ever_s=math.inf)


def session(
    params: Any, state: Any, film: Film, link: LinkTable, options: Options, out: Out
) -> None:
    """Play one session and fill ``out``."""
    clear(out)
    thresholds = thresholds_of(options)
    segments, has_audio = len(film.durations_s), len(film.audio_bytes) > 0
    at, fetched_s = begun(thresholds), 0.0
    way = Way(0, -1, 0, False, 0)
    while at.outcome == COMPLETE and way.segment < segments:
        segment, free_s = way.segment, at.now_s
        duration_s = float(film.durations_s[segment])
        at = await_room(at, fetched_s, duration_s, options, thresholds, out.totals)
        out.totals[IDLE] += at.now_s - free_s
        if at.outcome != COMPLETE:
            break
        seen = observe(film, options, out, at, way)
        if at.now_s > free_s:
            waited(params, state, seen, at.now_s - free_s)
        decision = choose(params, state, seen)
        fetched = fetch(params, state, film, link, options, thresholds, out, at, way, decision)
        at = fetched.at
        if at.outcome != COMPLETE:
            break
        fetched_s += duration_s
        is_last = segment == segments - 1
        if not has_audio:
            at = arrived(at, fetched_s, is_last, thresholds, out, segment)
        way = note(fetched, out, way)
        if CAN_LEARN:
            learn(params, state, fetched, observe(film, options, out, at, way))
        if has_audio:
            transfer = ask_for(link, options, at.now_s, float(film.audio_bytes[segment]), way)
            out.totals[DOWNLOADS] += 1
            at = await_transfer(at, transfer, options, thresholds, out.totals)
            if at.outcome != COMPLETE:
                break
            out.totals[DOWNLOADED] += film.audio_bytes[segment]
            at = arrived(at, fetched_s, is_last, thresholds, out, segment)
        way = Way(segment + 1, way.last_rung, way.remembered, True, way.period)
    if at.outcome == COMPLETE:
        at = play_out(at, options, thresholds, out.totals)
    close(film, at, out, way)


def clear(out: Out) -> None:
    """Forget the session before."""
    for i in range(len(out.totals)):  # loops compile sooner than slices
        out.totals[i] = 0.0
    out.totals[STARTUP] = math.nan
    for segment in range(len(out.rungs)):
        out.rungs[segment] = -1.0
        for row in range(len(out.columns)):
            out.columns[row, segment] = 0.0


def observe(film: Film, options: Options, out: Out, at: At, way: Way) -> Observation:
    """What the rule is shown."""
    return Observation(
        at.now_s,
        way.segment,
        buffer_s(at.head, at.now_s),
        options.max_buffer_s,
        way.last_rung,
        at.head.state == IS_PLAYING,
        film.ladder_bps,
        film.sizes_bytes,
        film.durations_s,
        downloads_so_far(out.history, way.remembered),
    )


def is_legal(decision: Decision, film: Film, segment: int) -> bool:
    """Whether the rule asks for what there is."""
    is_there = 0 <= decision.rung < len(film.ladder_bps) and decision.segment in (-1, segment)
    return is_there and 0 <= decision.wait_s < math.inf


def ask_for(
    link: LinkTable, options: Options, now_s: float, size_bytes: float, way: Way
) -> Transfer:
    """Send a request."""
    return request(
        link,
        now_s,
        way.is_connected,
        size_bytes,
        options.overhead_bytes,
        options.server_s,
        way.period,
    )


def fetch(
    params: Any,
    state: Any,
    film: Film,
    link: LinkTable,
    options: Options,
    thresholds: Thresholds,
    out: Out,
    at: At,
    way: Way,
    decision: Decision,
) -> Fetched:
    """Until a segment is here, however often the rule changes its mind."""
    fetched = Fetched(at, Transfer(0.0, 0.0, 0.0, 0.0, 0), 0.0, decision, at.now_s, 0.0)
    while at.outcome == COMPLETE:
        decided_s = at.now_s
        if not is_legal(decision, film, way.segment):
            return refused(fetched)
        at = await_time(at, decided_s + decision.wait_s, options, thresholds, out.totals)
        out.totals[IDLE] += at.now_s - decided_s
        if at.outcome != COMPLETE:
            return ended(fetched, at)
        size_bytes = float(film.sizes_bytes[decision.rung, way.segment])
        transfer = ask_for(link, options, at.now_s, size_bytes, way)
        out.totals[DOWNLOADS] += 1
        fetched = Fetched(
            at, transfer, size_bytes, decision, decided_s, buffer_s(at.head, at.now_s)
        )
        fetched = download(params, state, film, link, options, thresholds, out, way, fetched)
        at = fetched.at
        if fetched.decision.rung == decision.rung:
            break
        decision = fetched.decision
        way = Way(way.segment, way.last_rung, way.remembered, False, transfer.period)
    return fetched


def download(
    params: Any,
    state: Any,
    film: Film,
    link: LinkTable,
    options: Options,
    thresholds: Thresholds,
    out: Out,
    way: Way,
    asked: Fetched,
) -> Fetched:
    """Until a response is complete, or the rule abandons it."""
    at, transfer, size_bytes, rung = asked.at, asked.transfer, asked.size_bytes, asked.decision.rung
    ask_at_s = math.inf
    if CAN_RECONSIDER and rung > 0:
        ask_at_s = at.now_s + options.reconsider_every_s
    # Bytes are summed as a driver reports them: at each alarm, and at the end.
    reported_bytes = got_bytes = 0.0
    while True:
        alarm_s = min(ask_at_s, at.head.begin_at_s)
        is_finished = transfer.end_s <= alarm_s
        until_s = transfer.end_s if is_finished else alarm_s
        if meets_limit(transfer, until_s, options):
            return ended(asked, At(at.now_s, at.head, BEYOND))
        at = moved(at, until_s, options, thresholds, out.totals)
        if is_finished and at.outcome == COMPLETE:
            got_bytes += size_bytes - reported_bytes
            return came(asked, at, got_bytes, asked.decision)
        now_bytes = received_bytes(link, transfer, size_bytes, options.overhead_bytes, at.now_s)
        got_bytes += now_bytes - reported_bytes
        reported_bytes = now_bytes
        if at.outcome != COMPLETE:
            lost(out.totals, now_bytes)
            return ended(asked, at)
        if CAN_RECONSIDER and at.now_s + INSTANT_S >= ask_at_s:
            progress = Progress(
                at.now_s,
                way.segment,
                rung,
                size_bytes,
                got_bytes,
                transfer.start_s,
                transfer.first_byte_s if transfer.first_byte_s <= at.now_s else math.nan,
                buffer_s(at.head, at.now_s),
            )
            seen = observe(film, options, out, at, way)
            answer = reconsider(params, state, seen, progress)
            if answer.rung < rung:
                lost(out.totals, now_bytes)
                out.totals[ABANDONED] += 1
                return came(asked, at, got_bytes, answer)
            ask_at_s = at.now_s + options.reconsider_every_s


def came(asked: Fetched, at: At, size_bytes: float, decision: Decision) -> Fetched:
    """A download ended with so many bytes received."""
    return Fetched(at, asked.transfer, size_bytes, decision, asked.decided_s, asked.buffer_before_s)


def ended(fetched: Fetched, at: At) -> Fetched:
    """The session ended on the way."""
    return came(fetched, at, fetched.size_bytes, fetched.decision)


def refused(fetched: Fetched) -> Fetched:
    """The rule's answer is not legal."""
    return ended(fetched, At(fetched.at.now_s, fetched.at.head, REFUSED))


def lost(totals: FloatArray, size_bytes: float) -> None:
    """Bytes came of a download that was not finished."""
    totals[DOWNLOADED] += size_bytes
    totals[WASTED] += size_bytes


def note(fetched: Fetched, out: Out, way: Way) -> Way:
    """Write down how a video segment came."""
    segment, rung, transfer = way.segment, fetched.decision.rung, fetched.transfer
    end_s = fetched.at.now_s
    out.rungs[segment] = rung
    out.columns[RUNG, segment] = rung
    out.columns[START_S, segment] = transfer.start_s
    out.columns[FIRST_BYTE_S, segment] = transfer.first_byte_s
    out.columns[END_S, segment] = end_s
    out.columns[SIZE_BYTES, segment] = fetched.size_bytes
    out.columns[BUFFER_BEFORE_S, segment] = fetched.buffer_before_s
    out.columns[DECIDED_S, segment] = fetched.decided_s
    out.totals[DOWNLOADED] += fetched.size_bytes
    count = remember(
        out.history,
        way.remembered,
        segment,
        rung,
        fetched.size_bytes,
        transfer.start_s,
        transfer.first_byte_s,
        end_s,
    )
    return Way(segment, rung, count, True, transfer.period)


def learn(params: Any, state: Any, fetched: Fetched, seen: Observation) -> None:
    """Tell the rule of a finished download."""
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


def close(film: Film, at: At, out: Out, way: Way) -> None:
    """Sum up; a stall still open counts up to now."""
    totals, head = out.totals, at.head
    if at.outcome != COMPLETE:
        leave(head, at.now_s, totals)
        if head.state == IS_STALLED and way.segment < len(film.durations_s):
            out.columns[STALL_START_S, way.segment] = head.since_s
            out.columns[STALL_S, way.segment] = at.now_s - head.since_s
    totals[ENDED] = at.now_s
    totals[OUTCOME] = at.outcome
    totals[SHOWN] = sum_shown(film, at, out)


def sum_shown(film: Film, at: At, out: Out) -> int:
    """Fill the totals that follow from what was shown; how many segments that was."""
    totals, ladder_bps = out.totals, film.ladder_bps
    left_s, start_s = float(totals[PLAYED]), 0.0
    bits = change_bps = utility_s = utility_change = 0.0
    switches, before, shown = 0, -1, 0
    for segment in range(len(film.durations_s)):
        rung, duration_s = int(out.rungs[segment]), float(film.durations_s[segment])
        if rung < 0 or shown_at_s(at.head, start_s) > at.now_s:
            break
        shown += 1
        start_s += duration_s
        plays_s = min(max(left_s, 0.0), duration_s)
        left_s -= duration_s
        rate_bps = float(ladder_bps[rung])
        bits += rate_bps * plays_s
        if rung > 0:
            utility_s += math.log(rate_bps / ladder_bps[0]) * plays_s
        if rung != before and before >= 0:
            switches += 1
            change_bps += abs(rate_bps - float(ladder_bps[before]))
            utility_change += abs(math.log(rate_bps / ladder_bps[before]))
        before = rung
    for segment in range(shown, len(film.durations_s)):
        totals[WASTED] += out.columns[SIZE_BYTES, segment]
    totals[BITRATE_TIME] = bits
    totals[BITRATE_CHANGE] = change_bps
    totals[UTILITY_TIME] = utility_s
    totals[UTILITY_CHANGE] = utility_change
    totals[SWITCHES] = switches
    return shown
