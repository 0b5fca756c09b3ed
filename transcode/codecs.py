"""Codec names of RFC 6381 from the bytes of an initialisation section.

Source: RFC 6381, section 3.3; ISO/IEC 14496-15, 5.3.3.1 (avcC); ISO/IEC 14496-1, 7.2.6
(descriptors in esds); ISO/IEC 14496-3, 1.6.2.1 (AudioSpecificConfig).
"""

from __future__ import annotations

import struct

from abr.errors import MediaError
from transcode.boxes import Box, boxes, find

_STSD = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
# ISO/IEC 14496-12, 12.1.3 and 12.2.3: fields of a sample entry before its boxes.
_VISUAL_BYTES = 78
_AUDIO_BYTES = 28
# ISO/IEC 14496-1, 7.2.2.1: tags of descriptors; 7.2.6.5: flags of the ES_Descriptor.
_ES_DESCRIPTOR, _DECODER_CONFIG, _DECODER_SPECIFIC = 3, 4, 5
_FLAG_STREAM, _FLAG_URL, _FLAG_OCR = 0x80, 0x40, 0x20


def sample_entry(init: bytes) -> Box:
    """The first sample entry of the first track, such as ``avc1``."""
    stsd = find(init, *_STSD)
    return next(boxes(init, stsd.body + 8, stsd.end))


def codec_of(init: bytes) -> str:
    """The codec of a track, such as ``avc1.64001f`` or ``mp4a.40.2``.

    Raises:
        MediaError: there is no track, or its codec is neither AVC nor AAC.
    """
    try:
        entry = sample_entry(init)
        if entry.kind == b"avc1":
            avcc = find(init, b"avcC", start=entry.body + _VISUAL_BYTES, end=entry.end)
            return f"avc1.{init[avcc.body + 1 : avcc.body + 4].hex()}"
        if entry.kind == b"mp4a":
            esds = find(init, b"esds", start=entry.body + _AUDIO_BYTES, end=entry.end)
            return _aac(init[esds.body + 4 : esds.end])
    except (IndexError, struct.error, StopIteration) as exc:
        raise MediaError("mp4: the sample description is cut off; expected avcC or esds") from exc
    raise MediaError(f"mp4: codec {entry.kind!r}; expected avc1 or mp4a")


def _aac(data: bytes) -> str:
    body = _descriptor(data, _ES_DESCRIPTOR)
    flags, skip = body[2], 3
    skip += 2 if flags & _FLAG_STREAM else 0
    skip += 1 + body[skip] if flags & _FLAG_URL else 0
    skip += 2 if flags & _FLAG_OCR else 0
    config = _descriptor(body[skip:], _DECODER_CONFIG)
    specific = _descriptor(config[13:], _DECODER_SPECIFIC)
    audio_object = specific[0] >> 3
    if audio_object == 31:  # the escape value: six more bits
        audio_object = 32 + ((specific[0] & 7) << 3 | specific[1] >> 5)
    return f"mp4a.{config[0]:x}.{audio_object}"


def _descriptor(data: bytes, tag: int) -> bytes:
    """The body of the descriptor ``tag`` at the start of ``data``."""
    if data[0] != tag:
        raise MediaError(f"mp4: descriptor {data[0]} in esds; expected {tag}")
    size, at = 0, 1
    while True:  # ISO/IEC 14496-1, 8.3.3: seven bits of size a byte, all but the last marked
        size = size << 7 | data[at] & 0x7F
        at += 1
        if not data[at - 1] & 0x80:
            return data[at : at + size]


def nal_length_bytes(init: bytes) -> int:
    """Bytes of the length before each NAL unit of an ``avc1`` track."""
    entry = sample_entry(init)
    avcc = find(init, b"avcC", start=entry.body + _VISUAL_BYTES, end=entry.end)
    # ISO/IEC 14496-15, 5.3.3.1: lengthSizeMinusOne, the last two bits of the fifth byte.
    return (init[avcc.body + 4] & 3) + 1


def starts_with_idr(sample: bytes, length_bytes: int) -> bool:
    """Whether the first coded slice in ``sample`` belongs to an IDR picture.

    Source: ITU-T H.264, table 7-1: NAL unit type 5; 1 is a slice of another picture.
    """
    at = 0
    while at + length_bytes < len(sample):
        size = int.from_bytes(sample[at : at + length_bytes], "big")
        kind = sample[at + length_bytes] & 0x1F
        if kind in (1, 2, 3, 4, 5):
            return kind == 5
        at += length_bytes + size
    return False
