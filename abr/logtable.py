"""A session log as a table: rows that all have the same columns, each of one type.

``records_of`` gives the log's records, ``requests_of`` one row per request with what became of it,
which is what most studies want. Rows are plain dictionaries, with None where a column does not
apply; ``data_frame`` makes a pandas ``DataFrame`` of any of them, and other libraries take them as
they are (``polars.DataFrame(rows)``, ``pyarrow.Table.from_pylist(rows)``).
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

from abr.arguments import expect
from abr.errors import ArgumentError, ToolMissingError
from abr.log import KINDS, Kind, Record, SessionLog

Row = dict[str, Any]

_LOG = "a SessionLog; player.files.read_log(path) reads one"

REQUEST_COLUMNS = (
    "id",
    "kind",
    "track",
    "segment",
    "rung",
    "attempt",
    "uri",
    "start_s",
    "first_byte_s",
    "end_s",
    "size_bytes",
    "throughput_bps",
    "outcome",
    "why",
    "bitrate_bps",
    "decided_s",
    "decided_why",
    "buffer_s",
    "shown_s",
)
"""Columns of ``requests_of``. ``outcome`` is finished, failed, aborted or open, and ``why`` says
more of the middle two. ``buffer_s``, ``decided_s`` and ``decided_why`` are those of the decision
that led to the request; at ``shown_s`` the first frame was shown of the segment it brought."""


def records_of(log: SessionLog, *kinds: Kind) -> list[Row]:
    """The records of a log, those of ``kinds`` or all, each with every column of any.

    Raises:
        ArgumentError: no log, or a kind that no record has.
    """
    expect(log, SessionLog, "records_of(log=...)", _LOG)
    for kind in kinds:
        if kind not in KINDS:
            raise ArgumentError(
                f"records_of(log, {kind!r}): no such kind; expected some of {', '.join(KINDS)}"
            )
    records = [record for record in log.records if not kinds or record["e"] in kinds]
    columns = dict.fromkeys(name for record in records for name in record)
    return [{name: record.get(name) for name in columns} for record in records]


def requests_of(log: SessionLog) -> list[Row]:
    """Every request of a log in the order they were sent; see ``REQUEST_COLUMNS``.

    Raises:
        ArgumentError: no log.
    """
    expect(log, SessionLog, "requests_of(log=...)", _LOG)
    rows: dict[int, Row] = {}
    decided: dict[int, Record] = {}
    brought: dict[int, Row] = {}
    ladder_bps = log.provenance.get("ladder_bps") or ()
    for record in log.records:
        kind = record["e"]
        if kind == "decision":
            decided[record["segment"]] = record
        elif kind == "fetch":
            rows[record["id"]] = _begun(record, decided, ladder_bps)
        elif kind == "play" and (row := brought.get(record["segment"])) is not None:
            row["shown_s"] = record["t"]
        elif kind in _ENDINGS or kind == "response":
            row = rows.get(record["id"])
            if row is None:
                continue
            if kind == "response":
                row["first_byte_s"] = record["t"]
                continue
            _end(row, record)
            if row["track"] == "video" and row["segment"] is not None and kind == "finished":
                brought[row["segment"]] = row
    return list(rows.values())


_ENDINGS = {"finished": "finished", "failed": "failed", "abort": "aborted"}


def _begun(record: Record, decided: dict[int, Record], ladder_bps: Sequence[float]) -> Row:
    row: Row = dict.fromkeys(REQUEST_COLUMNS)
    row |= {name: record[name] for name in REQUEST_COLUMNS[:7] if name in record}
    row |= {"attempt": record.get("attempt", 1), "start_s": record["t"], "outcome": "open"}
    rung, decision = row["rung"], decided.get(record.get("segment", -1))
    if record["kind"] == "segment" and row["track"] == "video":
        if rung is not None and rung < len(ladder_bps):
            row["bitrate_bps"] = ladder_bps[rung]
        if decision is not None:
            row["decided_s"], row["decided_why"] = decision["t"], decision["why"]
            row["buffer_s"] = decision["buffer_s"]
    return row


def _end(row: Row, record: Record) -> None:
    row["outcome"], row["end_s"] = _ENDINGS[record["e"]], record["t"]
    if record["e"] == "finished":
        row["size_bytes"] = record["size_bytes"]
        took_s = record["t"] - row["start_s"]
        row["throughput_bps"] = 8 * record["size_bytes"] / took_s if took_s > 0 else None
    elif record["e"] == "abort":
        row["why"], row["size_bytes"] = record["why"], record["received_bytes"]
    else:
        status = f"status {record['status']}" if record.get("status") else ""
        row["why"] = record.get("message") or status or record["kind"]


def measured_bps(log: SessionLog, *, last: int = 5) -> float:
    """What a session can tell the next of the network: ``initial_bps`` of its algorithm.

    Args:
        log: Of the earlier session.
        last: How many of its finished video segments count, the newest.

    Returns:
        The harmonic mean of their throughputs, waits included; nan where there are none.

    Raises:
        ArgumentError: no log, or ``last`` no number of segments.
    """
    expect(log, SessionLog, "measured_bps(log=...)", _LOG)
    expect(last, int, "measured_bps(last=...)", "a whole number of segments, 1 or more")
    if last < 1:
        raise ArgumentError(f"measured_bps(last=...): found {last}; expected 1 or more segments")
    known = [
        row["throughput_bps"]
        for row in requests_of(log)
        if row["kind"] == "segment" and row["track"] == "video" and row["throughput_bps"]
    ][-last:]
    return len(known) / math.fsum(1 / rate for rate in known) if known else math.nan


def data_frame(rows: SessionLog | Sequence[Row]) -> Any:
    """A pandas ``DataFrame``; of a log, of all its requests.

    A column has the type of its values and not of how many there are: whole numbers stay whole
    where some are missing (``Int64``), text is ``string``, and whole seconds are ``float64``.

    Raises:
        ArgumentError: neither a log nor rows.
        ToolMissingError: pandas is not installed.
    """
    if isinstance(rows, SessionLog):
        rows = requests_of(rows)
    expected = "a SessionLog, or rows of records_of(log) or requests_of(log)"
    expect(rows, Sequence, "data_frame(rows=...)", expected)
    for number, row in enumerate(rows):
        expect(row, Mapping, f"data_frame(rows[{number}]=...)", expected)
    try:
        pandas: Any = importlib.import_module("pandas")
    except ModuleNotFoundError as exc:
        raise ToolMissingError(
            "pandas is not installed, which a DataFrame needs: pip install 'abrkit[frames]'; rows "
            "are plain dictionaries and need nothing"
        ) from exc
    columns = {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}
    return pandas.DataFrame(
        {name: pandas.Series(values, dtype=_dtype(values)) for name, values in columns.items()}
    )


_DTYPES = {bool: "boolean", int: "Int64", float: "float64", str: "string"}


def _dtype(values: Sequence[Any]) -> str:
    kinds = {type(value) for value in values if value is not None}
    return _DTYPES.get(kinds.pop(), "object") if len(kinds) == 1 else "object"
