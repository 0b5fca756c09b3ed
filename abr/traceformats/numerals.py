"""Numbers as different countries write them: ``0,5``, ``1.234,5`` and ``1,234.5``.

Commas are taken for what they can only be, judged over all numbers of a table together. Where
they may be decimal signs or part thousands, nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from abr.errors import TraceFormatError
from abr.traceformats.rows import Row

Decimal = Literal["point", "comma"]
"""The sign before decimals."""

_EXPONENT = r"(?:[eE][+-]?\d+)?"
_PLAIN = re.compile(rf"[+-]?(?:\d+\.\d*|\.\d+){_EXPONENT}")
_POINT = re.compile(rf"[+-]?[1-9]\d{{0,2}}(?:,\d{{3}})+(?:\.\d*)?{_EXPONENT}")
_COMMA = re.compile(rf"[+-]?(?:\d+|[1-9]\d{{0,2}}(?:\.\d{{3}})+)?,\d+{_EXPONENT}")
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+")
_TWO_POINTS = re.compile(r"\.\d+\.")
ASK = "decimal=comma or decimal=point in --columns"


def is_numeric(text: str) -> bool:
    """Whether ``text`` is a number, as Python writes it or with commas."""
    try:
        float(text)
    except ValueError:
        return bool(_COMMA.fullmatch(text) or _POINT.fullmatch(text))
    return True


def write_points(
    rows: Sequence[Row],
    places: Iterable[int],
    name: str,
    *,
    decimal: Decimal | None = None,
    ask: str = ASK,
) -> tuple[list[Row], tuple[str, ...]]:
    """The same rows, with numbers as Python reads them, and a note where commas were judged.

    Args:
        rows: A table without its headings.
        places: Positions of the columns that hold numbers.
        name: Name of the file in error messages.
        decimal: The decimal sign, if it is known.
        ask: How it is said, in error messages.

    Raises:
        TraceFormatError: the numbers leave it open, or contradict each other or ``decimal``.
    """
    at = sorted(set(places))
    every = "\n".join([row.fields[k] for row in rows for k in at])
    if decimal != "comma" and "," not in every and not _TWO_POINTS.search(every):
        return list(rows), ()
    sign: Decimal | None = decimal
    notes: tuple[str, ...] = ()
    if decimal is None:
        firsts: dict[str, tuple[str, int]] = {}
        for row in rows:
            for k in at:
                firsts.setdefault(_evidence(row.fields[k]), (row.fields[k][:40], row.line))
        sign = _judge(firsts, name, ask)
        if sign is not None:
            means = "decimal signs" if sign == "comma" else "signs between thousands"
            with_one = [text for kind, (text, _) in firsts.items() if kind and "," in text]
            notes = tuple(f"commas read as {means}, as in {text}" for text in with_one[:1])
    return [Row(row.line, _rewrite(row, at, name, sign)) for row in rows], notes


def _evidence(text: str) -> str:
    """What a field says of the decimal sign: either, both (``open``), or nothing."""
    if _COMMA.fullmatch(text):
        return "open comma" if _POINT.fullmatch(text) else "comma"
    if _GROUPED.fullmatch(text):
        return "open point" if text.count(".") == 1 else "comma"
    return "point" if _POINT.fullmatch(text) or _PLAIN.fullmatch(text) else ""


def _judge(firsts: dict[str, tuple[str, int]], name: str, ask: str) -> Decimal | None:
    """The sign of a table with a comma in some number; None if it has no number with one."""
    comma, point = firsts.get("comma"), firsts.get("point")
    if comma and point:
        raise TraceFormatError(
            f"{name}:{max(comma[1], point[1])}: found decimal commas ({comma[0]!r}) and points "
            f"({point[0]!r}) in one table; expected one of them"
        )
    if point:
        return "point"
    unclear = firsts.get("open point") if comma else firsts.get("open comma")
    if unclear:
        raise TraceFormatError(
            f"{name}:{unclear[1]}: found {unclear[0]!r}, where the {'point' if comma else 'comma'} "
            f"may be a decimal sign or part thousands; say which: {ask}"
        )
    return "comma" if comma else None


def _rewrite(row: Row, at: Sequence[int], name: str, sign: Decimal | None) -> list[str]:
    fields = list(row.fields)
    for k in at:
        text = fields[k]
        if sign == "point" and _POINT.fullmatch(text):
            fields[k] = text.replace(",", "")
        elif sign == "comma" and (_COMMA.fullmatch(text) or _GROUPED.fullmatch(text)):
            fields[k] = text.replace(".", "").replace(",", ".")
        elif sign == "comma" and _PLAIN.fullmatch(text):
            raise TraceFormatError(
                f"{name}:{row.line}: found {text[:40]!r} in a table of decimal commas; expected "
                "numbers such as 0,5"
            )
    return fields
