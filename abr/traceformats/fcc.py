"""FCC's ``curr_webget`` tables: web fetches of many homes, one trace per unit and target.

``bytes_sec`` is in bytes per second. Fetches in the file are hours apart; each becomes 5 s
of the trace, in the order of ``dtime``, as in Pensieve's converter. Traces are not filtered
by their mean. Failed fetches are dropped.

Sources: the header of the published tables (Measuring Broadband America, raw data); H. Mao et
al., Neural adaptive video streaming with Pensieve, SIGCOMM 2017, for the 5 s.
"""

from __future__ import annotations

import re

import numpy as np

from abr.media import FloatArray
from abr.traceformats.rows import Found, Row, parse_numbers
from abr.traceformats.tables import build_traces, named_columns

_COLUMNS = ("unit_id", "dtime", "target", "bytes_sec")
_UNNAMED = {"unit_id": 0, "dtime": 1, "target": 2, "bytes_sec": 6}
_EACH_S = 5.0
_MISSING = ("", "-", "NULL", "null", r"\N")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
"""Format of times in the table; they sort as strings."""


def read_fcc(text: str, name: str) -> list[Found]:
    """Read one trace per unit and target, in the order of their first rows."""
    rows, columns = named_columns(text, name, _COLUMNS, _UNNAMED)
    rate, success = columns["bytes_sec"], columns.get("successes")
    good = [
        row
        for row in rows
        if row.fields[rate] not in _MISSING
        and (success is None or row.fields[success : success + 1] != ["0"])
    ]
    numbers = parse_numbers(good, rate, name, "bytes_sec") * 8
    groups: dict[str, list[tuple[str, float]]] = {}
    for row in rows:
        groups.setdefault(_key(row, columns), [])
    for row, number in zip(good, numbers.tolist(), strict=True):
        groups[_key(row, columns)].append((row.fields[columns["dtime"]], number))
    failed = len(rows) - len(good)
    notes = (f"{failed} of {len(rows)} fetches failed, left out",) if failed else ()
    return build_traces(
        {key: _periods(group) for key, group in groups.items()}, name, "links", notes
    )


def _key(row: Row, columns: dict[str, int]) -> str:
    return f"{row.fields[columns['unit_id']]}_{row.fields[columns['target']]}"


def _periods(group: list[tuple[str, float]]) -> tuple[FloatArray, FloatArray]:
    if all(DATE.fullmatch(time) for time, _ in group):
        group = sorted(group, key=lambda row: row[0])
    return np.full(len(group), _EACH_S), np.array([rate for _, rate in group], dtype=np.float64)
