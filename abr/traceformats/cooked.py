"""Pensieve's "cooked" files: two columns, seconds and Mbit/s.

A row gives the rate *since* the previous row, so the first rate is unused. Lumos5G's files
have the same format, with integer Mbit/s.

Source: the simulators of the Pensieve family (``load_trace.py``, ``fixed_env.py``).
"""

from __future__ import annotations

import numpy as np

from abr.media import FloatArray
from abr.trace import Trace
from abr.traceformats.numerals import write_points
from abr.traceformats.rows import (
    Assumed,
    Found,
    format_exactly,
    parse_numbers,
    parse_times,
    plain_table,
    rebase_note,
    require_two_rows,
    split_spaced_rows,
)

_ASK = "--columns time=1:s,rate=2:mbit,applies=since,decimal=comma or ,decimal=point"


def read_cooked(text: str, name: str) -> list[Found]:
    """Read rows of seconds and Mbit/s; each rate applies since the previous row."""
    times, rates, commas = _columns(text, name)
    trace = Trace(times_s=times - times[0], capacity_bps=rates[1:] * 1e6, name=name)
    notes = (*commas, *rebase_note(times[0], "s"))
    return [Found(trace, notes, Assumed("s", "Mbit/s", applies="since"))]


def _columns(text: str, name: str) -> tuple[FloatArray, FloatArray, tuple[str, ...]]:
    """Times and rates as written, and a note where these have decimal commas."""
    table = plain_table(text, 2)
    if table is not None and len(table) > 1:
        times, rates = table[:, 0], table[:, 1]
        if np.all(rates >= 0) and np.all(np.diff(times) >= 0):
            return times, rates, ()
    rows = split_spaced_rows(text, name, 2, "seconds and Mbit/s")
    rows, commas = write_points(rows, (0, 1), name, ask=_ASK)
    times = parse_times(rows, 0, name, "s")
    rates = parse_numbers(rows, 1, name, "rate")
    require_two_rows(rows, name)
    return times, rates, commas


def write_cooked(trace: Trace) -> str:
    """Write one row per bound; the first has a rate that no reader uses."""
    rates = [format_exactly(rate, 1e6) for rate in trace.capacity_bps.tolist()]
    rows = zip(trace.times_s.tolist(), [rates[0], *rates], strict=True)
    return "".join(f"{time!r}\t{rate}\n" for time, rate in rows)
