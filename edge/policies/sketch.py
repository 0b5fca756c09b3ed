"""How often each key was asked for lately, in a few bytes per key, about right.

A count-min sketch of small counters that are halved once in a while.

Source: G. Einziger, R. Friedman, B. Manes, "TinyLFU: A Highly Efficient Cache Admission
Policy", arXiv:1512.00727. Deviation: the table grows with the cache, since how many objects a
number of bytes will hold is not known before.
"""

from __future__ import annotations

import zlib

_ROWS = 4
_MOST = 15
_SAMPLE_PER_COLUMN = 10
"""The counters are halved after this many requests for each column (paper, section 3.3)."""
_MIX = 0x9E3779B97F4A7C15
"""Odd constant near 2^64 divided by the golden ratio: spreads the bits of a checksum."""
_SHIFT = 13
"""Bits between the columns of two rows."""
_HALVES = bytes(count >> 1 for count in range(256))


class FrequencySketch:
    """Counts of requests by key, never too low since the last halving, capped at 15."""

    __slots__ = ("_columns", "_counted", "_rows")

    def __init__(self, columns: int = 1 << 10) -> None:
        self._columns = columns
        self._rows = [bytearray(columns) for _ in range(_ROWS)]
        self._counted = 0

    def __repr__(self) -> str:
        return f"<FrequencySketch of {_ROWS} x {self._columns} counters>"

    def add(self, key: str, times: int = 1) -> None:
        """Count requests for ``key``."""
        mask = self._columns - 1
        bits = _spread(key)
        for row in self._rows:
            at = bits & mask
            row[at] = min(row[at] + times, _MOST)
            bits >>= _SHIFT
        self._counted += times
        if self._counted >= _SAMPLE_PER_COLUMN * self._columns:
            self._rows = [row.translate(_HALVES) for row in self._rows]
            self._counted //= 2

    def count(self, key: str) -> int:
        """About how often ``key`` was asked for."""
        mask = self._columns - 1
        bits = _spread(key)
        return min([row[(bits >> _SHIFT * at) & mask] for at, row in enumerate(self._rows)])

    def make_room_for(self, keys: int) -> None:
        """Grow to at least a column for each of ``keys`` keys; counts are kept."""
        while self._columns < keys:
            # One more bit of the checksum counts: both halves start with what the whole had.
            self._rows = [row + row for row in self._rows]
            self._columns *= 2


def _spread(key: str) -> int:
    # Not hash(): it differs between processes, and simulations must give the same twice.
    return zlib.crc32(key.encode("utf-8", "surrogatepass")) * _MIX
