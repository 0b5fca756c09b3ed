"""One session as Sabre plays it: a fluid link with latency, a buffer, an algorithm.

* one request at a time: a wait of one unit of latency, each period's price for as long
  as it lasts, then a transfer at the period's capacity; the trace starts again after its
  last period, and its clock moves in waits, transfers and idle time alike
* segment 0 comes at ``first_rung`` without asking; what it takes is start-up
* a segment that does not fit the buffer waits for room first
* an algorithm is asked about a download under way each time both ``question_s`` and
  ``question_bytes`` have passed; not about segment 0. What came of an abandoned
  download is lost, and the algorithm is asked anew for the same segment: the rung that it
  abandoned for binds nobody
* a segment downloaded again takes the place of the first copy unless that has begun to
  play. Such a download neither waits for the algorithm nor adds to the buffer
* an illegal answer ends the session, as ``REFUSED``
* a stall that has not ended when the next download begins is one event

Source: Spiteri, Sitaraman, Sparacio, From Theory to Practice, MMSys 2018, and Sabre at
commit 09b03bb, whose sessions this reproduces. Another model of player and link than ours,
on purpose: nothing of ``player.playback.playhead`` or ``abr.capacity`` is used.

The arithmetic is done in its units and order, milliseconds and bits, so that the network's
clock is the same to the last bit: algorithms that ask whether half a second has passed are
asked when it has but for rounding. Lengths and waits are those that ``tables.in_ms``
has, which are what they were before they were divided by a thousand.

deviation: segments may differ in length here.

deviation: an algorithm may abandon for ever, because what was abandoned teaches it nothing. When
a thousand downloads per segment of the title have been abandoned, it is asked about them
no more, so that every session ends.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from abr.decision import Decision, Download, Observation, Progress
from abr.media import FloatArray, Presentation
from abr.trace import Trace
from player.batch.configurations import SABRE_CONFIGURATIONS
from player.batch.hooks import (
    CAN_LEARN,
    CAN_RECONSIDER,
    choose,
    delivered,
    reconsider,
    waited,
)
from player.batch.simulators import Simulator
from player.batch.tables import (
    BUFFER_BEFORE_S,
    COMPLETE,
    END_S,
    FIRST_BYTE_S,
    REFUSED,
    RUNG,
    SIZE_BYTES,
    STALL_S,
    START_S,
    LinkTable,
    Out,
    PresentationTable,
    clear_totals,
    downloads_so_far,
    endless_link_of,
    presentation_table_of,
    remember,
    sum_rungs,
)

_MS = 1e3
_MOST_ABANDONED = 1000
# Questions are told to be this long after the request, rounded down: what Sabre's rounding
# puts an instant too early must stay too early for an algorithm that allows for rounding.
_GRAINS_PER_MS, _GRAIN_S = 5e5, 2e-9


class Options(NamedTuple):
    """What a session in this preset may be told."""

    max_buffer_s: float = 25.0
    """A segment is asked for only when it fits below this."""
    abandon: bool = True
    """Whether the algorithm is asked about downloads under way."""
    first_rung: int = 0
    """Rung of segment 0; -1 asks the algorithm for it as well."""
    question_s: float = 0.05
    """Least time between questions about a download."""
    question_bytes: float = 1500.0
    """Least that arrives between questions about a download."""
    max_bitrate_bps: float = 0.0
    """Ceiling of the ladder, as of our own player; 0: none."""
    max_height: float = 0.0
    """The same in lines of the picture."""


class Place(NamedTuple):
    """Where the clock of a trace stands."""

    period: int
    left_ms: float
    """Time left in the period."""


class Playback(NamedTuple):
    """Where a session stands between two downloads."""

    now_ms: float
    """Since play was asked for."""
    period: int
    """Period of the trace; with ``left_ms`` a ``Place``."""
    left_ms: float
    head: int
    """Segment that plays, or is to play next."""
    coming: int
    """First segment that is not in the buffer."""
    consumed_ms: float
    """Of the segment that plays."""
    buffered_ms: float
    """Length of all segments in the buffer, the one that plays in full."""
    stalled_ms: float
    """Time without playback since the newest segment arrived."""
    remembered: int
    """Downloads in the history."""


class Fetched(NamedTuple):
    """How a download went."""

    period: int
    left_ms: float
    latency_ms: float
    """From request to first byte."""
    took_ms: float
    """From request to last byte, or until it was given up."""
    received_bytes: float
    is_complete: bool


def begin(link: LinkTable) -> Playback:
    """A session before its first request."""
    return Playback(0.0, 0, link.lengths_ms[0], 0, 0, 0.0, 0.0, 0.0, 0)


def level_ms(at: Playback) -> float:
    """Media in the buffer that has not played."""
    return at.buffered_ms - at.consumed_ms


def let_pass(link: LinkTable, period: int, left_ms: float, time_ms: float) -> Place:
    """Where the clock stands ``time_ms`` later."""
    last = len(link.lengths_ms) - 1
    while time_ms > left_ms:
        time_ms -= left_ms
        period = period + 1 if period < last else 0
        left_ms = link.lengths_ms[period]
    return Place(period, left_ms - time_ms)


def wait_latency(link: LinkTable, period: int, left_ms: float) -> tuple[int, float, float]:
    """One unit of latency: period, time left in it, and what it took."""
    took_ms, units = 0.0, 1.0
    last = len(link.lengths_ms) - 1
    while True:
        rtt_ms = link.rtt_ms[period]
        rest_ms = units * rtt_ms
        if rest_ms <= left_ms:
            return period, left_ms - rest_ms, took_ms + rest_ms
        took_ms += left_ms
        units -= left_ms / rtt_ms
        period = period + 1 if period < last else 0
        left_ms = link.lengths_ms[period]


def transfer(link: LinkTable, period: int, left_ms: float, bits: float) -> tuple[int, float, float]:
    """All of ``bits``: period, time left in it, and what it took."""
    took_ms = 0.0
    last = len(link.lengths_ms) - 1
    while True:
        kbps = link.capacity_bps[period] / _MS
        room = left_ms * kbps
        if bits <= room:
            rest_ms = bits / kbps if bits > 0 else 0.0
            return period, left_ms - rest_ms, took_ms + rest_ms
        took_ms += left_ms
        bits -= room
        period = period + 1 if period < last else 0
        left_ms = link.lengths_ms[period]


def transfer_some(
    link: LinkTable, period: int, left_ms: float, bits: float, least_bits: float, least_ms: float
) -> tuple[int, float, float, float]:
    """``bits``, but no more than until both ``least_bits`` and ``least_ms`` have passed.

    Period, time left in it, what it took and how many bits came.
    """
    took_ms = got = 0.0
    last = len(link.lengths_ms) - 1
    while bits > 0 and (least_bits > 0 or least_ms > 0):
        kbps = link.capacity_bps[period] / _MS
        enough = max(least_bits, least_ms * kbps)
        room = left_ms * kbps
        if kbps > 0 and min(bits, enough) <= room:
            part = min(bits, enough)
            rest_ms = part / kbps
            return period, left_ms - rest_ms, took_ms + rest_ms, got + part
        if kbps <= 0 and least_bits <= 0 and least_ms <= left_ms:
            return period, left_ms - least_ms, took_ms + least_ms, got
        took_ms += left_ms
        got += room
        bits -= room
        least_bits -= room
        least_ms -= left_ms
        period = period + 1 if period < last else 0
        left_ms = link.lengths_ms[period]
    return period, left_ms, took_ms, got


def play(
    durations_ms: FloatArray, head: int, coming: int, consumed_ms: float, time_ms: float
) -> tuple[int, float, float]:
    """Play for ``time_ms``: what plays then, how much of it has, and what time was left."""
    while head < coming:
        segment_ms = durations_ms[head]
        if time_ms + consumed_ms < segment_ms:
            return head, consumed_ms + time_ms, 0.0
        time_ms -= segment_ms - consumed_ms
        head, consumed_ms = head + 1, 0.0
    return head, consumed_ms, time_ms


def media_ms(durations_ms: FloatArray, first: int, end: int) -> float:
    """Length of the segments from ``first`` on, without ``end``."""
    sum_ms = 0.0
    for segment in range(first, end):
        sum_ms += durations_ms[segment]
    return sum_ms


def buffered_after_ms(presentation: PresentationTable, at: Playback, head: int) -> float:
    """Length of the segments in the buffer when ``head`` plays."""
    if head == at.head:
        return at.buffered_ms
    if head == at.coming:
        return 0.0
    return at.buffered_ms - media_ms(presentation.durations_ms, at.head, head)


def level_after_ms(presentation: PresentationTable, at: Playback, time_ms: float) -> float:
    """The buffer level ``time_ms`` later."""
    head, consumed_ms, _ = play(
        presentation.durations_ms, at.head, at.coming, at.consumed_ms, time_ms
    )
    return buffered_after_ms(presentation, at, head) - consumed_ms


def observe(
    options: Options, presentation: PresentationTable, out: Out, at: Playback, segment: int
) -> Observation:
    """What an algorithm sees; ``segment`` is the one it is asked about."""
    buffer_ms = level_ms(at)
    return Observation(
        at.now_ms / _MS,
        segment,
        buffer_ms / _MS,
        options.max_buffer_s,
        int(out.rungs[at.coming - 1]) if at.coming > 0 else -1,
        buffer_ms > 0,
        presentation.ladder_bps,
        presentation.sizes_bytes,
        presentation.durations_s,
        downloads_so_far(out.history, at.remembered),
    )


def idle(
    presentation: PresentationTable, link: LinkTable, out: Out, at: Playback, time_ms: float
) -> Playback:
    """Play without downloading for ``time_ms``."""
    period, left_ms = let_pass(link, at.period, at.left_ms, time_ms)
    out.totals.idle_s += time_ms / _MS
    return move_on(presentation, out, at, period, left_ms, time_ms)


def move_on(
    presentation: PresentationTable,
    out: Out,
    at: Playback,
    period: int,
    left_ms: float,
    time_ms: float,
) -> Playback:
    """Playback ``time_ms`` later, the trace's clock at its new place, stalls counted."""
    head, consumed_ms, short_ms = play(
        presentation.durations_ms, at.head, at.coming, at.consumed_ms, time_ms
    )
    stalled_ms = at.stalled_ms
    if short_ms > 0 and at.coming > 0:
        stalled_ms += short_ms
        out.totals.stall_s += short_ms / _MS
        if at.head < at.coming:
            out.totals.stall_events += 1
    return Playback(
        at.now_ms + time_ms,
        period,
        left_ms,
        head,
        at.coming,
        consumed_ms,
        buffered_after_ms(presentation, at, head),
        stalled_ms,
        at.remembered,
    )


def fetch(
    params: Any,
    state: Any,
    presentation: PresentationTable,
    link: LinkTable,
    options: Options,
    at: Playback,
    seen: Observation,
    segment: int,
    rung: int,
    may_ask: bool,
) -> Fetched:
    """Download a segment, or what came of it until the algorithm gave it up."""
    size_bytes = float(presentation.sizes_bytes[rung, segment])
    period, left_ms, latency_ms = wait_latency(link, at.period, at.left_ms)
    bits = 8 * size_bytes
    if not (CAN_RECONSIDER and may_ask):
        period, left_ms, took_ms = transfer(link, period, left_ms, bits)
        return Fetched(period, left_ms, latency_ms, latency_ms + took_ms, size_bytes, True)
    question_ms = options.question_s * _MS
    least_bits = 8 * options.question_bytes
    start_s, first_byte_s = at.now_ms / _MS, (at.now_ms + latency_ms) / _MS
    got_bits, elapsed_ms, pause_ms = 0.0, latency_ms, question_ms - latency_ms
    while True:
        period, left_ms, took_ms, came_bits = transfer_some(
            link, period, left_ms, bits - got_bits, least_bits, pause_ms
        )
        elapsed_ms += took_ms
        got_bits += came_bits
        if got_bits >= bits:
            return Fetched(period, left_ms, latency_ms, elapsed_ms, size_bytes, True)
        pause_ms = question_ms
        progress = Progress(
            start_s + math.floor(elapsed_ms * _GRAINS_PER_MS) * _GRAIN_S,
            segment,
            rung,
            size_bytes,
            got_bits / 8,
            start_s,
            first_byte_s,
            level_after_ms(presentation, at, elapsed_ms) / _MS,
        )
        if reconsider(params, state, seen, progress).rung < rung:
            return Fetched(period, left_ms, latency_ms, elapsed_ms, got_bits / 8, False)


def step(
    params: Any,
    state: Any,
    presentation: PresentationTable,
    link: LinkTable,
    options: Options,
    out: Out,
    at: Playback,
    seen: Observation,
    decision: Decision,
) -> Playback:
    """Do what the algorithm decided on seeing ``seen``: wait, download, play meanwhile, keep.

    Afterwards ``coming`` is one more, or the same when the download was given up or
    replaced an earlier segment.
    """
    segment, rung = at.coming, decision.rung
    if 0 <= decision.segment < segment:
        segment = decision.segment
    elif decision.wait_s > 0:
        at = idle(presentation, link, out, at, decision.wait_s * _MS)
    before = at
    may_ask = options.abandon and at.coming > 0
    if may_ask and out.totals.abandoned >= _MOST_ABANDONED * len(presentation.durations_ms):
        may_ask = False
    got = fetch(params, state, presentation, link, options, at, seen, segment, rung, may_ask)
    at = move_on(presentation, out, at, got.period, got.left_ms, got.took_ms)
    out.totals.downloads += 1
    out.totals.downloaded_bytes += got.received_bytes
    if not got.is_complete:
        out.totals.abandoned += 1
        out.totals.wasted_bytes += got.received_bytes
        return at
    start_s, end_s = before.now_ms / _MS, at.now_ms / _MS
    first_byte_s = (before.now_ms + got.latency_ms) / _MS
    size_bytes = got.received_bytes
    remembered = remember(
        out.history, at.remembered, segment, rung, size_bytes, start_s, first_byte_s, end_s
    )
    coming, buffered_ms, stalled_ms = at.coming, at.buffered_ms, at.stalled_ms
    is_in_time = True
    if segment == coming:
        out.columns[STALL_S, segment] = stalled_ms / _MS
        coming, stalled_ms = coming + 1, 0.0
        buffered_ms += presentation.durations_ms[segment]
    elif level_ms(at) >= media_ms(presentation.durations_ms, segment, coming):
        out.totals.replaced += 1
        out.totals.wasted_bytes += out.columns[SIZE_BYTES, segment]
    else:
        is_in_time = False
        out.totals.wasted_bytes += size_bytes
    if is_in_time:
        out.rungs[segment] = rung
        columns = out.columns
        columns[RUNG, segment] = rung
        columns[START_S, segment] = start_s
        columns[FIRST_BYTE_S, segment] = first_byte_s
        columns[END_S, segment] = end_s
        columns[SIZE_BYTES, segment] = size_bytes
        columns[BUFFER_BEFORE_S, segment] = level_ms(before) / _MS
    at = Playback(
        at.now_ms,
        at.period,
        at.left_ms,
        at.head,
        coming,
        at.consumed_ms,
        buffered_ms,
        stalled_ms,
        remembered,
    )
    if CAN_LEARN:
        download = Download(segment, rung, size_bytes, start_s, first_byte_s, end_s)
        delivered(params, state, observe(options, presentation, out, at, segment), download)
    return at


def turn(
    params: Any,
    state: Any,
    presentation: PresentationTable,
    link: LinkTable,
    options: Options,
    out: Out,
    at: Playback,
) -> Playback:
    """Wait for room, ask the algorithm, and do what it says."""
    at, full_ms = make_room(presentation, link, options, out, at)
    seen = observe(options, presentation, out, at, at.coming)
    if full_ms > 0:
        waited(params, state, seen, full_ms / _MS)
    decision = choose(params, state, seen)
    if not is_legal(decision, presentation, at):
        out.totals.outcome = REFUSED
        return at
    return step(params, state, presentation, link, options, out, at, seen, decision)


def is_legal(decision: Decision, presentation: PresentationTable, at: Playback) -> bool:
    """Whether the algorithm asks for what there is, and for nothing that has begun to play."""
    if not (0 <= decision.rung < len(presentation.ladder_bps) and 0 <= decision.wait_s < math.inf):
        return False
    segment = decision.segment
    if segment == -1 or segment == at.coming:  # noqa: PLR1714  # compiled code knows no sets
        return True
    if not 0 <= segment < at.coming:
        return False
    return media_ms(presentation.durations_ms, segment, at.coming) <= level_ms(at)


def make_room(
    presentation: PresentationTable, link: LinkTable, options: Options, out: Out, at: Playback
) -> tuple[Playback, float]:
    """Play until the next segment fits the buffer; how long that took."""
    segment_ms = presentation.durations_ms[at.coming]
    full_ms = level_ms(at) + segment_ms - options.max_buffer_s * _MS
    if full_ms > 0:
        return idle(presentation, link, out, at, full_ms), full_ms
    return at, 0.0


def start(
    params: Any,
    state: Any,
    presentation: PresentationTable,
    link: LinkTable,
    options: Options,
    out: Out,
) -> Playback:
    """Download segment 0."""
    clear_totals(out.totals)
    at = begin(link)
    seen = observe(options, presentation, out, at, 0)
    decision = Decision(options.first_rung, 0.0, 0, -1)
    if options.first_rung < 0:
        decision = choose(params, state, seen)
    if not is_legal(decision, presentation, at):
        out.totals.outcome = REFUSED
        return at
    at = step(params, state, presentation, link, options, out, at, seen, decision)
    out.totals.startup_s = at.now_ms / _MS
    return at


def finish(presentation: PresentationTable, out: Out, at: Playback) -> None:
    """Play what is left and fill the totals; those of a session that was refused mean little."""
    out.totals.played_s = media_ms(presentation.durations_ms, 0, at.coming) / _MS
    out.totals.ended_s = out.totals.startup_s + out.totals.played_s + out.totals.stall_s
    sum_rungs(presentation, out, len(presentation.durations_s), math.inf)


def session(
    params: Any,
    state: Any,
    presentation: PresentationTable,
    link: LinkTable,
    options: Options,
    out: Out,
) -> None:
    """Play all of ``presentation`` over ``link``."""
    at = start(params, state, presentation, link, options, out)
    while at.coming < len(presentation.durations_s) and out.totals.outcome == COMPLETE:
        at = turn(params, state, presentation, link, options, out, at)
    finish(presentation, out, at)


def _presentation_table(presentation: Presentation, options: Options) -> PresentationTable:
    return presentation_table_of(presentation)


def _link_table(trace: Trace, options: Options) -> LinkTable:
    return endless_link_of(trace)


SABRE = Simulator(
    name="sabre",
    session=session,
    options=Options,
    presentation_table=_presentation_table,
    link_table=_link_table,
    configurations=SABRE_CONFIGURATIONS,
)
