"""Damage is counted with its places, and judged by a stated limit."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.packettables import packets
from transcode.masters.damage import (
    DamagedError,
    Frames,
    TrackDamage,
    check_damage,
    damage_notes,
    damage_of,
)
from transcode.masters.packets import CORRUPT, KEY, Jump, Packets
from transcode.masters.timing import Clock

PICTURES: npt.NDArray[Any] = np.arange(1000) * 0.04  # 40 s
FROM_ZERO = Clock()


def decoded(times_s: npt.NDArray[Any], *faulty: int) -> Frames:
    is_faulty = np.zeros(len(times_s), dtype=np.bool_)
    is_faulty[list(faulty)] = True
    return Frames(times_s=times_s, is_faulty=is_faulty)


def flagged(track: Packets, **at: list[int]) -> Packets:
    """With other flags at some packets: ``key`` (the only ones) and ``corrupt``."""
    flags = track.flags.copy()
    if "key" in at:
        flags &= ~np.uint8(KEY)
        flags[at["key"]] |= KEY
    flags[at.get("corrupt", [])] |= CORRUPT
    return Packets(
        pts_s=track.pts_s, dts_s=track.dts_s, duration_s=track.duration_s, flags=flags,
        places=track.places,
    )  # fmt: skip


def test_a_film_that_decodes_has_no_damage() -> None:
    found = damage_of("picture", packets(PICTURES, key_every=50), decoded(PICTURES), FROM_ZERO)
    assert (found.count, found.of, found.longest_s, found.places_s) == (0, 1000, 0.0, ())
    assert list(damage_notes([found])) == []
    check_damage([found], tolerate=0, where="film.ts")


def test_missing_and_faulty_frames_are_one_damage() -> None:
    """Errors at 10 and 11, nothing for 12 and 500: four frames, three of them in a row."""
    held = np.delete(PICTURES, [12, 500])
    found = damage_of("picture", packets(PICTURES, key_every=50), decoded(held, 10, 11), FROM_ZERO)
    assert (found.count, found.places_s) == (4, (0.4, 20.0))
    assert found.longest_s == pytest.approx(0.12)
    (note,) = damage_notes([found])
    assert str(note) == (
        "4 of 1,000 pictures are damaged or missing, at most 0.12 s in a row, "
        "first at 0:00.400, 0:20.000"
    )


def test_pictures_before_the_first_key_frame_are_cut_not_damaged() -> None:
    """Nor are those after it in the file that are shown before it and need others."""
    in_file = np.concatenate([PICTURES[:38], PICTURES[40:41], PICTURES[38:40], PICTURES[41:]])
    track = flagged(packets(in_file), key=[38])
    found = damage_of("picture", track, decoded(PICTURES[40:]), FROM_ZERO)
    assert (found.count, found.cut) == (0, 38)
    assert found.cut_s == pytest.approx(1.52)
    check_damage([found], tolerate=1, where="film.ts")
    with pytest.raises(DamagedError, match="the first 38 of 1,000 pictures cannot be decoded"):
        check_damage([found], tolerate=0, where="film.ts")


def test_more_than_a_group_that_is_lacking_at_the_start_is_damage() -> None:
    """Groups of 50, and nothing came of the first two: no recording begins like that."""
    track = flagged(packets(PICTURES), key=list(range(100, 1000, 50)))
    found = damage_of("picture", track, decoded(PICTURES[100:]), FROM_ZERO)
    assert (found.count, found.cut) == (100, 0)
    with pytest.raises(DamagedError, match="100 of 1,000 pictures"):
        check_damage([found], tolerate=1, where="film.mp4")


def test_a_film_without_key_frames_of_which_nothing_comes_is_damaged() -> None:
    found = damage_of("picture", packets(PICTURES), decoded(PICTURES[:0]), FROM_ZERO)
    assert found.count == 1000


def test_a_hole_in_a_steady_film_is_made_of_lost_pictures() -> None:
    """60 of them, of which no packet is left either; screens may stand still."""
    left = np.concatenate([PICTURES[:400], PICTURES[460:]])
    track, frames = packets(left, key_every=50), decoded(left)
    found = damage_of("picture", track, frames, FROM_ZERO, is_steady=True)
    assert (found.count, found.places_s) == (60, (16.0,))
    assert found.longest_s == pytest.approx(2.4)
    assert damage_of("picture", track, frames, FROM_ZERO).count == 0


def test_places_are_those_of_the_film_when_clocks_jump() -> None:
    """Two pieces of 20 s with the same times; the error is in the second."""
    again = np.concatenate([PICTURES[:500], PICTURES[:500]]) + 1.4
    clock = Clock(start_s=1.4, jumps=(Jump(seen_s=-20.0, add_s=20.0),))
    found = damage_of("picture", packets(again, key_every=50), decoded(again, 600), clock)
    assert found.count == 1
    assert found.places_s == pytest.approx((24.0,))


def test_frames_without_times_are_counted() -> None:
    """Three packets of a raw stream gave nothing."""
    none = np.full(100, np.nan)
    clock = Clock(is_timeless=True)
    assert damage_of("picture", packets(none), decoded(none[:97]), clock).count == 3
    assert damage_of("picture", packets(none), decoded(none[:97], 4), clock).count == 4


def test_a_mark_of_the_container_alone_is_no_damage() -> None:
    """As where pieces were joined: it is said, and strict does not refuse it."""
    track = flagged(packets(PICTURES, key_every=50), corrupt=[500])
    found = damage_of("picture", track, decoded(PICTURES), FROM_ZERO)
    assert (found.count, found.marked) == (0, 1)
    assert ["decode without an error" in str(note) for note in damage_notes([found])] == [True]
    check_damage([found], tolerate=0, where="film.ts")


@pytest.mark.parametrize(
    ("count", "of", "longest_s", "tolerate", "passes"),
    [
        (25, 75, 0.2, 1, True),  # a third of a short clip, but 1 s in all
        (26, 75, 0.2, 1, False),
        (100, 10_000, 1.0, 1, True),  # 1 % of a long one
        (101, 10_000, 1.0, 1, False),
        (30, 10_000, 1.04, 1, False),  # more than 1 s in a row
        (30, 10_000, 1.04, 2, True),
        (1, 10_000, 0.04, 0, False),
        (9_000, 10_000, 300.0, 100, True),
    ],
)
def test_the_limit_is_a_share_a_time_in_all_and_a_time_in_a_row(
    count: int, of: int, longest_s: float, tolerate: float, passes: bool
) -> None:
    track = TrackDamage(
        what="picture", count=count, of=of, longest_s=longest_s, total_s=count * 0.04,
        places_s=(2.0,),
    )  # fmt: skip
    if passes:
        check_damage([track], tolerate=tolerate, where="in/film.ts")
        return
    with pytest.raises(DamagedError) as caught:
        check_damage([track], tolerate=tolerate, where="in/film.ts")
    assert str(caught.value).startswith(f"in/film.ts: damaged or cut off: {count:,} of {of:,}")
    assert "--tolerate 100" in str(caught.value)


def cut(track: TrackDamage, lacks_s: float) -> TrackDamage:
    return replace(track, is_cut_off=True, ends_s=40.0, lacks_s=lacks_s)


@pytest.mark.parametrize(
    ("lacks_s", "tolerate", "is_taken"),
    [(0.6, 1, True), (0.6, 0, False), (0.0, 0, False), (3.0, 1, False), (3.0, 100, True)],
)
def test_a_missing_end_is_judged_like_other_damage(
    lacks_s: float, tolerate: float, is_taken: bool
) -> None:
    whole = damage_of("picture", packets(PICTURES, key_every=50), decoded(PICTURES), FROM_ZERO)
    track = cut(whole, lacks_s)
    words = rf"its pictures end at 0:40\.000, {lacks_s:.2f} s or more before .*--tolerate"
    with contextlib.nullcontext() if is_taken else pytest.raises(DamagedError, match=words):
        check_damage([track], tolerate=tolerate, where="film.mp4")


def test_priming_that_a_decoder_drops_is_no_damage() -> None:
    times_s = np.arange(-1, 200) * 0.0213
    found = damage_of("sound", packets(times_s, lasts_s=0.0213), decoded(times_s[1:]), FROM_ZERO)
    assert found.count == 0
