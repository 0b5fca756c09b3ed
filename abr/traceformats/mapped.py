"""Read any table, told which of its columns are times and rates; see ``columns``.

A value that is missing (empty, ``-``, ``NaN``, ``NULL``) says nothing about the link: its row
is dropped and counted, and the rate before it holds. A last row with only a time marks the end.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from abr.errors import TraceFormatError
from abr.media import FloatArray
from abr.trace import Trace
from abr.traceformats.anytable import Table, split_table
from abr.traceformats.columns import Columns, Place
from abr.traceformats.numerals import write_points
from abr.traceformats.periods import Spot, count_up, doubt_amounts, find_periods, spread
from abr.traceformats.quantities import (
    rate_scale,
    share_scale,
    size_scale,
    spoken_rate_scale,
    time_scale,
    unit_of_heading,
)
from abr.traceformats.rows import Assumed, Found, Row, parse_numbers
from abr.traceformats.stamps import is_number, is_stamp, parse_stamps
from abr.traceformats.tables import name_traces

_MISSING = frozenset({"", "-", "nan", "null", "none", "n/a", r"\n"})
_UNITS = {
    "rate": (rate_scale, "kbit"),
    "bytes": (size_scale, "B"),
    "bytes_total": (size_scale, "B"),
    "rtt": (time_scale, "ms"),
    "loss": (share_scale, "pct"),
    "duration": (time_scale, "s"),
}


def read_mapped(text: str, name: str, columns: Columns) -> list[Found]:
    """Read the traces of a table; each is called by its run, if there are several.

    Raises:
        TraceFormatError: there is no such column, or a field is no number; with its line.
    """
    has_decimal_commas = columns.decimal == "comma"
    table = split_table(text, name, has_decimal_commas=has_decimal_commas)
    rows, spots = _resolve(table, columns, name)
    numeric = [at for key, spot in spots.items() if key != "run" for at in spot.at]
    rows, commas = write_points(rows, numeric, name, decimal=columns.decimal)
    rows, end, dropped = _complete(rows, spots, columns)
    if not rows:
        raise TraceFormatError(f"{name}: no row has a value for {columns}; expected measurements")
    groups = _groups(rows, spots, columns, name)
    names = name_traces(groups) if columns.run else [name]
    found = []
    for called, group in zip(names, groups.values(), strict=True):
        last = end if group[-1] is rows[-1] else None
        found += _read_group(group, last, spots, columns, name, called)
    if not found:
        raise TraceFormatError(
            f"{name}: none of {len(groups)} runs offers any capacity over any time; nothing can be "
            "played over a link that never delivers"
        )
    missing = f"{dropped} row{'s' * (dropped > 1)} without a value, left out"
    notes = [*commas, *([missing] if dropped else [])]
    left = len(groups) - len(found)
    notes += [f"{left} of {len(groups)} runs left out: no capacity, or no length"] if left else []
    return [found[0]._replace(notes=(*notes, *found[0].notes)), *found[1:]]


def _resolve(table: Table, columns: Columns, name: str) -> tuple[list[Row], dict[str, Spot]]:
    rows, headings, _ = table
    if headings is None and len(rows) == 1 and _is_row_of_numbers(rows[0], columns):
        rows = [Row(rows[0].line, [field]) for field in rows[0].fields]
    first = rows[0].fields if rows else []
    every = [column for place in columns.places.values() for column in place.columns]
    if headings is None and rows and _has_headings(first, columns, every):
        headings, rows = first, rows[1:]
    where = f"{name}:{table.rows[0].line if table.rows else 1}"
    names = headings if headings is not None else [str(k + 1) for k in range(len(first))]
    spots = {key: _spot(key, place, names, where) for key, place in columns.places.items()}
    need = 1 + max(at for spot in spots.values() for at in spot.at)
    for row in rows:
        if len(row.fields) < need:
            raise TraceFormatError(
                f"{name}:{row.line}: found {len(row.fields)} columns; expected {need} or more"
            )
    if table.separator == "," and columns.decimal is None:
        _check_commas(rows, headings, need, name)
    return rows, spots


def _check_commas(rows: list[Row], headings: list[str] | None, used: int, name: str) -> None:
    """Refuse a table whose commas may be decimal signs as well as separate columns.

    Raises:
        TraceFormatError: a row has more fields than headings, or all rows are two whole numbers
            of which only the first is used.
    """
    for row in rows:
        extra = row.fields[len(headings) :] if headings is not None else []
        if any(extra):
            raise TraceFormatError(
                f"{name}:{row.line}: found {len(row.fields)} columns under {len(headings or ())} "
                "headings; expected as many (if these are decimal commas, separate columns by ; "
                "and if a text contains commas, put it in quotes)"
            )
    is_open = used == 1 and all(
        len(row.fields) == 2 and all(field.isdecimal() for field in row.fields) for row in rows
    )
    if rows and headings is None and is_open:
        raise TraceFormatError(
            f"{name}:{rows[0].line}: found {','.join(rows[0].fields)[:40]!r} in a table of one "
            "column, where the comma may be a decimal sign or separate two; say which: "
            "decimal=comma or decimal=point in --columns"
        )


def _is_row_of_numbers(row: Row, columns: Columns) -> bool:
    only = {column for place in columns.places.values() for column in place.columns}
    return only == {"1"} and len(row.fields) > 1


def _has_headings(first: list[str], columns: Columns, every: list[str]) -> bool:
    if not all(column.isdecimal() for column in every):
        return True
    at = [int(column) - 1 for column in every if 0 < int(column) <= len(first)]
    return any(not is_stamp(first[k]) and not _is_missing(first[k]) for k in at) or not at


def _spot(key: str, place: Place, names: list[str], where: str) -> Spot:
    at = tuple(_find(column, names, where) for column in place.columns)
    if key in ("time", "end", "run"):
        unit = place.unit or unit_of_heading(names[at[0]], time_scale)
        return Spot(at, unit, 1.0)
    scale_of, example = _UNITS[key]
    units = {place.unit or unit_of_heading(names[k], scale_of) for k in at}
    unit = units.pop()
    if key == "duration" and not unit:
        unit = "s"
    scale = spoken_rate_scale(unit) if key == "rate" else scale_of(unit)
    if units or scale is None:
        raise TraceFormatError(
            f"{where}: nothing tells the unit of {key} in {names[at[0]][:40]!r}; expected it after "
            f"a colon, such as {key}={'+'.join(place.columns)}:{example}"
        )
    return Spot(at, unit, scale)


def _find(column: str, names: list[str], where: str) -> int:
    if column in names and not (column.isdecimal() and names == _numbers(len(names))):
        return names.index(column)
    if column.isdecimal() and 0 < int(column) <= len(names):
        return int(column) - 1
    for same in (str.lower, _bare):
        matches = [k for k, each in enumerate(names) if same(each) == same(column)]
        if len(matches) == 1:
            return matches[0]
    shown = ", ".join(names)
    raise TraceFormatError(
        f"{where}: found no column {column[:40]!r} in {shown[:120]!r}; expected one of them, or "
        f"a number from 1 to {len(names)}"
    )


def _numbers(count: int) -> list[str]:
    return [str(k + 1) for k in range(count)]


def _bare(heading: str) -> str:
    return heading.partition("(")[0].strip(" _").lower()


def _is_missing(cell: str) -> bool:
    return cell.lower() in _MISSING


def _complete(
    rows: list[Row], spots: dict[str, Spot], columns: Columns
) -> tuple[list[Row], Row | None, int]:
    """Rows with all values, a last row that has only a time, and how many others were dropped."""
    needed = [at for key, spot in spots.items() if key != "run" for at in spot.at]
    kept = [row for row in rows if not any(_is_missing(row.fields[at]) for at in needed)]
    last = rows[-1] if rows else None
    is_end = (
        last is not None
        and (not kept or kept[-1] is not last)
        and columns.time is not None
        and columns.end is None
        and columns.rate is not None
        and columns.applies == "until"
        and not _is_missing(last.fields[spots["time"].at[0]])
    )
    return kept, last if is_end else None, len(rows) - len(kept) - is_end


def _groups(
    rows: list[Row], spots: dict[str, Spot], columns: Columns, name: str
) -> dict[str, list[Row]]:
    """Rows by run; where times start again within a run, another one begins."""
    if columns.run is None:
        return {name: rows}
    runs: dict[str, list[Row]] = {}
    for row in rows:
        runs.setdefault("_".join(row.fields[at] for at in spots["run"].at), []).append(row)
    if columns.time is None:
        return runs
    groups: dict[str, list[Row]] = {}
    for key, run in runs.items():
        times = parse_stamps(run, spots["time"].at[0], name, spots["time"].unit)
        cuts = [0, *(np.flatnonzero(np.diff(times) < 0) + 1).tolist(), len(run)]
        for number, (begin, end) in enumerate(pairwise(cuts), 1):
            groups[key if number == 1 else f"{key}-{number}"] = run[begin:end]
    return groups


def _read_group(
    rows: list[Row],
    end: Row | None,
    spots: dict[str, Spot],
    columns: Columns,
    name: str,
    called: str,
) -> list[Found]:
    """The trace of one run; none if it is one of several and has no capacity or no length."""
    values = {
        key: _values(rows, spots[key], key, name)
        for key in ("rate", "bytes", "bytes_total", "rtt", "loss", "duration")
        if key in spots
    }
    periods = find_periods(rows, end, spots, columns, values.get("duration"), name)
    doubts: tuple[str, ...] = ()
    bits: FloatArray | None = None
    if "bytes" in values:
        bits = values["bytes"][periods.keep]
        doubts = doubt_amounts(bits, columns)
    elif "bytes_total" in values:
        periods, bits = count_up(periods, values["bytes_total"], rows, columns, name)
    bounds, keep, notes = periods
    if len(bounds) < 2 or bounds[-1] <= 0:
        if columns.run is not None:
            return []
        raise TraceFormatError(
            f"{name}:{rows[0].line}: found {len(rows)} row{'s' * (len(rows) > 1)} of no length; "
            "expected two or more, with times that grow"
        )
    if bits is None:
        rates = values["rate"][keep]
    else:
        bounds, rates = spread(bounds, bits, rows, name)
    if columns.run is not None and not float(rates @ np.diff(bounds)) > 0:
        return []
    rtt, loss = values.get("rtt"), values.get("loss")
    trace = Trace(
        times_s=bounds,
        capacity_bps=rates,
        rtt_s=None if rtt is None else rtt[keep],
        loss_ratio=None if loss is None else loss[keep],
        name=called,
    )
    return [Found(trace, notes, _assumed(rows[0], spots, columns), doubts)]


def _assumed(first: Row, spots: dict[str, Spot], columns: Columns) -> Assumed | None:
    """What times without a unit were taken as."""
    if columns.time is None or columns.rate is None or spots["time"].unit:
        return None
    if not is_number(first.fields[spots["time"].at[0]]):
        return None  # dates
    return Assumed(
        "s",
        "",
        time_column=str(columns.time),
        rate_column=str(columns.rate),
        applies=columns.applies,
    )


def _values(rows: list[Row], spot: Spot, key: str, name: str) -> FloatArray:
    most = 1 / spot.scale if key == "loss" else np.inf
    parts = [parse_numbers(rows, at, name, key, most=most) for at in spot.at]
    return np.asarray(np.sum(parts, axis=0) * spot.scale)
