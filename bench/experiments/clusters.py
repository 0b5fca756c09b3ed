"""What is independent among networks: the clusters that intervals are over.

Rotations of a file, slices of a recording and lines of one household are alike, however
many networks they are. A cluster has a name such as ``household:4711``: before the colon
what is counted, after it which one.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal

from abr.errors import ConfigError
from abr.wording import format_count

EXPECTED = (
    "'file', 'trace', 'folder', a regular expression with a group such as 'trace_(\\d+)_', or "
    "a table's column such as 'homes.csv:household'"
)
DRAW = "draw"
"""What is counted where networks are drawn from a model."""

_COLUMN = re.compile(r"(?P<table>.+\.csv):(?P<column>[^:]+)", re.IGNORECASE)
_ROTATED = re.compile(r"@[\d.e+]+s$")
"""What ``abr.traceedit.rotate`` adds to a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clustering:
    """How the files of ``[[traces]]`` are put in clusters; by file when nothing is said."""

    by: Literal["file", "trace", "folder", "pattern", "column"] = "file"
    pattern: str = ""
    """Regular expression; what its groups match names the cluster."""
    table: str = ""
    """CSV whose first column names files."""
    column: str = ""
    is_said: bool = False
    """Whether the plan says so."""


BY_FILE = Clustering()


def read_clustering(text: str) -> Clustering:
    """What ``cluster`` of a plan says.

    Raises:
        ValueError: it is none of what is expected, which the message says.
    """
    if text in ("file", "trace", "folder"):
        return Clustering(by=text, is_said=True)  # type: ignore[arg-type]
    column = _COLUMN.fullmatch(text)
    if column is not None and "(" not in text:
        return Clustering(by="column", **column.groupdict(), is_said=True)
    try:
        groups = re.compile(text).groups
    except re.error as exc:
        raise ValueError(f"not a regular expression ({exc}); expected {EXPECTED}") from exc
    if not groups:
        raise ValueError(f"expected {EXPECTED}")
    return Clustering(by="pattern", pattern=text, is_said=True)


@dataclass(frozen=True, slots=True)
class Members:
    """A table that says what each file belongs to."""

    table: str = ""
    by_file: Mapping[str, str] = field(default_factory=dict)


def read_members(text: str, clustering: Clustering, *, name: str) -> Members:
    """The column of a table by file, as its first column names files.

    Raises:
        ConfigError: there is no such column, or a row lacks it.
    """
    rows = list(csv.reader(text.splitlines()))
    head = [each.strip() for each in rows[0]] if rows else []
    if clustering.column not in head[1:]:
        raise ConfigError(
            f"{name}:1: no column {clustering.column!r} after the first, which names files; "
            f"found {', '.join(head) or 'nothing'}"
        )
    place = head.index(clustering.column, 1)
    found: dict[str, str] = {}
    for number, row in enumerate(rows[1:], 2):
        if not row:
            continue
        if len(row) <= place or not row[place].strip():
            raise ConfigError(f"{name}:{number}: no {clustering.column}; expected one")
        found[row[0].strip()] = row[place].strip()
    return Members(name, found)


def cluster_of(
    clustering: Clustering, path: str, trace: str = "", members: Members | None = None
) -> str:
    """The cluster of a trace.

    Args:
        clustering: As the plan says.
        path: Of the file, from the plan's folder; or a named trace.
        trace: Its name, where the file has several.
        members: The table, where the clusters are in one.

    Raises:
        ConfigError: the plan's rule says nothing of this file.
    """
    whole = f"{path}#{trace}" if trace else path
    match clustering.by:
        case "trace":
            return f"trace:{whole}"
        case "folder":
            return f"folder:{PurePosixPath(path).parent}"
        case "pattern":
            return _by_pattern(clustering.pattern, whole)
        case "column":
            return f"{clustering.column}:{_member(members or Members(), path)}"
        case _:
            return f"file:{path}"


def _by_pattern(pattern: str, whole: str) -> str:
    found = re.search(pattern, whole)
    values = [] if found is None else [each for each in found.groups() if each]
    if not values:
        raise ConfigError(
            f"cluster = {pattern!r} matches nothing in {whole!r}; expected a group that does, or "
            "other [[traces]] for such files"
        )
    names = re.compile(pattern).groupindex
    return f"{next(iter(names), 'group')}:{'-'.join(values)}"


def _member(members: Members, path: str) -> str:
    parts = PurePosixPath(path).parts
    for k in range(len(parts)):
        found = members.by_file.get("/".join(parts[k:]))
        if found is not None:
            return found
    raise ConfigError(
        f"{members.table}: no row for {path!r}; expected its name, or the end of its path, in the "
        "first column"
    )


def cluster_of_row(row: Mapping[str, object]) -> str:
    """The cluster of a session; of older results, which say none, what its trace was cut from."""
    said = row.get("cluster")
    if said:
        return str(said)
    return f"trace:{row['class']}/{_ROTATED.sub('', str(row.get('trace', row['trace_digest'])))}"


def count_by_kind(clusters: Iterable[str]) -> dict[str, int]:
    """How many different clusters there are of each kind, most first."""
    counts: dict[str, int] = {}
    for cluster in dict.fromkeys(clusters):
        kind = cluster.partition(":")[0]
        counts[kind] = counts.get(kind, 0) + 1
    return dict(sorted(counts.items(), key=lambda each: -each[1]))


def name_units(counts: Mapping[str, int]) -> str:
    """``47 households and 20 draws``."""
    named = [format_count(count, kind, _plural(kind)) for kind, count in counts.items()]
    return " and ".join(filter(None, [", ".join(named[:-1]), *named[-1:]])) or "nothing"


def _plural(noun: str) -> str:
    if noun.endswith("y") and not noun.endswith(("ay", "ey", "oy", "uy")):
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"
