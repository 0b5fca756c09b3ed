"""Codec names from initialisation sections; bytes worked out by hand from the standards."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abr.errors import MediaError
from transcode.media.boxes import box, full_box
from transcode.media.codecs import KeyFrameTest, codec_of, is_video, key_frame_test

AVCC = bytes.fromhex("01 64001f ff")
"""ISO/IEC 14496-15, 5.3.3.1: version 1; High profile, no constraints, level 3.1; the last two
bits, 3, say that NAL units begin with 4 bytes of length."""


def init_of(entry: bytes) -> bytes:
    """The boxes around a sample entry."""
    stsd = full_box(b"stsd", 0, 0, b"\0\0\0\1", entry)
    return box(b"moov", box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", stsd)))))


def video(avcc: bytes = AVCC, kind: bytes = b"avc1") -> bytes:
    """A visual sample entry: 78 bytes of fields, then its boxes."""
    return init_of(box(kind, bytes(78), box(b"avcC", avcc)))


def audio(descriptors: str) -> bytes:
    """An audio sample entry: 28 bytes of fields, then ``esds``."""
    return init_of(box(b"mp4a", bytes(28), full_box(b"esds", 0, 0, bytes.fromhex(descriptors))))


def test_avc_is_named_by_profile_constraints_and_level() -> None:
    """RFC 6381, 3.3: the three bytes after the version, in hexadecimal."""
    assert codec_of(video()) == "avc1.64001f"
    assert codec_of(video(bytes.fromhex("01 42c00d ff"))) == "avc1.42c00d"


def descriptor(tag: int, *parts: bytes, size_bytes: int = 1) -> bytes:
    """ISO/IEC 14496-1, 8.3.3: the size in bytes of seven bits, all but the last marked."""
    body = b"".join(parts)
    sizes = [len(body) >> 7 * place & 0x7F for place in reversed(range(size_bytes))]
    return bytes([tag, *(0x80 | size for size in sizes[:-1]), sizes[-1]]) + body


def stream(config: str, *, flags: str = "00", size_bytes: int = 1) -> str:
    """An ES_Descriptor in hexadecimal, around the decoder's AudioSpecificConfig.

    It holds an id, flags with what they ask for, and the decoder's configuration: object
    type 0x40, twelve more bytes, and the config.
    """
    specific = descriptor(5, bytes.fromhex(config), size_bytes=size_bytes)
    decoder = descriptor(4, b"\x40", bytes(12), specific, size_bytes=size_bytes)
    return descriptor(3, b"\0\1", bytes.fromhex(flags), decoder, size_bytes=size_bytes).hex()


LC = stream("1190")
EXPANDED = stream("1190", size_bytes=4)
WITH_FLAGS = stream("1190", flags="e0 1234 02 6162 5678")
ESCAPED = stream("f940")


@pytest.mark.parametrize(
    ("descriptors", "codec"),
    [
        (LC, "mp4a.40.2"),  # 0x11 = 00010 001…: object type 2, AAC LC
        (EXPANDED, "mp4a.40.2"),  # lengths may be spread over bytes of seven bits
        (WITH_FLAGS, "mp4a.40.2"),  # a stream id, a URL of two letters and a clock in between
        (ESCAPED, "mp4a.40.42"),  # 0xf940 = 11111 001010…: the escape value, then 32 + 10
    ],
)
def test_aac_is_named_by_its_object_type(descriptors: str, codec: str) -> None:
    assert codec_of(audio(descriptors)) == codec


@pytest.mark.parametrize(
    ("init", "says"),
    [
        (video(kind=b"hev1"), "codec b'hev1'; expected avc1, hvc1, av01, mp4a or Opus"),
        (audio("04 02 0001"), "descriptor 4 in esds; expected 3"),
        (audio("03 16 0001 00"), "cut off"),
        (box(b"moov"), "no box moov/trak"),
        (init_of(b""), "cut off"),
    ],
)
def test_other_codecs_and_damage_are_our_error(init: bytes, says: str) -> None:
    with pytest.raises(MediaError, match=says):
        codec_of(init)


@given(st.binary(max_size=40))
def test_random_descriptors_raise_no_other_error(data: bytes) -> None:
    try:
        assert codec_of(audio(data.hex())).startswith("mp4a.")
    except MediaError as exc:
        assert "mp4" in str(exc)


@pytest.mark.parametrize(("last", "length_bytes"), [("ff", 4), ("fd", 2), ("fc", 1)])
def test_the_length_before_a_nal_unit_is_one_more_than_the_field(
    last: str, length_bytes: int
) -> None:
    assert key_frame_test(video(bytes.fromhex("01 64001f" + last))).length_bytes == length_bytes


def test_pictures_are_told_from_sound() -> None:
    assert is_video(video())
    assert not is_video(audio(LC))
    with pytest.raises(MediaError, match="empty sample description"):
        is_video(init_of(b""))


def sample(*kinds: int, length_bytes: int = 4) -> bytes:
    """NAL units of three bytes of these types."""
    return b"".join((3).to_bytes(length_bytes, "big") + bytes([0x60 | k, 0, 0]) for k in kinds)


@pytest.mark.parametrize(
    ("kinds", "is_idr"),
    [
        ((5,), True),
        ((9, 7, 8, 6, 5, 1), True),  # delimiter, parameter sets, SEI, then an IDR slice
        ((1, 5), False),  # the first slice decides
        ((9, 6, 1), False),
        ((9, 6), False),
        ((), False),
    ],
)
def test_the_first_slice_says_whether_a_picture_is_idr(
    kinds: tuple[int, ...], is_idr: bool
) -> None:
    """H.264, table 7-1."""
    for length_bytes in (1, 2, 4):
        data = sample(*kinds, length_bytes=length_bytes)
        assert KeyFrameTest(b"avc1", length_bytes).passes(data) == is_idr
