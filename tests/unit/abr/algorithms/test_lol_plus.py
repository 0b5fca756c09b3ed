"""LoL+, by hand; recorded decisions of dash.js's own code are in tests/golden."""

from __future__ import annotations

import math

import pytest

from abr.algorithms import lol_plus
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


def fresh(bps: float) -> RunningAlgorithm:
    """A playback after one download at ``bps``."""
    running = begin(lol_plus.make(), PRESENTATION)
    assert running.choose(seen(0, 0.0, -1)).rung == 1
    size = float(PRESENTATION.sizes_bytes[1, 0])
    running.delivered(seen(1, 4.0, 1), Download(0, 1, size, 99.9, 100.0, 100.0 + 8 * size / bps))
    return running


def test_the_nearest_rung_that_stays_below_the_throughput_is_taken() -> None:
    """0.9 x 3.2 = 2.88 Mbit/s is nearest to 3.0, which is too much; 1.5 is next."""
    answer = fresh(3.2e6).choose(seen(1, 20.0, 1))
    assert answer.rung == 2
    assert fresh(3.4e6).choose(seen(1, 20.0, 1)).rung == 3


def test_a_low_buffer_goes_down_to_what_the_throughput_carries() -> None:
    """At 0.9 x 2 Mbit/s a segment of 3.0 takes 6.67 s; of 6.9 s of buffer that leaves 0.23."""
    running = fresh(2e6)
    answer = running.choose(seen(1, 6.9, 3))
    assert (answer.rung, running.reasons[answer.reason]) == (2, "low buffer")
    assert running.reasons[running.choose(seen(1, 7.0, 3)).reason] == "nearest"


def test_a_low_buffer_at_the_lowest_rung_changes_nothing() -> None:
    assert fresh(1e5).choose(seen(1, 2.0, 0)).rung == 0


def test_the_neurons_of_the_old_and_the_new_rung_move() -> None:
    """Rung 1 to 3 at 0.9 x 4 = 3.6 Mbit/s: each goes a hundredth of its way.

    The first to move is the old rung's, of (0.75, 0) towards (3.6, 3.0 - 0.75); each
    neighbour by the bell of its distance. Rung 4, 5.25 of 6.95 away, stays where it was.
    """
    rule = lol_plus.make()
    state = rule.start(rule.params, PRESENTATION.bitrates_bps, PRESENTATION.durations_s)
    norm = math.sqrt(sum(rate**2 for rate in RATES))
    before = state.carried.copy()
    lol_plus._learn(rule.params, state, 1, 3.6e6 / norm, 2.25e6 / norm)
    assert state.carried[1] * norm == pytest.approx(750e3 + 0.01 * 2.85e6)
    assert state.switched[1] * norm == pytest.approx(0.01 * 2.25e6)
    assert state.carried[4] == pytest.approx(before[4], abs=1e-12)
    near = math.exp(-((450e3 / norm) ** 2) / 0.02)
    assert state.carried[0] * norm == pytest.approx(300e3 + 0.01 * near * 3.3e6)


def test_it_conforms() -> None:
    assert check_algorithm(lol_plus.make).decisions > 1000


@pytest.mark.parametrize("wrong", [{"neighbourhood": 0.0}, {"half_life_slow_s": 0.0}])
def test_parameters_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        lol_plus.make(**wrong)
