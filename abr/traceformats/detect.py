"""Detect the format of a text from its first lines; the reader then checks all of it."""

from __future__ import annotations

from itertools import islice

from abr.errors import TraceFormatError
from abr.traceformats.fcc import DATE
from abr.traceformats.rows import numbered_lines

_LOOKED_AT = 64


def detect(text: str, name: str, formats: str) -> str:
    """Name of the format of ``text``.

    Raises:
        TraceFormatError: the format is unknown; the message lists ``formats``.
    """
    lines = [line for _, line in islice(numbered_lines(text), _LOOKED_AT)]
    if not lines:
        raise TraceFormatError(f"{name}: the file is empty; expected a trace in one of {formats}")
    first = lines[0]
    if first[0] in "[{":
        return "sabre" if first[0] == "[" else "json"
    if "," in first:
        return _of_commas(first)
    fields = first.split()
    if len(fields) == 2:
        return "oboe" if _is_oboe(lines) else "cooked"
    if len(fields) == 6 and _is_number(fields[0]):
        # Unix time: seconds have 10 digits, milliseconds 13.
        return "ghent" if float(fields[0]) > 1e11 else "hsdpa"
    if len(fields) == 1 and fields[0].lstrip("+-").isdigit():
        return "mahimahi"
    number = next(numbered_lines(text))[0]
    raise TraceFormatError(
        f"{name}:{number}: found {first[:40]!r}; expected the start of {formats}"
    )


def _of_commas(first: str) -> str:
    fields = [field.strip(' "').lower() for field in first.split(",")]
    if "dl_bitrate" in fields:
        return "raca"
    if "bytes_sec" in fields or (len(fields) > 6 and DATE.fullmatch(fields[1])):
        return "fcc"
    if "delivery_rate" in fields or (len(fields) > 13 and _is_number(fields[0])):
        return "puffer"
    return "csv"


def _is_oboe(lines: list[str]) -> bool:
    """Whether rates come in pairs, and periods touch or are too long and fast for s and Mbit/s."""
    rows = [line.split() for line in lines[: len(lines) // 2 * 2]]
    if len(rows) < 2 or not all(len(row) == 2 and all(map(_is_number, row)) for row in rows):
        return False
    times, rates = [float(row[0]) for row in rows], [float(row[1]) for row in rows]
    if rates[::2] != rates[1::2]:
        return False
    touching = len(rows) >= 4 and times[1:-1:2] == times[2::2]
    steps = sorted(end - begin for begin, end in zip(times[::2], times[1::2], strict=True))
    return touching or (steps[len(steps) // 2] >= 100 and max(rates) >= 30)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
