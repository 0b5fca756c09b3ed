"""Pensieve's "cooked" files: two columns, seconds and Mbit/s.

A row tells the rate *since* the row before it, so the first rate is never used.
Lumos5G's files are the same with whole Mbit/s.

Source: the simulators of the Pensieve family (``load_trace.py``, ``fixed_env.py``).
"""

from __future__ import annotations

import numpy as np

from abr.media import FloatArray
from abr.trace import Trace
from abr.traceformats.rows import (
    Found,
    digits_of,
    need_two_rows,
    numbers_of,
    plain_table,
    rebased,
    spaced_rows,
    times_of,
)
from abr.traceformats.units import doubts


def read_cooked(text: str, name: str) -> list[Found]:
    """Read rows of seconds and Mbit/s; each rate holds since the row before."""
    times, rates = _columns(text, name)
    trace = Trace(times_s=times - times[0], capacity_bps=rates[1:] * 1e6, name=name)
    return [Found(trace, (*rebased(times[0], "s"), *doubts(times, rates)))]


def _columns(text: str, name: str) -> tuple[FloatArray, FloatArray]:
    table = plain_table(text, 2)
    if table is not None and len(table) > 1:
        times, rates = table[:, 0], table[:, 1]
        if np.all(rates >= 0) and np.all(np.diff(times) >= 0):
            return times, rates
    rows = spaced_rows(text, name, 2, "seconds and Mbit/s")
    times = times_of(rows, 0, name, "s")
    rates = numbers_of(rows, 1, name, "rate")
    need_two_rows(rows, name)
    return times, rates


def write_cooked(trace: Trace) -> str:
    """One row per bound; the first repeats a rate that no reader uses."""
    rates = [digits_of(rate, 1e6) for rate in trace.capacity_bps.tolist()]
    rows = zip(trace.times_s.tolist(), [rates[0], *rates], strict=True)
    return "".join(f"{time!r}\t{rate}\n" for time, rate in rows)
