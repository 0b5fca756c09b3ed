"""The best plan over a known network: exact where it can be tried, bounded where it cannot."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from abr.capacity import End
from abr.link import SharedLink
from abr.media import FloatArray, Presentation, SideFiles, frozen_array
from abr.planning.model import (
    KnownLink,
    Problem,
    Weights,
    arrival_s,
    known_link,
    problem_of,
    score_of,
)
from abr.planning.search import best_plan, upper_bound
from abr.trace import Trace

WEIGHTS = Weights(4.3, 4.3, 1.0)


def network(seed: int, most_bps: float, *, end: End = "loop") -> Trace:
    """Forty periods of seconds, a tenth of them outages."""
    rng = np.random.default_rng(seed)
    return Trace.from_periods(
        [
            (rng.uniform(1, 6), rng.uniform(0.2e6, most_bps) * float(rng.random() > 0.1))
            for _ in range(40)
        ],
        end=end,
    )


def presentation(
    seed: int,
    rungs: int,
    segments: int,
    *,
    has_audio: bool = False,
    has_side_files: bool = False,
) -> Presentation:
    rng = np.random.default_rng(100 + seed)
    rates = np.sort(rng.uniform(0.3e6, 5e6, rungs))
    sizes = rates[:, None] / 2 * rng.uniform(0.6, 1.6, (rungs, segments))
    return Presentation(
        bitrates_bps=rates,
        sizes_bytes=sizes,
        durations_s=np.full(segments, 4.0),
        audio_sizes_bytes=rng.uniform(3e4, 9e4, segments) if has_audio else None,
        side_files=side_files(rates, sizes) if has_side_files else None,
    )


def side_files(rates: FloatArray, sizes: FloatArray) -> SideFiles:
    """Playlists so large that to play another rung is a thing to consider."""
    return SideFiles(
        multivariant_bytes=900.0,
        listed_sizes_bytes=sizes,
        listed_rates_bps=rates,
        playlist_bytes=np.full(len(rates), 40_000.0),
        init_bytes=np.full(len(rates), 800.0),
        audio_playlist_bytes=4000.0,
        keys=frozen_array(np.arange(sizes.shape[1]) // 2),
    )


def link_of(trace: Trace, *, overhead_bytes: float = 700.0, server_s: float = 0.004) -> KnownLink:
    return known_link(trace, rtt_s=0.04, overhead_bytes=overhead_bytes, server_s=server_s)


def problem(shown: Presentation, trace: Trace, max_buffer_s: float) -> Problem:
    return problem_of(
        shown,
        trace,
        rtt_s=0.04,
        overhead_bytes=700.0,
        server_s=0.004,
        weights=WEIGHTS,
        max_buffer_s=max_buffer_s,
    )


@pytest.mark.parametrize("end", ["loop", "hold", "end"])
def test_segments_arrive_as_over_a_link_of_the_simulator(end: End) -> None:
    """To the last bit, also passes later, and never where that says never."""
    trace = network(1, 3e6, end=end)
    for t_s in np.linspace(0, 3 * trace.duration_s, 301).tolist():
        shared = SharedLink(trace, rtt_s=0.04, overhead_bytes=700.0, server_s=0.004)
        shared.request(0, 1e5, t_s)
        begin_s = shared.next_event_s()
        shared.advance(begin_s)
        assert arrival_s(link_of(trace), t_s, 1e5, True, 0) == shared.next_event_s()


def test_the_first_request_takes_two_round_trips() -> None:
    """0.1 + 0.1 + 0.01 s, then 1000 + 250 bytes at 1 Mbit/s: 0.01 s."""
    link = known_link(Trace.constant(1e6), rtt_s=0.1, overhead_bytes=250.0, server_s=0.01)
    assert arrival_s(link, 0.0, 1000.0, True, 0) == pytest.approx(0.22)
    assert arrival_s(link, 5.0, 1000.0, False, 0) == pytest.approx(5.12)


def test_audio_is_asked_for_when_the_video_is_here() -> None:
    """Two segments of 1 Mbit and audio of half a megabit at 1 Mbit/s; 0.1 s a round trip."""
    shown = Presentation(
        bitrates_bps=np.array([1e6]),
        sizes_bytes=np.full((1, 2), 125_000.0),
        durations_s=np.ones(2),
        audio_sizes_bytes=np.full(2, 62_500.0),
    )
    known = problem_of(
        shown,
        Trace.constant(1e6),
        rtt_s=0.1,
        overhead_bytes=0.0,
        server_s=0.0,
        weights=WEIGHTS,
        max_buffer_s=30.0,
    )
    assert known.first_s == pytest.approx([1.8])  # 0.2 + 1 + 0.1 + 0.5
    # The second is here 1.7 s later, and was due after 1 s.
    assert score_of(np.zeros(2), known) == pytest.approx(2 - 4.3 * (1.8 + 0.7))


def brute(shown: Presentation, trace: Trace, max_buffer_s: float) -> float:
    """The best score of all plans, by trying each."""
    known = problem(shown, trace, max_buffer_s)
    plans = itertools.product(range(shown.rungs), repeat=shown.segments)
    return max(score_of(np.array(plan, dtype=np.float64), known) for plan in plans)


def searched(
    shown: Presentation, trace: Trace, max_buffer_s: float, width: int
) -> tuple[FloatArray, float, float]:
    """Plan, score and bound."""
    known = problem(shown, trace, max_buffer_s)
    plan, score = best_plan(known, width)
    assert score == pytest.approx(score_of(plan, known), rel=1e-12, abs=1e-9)
    return plan, score, upper_bound(known, width, score)


@pytest.mark.parametrize("seed", range(12))
def test_on_small_presentations_the_plan_is_the_best_of_all(seed: int) -> None:
    """3 rungs and 6 segments, 729 plans, with and without a tight buffer, and audio."""
    shown = presentation(seed, 3, 6, has_audio=seed % 2 == 1)
    trace = network(seed, (1e6, 3e6, 9e6)[seed % 3])
    for max_buffer_s in (9.0, 60.0):
        _, score, bound = searched(shown, trace, max_buffer_s, 64)
        best = brute(shown, trace, max_buffer_s)
        assert score == pytest.approx(best, abs=1e-9)
        assert bound >= best - 1e-9


@pytest.mark.parametrize("seed", range(6))
def test_with_side_files_the_bound_is_above_all_and_the_plan_hardly_below(seed: int) -> None:
    """A plan that is dropped may have had a playlist that the better one still needs."""
    shown = presentation(seed, 3, 6, has_audio=seed % 2 == 1, has_side_files=True)
    trace = network(seed, (1e6, 3e6, 9e6)[seed % 3])
    for max_buffer_s in (9.0, 60.0):
        _, score, bound = searched(shown, trace, max_buffer_s, 64)
        best = brute(shown, trace, max_buffer_s)
        assert best - 1.0 <= score <= best + 1e-9 <= bound + 2e-9


@pytest.mark.parametrize("has_more", [False, True])
def test_on_a_long_presentation_the_bound_is_above_every_plan(has_more: bool) -> None:
    """With audio and side files too."""
    shown = presentation(1, 4, 30, has_audio=has_more, has_side_files=has_more)
    trace = network(2, 5e6)
    _, score, bound = searched(shown, trace, 30.0, 40)
    rng = np.random.default_rng(3)
    known = problem(shown, trace, 30.0)
    some = [score_of(rng.integers(0, 4, 30).astype(np.float64), known) for _ in range(200)]
    assert max(some) <= score <= bound


def test_over_a_link_that_ends_a_plan_is_still_given() -> None:
    """What never arrives counts as arriving in a billion seconds."""
    plan, score, bound = searched(presentation(0, 3, 4), Trace.constant(1.0), 30.0, 10)
    assert len(plan) == 4
    assert score <= bound
    ends = Trace.from_periods([(1.0, 1e3)], end="end")
    for has_audio in (False, True):
        known = problem(presentation(0, 3, 4, has_audio=has_audio), ends, 30.0)
        plan, score = best_plan(known, 10)
        assert score == pytest.approx(score_of(plan, known), rel=1e-12)
