"""Boxes put into MP4 files by hand, for what no encoder at hand can write."""

from __future__ import annotations

import struct

_PATH = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")


def box(kind: bytes, body: bytes) -> bytes:
    """One box."""
    return struct.pack(">I4s", 8 + len(body), kind) + body


def with_in_sample_entry(file: bytes, extra: bytes) -> bytes:
    """``file`` with a box more in the first sample entry of its first track.

    The moov box must come last, so that nothing else moves.
    """
    start, end = 0, len(file)
    heads = []
    for kind in _PATH:
        at = start
        while file[at + 4 : at + 8] != kind:
            at += int.from_bytes(file[at : at + 4], "big")
            assert at < end, kind
        heads.append(at)
        start, end = at + 8, at + int.from_bytes(file[at : at + 4], "big")
    entry = start + 8  # ISO/IEC 14496-12, 8.5.2: version, flags and the number of entries
    heads.append(entry)
    tail = entry + int.from_bytes(file[entry : entry + 4], "big")
    longer = bytearray(file)
    for head in heads:
        size = int.from_bytes(longer[head : head + 4], "big") + len(extra)
        longer[head : head + 4] = struct.pack(">I", size)
    longer[tail:tail] = extra
    return bytes(longer)


def dolby_vision(profile: int, compatible: int) -> bytes:
    """A Dolby Vision configuration record of level 1, base layer and metadata present.

    Source: Dolby, "Dolby Vision Streams Within the ISO Base Media File Format", 3.2.
    """
    bits = profile << 9 | 1 << 3 | 0b101
    return box(b"dvcC", struct.pack(">BBHB19x", 1, 0, bits, compatible << 4))


def clean_aperture(width: int, height: int, right: int = 0, down: int = 0) -> bytes:
    """A clean aperture of so many pixels, its middle moved by so many.

    Source: ISO/IEC 14496-12, 12.1.4.1.
    """
    return box(b"clap", struct.pack(">8i", width, 1, height, 1, right, 1, down, 1))
