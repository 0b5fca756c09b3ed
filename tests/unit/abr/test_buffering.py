"""When the next segment fits the buffer."""

from __future__ import annotations

import pytest

from abr.buffering import room_at_s


@pytest.mark.parametrize(
    ("level_s", "next_s", "wait_s"),
    [
        (10.0, 4.0, -16.0),  # 16 s of room to spare
        (26.0, 4.0, 0.0),  # fits exactly
        (29.0, 4.0, 3.0),  # 33 s of 30: 3 s must be played first
        (2.0, 40.0, 2.0),  # never fits: fetched when the buffer is empty
    ],
)
def test_the_wait_is_what_is_over_the_limit(level_s: float, next_s: float, wait_s: float) -> None:
    assert room_at_s(level_s, next_s, 30.0) == wait_s


def test_times_of_day_work_like_levels() -> None:
    """The buffer runs out at 129 s, so its level is 29 s at 100 s."""
    assert room_at_s(129.0, 4.0, 30.0) == 103.0
