"""Whether a file ends where its container says, or was cut off."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from abr.errors import MediaError
from transcode.media.boxes import read_header

CUT_SHORT = "File ended prematurely"
"""What ffprobe's log says of a Matroska file that ends inside an element."""
_SEGMENT = bytes.fromhex("18538067")
_HEAD_BYTES = 1 << 12
_MP4_FIRST = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"})
_MP4_MEDIA = frozenset({b"mdat", b"moov", b"moof"})
_MP4_KINDS = _MP4_FIRST | {b"moof", b"mfra", b"sidx", b"styp", b"meta", b"uuid", b"udta", b"emsg"}


def stated_bytes(file: BinaryIO, size: int, where: str) -> int:
    """How many bytes the file has at the least by its own word; 0 where it holds as many.

    An MP4 says it in the head of its last box, an AVI file in that of its last RIFF list. ffprobe
    accepts such files if what it needs comes first.

    Args:
        file: An MP4 or AVI file; of any other it says nothing.
        size: Bytes that it holds.
        where: What messages call it.

    Raises:
        MediaError: it is cut off inside the index of an MP4, where whole tracks may lack.
    """
    file.seek(0)
    if file.read(4) == b"RIFF":
        return _riff_bytes(file, size)
    end, last = _mp4_bytes(file, size)
    if end and last == b"moov":
        raise MediaError(
            f"{where}: is cut off inside its index: it holds {size:,} of at least {end:,} bytes; "
            "expected the whole file; copy or download it again"
        )
    return end


def _mp4_bytes(file: BinaryIO, size: int) -> tuple[int, bytes]:
    """Where the last box ends, if that is beyond the file, and its kind."""
    at, kind = 0, b""
    while at < size:
        file.seek(at)
        try:
            head = read_header(file.read(16))
        except MediaError:
            return 0, kind  # size 0 means to the end of the file; ffprobe judges anything else
        if head is None or head[0] not in (_MP4_KINDS if at else _MP4_FIRST):
            return 0, kind  # not MP4, or bytes of something else behind it
        kind, at = head[0], at + head[2]
    return (at if at > size and kind in _MP4_MEDIA else 0), kind


def _riff_bytes(file: BinaryIO, size: int) -> int:
    """An AVI file is one list, or several where it is long (OpenDML); a crash leaves 0."""
    at = end = 0
    while at + 12 <= size:
        file.seek(at)
        head = file.read(12)
        length = int.from_bytes(head[4:8], "little")
        if head[:4] != b"RIFF" or head[8:12] not in (b"AVI ", b"AVIX") or length == 0xFFFFFFFF:
            break
        at = end = at + 8 + length + length % 2
    # An odd length may lack the byte that fills it up.
    return end if end > size + 1 else 0


def has_open_end(path: Path) -> bool:
    """Whether a Matroska file was written without knowing its size: a recording, broken off.

    Source: RFC 8794, 6.2: a size of ones only is unknown.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    at = head.find(_SEGMENT) + len(_SEGMENT)
    if at < len(_SEGMENT) or at >= len(head) or not head[at]:
        return False
    length = 9 - head[at].bit_length()
    size = int.from_bytes(head[at : at + length]) & ((1 << 7 * length) - 1)
    return size == (1 << 7 * length) - 1
