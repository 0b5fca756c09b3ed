"""Request logs: bytes to requests, line by line, in memory that does not grow with the log.

``access``: JSON Lines with at least ``t_s``, ``key`` and ``size_bytes``, as the edge's access
log, of which lines that say nothing of demand are left out. ``csv``: a time, a key and a size in
columns of one's choice. ``oracle-general``: the binary format of libCacheSim, 24 bytes a request.

A bad line is skipped and told to ``Troubles``; only a log without one good line is an error.
"""

from __future__ import annotations

import csv
import json
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Any

from abr.errors import LogFormatError
from edge.simulation.requests import Request

FORMATS = ("access", "csv", "oracle-general")

LONGEST_LINE_BYTES = 1 << 20
_LARGEST_BYTES = 1 << 50
"""No object is a pebibyte; the limit finds columns that were taken for sizes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Where a CSV line has what: a name from its first line, or a number from 1."""

    time: str = "t_s"
    """Empty: the log has no times, and each request counts as a second."""
    key: str = "key"
    size: str = "size_bytes"
    delimiter: str = ","


class Troubles:
    """Bad lines of one log: how many, and the first few with their reasons."""

    def __init__(self, name: str, *, most_told: int = 5) -> None:
        self.name = name
        self.count = 0
        self.told: list[str] = []
        """``file:line: what was found; what was expected``, the first few."""
        self._most_told = most_told

    def __repr__(self) -> str:
        return f"<Troubles of {self.name!r}: {self.count} bad lines>"

    def add(self, line: int, reason: str) -> None:
        """Note a bad line."""
        self.count += 1
        if len(self.told) < self._most_told:
            self.told.append(f"{self.name}:{line}: {reason}")


Reader = Callable[[Iterable[bytes], Troubles], Iterator[Request]]
"""Makes requests of the blocks of a file, which are of any length."""


def reader_of(name: str, columns: Columns | None = None) -> Reader:
    """The reader of a format in ``FORMATS``."""
    if name == "csv":
        return lambda blocks, troubles: read_csv(blocks, troubles, columns or Columns())
    return {"access": read_access, "oracle-general": read_oracle_general}[name]


def guess_format(file_name: str) -> str | None:
    """The format that a file's name says, without the suffix of a compression; None: unsure."""
    name = file_name.lower()
    for suffix in (".zst", ".gz"):
        name = name.removesuffix(suffix)
    if "oraclegeneral" in name:
        return "oracle-general"
    if name.endswith((".csv", ".tsv")):
        return "csv"
    if name.endswith((".jsonl", ".ndjson", ".json", ".log")):
        return "access"
    return None


_NOT_FOR_CACHES = ("own", "error")
"""Outcomes of requests about the edge itself, refused, or not answered by any parent."""


def read_access(blocks: Iterable[bytes], troubles: Troubles) -> Iterator[Request]:
    """Requests of JSON Lines; of an edge's lines, those of viewers for what a cache may hold."""
    loads = json.loads
    for number, line in _lines(blocks, troubles):
        try:
            row = loads(line)
            t_s, key, size_bytes = row["t_s"], row["key"], row["size_bytes"]
        except (ValueError, RecursionError, TypeError, KeyError):
            troubles.add(number, _why_not_access(line))
            continue
        if (
            key.__class__ is str
            and size_bytes.__class__ is int
            and 0 <= size_bytes < _LARGEST_BYTES
            and t_s.__class__ in (float, int)
            and isfinite(t_s)
        ):
            if row.get("cache") in _NOT_FOR_CACHES:
                continue
            if row.get("sent_bytes") == 1 and size_bytes > 1:
                continue  # `abr fill` asks for one byte, and must not take that for demand
            yield Request(t_s, key, size_bytes)
        else:
            troubles.add(number, _why_not_values(t_s, key, size_bytes))


def read_csv(blocks: Iterable[bytes], troubles: Troubles, columns: Columns) -> Iterator[Request]:
    """Requests of lines of columns; quotes are understood, line breaks within them are not."""
    lines = _lines(blocks, troubles)
    at: tuple[int | None, int, int] | None = None
    for number, line in lines:
        cells = _cells(line, columns.delimiter)
        if at is None:
            at = _columns_at(cells, columns, f"{troubles.name}:{number}")
            if not _is_row(cells, at):
                continue  # the names of the columns
        time_at, key_at, size_at = at
        try:
            t_s = number if time_at is None else float(cells[time_at])
            size_bytes = int(cells[size_at])
            key = cells[key_at]
        except (ValueError, IndexError):
            troubles.add(number, _why_not_row(cells, at))
            continue
        if 0 <= size_bytes < _LARGEST_BYTES and isfinite(t_s) and key:
            yield Request(t_s, key, size_bytes)
        else:
            troubles.add(number, _why_not_row(cells, at))


_RECORD = struct.Struct("<IQIq")
"""Time in seconds, object, size, and when it is next asked for, which is not used."""


def read_oracle_general(blocks: Iterable[bytes], troubles: Troubles) -> Iterator[Request]:
    """Requests of libCacheSim's ``oracleGeneral``: every 24 bytes are one."""
    left, count = b"", 0
    for block in blocks:
        data = left + block
        whole = len(data) - len(data) % _RECORD.size
        for t_s, number, size_bytes, _ in _RECORD.iter_unpack(memoryview(data)[:whole]):
            yield Request(t_s, str(number), size_bytes)
        count += whole // _RECORD.size
        left = data[whole:]
    if left:
        troubles.add(count + 1, f"{len(left)} bytes at the end; expected a record of 24")


def _lines(blocks: Iterable[bytes], troubles: Troubles) -> Iterator[tuple[int, bytes]]:
    """Numbers and texts of the lines that are not empty."""
    number, left = 0, b""
    for block in blocks:
        first, *others = block.split(b"\n")
        left += first
        if others:
            for line in (left, *others[:-1]):
                number += 1
                if line and not line.isspace():
                    yield number, line
            left = others[-1]
        if len(left) > LONGEST_LINE_BYTES:
            raise LogFormatError(
                f"{troubles.name}:{number + 1}: a line of more than {LONGEST_LINE_BYTES} bytes; "
                "expected a text log (see --format)"
            )
    if left and not left.isspace():
        yield number + 1, left


def _cells(line: bytes, delimiter: str) -> list[str]:
    text = line.decode("utf-8", "surrogateescape").rstrip("\r")
    if '"' in text:
        try:
            return next(csv.reader([text], delimiter=delimiter))
        except (csv.Error, StopIteration):
            return []
    return text.split(delimiter)


def _columns_at(cells: list[str], columns: Columns, where: str) -> tuple[int | None, int, int]:
    """Places of time, key and size, given the first line."""
    names = [cell.strip() for cell in cells]

    def place(column: str, option: str) -> int:
        if column.isdigit() and int(column) > 0:
            return int(column) - 1
        if column in names:
            return names.index(column)
        raise LogFormatError(
            f"{where}: no column {column!r}; found {', '.join(names[:12])}; name the column or its "
            f"number with {option}"
        )

    time_at = place(columns.time, "--time-column") if columns.time else None
    return time_at, place(columns.key, "--key-column"), place(columns.size, "--size-column")


def _is_row(cells: list[str], at: tuple[int | None, int, int]) -> bool:
    """Whether the first line is a request, and not the columns' names."""
    try:
        int(cells[at[2]])
    except (ValueError, IndexError):
        return False
    return True


def _why_not_access(line: bytes) -> str:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as exc:
        return f"not JSON ({exc}); expected an object with t_s, key and size_bytes"
    if not isinstance(row, dict):
        return f"found {type(row).__name__}; expected an object with t_s, key and size_bytes"
    missing = [name for name in ("t_s", "key", "size_bytes") if name not in row]
    return f"no {' and no '.join(missing)}; expected t_s, key and size_bytes"


def _why_not_values(t_s: Any, key: Any, size_bytes: Any) -> str:
    if not isinstance(key, str):
        return f"key is {_shown(key)}; expected text"
    if size_bytes.__class__ is not int or not 0 <= size_bytes < _LARGEST_BYTES:
        return f"size_bytes is {_shown(size_bytes)}; expected a whole number of bytes"
    return f"t_s is {_shown(t_s)}; expected seconds"


def _why_not_row(cells: list[str], at: tuple[int | None, int, int]) -> str:
    most = max(place for place in at if place is not None)
    if len(cells) <= most:
        return f"{len(cells)} columns; expected at least {most + 1}"
    time_at, key_at, size_at = at
    time = "" if time_at is None else f" seconds (found {_shown(cells[time_at])}),"
    found = f"a key (found {_shown(cells[key_at])}) and bytes (found {_shown(cells[size_at])})"
    return f"expected{time} {found}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
