"""``puffer-mpc`` against the recursion that its source writes down, and by hand."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

from abr.algorithms import puffer_mpc
from abr.decision import Download, Observation, begin
from abr.media import Presentation
from tests.fakes.observations import PRESENTATION, make_download, seen


def by_recursion(
    looked: Observation, horizon: int = 10, bins: int = 100, worst: float = 0.0
) -> int:
    """The first of the best rungs, by the definition of the value of a place."""
    unit_s = looked.max_buffer_s / bins
    done = looked.downloads
    pace: list[float] = ((done.end_s - done.start_s) / done.size_bytes)[-5:].tolist()
    known = len(pace)
    depth = min(horizon, len(looked.durations_s) - looked.segment)
    for d in range(depth):
        pace.append(sum(pace[d : d + known]) / known * (1 + worst))
    quality_db: list[float] = (10 * np.log10(looked.ladder_bps)).tolist()
    rungs = range(len(quality_db))

    def step(buffer_s: float) -> int:
        return min(bins, int((buffer_s + unit_s * 0.5) / unit_s))

    def utility(d: int, at: int, before: int, rung: int) -> float:
        time_s = float(looked.sizes_bytes[rung, looked.segment + d]) * pace[known + d]
        lacking_s = time_s - at * unit_s
        after = step(max(0.0, -lacking_s) + looked.durations_s[looked.segment + d])
        change = abs(quality_db[before] - quality_db[rung])
        return quality_db[before] - change - 20 * max(0.0, lacking_s) + value(d + 1, after, rung)

    @functools.cache
    def value(d: int, at: int, before: int) -> float:
        if d == depth:
            return quality_db[before]
        return max(utility(d, at, before, rung) for rung in rungs)

    at = step(looked.buffer_s)
    utilities = [utility(0, at, looked.last_rung, rung) for rung in rungs]
    return utilities.index(max(utilities))


def asked(rng: np.random.Generator) -> tuple[Presentation, Observation]:
    rates = np.array([0.3e6, 0.75e6, 1.2e6, 1.85e6, 2.85e6])
    sizes = np.outer(rates / 8 * 2, rng.uniform(0.6, 1.4, 14))
    presentation = Presentation(bitrates_bps=rates, sizes_bytes=sizes, durations_s=np.full(14, 2.0))
    pace_bps = 10 ** rng.uniform(5.3, 6.8)
    downloads = [
        Download(i, 0, 5e4, 0.0, 0.0, 4e5 / pace_bps * rng.uniform(0.5, 2))
        for i in range(int(rng.integers(1, 8)))
    ]
    return presentation, seen(
        float(rng.uniform(0, 15)),
        presentation=presentation,
        segment=int(rng.integers(1, 14)),
        max_buffer_s=15.0,
        last_rung=int(rng.integers(5)),
        downloads=downloads,
    )


@pytest.mark.parametrize("seed", range(20))
def test_it_decides_as_the_recursion(seed: int) -> None:
    presentation, looked = asked(np.random.default_rng(seed))
    assert begin(puffer_mpc.make(), presentation).choose(looked).rung == by_recursion(looked)


def test_places_of_an_earlier_question_are_forgotten() -> None:
    rng = np.random.default_rng(1)
    presentation, first = asked(rng)
    running = begin(puffer_mpc.make(), presentation)
    for other in [first, *(asked(rng)[1] for _ in range(5))]:
        looked = other._replace(sizes_bytes=presentation.sizes_bytes)
        assert running.choose(looked).rung == by_recursion(looked)


def test_the_robust_form_stretches_predictions_by_the_largest_error() -> None:
    """Predicted 8 and measured 4 Mbit/s: |1 - 2| = 1; a mean of 0.1875 s per Mbit doubles."""
    running = begin(puffer_mpc.make(robust=True), PRESENTATION)
    first, second = make_download(8e6, end_s=90.0), make_download(4e6)
    running.delivered(seen(), first)
    running.choose(seen(downloads=[first]))
    running.delivered(seen(), second)
    for buffer_s in (3.0, 6.0, 9.0, 14.0):
        looked = seen(buffer_s, max_buffer_s=15.0, last_rung=2, downloads=[first, second])
        assert running.choose(looked).rung == by_recursion(looked, worst=1.0)


def test_one_segment_by_hand() -> None:
    """The last segment, 16 Mbit at 4 Mbit/s in 4 s, 32 Mbit in 8 s; 3.01 dB between rungs.

    With 8 s ready going up wins what it costs, and the first of equals counts; ``last_rung``
    is the first that costs nothing.
    """
    looked = seen(8.0, segment=99, last_rung=2, downloads=[make_download(4e6)])
    assert begin(puffer_mpc.make(), PRESENTATION).choose(looked).rung == by_recursion(looked)
    short = seen(4.0, segment=99, last_rung=3, downloads=[make_download(4e6)])
    assert begin(puffer_mpc.make(), PRESENTATION).choose(short).rung == 2
    assert math.log10(2) * 10 * 2 < 20 * 4


def test_before_the_first_download_everything_is_dear() -> None:
    decision = begin(puffer_mpc.make(), PRESENTATION).choose(seen(0.0, segment=0, last_rung=-1))
    assert (decision.rung, decision.reason) == (0, 0)


def test_parameters_are_checked() -> None:
    with pytest.raises(ValueError, match="horizon, window and bins"):
        puffer_mpc.make(bins=0)
