"""Two variants of a segment in one layout: every fragment begins and ends at the same byte.

The shorter of two fragments gets a box behind it that players skip. So sizes and byte ranges
in the index hold for both variants, and the length of an answer does not say which it is.

Source: ISO/IEC 14496-12:2022, 8.1.2 (free space box).
"""

from __future__ import annotations

from collections.abc import Iterator

from abr.errors import MediaError
from transcode.media.boxes import box, boxes

_HEADER_BYTES = 8


def evened(one: bytes, other: bytes) -> tuple[bytes, bytes]:
    """Both segments, filled up to the same layout.

    Raises:
        MediaError: they are not made of as many fragments.
    """
    pieces = list(_fragments(one)), list(_fragments(other))
    if len(pieces[0]) != len(pieces[1]):
        raise MediaError(
            f"variants: fragments {len(pieces[0])} and {len(pieces[1])}; expected as many"
        )
    filled = [_filled(*pair) for pair in zip(*pieces, strict=True)]
    return b"".join(each for each, _ in filled), b"".join(each for _, each in filled)


def _fragments(segment: bytes) -> Iterator[bytes]:
    """The pieces of a segment that end with ``mdat``, and what is left behind the last."""
    begin = 0
    for each in boxes(segment):
        if each.kind == b"mdat":
            yield segment[begin : each.end]
            begin = each.end
    if begin < len(segment):
        yield segment[begin:]


def _filled(one: bytes, other: bytes) -> tuple[bytes, bytes]:
    if len(one) == len(other):
        return one, other
    size = max(len(one), len(other))
    if abs(len(one) - len(other)) < _HEADER_BYTES:
        size += _HEADER_BYTES  # a box has eight bytes at the least
    return _to(one, size), _to(other, size)


def _to(piece: bytes, size: int) -> bytes:
    missing = size - len(piece)
    return piece + box(b"free", bytes(missing - _HEADER_BYTES)) if missing else piece
