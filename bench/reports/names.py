"""Names of algorithms where there is little room: how wide they are, and shorter ones.

A name is cut in its middle, since names of one family begin alike and end with what differs.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence

CUT = "…"
COLUMNS = 28
"""The most that a name takes in a table for a terminal."""

_WIDE_PX, _BROAD_PX, _CAPITAL_PX, _USUAL_PX = 14.0, 11.0, 8.6, 6.6
"""Of 11 px, on the wide side: Chinese and pictures, m and w, capitals, all others."""


def columns_of(text: str) -> int:
    """Columns that a text takes in a terminal."""
    return sum(_is_seen(char) * (2 if _is_wide(char) else 1) for char in text)


def width_px(text: str) -> float:
    """Width of a text of 11 px, on the wide side."""
    return sum(_char_px(char) for char in text if _is_seen(char))


def pad(text: str, columns: int, *, is_left: bool) -> str:
    """A text with spaces before or after it."""
    spaces = " " * (columns - columns_of(text))
    return f"{text}{spaces}" if is_left else f"{spaces}{text}"


def shorten(name: str, most: float, measure: Callable[[str], float] = width_px) -> str:
    """The name itself where it takes no more than ``most``; else its beginning and its end."""
    if measure(name) <= most:
        return name
    found = CUT
    for kept in range(1, len(name)):
        longer = f"{name[: (kept + 1) // 2]}{CUT}{name[len(name) - kept // 2 :]}"
        if measure(longer) > most:
            break
        found = longer
    return found


def in_columns(names: Sequence[str]) -> dict[str, str]:
    """Each name as a table for a terminal has it; whole where two would be cut to the same."""
    cut = {name: shorten(name, COLUMNS, columns_of) for name in names}
    times = Counter(cut.values())
    return {name: short if times[short] == 1 else name for name, short in cut.items()}


def _is_seen(char: str) -> bool:
    return unicodedata.category(char) not in ("Mn", "Me", "Cf")


def _is_wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in "WF"


def _char_px(char: str) -> float:
    if _is_wide(char):
        return _WIDE_PX
    if char in "mwMW@%&—":
        return _BROAD_PX
    return _CAPITAL_PX if char.isupper() else _USUAL_PX
