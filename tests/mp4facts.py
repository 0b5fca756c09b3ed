"""What a fragmented MP4 says about its samples, read independently of the code under test."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_INSIDE = frozenset([b"moov", b"trak", b"mdia", b"mvex", b"moof", b"traf"])


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample of a fragment."""

    size_bytes: int
    duration: int
    """In units of the track's timescale."""
    data: bytes


@dataclass(frozen=True, slots=True)
class Run:
    """One fragment (moof and mdat) of a single track."""

    decode_time: int
    """tfdt, in units of the timescale."""
    samples: tuple[Sample, ...]

    @property
    def duration(self) -> int:
        """Of all samples."""
        return sum(sample.duration for sample in self.samples)


def walk(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start of the contents and end of every box, containers before what they hold."""
    end = len(data) if end is None else end
    while start < end:
        size, kind = struct.unpack_from(">I4s", data, start)
        body = start + 8
        if size == 1:
            size, body = struct.unpack_from(">Q", data, body)[0], body + 8
        assert body - start <= size <= end - start, f"box {kind!r} of {size} bytes does not fit"
        yield kind, body, start + size
        if kind in _INSIDE:
            yield from walk(data, body, start + size)
        start += size


def timescale(init: bytes) -> int:
    """Units per second of the only track."""
    (body,) = [body for kind, body, _ in walk(init) if kind == b"mdhd"]
    return int(struct.unpack_from(">I", init, body + (20 if init[body] == 1 else 12))[0])


def runs(init: bytes, segment: bytes) -> list[Run]:
    """The fragments of a media segment."""
    (trex,) = [body for kind, body, _ in walk(init) if kind == b"trex"]
    default = struct.unpack_from(">II", init, trex + 12)
    found: list[Run] = []
    moof_at, at = 0, 0
    decode_time, duration, size = 0, *default
    samples: list[Sample] = []
    for kind, body, _end in walk(segment):
        if kind == b"moof":
            moof_at, samples = body - 8, []
            duration, size = default
        elif kind == b"tfhd":
            duration, size = _tfhd(segment, body, default)
        elif kind == b"tfdt":
            form = ">Q" if segment[body] == 1 else ">I"
            (decode_time,) = struct.unpack_from(form, segment, body + 4)
        elif kind == b"trun":
            at, made = _trun(segment, body, at, moof_at, duration, size)
            samples += made
        elif kind == b"mdat":
            found.append(Run(decode_time, tuple(samples)))
            at = 0
    return found


def _tfhd(data: bytes, body: int, default: tuple[int, int]) -> tuple[int, int]:
    flags = int.from_bytes(data[body + 1 : body + 4])
    at = body + 8
    values = {}
    for bit, width in ((0x1, 8), (0x2, 4), (0x8, 4), (0x10, 4), (0x20, 4)):
        if flags & bit:
            values[bit] = int.from_bytes(data[at : at + width])
            at += width
    return values.get(0x8, default[0]), values.get(0x10, default[1])


def _trun(
    data: bytes, body: int, at: int, moof_at: int, duration: int, size: int
) -> tuple[int, list[Sample]]:
    flags, count = int.from_bytes(data[body + 1 : body + 4]), _u32(data, body + 4)
    field = body + 8
    if flags & 0x1:
        at = moof_at + _u32(data, field)
        field += 4
    if flags & 0x4:
        field += 4
    samples = []
    for _ in range(count):
        own = {}
        for bit in (0x100, 0x200, 0x400, 0x800):
            if flags & bit:
                own[bit] = _u32(data, field)
                field += 4
        length = own.get(0x200, size)
        samples.append(Sample(length, own.get(0x100, duration), data[at : at + length]))
        assert len(samples[-1].data) == length, "a sample lies outside the segment"
        at += length
    return at, samples


def _u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4])


def is_idr(sample: bytes) -> bool:
    """Whether the first picture of an H.264 sample (4-byte lengths) is an IDR."""
    at = 0
    while at + 5 <= len(sample):
        kind = sample[at + 4] & 0x1F
        if kind in (1, 5):
            return kind == 5
        at += 4 + _u32(sample, at)
    return False


def starts_decoding(init: bytes, sample: bytes) -> bool:
    """Whether a sample is a key frame after which nothing refers to what came before it."""
    if b"av1C" in init:
        return _is_av1_key(sample)
    if b"hvcC" not in init:
        return is_idr(sample)
    at = 0
    while at + 5 <= len(sample):
        kind = sample[at + 4] >> 1
        if kind < 32:
            return kind in (19, 20)
        at += 4 + _u32(sample, at)
    return False


def _is_av1_key(sample: bytes) -> bool:
    at = 0
    while at < len(sample):
        kind, at = sample[at] >> 3 & 15, at + 1
        size, shift = 0, 0
        while sample[at] & 0x80:
            size, shift, at = size | (sample[at] & 0x7F) << shift, shift + 7, at + 1
        size, at = size | sample[at] << shift, at + 1
        if kind in (3, 6):
            return sample[at] & 0xF0 == 0x10  # not one shown again, a key frame, shown
        at += size
    return False


def video_codec(init: bytes) -> str | None:
    """How the codec's name begins, from the configuration's box; None when there is none.

    The whole name for H.264; the profile and level of the others.
    """
    if (at := init.find(b"avcC")) >= 0:
        return f"avc1.{init[at + 5 : at + 8].hex()}"
    if (at := init.find(b"hvcC")) >= 0:
        profile, tier, level = init[at + 5] & 31, "LH"[init[at + 5] >> 5 & 1], init[at + 16]
        flags = {1: "6", 2: "4"}[profile]
        return f"hvc1.{profile}.{flags}.{tier}{level}."
    if (at := init.find(b"av1C")) >= 0:
        profile, level, tier = init[at + 5] >> 5, init[at + 5] & 31, "MH"[init[at + 6] >> 7]
        return f"av01.{profile}.{level:02d}{tier}.{10 if init[at + 6] & 0x40 else 8:02d}"
    return None
