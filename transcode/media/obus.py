"""AV1's open bitstream units: key frames, and the colour that a sequence header states.

Source: AV1 Bitstream & Decoding Process Specification, 5.3 (OBU syntax), 5.5 (sequence
header) and 5.9.2 (uncompressed header); AV1 Codec ISO Media File Format Binding, 2.3 (av1C)
and 5 (codecs parameter).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from abr.errors import MediaError

_SEQUENCE_HEADER, _FRAME_HEADER, _FRAME = 1, 3, 6
_KEY_FRAME = 0
_SELECT = 2
_UNSPECIFIED = 2
_SRGB = (1, 13, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceHeader:
    """What a codec's name needs of a sequence header."""

    profile: int
    level: int
    """seq_level_idx of the first operating point."""
    high_tier: bool
    bit_depth: int
    monochrome: bool
    subsampling: tuple[int, int, int]
    """Horizontal, vertical, and the position of chroma samples."""
    colour: tuple[int, int, int]
    """Primaries, transfer and matrix, as ISO/IEC 23091-2 numbers them."""
    full_range: bool

    @property
    def codec(self) -> str:
        """Its name, such as ``av01.0.04M.08``; colour only where it is not the default."""
        tier = "H" if self.high_tier else "M"
        name = f"av01.{self.profile}.{self.level:02d}{tier}.{self.bit_depth:02d}"
        sampling = "".join(map(str, self.subsampling))
        tail = f"{self.monochrome:d}.{sampling}." + ".".join(f"{n:02d}" for n in self.colour)
        tail += f".{self.full_range:d}"
        # Binding, 5: this is what a name without these fields stands for.
        return name if tail == "0.110.01.01.01.0" else f"{name}.{tail}"


class Bits:
    """Bits of a buffer, most significant first."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._size = self._left = 8 * len(data)

    def __repr__(self) -> str:
        return f"<Bits {self._left} left>"

    def read(self, count: int) -> int:
        """The next ``count`` bits, as a number.

        Raises:
            MediaError: there are fewer.
        """
        self._left -= count
        if self._left < 0:
            raise MediaError("av1: a header is cut off; expected a whole one")
        return self._value >> self._left & (1 << count) - 1

    def read_uvlc(self) -> int:
        """A number of variable length (4.10.3)."""
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros == 32:
                return (1 << 32) - 1
        return (1 << zeros) - 1 + self.read(zeros)

    def read_ns(self, values: int) -> int:
        """A number below ``values`` (4.10.7)."""
        width = values.bit_length()
        short = (1 << width) - values
        value = self.read(width - 1)
        return value if value < short else (value << 1) - short + self.read(1)

    def position_bytes(self) -> int:
        """Bytes that were begun to be read."""
        return (self._size - self._left + 7) // 8


def obus(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and payload of each unit in a sample.

    Raises:
        MediaError: one does not fit.
    """
    at = 0
    while at < len(data):
        header = data[at]
        at += 2 if header & 0x04 else 1
        size = len(data) - at
        if header & 0x02:
            size, at = read_leb128(data, at)
        if size < 0 or at + size > len(data):
            raise MediaError("av1: a unit does not fit its sample; expected a whole one")
        yield header >> 3 & 0xF, data[at : at + size]
        at += size


def read_leb128(data: bytes, at: int) -> tuple[int, int]:
    """The number at ``at``, and where it ends (4.10.5).

    Raises:
        MediaError: it does not end.
    """
    value = 0
    for place in range(8):
        if at >= len(data):
            break
        value |= (data[at] & 0x7F) << 7 * place
        at += 1
        if not data[at - 1] & 0x80:
            return value, at
    raise MediaError("av1: the size of a unit cannot be read; expected LEB128")


def starts_with_key_frame(sample: bytes) -> bool:
    """Whether the first frame in ``sample`` is a key frame that is shown."""
    for kind, payload in obus(sample):
        if kind in (_FRAME_HEADER, _FRAME):
            bits = Bits(payload)
            shows_existing, frame_type, is_shown = bits.read(1), bits.read(2), bits.read(1)
            return not shows_existing and frame_type == _KEY_FRAME and bool(is_shown)
    return False


def sequence_header(data: bytes) -> SequenceHeader | None:
    """The first sequence header in ``data``; None when it holds none.

    Raises:
        MediaError: it is cut off.
    """
    for kind, payload in obus(data):
        if kind == _SEQUENCE_HEADER:
            return _sequence_header(Bits(payload))
    return None


def _sequence_header(bits: Bits) -> SequenceHeader:
    profile, _still, is_reduced = bits.read(3), bits.read(1), bits.read(1)
    level, high_tier = (bits.read(5), False) if is_reduced else _operating_points(bits)
    width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
    bits.read(width_bits + height_bits)
    if not is_reduced and bits.read(1):  # frame_id_numbers_present_flag
        bits.read(4 + 3)
    bits.read(3)  # superblocks, filter intra, edge filter
    if not is_reduced:
        _skip_tools(bits)
    bits.read(3)  # superres, cdef, restoration
    return read_colour(bits, profile=profile, level=level, high_tier=high_tier)


def _operating_points(bits: Bits) -> tuple[int, bool]:
    """Level and tier of the first operating point."""
    delay_bits = 0
    if bits.read(1):  # timing_info_present_flag
        bits.read(32 + 32)
        if bits.read(1):  # equal_picture_interval
            bits.read_uvlc()
        if bits.read(1):  # decoder_model_info_present_flag
            delay_bits = bits.read(5) + 1
            bits.read(32 + 5 + 5)
    has_display_delay = bits.read(1)
    found: list[tuple[int, bool]] = []
    for _ in range(bits.read(5) + 1):
        bits.read(12)  # operating_point_idc
        level = bits.read(5)
        found.append((level, level > 7 and bool(bits.read(1))))
        if delay_bits and bits.read(1):
            bits.read(2 * delay_bits + 1)
        if has_display_delay and bits.read(1):
            bits.read(4)
    return found[0]


def _skip_tools(bits: Bits) -> None:
    bits.read(4)  # interintra, masked compound, warped motion, dual filter
    has_order_hint = bits.read(1)
    if has_order_hint:
        bits.read(2)
    screen_content = _SELECT if bits.read(1) else bits.read(1)
    if screen_content and not bits.read(1):  # seq_choose_integer_mv
        bits.read(1)
    if has_order_hint:
        bits.read(3)


def read_colour(
    bits: Bits, *, profile: int, level: int = 0, high_tier: bool = False
) -> SequenceHeader:
    """Colour (5.5.2), up to what is said of quantisers."""
    is_deep = bits.read(1)
    bit_depth = 12 if profile == 2 and is_deep and bits.read(1) else 10 if is_deep else 8
    monochrome = profile != 1 and bool(bits.read(1))
    colour = (_UNSPECIFIED,) * 3
    if bits.read(1):  # color_description_present_flag
        colour = (bits.read(8), bits.read(8), bits.read(8))
    full_range, across, down, position = True, 0, 0, 0
    if monochrome:
        full_range, across, down = bool(bits.read(1)), 1, 1
    elif colour != _SRGB:
        full_range = bool(bits.read(1))
        if profile == 0:
            across = down = 1
        elif profile == 2:
            across = bits.read(1) if bit_depth == 12 else 1
            down = bits.read(1) if bit_depth == 12 and across else 0
        if across and down:
            position = bits.read(2)
    return SequenceHeader(
        profile=profile,
        level=level,
        high_tier=high_tier,
        bit_depth=bit_depth,
        monochrome=monochrome,
        subsampling=(across, down, position),
        colour=colour,
        full_range=full_range,
    )
