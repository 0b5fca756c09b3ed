"""Split any table of text into rows: CSV, TSV, white space, JSON Lines, and JSON of records.

JSON may be a list of objects or of lists, an object of lists, or an object that holds a list
of objects; other keys are ignored. A single line of numbers is a column.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from abr.errors import TraceFormatError
from abr.traceformats.rows import Row, numbered_lines, split_separated_rows, without_comment
from abr.traceformats.separators import find_separator, named_separator


class Table(NamedTuple):
    """Rows of text, and the headings if it is certain that there are some."""

    rows: list[Row]
    headings: list[str] | None = None
    separator: str | None = None
    """Between columns; None for white space, and in JSON."""


def split_table(text: str, name: str, *, has_decimal_commas: bool = False) -> Table:
    """Split ``text`` into rows; a first line of headings is still among them.

    Args:
        text: Content of the file.
        name: Name of the file in error messages.
        has_decimal_commas: Commas stand in numbers, not between them.

    Raises:
        TraceFormatError: broken JSON or quotes, or nothing like a table.
    """
    if text.lstrip()[:1] in ("{", "["):
        return _split_json(text, name)
    lines = [line for _, line in numbered_lines(text)]
    named = named_separator(lines[0]) if lines else None
    separator = named or find_separator(lines, has_decimal_commas=has_decimal_commas)
    if separator:
        rows = split_separated_rows(text, name, separator)
    else:
        rows = [Row(line, without_comment(each).split()) for line, each in numbered_lines(text)]
    return Table(rows[1:] if named else rows, separator=separator)


def _split_json(text: str, name: str) -> Table:
    lines = list(numbered_lines(text))
    if len(lines) > 1 and (found := _json_lines(lines)) is not None:
        return found
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as exc:
        where = f"{name}:{getattr(exc, 'lineno', 1)}"
        raise TraceFormatError(f"{where}: broken JSON ({exc}); expected a table") from exc
    table = _of_value(value)
    if table is None or not table.rows:
        raise TraceFormatError(
            f"{name}:1: found JSON without a table; expected a list of objects or an object of "
            "lists"
        )
    return table


def _json_lines(lines: list[tuple[int, str]]) -> Table | None:
    try:
        values = [json.loads(line) for _, line in lines]
    except (ValueError, RecursionError):
        return None
    return _of_records(values, [number for number, _ in lines])


def _of_value(value: Any) -> Table | None:
    if isinstance(value, list):
        return _of_records(value, list(range(1, len(value) + 1)))
    if not isinstance(value, dict):
        return None
    lists = {str(key): each for key, each in value.items() if isinstance(each, list) and each}
    for each in lists.values():
        if isinstance(each[0], dict):
            return _of_value(each)
    longest = max(map(len, lists.values()), default=0)
    columns = {key: each for key, each in lists.items() if len(each) == longest}
    rows = [
        Row(number, [_cell(each) for each in row])
        for number, row in enumerate(zip(*columns.values(), strict=True), 1)
    ]
    return Table(rows, list(columns))


def _of_records(values: list[Any], lines: list[int]) -> Table | None:
    if values and all(isinstance(each, dict) for each in values):
        headings = list(dict.fromkeys(str(key) for each in values for key in each))
        rows = [
            Row(line, [_cell(each.get(head)) for head in headings])
            for line, each in zip(lines, values, strict=True)
        ]
        return Table(rows, headings)
    if values and all(isinstance(each, list) for each in values):
        return Table(
            [Row(n, [_cell(cell) for cell in each]) for n, each in zip(lines, values, strict=True)]
        )
    if values and not any(isinstance(each, list | dict) for each in values):
        return Table([Row(n, [_cell(each)]) for n, each in zip(lines, values, strict=True)])
    return None


def _cell(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else repr(value)
