"""Detect the format of a text from its first lines; the reader then checks all of it."""

from __future__ import annotations

import json
from itertools import islice

from abr.errors import TraceFormatError
from abr.traceformats.columns import suggest_columns
from abr.traceformats.csvtable import are_known
from abr.traceformats.fcc import DATE
from abr.traceformats.genet import KEYS
from abr.traceformats.numerals import is_numeric
from abr.traceformats.published import known_layout
from abr.traceformats.rows import numbered_lines, without_comment
from abr.traceformats.separators import find_separator, named_separator
from abr.traceformats.stamps import is_number

_LOOKED_AT = 64
_LOOKED_AT_LETTERS = 200
_OURS = "abrkit-trace"
_PLAIN = "--columns time=1:s,rate=2:kbit"


def detect(text: str, name: str, formats: str) -> str:
    """Name of the format of ``text``.

    Raises:
        TraceFormatError: the format is unknown; the message lists ``formats``.
    """
    lines = [line for _, line in islice(numbered_lines(text), _LOOKED_AT)]
    if lines and named_separator(lines[0]):
        lines = lines[1:]
    if not lines:
        raise TraceFormatError(f"{name}: the file is empty; expected a trace in one of {formats}")
    first = lines[0]
    if first[0] in "[{":
        return _of_json(text, lines, name)
    separator = find_separator(lines)
    if separator == ",":
        return _of_commas(first)
    if separator and are_known([field.strip(' "') for field in first.split(separator)]):
        return "csv"
    lines = list(map(without_comment, lines))
    fields = lines[0].split()
    if len(fields) == 2 and is_numeric(fields[0]):
        return "oboe" if _is_oboe(lines) else "cooked"
    if len(fields) == 6 and is_number(fields[0]):
        # Unix time: seconds have 10 digits, milliseconds 13.
        return "ghent" if float(fields[0]) > 1e11 else "hsdpa"
    if len(fields) == 1 and fields[0].lstrip("+-").isdigit():
        return "mahimahi"
    number = next(numbered_lines(text))[0]
    raise TraceFormatError(f"{name}:{number}: {_what_else(lines, formats)}")


def _what_else(lines: list[str], formats: str) -> str:
    """What a text is that no format describes, and how to read it all the same."""
    fields = [line.split() for line in lines]
    widths = {len(each) for each in fields}
    if all(is_numeric(field) for each in fields for field in each) and len(widths) == 1:
        if widths == {1} or len(lines) == 1:
            return (
                "found single numbers without times; if they are rates, say of what unit and how "
                "long each lasts: --columns rate=1:mbit,step=1s"
            )
        return (
            f"found {widths.pop()} columns of numbers; say which is what: "
            "--columns time=1:s,rate=2:mbit (or rate=2+3:mbit to add some up)"
        )
    separator = find_separator(lines)
    headings = [field.strip(' "') for field in lines[0].split(separator)]
    widths = {len(line.split(separator)) for line in lines}
    is_table = len(headings) > 1 and len(lines) > 1 and widths == {len(headings)}
    how = suggest_columns(headings) if is_table and not is_numeric(headings[0]) else _PLAIN
    if widths == {1} and len(lines) > 1 and all(is_numeric(line) for line in lines[1:]):
        how = "--columns rate=1:mbit,step=1s"
    return (
        f"found {lines[0][:40]!r}; expected the start of {formats}; for another table say which "
        f"column is what: {how}"
    )


def _of_json(text: str, lines: list[str], name: str) -> str:
    if len(lines) > 1 and (keys := _keys(lines[0])) and _keys(lines[1]):
        raise TraceFormatError(
            f"{name}:1: found an object in each line, with {', '.join(keys)[:80]}; say which is "
            f"what: {suggest_columns(keys)}"
        )
    if lines[0][0] == "[":
        return "sabre"
    head = text[:_LOOKED_AT_LETTERS]
    return "genet" if all(f'"{key}"' in text for key in KEYS) and _OURS not in head else "json"


def _keys(line: str) -> list[str]:
    """Keys of a line that is a JSON object; none if it is something else."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return []
    return list(map(str, value)) if isinstance(value, dict) else []


def _of_commas(first: str) -> str:
    headings = [field.strip(' "') for field in first.split(",")]
    if layout := known_layout(headings):
        return layout
    fields = [heading.lower() for heading in headings]
    if "dl_bitrate" in fields:
        return "raca"
    if "bytes_sec" in fields or (len(fields) > 6 and DATE.fullmatch(fields[1])):
        return "fcc"
    if "delivery_rate" in fields or (len(fields) > 13 and is_number(fields[0])):
        return "puffer"
    return "csv"


def _is_oboe(lines: list[str]) -> bool:
    """Whether rates come in pairs, and periods touch or are too long and fast for s and Mbit/s."""
    rows = [line.split() for line in lines[: len(lines) // 2 * 2]]
    if len(rows) < 2 or not all(len(row) == 2 and all(map(is_number, row)) for row in rows):
        return False
    times, rates = [float(row[0]) for row in rows], [float(row[1]) for row in rows]
    if rates[::2] != rates[1::2]:
        return False
    touching = len(rows) >= 4 and times[1:-1:2] == times[2::2]
    steps = sorted(end - begin for begin, end in zip(times[::2], times[1::2], strict=True))
    return touching or (steps[len(steps) // 2] >= 100 and max(rates) >= 30)
