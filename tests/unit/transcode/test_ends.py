"""Where a file ends by its own word."""

from __future__ import annotations

import io
import struct

import pytest

from abr.errors import MediaError
from transcode.run.ends import stated_bytes


def box(kind: bytes, length: int, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", length, kind) + body


FTYP = box(b"ftyp", 16, b"isom0000")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (FTYP + box(b"mdat", 100, bytes(92)), 0),
        (FTYP + box(b"mdat", 100, bytes(20)), 116),
        (FTYP + box(b"free", 100, bytes(20)), 0),
        (FTYP + box(b"mdat", 0, bytes(20)), 0),
        (FTYP + box(b"mdat", 28, bytes(20)) + b"words behind the last box", 0),
        (struct.pack("<4sI4s", b"RIFF", 104, b"AVI ") + bytes(100), 0),
        (struct.pack("<4sI4s", b"RIFF", 204, b"AVI ") + bytes(100), 212),
        (struct.pack("<4sI4s", b"RIFF", 0, b"AVI ") + bytes(100), 0),
        (struct.pack("<4sI4s", b"RIFF", 0xFFFFFFFF, b"AVI ") + bytes(100), 0),
        (struct.pack("<4sI4s", b"RIFF", 204, b"WEBP") + bytes(100), 0),
        (b"RIFF", 0),
    ],
)
def test_a_file_that_is_cut_off_says_how_long_it_was(data: bytes, expected: int) -> None:
    assert stated_bytes(io.BytesIO(data), len(data), "film") == expected


def test_an_index_that_is_cut_may_lack_whole_tracks() -> None:
    data = FTYP + box(b"mdat", 28, bytes(20)) + box(b"moov", 100, bytes(20))
    with pytest.raises(
        MediaError, match=r"film: is cut off inside its index: it holds 72 of .* 144"
    ):
        stated_bytes(io.BytesIO(data), len(data), "film")
