"""CSV: times and rates, optionally with round-trip times and losses.

A row gives the rate *until* the next row. A header names the columns and their units:
``time_s,capacity_kbps,rtt_ms,loss_pct``, ``t (ms),bandwidth (Mbit/s)``, ``t_s,MB/s``, in any
order. Without a header the columns are ``t_s,kbps[,rtt_ms[,loss_pct]]``.
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
from abr.traceformats.rows import (
    Found,
    Row,
    format_exactly,
    parse_numbers,
    parse_times,
    rebase_note,
    require_two_rows,
    split_comma_rows,
)

_SECONDS = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_BITS = {
    f"{prefix}{unit}": scale
    for prefix, scale in (("", 1.0), ("k", 1e3), ("m", 1e6), ("g", 1e9))
    for unit in ("bps", "bit/s", "bits/s", "b/s")
}
_BYTES = re.compile(r"([kKmMgG]?)(?:B/s|Bps|bytes/s)")
_SHARES = {"pct": 0.01, "%": 0.01, "percent": 0.01, "ratio": 1.0}
_NAMES = {
    "time": ("t", "time", "timestamp", "elapsed"),
    "rate": ("", "capacity", "rate", "bandwidth", "throughput", "bitrate", "download", "dl"),
    "round-trip time": ("rtt", "latency"),
    "loss": ("loss", "packet_loss"),
}
_UNITS = {"time": _SECONDS, "rate": _BITS, "round-trip time": _SECONDS, "loss": _SHARES}
_HEADING = re.compile(r"([a-z_ ]*?)[ _]*[(\[]?([a-z/%]+)[)\]]?", re.IGNORECASE)
_PLAIN = ("t_s", "kbps", "rtt_ms", "loss_pct")


class _Column(NamedTuple):
    at: int
    unit: str
    scale: float


def read_csv(text: str, name: str) -> list[Found]:
    """Read a table of times and rates; each rate applies until the next row."""
    rows = split_comma_rows(text, name)
    headed = bool(rows) and not _is_number(rows[0].fields[0])
    names = rows[0].fields if headed else list(_PLAIN[: len(rows[0].fields)]) if rows else []
    columns = _columns(names, f"{name}:{rows[0].line if rows else 1}")
    rows = rows[1:] if headed else rows
    _check_rows(rows, columns, names, name)
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
    return [Found(trace, rebase_note(written[0], columns["time"].unit))]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _columns(names: list[str], where: str) -> dict[str, _Column]:
    found: dict[str, _Column] = {}
    for at, heading in enumerate(names):
        what, unit, scale = _meaning(heading, where)
        if what in found:
            raise TraceFormatError(
                f"{where}: found a second column of {what}, {heading!r}; expected one of each"
            )
        found[what] = _Column(at, unit, scale)
    for what in ("time", "rate"):
        if what not in found:
            raise TraceFormatError(
                f"{where}: found no column of {what} in {','.join(names)[:80]!r}; "
                "expected names with units, such as time_s,capacity_kbps,rtt_ms,loss_pct"
            )
    return found


def _meaning(heading: str, where: str) -> tuple[str, str, float]:
    match = _HEADING.fullmatch(heading)
    called, unit = match.groups() if match else ("", "")
    called = called.lower().strip(" _").replace(" ", "_")
    for what, names in _NAMES.items():
        scale = _scale(unit, what)
        if called in names and scale is not None:
            return what, unit, scale
    raise TraceFormatError(
        f"{where}: found column {heading[:40]!r}; expected a name with its unit, such as "
        "time_s, capacity_kbps, bandwidth (Mbit/s), rtt_ms, loss_pct"
    )


def _scale(unit: str, what: str) -> float | None:
    # Case matters only between bits and bytes.
    if what == "rate" and (match := _BYTES.fullmatch(unit)):
        return 8 * _BITS[match[1].lower() + "bps"]
    return _UNITS[what].get(unit.lower())


def _check_rows(rows: list[Row], columns: dict[str, _Column], names: list[str], name: str) -> None:
    for line, fields in rows:
        if len(fields) != len(names):
            raise TraceFormatError(
                f"{name}:{line}: found {len(fields)} columns; "
                f"expected {','.join(names)} in every row"
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
