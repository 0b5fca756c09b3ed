"""A small dot-matrix alphabet for text in generated pictures, so that no font is needed.

Capitals, figures and a little punctuation, five dots wide and seven high.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WIDTH = 6
"""Dots from one letter to the next."""
# Seven rows of five dots for each letter, top first, as hexadecimal numbers of two figures.
_ROWS = {
    "A": "0E11111F111111", "B": "1E11111E11111E", "C": "0E11101010110E", "D": "1E11111111111E",
    "E": "1F10101E10101F", "F": "1F10101E101010", "G": "0E11101711110F", "H": "1111111F111111",
    "I": "0E04040404040E", "J": "0702020202120C", "K": "11121418141211", "L": "1010101010101F",
    "M": "111B1515111111", "N": "11191513111111", "O": "0E11111111110E", "P": "1E11111E101010",
    "Q": "0E11111115120D", "R": "1E11111E141211", "S": "0F10100E01011E", "T": "1F040404040404",
    "U": "1111111111110E", "V": "11111111110A04", "W": "11111115151B11", "X": "11110A040A1111",
    "Y": "11110A04040404", "Z": "1F01020408101F", "0": "0E11131519110E", "1": "040C040404040E",
    "2": "0E11010204081F", "3": "1F02040201110E", "4": "02060A121F0202", "5": "1F101E0101110E",
    "6": "0608101E11110E", "7": "1F010204080808", "8": "0E11110E11110E", "9": "0E11110F01020C",
    ":": "000C0C000C0C00", ".": "00000000000C0C", "-": "0000001F000000",
}  # fmt: skip


def _glyph(rows: str) -> NDArray[np.bool_]:
    numbers = np.frombuffer(bytes.fromhex(rows), dtype=np.uint8)
    return np.unpackbits(numbers[:, None], axis=1)[:, 3:].astype(np.bool_)


_GLYPHS = {letter: _glyph(rows) for letter, rows in _ROWS.items()}


def draw_text(
    page: NDArray[np.int32], text: str, left: int, top: int, *, size: int, level: int
) -> None:
    """Write ``text`` into ``page`` in place; what lies outside is clipped.

    Args:
        page: Brightness, shape (height, width).
        text: Letters without a glyph leave a gap.
        left: Column of the first dot; may be negative.
        top: Row of the first dot; may be negative.
        size: Pixels to a dot.
        level: Brightness of the letters.
    """
    height, width = page.shape
    for number, letter in enumerate(text):
        glyph = _GLYPHS.get(letter)
        column = left + number * WIDTH * size
        if glyph is None or column >= width or top >= height:
            continue
        dots = np.kron(glyph, np.ones((size, size), dtype=np.bool_))
        cut_left, cut_top = max(0, -column), max(0, -top)
        dots = dots[cut_top : height - top, cut_left : width - column]
        if dots.size:
            place = page[max(0, top) :, max(0, column) :][: dots.shape[0], : dots.shape[1]]
            place[dots] = level
