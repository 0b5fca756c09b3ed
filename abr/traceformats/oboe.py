"""Oboe's traces: pairs of lines, ``start_ms kbps`` and ``end_ms kbps``, the same rate twice.

Nothing is delivered between two pairs.

Source: the README of USC-NSL/Oboe.
"""

from __future__ import annotations

import numpy as np

from abr.errors import TraceFormatError
from abr.trace import Trace
from abr.traceformats.rows import (
    Found,
    format_exactly,
    parse_numbers,
    parse_times,
    rebase_note,
    split_spaced_rows,
)


def read_oboe(text: str, name: str) -> list[Found]:
    """Read pairs of milliseconds and kbit/s; gaps between pairs are outages."""
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
    values = np.zeros(len(rows) - 1)
    values[::2] = rates[::2] * 1e3
    keep = np.ones(len(values), dtype=bool)
    keep[1::2] = np.diff(times)[1::2] > 0
    bounds = np.concatenate([[0.0], (times[1:][keep] - times[0]) * 1e-3])
    trace = Trace(times_s=bounds, capacity_bps=values[keep], name=name)
    return [Found(trace, rebase_note(times[0], "ms"))]


def write_oboe(trace: Trace) -> str:
    """Write two rows per period, including outages."""
    bounds = [format_exactly(time, 1e-3) for time in trace.times_s.tolist()]
    rates = [format_exactly(rate, 1e3) for rate in trace.capacity_bps.tolist()]
    periods = zip(bounds[:-1], bounds[1:], rates, strict=True)
    return "".join(f"{begin} {rate}\n{end} {rate}\n" for begin, end, rate in periods)
