"""Marks in small pictures: where a capture lies in the film, and which variant it shows."""

from __future__ import annotations

import numpy as np
import pytest

from transcode.watermark.aligning import (
    COLUMNS,
    ROWS,
    Pictures,
    coarse,
    mark_of,
    place_of,
    shifted,
)
from transcode.watermark.commands import digest_arguments, digests_in, picture_arguments

RNG = np.random.default_rng(4)


def film(frames: int, seed: int = 1) -> Pictures:
    """Something that moves: soft blobs that change from frame to frame."""
    rng = np.random.default_rng(seed)
    waves = rng.uniform(0.02, 0.3, (12, 2))
    speed, phase = rng.uniform(0.03, 0.4, 12), rng.uniform(0, 6, 12)
    y, x = np.mgrid[0:ROWS, 0:COLUMNS]
    times = np.arange(frames)[:, None, None]
    found = 120.0 + sum(
        10 * np.sin(a * x + b * y + s * times * (1 + 0.2 * np.sin(times / 17)) + p)
        for (a, b), s, p in zip(waves, speed, phase, strict=True)
    )
    pictures: Pictures = found.reshape(frames, -1).astype(np.float32)
    return pictures


def noisy(pictures: Pictures, level: float) -> Pictures:
    noise = RNG.normal(0, level, pictures.shape).astype(np.float32)
    changed: Pictures = pictures + noise
    return changed


@pytest.mark.parametrize("first", [0, 33, 400])
def test_a_capture_is_found_in_the_film_to_the_frame(first: int) -> None:
    whole = film(600)
    capture = np.float32(1.1) * noisy(whole[first : first + 150], 3.0) + np.float32(7)
    place = place_of(coarse(capture), coarse(whole))
    assert place.is_sure
    assert place.frame == first


def test_a_capture_that_begins_before_the_film_is_found_too() -> None:
    whole = film(300)
    before = film(40, seed=9)
    place = place_of(coarse(np.concatenate([before, whole[:120]])), coarse(whole))
    assert place.is_sure
    assert place.frame == -40


def test_a_film_that_repeats_itself_is_found_by_its_pictures() -> None:
    part = film(100)
    whole = np.concatenate([part + np.float32(8) * film(1, seed=n) / 100 for n in range(6)])
    capture = noisy(whole[230:330], 2.0)
    place = place_of(coarse(capture), coarse(whole))
    assert place.is_sure
    assert place.frame == 230


def test_another_film_and_a_still_are_not_found() -> None:
    whole = film(600)
    assert not place_of(coarse(film(150, seed=5)), coarse(whole)).is_sure
    still = np.repeat(film(1, seed=6), 100, axis=0)
    assert not place_of(coarse(still), coarse(whole)).is_sure


def mark() -> Pictures:
    cells = np.repeat(np.repeat(RNG.choice([-1.0, 1.0], (9, 16)), 4, axis=0), 4, axis=1)
    found: Pictures = cells.reshape(1, -1).astype(np.float32)
    return found


@pytest.mark.parametrize("bit", [0, 1])
def test_a_mark_is_read_under_noise_four_times_its_size_and_another_contrast(bit: int) -> None:
    plain, own = film(48), mark()
    one, other = plain + own, plain - own
    capture = np.float32(0.9) * noisy((one, other)[bit], 4.0) + np.float32(5)
    found = mark_of(capture, noisy(one, 0.3), noisy(other, 0.3))
    assert found.bit == bit
    assert abs(found.share) == pytest.approx(0.9, abs=0.15)


def test_no_mark_is_found_where_there_is_none() -> None:
    plain, own = film(48), mark()
    found = [mark_of(noisy(plain, 2.0), plain + own, plain - own).bit for _ in range(40)]
    assert found.count(None) >= 38  # one of 230 at the chosen strength
    assert mark_of(plain, plain, plain).bit is None


def test_a_segment_is_found_a_few_frames_off() -> None:
    whole = film(200)
    for off in (-3, -1, 0, 2):
        assert shifted(noisy(whole, 1.0), 100 - off, whole[100:148]) == off


def test_digests_are_read_without_those_of_side_data() -> None:
    listing = b"#format: frame checksums\n0, 0, 0, 512, 99, aa\n0, 1, 1, 512, 98, bb, S=1, 1, cc\n"
    assert digests_in(listing) == [b"aa", b"bb"]


def test_commands_read_nothing_but_the_capture() -> None:
    for command in (
        digest_arguments("avc1.64001f", "/x/a.mp4", "pipe:9", program="ffmpeg"),
        picture_arguments("/x/a.mp4", "pipe:9", program="ffmpeg"),
    ):
        at = command.index("-protocol_whitelist")
        assert command[at : at + 4] == ["-protocol_whitelist", "file", "-i", "file:/x/a.mp4"]
