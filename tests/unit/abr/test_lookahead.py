"""The search of the MPC rules gives what going through all plans gives."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from abr.lookahead import Lookahead, best_rung, fill_horizon, lookahead_start
from abr.media import FloatArray, Presentation
from tests.fakes.observations import PRESENTATION, seen


def best_of_all(room: Lookahead, depth: int, buffer_s: float, last: int) -> int:
    """All plans in lexicographic order; the last of the best counts."""
    stall, switch = room.weights.tolist()
    kbps, download_s, media_s = room.kbps.tolist(), room.download_s.tolist(), room.media_s.tolist()
    answer, best = 0, float("-inf")
    for plan in itertools.product(range(len(kbps)), repeat=depth):
        buffer, stalled_s, rates, changes, before = buffer_s, 0.0, 0.0, 0.0, last
        for d, rung in enumerate(plan):
            if buffer < download_s[d][rung]:
                stalled_s += download_s[d][rung] - buffer
                buffer = 0.0
            else:
                buffer -= download_s[d][rung]
            buffer += media_s[d]
            rates += kbps[rung]
            changes += abs(kbps[rung] - kbps[before])
            before = rung
        utility = rates / 1000 - stall * stalled_s - switch * (changes / 1000)
        if utility >= best:
            answer, best = plan[0], utility
    return answer


def fill_workspace(
    ladder_kbps: list[int],
    download_s: FloatArray,
    media_s: FloatArray,
    stall: float = 4.3,
    switch: float = 1.0,
) -> Lookahead:
    room = lookahead_start(np.array(ladder_kbps) * 1e3, len(media_s), stall, switch)
    room.download_s[:] = download_s
    room.media_s[:] = media_s
    return room


@st.composite
def questions(draw: st.DrawFn) -> tuple[Lookahead, int, float, int]:
    """Ladders, sizes and buffers, round numbers among them, so that plans tie."""
    depth = draw(st.integers(1, 5))
    rungs = draw(st.integers(1, 6 if depth < 5 else 4))
    steps = draw(st.lists(st.integers(0, 20), min_size=rungs, max_size=rungs))
    ladder = (np.cumsum(steps) * 50 + 100).tolist()
    rate_mbps = draw(st.sampled_from([0.001, 0.3, 1.0, 1.7, 4.0, 60.0]))
    shape = draw(
        st.lists(st.sampled_from([0.5, 0.8, 1.0, 1.0, 1.3]), min_size=depth, max_size=depth)
    )
    times = np.outer(np.array(shape) * 4, np.array(ladder) / 1000) / rate_mbps
    if draw(st.booleans()):
        times = np.round(times)
    lasts = np.array(draw(st.lists(st.sampled_from([1.0, 4.0]), min_size=depth, max_size=depth)))
    buffer_s = draw(st.one_of(st.sampled_from([0.0, 4.0, 8.0, 60.0]), st.floats(0, 20)))
    last = draw(st.integers(0, rungs - 1))
    stall = draw(st.sampled_from([4.3, 4.3, 0.0, 1.0, 20.0]))
    switch = draw(st.sampled_from([1.0, 1.0, 0.0, 0.5, 3.0]))
    return fill_workspace(ladder, times, lasts, stall, switch), depth, buffer_s, last


@settings(max_examples=300, deadline=None)
@given(questions())
@example((fill_workspace([300], np.ones((1, 1)), np.ones(1)), 1, 0.0, 0))
def test_the_answer_is_that_of_all_plans(
    question: tuple[Lookahead, int, float, int],
) -> None:
    assert best_rung(*question) == best_of_all(*question)


def test_six_rungs_and_five_segments_as_in_the_paper() -> None:
    """40 of 7776 plans each, at rates around the ladder's, sizes varying."""
    rng = np.random.default_rng(1)
    ladder = [300, 750, 1200, 1850, 2850, 4300]
    for _ in range(40):
        rate_mbps = 10 ** rng.uniform(-0.7, 0.9)
        times = np.array(ladder) / 1000 * 4 * rng.uniform(0.6, 1.5, (5, 1)) / rate_mbps
        room = fill_workspace(ladder, times, np.full(5, 4.0))
        question = (room, 5, float(rng.uniform(0, 30)), int(rng.integers(6)))
        assert best_rung(*question) == best_of_all(*question)


def test_of_equal_plans_the_highest_rung_counts() -> None:
    """The last segment of a title, no stall in sight: going up wins what the change costs."""
    room = fill_workspace([1000, 2000, 4000], np.zeros((1, 3)), np.full(1, 4.0))
    assert best_rung(room, 1, 20.0, 1) == 2
    dearer = fill_workspace([1000, 2000, 4000], np.zeros((1, 3)), np.full(1, 4.0), switch=1.5)
    assert best_rung(dearer, 1, 20.0, 1) == 1


def test_one_workspace_answers_a_session() -> None:
    """What is kept from one search to the next changes no answer: 60 questions, few alike."""
    rng = np.random.default_rng(2)
    ladder = np.array([300, 750, 1200, 1850])
    room = lookahead_start(ladder * 1e3, 4, 4.3, 1.0)
    for _ in range(60):
        rate_mbps = 10 ** rng.uniform(-0.7, 1.2)
        room.download_s[:] = ladder / 1000 * 4 * rng.uniform(0.6, 1.5, (4, 1)) / rate_mbps
        room.media_s[:] = rng.choice([1.0, 4.0], 4)
        depth, last = int(rng.integers(1, 5)), int(rng.integers(4))
        question = (room, depth, float(rng.uniform(0, 12)), last)
        assert best_rung(*question) == best_of_all(*question)


def test_segments_are_looked_at_from_the_one_to_be_chosen() -> None:
    """8 bits a byte at 4 Mbit/s: a segment of 8 Mbit/s takes twice what it plays."""
    presentation = Presentation(
        bitrates_bps=PRESENTATION.bitrates_bps,
        sizes_bytes=PRESENTATION.sizes_bytes * np.arange(1, 101),
        durations_s=PRESENTATION.durations_s,
    )
    room = lookahead_start(presentation.bitrates_bps, 5, 4.3, 1.0)
    assert fill_horizon(room, seen(presentation=presentation, segment=0), 4e6, late=False) == 5
    assert room.download_s[:, 3].tolist() == [8, 16, 24, 32, 40]
    assert fill_horizon(room, seen(presentation=presentation, segment=97), 4e6, late=False) == 3
    assert room.download_s[:3, 0].tolist() == [98, 99, 100]


def test_late_sizes_are_those_of_the_segment_after_and_nothing_past_the_end() -> None:
    presentation = Presentation(
        bitrates_bps=PRESENTATION.bitrates_bps,
        sizes_bytes=PRESENTATION.sizes_bytes * np.arange(1, 101),
        durations_s=PRESENTATION.durations_s,
    )
    room = lookahead_start(presentation.bitrates_bps, 5, 4.3, 1.0)
    assert fill_horizon(room, seen(presentation=presentation, segment=97), 4e6, late=True) == 3
    assert room.download_s[:3, 0].tolist() == [99, 100, 0]


def test_late_sizes_are_read_past_the_last_segment_played_where_they_are_known() -> None:
    """The Pensieve family plays 48 segments of files with 49 rows."""
    sizes_bytes = PRESENTATION.sizes_bytes * np.arange(1, 101)
    looked = seen(presentation=PRESENTATION, segment=46)._replace(
        sizes_bytes=sizes_bytes[:, :49], durations_s=PRESENTATION.durations_s[:48]
    )
    room = lookahead_start(PRESENTATION.bitrates_bps, 5, 4.3, 1.0)
    assert fill_horizon(room, looked, 4e6, late=True) == 2
    assert room.download_s[:2, 0].tolist() == [48, 49]
