"""One session as the Pensieve family's environment plays it, without noise.

Source: the family's ``fixed_env.py`` (Mao, Netravali, Alizadeh, Neural Adaptive Video
Streaming with Pensieve, SIGCOMM 2017). The arithmetic is done in its units and order,
milliseconds and bytes, so that every figure comes out the same to the last bit. Another model
of player and link than ours, on purpose: nothing of ``player.playback.playhead`` or
``abr.capacity`` is used.

* a period carries ``payload`` of its capacity; a segment ends inside a period only when
  the period could carry *more* than what is left
* every request costs one round trip, which does not move the network's clock
* above ``max_buffer_s`` the player sleeps in quanta of ``quantum_s``; then the network's
  clock moves too
* past its last period the network starts again, at 0
* segment 0 is downloaded at ``first_rung`` without asking, and the wait for it is
  counted as rebuffering

deviation: that environment knows no waits of an algorithm's own. Here such a wait plays
from the buffer, what is missing counts as rebuffering, and the network's clock moves.

deviation: the family's program answers with what was left of the sleep after the last
whole period; here a sleep is told as long as it was.

The family asks about no download under way and replaces no segment: ``reconsider`` is
not called, and ``Decision.segment`` is not looked at.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from abr.decision import Download, Observation
from abr.media import FloatArray, Presentation
from abr.trace import Trace
from player.batch.configurations import PENSIEVE_CONFIGURATIONS
from player.batch.cooked import cooked_rows, link_of_rows, whole_bytes
from player.batch.hooks import CAN_LEARN, choose, delivered, waited
from player.batch.simulators import Simulator
from player.batch.tables import (
    BUFFER_BEFORE_S,
    COLUMNS,
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
    remember,
    sum_rungs,
)

MORE_COLUMNS = ("delay_ms", "sleep_ms", "buffer_s", "qoe_lin")
"""Columns of the family's own, filled where ``Out.columns`` has rows for them after
``COLUMNS``: from request to last byte; sleep after it; buffer after both; QoE_lin."""
_DELAY_MS, _SLEEP_MS, _BUFFER_S, _QOE_LIN = range(len(COLUMNS), len(COLUMNS) + 4)


class Options(NamedTuple):
    """What a session in this preset may be told."""

    max_buffer_s: float = 60.0
    """Above this the player sleeps."""
    quantum_s: float = 0.5
    """Sleeps are whole numbers of this."""
    rtt_s: float = 0.08
    """Added to every download."""
    payload: float = 0.95
    """Part of the capacity that carries segments."""
    first_rung: int = 1
    """Rung of segment 0, no higher than the top; -1 asks the algorithm for it as well."""
    stall_weight: float = 4.3
    """Mbit/s that a second of rebuffering costs in QoE_lin."""
    switch_weight: float = 1.0
    """Mbit/s that a change by one Mbit/s costs in QoE_lin."""
    segments: int = 48
    """Segments of the presentation that are played, from the first, as many as the family plays;
    0 for all."""
    segment_s: float = 0.0
    """Media seconds of each; 0 for the presentation's own, to the nearest tenth, as the family
    takes segments of 4.004 s for 4 s."""
    cover_s: float = 400.0
    """A trace is written out again and again until it covers this; 0: once."""
    max_bitrate_bps: float = 0.0
    """Ceiling of the ladder, as of our own player; 0: none."""
    max_height: float = 0.0
    """The same in lines of the picture."""


class Place(NamedTuple):
    """Where the network's clock stands."""

    period: int
    """Index of the period, from 0."""
    clock_s: float
    """Within the trace."""


class Step(NamedTuple):
    """What became of one segment."""

    place: Place
    buffer_ms: float
    """After the download and the sleep."""
    delay_ms: float
    """From request to last byte."""
    sleep_ms: float
    rebuffer_ms: float


def begin(link: LinkTable) -> Place:
    """Where a session begins."""
    return Place(0, link.times_s[0])


def transfer(
    link: LinkTable, place: Place, size_bytes: float, payload: float
) -> tuple[Place, float]:
    """Where the clock stands after a transfer, and the seconds it took."""
    period, clock_s = place.period, place.clock_s
    taken_s, sent_bytes = 0.0, 0.0
    while True:
        rate = link.capacity_bps[period] / 8.0
        lasts_s = link.times_s[period + 1] - clock_s
        carries_bytes = rate * lasts_s * payload
        # As in the reference, to the last bit: a segment that fits a period exactly ends in the
        # next one, and the rest is divided twice, not once by the product.
        if sent_bytes + carries_bytes > size_bytes:
            part_s = (size_bytes - sent_bytes) / rate / payload
            return Place(period, clock_s + part_s), taken_s + part_s
        sent_bytes += carries_bytes
        taken_s += lasts_s
        clock_s = link.times_s[period + 1]
        period += 1
        if period >= len(link.capacity_bps):
            period, clock_s = 0, 0.0


def idle(link: LinkTable, place: Place, idle_ms: float) -> Place:
    """Where the clock stands after nothing was asked for ``idle_ms``."""
    period, clock_s, left_ms = place.period, place.clock_s, idle_ms
    while True:
        lasts_s = link.times_s[period + 1] - clock_s
        if lasts_s > left_ms / 1000.0:
            return Place(period, clock_s + left_ms / 1000.0)
        left_ms -= lasts_s * 1000.0
        clock_s = link.times_s[period + 1]
        period += 1
        if period >= len(link.capacity_bps):
            period, clock_s = 0, 0.0


def step(
    link: LinkTable,
    options: Options,
    place: Place,
    buffer_ms: float,
    size_bytes: float,
    duration_s: float,
    noise: float = 1.0,
) -> Step:
    """Download one segment of ``size_bytes`` that plays ``duration_s``, and sleep if need be.

    What the download takes is told ``noise`` times as long as the network's clock says.
    """
    place, taken_s = transfer(link, place, size_bytes, options.payload)
    delay_ms = (taken_s * 1000.0 + options.rtt_s * 1000.0) * noise
    rebuffer_ms = max(delay_ms - buffer_ms, 0.0)
    buffer_ms = max(buffer_ms - delay_ms, 0.0) + duration_s * 1000.0
    sleep_ms = 0.0
    over_ms = buffer_ms - options.max_buffer_s * 1000.0
    if over_ms > 0:
        quantum_ms = options.quantum_s * 1000.0
        sleep_ms = math.ceil(over_ms / quantum_ms) * quantum_ms
        buffer_ms -= sleep_ms
        place = idle(link, place, sleep_ms)
    return Step(place, buffer_ms, delay_ms, sleep_ms, rebuffer_ms)


def linear_quality(
    options: Options, rate_bps: float, before_bps: float, rebuffer_s: float
) -> float:
    """QoE_lin of one segment: Mbit/s, less rebuffering, less the change of rate."""
    change = abs(rate_bps - before_bps) / 1e6
    rate = rate_bps / 1e6
    return rate - options.stall_weight * rebuffer_s - options.switch_weight * change


def session(
    params: Any,
    state: Any,
    presentation: PresentationTable,
    link: LinkTable,
    options: Options,
    out: Out,
) -> None:
    """Play one session; ``out.totals``: the wait for segment 0 is in stalled time too."""
    clear_totals(out.totals)
    place = begin(link)
    buffer_ms = now_s = 0.0
    top = len(presentation.ladder_bps) - 1
    last_rung = done = 0
    for segment in range(len(presentation.durations_s)):
        rung, wait_s = min(options.first_rung, top), 0.0
        if segment > 0 or options.first_rung < 0:
            before = last_rung if segment > 0 else -1
            seen = _observation(
                presentation, options, out.history, done, now_s, segment, buffer_ms, before
            )
            answer = choose(params, state, seen)
            rung, wait_s = answer.rung, answer.wait_s
            if not (0 <= rung <= top and 0 <= wait_s < math.inf):
                _refuse(out)
                return
        missed_ms = 0.0
        buffer_s = buffer_ms / 1000.0
        if wait_s > 0:
            missed_ms = max(wait_s * 1000.0 - buffer_ms, 0.0)
            buffer_ms = max(buffer_ms - wait_s * 1000.0, 0.0)
            place = idle(link, place, wait_s * 1000.0)
            now_s += wait_s
            buffer_s = buffer_ms / 1000.0
            _note_idle(out, wait_s)
        if segment == 0:
            last_rung = rung
        size = presentation.sizes_bytes[rung, segment]
        got = step(link, options, place, buffer_ms, size, presentation.durations_s[segment])
        stall_s = (got.rebuffer_ms + missed_ms) / 1000.0
        end_s = now_s + got.delay_ms / 1000.0
        start_s, first_s = now_s, now_s + options.rtt_s
        _note(
            presentation,
            options,
            out,
            segment,
            rung,
            last_rung,
            start_s,
            end_s,
            buffer_s,
            stall_s,
            got,
        )
        done = remember(out.history, done, segment, rung, size, start_s, first_s, end_s)
        place, buffer_ms, last_rung = got.place, got.buffer_ms + got.sleep_ms, rung
        now_s = end_s
        if CAN_LEARN:
            seen = _observation(
                presentation, options, out.history, done, now_s, segment, buffer_ms, rung
            )
            delivered(params, state, seen, Download(segment, rung, size, start_s, first_s, end_s))
        if got.sleep_ms > 0:
            buffer_ms = got.buffer_ms
            now_s += got.sleep_ms / 1000.0
            if segment + 1 < len(presentation.durations_s):
                seen = _observation(
                    presentation, options, out.history, done, now_s, segment + 1, buffer_ms, rung
                )
                waited(params, state, seen, got.sleep_ms / 1000.0)
    _sum_up(presentation, out, now_s + buffer_ms / 1000.0)


def _observation(
    presentation: PresentationTable,
    options: Options,
    history: FloatArray,
    done: int,
    now_s: float,
    segment: int,
    buffer_ms: float,
    last_rung: int,
) -> Observation:
    return Observation(
        now_s,
        segment,
        buffer_ms / 1000.0,
        options.max_buffer_s,
        last_rung,
        buffer_ms > 0,
        presentation.ladder_bps,
        presentation.sizes_bytes,
        presentation.durations_s,
        downloads_so_far(history, done),
    )


def _refuse(out: Out) -> None:
    """The algorithm answered what is not legal; the session ends here."""
    out.totals.outcome = REFUSED


def _note_idle(out: Out, idle_s: float) -> None:
    out.totals.idle_s += idle_s


def _note(
    presentation: PresentationTable,
    options: Options,
    out: Out,
    segment: int,
    rung: int,
    last_rung: int,
    start_s: float,
    end_s: float,
    buffer_s: float,
    stall_s: float,
    got: Step,
) -> None:
    """Write down one segment."""
    out.rungs[segment] = rung
    columns = out.columns
    columns[RUNG, segment] = rung
    columns[START_S, segment] = start_s
    columns[FIRST_BYTE_S, segment] = start_s + options.rtt_s
    columns[END_S, segment] = end_s
    columns[SIZE_BYTES, segment] = presentation.sizes_bytes[rung, segment]
    columns[BUFFER_BEFORE_S, segment] = buffer_s
    columns[STALL_S, segment] = stall_s
    out.totals.stall_s += stall_s
    if stall_s > 0:
        out.totals.stall_events += 1
    if segment == 0:
        out.totals.startup_s = end_s
    _note_idle(out, got.sleep_ms / 1000.0)
    out.totals.played_s += presentation.durations_s[segment]
    out.totals.downloads += 1
    out.totals.downloaded_bytes += presentation.sizes_bytes[rung, segment]
    if len(columns) > _QOE_LIN:
        columns[_DELAY_MS, segment] = got.delay_ms
        columns[_SLEEP_MS, segment] = got.sleep_ms
        columns[_BUFFER_S, segment] = got.buffer_ms / 1000.0
        columns[_QOE_LIN, segment] = linear_quality(
            options, presentation.ladder_bps[rung], presentation.ladder_bps[last_rung], stall_s
        )


def _sum_up(presentation: PresentationTable, out: Out, ended_s: float) -> None:
    """Fill the totals that are known at the end, when the buffer is played out."""
    out.totals.ended_s = ended_s
    sum_rungs(presentation, out, len(presentation.durations_s), math.inf)


def link_table(trace: Trace, options: Options) -> LinkTable:
    """The tables of a trace, as rows that the family's environment would read.

    Raises:
        ValueError: the trace ends for good, so a session over it might never.
    """
    if trace.end != "loop":
        return endless_link_of(trace)
    return link_of_rows(*cooked_rows(trace, cover_s=options.cover_s))


def presentation_table(presentation: Presentation, options: Options) -> PresentationTable:
    """The tables of a presentation, as the family cuts it."""
    return whole_bytes(presentation, segments=options.segments, segment_s=options.segment_s)


PENSIEVE = Simulator(
    name="pensieve",
    session=session,
    options=Options,
    presentation_table=presentation_table,
    link_table=link_table,
    extra_columns=MORE_COLUMNS,
    configurations=PENSIEVE_CONFIGURATIONS,
)
