"""Boxes of the ISO base media file format; layouts from ISO/IEC 14496-12, written by hand."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abr.errors import MediaError
from transcode.media.boxes import Box, box, boxes, find, full_box, read_header, without

FREE = bytes.fromhex("0000000a 66726565 abcd")
"""A box of 10 bytes: size, ``free``, two bytes of body."""
LARGE = bytes.fromhex("00000001 6d646174 0000000000000012 abcd")
"""Size 1 says that 64 bits of size follow the kind (4.2)."""


def test_a_box_is_its_size_its_kind_and_its_body() -> None:
    assert box(b"free", b"\xab", b"\xcd") == FREE
    assert full_box(b"tfhd", 1, 0x020000) == bytes.fromhex("0000000c 74666864 01020000")
    assert list(boxes(FREE)) == [Box(b"free", 0, 8, 10)]


def test_a_header_of_64_bits_is_read() -> None:
    assert read_header(LARGE) == (b"mdat", 16, 18)
    assert list(boxes(LARGE + FREE)) == [Box(b"mdat", 0, 16, 18), Box(b"free", 18, 26, 28)]


@pytest.mark.parametrize("data", [b"", FREE[:7], LARGE[:15]])
def test_a_header_that_is_not_all_there_waits(data: bytes) -> None:
    """The demuxer asks again when more bytes have come."""
    assert read_header(data) is None


@pytest.mark.parametrize("head", ["00000000 66726565", "00000007 66726565"])
def test_sizes_that_cannot_be_are_refused(head: str) -> None:
    with pytest.raises(MediaError, match=r"mp4 box b'free': size [07]; expected at least 8 bytes"):
        read_header(bytes.fromhex(head))
    with pytest.raises(MediaError, match="size 15; expected at least 16"):
        read_header(struct.pack(">I4sQ", 1, b"mdat", 15))


@pytest.mark.parametrize("data", [FREE[:-1], FREE + b"\0\0\0", box(b"moov", FREE[:-1])[:-1]])
def test_a_box_that_does_not_fit_is_refused(data: bytes) -> None:
    with pytest.raises(MediaError, match="does not fit its parent"):
        list(boxes(data))


def test_a_box_is_found_by_its_path() -> None:
    """The first of its kind at each level, and only among the children of the one before."""
    tkhd = box(b"tkhd", b"one")
    data = FREE + box(b"moov", box(b"mvhd"), box(b"trak", tkhd), box(b"trak", box(b"tkhd", b"two")))
    found = find(data, b"moov", b"trak", b"tkhd")
    assert data[found.body : found.end] == b"one"
    with pytest.raises(MediaError, match="mp4: no box moov/tkhd; expected one"):
        find(data, b"moov", b"tkhd")
    with pytest.raises(ValueError, match="empty path"):
        find(data)


def test_boxes_are_left_out_at_every_level_and_sizes_follow() -> None:
    """``meta`` inside ``udta`` goes with it; what is no container is copied as it is."""
    kept = box(b"mdia", box(b"mdhd", b"udta"))
    data = box(b"moov", box(b"udta", box(b"meta")), box(b"trak", box(b"edts"), kept))
    assert without(data, frozenset({b"udta", b"edts"})) == box(b"moov", box(b"trak", kept))


TREES = st.recursive(
    st.tuples(st.sampled_from([b"free", b"mdat", b"tkhd"]), st.binary(max_size=20)),
    lambda inner: st.tuples(st.sampled_from([b"moov", b"trak"]), st.lists(inner, max_size=3)),
    max_leaves=8,
)


def written(tree: tuple[bytes, bytes | list[tuple[bytes, bytes]]]) -> bytes:
    """A tree as bytes."""
    kind, body = tree
    return box(kind, body if isinstance(body, bytes) else b"".join(map(written, body)))


@given(TREES)
def test_leaving_nothing_out_changes_nothing(
    tree: tuple[bytes, bytes | list[tuple[bytes, bytes]]],
) -> None:
    assert without(written(tree), frozenset()) == written(tree)


@given(st.binary(max_size=80))
def test_garbage_is_our_error_and_no_other(data: bytes) -> None:
    """And what is read lies inside the data."""
    try:
        found = list(boxes(data))
    except MediaError:
        return
    assert sum(each.end - each.start for each in found) == len(data)
