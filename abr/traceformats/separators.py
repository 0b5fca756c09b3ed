"""What separates the columns of a table: comma, semicolon, tab, bar or white space."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice

from abr.traceformats.numerals import is_numeric
from abr.traceformats.rows import without_comment

_LOOKED_AT = 64
_RARE = ";\t|"
"""A sign of these that is in every line separates columns, whatever commas there are."""
_QUOTED = re.compile(r'"[^"]*"')
_NAMED = re.compile(r"sep=([,;|\t])", re.IGNORECASE)


def named_separator(first: str) -> str | None:
    """The separator that a first line ``sep=;`` names, as spreadsheets write and read it."""
    match = _NAMED.fullmatch(first)
    return match[1] if match else None


def find_separator(lines: Sequence[str], *, has_decimal_commas: bool = False) -> str | None:
    """The sign between columns; None where that is white space.

    Args:
        lines: Lines of the table that are neither blank nor comments, stripped.
        has_decimal_commas: Commas stand in numbers, not between them.
    """
    looked_at = [_QUOTED.sub("", line) for line in islice(lines, _LOOKED_AT)]
    if not looked_at:
        return None
    for sign in _RARE:
        if sign in looked_at[0] and all(sign in line for line in looked_at):
            return None if sign == "\t" and _are_spaced_decimals(looked_at) else sign
    is_comma = not has_decimal_commas or not all(map(is_numeric, lines[0].split()))
    if _are_spaced_decimals(looked_at) or ("," in looked_at[0] and not is_comma):
        return None
    return next((sign for sign in f",{_RARE}" if sign in looked_at[0]), None)


def _are_spaced_decimals(lines: Sequence[str]) -> bool:
    """Whether every line is several numbers between white space, some with a comma."""
    fields = [without_comment(line).split() for line in lines]
    return (
        all(len(each) > 1 for each in fields)
        and any("," in field for each in fields for field in each)
        and all(is_numeric(field) for each in fields for field in each)
    )
