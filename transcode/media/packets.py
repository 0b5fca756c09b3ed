"""MPEG-2 transport streams as packets, tables and PES packets: written and read.

Syntax only: ``transport`` knows what goes into a stream, and the inspection what to think of one.
No size that is read is trusted.

Source: ISO/IEC 13818-1, 2.4.3 (packets, adaptation fields, PES) and 2.4.4 (tables); RFC 8216bis,
3.1.1.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from abr.errors import MediaError

PACKET_BYTES = 188
PAYLOAD_BYTES = 184
"""Of a packet without an adaptation field."""
SYNC = 0x47
CLOCK_HZ = 90_000
PROGRAMS_PID = 0
"""Where the programme association table is."""
H264, ADTS_AAC = 0x1B, 0x0F
# Table 2-34; 0xdb and 0xcf are Apple's names for encrypted H.264 and AAC.
VIDEO_TYPES = {H264: "avc1", 0xDB: "avc1", 0x24: "hvc1"}
"""Sample entries of MP4 for the stream types of pictures."""
AUDIO_TYPES = dict.fromkeys((ADTS_AAC, 0xCF), "mp4a") | {
    0x81: "ac-3", 0x87: "ec-3", 0x03: "mp3", 0x04: "mp3",
}  # fmt: skip
"""The same of sound."""
VIDEO_ID, AUDIO_ID = 0xE0, 0xC0
"""Table 2-22: stream_id of the first stream of pictures and of sound."""
_STAMP_MASK = (1 << 33) - 1
_PROGRAMS_TABLE, _PROGRAM_TABLE = 0x00, 0x02
_SECTION_HEAD_BYTES, _CHECKSUM_BYTES = 8, 4


class Packet(NamedTuple):
    """One packet that has a payload."""

    pid: int
    begins: bool
    """Whether a PES packet or a section begins in it."""
    counter: int
    payload: bytes


def write_packet(
    pid: int, payload: bytes, *, counter: int, begins: bool = False, field: bytes = b""
) -> bytes:
    """One packet of 188 bytes, filled up in its adaptation field (2.4.3.5).

    Args:
        pid: Its packet id.
        payload: What fits beside ``field``; may be empty.
        counter: Its continuity counter, 0 to 15.
        begins: Whether a PES packet or a section begins in it.
        field: The adaptation field after its length: flags, and what they promise.
    """
    spare = PAYLOAD_BYTES - len(payload)
    adaptation = b""
    if spare:
        field = (field or b"\0"[: spare - 1]).ljust(spare - 1, b"\xff")
        adaptation = bytes((spare - 1,)) + field
    control = (0x20 if spare else 0) | (0x10 if payload else 0)
    head = struct.pack(">BHB", SYNC, (0x4000 if begins else 0) | pid, control | counter)
    return head + adaptation + payload


def read_packets(data: bytes) -> Iterator[Packet]:
    """The packets with a payload, in order.

    Raises:
        MediaError: it is cut off or no transport stream.
    """
    if not data or data[0] != SYNC:
        raise MediaError("no transport stream: the first byte is not 0x47")
    if len(data) % PACKET_BYTES:
        raise MediaError(
            f"cut off: {len(data):,} bytes, no multiple of {PACKET_BYTES}; expected whole packets"
        )
    for at in range(0, len(data), PACKET_BYTES):
        if data[at] != SYNC:
            raise MediaError(f"damaged: no packet begins at byte {at:,}; expected 0x47")
        control = data[at + 3] >> 4 & 3
        if not control & 1:
            continue
        body, end = at + 4, at + PACKET_BYTES
        if control & 2:
            body += 1 + data[body]
        if body < end:
            pid = (data[at + 1] & 31) << 8 | data[at + 2]
            begins, counter = bool(data[at + 1] & 0x40), data[at + 3] & 15
            yield Packet(pid, begins, counter, data[body:end])


class Span(NamedTuple):
    """Where the packets of one PES packet are."""

    offset_bytes: int
    size_bytes: int
    shown: int
    """Presentation time stamp."""
    is_random: bool
    """Whether decoding can begin here."""


def read_spans(data: bytes, pid: int) -> list[Span]:
    """The PES packets with time stamps of one stream, in order; each ends where the next begins.

    Raises:
        MediaError: it is cut off or no transport stream.
    """
    found: list[Span] = []
    for at in range(0, len(data), PACKET_BYTES):
        packet = data[at : at + PACKET_BYTES]
        each = next(read_packets(packet), None)
        unit = read_unit(each.payload) if each and each.begins and each.pid == pid else None
        if unit:
            has_field = packet[3] & 0x20 and packet[4]
            found.append(Span(at, 0, unit.shown, bool(has_field and packet[5] & 0x40)))
    ends = [each.offset_bytes for each in found[1:]] + [len(data)]
    return [
        each._replace(size_bytes=end - each.offset_bytes)
        for each, end in zip(found, ends, strict=True)
    ]


def follows(counter: int, last: int) -> bool:
    """2.4.3.3: the counter grows by one with each payload; a packet may be repeated."""
    return counter in ((last + 1) & 15, last)


def write_clock(clock: int) -> bytes:
    """2.4.3.5: 33 bits of 90 kHz, six reserved ones, and nine of 27 MHz that are 0."""
    return ((clock & _STAMP_MASK) << 15 | 0x7E00).to_bytes(6, "big")


class Unit(NamedTuple):
    """What a PES packet begins with."""

    shown: int
    """Presentation time stamp."""
    decoded: int
    """Decoding time stamp; the same where none is stated."""
    body: bytes
    """What follows the header, in this packet."""


def write_unit(stream_id: int, body: bytes, *, shown: int, decoded: int) -> bytes:
    """A PES packet (2.4.3.6); that of pictures states no length, as 2.4.3.7 allows."""
    stamps = _stamp(2, shown)
    if decoded != shown:
        stamps = _stamp(3, shown) + _stamp(1, decoded)
    size = 0 if stream_id == VIDEO_ID else len(body) + 3 + len(stamps)
    flags = 0x40 * (len(stamps) // 5 + 1)
    # 0x84: data_alignment_indicator is set.
    head = struct.pack(">BBBBHBBB", 0, 0, 1, stream_id, size, 0x84, flags, len(stamps))
    return head + stamps + body


def read_unit(payload: bytes) -> Unit | None:
    """The begin of a PES packet; None where it has no time stamp, or is none."""
    if len(payload) < 14 or payload[:3] != b"\x00\x00\x01" or not payload[7] & 0x80:
        return None
    shown = _read_stamp(payload, 9)
    has_both = payload[7] & 0x40 and len(payload) >= 19
    return Unit(shown, _read_stamp(payload, 14) if has_both else shown, payload[9 + payload[8] :])


def _stamp(prefix: int, stamp: int) -> bytes:
    """2.4.3.7: 33 bits, with marker bits between them."""
    stamp &= _STAMP_MASK
    return struct.pack(
        ">BHH",
        prefix << 4 | stamp >> 29 & 0xE | 1,
        stamp >> 14 & 0xFFFE | 1,
        stamp << 1 & 0xFFFE | 1,
    )


def _read_stamp(data: bytes, at: int) -> int:
    return (
        (data[at] >> 1 & 7) << 30
        | data[at + 1] << 22
        | data[at + 2] >> 1 << 15
        | data[at + 3] << 7
        | data[at + 4] >> 1
    )


def write_programs(table_pid: int) -> bytes:
    """The programme association table as a payload: one programme."""
    return _write_section(_PROGRAMS_TABLE, struct.pack(">HH", 1, 0xE000 | table_pid))


def read_programs(payload: bytes) -> Iterator[int]:
    """Packet ids of the programmes' tables, from a payload that begins a section."""
    section = _read_section(payload)
    for at in range(_SECTION_HEAD_BYTES, len(section) - 3, 4):
        if section[at] << 8 | section[at + 1]:  # 0 is the network's table
            yield (section[at + 2] & 31) << 8 | section[at + 3]


def write_program(stream_type: int, pid: int) -> bytes:
    """The programme map table as a payload: one elementary stream, which has the clock."""
    return _write_section(
        _PROGRAM_TABLE,
        struct.pack(">HHBHH", 0xE000 | pid, 0xF000, stream_type, 0xE000 | pid, 0xF000),
    )


def read_program(payload: bytes) -> Iterator[tuple[int, int]]:
    """Packet id and type of each elementary stream, from a payload that begins a section."""
    section = _read_section(payload)
    if len(section) < 12:
        return
    at = 12 + ((section[10] & 15) << 8 | section[11])
    while at + 5 <= len(section):
        yield (section[at + 1] & 31) << 8 | section[at + 2], section[at]
        at += 5 + ((section[at + 3] & 15) << 8 | section[at + 4])


def _write_section(table: int, body: bytes) -> bytes:
    """2.4.4.3 and 2.4.4.8: one section of a table, number 1 and version 0, in a whole packet."""
    size = len(body) + _SECTION_HEAD_BYTES - 3 + _CHECKSUM_BYTES
    section = struct.pack(">BHHBBB", table, 0xB000 | size, 1, 0xC1, 0, 0) + body
    whole = b"\0" + section + _checksum(section).to_bytes(_CHECKSUM_BYTES, "big")
    return whole.ljust(PAYLOAD_BYTES, b"\xff")


def _read_section(payload: bytes) -> bytes:
    """A section without its checksum; empty where it is no whole one."""
    section = payload[1 + payload[0] :]
    if len(section) < 12:
        return b""
    size = (section[1] & 15) << 8 | section[2]
    return section[: max(0, 3 + size - _CHECKSUM_BYTES)]


def _checksum(data: bytes) -> int:
    """Annex A: CRC-32 as transport streams have it, not reflected."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value >> 31 else 0)) & 0xFFFFFFFF
    return value
