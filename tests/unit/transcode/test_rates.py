"""The constant rate of a master comes from its pictures' times, and keeps every picture."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcode.masters.rates import pack, places_of, rate_of

Times = npt.NDArray[np.float64]
NTSC, FILM = Fraction(30000, 1001), Fraction(24000, 1001)
MS = 1e-3


def every(rate: float | Fraction, count: int, begin_s: float = 0.0) -> Times:
    return begin_s + np.arange(count) / float(rate)


def in_ms(times_s: Times) -> Times:
    return np.round(times_s, 3)


rng = np.random.default_rng(7)
SCREEN = np.concatenate([every(20, 20), every(20, 20, 3.0), every(20, 5, 9.0)])
WEBCAM = np.sort(every(30, 300) + rng.uniform(-0.01, 0.01, 300))
BROWSER = np.cumsum(rng.choice([0.033, 0.034, 0.033, 0.067, 0.2], 171))
FLASHES = np.concatenate([every(1, 10), every(20, 3, 10.0), every(1, 10, 11.0)])
KINDS: dict[str, tuple[Times, float, Fraction, bool]] = {
    # times, precision, rate, varies
    "25": (every(25, 75), MS, Fraction(25), False),
    "film, in ms": (in_ms(every(FILM, 72)), MS, FILM, False),
    "24, in ms": (in_ms(every(24, 72)), MS, Fraction(24), False),
    "NTSC, in ms": (in_ms(every(NTSC, 90)), MS, NTSC, False),
    "59.94, in ms": (in_ms(every(2 * NTSC, 180)), MS, 2 * NTSC, False),
    "240": (in_ms(every(240, 300)), MS, Fraction(240), False),
    "33 ms": (every(1 / 0.033, 100), MS, Fraction(1000, 33), False),
    "two a second": (every(2, 8), 0.01, Fraction(2), False),
    "a picture in ten seconds": (every(0.1, 5), MS, Fraction(1), False),
    "one picture": (np.array([0.0]), MS, Fraction(25), False),
    "some dropped": (np.delete(in_ms(every(30, 300)), [50, 51, 100, 150]), MS, Fraction(30), True),
    "a hole of two seconds": (
        np.concatenate([every(25, 44), every(25, 45, 4.3)]), MS, Fraction(25), False
    ),
    "idle screen": (SCREEN, MS, Fraction(20), True),
    "webcam": (in_ms(WEBCAM), MS, Fraction(30), True),
    "browser": (BROWSER, MS, NTSC, True),
    "pulldown by flags": (
        np.cumsum(np.tile([2.0, 3.0], 50)) * 1001 / 60000, 1 / 90000, FILM, True
    ),
    "delays of a GIF": (np.cumsum(np.tile([0.1, 0.1, 0.5, 2.0], 5)), 0.01, Fraction(10), True),
    "twice as fast later": (
        in_ms(np.concatenate([every(30, 90), every(60, 180, 3.0)])), MS, Fraction(60), True
    ),
    "24, then 30": (np.concatenate([every(24, 96), every(30, 120, 4.0)]), MS, Fraction(30), True),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_times_has_its_rate(kind: str) -> None:
    """And no picture is lost."""
    times_s, tick_s, rate, varies = KINDS[kind]
    found = rate_of(times_s, tick_s=tick_s)
    assert float(found.rate) == pytest.approx(float(rate), rel=2e-4)
    assert found.is_variable is varies
    assert found.lost == 0


def test_three_flashes_between_idle_pictures_are_kept() -> None:
    """The mean is 1.15 pictures a second; at that rate two of three would be lost."""
    found = rate_of(FLASHES, tick_s=MS)
    places = pack(places_of(FLASHES, found.rate, found.origin_s))
    assert len(set(places.tolist())) == len(FLASHES)
    assert np.abs(places / float(found.rate) - FLASHES).max() < 0.04


def test_a_rate_of_the_container_decides_what_times_cannot_tell() -> None:
    """Ten pictures in whole milliseconds: 24 and 23.976 a second look the same."""
    times_s = in_ms(every(24, 10))
    assert rate_of(times_s, tick_s=MS, hint=FILM).rate == FILM
    assert rate_of(times_s, tick_s=MS, hint=Fraction(24)).rate == 24
    assert rate_of(times_s, tick_s=MS, hint=Fraction(1000)).rate == 24


def test_a_first_picture_that_stands_longer_does_not_shift_the_others() -> None:
    """0.061 s, then 25 a second: all others lie on a place, not between two."""
    times_s = np.concatenate([[0.0], every(25, 74, 0.061)])
    found = rate_of(times_s, tick_s=MS)
    assert (found.rate, found.is_variable) == (Fraction(25), False)
    off = (times_s[1:] - found.origin_s) * 25
    assert np.abs(off - np.rint(off)).max() < 0.01


def test_pictures_that_share_a_place_take_the_next_one() -> None:
    """And no later one than that: the third of three within a frame has none."""
    assert pack(np.array([0, 1, 1, 3, 4])).tolist() == [0, 1, 2, 3, 4]
    assert pack(np.array([0, 0, 0, 1])).tolist() == [0, 1, 1, 2]


@given(st.lists(st.floats(0, 20), min_size=1, max_size=60))
def test_any_times_have_a_rate_within_limits(times: list[float]) -> None:
    found = rate_of(np.sort(np.array(times)), tick_s=MS)
    assert 1 <= found.rate <= 10_000
    assert 0 <= found.lost < len(times)


@pytest.mark.parametrize("burst", [False, True])
def test_pictures_a_tick_apart_are_no_rate_of_thousands(burst: bool) -> None:
    """As muxers repair equal times: every second picture, or hundreds at the start."""
    tick_s = 1 / 12800
    pairs = np.repeat(np.arange(200) * 0.04, 2) + np.tile([0, tick_s], 200)
    start = np.append(np.arange(300) * tick_s, 1 + np.arange(100) * 0.04)
    found = rate_of(start if burst else pairs, tick_s=tick_s)
    assert 25 <= found.rate <= 240


@pytest.mark.parametrize("at", [0, 100, 300])
@pytest.mark.parametrize("later_s", [0.001, -0.001, 0.011])
def test_a_stray_picture_does_not_move_all_that_follow(at: int, later_s: float) -> None:
    regular = np.arange(500) * 0.04
    found = rate_of(np.sort(np.append(regular, regular[at] + later_s)), tick_s=0.001)
    assert (int(found.rate), found.moved, found.lost, found.strays) == (25, 0, 0, 1)


def test_a_rate_that_is_a_little_too_low_leaves_no_picture_out() -> None:
    """24 a second, then 30: at 29.97 one of a thousand would share a place."""
    times_s = np.concatenate([np.arange(240) / 24, 10 + 1 / 60 + np.arange(3000) / 30])
    found = rate_of(np.round(times_s, 6), tick_s=1 / 90000)
    assert (int(found.rate * 100), found.lost, found.strays) == (3000, 0, 0)
