"""Files that name what starts soon: CSV with a first line of names, or JSON Lines.

Columns or fields: ``key``, ``size_bytes``, ``at_s`` (seconds since the epoch) and
``expected_share`` of all requests of an edge, 0 to 1.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from abr.errors import ConfigError
from edge.tiers.popularity import Premiere

NAMES = ("key", "size_bytes", "at_s", "expected_share")


@dataclass(frozen=True, slots=True, kw_only=True)
class Premieres:
    """What starts soon, and how large it is."""

    premieres: tuple[Premiere, ...] = ()
    sizes_bytes: Mapping[str, int]


def parse_premieres(text: str, *, where: str, is_csv: bool) -> Premieres:
    """Read a file of premieres.

    Raises:
        ConfigError: a line is wrong; the message says which, and what was expected.
    """
    found, sizes_bytes = [], {}
    for number, row in _csv_rows(text, where) if is_csv else _json_rows(text, where):
        premiere, size_bytes = _premiere(row, f"{where}:{number}")
        found.append(premiere)
        sizes_bytes[premiere.key] = size_bytes
    return Premieres(premieres=tuple(found), sizes_bytes=sizes_bytes)


def _csv_rows(text: str, where: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    names = reader.fieldnames or ()
    missing = [name for name in NAMES if name not in names]
    if missing:
        raise ConfigError(
            f"{where}:1: no {', '.join(missing)}; expected the line {','.join(NAMES)}"
        )
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as exc:
        raise ConfigError(f"{where}:{reader.line_num}: not CSV ({exc})") from exc


def _json_rows(text: str, where: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as exc:
            raise ConfigError(
                f"{where}:{number}: not JSON ({exc}); name the file .csv if it is CSV"
            ) from exc
        if not isinstance(row, dict):
            raise ConfigError(f"{where}:{number}: expected an object with {', '.join(NAMES)}")
        yield number, row


def _premiere(row: Mapping[str, Any], where: str) -> tuple[Premiere, int]:
    key = row.get("key")
    if not isinstance(key, str) or not key.startswith("/"):
        raise ConfigError(f"{where}: key: found {key!r}; expected a key such as /title/v0/1.m4s")
    size_bytes = _number(row, "size_bytes", where, most=2.0**50)
    if size_bytes != int(size_bytes):
        raise ConfigError(f"{where}: size_bytes: found {size_bytes}; expected a whole number")
    premiere = Premiere(
        key=key,
        at_s=_number(row, "at_s", where, most=2.0**53),
        expected_share=_number(row, "expected_share", where, most=1.0),
    )
    return premiere, int(size_bytes)


def _number(row: Mapping[str, Any], name: str, where: str, *, most: float) -> float:
    value = row.get(name)
    try:
        found = float(value) if isinstance(value, str | int | float) else -1.0
    except (ValueError, OverflowError):
        found = -1.0
    if not isfinite(found) or not 0 <= found <= most:
        raise ConfigError(f"{where}: {name}: found {value!r}; expected a number, 0 to {most:g}")
    return found
