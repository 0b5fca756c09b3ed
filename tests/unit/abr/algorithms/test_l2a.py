"""L2A-LL, by hand; recorded decisions of dash.js's own code are in tests/golden."""

from __future__ import annotations

import numpy as np
import pytest

from abr.algorithms import l2a
from abr.checks import check_algorithm
from abr.decision import Download, Observation, RunningAlgorithm, begin, downloads_from
from abr.media import constant_presentation

RATES = (300e3, 750e3, 1500e3, 3000e3, 6000e3)
PRESENTATION = constant_presentation(RATES, segments=40, segment_s=4.0)


def seen(segment: int, buffer_s: float, last_rung: int) -> Observation:
    return Observation(
        100.0, segment, buffer_s, 30.0, last_rung, segment > 0,
        PRESENTATION.bitrates_bps, PRESENTATION.sizes_bytes, PRESENTATION.durations_s,
        downloads_from([]),
    )  # fmt: skip


def arrive(running: RunningAlgorithm, rung: int, bps: float) -> None:
    size = float(PRESENTATION.sizes_bytes[rung, 0])
    end_s = 100.0 + 8 * size / bps
    running.delivered(seen(1, 4.0, rung), Download(0, rung, size, 99.9, 100.0, end_s))


def test_the_first_rung_is_the_highest_within_one_megabit() -> None:
    assert begin(l2a.make(), PRESENTATION).choose(seen(0, 0.0, -1)).rung == 1


def test_throughput_decides_until_there_is_a_buffer() -> None:
    """0.9 x 1.8 Mbit/s carries 1.5."""
    running = begin(l2a.make(), PRESENTATION)
    for buffer_s in (1.4, 1.4, 1.5):
        arrive(running, 1, 1.8e6)
        answer = running.choose(seen(1, buffer_s, 1))
        assert (answer.rung, running.reasons[answer.reason]) == (2, "throughput")
    arrive(running, 2, 1.8e6)
    assert running.reasons[running.choose(seen(2, 4.0, 2)).reason] == "learnt"


def test_the_first_step_moves_weight_to_what_the_throughput_carries() -> None:
    """Segments of 4 s, 2 Mbit/s, all weight on 1.5: caution and multiplier are 4^0.99 = 3.945.

    alpha = 2 x 3.945, so each rung moves by 4 / (4 x 3.945) x 2 x 3.945 = 2 loads: +0.3, +0.75,
    1 + 1.5, -3, -6. Taking off 1.5 leaves (0, 0, 1, 0, 0): 1.5 Mbit/s, the same rung.
    """
    running = begin(l2a.make(), PRESENTATION)
    arrive(running, 2, 2e6)
    assert running.choose(seen(1, 4.0, 2)).rung == 2
    arrive(running, 2, 2e6)
    assert running.choose(seen(2, 4.0, 2)).rung == 2


def test_without_a_new_download_there_is_no_step() -> None:
    running = begin(l2a.make(), PRESENTATION)
    arrive(running, 2, 2e6)
    running.choose(seen(1, 4.0, 2))
    answer = running.choose(seen(1, 4.0, 3))
    assert (answer.rung, running.reasons[answer.reason]) == (3, "stays")


def test_projection_sums_to_one_without_going_below_zero() -> None:
    """(0.3, 0.75, 2.5, -3, -6): 1.5 off; (0.5, 0.7): 0.1 off each; (0.2,): -0.8 off."""
    for values, excess in (
        ([0.3, 0.75, 2.5, -3, -6], 1.5),
        ([0.5, 0.7], 0.1),
        ([0.2], -0.8),
        ([1.0, 0.5, 0.25], 0.25),
    ):
        row = np.array(values)
        got = l2a._excess(row, np.zeros(len(row)))
        assert got == pytest.approx(excess)
        assert np.maximum(row - got, 0).sum() == pytest.approx(1)


def test_it_conforms() -> None:
    assert check_algorithm(l2a.make).decisions > 1000


@pytest.mark.parametrize("wrong", [{"horizon": 0.0}, {"half_life_slow_s": 0.0}])
def test_parameters_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        l2a.make(**wrong)
