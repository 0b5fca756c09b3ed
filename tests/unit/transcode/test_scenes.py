"""Generated pictures and sound: the same everywhere, moving, cut, and in step."""

from __future__ import annotations

import hashlib
import itertools
from fractions import Fraction

import numpy as np
import pytest

from transcode.glyphs import draw_text
from transcode.scenes import SAMPLE_RATE, SceneSpec, pictures, sound

SMALL = SceneSpec(width=128, height=72, duration_s=6.0)


def test_every_byte_is_the_same_on_every_machine() -> None:
    """Sums over all frames and the whole sound; they move only when the master does."""
    seen = hashlib.sha256(b"".join(picture.tobytes() for picture in pictures(SMALL)))
    heard = hashlib.sha256(sound(SMALL))
    assert seen.hexdigest()[:16] == "4b85a6486b8b57a4"
    assert heard.hexdigest()[:16] == "1b35fabae7e8e48e"


def test_planes_have_the_shapes_of_yuv_420() -> None:
    picture = next(pictures(SMALL))
    assert picture.luma.shape == (72, 128)
    assert picture.blue.shape == picture.red.shape == (36, 64)
    assert len(picture.tobytes()) == 128 * 72 * 3 // 2


def test_every_frame_differs_from_the_one_before() -> None:
    frames = [picture.tobytes() for picture in pictures(SMALL)]
    assert len(frames) == 150
    assert all(one != other for one, other in itertools.pairwise(frames))


def test_scenes_begin_with_hard_cuts() -> None:
    """The change at a cut is larger than most changes, by far."""
    lumas = [picture.luma.astype(int) for picture in pictures(SMALL)]
    changes = [np.abs(b - a).mean() for a, b in itertools.pairwise(lumas)]
    assert len(SMALL.scene_starts) == 6
    for start in SMALL.scene_starts[1:]:
        assert changes[start - 1] > 3 * np.median(changes)


def test_flashes_and_tones_begin_together() -> None:
    """At each listed frame the corner turns white, and the sound turns loud within 1 ms."""
    corner = [int(picture.luma[-4, -4]) for picture in pictures(SMALL)]
    left = np.frombuffer(sound(SMALL), dtype="<i2")[::2].astype(int)
    for frame in SMALL.flashes:
        assert corner[frame] == corner[frame + 1] == 235
        at = round(frame / SMALL.frame_rate * SAMPLE_RATE)
        assert np.abs(left[at : at + 96]).max() > 8_000
        assert np.abs(left[max(0, at - 96) : at]).max(initial=0) < 2_000


def test_sound_is_as_long_as_the_pictures() -> None:
    odd = SceneSpec(width=64, height=36, duration_s=2.0, frame_rate=Fraction(30000, 1001))
    # 60 frames of 1001/30000 s at 48000 a second, 4 bytes each
    assert len(sound(odd)) == 4 * round(60 * 1001 / 30000 * 48_000)


@pytest.mark.parametrize(
    "changes", [{"width": 65}, {"height": 16}, {"duration_s": 0.0}, {"frame_rate": Fraction(500)}]
)
def test_a_master_that_cannot_be_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        SceneSpec(**changes)  # type: ignore[arg-type]  # a table of wrong values


@pytest.mark.parametrize(("left", "top"), [(0, 0), (-3, -4), (18, 10), (50, 3), (2, -20)])
def test_text_outside_the_page_is_left_out(left: int, top: int) -> None:
    page = np.zeros((12, 20), dtype=np.int32)
    draw_text(page, "A8?", left, top, size=2, level=9)
    assert set(np.unique(page)) <= {0, 9}


def test_a_letter_looks_like_itself() -> None:
    page = np.zeros((7, 5), dtype=np.int32)
    draw_text(page, "T", 0, 0, size=1, level=1)
    assert page.tolist() == [[1] * 5] + [[0, 0, 1, 0, 0]] * 6
