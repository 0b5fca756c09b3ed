"""Oboe's traces: pairs of lines, ``start_ms kbps`` and ``end_ms kbps``, the same rate twice.

A pair is the download of one chunk. What the link offered between two downloads was not
measured; it is interpolated linearly, in pieces of up to 1 s, as the README suggests.

Source: the README of USC-NSL/Oboe.
"""

from __future__ import annotations

import numpy as np

from abr.errors import TraceFormatError
from abr.media import FloatArray
from abr.trace import Trace
from abr.traceformats.rows import (
    Assumed,
    Found,
    format_exactly,
    parse_numbers,
    parse_times,
    rebase_note,
    split_spaced_rows,
)

_PIECE_S, _MOST_PIECES = 1.0, 100


def read_oboe(text: str, name: str) -> list[Found]:
    """Read pairs of milliseconds and kbit/s; gaps between pairs are interpolated."""
    rows = split_spaced_rows(text, name, 2, "milliseconds and kbit/s")
    times = parse_times(rows, 0, name, "ms")
    rates = parse_numbers(rows, 1, name, "rate")
    for k in np.flatnonzero(rates[: len(rates) // 2 * 2 : 2] != rates[1::2])[:1]:
        end = rows[2 * k + 1]
        raise TraceFormatError(
            f"{name}:{end.line}: found rate {end.fields[1]!r} at the end of a period that began "
            f"with {rows[2 * k].fields[1]!r}; expected the same rate twice"
        )
    if not rows or len(rows) % 2:
        raise TraceFormatError(
            f"{name}:{rows[-1].line if rows else 1}: found {len(rows)} rows; expected pairs, "
            "the start and the end of each period"
        )
    bounds, values, notes = _fill_gaps((times - times[0]) * 1e-3, rates[::2] * 1e3)
    trace = Trace(times_s=bounds, capacity_bps=values, name=name)
    return [Found(trace, (*rebase_note(times[0], "ms"), *notes), Assumed("ms", "kbit/s"))]


def _fill_gaps(
    stamps_s: FloatArray, rates: FloatArray
) -> tuple[FloatArray, FloatArray, tuple[str, ...]]:
    """Bounds and rates of pairs, with steps of equal length between them.

    Each step has the mean of the line from one rate to the next, so that a gap offers exactly
    the bits under that line.
    """
    gaps_s = stamps_s[2::2] - stamps_s[1:-1:2]
    pieces = np.minimum(np.ceil(gaps_s / _PIECE_S), _MOST_PIECES).astype(np.int64)
    pair = np.repeat(np.arange(len(gaps_s)), pieces)
    nth = np.arange(len(pair)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    share = (nth + 0.5) / pieces[pair]
    between = rates[pair] + share * (rates[pair + 1] - rates[pair])
    inner = stamps_s[1:-1:2][pair] + gaps_s[pair] * (nth + 1) / pieces[pair]
    ends = np.where(nth + 1 == pieces[pair], stamps_s[2::2][pair], inner)
    bounds = np.concatenate([[0.0], np.insert(stamps_s[1::2], pair + 1, ends)])
    values = np.insert(rates, pair + 1, between)
    count = int(np.count_nonzero(gaps_s))
    note = f"gaps between downloads: {count}, {float(gaps_s.sum()):.1f} s in all, interpolated"
    return bounds, values, (note,) if count else ()


def write_oboe(trace: Trace) -> str:
    """Write two rows per period, including outages."""
    bounds = [format_exactly(time, 1e-3) for time in trace.times_s.tolist()]
    rates = [format_exactly(rate, 1e3) for rate in trace.capacity_bps.tolist()]
    periods = zip(bounds[:-1], bounds[1:], rates, strict=True)
    return "".join(f"{begin} {rate}\n{end} {rate}\n" for begin, end, rate in periods)
