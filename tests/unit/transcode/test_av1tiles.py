"""Tiles in samples of AV1, where nothing is as it should be; what is right, peers say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abr.errors import MediaError
from transcode.media.av1tiles import TileFinder
from transcode.media.obus import Bits

# A temporal delimiter, with which samples begin.
DELIMITER = bytes.fromhex("1200")


def unit(kind: int, payload: bytes) -> bytes:
    """An OBU that says how long it is."""
    return bytes([kind << 3 | 2, len(payload)]) + payload


def test_numbers_below_a_limit_are_read_as_the_standard_says() -> None:
    """4.10.7, of 5 values: 0, 1 and 2 have two bits, 3 is 110 and 4 is 111."""
    bits = Bits(bytes([0b00_01_10_11, 0b0_111_0000]))
    assert [bits.read_ns(5) for _ in range(5)] == [0, 1, 2, 3, 4]
    assert bits.position_bytes() == 2


def test_a_frame_before_any_sequence_header_is_refused() -> None:
    with pytest.raises(MediaError, match="before any sequence header"):
        TileFinder(bytes(4)).tiles(DELIMITER + unit(6, bytes(20)))
    with pytest.raises(MediaError, match="tiles without a frame header"):
        TileFinder(bytes(4)).tiles(unit(4, bytes(20)))
    assert TileFinder(bytes(4)).tiles(DELIMITER) == []


@given(
    st.binary(min_size=12, max_size=40), st.lists(st.binary(min_size=1, max_size=120), max_size=4)
)
def test_garbage_raises_our_error_only(sequence: bytes, frames: list[bytes]) -> None:
    """Whatever a sequence header says, and frames after it."""
    sample = unit(1, sequence) + b"".join(unit(6, frame) for frame in frames)
    try:
        found = TileFinder(bytes(4)).tiles(sample)
    except MediaError as exc:
        assert "\n" not in str(exc)
    else:
        assert all(0 < tile.start < tile.start + tile.size <= len(sample) for tile in found)
