"""What media playlists that were read tell of rungs whose own were not."""

from __future__ import annotations

import numpy as np
import pytest

from player.playback.sizes import fill_known_sizes, nearest_read


@pytest.mark.parametrize(
    ("rung", "read", "nearest"),
    [
        (2, 0b00100, 2),  # its own
        (2, 0b10001, 0),  # equally far: the lower
        (2, 0b11001, 3),
        (0, 0b10000, 4),
        (4, 0b00011, 1),
    ],
)
def test_the_nearest_rung_that_was_read(rung: int, read: int, nearest: int) -> None:
    assert nearest_read(rung, 5, read) == nearest


def test_sizes_are_scaled_by_the_rates_of_the_ladder() -> None:
    """Only rung 1 was read: rung 0 has half its rate, rung 2 three times."""
    known = np.zeros((3, 2))
    listed = np.array([[np.nan, np.nan], [100.0, 300.0], [np.nan, np.nan]])
    fill_known_sizes(known, listed, np.array([1e6, 2e6, 6e6]), 0b010)
    assert known.tolist() == [[50.0, 150.0], [100.0, 300.0], [300.0, 900.0]]


def test_a_playlist_that_arrives_later_replaces_the_guess() -> None:
    known = np.zeros((2, 1))
    listed, rates = np.array([[100.0], [250.0]]), np.array([1e6, 2e6])
    fill_known_sizes(known, listed, rates, 0b01)
    assert known.tolist() == [[100.0], [200.0]]
    fill_known_sizes(known, listed, rates, 0b11)
    assert known.tolist() == [[100.0], [250.0]]
