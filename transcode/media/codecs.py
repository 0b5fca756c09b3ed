"""Codec names of RFC 6381, and key frames, from the bytes of a track.

Source: RFC 6381, section 3.3; ISO/IEC 14496-15, 5.3.3.1 (avcC), 8.3.3.1 (hvcC) and annex E;
AV1 Codec ISO Media File Format Binding, 2.3 and 5 (av1C); ISO/IEC 14496-1, 7.2.6
(descriptors in esds); ISO/IEC 14496-3, 1.6.2.1 (AudioSpecificConfig).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from abr.errors import MediaError
from transcode.media.boxes import Box, boxes, find
from transcode.media.obus import sequence_header, starts_with_key_frame

_STSD = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
# ISO/IEC 14496-12, 12.1.3 and 12.2.3: fields of a sample entry before its boxes.
_VISUAL_BYTES = 78
_AUDIO_BYTES = 28
# ISO/IEC 14496-1, 7.2.2.1: tags of descriptors; 7.2.6.5: flags of the ES_Descriptor.
_ES_DESCRIPTOR, _DECODER_CONFIG, _DECODER_SPECIFIC = 3, 4, 5
_MPEG4_AUDIO = 0x40  # table 5: objectTypeIndication
_FLAG_STREAM, _FLAG_URL, _FLAG_OCR = 0x80, 0x40, 0x20


def sample_entry(init: bytes) -> Box:
    """The first sample entry of the first track, such as ``avc1``."""
    stsd = find(init, *_STSD)
    return next(boxes(init, stsd.body + 8, stsd.end))


def is_video(init: bytes) -> bool:
    """Whether the track holds pictures of a codec that a package may have.

    Raises:
        MediaError: there is no track.
    """
    try:
        return sample_entry(init).kind in _CONFIGURATIONS
    except StopIteration as exc:
        raise MediaError("mp4: an empty sample description; expected one entry") from exc


def codec_of(init: bytes) -> str:
    """The codec of a track, such as ``avc1.64001f``, ``hvc1.1.6.L93.90`` or ``mp4a.40.2``.

    Raises:
        MediaError: there is no track, or its codec is not one that a package holds.
    """
    try:
        entry = sample_entry(init)
        if entry.kind in _CONFIGURATIONS:
            return codec_name(entry.kind, _configuration(init, entry))
        if entry.kind == b"mp4a":
            esds = find(init, b"esds", start=entry.body + _AUDIO_BYTES, end=entry.end)
            return codec_name(entry.kind, init[esds.body : esds.end])
        if entry.kind == b"Opus":
            return "Opus"
    except StopIteration as exc:
        raise MediaError(
            "mp4: the sample description is cut off; expected avcC, hvcC, av1C or esds"
        ) from exc
    raise MediaError(f"mp4: codec {entry.kind!r}; expected avc1, hvc1, av01, mp4a or Opus")


def codec_name(kind: bytes, configuration: bytes) -> str:
    """The name of a codec by its sample entry and the box that configures its decoder.

    Args:
        kind: Of the sample entry: ``avc1`` or ``avc3``, ``hvc1`` or ``hev1``, ``av01``, ``mp4a``.
        configuration: Body of ``avcC``, ``hvcC``, ``av1C`` or ``esds``.

    Raises:
        MediaError: the box is cut off.
        ValueError: another kind.
    """
    try:
        match kind:
            case b"avc1" | b"avc3":
                return f"{kind.decode()}.{_three(configuration[1:4]).hex()}"
            case b"hvc1" | b"hev1":
                return kind.decode() + _hevc(configuration)
            case b"av01":
                return _av1(configuration)
            case b"mp4a":
                return _aac(configuration[4:])
    except (IndexError, struct.error) as exc:
        raise MediaError(
            "mp4: the sample description is cut off; expected avcC, hvcC, av1C or esds"
        ) from exc
    raise ValueError(f"no name for {kind!r} is known here")


def _three(data: bytes) -> bytes:
    if len(data) != 3:
        raise MediaError("mp4: the sample description is cut off; expected avcC")
    return data


_CONFIGURATIONS = {b"avc1": b"avcC", b"hvc1": b"hvcC", b"av01": b"av1C"}


def _configuration(init: bytes, entry: Box) -> bytes:
    """The decoder configuration of a video track."""
    kind = _CONFIGURATIONS[entry.kind]
    found = find(init, kind, start=entry.body + _VISUAL_BYTES, end=entry.end)
    return init[found.body : found.end]


def avc_configuration(init: bytes) -> bytes:
    """The body of ``avcC``.

    Raises:
        MediaError: the track is not H.264.
    """
    try:
        entry = sample_entry(init)
    except StopIteration as exc:
        raise MediaError("mp4: an empty sample description; expected one entry") from exc
    if entry.kind != b"avc1":
        raise MediaError(f"mp4: codec {entry.kind!r}; expected avc1")
    return _configuration(init, entry)


def audio_configuration(init: bytes) -> bytes:
    """The AudioSpecificConfig of a track of AAC.

    Raises:
        MediaError: the track is not AAC, or its description is cut off.
    """
    try:
        entry = sample_entry(init)
        if entry.kind != b"mp4a":
            raise MediaError(f"mp4: codec {entry.kind!r}; expected mp4a")
        esds = find(init, b"esds", start=entry.body + _AUDIO_BYTES, end=entry.end)
        config = _decoder_config(init[esds.body + 4 : esds.end])
        if config[0] != _MPEG4_AUDIO:
            raise MediaError(f"mp4: object type {config[0]:#x} in esds; expected AAC")
        return _descriptor(config[13:], _DECODER_SPECIFIC)
    except (IndexError, StopIteration) as exc:
        raise MediaError("mp4: the sample description is cut off; expected esds") from exc


def _hevc(hvcc: bytes) -> str:
    """ISO/IEC 14496-15, annex E.3: profile, compatibility, tier and level, constraints."""
    _, head, compatibility, constraints, level = struct.unpack_from(">BBI6sB", hvcc)
    space = ("", "A", "B", "C")[head >> 6]
    # The flags are written in the reverse order of their bits.
    flags = int(f"{compatibility:032b}"[::-1], 2)
    tier = "H" if head & 0x20 else "L"
    names = [f".{space}{head & 0x1F}", f"{flags:X}", f"{tier}{level}"]
    return ".".join([*names, *(f"{each:X}" for each in constraints.rstrip(b"\0"))])


def _av1(av1c: bytes) -> str:
    """The name that the sequence header in ``av1C`` gives."""
    header = sequence_header(av1c[4:])
    if header is None:
        raise MediaError("mp4: av1C holds no sequence header; expected one")
    return header.codec


def _decoder_config(data: bytes) -> bytes:
    """The DecoderConfigDescriptor in the ES_Descriptor at the start of ``data``."""
    body = _descriptor(data, _ES_DESCRIPTOR)
    flags, skip = body[2], 3
    skip += 2 if flags & _FLAG_STREAM else 0
    skip += 1 + body[skip] if flags & _FLAG_URL else 0
    skip += 2 if flags & _FLAG_OCR else 0
    return _descriptor(body[skip:], _DECODER_CONFIG)


def _aac(data: bytes) -> str:
    config = _decoder_config(data)
    if config[0] != _MPEG4_AUDIO:  # MP3 and the like have no more to say
        return f"mp4a.{config[0]:x}"
    specific = _descriptor(config[13:], _DECODER_SPECIFIC)
    audio_object = specific[0] >> 3
    if audio_object == 31:  # the escape value: six more bits
        audio_object = 32 + ((specific[0] & 7) << 3 | specific[1] >> 5)
    return f"mp4a.{config[0]:x}.{audio_object}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AacConfiguration:
    """What an AudioSpecificConfig says."""

    channels: int
    """0 where it points to a description of its own."""
    signals_sbr: bool
    """Whether it says that there is SBR, by its object type or by the flag behind it."""


def aac_configuration(esds: bytes) -> AacConfiguration | None:
    """The AudioSpecificConfig of ``esds``; None when it is no AAC, or too short to tell.

    Source: ISO/IEC 14496-3, 1.6.2.1 and 1.6.6 (signalling of SBR), table 1.19 (channels).
    """
    try:
        config = _decoder_config(esds[4:])
        if config[0] != _MPEG4_AUDIO:
            return None
        specific = _descriptor(config[13:], _DECODER_SPECIFIC)
        kind, at = specific[0] >> 3, 5
        value = int.from_bytes(specific, "big")
        left = 8 * len(specific)

        def bits(place: int, count: int) -> int:
            return value >> max(0, left - place - count) & ((1 << count) - 1)

        if kind == _ESCAPED_OBJECT:
            return None
        at += 28 if bits(at, 4) == _ESCAPED_RATE else 4
        channels = bits(at, 4)
    except (IndexError, MediaError):
        return None
    # 1.6.6.1: the extension begins with eleven bits; a GASpecificConfig of three stands before
    # it, with a description of the channels where there is no number for them.
    places = range(at + 7, at + 8) if channels else range(at + 7, max(at + 7, left - 15))
    extended = any(
        bits(place, 11) == _SBR_MARK and bits(place + 11, 5) == _SBR and bits(place + 16, 1)
        for place in places
    )
    return AacConfiguration(
        channels=_CHANNELS.get(channels, channels),
        signals_sbr=kind in (_SBR, _PARAMETRIC_STEREO) or extended,
    )


_SBR, _PARAMETRIC_STEREO, _ESCAPED_OBJECT = 5, 29, 31
_ESCAPED_RATE, _SBR_MARK = 15, 0x2B7
_CHANNELS = {7: 8, 11: 7, 12: 8, 14: 8}


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


@dataclass(frozen=True, slots=True)
class KeyFrameTest:
    """Tells key frames of one track from its other frames."""

    kind: bytes
    """Of the sample entry."""
    length_bytes: int = 0
    """Bytes of the length before each NAL unit; 0 for AV1, which has none."""

    def passes(self, sample: bytes) -> bool:
        """Whether decoding can start at ``sample``, and no earlier frame is needed later.

        H.264: an IDR picture (ITU-T H.264, table 7-1: NAL unit type 5). HEVC: an IDR picture
        (ITU-T H.265, table 7-1: types 19 and 20); CRA and BLA pictures may have leading
        pictures that cannot be decoded. AV1: a key frame that is shown.

        Raises:
            MediaError: units do not fit the sample.
        """
        if self.kind == b"av01":
            return starts_with_key_frame(sample)
        at = 0
        while at + self.length_bytes < len(sample):
            size = int.from_bytes(sample[at : at + self.length_bytes], "big")
            head = sample[at + self.length_bytes]
            if self.kind == b"hvc1":
                if (kind := head >> 1 & 0x3F) < _FIRST_NOT_SLICE:
                    return kind in _IDR
            elif (kind := head & 0x1F) in _AVC_SLICES:
                return kind == _AVC_IDR
            at += self.length_bytes + size
        return False


_AVC_SLICES, _AVC_IDR = frozenset({1, 2, 3, 4, 5}), 5
_IDR, _FIRST_NOT_SLICE = frozenset({19, 20}), 32


def key_frame_test(init: bytes) -> KeyFrameTest:
    """What recognises key frames in the track that ``init`` describes.

    Raises:
        MediaError: it is no video track that a package holds.
    """
    try:
        entry = sample_entry(init)
        if entry.kind not in _CONFIGURATIONS:
            raise MediaError(f"mp4: codec {entry.kind!r}; expected avc1, hvc1 or av01")
        if entry.kind == b"av01":
            return KeyFrameTest(entry.kind)
        # ISO/IEC 14496-15, 5.3.3.1 and 8.3.3.1: lengthSizeMinusOne, the last two bits of a byte.
        place = 4 if entry.kind == b"avc1" else 21
        return KeyFrameTest(entry.kind, (_configuration(init, entry)[place] & 3) + 1)
    except (IndexError, StopIteration) as exc:
        raise MediaError("mp4: the sample description is cut off; expected a whole one") from exc
