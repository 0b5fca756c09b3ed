"""Boxes of the ISO base media file format: bytes to boxes and back.

Structure only: ``fragments`` knows what a fragment means, ``codecs`` what a codec is called.
No size that is read is trusted.

Source: ISO/IEC 14496-12:2022, 4.2 (object structure) and 8 (box definitions).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from abr.errors import MediaError

CONTAINERS = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"mvex", b"moof", b"traf"})
"""Boxes that contain only boxes."""


class Box(NamedTuple):
    """One box in a buffer."""

    kind: bytes
    """Four characters."""
    start: int
    """Offset of its header."""
    body: int
    """Offset of its first byte after the header."""
    end: int
    """Offset of the first byte after the box."""


def read_header(
    data: bytes | bytearray | memoryview, offset: int = 0
) -> tuple[bytes, int, int] | None:
    """Kind, size of the header and of the whole box; None when more bytes are needed.

    Raises:
        MediaError: the size is impossible.
    """
    if len(data) - offset < 8:
        return None
    size, kind = struct.unpack_from(">I4s", data, offset)
    header = 8
    # ISO/IEC 14496-12, 4.2: 1 means that 64 bits of size follow the kind.
    if size == 1:
        if len(data) - offset < 16:
            return None
        (size,) = struct.unpack_from(">Q", data, offset + 8)
        header = 16
    if size < header:
        # Size 0 (to the end of the file) is legal, but no encoder writes fragments so.
        raise MediaError(f"mp4 box {kind!r}: size {size}; expected at least {header} bytes")
    return kind, header, size


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """The sibling boxes in ``data[start:end]``.

    Raises:
        MediaError: one does not fit.
    """
    end = len(data) if end is None else end
    while start < end:
        head = read_header(data[:end], start)
        if head is None or start + head[2] > end:
            raise MediaError(
                f"mp4 box at byte {start}: does not fit its parent; expected a whole box"
            )
        kind, header, size = head
        yield Box(kind, start, start + header, start + size)
        start += size


def find(data: bytes, *path: bytes, start: int = 0, end: int | None = None) -> Box:
    """The first box at ``path``, such as ``b"moov", b"trak"``.

    Raises:
        MediaError: there is none.
    """
    found: Box | None = None
    for kind in path:
        found = next((box for box in boxes(data, start, end) if box.kind == kind), None)
        if found is None:
            where = "/".join(each.decode("latin-1") for each in path)
            raise MediaError(f"mp4: no box {where}; expected one")
        start, end = found.body, found.end
    if found is None:
        raise ValueError("an empty path names no box")
    return found


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box with ``parts`` as its body."""
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full_box(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    """A box with a version and flags before its body."""
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def without(data: bytes, dropped: frozenset[bytes]) -> bytes:
    """``data``, a sequence of boxes, without those of the kinds ``dropped``, at any depth."""
    kept: list[bytes] = []
    for each in boxes(data):
        if each.kind in dropped:
            continue
        body = data[each.body : each.end]
        if each.kind in CONTAINERS:
            body = without(body, dropped)
        kept.append(box(each.kind, body))
    return b"".join(kept)
