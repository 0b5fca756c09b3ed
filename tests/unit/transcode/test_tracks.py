"""Tracks while they fill: which key encrypts which segment, and what reads back."""

from __future__ import annotations

from pathlib import Path

import pytest

from transcode.encryption import ContentKey, decrypt, sequence_iv
from transcode.media.fragments import Cut
from transcode.packaging.index import Encryption, SegmentFacts
from transcode.packaging.layout import segment_name
from transcode.run.tracks import Encrypter, Folder


class CountingKeys:
    """Gives each period a key of its own, and notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def key_for(self, title: str, period: int, group: str = "all") -> ContentKey:
        """The key of ``period``."""
        self.asked.append((title, period))
        return ContentKey(f"{period:032x}", bytes([period]) * 16)


def cut(data: bytes) -> Cut:
    """A segment of two seconds in units of the folder's timescale, 1."""
    return Cut(data, duration=2, frames=50, first_sample=b"")


@pytest.mark.parametrize(("rotate_every", "periods"), [(0, [0, 0, 0, 0, 0]), (2, [0, 0, 1, 1, 2])])
def test_a_key_is_asked_for_once_in_each_period(
    tmp_path: Path, rotate_every: int, periods: list[int]
) -> None:
    """And the index names the same period for every segment."""
    keys = CountingKeys()
    folder = Folder(tmp_path / "v0", Encrypter(keys, "film", rotate_every), encrypts_init=False)
    plain = [bytes([number]) * (20 + number) for number in range(5)]
    for data in plain:
        folder.write_segment(cut(data))
    assert keys.asked == [("film", period) for period in dict.fromkeys(periods)]
    kids = tuple(f"{period:032x}" for period in dict.fromkeys(periods))
    index = Encryption(method="AES-128", kids=kids, rotate_every=rotate_every)
    assert [index.period(number) for number in range(5)] == periods
    for number, (data, period) in enumerate(zip(plain, periods, strict=True)):
        stored = (tmp_path / "v0" / segment_name(number)).read_bytes()
        assert decrypt(stored, bytes([period]) * 16, sequence_iv(number)) == data


def test_sizes_are_those_of_the_files_and_lengths_those_of_the_media(tmp_path: Path) -> None:
    """20 bytes are encrypted to 32; two units at one a second last 2 s."""
    encrypted = Folder(tmp_path / "a", Encrypter(CountingKeys(), "film", 0), encrypts_init=False)
    clear = Folder(tmp_path / "b", None, encrypts_init=False)
    for folder, size_bytes in ((encrypted, 32), (clear, 20)):
        folder.write_segment(cut(bytes(20)))
        assert folder.segments == [SegmentFacts(size_bytes=size_bytes, duration_s=2.0)]
        assert folder.frames == 50
