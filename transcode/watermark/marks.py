"""The marks: faint patterns of brightness, added to variant A and taken off variant B.

Every segment has a mark of its own, made under a secret: cells of one level up or down, half of
them each, drawn large and soft over the whole picture. A picture is as bright as before, and no
two segments can be averaged to find their marks. One of 255 levels is below what an eye sees
in a soft pattern, and coarse cells outlast scaling and encoding anew; the figures are in
docs/watermark.md.
"""

from __future__ import annotations

import hashlib
import hmac

import numpy as np
from numpy.typing import NDArray

COLUMNS, ROWS = 16, 10
"""Cells of a mark; even, for 4:2:0."""
AMPLITUDE = 1
"""Levels, of 255, by which a cell is brighter or darker."""
_NEUTRAL = 128


def seed_of(secret: bytes, title: str) -> bytes:
    """What the marks of a title are made of."""
    return hmac.digest(secret, b"marks\0" + title.encode(), "sha256")


def mark_of(seed: bytes, segment: int) -> NDArray[np.int8]:
    """The mark of a segment: +1 and -1, shape (``ROWS``, ``COLUMNS``)."""
    drawn = hashlib.shake_256(b"mark\0" + segment.to_bytes(8, "big") + seed)
    order = np.argsort(np.frombuffer(drawn.digest(8 * ROWS * COLUMNS), dtype=">u8"))
    mark = np.empty(ROWS * COLUMNS, dtype=np.int8)
    mark[order] = np.repeat(np.array([1, -1], dtype=np.int8), ROWS * COLUMNS // 2)
    return mark.reshape(ROWS, COLUMNS)


def pictures_of(seed: bytes, *, first: int, count: int) -> bytes:
    """Marks as small raw pictures (yuv420p), one for each of ``count`` segments from ``first``."""
    neutral = bytes([_NEUTRAL]) * (ROWS * COLUMNS // 2)
    return b"".join(
        (_NEUTRAL + AMPLITUDE * mark_of(seed, segment).astype(int)).astype(np.uint8).tobytes()
        + neutral
        for segment in range(first, first + count)
    )


def name_of(seed: bytes) -> str:
    """A name for a seed that gives it away to nobody, for addresses in the cache."""
    return hashlib.sha256(b"name\0" + seed).hexdigest()
