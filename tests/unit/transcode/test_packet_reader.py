"""Lines of ffprobe become arrays, in pieces of any size."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from transcode.masters.packets import CORRUPT, DISCARD, KEY
from transcode.run.packets import PacketReader

LINES = b"""0|0.000000|-0.080000|0.040000|4403|K__
0|0.120000|-0.040000|0.040000|1353|___
1|-0.023220|-0.023220|0.023220|256|KD_|Skip Samples|1024|0
2|0.1|0.1|N/A|7|K__
0|N/A|0.000000|0.040000|963|__C|
0|0.2|0.04|0.040000|9|K__|New Extradata|
a line that is none
"""


def read(pieces: list[bytes]) -> PacketReader:
    reader = PacketReader()
    for piece in pieces:
        reader.feed(piece)
    reader.close()
    return reader


def test_every_field_is_kept() -> None:
    found = read([LINES]).packets({1: 44_100})
    assert sorted(found) == [0, 1, 2]
    picture, sound = found[0], found[1]
    assert picture.dts_s.tolist() == [-0.08, -0.04, 0.0, 0.04]
    assert np.isnan(picture.pts_s).tolist() == [False, False, True, False]
    assert picture.flags.tolist() == [KEY, 0, CORRUPT, KEY]
    assert picture.places.tolist() == [0, 1, 4, 5]
    assert picture.size_bytes == 4403 + 1353 + 963 + 9
    assert sound.flags.tolist() == [KEY | DISCARD]
    assert sound.skip_s == 1024 / 44_100
    assert np.isnan(found[2].duration_s).all()


@given(st.lists(st.integers(0, len(LINES)), max_size=6))
def test_pieces_of_any_size_read_the_same(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(LINES)]
    pieces = [LINES[a:b] for a, b in pairwise(edges)]
    split, whole = read(pieces).packets({}), read([LINES]).packets({})
    for number, each in whole.items():
        assert split[number].places.tolist() == each.places.tolist()
        assert np.array_equal(split[number].pts_s, each.pts_s, equal_nan=True)


def test_encryption_is_seen_beside_other_side_data() -> None:
    lines = LINES + b"3|0.0|0.0|0.02|9|KD_|Encryption info|Skip Samples|960|0\n"
    found = read([lines]).packets({3: 48_000})
    assert [each.is_encrypted for each in found.values()] == [False, False, False, True]
    assert found[3].skip_s == 0.02
