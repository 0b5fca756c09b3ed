"""Results of an experiment: one row per session, as JSON Lines and as columns.

A results file holds a header, then rows in the order of the experiment; a block holds the
rows of one run. Neither holds any wall-clock time: the same plan gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from abr.errors import InputError
from abr.media import FloatArray

FORMAT = "abrkit results"
BLOCK_FORMAT = "abrkit results block"
VERSION = "1.1"

Row = dict[str, Any]
Facts = Mapping[str, Mapping[str, str]]
"""What an algorithm read and asked, by kind and by name; see ``bench.experiments.run.facts``."""

FIELDS: Mapping[str, str] = {
    "run": "text",
    "algorithm": "text",
    "params": "object",
    "presentation": "text",
    "presentation_digest": "text",
    "trace": "text",
    "trace_digest": "text",
    "class": "text",
    "cluster": "text",
    "seed": "whole",
    "startup_s": "number or null",
    "stall_s": "number",
    "stall_events": "whole",
    "played_s": "number",
    "elapsed_s": "number",
    "segments": "whole",
    "mean_bitrate_bps": "number",
    "bitrate_change_bps": "number",
    "switches": "whole",
    "qoe_lin": "number",
    "downloaded_bytes": "number",
    "wasted_bytes": "number",
    "quality_mean": "number where measured",
    "quality_lowest": "number where measured",
    "quality_change": "number where measured",
    "ended": "text",
    "rungs": "rungs",
    "stalls": "stalls",
}
"""Fields of a row in their order, and what each holds."""

NUMBERS = tuple(name for name, kind in FIELDS.items() if kind.startswith(("number", "whole")))


class ResultsError(InputError, ValueError):
    """Results that cannot be read, or do not hold what was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """An experiment's rows as columns."""

    header: Mapping[str, Any]
    rows: Sequence[Row]
    numbers: Mapping[str, FloatArray]
    """Numeric columns by field; ``nan`` stands for null."""

    @property
    def algorithms(self) -> tuple[str, ...]:
        """Labels in the order of the plan."""
        return tuple(dict.fromkeys(row["algorithm"] for row in self.rows))

    @property
    def name(self) -> str:
        """Of the plan."""
        return str(self.header.get("name", ""))


def compact(value: object) -> str:
    """One line of canonical JSON."""
    return _compact(value)


_compact = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


class StoredBlock(NamedTuple):
    """The rows of one run, and what they depend on that was only seen while it was played."""

    body: bytes
    """A line of JSON for each row."""
    reached: Facts
    """What its algorithm read and asked of files, folders and variables."""
    unseen: str
    """What its answers may depend on that no digest covers, in words."""


def print_block(
    run: str, rows: Sequence[Row], *, reached: Facts | None = None, unseen: str = ""
) -> str:
    """The rows of one run, after a line with their number and digest; see ``StoredBlock``."""
    body = "".join(f"{_compact(each)}\n" for each in rows)
    head = _block_head(run, len(rows), body.encode(), dict(reached or {}), unseen)
    return f"{compact(head)}\n{body}"


def _block_head(run: str, rows: int, body: bytes, reached: Facts, unseen: str) -> dict[str, Any]:
    return {
        "format": BLOCK_FORMAT,
        "version": VERSION,
        "run": run,
        "rows": rows,
        "digest": hashlib.sha256(body).hexdigest(),
        "reached": reached,
        "unseen": unseen,
    }


def read_block(data: bytes, *, run: str, rows: int) -> StoredBlock | None:
    """A complete block of that run; None when it is another one or damaged."""
    head, body = split_block(data)
    try:
        about = json.loads(head)
        reached, unseen = about["reached"], about["unseen"]
    except (ValueError, TypeError, KeyError):
        return None
    if not _are_facts(reached) or about != _block_head(run, rows, body, reached, unseen):
        return None
    return StoredBlock(body, reached, str(unseen))


def _are_facts(found: object) -> bool:
    return isinstance(found, dict) and all(isinstance(told, dict) for told in found.values())


def split_block(data: bytes) -> tuple[bytes, bytes]:
    """The first line of a block, and its rows."""
    head, _, body = data.partition(b"\n")
    return head, body


def are_plainly_whole(body: bytes) -> bool:
    """Whether all rows are of sessions that ended well; most need no parsing to tell."""
    ended_well = body.count(b'"ended":"complete","rungs":[')
    return ended_well == body.count(b"\n") and b'"startup_s":null,"stall_s":' not in body


def print_results(header: Mapping[str, Any], bodies: Iterable[bytes]) -> bytes:
    """A results file of rows that are lines of JSON already."""
    head = {"format": FORMAT, "version": VERSION, **header}
    return b"".join([compact(head).encode(), b"\n", *bodies])


def read_results(text: str, *, name: str) -> Results:
    """What ``print_results`` printed.

    Raises:
        ResultsError: it is no results file, of another major version, or a row is not whole.
    """
    first, *lines = text.splitlines() or [""]
    try:
        header = json.loads(first)
    except ValueError:
        header = None
    check_header(header, name=name)
    rows = []
    for number, line in enumerate(lines, 2):
        try:
            row = json.loads(line)
        except ValueError as exc:
            raise ResultsError(f"{name}:{number}: not JSON ({exc}); expected a row") from exc
        rows.append(row)
    return results_of(header, rows, name=name)


def check_header(header: object, *, name: str) -> None:
    """Refuse what is no results file, or one of another major version.

    Raises:
        ResultsError: saying what was found.
    """
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ResultsError(f"{name}: no results of `abr bench run`; expected its first line")
    version = str(header.get("version"))
    if version.partition(".")[0] != VERSION.partition(".")[0]:
        raise ResultsError(
            f"{name}: results of version {version}; this abrkit reads {VERSION}: "
            "use the one that wrote them"
        )


def _number(row: Row, field: str) -> float | None:
    return row.get(field) if FIELDS[field] == "number where measured" else row[field]


def results_of(header: Mapping[str, Any], rows: Sequence[Row], *, name: str) -> Results:
    """Rows as columns.

    Raises:
        ResultsError: there are none, or a row lacks a field.
    """
    if not rows:
        raise ResultsError(f"{name}: no rows; expected at least one session")
    try:
        numbers = {
            field: np.array([_number(row, field) for row in rows], dtype=np.float64)
            for field in NUMBERS
        }
        for field in ("algorithm", "trace_digest", "presentation_digest", "class", "ended"):
            for row in rows:
                _ = row[field]
    except (KeyError, TypeError, ValueError) as exc:
        raise ResultsError(f"{name}: a row without {exc}; expected every field of a row") from exc
    return Results(header=header, rows=rows, numbers=numbers)
