"""dash.js's rules, by hand; recorded decisions of its own code are in tests/golden."""

from __future__ import annotations

import math

import pytest

from abr.algorithms import dashjs
from abr.checks import check_algorithm
from abr.decision import Download, Observation, Progress, RunningAlgorithm, begin, downloads_from
from abr.media import constant_presentation

RATES = (300e3, 750e3, 1500e3, 3000e3, 6000e3)
PRESENTATION = constant_presentation(RATES, segments=40, segment_s=4.0)


def seen(segment: int, buffer_s: float, last_rung: int, now_s: float = 100.0) -> Observation:
    return Observation(
        now_s, segment, buffer_s, 30.0, last_rung, segment > 0,
        PRESENTATION.bitrates_bps, PRESENTATION.sizes_bytes, PRESENTATION.durations_s,
        downloads_from([]),
    )  # fmt: skip


def arrive(running: RunningAlgorithm, segment: int, rung: int, bps: float, buffer_s: float) -> None:
    """A download at ``bps`` after which the buffer is ``buffer_s``."""
    size = float(PRESENTATION.sizes_bytes[rung, segment])
    end_s = 100.0 + 8 * size / bps
    download = Download(segment, rung, size, 99.9, 100.0, end_s)
    running.delivered(seen(segment + 1, buffer_s, rung, end_s), download)


def test_the_first_rung_is_the_highest_within_one_megabit() -> None:
    assert begin(dashjs.make(), PRESENTATION).choose(seen(0, 0.0, -1)).rung == 1


def test_throughput_decides_while_the_buffer_is_low() -> None:
    """0.9 x 3.4 Mbit/s = 3.06 carries 3.0; 0.9 x 3.3 = 2.97 does not."""
    for bps, rung in ((3.4e6, 3), (3.3e6, 2)):
        running = begin(dashjs.make(buffer_rule=False), PRESENTATION)
        arrive(running, 0, 0, bps, 4.0)
        answer = running.choose(seen(1, 4.0, 0))
        assert (answer.rung, running.reasons[answer.reason]) == (rung, "throughput")


def test_the_estimate_is_the_lower_of_two_means_in_whole_kilobits() -> None:
    """Samples of 1000 kbit/s for 2 s, then 4000 for 1 s: weights 3 and 1.5.

    Each mean starts at 0, keeps 0.5^(weight / half-life) of itself, and is divided by what
    all weights so far would have filled.
    """
    estimate = dashjs.throughput_start(3.0, 8.0)
    assert math.isnan(dashjs.average_kbps(estimate))
    dashjs.throughput_add(estimate, Download(0, 0, 250e3, 0.0, 1.0, 3.0))
    assert dashjs.average_kbps(estimate) == 1000
    dashjs.throughput_add(estimate, Download(1, 0, 500e3, 3.0, 4.0, 5.0))
    fast, slow = (
        (1000 * (1 - 0.5 ** (3 / h)) * 0.5 ** (1.5 / h) + 4000 * (1 - 0.5 ** (1.5 / h)))
        / (1 - 0.5 ** (4.5 / h))
        for h in (3.0, 8.0)
    )
    assert slow < fast
    assert dashjs.average_kbps(estimate) == round(slow)
    assert estimate.last_kbps[0] == 4000


def test_a_download_without_duration_says_nothing() -> None:
    estimate = dashjs.throughput_start(3.0, 8.0)
    dashjs.throughput_add(estimate, Download(0, 0, 250e3, 0.0, 1.0, 1.0))
    assert math.isnan(dashjs.average_kbps(estimate))


def test_insufficient_buffer_caps_from_the_third_segment_on() -> None:
    """0.7 x 4 Mbit/s x 2 s / 4 s = 1.4 Mbit/s carries 750 kbit/s."""
    running = begin(dashjs.make(), PRESENTATION)
    arrive(running, 0, 1, 4e6, 4.0)
    assert running.choose(seen(1, 4.0, 1)).rung == 3
    arrive(running, 1, 3, 4e6, 4.0)
    answer = running.choose(seen(2, 2.0, 3))
    assert (answer.rung, running.reasons[answer.reason]) == (1, "insufficient buffer")


def test_bola_takes_over_at_twelve_seconds_and_hands_back_below_six() -> None:
    running = begin(dashjs.make(), PRESENTATION)
    arrive(running, 0, 1, 4e6, 12.0)
    assert running.reasons[running.choose(seen(1, 12.0, 1)).reason] == "BOLA"
    assert running.reasons[running.choose(seen(2, 6.0, 3)).reason] == "BOLA"
    assert running.reasons[running.choose(seen(3, 5.9, 3)).reason] == "throughput"


def test_a_slow_download_is_abandoned_once_and_nothing_goes_up_for_ten_seconds() -> None:
    """After 1 s, 100 kB of 1.5 MB: 800 kbit/s, 15 s for the whole; 750 kbit/s is smaller."""
    running = begin(dashjs.make(), PRESENTATION)
    arrive(running, 0, 1, 4e6, 4.0)
    now = seen(1, 4.0, 3, 101.1)
    size = float(PRESENTATION.sizes_bytes[3, 1])
    early = Progress(100.6, 1, 3, size, 50e3, 100.0, 100.1, 3.4)
    assert running.reconsider(now, early) is None
    slow = Progress(101.1, 1, 3, size, 100e3, 100.0, 100.1, 3.0)
    answer = running.reconsider(now, slow)
    assert answer is not None
    assert answer.rung == 1
    assert running.reconsider(now, slow) is None
    arrive(running, 1, 1, 40e6, 7.0)
    assert running.choose(seen(2, 7.0, 1, 111.0)).rung == 1
    assert running.choose(seen(2, 7.0, 1, 111.2)).rung > 1


def test_an_empty_buffer_asks_for_the_lowest() -> None:
    running = begin(dashjs.make(), PRESENTATION)
    arrive(running, 0, 1, 4e6, 4.0)
    arrive(running, 1, 1, 4e6, 4.0)
    assert running.choose(seen(2, 0.2, 1)).rung == 0


def test_one_rung_leaves_no_choice() -> None:
    presentation = constant_presentation((900e3,), segments=3, segment_s=4.0)
    asked = seen(1, 20.0, 0)._replace(
        ladder_bps=presentation.bitrates_bps, sizes_bytes=presentation.sizes_bytes
    )
    assert begin(dashjs.make(), presentation).choose(asked).rung == 0


def test_it_conforms() -> None:
    assert check_algorithm(dashjs.make).decisions > 1000


@pytest.mark.parametrize("wrong", [{"safety": 0.0}, {"history_size": 0}, {"buffer_time_s": 0.0}])
def test_parameters_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        dashjs.make(**wrong)
