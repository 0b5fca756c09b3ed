"""Raw logs of mobile downloads: HSDPA in Norway and 4G in Ghent, six columns each.

The columns are Unix time (seconds in Norway, milliseconds in Ghent), milliseconds of a
monotonic clock, latitude, longitude, bytes since the previous row and milliseconds since
the previous row. The second, fifth and sixth are used. All bytes are kept: the bytes of a
row arrived during its own milliseconds. If the clock advanced by more than that since the
previous row, nothing arrived in the remaining time; this is how these logs record outages.

Sources: the columns as the converters of Pensieve use them; H. Riiser et al., Commute path
bandwidth traces from 3G networks, MMSys 2013; J. van der Hooft et al., HTTP/2-based adaptive
streaming over 4G/LTE, IEEE Communications Letters 2016.
"""

from __future__ import annotations

import numpy as np

from abr.media import FloatArray
from abr.trace import Trace
from abr.traceformats.rows import (
    Found,
    parse_numbers,
    parse_times,
    require_two_rows,
    split_spaced_rows,
)

_MEANING = "unix time, ms, latitude, longitude, bytes, ms since the previous row"
_SLACK_MS, _SLACK_RATIO = 50.0, 0.05


def read_rawlog(text: str, name: str) -> list[Found]:
    """Read either log; they differ only in the unit of the first column, which is unused."""
    rows = split_spaced_rows(text, name, 6, _MEANING)
    for column in (0, 1):
        parse_numbers(rows, column, name, "time")
    clock = parse_times(rows, 1, name, "ms")
    size = parse_numbers(rows, 4, name, "bytes")
    lengths = parse_numbers(rows, 5, name, "duration")
    require_two_rows(rows, name)
    bounds, rates, notes = _periods(*_merge_rows(clock, size, lengths))
    return [Found(Trace(times_s=bounds / 1e3, capacity_bps=rates, name=name), notes)]


def _merge_rows(
    clock: FloatArray, size: FloatArray, lengths: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Add up rows of equal time; the first row of the result is the start of the log."""
    stamps, at = np.unique(clock, return_inverse=True)
    bytes_by: FloatArray = np.bincount(at, weights=size).astype(np.float64)
    longest = np.zeros(len(stamps))
    np.maximum.at(longest, at, lengths)
    begin = stamps[0] - longest[0]
    if longest[0] > 0:
        return np.concatenate([[begin], stamps]), bytes_by, longest
    return stamps, bytes_by[1:], longest[1:]


def _periods(
    stamps: FloatArray, size: FloatArray, lengths: FloatArray
) -> tuple[FloatArray, FloatArray, tuple[str, ...]]:
    steps = np.diff(stamps)
    silent = steps - lengths
    gaps = (silent > np.maximum(_SLACK_MS, _SLACK_RATIO * lengths)) & (lengths > 0)
    busy = np.where(gaps, lengths, steps)
    begins = stamps[1:] - busy
    bounds = np.concatenate([stamps[:1], np.column_stack([begins, stamps[1:]]).ravel()])
    rates = np.column_stack([np.zeros(len(steps)), size * 8e3 / busy]).ravel()
    keep = np.column_stack([gaps, np.ones(len(steps), dtype=bool)]).ravel()
    bounds, rates = bounds[np.concatenate([[True], keep])], rates[keep]
    count, lost_s = int(gaps.sum()), float(silent[gaps].sum()) / 1e3
    notes = (
        (f"gaps between rows: {count}, {lost_s:.1f} s in all, read as outages",) if count else ()
    )
    return bounds - bounds[0], rates, notes
