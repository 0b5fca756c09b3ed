"""Shaka Player's rule, by hand; recorded decisions of its own code are in tests/golden."""

from __future__ import annotations

import pytest

from abr.algorithms import shaka
from abr.checks import check_algorithm
from abr.decision import Download, Observation, RunningAlgorithm, begin, downloads_from
from abr.media import constant_presentation

RATES = (300e3, 750e3, 1500e3, 3000e3, 6000e3)
PRESENTATION = constant_presentation(RATES, segments=40, segment_s=4.0)


def seen(segment: int, now_s: float, last_rung: int) -> Observation:
    return Observation(
        now_s, segment, 8.0, 30.0, last_rung, segment > 0,
        PRESENTATION.bitrates_bps, PRESENTATION.sizes_bytes, PRESENTATION.durations_s,
        downloads_from([]),
    )  # fmt: skip


def arrive(running: RunningAlgorithm, end_s: float, bps: float, size: float = 4e5) -> None:
    """A download that ends then, at ``bps`` with its wait for the first byte."""
    start_s = end_s - 8 * size / bps
    running.delivered(seen(1, end_s, 1), Download(0, 1, size, start_s, start_s + 0.1, end_s))


def start_session(**params: float) -> RunningAlgorithm:
    running = begin(shaka.make(**params), PRESENTATION)
    assert running.choose(seen(0, 0.0, -1)).rung == 1
    return running


def test_the_first_rung_is_within_one_megabit() -> None:
    """750 / 0.95 = 789 <= 1000 < 1500 / 0.95."""
    start_session()


def test_the_first_128_kilobytes_bring_a_choice_at_once() -> None:
    running = start_session()
    arrive(running, 1.0, 4e6, size=127e3)
    assert running.choose(seen(1, 1.0, 1)).rung == 1
    arrive(running, 2.0, 4e6, size=16e3)
    assert running.choose(seen(2, 2.0, 1)).rung == 3


def test_later_choices_are_eight_seconds_apart() -> None:
    running = start_session()
    arrive(running, 1.0, 4e6)
    assert running.choose(seen(1, 1.0, 1)).rung == 3
    arrive(running, 8.9, 5e5)
    answer = running.choose(seen(2, 8.9, 3))
    assert (answer.rung, running.reasons[answer.reason]) == (3, "stays")
    arrive(running, 9.0, 5e5)
    answer = running.choose(seen(3, 9.0, 3))
    assert (answer.rung, running.reasons[answer.reason]) == (0, "chosen anew")


def test_a_rung_needs_095_of_the_estimate() -> None:
    """3.0 / 0.95 = 3.158 Mbit/s. What carries 0.85 more never matters: the ranges overlap."""
    for bps, rung in ((3.2e6, 3), (3.1e6, 2), (6.4e6, 4)):
        running = start_session()
        arrive(running, 1.0, bps)
        assert running.choose(seen(1, 1.0, 1)).rung == rung


def test_small_bodies_and_quick_downloads_are_not_sampled() -> None:
    for size, bps in ((15.9e3, 4e6), (4e5, 1e9)):
        running = start_session()
        for number in range(20):
            arrive(running, 1.0 + number, bps, size)
        assert running.choose(seen(1, 30.0, 1)).rung == 1


def test_it_conforms() -> None:
    assert check_algorithm(shaka.make).decisions > 1000


@pytest.mark.parametrize("wrong", [{"down_target": 0.0}, {"enough_bytes": 0.0}])
def test_parameters_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        shaka.make(**wrong)
