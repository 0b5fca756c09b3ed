"""Where the data of tiles lie in samples of AV1: the only bytes that may be encrypted.

To find them, each frame's header is read to its end, which takes the state of the frames that it
refers to: their sizes, order and segmentation. Every segment begins with a key frame that is
shown, from which the state begins anew.

Refused: references that are signalled in short, which no encoder that is used here writes.

Source: AV1 Bitstream & Decoding Process Specification, 5.9 (frame header), 5.11.1 (tile group)
and 7.20 (reference frame update).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from abr.errors import MediaError
from transcode.media.av1headers import (
    KEY,
    NO_REFERENCE,
    REFS,
    Frame,
    Reference,
    Sequence,
    read_beginning,
    read_features,
    read_film_grain,
    read_filters,
    read_global_motion,
    read_orders,
    read_quantisation,
    read_render_size,
    read_sequence,
    read_size,
    read_superres,
    read_tile_info,
)
from transcode.media.obus import Bits, read_leb128

_SEQUENCE, _FRAME_HEADER, _TILE_GROUP, _FRAME, _REDUNDANT = 1, 3, 4, 6, 7
_HEADER_BYTES = 4096  # no frame header is longer


class Tile(NamedTuple):
    """The data of one tile in a sample."""

    start: int
    size: int


class TileFinder:
    """Finds tiles in the samples of one track, which are given in decoding order."""

    def __init__(self, av1c: bytes) -> None:
        """Begin with the body of ``av1C``, which may hold the sequence header."""
        self._sequence: Sequence | None = None
        self._slots = [Reference() for _ in range(8)]
        self._frame: Frame | None = None
        for kind, start, end, _, _ in _units(av1c, 4):
            if kind == _SEQUENCE:
                self._sequence = read_sequence(Bits(av1c[start:end]))

    def __repr__(self) -> str:
        return f"<TileFinder {'with' if self._sequence else 'without'} a sequence header>"

    def tiles(self, sample: bytes) -> list[Tile]:
        """The tiles of a sample, in order.

        Raises:
            MediaError: a unit or header cannot be read.
        """
        found: list[Tile] = []
        for kind, start, end, temporal, spatial in _units(sample, 0):
            if kind == _SEQUENCE:
                self._sequence = read_sequence(Bits(sample[start:end]))
            elif kind in (_FRAME_HEADER, _FRAME, _REDUNDANT):
                if kind == _REDUNDANT or (kind == _FRAME_HEADER and self._frame is not None):
                    continue  # a copy of the header before it
                bits = Bits(sample[start : min(end, start + _HEADER_BYTES)])
                self._frame = self._header(bits, temporal, spatial)
                if kind == _FRAME:
                    begin = start + bits.position_bytes()
                    self._group(sample, begin, end, found)
            elif kind == _TILE_GROUP:
                self._group(sample, start, end, found)
        return found

    def _group(self, sample: bytes, start: int, end: int, found: list[Tile]) -> None:
        """5.11.1: the tiles of one group; the last one of a frame ends it."""
        frame = self._frame
        if frame is None:
            raise MediaError("av1: tiles without a frame header; expected one before them")
        bits = Bits(sample[start : min(end, start + 8)])
        last = frame.tiles - 1
        first = 0
        if frame.tiles > 1 and bits.read(1):
            first = bits.read(frame.columns_log2 + frame.rows_log2)
            last = bits.read(frame.columns_log2 + frame.rows_log2)
        at = start + bits.position_bytes()
        for number in range(first, last + 1):
            size = end - at
            if number != last:
                size = int.from_bytes(sample[at : at + frame.size_bytes], "little") + 1
                at += frame.size_bytes
            if size <= 0 or at + size > end:
                raise MediaError("av1: a tile does not fit its unit; expected it inside")
            found.append(Tile(at, size))
            at += size
        if last == frame.tiles - 1:
            self._frame = None

    def _header(self, bits: Bits, temporal: int, spatial: int) -> Frame | None:
        """5.9.2: a frame's header; None where it only shows a frame that is there."""
        sequence = self._sequence
        if sequence is None:
            raise MediaError("av1: a frame before any sequence header; expected one")
        frame = Frame(temporal, spatial)
        if not sequence.is_reduced and bits.read(1):  # show_existing_frame
            shown = self._slots[bits.read(3)]
            if shown.frame_type == KEY:
                self._slots = [shown] * 8
            return None
        read_beginning(bits, sequence, frame)
        if frame.frame_type == KEY and frame.is_shown:
            self._slots = [Reference() for _ in range(8)]
        read_orders(bits, sequence, frame)
        if (
            (not frame.is_intra or frame.refresh != 0xFF)
            and frame.is_resilient
            and sequence.order_bits
        ):
            for number in range(8):
                hint = bits.read(sequence.order_bits)
                if hint != self._slots[number].order_hint:
                    self._slots[number] = Reference(order_hint=hint)
        if frame.is_intra:
            read_size(bits, sequence, frame)
            read_render_size(bits)
            if frame.allows_screen and frame.upscaled == frame.width:
                frame.allows_intrabc = bool(bits.read(1))
        else:
            self._references(bits, sequence, frame)
        if not sequence.is_reduced and not frame.disables_cdf:
            bits.read(1)  # disable_frame_end_update_cdf
        read_tile_info(bits, sequence, frame)
        read_quantisation(bits, sequence, frame)
        self._segmentation(bits, frame)
        read_filters(bits, sequence, frame)
        self._modes(bits, sequence, frame)
        read_global_motion(bits, frame)
        read_film_grain(bits, sequence, frame)
        kept = Reference(
            frame.frame_type, frame.order_hint, frame.upscaled, frame.height, frame.quantiser_of
        )
        for number in range(8):
            if frame.refresh >> number & 1:
                self._slots[number] = kept
        return frame

    def _references(self, bits: Bits, sequence: Sequence, frame: Frame) -> None:
        if sequence.order_bits and bits.read(1):  # frame_refs_short_signaling
            raise MediaError("av1: references signalled in short; expected them in full")
        for _ in range(REFS):
            frame.refs.append(bits.read(3))
            if sequence.id_bits:
                bits.read(sequence.delta_id_bits)
        if frame.overrides_size and not frame.is_resilient:
            self._size_with_references(bits, sequence, frame)
        else:
            read_size(bits, sequence, frame)
            read_render_size(bits)
        frame.high_precision = not frame.integer_mv and bool(bits.read(1))
        if not bits.read(1):  # is_filter_switchable
            bits.read(2)
        bits.read(1)  # is_motion_mode_switchable
        if not frame.is_resilient and sequence.has_ref_mvs:
            bits.read(1)

    def _size_with_references(self, bits: Bits, sequence: Sequence, frame: Frame) -> None:
        """5.9.7."""
        for number in frame.refs:
            if bits.read(1):
                frame.upscaled = self._slots[number].width
                frame.height = self._slots[number].height
                read_superres(bits, sequence, frame)
                return
        read_size(bits, sequence, frame)
        read_render_size(bits)

    def _segmentation(self, bits: Bits, frame: Frame) -> None:
        """5.9.14, the changes of the quantiser after it, and whether all is lossless (5.9.2)."""
        is_enabled = bool(bits.read(1))
        updates_data = True
        if is_enabled and frame.primary != NO_REFERENCE:
            if bits.read(1):  # segmentation_update_map
                bits.read(1)
            updates_data = bool(bits.read(1))
        if is_enabled and not updates_data:
            slot = frame.refs[frame.primary] if frame.refs else frame.primary
            frame.quantiser_of = self._slots[slot].quantiser_of
        elif is_enabled:
            frame.quantiser_of = tuple(read_features(bits) for _ in range(8))
        if frame.base_quantiser and bits.read(1):  # delta_q_present
            bits.read(2)
            if not frame.allows_intrabc and bits.read(1):  # delta_lf_present
                bits.read(3)
        frame.is_lossless = not frame.has_deltas and all(
            not min(255, max(0, frame.base_quantiser + (change or 0)))
            for change in frame.quantiser_of
        )

    def _modes(self, bits: Bits, sequence: Sequence, frame: Frame) -> None:
        """5.9.21 to 5.9.23, and two flags."""
        if not frame.is_lossless:
            bits.read(1)  # tx_mode_select
        if not frame.is_intra:
            frame.selects_reference = bool(bits.read(1))
            if self._may_skip(sequence, frame):
                bits.read(1)
            if not frame.is_resilient and sequence.has_warped_motion:
                bits.read(1)
        bits.read(1)  # reduced_tx_set

    def _may_skip(self, sequence: Sequence, frame: Frame) -> bool:
        """5.9.22: whether there are references on both sides, or two before."""
        if not frame.selects_reference or not sequence.order_bits:
            return False
        half = 1 << sequence.order_bits - 1

        def distance(one: int, other: int) -> int:
            return ((one - other + half) & 2 * half - 1) - half

        hints = [self._slots[number].order_hint for number in frame.refs]
        before = [hint for hint in hints if distance(hint, frame.order_hint) < 0]
        if not before:
            return False
        if any(distance(hint, frame.order_hint) > 0 for hint in hints):
            return True
        nearest = max(before, key=lambda hint: distance(hint, frame.order_hint))
        return any(distance(hint, nearest) < 0 for hint in hints)


def _units(data: bytes, at: int) -> Iterator[tuple[int, int, int, int, int]]:
    """Type, start and end of each unit's payload, and its layers."""
    while at < len(data):
        head, temporal, spatial = data[at], 0, 0
        at += 1
        if head & 0x04:
            if at >= len(data):
                raise MediaError("av1: a unit is cut off; expected a whole one")
            temporal, spatial = data[at] >> 5, data[at] >> 3 & 3
            at += 1
        size = len(data) - at
        if head & 0x02:
            size, at = read_leb128(data, at)
        if at + size > len(data):
            raise MediaError("av1: a unit does not fit its sample; expected a whole one")
        yield head >> 3 & 0xF, at, at + size, temporal, spatial
        at += size
