"""As ``slices``, for HEVC: how many bytes of a NAL unit stay readable.

Source: ITU-T H.265 (2021), 7.3.2.2 (sequence), 7.3.2.3 (picture parameter sets), 7.3.4 (scaling
lists), 7.3.6 (slice segment header), 7.3.7 and 7.4.8 (short-term reference picture sets).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from abr.errors import MediaError
from transcode.media.slices import Bits, escaped_length

_SPS, _PPS, _PREFIX_SEI = 33, 34, 39
_EXTENDED_ASPECT = 255
_B, _P, _I = range(3)
_IDR = (19, 20)
_MOST_BLOCK_BITS = 6


class _References(NamedTuple):
    """A short-term reference picture set: order counts and whether the picture uses them."""

    before: tuple[tuple[int, bool], ...]
    after: tuple[tuple[int, bool], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sequence:
    chroma: int
    separate_planes: bool
    blocks: int
    """Coding tree blocks of a picture."""
    poc_bits: int
    sao: bool
    sets: tuple[_References, ...]
    long_term: bool
    long_term_sets: int
    temporal: bool
    colours: tuple[int, int, int] | None
    """Primaries, transfer and matrix of the VUI, as ISO/IEC 23091-2 numbers them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    dependent: bool
    output_flag: bool
    extra_bits: int
    cabac_init: bool
    references: tuple[int, int]
    chroma_offsets: bool
    weighted: tuple[bool, bool]
    """For B and for P slices."""
    entry_points: bool
    across_slices: bool
    deblocking_override: bool
    deblocking_disabled: bool
    lists_modification: bool
    extension: bool


def _bits_for(count: int) -> int:
    return max(0, count - 1).bit_length()


def _skip_profile(bits: Bits, sub_layers: int) -> None:
    bits.u(96)
    flags = [(bits.u(1), bits.u(1)) for _ in range(sub_layers)]
    if sub_layers:
        bits.u(2 * (8 - sub_layers))
    for has_profile, has_level in flags:
        bits.u(88 * has_profile + 8 * has_level)


def _skip_scaling(bits: Bits) -> None:
    for size in range(4):
        for _ in range(2 if size == 3 else 6):
            if not bits.u(1):
                bits.ue()
                continue
            if size > 1:
                bits.se()
            for _ in range(min(64, 1 << (4 + 2 * size))):
                bits.se()


def _reference_set(bits: Bits, sets: Sequence[_References], count: int) -> _References:
    """7.3.7: the next set, or that of a slice when all ``count`` are known."""
    if sets and bits.u(1):
        back = bits.ue() + 1 if len(sets) == count else 1
        return _predicted(bits, sets[len(sets) - back])
    negative, positive = bits.ue(), bits.ue()
    lists = []
    for sign, number in ((-1, negative), (1, positive)):
        at, found = 0, []
        for _ in range(number):
            at += sign * (bits.ue() + 1)
            found.append((at, bool(bits.u(1))))
        lists.append(tuple(found))
    return _References(*lists)


def _predicted(bits: Bits, other: _References) -> _References:
    """7.4.8, (7-61) and (7-62): a set made from another one."""
    sign = bits.u(1)
    delta = (1 - 2 * sign) * (bits.ue() + 1)
    flags: list[tuple[bool, bool]] = []
    for _ in range(len(other.before) + len(other.after) + 1):
        used = bool(bits.u(1))
        flags.append((used, used or bool(bits.u(1))))
    before = list(zip(other.before, flags, strict=False))
    after = list(zip(other.after, flags[len(before) :], strict=False))
    own = [((0, False), flags[-1])]

    def chosen(
        order: Sequence[tuple[tuple[int, bool], tuple[bool, bool]]], side: int
    ) -> tuple[tuple[int, bool], ...]:
        moved = ((place[0] + delta, flag) for place, flag in order)
        return tuple((poc, used) for poc, (used, kept) in moved if poc * side > 0 and kept)

    return _References(
        chosen([*reversed(after), *own, *before], -1), chosen([*reversed(before), *own, *after], 1)
    )


def _sequence(unit: bytes) -> _Sequence:
    bits = Bits(unit[2:])
    bits.u(4)
    sub_layers = bits.u(3)
    bits.u(1)
    _skip_profile(bits, sub_layers)
    bits.ue()
    chroma = bits.ue()
    separate = chroma == 3 and bool(bits.u(1))
    width, height = bits.ue(), bits.ue()
    if bits.u(1):
        bits.skip_ue(4)
    bits.skip_ue(2)
    poc_bits = bits.ue() + 4
    bits.skip_ue(3 * (sub_layers + 1 if bits.u(1) else 1))
    block_bits = bits.ue() + 3 + bits.ue()
    if block_bits > _MOST_BLOCK_BITS:
        raise MediaError(f"h265: coding tree blocks of 2^{block_bits}; expected 64 at the most")
    bits.skip_ue(4)
    if bits.u(1) and bits.u(1):
        _skip_scaling(bits)
    bits.u(1)
    sao = bool(bits.u(1))
    if bits.u(1):
        bits.u(8)
        bits.skip_ue(2)
        bits.u(1)
    sets: list[_References] = []
    for _ in range(count := bits.ue()):
        sets.append(_reference_set(bits, sets, count + 1))
    long_term = bool(bits.u(1))
    long_term_sets = bits.ue() if long_term else 0
    bits.u(long_term_sets * (poc_bits + 1))
    block = 1 << block_bits
    return _Sequence(
        chroma=0 if separate else chroma,
        separate_planes=separate,
        blocks=-(-width // block) * -(-height // block),
        poc_bits=poc_bits,
        sao=sao,
        sets=tuple(sets),
        long_term=long_term,
        long_term_sets=long_term_sets,
        temporal=bool(bits.u(1)),
        colours=_colours(bits),
    )


def _colours(bits: Bits) -> tuple[int, int, int] | None:
    """E.2.1: colour of the VUI, behind strong_intra_smoothing_enabled_flag."""
    bits.u(1)
    if not bits.u(1):
        return None
    if bits.u(1) and bits.u(8) == _EXTENDED_ASPECT:
        bits.u(32)
    if bits.u(1):
        bits.u(1)
    if bits.u(1):
        bits.u(4)
        if bits.u(1):
            return bits.u(8), bits.u(8), bits.u(8)
    return None


def hevc_colours(hvcc: bytes) -> tuple[int, int, int] | None:
    """Primaries, transfer and matrix that the parameter set in ``hvcC`` states; None without.

    Raises:
        MediaError: the set cannot be read.
    """
    units = _parameter_sets(hvcc).get(_SPS)
    return _sequence(units[0]).colours if units else None


def sei_in(hvcc: bytes) -> frozenset[int]:
    """Payload types of the SEI messages in ``hvcC``.

    Raises:
        MediaError: it is cut off.
    """
    return frozenset(
        kind for unit in _parameter_sets(hvcc).get(_PREFIX_SEI, ()) for kind in sei_types(unit)
    )


def sei_types(unit: bytes) -> Iterator[int]:
    """Payload types of one SEI unit (7.3.5), its header included."""
    data, at = unit[2:].replace(b"\0\0\3", b"\0\0"), 0
    while at + 2 < len(data):
        values = []
        for _ in range(2):
            value = 0
            while at < len(data) and data[at] == 255:
                value, at = value + 255, at + 1
            if at >= len(data):
                return
            values.append(value + data[at])
            at += 1
        yield values[0]
        at += values[1]


def _picture(unit: bytes) -> _Picture:
    bits = Bits(unit[2:])
    bits.skip_ue(2)
    dependent, output_flag, extra_bits = bool(bits.u(1)), bool(bits.u(1)), bits.u(3)
    bits.u(1)
    cabac_init = bool(bits.u(1))
    references = (bits.ue() + 1, bits.ue() + 1)
    bits.se()
    bits.u(2)
    if bits.u(1):
        bits.ue()
    bits.se(), bits.se()
    chroma_offsets = bool(bits.u(1))
    weighted_p, weighted_b = bool(bits.u(1)), bool(bits.u(1))
    bits.u(1)
    tiles, sync = bits.u(1), bits.u(1)
    if tiles:
        columns, rows = bits.ue(), bits.ue()
        if not bits.u(1):
            bits.skip_ue(columns + rows)
        bits.u(1)
    across_slices = bool(bits.u(1))
    override = disabled = False
    if bits.u(1):
        override, disabled = bool(bits.u(1)), bool(bits.u(1))
        if not disabled:
            bits.se(), bits.se()
    if bits.u(1):
        _skip_scaling(bits)
    lists_modification = bool(bits.u(1))
    bits.ue()
    return _Picture(
        dependent=dependent,
        output_flag=output_flag,
        extra_bits=extra_bits,
        cabac_init=cabac_init,
        references=references,
        chroma_offsets=chroma_offsets,
        weighted=(weighted_b, weighted_p),
        entry_points=bool(tiles or sync),
        across_slices=across_slices,
        deblocking_override=override,
        deblocking_disabled=disabled,
        lists_modification=lists_modification,
        extension=bool(bits.u(1)),
    )


def hevc_leader(hvcc: bytes) -> Callable[[bytes], int]:
    """What tells how many bytes of a NAL unit stay clear; all of one that is no picture.

    Args:
        hvcc: Body of ``hvcC``, with one sequence and one picture parameter set.

    Raises:
        MediaError: the sets are missing or cannot be read.
    """
    found = _parameter_sets(hvcc)
    if len(found.get(_SPS, ())) != 1 or len(found.get(_PPS, ())) != 1:
        raise MediaError("mp4: hvcC without one parameter set of each kind; expected one each")
    sequence, picture = _sequence(found[_SPS][0]), _picture(found[_PPS][0])

    def leader(unit: bytes) -> int:
        kind = unit[0] >> 1 & 63
        if kind > 31:
            return len(unit)
        bits = Bits(unit[2:])
        _slice_header(bits, sequence, picture, kind)
        bits.u(1)  # the first bit of byte_alignment()
        return min(len(unit), 2 + escaped_length(unit[2:], -(-bits.at // 8)))

    return leader


def _parameter_sets(hvcc: bytes) -> dict[int, list[bytes]]:
    found: dict[int, list[bytes]] = {}
    try:
        at = 23
        for _ in range(hvcc[22]):
            kind, count = hvcc[at] & 63, int.from_bytes(hvcc[at + 1 : at + 3], "big")
            at += 3
            for _ in range(count):
                size = int.from_bytes(hvcc[at : at + 2], "big")
                found.setdefault(kind, []).append(hvcc[at + 2 : at + 2 + size])
                at += 2 + size
    except IndexError as exc:
        raise MediaError("mp4: hvcC is cut off; expected parameter sets") from exc
    return found


def _slice_header(bits: Bits, sequence: _Sequence, picture: _Picture, kind: int) -> None:
    is_first = bits.u(1)
    if 16 <= kind <= 23:
        bits.u(1)
    bits.ue()
    if not is_first:
        is_dependent = picture.dependent and bits.u(1)
        bits.u(_bits_for(sequence.blocks))
        if is_dependent:
            _entry_points(bits, picture)
            return
    bits.u(picture.extra_bits)
    slice_type = bits.ue()
    bits.u(picture.output_flag + 2 * sequence.separate_planes)
    used, temporal = 0, False
    if kind not in _IDR:
        used = _slice_references(bits, sequence)
        temporal = sequence.temporal and bool(bits.u(1))
    filters = False
    if sequence.sao:
        filters = bool(bits.u(1))
        if sequence.chroma:
            filters = bool(bits.u(1)) or filters
    if slice_type != _I:
        _prediction(bits, sequence, picture, slice_type, used=used, temporal=temporal)
    bits.se()
    if picture.chroma_offsets:
        bits.se(), bits.se()
    disabled = picture.deblocking_disabled
    if picture.deblocking_override and bits.u(1):
        disabled = bool(bits.u(1))
        if not disabled:
            bits.se(), bits.se()
    if picture.across_slices and (filters or not disabled):
        bits.u(1)
    _entry_points(bits, picture)


def _slice_references(bits: Bits, sequence: _Sequence) -> int:
    """Pictures that the slice may refer to (7-55)."""
    bits.u(sequence.poc_bits)
    count = len(sequence.sets)
    if bits.u(1):
        chosen = sequence.sets[bits.u(_bits_for(count))]
    else:
        chosen = _reference_set(bits, sequence.sets, count)
    used = sum(each for _, each in chosen.before + chosen.after)
    if sequence.long_term:
        of_sets = bits.ue() if sequence.long_term_sets else 0
        for number in range(of_sets + bits.ue()):
            if number < of_sets:
                raise MediaError("h265: long-term references of the sequence; expected none")
            bits.u(sequence.poc_bits)
            used += bits.u(1)
            if bits.u(1):
                bits.ue()
    return used


def _prediction(
    bits: Bits,
    sequence: _Sequence,
    picture: _Picture,
    slice_type: int,
    *,
    used: int,
    temporal: bool,
) -> None:
    lists = 2 if slice_type == _B else 1
    references = list(picture.references)
    if bits.u(1):
        references[:lists] = [bits.ue() + 1 for _ in range(lists)]
    if picture.lists_modification and used > 1:
        for count in references[:lists]:
            if bits.u(1):
                bits.u(count * _bits_for(used))
    if slice_type == _B:
        bits.u(1)
    if picture.cabac_init:
        bits.u(1)
    if temporal:
        from_second = slice_type == _B and not bits.u(1)
        if references[from_second] > 1:
            bits.ue()
    if picture.weighted[slice_type]:
        _weights(bits, references[:lists], has_chroma=bool(sequence.chroma))
    bits.ue()


def _weights(bits: Bits, references: Sequence[int], *, has_chroma: bool) -> None:
    """7.3.6.3: prediction weight table."""
    bits.ue()
    if has_chroma:
        bits.se()
    for count in references:
        luma = [bits.u(1) for _ in range(count)]
        chroma = [bits.u(1) if has_chroma else 0 for _ in range(count)]
        for has_luma, has_colour in zip(luma, chroma, strict=True):
            for _ in range(2 * has_luma + 4 * has_colour):
                bits.se()


def _entry_points(bits: Bits, picture: _Picture) -> None:
    if picture.entry_points and (count := bits.ue()):
        length = bits.ue() + 1
        bits.u(count * length)
    if picture.extension:
        bits.u(8 * bits.ue())
