"""Raca's 4G and 5G tables: one row per second, recorded by a phone during downloads.

``DL_bitrate`` is in kbit/s. Rows of the same second are averaged. ``-`` is a missing value,
and ``I`` in the column ``State`` means that the phone downloaded nothing, which says nothing
about the link: both are dropped. A gap of up to 5 s keeps the rate before it; a longer one is
shortened.

Sources: D. Raca et al., Beyond throughput: a 4G LTE dataset, MMSys 2018, and Beyond
throughput, the next generation: a 5G dataset, MMSys 2020; the header of the published files.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import numpy as np

from abr.errors import TraceFormatError
from abr.media import FloatArray
from abr.traceformats.rows import Found, Row, join_periods, parse_numbers
from abr.traceformats.tables import named_columns, shorten_gaps

_STAMP = re.compile(r"([0-9]{4})\.([0-9]{2})\.([0-9]{2})_([0-9]{2})\.([0-9]{2})\.([0-9]{2})")
_HELD_S = 5.0


def read_raca(text: str, name: str) -> list[Found]:
    """Read the trace of a table of timestamps and download rates."""
    rows, columns = named_columns(text, name, ("timestamp", "dl_bitrate"))
    rate, state = columns["dl_bitrate"], columns.get("state", len(rows[0].fields))
    stamps = np.array([_seconds(row, columns["timestamp"], name) for row in rows])
    for k in np.flatnonzero(np.diff(stamps) < 0)[:1]:
        before, after = rows[k].fields, rows[k + 1].fields
        raise TraceFormatError(
            f"{name}:{rows[k + 1].line}: time {after[columns['timestamp']]} comes after "
            f"{before[columns['timestamp']]}; times must not decrease"
        )
    idle = np.array([row.fields[state : state + 1] == ["I"] for row in rows])
    missing = np.array([row.fields[rate] in ("-", "") for row in rows])
    keep = ~(idle | missing)
    notes = tuple(
        f"{int(which.sum())} rows {why}, left out"
        for which, why in ((idle, "without a download"), (missing & ~idle, "without a rate"))
        if which.any()
    )
    if not keep.any():
        raise TraceFormatError(
            f"{name}: none of {len(rows)} rows was measured during a download; "
            "expected State D and a DL_bitrate"
        )
    rates = parse_numbers([r for r, k in zip(rows, keep, strict=True) if k], rate, name, "rate")
    seconds, means = _average_by_second(stamps[keep], rates * 1e3)
    steps, cut = shorten_gaps(np.append(np.diff(seconds), 1.0), _HELD_S, 1.0)
    return [Found(join_periods(steps, means, name), notes + cut)]


def _seconds(row: Row, column: int, name: str) -> float:
    match = _STAMP.fullmatch(row.fields[column])
    try:
        if match:
            year, month, day, hour, minute, second = map(int, match.groups())
            return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    except ValueError:
        pass
    raise TraceFormatError(
        f"{name}:{row.line}: found time {row.fields[column][:40]!r}; expected YYYY.MM.DD_HH.MM.SS"
    )


def _average_by_second(stamps: FloatArray, rates: FloatArray) -> tuple[FloatArray, FloatArray]:
    seconds, at = np.unique(stamps, return_inverse=True)
    return seconds, np.bincount(at, weights=rates) / np.bincount(at)
