"""Mean lengths of the M/D/1/K queue against closed forms and published tables."""

from __future__ import annotations

import math

import numpy as np
import pytest

from abr.queueing import mean_length


def length(load: float, room: int) -> float:
    return mean_length(load, room, np.zeros(1000), np.zeros(33))


@pytest.mark.parametrize("load", [0.1, 0.5, 0.8])
def test_with_much_room_it_is_the_queue_without_limit(load: float) -> None:
    """Pollaczek and Khinchine: load + load squared / (2 (1 - load))."""
    assert length(load, 400) == pytest.approx(load + load**2 / (2 * (1 - load)))


@pytest.mark.parametrize("load", [0.3, 1.0, 1.5])
def test_with_room_for_one_it_is_the_chance_of_being_busy(load: float) -> None:
    """Erlang's loss formula for one server, which holds for any service time."""
    assert length(load, 1) == pytest.approx(load / (1 + load))


def test_with_room_for_two_by_hand() -> None:
    """Load 1: left behind are 0 with chance 1/e and 1 otherwise; p_0 = 1 / (1 + e).

    p_1 = (e - 1) p_0 and p_2 = 1 - e p_0.
    """
    none = 1 / (1 + math.e)
    assert length(1.0, 2) == pytest.approx((math.e - 1) * none + 2 * (1 - math.e * none))


@pytest.mark.parametrize(
    ("room", "load", "slack"),
    [
        (30, 0.5, 29.25), (30, 0.6, 28.95), (30, 1.0, 14.9228), (30, 1.19, 2.78786),
        (60, 0.95, 50.1614), (60, 1.0, 29.92), (120, 1.0, 59.9193), (240, 1.01, 48.139),
    ],
)  # fmt: skip
def test_room_left_is_that_of_the_published_tables(room: int, load: float, slack: float) -> None:
    assert room - length(load, room) == pytest.approx(slack, abs=0.005)


def test_long_queues_are_nearly_full_under_load() -> None:
    assert 900 < length(1.2, 1000) < 1000
