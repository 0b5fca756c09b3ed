"""Parameter sets as bits: sequence parameters of H.264.

Source: ITU-T H.264 (2021), 7.3.2.1.1 (sequence parameter set), E.1.1 (VUI), table A-1 (levels).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from abr.errors import MediaError

_HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128})
# Table E-1: sample aspect ratios by aspect_ratio_idc, from 1.
_ASPECTS = (
    *((1, 1), (12, 11), (10, 11), (16, 11), (40, 33), (24, 11), (20, 11), (32, 11)),
    *((80, 33), (18, 11), (15, 11), (64, 33), (160, 99), (4, 3), (3, 2), (2, 1)),
)
# Table A-1: macroblocks a second and in a frame that each level allows (level_idc times 10).
LEVELS: tuple[tuple[int, int, int], ...] = (
    *((10, 1_485, 99), (11, 3_000, 396), (12, 6_000, 396), (13, 11_880, 396)),
    *((20, 11_880, 396), (21, 19_800, 792), (22, 20_250, 1_620)),
    *((30, 40_500, 1_620), (31, 108_000, 3_600), (32, 216_000, 5_120)),
    *((40, 245_760, 8_192), (42, 522_240, 8_704), (50, 589_824, 22_080)),
    *((51, 983_040, 36_864), (52, 2_073_600, 36_864), (60, 4_177_920, 139_264)),
    *((61, 8_355_840, 139_264), (62, 16_711_680, 139_264)),
)


class Bits:
    """Bits of a buffer, read from the front."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def __repr__(self) -> str:
        return f"<Bits, {self._left} left>"

    def take(self, count: int) -> int:
        """The next ``count`` bits as a number.

        Raises:
            MediaError: there are not so many.
        """
        if count > self._left:
            raise MediaError("a parameter set breaks off; expected a whole one")
        self._left -= count
        return self._value >> self._left & (1 << count) - 1

    def golomb(self) -> int:
        """An unsigned Exp-Golomb number (H.264, 9.1)."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise MediaError("a parameter set with a number over 32 bits; expected less")
        return (1 << zeros) - 1 + self.take(zeros)

    def signed(self) -> int:
        """A signed Exp-Golomb number (9.1.1)."""
        value = self.golomb()
        return (value + 1) // 2 if value & 1 else -(value // 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sps:
    """What a sequence parameter set says."""

    profile: int
    constraints: int
    """The byte of constraint flags."""
    level: int
    """Ten times the level, such as 31."""
    width: int
    """Pixels, cropped."""
    height: int
    macroblocks: int
    """In a frame."""
    is_progressive: bool
    """Whether only frames, no fields, can be coded."""
    sample_aspect: Fraction = Fraction(1)
    primaries: int | None = None
    transfer: int | None = None
    matrix: int | None = None

    @property
    def codec(self) -> str:
        """The name in CODECS."""
        return f"avc1.{self.profile:02x}{self.constraints:02x}{self.level:02x}"


def read_sps(unit: bytes) -> Sps:
    """A sequence parameter set from its NAL unit, header byte included.

    Raises:
        MediaError: it breaks off.
    """
    # 7.4.1: 00 00 03 stands for 00 00 inside a unit.
    bits = Bits(unit[1:256].replace(b"\x00\x00\x03", b"\x00\x00"))
    profile, constraints, level = bits.take(8), bits.take(8), bits.take(8)
    bits.golomb()
    chroma = 1
    if profile in _HIGH_PROFILES:
        chroma = bits.golomb()
        if chroma == 3:
            bits.take(1)
        bits.golomb()
        bits.golomb()
        bits.take(1)
        if bits.take(1):
            _skip_scaling(bits, 12 if chroma == 3 else 8)
    bits.golomb()
    _skip_order(bits)
    bits.golomb()
    bits.take(1)
    across, down = bits.golomb() + 1, bits.golomb() + 1
    is_progressive = bool(bits.take(1))
    if not is_progressive:
        bits.take(1)
        down *= 2
    bits.take(1)
    left = right = top = bottom = 0
    if bits.take(1):
        left, right, top, bottom = (bits.golomb() for _ in range(4))
    unit_x = 2 if chroma in (1, 2) else 1
    unit_y = (2 if chroma == 1 else 1) * (1 if is_progressive else 2)
    aspect, primaries, transfer, matrix = _usability(bits)
    return Sps(
        profile=profile,
        constraints=constraints,
        level=level,
        width=16 * across - unit_x * (left + right),
        height=16 * down - unit_y * (top + bottom),
        macroblocks=across * down,
        is_progressive=is_progressive,
        sample_aspect=aspect,
        primaries=primaries,
        transfer=transfer,
        matrix=matrix,
    )


def _skip_scaling(bits: Bits, lists: int) -> None:
    for number in range(lists):
        if bits.take(1):
            last, following = 8, 8
            for _ in range(16 if number < 6 else 64):
                if following:
                    following = (last + bits.signed()) % 256
                last = following or last


def _skip_order(bits: Bits) -> None:
    kind = bits.golomb()
    if kind == 0:
        bits.golomb()
    elif kind == 1:
        bits.take(1)
        bits.signed()
        bits.signed()
        for _ in range(min(bits.golomb(), 255)):
            bits.signed()


def _usability(bits: Bits) -> tuple[Fraction, int | None, int | None, int | None]:
    """Sample aspect ratio and colour of the VUI, as far as it is there."""
    aspect = Fraction(1)
    if not bits.take(1):
        return aspect, None, None, None
    if bits.take(1):
        kind = bits.take(8)
        if kind == 255:
            across, down = bits.take(16), bits.take(16)
            aspect = Fraction(across, down) if across and down else aspect
        elif 1 <= kind <= len(_ASPECTS):
            aspect = Fraction(*_ASPECTS[kind - 1])
    if bits.take(1):
        bits.take(1)
    if bits.take(1):
        bits.take(4)
        if bits.take(1):
            return aspect, bits.take(8), bits.take(8), bits.take(8)
    return aspect, None, None, None


def level_needed(macroblocks: int, frame_rate: float) -> int:
    """The least level (times 10) for frames of that many macroblocks at that rate."""
    for level, per_second, per_frame in LEVELS:
        if macroblocks <= per_frame and macroblocks * frame_rate <= per_second:
            return level
    return LEVELS[-1][0]


def annex_b(data: bytes) -> Iterator[bytes]:
    """The first 256 bytes of each NAL unit after a start code (H.264, annex B)."""
    at = data.find(b"\x00\x00\x01")
    while at >= 0:
        yield data[at + 3 : at + 259]
        at = data.find(b"\x00\x00\x01", at + 3)
