"""Encrypted samples made clear: anyone's Common Encryption, given keys by their ids.

``read_protection`` of an initialisation section says how, ``kids_in`` which keys a segment needs,
and ``clear_segment`` gives it as it was, for the section that ``clear_init`` gives. Vectors and
parts of samples are read from ``senc``, or from where ``saiz`` and ``saio`` say that they stand.

deviation: a ``sidx`` is left out, because what it counts has become shorter.

Source: ISO/IEC 23001-7:2016, 6 (sample groups) and 7.2 (senc); ISO/IEC 14496-12:2022, 8.8
(fragments), 8.7.8 and 8.7.9 (saiz, saio), 8.9 (sample groups).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from abr.errors import MediaError
from transcode.media.boxes import Box, box, boxes, find
from transcode.packaging.protection import (
    Protection,
    SampleGroups,
    clear_init,
    is_seig,
    read_groups,
    read_protection,
    read_runs,
)
from transcode.packaging.samplecipher import Part, Sealing, apply

__all__ = ["Protection", "clear_init", "clear_segment", "kids_in", "read_protection"]


_DESCRIBING = frozenset({b"senc", b"saiz", b"saio", b"pssh"})
_LOCAL_GROUP = 0x10000  # 8.9.4: descriptions of groups in the fragment itself


def kids_in(segment: bytes, protection: Protection) -> tuple[str, ...]:
    """Key ids that ``segment`` needs, in order of use.

    Raises:
        MediaError: it is no such segment.
    """
    found = [
        sample.sealing.kid
        for _, samples in _fragments(segment, protection)
        for sample in samples
        if sample.sealing is not None
    ]
    return tuple(dict.fromkeys(found))


def clear_segment(segment: bytes, protection: Protection, keys: Mapping[str, bytes]) -> bytes:
    """A segment with its samples decrypted, and without the boxes that describe encryption.

    Args:
        segment: Whole fragments.
        protection: Of its initialisation section.
        keys: Keys of 16 bytes by key id; those of ``kids_in`` are needed.

    Raises:
        MediaError: it is no such segment, or a key is missing.
    """
    data = bytearray(segment)
    for _, samples in _fragments(segment, protection):
        for sample in samples:
            if sample.sealing is None:
                continue
            key = keys.get(sample.sealing.kid)
            if key is None:
                raise MediaError(f"mp4: no key {sample.sealing.kid} at hand; expected it")
            end = sample.start + sample.size
            data[sample.start : end] = apply(
                segment[sample.start : end],
                sample.parts,
                sample.sealing,
                key,
                sample.iv,
                encrypts=False,
            )
    plain = bytes(data)
    pieces = []
    for each in boxes(plain):
        if each.kind == b"moof":
            pieces.append(_clear_moof(plain, each))
        elif each.kind not in (b"sidx", b"pssh"):
            pieces.append(plain[each.start : each.end])
    return b"".join(pieces)


class _Sample(NamedTuple):
    """One sample in a segment."""

    start: int
    size: int
    sealing: Sealing | None
    iv: bytes
    parts: Sequence[Part]


def _fragments(segment: bytes, protection: Protection) -> Iterator[tuple[Box, list[_Sample]]]:
    """Each ``moof`` with its samples."""
    try:
        for moof in boxes(segment):
            if moof.kind != b"moof":
                continue
            samples: list[_Sample] = []
            base = moof.start
            for traf in boxes(segment, moof.body, moof.end):
                if traf.kind == b"traf":
                    base = _Traf(segment, moof, traf, base, protection).read(samples)
            yield moof, samples
    except (struct.error, IndexError) as exc:
        raise MediaError("mp4: a fragment's tables are cut off; expected whole ones") from exc


class _Traf:
    """Reads what one ``traf`` says of its samples."""

    def __init__(
        self, data: bytes, moof: Box, traf: Box, base: int, protection: Protection
    ) -> None:
        self._data, self._moof = data, moof
        self._children = list(boxes(data, traf.body, traf.end))
        tfhd = self._child(b"tfhd")
        if tfhd is None:
            raise MediaError("mp4: a fragment without tfhd; expected one")
        flags, number = struct.unpack_from(">II", data, tfhd.body)
        if flags & 0x1:
            raise MediaError(
                "mp4: a fragment counts from the start of a file; expected it to count from moof"
            )
        track = protection.tracks.get(number)
        if track is None:
            raise MediaError(f"mp4: a fragment of track {number}, which moov lacks")
        self._track = track
        self._base = moof.start if flags & 0x20000 else base
        at = tfhd.body + 8
        self._description = track.description
        if flags & 0x2:
            (self._description,) = struct.unpack_from(">I", data, at)
            at += 4
        at += 4 if flags & 0x8 else 0
        self._size = struct.unpack_from(">I", data, at)[0] if flags & 0x10 else track.sample_bytes

    def __repr__(self) -> str:
        return f"<_Traf of {len(self._children)} boxes>"

    def _child(self, kind: bytes) -> Box | None:
        return next((each for each in self._children if each.kind == kind), None)

    def read(self, samples: list[_Sample]) -> int:
        """Add its samples to ``samples``; return where their data end."""
        places = list(self._places())
        sealings = self._sealings(len(places))
        entries = self._entries(sealings)
        for (start, size), sealing, (iv, parts) in zip(places, sealings, entries, strict=True):
            if sum(map(sum, parts)) > size:
                raise MediaError("mp4: encrypted parts are larger than their sample")
            samples.append(_Sample(start, size, sealing, iv, parts or [Part(0, size)]))
        return sum(places[-1]) if places else self._base

    def _places(self) -> Iterator[tuple[int, int]]:
        """Offset and size of each sample."""
        data = self._data
        place = self._moof.end + 8
        for each in self._children:
            if each.kind != b"trun":
                continue
            flags, count = struct.unpack_from(">II", data, each.body)
            at = each.body + 8
            if flags & 0x1:
                place = self._base + struct.unpack_from(">i", data, at)[0]
                at += 4
            at += 4 if flags & 0x4 else 0
            before = 4 if flags & 0x100 else 0
            row = before + sum(4 for bit in (0x200, 0x400, 0x800) if flags & bit)
            if count * row > each.end - at:
                raise MediaError("mp4: a table of samples is cut off; expected a whole one")
            for number in range(count):
                size = self._size
                if flags & 0x200:
                    (size,) = struct.unpack_from(">I", data, at + number * row + before)
                if place < 0 or place + size > len(data):
                    raise MediaError("mp4: a sample lies outside its segment; expected it inside")
                yield place, size
                place += size

    def _sealings(self, count: int) -> list[Sealing | None]:
        """How each sample is encrypted; None: it is clear."""
        groups, local = self._track.groups, SampleGroups()
        runs: list[tuple[int, int]] = []
        for each in self._children:
            if each.kind == b"sgpd" and (
                found := read_groups(self._data, each, self._track.scheme)
            ):
                local = found
            elif each.kind == b"sbgp":
                runs += read_runs(self._data, each)
        numbers = [number for length, number in runs for _ in range(min(length, count))][:count]
        default = _LOCAL_GROUP + local.default if local.default else groups.default
        numbers = [number or default for number in numbers]
        numbers += [default] * (count - len(numbers))
        found_of: dict[int, Sealing | None] = {}
        for number in set(numbers):
            if not number:
                sealing = self._described()
            elif number > _LOCAL_GROUP:
                sealing = local.sealings[number - 1 - _LOCAL_GROUP]
            else:
                sealing = groups.sealings[number - 1]
            found_of[number] = sealing if sealing and sealing.is_protected else None
        return [found_of[number] for number in numbers]

    def _described(self) -> Sealing | None:
        """How the sample description says that samples are encrypted."""
        if not 1 <= self._description <= len(self._track.descriptions):
            raise MediaError(
                f"mp4: sample description {self._description}; "
                f"expected 1 to {len(self._track.descriptions)}"
            )
        return self._track.descriptions[self._description - 1]

    def _entries(self, sealings: Sequence[Sealing | None]) -> Iterator[tuple[bytes, list[Part]]]:
        """Vector and parts of each sample; no parts: all of it is encrypted."""
        data = self._data
        sizes = self._sizes(len(sealings))
        at, has_parts = self._information()
        for number, sealing in enumerate(sealings):
            size = sizes[number] if sizes else None
            if sealing is None:
                at += size or 0
                yield b"", []
                continue
            iv, parts, begin = sealing.constant_iv, [], at
            if at < 0 and (sealing.iv_bytes or size):
                raise MediaError("mp4: samples without their vectors; expected senc or saio")
            if sealing.iv_bytes:
                iv, at = data[at : at + sealing.iv_bytes], at + sealing.iv_bytes
                if len(iv) != sealing.iv_bytes:
                    raise MediaError("mp4: senc is cut off; expected a vector for each sample")
            if has_parts if size is None else size > at - begin:
                (count,) = struct.unpack_from(">H", data, at)
                if at + 2 + 6 * count > len(data):
                    raise MediaError("mp4: senc is cut off; expected an entry for each sample")
                parts = [
                    Part(*struct.unpack_from(">HI", data, at + 2 + 6 * part))
                    for part in range(count)
                ]
                at += 2 + 6 * count
            if size is not None:
                at = begin + size
            yield iv, parts

    def _information(self) -> tuple[int, bool]:
        """Where vectors and parts of samples stand (-1: nowhere), and whether there are parts."""
        data = self._data
        if (senc := self._child(b"senc")) is not None:
            (flags,) = struct.unpack_from(">I", data, senc.body)
            return senc.body + 8, bool(flags & 0x2)
        saio = self._child(b"saio")
        if saio is None:
            return -1, False
        version, flags = data[saio.body], data[saio.body + 3]
        at = saio.body + 4 + (8 if flags & 1 else 0)
        (count,) = struct.unpack_from(">I", data, at)
        if count != 1:
            raise MediaError(f"mp4: saio with {count} offsets; expected 1")
        (offset,) = struct.unpack_from(">Q" if version else ">I", data, at + 4)
        return self._base + int(offset), False

    def _sizes(self, count: int) -> bytes | None:
        """Size of what is said of each sample, by ``saiz``."""
        saiz = self._child(b"saiz")
        if saiz is None:
            return None
        at = saiz.body + 4 + (8 if self._data[saiz.body + 3] & 1 else 0)
        same, listed = struct.unpack_from(">BI", self._data, at)
        sizes = bytes([same]) * min(listed, count) if same else self._data[at + 5 : saiz.end]
        return sizes[:count].ljust(count, b"\0")


def _clear_moof(data: bytes, moof: Box) -> bytes:
    """``moof`` without the boxes that describe encryption, its offsets mended."""
    trafs = [each for each in boxes(data, moof.body, moof.end) if each.kind == b"traf"]
    dropped = [
        each
        for traf in trafs
        for each in boxes(data, traf.body, traf.end)
        if each.kind in _DESCRIBING or is_seig(data, each)
    ]
    dropped += [each for each in boxes(data, moof.body, moof.end) if each.kind == b"pssh"]
    less = sum(each.end - each.start for each in dropped)
    gone = set(dropped)
    children: list[bytes] = []
    for each in boxes(data, moof.body, moof.end):
        if each.kind == b"traf":
            tfhd = find(data, b"tfhd", start=each.body, end=each.end)
            # 8.8.7.1: without the flag, data of later tracks are counted from those before.
            counts_from_moof = each == trafs[0] or data[tfhd.body + 1] & 0x02
            kept = [
                _moved(data, child, less if counts_from_moof else 0)
                for child in boxes(data, each.body, each.end)
                if child not in gone
            ]
            children.append(box(b"traf", *kept))
        elif each not in gone:
            children.append(data[each.start : each.end])
    return box(b"moof", *children)


def _moved(data: bytes, each: Box, less: int) -> bytes:
    """A box of ``traf``; ``trun`` with data that begin ``less`` bytes earlier."""
    whole = bytearray(data[each.start : each.end])
    if each.kind == b"trun" and data[each.body + 3] & 0x1:
        at = each.body + 8 - each.start
        (offset,) = struct.unpack_from(">i", whole, at)
        struct.pack_into(">i", whole, at, offset - less)
    return bytes(whole)
