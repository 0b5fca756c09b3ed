"""Helpers for readers of published measurement tables: named columns, gaps and groups.

Such tables were not made to describe a link, so some rows say nothing about one. Those
rows are dropped and counted, never guessed: a time in which nothing was measured is
neither an outage nor capacity.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from abr.errors import TraceFormatError
from abr.media import FloatArray
from abr.trace import Trace
from abr.traceformats.rows import Found, Row, join_periods, split_comma_rows


def named_columns(
    text: str, name: str, wanted: tuple[str, ...], unnamed: dict[str, int] | None = None
) -> tuple[list[Row], dict[str, int]]:
    """Split a table into rows, and find the ``wanted`` columns by their lower-case names.

    Args:
        text: Content of the file.
        name: Name of the file in error messages.
        wanted: Required columns; in the file a name may be followed by words in parentheses.
        unnamed: Positions of the columns in a file without a header; None requires one.

    Raises:
        TraceFormatError: there is no header, a column is missing, or a row is too short.
    """
    rows = split_comma_rows(text, name)
    line = rows[0].line if rows else 1
    heads = [head.lower().partition("(")[0].strip() for head in rows[0].fields] if rows else []
    columns = {head: at for at, head in reversed(list(enumerate(heads)))}
    if rows and not any(want in columns for want in wanted) and unnamed is not None:
        columns = unnamed
    else:
        rows = rows[1:]
    for want in wanted:
        if want not in columns:
            raise TraceFormatError(
                f"{name}:{line}: found header {','.join(heads)[:60]!r}; expected a column {want}"
            )
    need = max(columns[want] for want in wanted) + 1
    for row in rows:
        if len(row.fields) < need:
            raise TraceFormatError(
                f"{name}:{row.line}: found {len(row.fields)} columns; expected {need} or more"
            )
    if not rows:
        raise TraceFormatError(f"{name}:{line}: found no rows; expected measurements")
    return rows, columns


def shorten_gaps(
    steps_s: FloatArray, longest_s: float, instead_s: float
) -> tuple[FloatArray, tuple[str, ...]]:
    """Shorten steps longer than ``longest_s`` to ``instead_s``; return a note if there are any."""
    gaps = steps_s > longest_s
    if not gaps.any():
        return steps_s, ()
    lost_s = float((steps_s[gaps] - instead_s).sum())
    note = f"gaps of more than {longest_s:g} s: {int(gaps.sum())}, {lost_s:.0f} s in all, left out"
    return np.where(gaps, instead_s, steps_s), (note,)


def build_traces(
    groups: dict[str, tuple[FloatArray, FloatArray]], name: str, noun: str, notes: tuple[str, ...]
) -> list[Found]:
    """Build a trace from each group of durations and rates that has capacity and length.

    Each is named after its key, without characters that are special in paths or URLs.

    Raises:
        TraceFormatError: no group has.
    """
    good = {key: group for key, group in groups.items() if float(np.dot(*group)) > 0}
    if not good:
        raise TraceFormatError(
            f"{name}: none of {len(groups)} {noun} offers any capacity over any time; "
            "nothing can be played over a link that never delivers"
        )
    left = len(groups) - len(good)
    if left:
        notes += (f"{left} of {len(groups)} {noun} left out: no capacity, or no length",)
    found = [
        Found(_build_trace(name, key, *group))
        for key, group in zip(name_traces(good), good.values(), strict=True)
    ]
    return [Found(found[0].trace, notes), *found[1:]]


def name_traces(keys: Iterable[str]) -> list[str]:
    """Names for traces, no two alike, without characters that are special in paths or URLs."""
    names: dict[str, None] = {}
    for key in keys:
        names[_make_unique(_slug(key), names)] = None
    return list(names)


def _build_trace(name: str, key: str, durations: FloatArray, rates: FloatArray) -> Trace:
    try:
        return join_periods(durations, rates, key)
    except TraceFormatError as exc:
        raise TraceFormatError(f"{name}: {exc}") from exc


def _slug(text: str) -> str:
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in text)[:100] or "trace"


def _make_unique(name: str, taken: dict[str, None]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free
