"""Patterns, marks, names of variants and their layout: decided without a file or a process."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from abr.errors import MediaError
from transcode.media.boxes import box, boxes
from transcode.packaging.layout import (
    chosen_variant,
    is_variant,
    segment_number,
    split_variant,
    variant_b,
)
from transcode.watermark.evening import evened
from transcode.watermark.marks import COLUMNS, ROWS, mark_of, name_of, pictures_of, seed_of
from transcode.watermark.pattern import bit_of, one_variant, pattern_of, watermark_secret

SECRET = b"s" * 32


def test_a_pattern_is_the_same_at_every_call_and_another_for_every_session_and_secret() -> None:
    assert pattern_of(SECRET, "a") == pattern_of(SECRET, "a")
    assert len(pattern_of(SECRET, "a")) == 32
    assert len({pattern_of(SECRET, "a"), pattern_of(SECRET, "b"), pattern_of(b"t", "a")}) == 3


def test_bits_are_read_from_the_highest_and_begin_again_at_the_end() -> None:
    pattern = bytes([0b10100000, 0b00000001])
    assert [bit_of(pattern, segment) for segment in range(18)] == [
        1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0,
    ]  # fmt: skip


@pytest.mark.parametrize("bit", [0, 1])
def test_a_pattern_of_one_variant_chooses_it_everywhere(bit: int) -> None:
    assert {bit_of(one_variant(bit), segment) for segment in range(1000)} == {bit}


def test_bits_of_many_sessions_are_even_and_do_not_depend_on_each_other() -> None:
    bits = np.array(
        [[bit_of(pattern_of(SECRET, f"s{n}"), k) for k in range(256)] for n in range(400)]
    )
    # Of 102,400 fair bits the mean is within 4.5 standard deviations (0.0070) of a half.
    assert abs(bits.mean() - 0.5) < 0.007
    agreeing = (bits[:200] == bits[200:]).mean()
    assert abs(agreeing - 0.5) < 0.01


class Kept:
    """Secrets in memory."""

    def __init__(self) -> None:
        self.held: dict[str, tuple[str, bytes]] = {}

    def secret(self, name: str, make: object) -> tuple[str, bytes]:
        return self.held.setdefault(name, make())  # type: ignore[operator]  # a function


def test_the_secret_is_made_once_and_kept() -> None:
    keys = Kept()
    first = watermark_secret(keys)
    assert len(first) == 32
    assert watermark_secret(keys) == first
    assert watermark_secret(Kept()) != first


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("v0/00012.m4s", 12),
        ("v13/100000.m4s", 100000),
        ("r0123456789abcdef/v1/00000.m4s", 0),
        ("a0/00012.m4s", None),
        ("v0/init.mp4", None),
        ("v0/playlist.m3u8", None),
        ("v0/00012.b.m4s", None),
        ("v0/00012.ts", None),
        ("x/y/v0/00012.m4s", None),
        ("v0/12.m4s", None),
    ],
)
def test_only_segments_of_video_have_variants(path: str, number: int | None) -> None:
    assert segment_number(path) == number
    chosen = chosen_variant(path, one_variant(1))
    if number is None:
        assert chosen == path
    else:
        assert chosen == path.replace(".m4s", ".b.m4s") == variant_b(path)
        assert split_variant(chosen) == (path, 1)
        assert split_variant(chosen_variant(path, one_variant(0))) == (path, 0)


def test_names_of_variants_are_known_in_any_case_and_all_others_are_not() -> None:
    assert is_variant("v0/00012.b.m4s")
    assert is_variant("v0/00012.A.M4S")
    assert not is_variant("v0/00012.m4s")
    assert not is_variant("v0/00012.c.m4s")
    assert split_variant("v0/00012.m4s") == ("v0/00012.m4s", None)


def test_a_mark_is_even_and_every_segment_and_title_has_its_own() -> None:
    seed = seed_of(SECRET, "film")
    mark = mark_of(seed, 7)
    assert mark.shape == (ROWS, COLUMNS)
    assert set(mark.ravel().tolist()) == {1, -1}
    assert mark.sum() == 0
    assert (mark_of(seed, 7) == mark).all()
    for other in (mark_of(seed, 8), mark_of(seed_of(SECRET, "other"), 7)):
        assert not (other == mark).all()
        assert not (other == -mark).all()


def test_marks_as_pictures_hold_changes_of_one_level_around_the_middle() -> None:
    seed = seed_of(SECRET, "film")
    data = pictures_of(seed, first=3, count=2)
    size = ROWS * COLUMNS * 3 // 2
    assert len(data) == 2 * size
    luma = np.frombuffer(data[size : size + ROWS * COLUMNS], np.uint8).astype(int) - 128
    assert (luma.reshape(ROWS, COLUMNS) == mark_of(seed, 4)).all()
    assert set(data[size + ROWS * COLUMNS :]) == {128}
    assert name_of(seed) != seed.hex()


def fragment(size: int) -> bytes:
    return box(b"moof", struct.pack(">I", size)) + box(b"mdat", bytes(size))


@pytest.mark.parametrize(
    ("one", "other"),
    [((10, 20), (10, 20)), ((10, 20), (11, 5)), ((9, 100), (17, 100)), ((1,), (90,))],
)
def test_evened_variants_have_every_fragment_at_the_same_place(
    one: tuple[int, ...], other: tuple[int, ...]
) -> None:
    head = box(b"styp", b"msdh")
    given = [head + b"".join(map(fragment, sizes)) for sizes in (one, other)]
    found = evened(*given)
    assert len(found[0]) == len(found[1])
    places = [[each.start for each in boxes(data) if each.kind == b"moof"] for data in found]
    assert places[0] == places[1]
    for data, before in zip(found, given, strict=True):
        kept = b"".join(data[b.start : b.end] for b in boxes(data) if b.kind != b"free")
        assert kept == before
    assert max(map(len, found)) <= max(map(len, given)) + 8 * len(one) + sum(
        abs(a - b) for a, b in zip(one, other, strict=True)
    )


def test_variants_of_equal_sizes_are_left_as_they_are() -> None:
    assert evened(fragment(5), fragment(5)) == (fragment(5), fragment(5))


def test_variants_with_other_fragments_are_refused() -> None:
    with pytest.raises(MediaError, match="fragments 1 and 2"):
        evened(fragment(5), fragment(5) + fragment(5))
