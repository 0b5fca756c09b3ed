"""Bodies that come compressed though nobody asked for it."""

from __future__ import annotations

import gzip
import zlib

import pytest

from player.drivers.coding import CodingError, unpacker

TEXT = b"#EXTM3U\n" * 50
MOST = 10_000
CODED = {
    "gzip": gzip.compress(TEXT),
    "x-gzip": gzip.compress(TEXT[:9]) + gzip.compress(TEXT[9:]),
    "GZIP": gzip.compress(TEXT) + bytes(20),
    "deflate": zlib.compress(TEXT),
    " deflate , identity": zlib.compress(TEXT, wbits=-15),
}


@pytest.mark.parametrize("size_bytes", [1, 7, MOST])
@pytest.mark.parametrize("coding", CODED)
def test_it_is_unpacked_however_it_is_cut(coding: str, size_bytes: int) -> None:
    unpack, packed = unpacker([coding]), CODED[coding]
    assert unpack is not None
    pieces = [packed[at : at + size_bytes] for at in range(0, len(packed), size_bytes)]
    assert b"".join(unpack.take(piece, MOST) for piece in pieces) == TEXT
    assert unpack.is_at_end


def test_a_part_is_not_the_end_and_no_more_is_unpacked_than_asked() -> None:
    unpack = unpacker(["gzip"])
    assert unpack is not None
    assert unpack.take(CODED["gzip"][:-9], 30) == TEXT[:30]
    assert not unpack.is_at_end


@pytest.mark.parametrize("stated", [[], [""], ["identity"], ["utf-8"], ["aws-chunked", "binary"]])
def test_what_is_no_coding_changes_nothing(stated: list[str]) -> None:
    assert unpacker(stated) is None


@pytest.mark.parametrize("stated", [["br"], ["gzip", "zstd"], ["gzip, gzip"]])
def test_a_coding_that_is_not_read_is_refused_by_name(stated: list[str]) -> None:
    with pytest.raises(CodingError, match=f"Content-Encoding: {', '.join(stated)}; expected"):
        unpacker(stated)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_what_is_not_coded_as_was_said_is_an_error(coding: str) -> None:
    unpack = unpacker([coding])
    assert unpack is not None
    with pytest.raises(CodingError, match="cannot be unpacked"):
        unpack.take(b"\x7f" + TEXT, MOST)
