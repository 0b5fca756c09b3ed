"""Many sessions of one algorithm over one presentation: the loop around a simulator.

``session`` and ``state_of`` are bound by ``player.batch.run.batch``, to a simulator's session
and to what makes an algorithm's state from a row of numbers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from abr.compilable import cells, fields, numbers, store, uncounted
from abr.media import FloatArray
from player.batch.hooks import session, state_of
from player.batch.tables import LinkTable, Out, PresentationTable, Room


class Links(NamedTuple):
    """Tables of L traces, one after the other."""

    times_s: FloatArray
    """Shape (sum of K+1,)."""
    offered_bits: FloatArray
    """Shape (sum of K+1,)."""
    capacity_bps: FloatArray
    """Shape (sum of K,)."""
    rtt_s: FloatArray
    """Shape (sum of K,)."""
    rtt_ms: FloatArray
    """Shape (sum of K,)."""
    lengths_ms: FloatArray
    """Shape (sum of K,)."""
    first: NDArray[np.int64]
    """First period of each trace and, last, their number, shape (L+1,)."""
    rtts: NDArray[np.int64]
    """How many round-trip times each trace has: one per period, or one that never changes,
    shape (L,)."""


class States(NamedTuple):
    """The states that sessions begin with, laid flat: one for all traces, or one for each."""

    values: FloatArray
    """One state after the other, shape (sum of widths,)."""
    first: NDArray[np.int64]
    """First number of each state and, last, their end, shape (S+1,)."""
    fields: NDArray[np.int64]
    """Where the arrays of each state lie, shape (S, F, 3); see ``player.batch.flatstate.Flat``."""


class Rows(NamedTuple):
    """What is kept of n sessions; a part with no rows is not kept."""

    totals: NDArray[Any]
    """Records of ``TOTALS_DTYPE``, shape (n,)."""
    rungs: NDArray[np.int16]
    """Shape (n, N) or (0, N)."""
    columns: FloatArray
    """Shape (n, C, N) or (0, C, N)."""


def pack(links: list[LinkTable]) -> Links:
    """Lay the tables of traces one after the other."""
    counts = [len(link.capacity_bps) for link in links]
    return Links(
        np.concatenate([link.times_s for link in links]),
        np.concatenate([link.offered_bits for link in links]),
        np.concatenate([link.capacity_bps for link in links]),
        np.concatenate([link.rtt_s for link in links]),
        np.concatenate([link.rtt_ms for link in links]),
        np.concatenate([link.lengths_ms for link in links]),
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.array([1 if (link.rtt_s == link.rtt_s[0]).all() else len(link.rtt_s) for link in links]),
    )


def link_at(links: Links, k: int) -> LinkTable:
    """The tables of trace ``k``."""
    begin, end = links.first[k], links.first[k + 1]
    return LinkTable(
        numbers(links.times_s[begin + k : end + k + 1]),
        numbers(links.offered_bits[begin + k : end + k + 1]),
        numbers(links.capacity_bps[begin:end]),
        numbers(links.rtt_s[begin : begin + links.rtts[k]]),
        numbers(links.rtt_ms[begin:end]),
        numbers(links.lengths_ms[begin:end]),
    )


def rows_at(rows: Rows, part: slice) -> Rows:
    """The rows of some sessions; parts that are not kept stay as they are."""
    return Rows(
        rows.totals[part],
        rows.rungs[part] if len(rows.rungs) else rows.rungs,
        rows.columns[part] if len(rows.columns) else rows.columns,
    )


def copy(values: FloatArray, into: FloatArray) -> None:
    """Numbers to where they belong; a loop, which compiles sooner than a slice."""
    for i in range(len(values)):
        into[i] = values[i]


def bare_presentation(presentation: PresentationTable) -> PresentationTable:
    """The same arrays, uncounted; see ``abr.compilable.uncounted``."""
    return PresentationTable(
        uncounted(presentation.ladder_bps),
        uncounted(presentation.sizes_bytes),
        uncounted(presentation.durations_s),
        numbers(presentation.durations_ms),
        uncounted(presentation.utility),
        uncounted(presentation.utility_change),
        uncounted(presentation.audio_bytes),
        uncounted(presentation.audio_ends_s),
        uncounted(presentation.playlist_bytes),
        uncounted(presentation.init_bytes),
        uncounted(presentation.keys),
        uncounted(presentation.listed_bytes),
        uncounted(presentation.listed_rates_bps),
        uncounted(presentation.side_numbers),
        uncounted(presentation.goals_s),
    )


def bare_links(links: Links) -> Links:
    """The same arrays, uncounted."""
    return Links(
        uncounted(links.times_s),
        uncounted(links.offered_bits),
        uncounted(links.capacity_bps),
        uncounted(links.rtt_s),
        uncounted(links.rtt_ms),
        uncounted(links.lengths_ms),
        uncounted(links.first),
        uncounted(links.rtts),
    )


def play_many(
    params: Any,
    states: States,
    presentation: PresentationTable,
    links: Links,
    which: NDArray[np.int64],
    options: Any,
    out: Out,
    rows: Rows,
) -> None:
    """Play a session for every trace number in ``which`` and fill its row of ``rows``.

    ``out`` is room for one session, its totals an array of one record.
    """
    presentation = bare_presentation(presentation)
    room = Out(
        numbers(out.rungs),
        cells(out.columns),
        fields(out.totals),
        uncounted(out.history),
        uncounted(out.known_bytes),
        Room(uncounted(out.room.responses), uncounted(out.room.changes)),
    )
    widest = 0
    for k in range(len(states.first) - 1):
        widest = max(widest, states.first[k + 1] - states.first[k])
    state_memory = np.zeros(widest)
    state_row = uncounted(state_memory)
    for i in range(len(which)):
        k = which[i]
        own = k if len(states.first) > 2 else 0
        copy(states.values[states.first[own] : states.first[own + 1]], state_row)
        state = state_of(state_row, states.fields[own])
        session(params, state, presentation, link_at(links, k), options, room)
        store(room.totals, rows.totals, i)
        if rows.rungs.shape[0] > 0:
            for segment in range(rows.rungs.shape[1]):
                rows.rungs[i, segment] = int(room.rungs[segment])
        if rows.columns.shape[0] > 0:
            for row in range(rows.columns.shape[1]):
                for segment in range(rows.columns.shape[2]):
                    rows.columns[i, row, segment] = room.columns[row, segment]
