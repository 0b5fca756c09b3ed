"""How many bytes of a picture's NAL unit must stay readable: its header and its slice's.

Decoders read slice headers from memory that is not protected, so sample encryption leaves them
in the clear; everything after them may be encrypted. This module is about H.264.

Source: ITU-T H.264, 7.3.2.1.1 (sequence parameter set), 7.3.2.2 (picture parameter set), 7.3.3
(slice header) and 7.4.1.1 (emulation prevention).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from abr.errors import MediaError

_READ_BYTES = 384
_MOST_ZEROS = 32  # 9.1: numbers have 32 bits at the most
_HIGH = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_EXTENDED, _IDR = 20, 5
_P, _B, _I, _SP, _SI = range(5)


class Bits:
    """Bits of a NAL unit, emulation prevention bytes removed."""

    def __init__(self, unit: bytes) -> None:
        self._plain = unit[:_READ_BYTES].replace(b"\0\0\3", b"\0\0")
        self._value = int.from_bytes(self._plain, "big")
        self._count = 8 * len(self._plain)
        self.at = 0

    def __repr__(self) -> str:
        return f"<Bits {self.at} of {self._count}>"

    def u(self, count: int) -> int:
        """An unsigned number of ``count`` bits."""
        self.at += count
        if self.at > self._count:
            raise MediaError(
                "h264: a header is cut off, or longer than any known; expected its end"
            )
        return self._value >> (self._count - self.at) & ((1 << count) - 1)

    def ue(self) -> int:
        """An unsigned number in Exp-Golomb code (9.1)."""
        zeros = 0
        while not self.u(1):
            zeros += 1
            if zeros > _MOST_ZEROS:
                raise MediaError("mp4: a number in a slice header is too large; expected 32 bits")
        return (1 << zeros) - 1 + self.u(zeros)

    def se(self) -> int:
        """A signed number in Exp-Golomb code (9.1.1)."""
        code = self.ue()
        return (code + 1) // 2 if code % 2 else -(code // 2)

    def skip_ue(self, count: int) -> None:
        """Pass over ``count`` numbers in Exp-Golomb code; signed ones are as long."""
        for _ in range(count):
            self.ue()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sequence:
    chroma: int
    """ChromaArrayType."""
    separate_planes: bool
    frame_num_bits: int
    poc_type: int
    poc_bits: int
    poc_always_zero: bool
    frames_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    cabac: bool
    bottom_poc: bool
    references: tuple[int, int]
    weighted: bool
    weighted_b: int
    deblocking: bool
    redundant: bool


def _sequence(unit: bytes) -> _Sequence:
    bits = Bits(unit[1:])
    profile = bits.u(8)
    bits.u(16)
    bits.ue()
    chroma, separate = 1, False
    if profile in _HIGH:
        chroma = bits.ue()
        separate = chroma == 3 and bool(bits.u(1))
        bits.ue(), bits.ue(), bits.u(1)
        if bits.u(1):
            for number in range(12 if chroma == 3 else 8):
                if bits.u(1):
                    _skip_scaling(bits, 16 if number < 6 else 64)
    frame_num_bits = bits.ue() + 4
    poc_type, poc_bits, always_zero = bits.ue(), 0, False
    if poc_type == 0:
        poc_bits = bits.ue() + 4
    elif poc_type == 1:
        always_zero = bool(bits.u(1))
        bits.se(), bits.se()
        for _ in range(bits.ue()):
            bits.se()
    bits.ue(), bits.u(1), bits.ue(), bits.ue()
    return _Sequence(
        chroma=0 if separate else chroma,
        separate_planes=separate,
        frame_num_bits=frame_num_bits,
        poc_type=poc_type,
        poc_bits=poc_bits,
        poc_always_zero=always_zero,
        frames_only=bool(bits.u(1)),
    )


def _skip_scaling(bits: Bits, count: int) -> None:
    last = following = 8
    for _ in range(count):
        if following:
            following = (last + bits.se()) % 256
        last = following or last


def _picture(unit: bytes) -> _Picture:
    bits = Bits(unit[1:])
    bits.ue(), bits.ue()
    cabac, bottom = bool(bits.u(1)), bool(bits.u(1))
    if bits.ue():
        raise MediaError("h264: slice groups; expected one group, as encoders write")
    references = (bits.ue() + 1, bits.ue() + 1)
    weighted, weighted_b = bool(bits.u(1)), bits.u(2)
    bits.se(), bits.se(), bits.se()
    deblocking = bool(bits.u(1))
    bits.u(1)
    return _Picture(
        cabac=cabac,
        bottom_poc=bottom,
        references=references,
        weighted=weighted,
        weighted_b=weighted_b,
        deblocking=deblocking,
        redundant=bool(bits.u(1)),
    )


def h264_leader(avcc: bytes) -> Callable[[bytes], int]:
    """What tells how many bytes of a NAL unit stay clear; all of one that is no picture.

    Args:
        avcc: Body of ``avcC``, with one sequence and one picture parameter set.

    Raises:
        MediaError: the sets are missing, or of a kind that encoders here do not write.
    """
    try:
        at = 6
        size = int.from_bytes(avcc[at : at + 2], "big")
        sequence = _sequence(avcc[at + 2 : at + 2 + size])
        at += 3 + size
        size = int.from_bytes(avcc[at : at + 2], "big")
        picture = _picture(avcc[at + 2 : at + 2 + size])
    except IndexError as exc:
        raise MediaError("mp4: avcC is cut off; expected parameter sets") from exc
    if (avcc[5] & 31, avcc[6 + 2 + int.from_bytes(avcc[6:8], "big")]) != (1, 1):
        raise MediaError("mp4: avcC with several parameter sets; expected one of each kind")

    def leader(unit: bytes) -> int:
        kind = unit[0] & 31
        if not 1 <= kind <= _IDR:
            return len(unit)
        bits = Bits(unit[1:])
        _slice_header(bits, sequence, picture, is_idr=kind == _IDR, is_reference=bool(unit[0] & 96))
        return min(len(unit), 1 + escaped_length(unit[1:], -(-bits.at // 8)))

    return leader


def escaped_length(unit: bytes, plain_bytes: int) -> int:
    """Bytes of ``unit`` that hold its first ``plain_bytes`` without emulation prevention."""
    zeros = taken = 0
    for place, byte in enumerate(unit):
        if zeros >= 2 and byte == 3:
            zeros = 0
            continue
        if taken == plain_bytes:
            return place
        taken += 1
        zeros = 0 if byte else zeros + 1
    return len(unit)


def _slice_header(
    bits: Bits, sequence: _Sequence, picture: _Picture, *, is_idr: bool, is_reference: bool
) -> None:
    bits.ue()
    kind = bits.ue() % 5
    bits.ue()
    if sequence.separate_planes:
        bits.u(2)
    bits.u(sequence.frame_num_bits)
    is_field = not sequence.frames_only and bool(bits.u(1))
    if is_field:
        bits.u(1)
    if is_idr:
        bits.ue()
    _order_count(bits, sequence, picture, is_field=is_field)
    if picture.redundant:
        bits.ue()
    if kind == _B:
        bits.u(1)
    references = list(picture.references)
    lists = {_P: 1, _SP: 1, _B: 2}.get(kind, 0)
    if lists and bits.u(1):
        references[:lists] = [bits.ue() + 1 for _ in range(lists)]
    for _ in range(lists):
        _skip_order(bits)
    if (picture.weighted and kind in (_P, _SP)) or (picture.weighted_b == 1 and kind == _B):
        _weights(bits, references[:lists], has_chroma=bool(sequence.chroma))
    if is_reference:
        _marking(bits, is_idr=is_idr)
    if picture.cabac and lists:
        bits.ue()
    bits.se()
    if kind in (_SP, _SI):
        raise MediaError("h264: a switching slice; expected I, P and B only")
    if picture.deblocking and bits.ue() != 1:
        bits.se(), bits.se()


def _skip_order(bits: Bits) -> None:
    """7.3.3.1: modification of a list of reference pictures."""
    if bits.u(1):
        while bits.ue() != 3:
            bits.ue()


def _order_count(bits: Bits, sequence: _Sequence, picture: _Picture, *, is_field: bool) -> None:
    with_bottom = picture.bottom_poc and not is_field
    if sequence.poc_type == 0:
        bits.u(sequence.poc_bits)
        if with_bottom:
            bits.se()
    elif sequence.poc_type == 1 and not sequence.poc_always_zero:
        bits.se()
        if with_bottom:
            bits.se()


def _weights(bits: Bits, references: list[int], *, has_chroma: bool) -> None:
    """7.3.3.2: prediction weight table."""
    bits.ue()
    if has_chroma:
        bits.ue()
    for count in references:
        for _ in range(count):
            if bits.u(1):
                bits.se(), bits.se()
            if has_chroma and bits.u(1):
                for _ in range(4):
                    bits.se()


def _marking(bits: Bits, *, is_idr: bool) -> None:
    """7.3.3.3: marking of decoded reference pictures."""
    if is_idr:
        bits.u(2)
    elif bits.u(1):
        while (operation := bits.ue()) != 0:
            for _ in range({1: 1, 2: 1, 3: 2, 4: 1, 6: 1}.get(operation, 0)):
                bits.ue()
