"""From the rows of a table to periods: when each begins and ends, and what arrived in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from abr.errors import TraceFormatError
from abr.media import FloatArray
from abr.traceformats.columns import Columns
from abr.traceformats.rows import Row
from abr.traceformats.stamps import parse_stamps

_LONG_GAP_S, _LONG_GAPS = 10.0, 20.0
_FALLS, _OFTEN = 3, 0.25
"""A counter that falls in this many rows, and in this share of them, is none."""
_GROWING = 10
"""Rows of amounts that never fall are hardly chance from so many on."""


class Spot(NamedTuple):
    """Columns of a table that are one thing together."""

    at: tuple[int, ...]
    unit: str
    scale: float


class Periods(NamedTuple):
    """Bounds of periods, which of the rows' values they take, and notes."""

    bounds_s: FloatArray
    keep: slice = slice(None)
    notes: tuple[str, ...] = ()


def find_periods(
    rows: list[Row],
    end: Row | None,
    spots: Mapping[str, Spot],
    columns: Columns,
    lengths_s: FloatArray | None,
    name: str,
) -> Periods:
    """When the periods of rows begin and end.

    Args:
        rows: Rows of one run.
        end: A last row that has only a time.
        spots: Where things are.
        columns: What was asked for.
        lengths_s: How long each row lasted, where there are no times.
        name: Name of the file in error messages.

    Raises:
        TraceFormatError: a field is no time, or times decrease.
    """
    if columns.time is None:
        lengths = np.full(len(rows), columns.step_s or 0.0) if lengths_s is None else lengths_s
        keep = slice(None if columns.bytes_total is None else 1, None)
        return Periods(_add_up(lengths[keep]), keep)
    if columns.end is not None:
        return _measured(rows, spots, name)
    return _between(rows, end, spots, columns, name)


def count_up(
    periods: Periods, totals: FloatArray, rows: list[Row], columns: Columns, name: str
) -> tuple[Periods, FloatArray]:
    """Bits of each period from the readings of a running counter.

    Where it falls, it was reset or wrapped; what arrived then is not known, and that time is
    left out.

    Raises:
        TraceFormatError: it falls too often to be a running counter.
    """
    bits, lengths = np.diff(totals), np.diff(periods.bounds_s)
    falls = np.flatnonzero(bits < 0)
    if not len(falls):
        return periods, bits
    line = rows[int(falls[0]) + 1].line
    if len(falls) >= _FALLS and len(falls) >= _OFTEN * len(bits):
        raise TraceFormatError(
            f"{name}:{line}: the counter falls in {len(falls)} of {len(bits)} rows; expected one "
            f"that runs on; if rows are amounts of their own: bytes={columns.bytes_total}"
        )
    out_s = float(lengths[falls].sum())
    bits[falls] = lengths[falls] = 0.0
    note = (
        f"the counter falls in {len(falls)} row{'s' * (len(falls) > 1)} (first on line {line}), "
        f"reset or wrapped: {out_s:.6g} s in all, left out"
    )
    return Periods(_add_up(lengths), periods.keep, (*periods.notes, note)), bits


def doubt_amounts(bits: FloatArray, columns: Columns) -> tuple[str, ...]:
    """A doubt where amounts look like a running counter; else nothing."""
    steps = np.diff(bits)
    if len(bits) < _GROWING or np.any(steps < 0) or np.count_nonzero(steps) < len(steps) / 2:
        return ()
    option = f"bytes_total={columns.bytes}"
    return (f"what arrives never falls from row to row; if it is a running counter: {option}",)


def _add_up(lengths: FloatArray) -> FloatArray:
    return np.concatenate([[0.0], np.cumsum(lengths)])


def _times(rows: list[Row], spot: Spot, name: str) -> FloatArray:
    times = parse_stamps(rows, spot.at[0], name, spot.unit)
    for k in np.flatnonzero(np.diff(times) < 0)[:1]:
        before, after = (rows[n].fields[spot.at[0]][:40] for n in (k, k + 1))
        raise TraceFormatError(
            f"{name}:{rows[k + 1].line}: time {after} comes after {before}; times must not "
            "decrease (if this begins another recording, run=COLUMN tells them apart)"
        )
    return times


def _between(
    rows: list[Row], end: Row | None, spots: Mapping[str, Spot], columns: Columns, name: str
) -> Periods:
    """Bounds of periods from row to row, which of the values they take, and notes."""
    times = _times([*rows, end] if end else rows, spots["time"], name)
    keep, steps = slice(None), np.diff(times)
    if columns.applies == "since" or columns.rate is None:
        keep = slice(1, None)
    elif end is None and len(times) > 1:
        times = np.append(times, 2 * times[-1] - times[-2])
    usual = float(np.median(steps)) if len(steps) else 0.0
    limit_s = max(_LONG_GAP_S, _LONG_GAPS * usual)
    long = steps[steps > limit_s]
    note = (
        f"rows more than {limit_s:.6g} s apart: {len(long)}, {float(long.sum()):.0f} s in all, "
        "over which one rate is held"
    )
    notes = [note] if len(long) else []
    if columns.rate is not None and (equal := int(np.count_nonzero(steps == 0))):
        notes.append(f"rows with the time of the row after: {equal}, of no length")
    return Periods(times - times[0], keep, tuple(notes))


def _measured(rows: list[Row], spots: Mapping[str, Spot], name: str) -> Periods:
    """Bounds of periods from each row's time to its end; what lies between them is left out."""
    unit, begin_at, end_at = spots["time"].unit, spots["time"].at[0], spots["end"].at[0]
    _times(rows, spots["time"], name)
    both = [Row(row.line, [row.fields[at]]) for row in rows for at in (begin_at, end_at)]
    stamps = parse_stamps(both, 0, name, unit)
    begins, ends = stamps[::2], stamps[1::2]
    for k in np.flatnonzero(ends < begins)[:1]:
        raise TraceFormatError(
            f"{name}:{rows[k].line}: found end {rows[k].fields[end_at][:40]!r} before the time "
            f"{rows[k].fields[begin_at][:40]!r}; expected it after"
        )
    until = np.append(np.minimum(ends[:-1], np.maximum(begins[1:], begins[:-1])), ends[-1])
    silent = begins[1:] - ends[:-1]
    gaps = silent[silent > 0]
    note = f"times between measurements: {len(gaps)}, {float(gaps.sum()):.0f} s in all, left out"
    return Periods(_add_up(until - begins), slice(None), (note,) if len(gaps) else ())


def spread(
    bounds: FloatArray, bits: FloatArray, rows: list[Row], name: str
) -> tuple[FloatArray, FloatArray]:
    """Rates of bits that arrived by each bound; those of equal times are added up."""
    times, at = np.unique(bounds[1:], return_inverse=True)
    added = np.bincount(at, weights=bits)
    if times[0] <= bounds[0]:
        if added[0] > 0:
            raise TraceFormatError(
                f"{name}:{rows[0].line}: found bytes that arrived in no time; expected a time or a "
                "duration above 0"
            )
        times, added = times[1:], added[1:]
    steps = np.diff(np.concatenate([bounds[:1], times]))
    return np.concatenate([bounds[:1], times]), added / steps
