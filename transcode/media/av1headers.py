"""Parts of AV1's headers, read to find out where they end.

What they say is passed over where nothing later depends on it.

Source: AV1 Bitstream & Decoding Process Specification, 5.5 (sequence header) and 5.9 (frame
header).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from transcode.media.obus import Bits, read_colour

KEY, INTER, INTRA_ONLY, SWITCH = 0, 1, 2, 3
_SELECT, NO_REFERENCE, REFS = 2, 7, 7
_FEATURE_BITS = (8, 6, 6, 6, 6, 3, 0, 0)
_SIGNED_FEATURES = 5


@dataclass(slots=True)
class Sequence:
    """What frame headers need of the sequence header."""

    is_reduced: bool = False
    has_decoder_model: bool = False
    equal_picture_interval: bool = False
    removal_bits: int = 0
    presentation_bits: int = 0
    points: list[tuple[int, bool]] = field(default_factory=list)
    """Of each operating point: its layers, and whether it has a decoder model."""
    width_bits: int = 0
    height_bits: int = 0
    width: int = 0
    height: int = 0
    id_bits: int = 0
    """0: frames have no ids."""
    delta_id_bits: int = 0
    is_128: bool = False
    has_warped_motion: bool = False
    order_bits: int = 0
    has_ref_mvs: bool = False
    screen_content: int = _SELECT
    integer_mv: int = _SELECT
    has_superres: bool = False
    has_cdef: bool = False
    has_restoration: bool = False
    is_mono: bool = False
    subsampling: tuple[int, int] = (1, 1)
    separate_uv: bool = False
    has_grain: bool = False


@dataclass(slots=True)
class Reference:
    """What is kept of a frame."""

    frame_type: int = KEY
    order_hint: int = 0
    width: int = 0
    """Upscaled."""
    height: int = 0
    quantiser_of: tuple[int | None, ...] = (None,) * 8
    """The first feature of each segment; None where it has none."""


@dataclass(slots=True)
class Frame:
    """What the parts of a header tell each other."""

    temporal: int
    spatial: int
    frame_type: int = KEY
    is_shown: bool = True
    is_showable: bool = False
    is_resilient: bool = True
    disables_cdf: bool = False
    allows_screen: int = 0
    integer_mv: int = 0
    overrides_size: bool = False
    order_hint: int = 0
    primary: int = NO_REFERENCE
    refresh: int = 0
    refs: list[int] = field(default_factory=list)
    upscaled: int = 0
    width: int = 0
    height: int = 0
    allows_intrabc: bool = False
    high_precision: bool = False
    columns_log2: int = 0
    rows_log2: int = 0
    tiles: int = 1
    size_bytes: int = 4
    base_quantiser: int = 0
    has_deltas: bool = False
    quantiser_of: tuple[int | None, ...] = (None,) * 8
    is_lossless: bool = False
    selects_reference: bool = False

    @property
    def is_intra(self) -> bool:
        """Whether it refers to no other."""
        return self.frame_type in (KEY, INTRA_ONLY)


def read_sequence(bits: Bits) -> Sequence:
    """5.5."""
    made = Sequence()
    profile = bits.read(3)
    bits.read(1)
    made.is_reduced = bool(bits.read(1))
    if made.is_reduced:
        bits.read(5)
        made.points = [(0, False)]
    else:
        _points(bits, made)
    made.width_bits, made.height_bits = bits.read(4) + 1, bits.read(4) + 1
    made.width, made.height = bits.read(made.width_bits) + 1, bits.read(made.height_bits) + 1
    if not made.is_reduced and bits.read(1):  # frame_id_numbers_present_flag
        made.delta_id_bits = bits.read(4) + 2
        made.id_bits = bits.read(3) + made.delta_id_bits + 1
    made.is_128 = bool(bits.read(1))
    bits.read(2)
    if not made.is_reduced:
        bits.read(2)
        made.has_warped_motion = bool(bits.read(1))
        bits.read(1)
        has_order = bits.read(1)
        if has_order:
            bits.read(1)
            made.has_ref_mvs = bool(bits.read(1))
        made.screen_content = _SELECT if bits.read(1) else bits.read(1)
        made.integer_mv = _SELECT
        if made.screen_content and not bits.read(1):
            made.integer_mv = bits.read(1)
        if has_order:
            made.order_bits = bits.read(3) + 1
    made.has_superres = bool(bits.read(1))
    made.has_cdef = bool(bits.read(1))
    made.has_restoration = bool(bits.read(1))
    colour = read_colour(bits, profile=profile)
    made.is_mono, made.subsampling = colour.monochrome, colour.subsampling[:2]
    made.separate_uv = not made.is_mono and bool(bits.read(1))
    made.has_grain = bool(bits.read(1))
    return made


def _points(bits: Bits, made: Sequence) -> None:
    delay_bits = 0
    if bits.read(1):  # timing_info_present_flag
        bits.read(32 + 32)
        made.equal_picture_interval = bool(bits.read(1))
        if made.equal_picture_interval:
            bits.read_uvlc()
        made.has_decoder_model = bool(bits.read(1))
        if made.has_decoder_model:
            delay_bits = bits.read(5) + 1
            bits.read(32)
            made.removal_bits, made.presentation_bits = bits.read(5) + 1, bits.read(5) + 1
    has_delay = bits.read(1)
    for _ in range(bits.read(5) + 1):
        layers = bits.read(12)
        if bits.read(5) > 7:
            bits.read(1)
        has_model = bool(made.has_decoder_model and bits.read(1))
        if has_model:
            bits.read(2 * delay_bits + 1)
        if has_delay and bits.read(1):
            bits.read(4)
        made.points.append((layers, has_model))


def read_beginning(bits: Bits, sequence: Sequence, frame: Frame) -> None:
    """From frame_type to the permission of screen content."""
    if not sequence.is_reduced:
        frame.frame_type = bits.read(2)
        frame.is_shown = bool(bits.read(1))
        if frame.is_shown and sequence.has_decoder_model and not sequence.equal_picture_interval:
            bits.read(sequence.presentation_bits)
        frame.is_showable = frame.frame_type != KEY if frame.is_shown else bool(bits.read(1))
        is_fresh = frame.frame_type == SWITCH or (frame.frame_type == KEY and frame.is_shown)
        frame.is_resilient = is_fresh or bool(bits.read(1))
    frame.disables_cdf = bool(bits.read(1))
    frame.allows_screen = (
        bits.read(1) if sequence.screen_content == _SELECT else sequence.screen_content
    )
    if frame.allows_screen:
        frame.integer_mv = bits.read(1) if sequence.integer_mv == _SELECT else sequence.integer_mv


def read_orders(bits: Bits, sequence: Sequence, frame: Frame) -> None:
    """From the frame's id to the references that it replaces."""
    if sequence.id_bits:
        bits.read(sequence.id_bits)
    if frame.frame_type == SWITCH:
        frame.overrides_size = True
    elif not sequence.is_reduced:
        frame.overrides_size = bool(bits.read(1))
    frame.order_hint = bits.read(sequence.order_bits)
    if not frame.is_intra and not frame.is_resilient:
        frame.primary = bits.read(3)
    if sequence.has_decoder_model and bits.read(1):  # buffer_removal_time_present_flag
        for layers, has_model in sequence.points:
            inside = layers >> frame.temporal & 1 and layers >> frame.spatial + 8 & 1
            if has_model and (not layers or inside):
                bits.read(sequence.removal_bits)
    if frame.frame_type == SWITCH or (frame.frame_type == KEY and frame.is_shown):
        frame.refresh = 0xFF
    else:
        frame.refresh = bits.read(8)


def read_size(bits: Bits, sequence: Sequence, frame: Frame) -> None:
    """5.9.5."""
    frame.upscaled, frame.height = sequence.width, sequence.height
    if frame.overrides_size:
        frame.upscaled = bits.read(sequence.width_bits) + 1
        frame.height = bits.read(sequence.height_bits) + 1
    read_superres(bits, sequence, frame)


def read_superres(bits: Bits, sequence: Sequence, frame: Frame) -> None:
    """5.9.8."""
    frame.width = frame.upscaled
    if sequence.has_superres and bits.read(1):
        denominator = bits.read(3) + 9
        frame.width = (frame.upscaled * 8 + denominator // 2) // denominator


def read_render_size(bits: Bits) -> None:
    """5.9.6."""
    if bits.read(1):
        bits.read(16 + 16)


def _log2(block: int, target: int) -> int:
    """5.9.16: least k with block << k >= target."""
    count = 0
    while block << count < target:
        count += 1
    return count


def read_tile_info(bits: Bits, sequence: Sequence, frame: Frame) -> None:
    """5.9.15."""
    shift = 7 if sequence.is_128 else 6
    columns, rows = (
        max(1, -(-(2 * ((size + 7) >> 3)) // (1 << shift - 2)))
        for size in (frame.width, frame.height)
    )
    most_width, most_area = 4096 >> shift, 4096 * 2304 >> 2 * shift
    least_columns = _log2(most_width, columns)
    least = max(least_columns, _log2(most_area, rows * columns))
    if bits.read(1):  # uniform_tile_spacing_flag
        frame.columns_log2 = _grow(bits, least_columns, _log2(1, min(columns, 64)))
        width = (columns + (1 << frame.columns_log2) - 1) >> frame.columns_log2
        count_columns = -(-columns // width)
        least_rows = max(least - frame.columns_log2, 0)
        frame.rows_log2 = _grow(bits, least_rows, _log2(1, min(rows, 64)))
        height = (rows + (1 << frame.rows_log2) - 1) >> frame.rows_log2
        count_rows = -(-rows // height)
    else:
        widths = _spans(bits, columns, most_width)
        area = rows * columns >> least + 1 if least else rows * columns
        heights = _spans(bits, rows, max(area // max(widths), 1))
        count_columns, count_rows = len(widths), len(heights)
        frame.columns_log2, frame.rows_log2 = _log2(1, count_columns), _log2(1, count_rows)
    frame.tiles = count_columns * count_rows
    if frame.columns_log2 or frame.rows_log2:
        bits.read(frame.columns_log2 + frame.rows_log2)
        frame.size_bytes = bits.read(2) + 1


def _grow(bits: Bits, least: int, most: int) -> int:
    while least < most and bits.read(1):
        least += 1
    return least


def _spans(bits: Bits, total: int, most: int) -> list[int]:
    found: list[int] = []
    while sum(found) < total:
        found.append(bits.read_ns(min(total - sum(found), most)) + 1)
    return found


def read_quantisation(bits: Bits, sequence: Sequence, frame: Frame) -> None:
    """5.9.12."""
    frame.base_quantiser = bits.read(8)
    deltas = [_delta(bits)]
    if not sequence.is_mono:
        differs = sequence.separate_uv and bits.read(1)
        deltas += [_delta(bits), _delta(bits)]
        if differs:
            deltas += [_delta(bits), _delta(bits)]
    frame.has_deltas = any(deltas)
    if bits.read(1):  # using_qmatrix
        bits.read(4 + 4)
        if sequence.separate_uv:
            bits.read(4)


def _delta(bits: Bits) -> int:
    return bits.read(7) if bits.read(1) else 0


def read_features(bits: Bits) -> int | None:
    """5.9.14: the first feature of a segment; the others are passed over."""
    first: int | None = None
    for number, size in enumerate(_FEATURE_BITS):
        if not bits.read(1):
            continue
        is_signed = number < _SIGNED_FEATURES
        value = bits.read(size + is_signed)
        if not number:
            first = value - (1 << size + 1) if value >> size else value
    return first


def read_filters(bits: Bits, sequence: Sequence, frame: Frame) -> None:
    """5.9.11, 5.9.19 and 5.9.20."""
    if not (frame.is_lossless or frame.allows_intrabc):
        levels = bits.read(6 + 6)
        if not sequence.is_mono and levels:
            bits.read(6 + 6)
        bits.read(3)
        if bits.read(1) and bits.read(1):  # loop_filter_delta_enabled, _update
            for _ in range(8 + 2):
                _delta(bits)
        if sequence.has_cdef:
            bits.read(2)
            each = 6 if sequence.is_mono else 12
            for _ in range(1 << bits.read(2)):
                bits.read(each)
    all_lossless = frame.is_lossless and frame.width == frame.upscaled
    if not sequence.has_restoration or all_lossless or frame.allows_intrabc:
        return
    kinds = [bits.read(2) for _ in range(1 if sequence.is_mono else 3)]
    if any(kinds):
        if bits.read(1) and not sequence.is_128:  # lr_unit_shift
            bits.read(1)
        if sequence.subsampling == (1, 1) and any(kinds[1:]):
            bits.read(1)


def read_global_motion(bits: Bits, frame: Frame) -> None:
    """5.9.24; how many bits a parameter has does not depend on what it was before."""
    if frame.is_intra:
        return
    for _ in range(REFS):
        if not bits.read(1):  # is_global
            continue
        has_rotation = bits.read(1)
        is_translation = not has_rotation and bits.read(1)
        if not is_translation:
            for _ in range(2 if has_rotation else 4):
                _subexp(bits, 12)
        for _ in range(2):
            _subexp(bits, 9 - (not frame.high_precision) if is_translation else 12)


def _subexp(bits: Bits, size: int) -> None:
    """5.9.28: of 2 << size, and one more, values."""
    values, passed, step = (2 << size) + 1, 0, 0
    while True:
        width = 3 + step - 1 if step else 3
        if values <= passed + 3 * (1 << width):
            bits.read_ns(values - passed)
            return
        if not bits.read(1):
            bits.read(width)
            return
        step += 1
        passed += 1 << width


def read_film_grain(bits: Bits, sequence: Sequence, frame: Frame) -> None:
    """5.9.30."""
    if not sequence.has_grain or not (frame.is_shown or frame.is_showable) or not bits.read(1):
        return
    bits.read(16)
    if frame.frame_type == INTER and not bits.read(1):  # update_grain
        bits.read(3)
        return
    luma = bits.read(4)
    bits.read(16 * luma)
    from_luma = not sequence.is_mono and bits.read(1)
    blue = red = 0
    is_small = sequence.subsampling == (1, 1) and not luma
    if not (sequence.is_mono or from_luma or is_small):
        blue = bits.read(4)
        bits.read(16 * blue)
        red = bits.read(4)
        bits.read(16 * red)
    bits.read(2)
    lag = bits.read(2)
    coefficients = 2 * lag * (lag + 1)
    bits.read(8 * coefficients if luma else 0)
    for points in (blue, red):
        bits.read(8 * (coefficients + bool(luma)) if from_luma or points else 0)
    bits.read(2 + 2)
    bits.read(25 * bool(blue) + 25 * bool(red))
    bits.read(1 + 1)
