"""CSV: times and rates, optionally with round-trip times and losses.

A row gives the rate *until* the next row. A header names the columns and their units:
``time_s,capacity_kbps,rtt_ms,loss_pct``, ``t (ms),bandwidth (Mbit/s)``, ``t_s,MB/s``, in any
order. Without a header the columns are ``t_s,kbps[,rtt_ms[,loss_pct]]``. Below a header,
semicolons, tabs or bars may separate columns, and decimals follow a comma.
"""

from __future__ import annotations

import math
import re
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from abr.errors import TraceFormatError
from abr.media import FloatArray
from abr.trace import Trace
from abr.traceformats.anytable import split_table
from abr.traceformats.columns import suggest_columns
from abr.traceformats.numerals import write_points
from abr.traceformats.quantities import rate_scale, share_scale, time_scale
from abr.traceformats.rows import (
    Assumed,
    Found,
    Row,
    format_exactly,
    parse_numbers,
    parse_times,
    rebase_note,
    require_two_rows,
)
from abr.traceformats.stamps import is_number

_NAMES = {
    "time": ("t", "time", "timestamp", "elapsed"),
    "rate": ("", "capacity", "rate", "bandwidth", "throughput", "bitrate", "download", "dl"),
    "round-trip time": ("rtt", "latency"),
    "loss": ("loss", "packet_loss"),
}
_SCALES = {
    "time": time_scale,
    "rate": rate_scale,
    "round-trip time": time_scale,
    "loss": share_scale,
}
_HEADING = re.compile(r"([a-z_ ]*?)[ _]*[(\[]?([a-z/%]+)[)\]]?", re.IGNORECASE)
_MANY = " (if these are decimal commas, separate columns by ;)"
_PLAIN = ("t_s", "kbps", "rtt_ms", "loss_pct")


class _Column(NamedTuple):
    at: int
    unit: str
    scale: float


def read_csv(text: str, name: str) -> list[Found]:
    """Read a table of times and rates; each rate applies until the next row."""
    rows = split_table(text, name).rows
    headed = bool(rows) and not is_number(rows[0].fields[0])
    names = _names(rows, name, headed=headed)
    columns = _columns(names, f"{name}:{rows[0].line if rows else 1}")
    rows = rows[1:] if headed else rows
    _check_rows(rows, columns, names, name)
    ask = f"{suggest_columns(names)},decimal=comma or ,decimal=point"
    rows, commas = write_points(rows, range(len(names)), name, ask=ask)
    require_two_rows(rows, name)
    written = parse_times(rows, columns["time"].at, name, columns["time"].unit)
    times = (written - written[0]) * columns["time"].scale
    if _is_end(rows[-1], columns):
        rows = rows[:-1]
    else:
        times = np.append(times, 2 * times[-1] - times[-2])
    rtt, loss = columns.get("round-trip time"), columns.get("loss")
    trace = Trace(
        times_s=times,
        capacity_bps=_values(rows, columns["rate"], "rate", name),
        rtt_s=None if rtt is None else _values(rows, rtt, "round-trip time", name),
        loss_ratio=None if loss is None else _values(rows, loss, "loss", name, most=1.0),
        name=name,
    )
    notes = (*commas, *rebase_note(written[0], columns["time"].unit))
    return [Found(trace, notes, None if headed else Assumed("s", "kbit/s"))]


def are_known(headings: list[str]) -> bool:
    """Whether all of a table's headings are names with units, and so need no option."""
    try:
        _columns(headings, "")
    except TraceFormatError:
        return False
    return True


def _names(rows: list[Row], name: str, *, headed: bool) -> list[str]:
    fields = rows[0].fields if rows else []
    if headed:
        return fields
    if len(fields) > len(_PLAIN):
        raise TraceFormatError(
            f"{name}:{rows[0].line}: found {len(fields)} columns without headings; expected "
            f"{','.join(_PLAIN)}, the last two optional; or say which column is what: "
            "--columns time=1:s,rate=2:kbit"
        )
    return list(_PLAIN[: len(fields)])


def _columns(names: list[str], where: str) -> dict[str, _Column]:
    found: dict[str, _Column] = {}
    for at, heading in enumerate(names):
        what, unit, scale = _meaning(heading, where, names)
        if what in found:
            raise TraceFormatError(
                f"{where}: found a second column of {what}, {heading!r}; expected one of each; "
                f"{suggest_columns(names)} picks one"
            )
        found[what] = _Column(at, unit, scale)
    for what in ("time", "rate"):
        if what not in found:
            raise TraceFormatError(
                f"{where}: found no column of {what} in {','.join(names)[:80]!r}; "
                "expected names with units, such as time_s,capacity_kbps,rtt_ms,loss_pct; or say "
                f"which column is what: {suggest_columns(names)}"
            )
    return found


def _meaning(heading: str, where: str, names: list[str]) -> tuple[str, str, float]:
    match = _HEADING.fullmatch(heading)
    called, unit = match.groups() if match else ("", "")
    called = called.lower().strip(" _").replace(" ", "_")
    for what, known in _NAMES.items():
        scale = _SCALES[what](unit)
        if called in known and scale is not None:
            return what, unit, scale
    raise TraceFormatError(
        f"{where}: found column {heading[:40]!r}; expected a name with its unit, such as "
        "time_s, capacity_kbps, bandwidth (Mbit/s), rtt_ms, loss_pct; or say which column is "
        f"what: {suggest_columns(names)}"
    )


def _check_rows(rows: list[Row], columns: dict[str, _Column], names: list[str], name: str) -> None:
    for line, fields in rows:
        if len(fields) != len(names):
            raise TraceFormatError(
                f"{name}:{line}: found {len(fields)} columns; "
                f"expected {','.join(names)} in every row" + _MANY * (len(fields) > len(names))
            )
    for row, after in pairwise(rows):
        if _is_end(row, columns):
            raise TraceFormatError(
                f"{name}:{after.line}: found a row after the end; a row with only a time "
                "must be the last"
            )


def _is_end(row: Row, columns: dict[str, _Column]) -> bool:
    return not any(row.fields[c.at] for what, c in columns.items() if what != "time")


def _values(
    rows: list[Row], column: _Column, what: str, name: str, *, most: float = math.inf
) -> FloatArray:
    values = parse_numbers(rows, column.at, name, what, most=most / column.scale)
    return np.minimum(values * column.scale, most)


def write_csv(trace: Trace) -> str:
    """Write a table with a header, and a last row with only the time of the end."""
    times = [repr(t) for t in trace.times_s.tolist()]
    names, columns = ["t_s"], [times[:-1]]
    for heading, values, unit in (
        ("kbps", trace.capacity_bps, 1e3),
        ("rtt_ms", trace.rtt_s, 1e-3),
        ("loss_pct", trace.loss_ratio, 1e-2),
    ):
        if values is not None:
            names.append(heading)
            columns.append([format_exactly(value, unit) for value in values.tolist()])
    rows = [names, *zip(*columns, strict=True), [times[-1], *[""] * (len(names) - 1)]]
    return "\n".join(map(",".join, rows)) + "\n"
