"""One session as Sabre plays it: a fluid link with latency, a buffer, a rule.

* one request at a time: a wait of one unit of latency, each period's price for as long
  as it lasts, then a transfer at the period's capacity; the trace starts again after its
  last period, and its clock moves in waits, transfers and idle time alike
* segment 0 comes at ``first_rung`` without asking; what it takes is start-up
* a segment that does not fit the buffer waits for room first
* a rule is asked about a download under way each time both ``question_s`` and
  ``question_bytes`` have passed; not about segment 0. What came of an abandoned
  download is lost, and the rule is asked anew for the same segment: the rung that it
  abandoned for binds nobody
* a segment downloaded again takes the place of the first copy unless that has begun to
  play. Such a download neither waits for the rule nor adds to the buffer
* an illegal answer ends the session, as ``REFUSED``; so do a thousand abandoned downloads
  for each segment, because such a session would not end by itself
* a stall that has not ended when the next download begins is one event

Source: Spiteri, Sitaraman, Sparacio, From Theory to Practice, MMSys 2018, and Sabre at
commit 09b03bb, whose sessions this reproduces.

deviation: segments may differ in length here. Time is counted in seconds, so sums may
differ from Sabre's in the last bits.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from abr.decision import Decision, Download, Observation, Progress
from abr.media import FloatArray
from player.kernels.hooks import (
    CAN_LEARN,
    CAN_RECONSIDER,
    choose,
    delivered,
    reconsider,
    waited,
)
from player.kernels.tables import (
    ABANDONED,
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
    REPLACED,
    RUNG,
    SIZE_BYTES,
    STALL_EVENTS,
    STALL_S,
    STALLED,
    START_S,
    STARTUP,
    WASTED,
    Film,
    LinkTable,
    Out,
    downloads_so_far,
    remember,
    sum_rungs,
)

_MOST_ABANDONED = 1000


class Options(NamedTuple):
    """What a session in this preset may be told."""

    max_buffer_s: float = 25.0
    """A segment is asked for only when it fits below this."""
    abandon: bool = True
    """Whether the rule is asked about downloads under way."""
    first_rung: int = 0
    """Rung of segment 0; -1 asks the rule for it as well."""
    question_s: float = 0.05
    """Least time between questions about a download."""
    question_bytes: float = 1500.0
    """Least that arrives between questions about a download."""


class Place(NamedTuple):
    """Where the clock of a trace stands."""

    period: int
    left_s: float
    """Time left in the period."""


class Playback(NamedTuple):
    """Where a session stands between two downloads."""

    now_s: float
    """Since play was asked for."""
    period: int
    """Period of the trace; with ``left_s`` a ``Place``."""
    left_s: float
    coming: int
    """First segment that is not in the buffer."""
    level_s: float
    """Media in the buffer that has not played."""
    stalled_s: float
    """Time without playback since the newest segment arrived."""
    remembered: int
    """Downloads in the history."""


class Fetched(NamedTuple):
    """How a download went."""

    period: int
    left_s: float
    latency_s: float
    """From request to first byte."""
    took_s: float
    """From request to last byte, or until it was given up."""
    received_bytes: float
    is_complete: bool


def length_s(link: LinkTable, period: int) -> float:
    """Length of a period."""
    return float(link.times_s[period + 1] - link.times_s[period])


def after(link: LinkTable, period: int) -> int:
    """The period that follows."""
    return period + 1 if period + 1 < len(link.capacity_bps) else 0


def begin(link: LinkTable) -> Playback:
    """A session before its first request."""
    return Playback(0.0, 0, length_s(link, 0), 0, 0.0, 0.0, 0)


def let_pass(link: LinkTable, period: int, left_s: float, time_s: float) -> Place:
    """Where the clock stands ``time_s`` later."""
    while time_s > left_s:
        time_s -= left_s
        period = after(link, period)
        left_s = length_s(link, period)
    return Place(period, left_s - time_s)


def wait_latency(link: LinkTable, period: int, left_s: float) -> tuple[int, float, float]:
    """One unit of latency: period, time left in it, and what it took."""
    took_s, units = 0.0, 1.0
    while True:
        rtt_s = float(link.rtt_s[period])
        rest_s = units * rtt_s
        if rest_s <= left_s:
            return period, left_s - rest_s, took_s + rest_s
        took_s += left_s
        units -= left_s / rtt_s
        period = after(link, period)
        left_s = length_s(link, period)


def transfer(link: LinkTable, period: int, left_s: float, bits: float) -> tuple[int, float, float]:
    """All of ``bits``: period, time left in it, and what it took."""
    took_s = 0.0
    while True:
        capacity_bps = float(link.capacity_bps[period])
        room = left_s * capacity_bps
        if bits <= room:
            rest_s = bits / capacity_bps if bits > 0 else 0.0
            return period, left_s - rest_s, took_s + rest_s
        took_s += left_s
        bits -= room
        period = after(link, period)
        left_s = length_s(link, period)


def transfer_some(
    link: LinkTable, period: int, left_s: float, bits: float, least_bits: float, least_s: float
) -> tuple[int, float, float, float]:
    """``bits``, but no more than until both ``least_bits`` and ``least_s`` have passed.

    Period, time left in it, what it took and how many bits came.
    """
    took_s = got = 0.0
    while bits > 0 and (least_bits > 0 or least_s > 0):
        capacity_bps = float(link.capacity_bps[period])
        timed = least_s * capacity_bps
        enough = max(least_bits, timed)
        room = left_s * capacity_bps
        if bits <= enough and bits <= room:
            rest_s = bits / capacity_bps
            return period, left_s - rest_s, took_s + rest_s, got + bits
        if enough <= room and (capacity_bps > 0 or (least_bits <= 0 and least_s <= left_s)):
            rest_s = least_s if timed >= least_bits else least_bits / capacity_bps
            return period, left_s - rest_s, took_s + rest_s, got + enough
        took_s += left_s
        got += room
        bits -= room
        least_bits -= room
        least_s -= left_s
        period = after(link, period)
        left_s = length_s(link, period)
    return period, left_s, took_s, got


def begins_after_s(durations_s: FloatArray, segment: int, coming: int) -> float:
    """The buffer level at which ``segment`` begins to play, ``coming`` being the next to come."""
    level_s = 0.0
    for k in range(segment, coming):
        level_s += durations_s[k]
    return level_s


def observe(options: Options, film: Film, out: Out, at: Playback, segment: int) -> Observation:
    """What a rule sees; ``segment`` is the one it is asked about."""
    return Observation(
        at.now_s,
        segment,
        at.level_s,
        options.max_buffer_s,
        int(out.rungs[at.coming - 1]) if at.coming > 0 else -1,
        at.level_s > 0,
        film.ladder_bps,
        film.sizes_bytes,
        film.durations_s,
        downloads_so_far(out.history, at.remembered),
    )


def idle(link: LinkTable, out: Out, at: Playback, time_s: float) -> Playback:
    """Play without downloading for ``time_s``, no longer than there is media."""
    period, left_s = let_pass(link, at.period, at.left_s, time_s)
    out.totals[IDLE] += time_s
    return _played(out, at, period, left_s, time_s)


def fetch(
    params: Any,
    state: Any,
    film: Film,
    link: LinkTable,
    options: Options,
    at: Playback,
    seen: Observation,
    segment: int,
    rung: int,
) -> Fetched:
    """Download a segment, or what came of it until the rule gave it up."""
    size_bytes = float(film.sizes_bytes[rung, segment])
    period, left_s, latency_s = wait_latency(link, at.period, at.left_s)
    if at.coming == 0 or not (CAN_RECONSIDER and options.abandon):
        period, left_s, took_s = transfer(link, period, left_s, 8 * size_bytes)
        return Fetched(period, left_s, latency_s, latency_s + took_s, size_bytes, True)
    bits, got_bits, elapsed_s = 8 * size_bytes, 0.0, latency_s
    pause_s = options.question_s - latency_s
    least_bits = 8 * options.question_bytes
    while True:
        period, left_s, took_s, came_bits = transfer_some(
            link, period, left_s, bits - got_bits, least_bits, pause_s
        )
        elapsed_s += took_s
        got_bits += came_bits
        if got_bits >= bits:
            return Fetched(period, left_s, latency_s, elapsed_s, size_bytes, True)
        pause_s = options.question_s
        progress = Progress(
            at.now_s + elapsed_s,
            segment,
            rung,
            size_bytes,
            got_bits / 8,
            at.now_s,
            at.now_s + latency_s,
            max(0.0, at.level_s - elapsed_s),
        )
        if reconsider(params, state, seen, progress).rung < rung:
            return Fetched(period, left_s, latency_s, elapsed_s, got_bits / 8, False)


def step(
    params: Any,
    state: Any,
    film: Film,
    link: LinkTable,
    options: Options,
    out: Out,
    at: Playback,
    seen: Observation,
    decision: Decision,
) -> Playback:
    """Do what the rule decided on seeing ``seen``: wait, download, play meanwhile, keep.

    Afterwards ``coming`` is one more, or the same when the download was given up or
    replaced an earlier segment.
    """
    segment, rung = at.coming, decision.rung
    if 0 <= decision.segment < segment:
        segment = decision.segment
    elif decision.wait_s > 0:
        at = idle(link, out, at, decision.wait_s)
    before = at
    got = fetch(params, state, film, link, options, at, seen, segment, rung)
    at = _played(out, at, got.period, got.left_s, got.took_s)
    out.totals[DOWNLOADS] += 1
    out.totals[DOWNLOADED] += got.received_bytes
    if not got.is_complete:
        out.totals[ABANDONED] += 1
        out.totals[WASTED] += got.received_bytes
        return at
    remembered = remember(
        out.history,
        at.remembered,
        segment,
        rung,
        got.received_bytes,
        before.now_s,
        before.now_s + got.latency_s,
        at.now_s,
    )
    coming, level_s, stalled_s = at.coming, at.level_s, at.stalled_s
    if segment == coming:
        out.columns[STALL_S, segment] = stalled_s
        coming, stalled_s = coming + 1, 0.0
        level_s += float(film.durations_s[segment])
        _keep(out, segment, rung, before, got)
    elif level_s >= begins_after_s(film.durations_s, segment, coming):
        out.totals[REPLACED] += 1
        out.totals[WASTED] += out.columns[SIZE_BYTES, segment]
        _keep(out, segment, rung, before, got)
    else:
        out.totals[WASTED] += got.received_bytes
    at = Playback(
        at.now_s,
        at.period,
        at.left_s,
        coming,
        level_s,
        stalled_s,
        remembered,
    )
    if CAN_LEARN:
        download = Download(
            segment,
            rung,
            got.received_bytes,
            before.now_s,
            before.now_s + got.latency_s,
            at.now_s,
        )
        delivered(params, state, observe(options, film, out, at, segment), download)
    return at


def turn(
    params: Any,
    state: Any,
    film: Film,
    link: LinkTable,
    options: Options,
    out: Out,
    at: Playback,
) -> Playback:
    """Wait for room, ask the rule, and do what it says."""
    at, full_s = make_room(film, link, options, out, at)
    seen = observe(options, film, out, at, at.coming)
    if full_s > 0:
        waited(params, state, seen, full_s)
    decision = choose(params, state, seen)
    if not is_legal(decision, film, at):
        out.totals[OUTCOME] = REFUSED
        return at
    return step(params, state, film, link, options, out, at, seen, decision)


def is_legal(decision: Decision, film: Film, at: Playback) -> bool:
    """Whether the rule asks for what there is, and for nothing that has begun to play."""
    if not (0 <= decision.rung < len(film.ladder_bps) and 0 <= decision.wait_s < math.inf):
        return False
    segment = decision.segment
    if segment == -1 or segment == at.coming:  # noqa: PLR1714  # compiled code knows no sets
        return True
    if not 0 <= segment < at.coming:
        return False
    return begins_after_s(film.durations_s, segment, at.coming) <= at.level_s


def make_room(
    film: Film, link: LinkTable, options: Options, out: Out, at: Playback
) -> tuple[Playback, float]:
    """Play until the next segment fits the buffer; how long that took."""
    full_s = at.level_s + float(film.durations_s[at.coming]) - options.max_buffer_s
    if full_s > 0:
        return idle(link, out, at, full_s), full_s
    return at, 0.0


def start(
    params: Any, state: Any, film: Film, link: LinkTable, options: Options, out: Out
) -> Playback:
    """Download segment 0."""
    out.totals[:] = 0.0
    at = begin(link)
    seen = observe(options, film, out, at, 0)
    decision = Decision(options.first_rung, 0.0, 0, -1)
    if options.first_rung < 0:
        decision = choose(params, state, seen)
    if not is_legal(decision, film, at):
        out.totals[OUTCOME] = REFUSED
        return at
    at = step(params, state, film, link, options, out, at, seen, decision)
    out.totals[STARTUP] = at.now_s
    return at


def finish(film: Film, out: Out, at: Playback) -> None:
    """Play what is left and fill the totals; those of a session that was refused mean little."""
    out.totals[PLAYED] = begins_after_s(film.durations_s, 0, at.coming)
    out.totals[ENDED] = out.totals[STARTUP] + out.totals[PLAYED] + out.totals[STALLED]
    sum_rungs(film, out)


def session(
    params: Any, state: Any, film: Film, link: LinkTable, options: Options, out: Out
) -> None:
    """Play all of ``film`` over ``link``."""
    at = start(params, state, film, link, options, out)
    while at.coming < len(film.durations_s) and out.totals[OUTCOME] == COMPLETE:
        at = turn(params, state, film, link, options, out, at)
        if out.totals[ABANDONED] > _MOST_ABANDONED * len(film.durations_s):
            out.totals[OUTCOME] = REFUSED
    finish(film, out, at)


def _played(out: Out, at: Playback, period: int, left_s: float, time_s: float) -> Playback:
    """Playback ``time_s`` later, the trace's clock at its new place."""
    level_s, stalled_s = max(0.0, at.level_s - time_s), at.stalled_s
    if time_s > at.level_s and at.coming > 0:
        short_s = time_s - at.level_s
        stalled_s += short_s
        out.totals[STALLED] += short_s
        if at.level_s > 0:
            out.totals[STALL_EVENTS] += 1
    return Playback(at.now_s + time_s, period, left_s, at.coming, level_s, stalled_s, at.remembered)


def _keep(out: Out, segment: int, rung: int, before: Playback, got: Fetched) -> None:
    out.rungs[segment] = rung
    columns = out.columns
    columns[RUNG, segment] = rung
    columns[START_S, segment] = before.now_s
    columns[FIRST_BYTE_S, segment] = before.now_s + got.latency_s
    columns[END_S, segment] = before.now_s + got.took_s
    columns[SIZE_BYTES, segment] = got.received_bytes
    columns[BUFFER_BEFORE_S, segment] = before.level_s
