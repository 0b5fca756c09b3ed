"""The learned planner: what it does, worked out by hand where that is possible."""

from __future__ import annotations

import math

import pytest

from abr.algorithms.policy import WEIGHTS, Params, build_rule
from abr.checks import check_algorithm
from abr.decision import (
    Download,
    Observation,
    Progress,
    Rule,
    RunningAlgorithm,
    begin,
    downloads_from,
)
from abr.files.policies import read_bundled_policy
from abr.media import Presentation, constant_presentation
from tests.fakes import observations

PRESENTATION = constant_presentation((1e6, 2e6, 4e6), segments=10, segment_s=4.0)
SURE = {each.name: each.initial for each in WEIGHTS} | {
    "spread": 1e-6,
    "spread_errors": 1e-6,
    "first_error": 1e-6,
    "reserve_s": 1e-6,
    "last_down": 0.0,
    "last_up": 0.0,
    "to_slow": 0.0,
    "later_to_slow": 0.0,
    "stall": 1.0,
    "later_change": 1.0,
    "price_rate": 1e-9,
    "price_top": 1e-9,
}
"""One scenario in five: the network stays what it was."""


def seen(presentation: Presentation, segment: int, buffer_s: float, last_rung: int) -> Observation:
    return Observation(
        100.0,
        segment,
        buffer_s,
        30.0,
        last_rung,
        True,
        presentation.bitrates_bps,
        presentation.sizes_bytes,
        presentation.durations_s,
        downloads_from([]),
    )


def told(
    rule: Rule, mbps: float, count: int = 3, presentation: Presentation = PRESENTATION
) -> RunningAlgorithm:
    """A playback that has seen downloads at ``mbps``, waits of 0.1 s before each."""
    running = begin(rule, presentation)
    for k in range(count):
        done = Download(k, 0, 1e6, 10.0 * k, 10.0 * k + 0.1, 10.0 * k + 0.1 + 8 / mbps)
        running.delivered(seen(presentation, k, 10.0, 0), done)
    return running


def test_the_first_segment_is_of_the_lowest_rung() -> None:
    assert begin(build_rule(SURE), PRESENTATION).choose(seen(PRESENTATION, 0, 0.0, -1)).rung == 0


@pytest.mark.parametrize(
    ("mbps", "last_rung", "rung"),
    [
        # A segment at 4 Mbit/s takes 16 / 40 + 0.1 s of the 4 s it lasts: up at once.
        (40.0, 0, 2),
        (40.0, 2, 2),
        # At 2.2 Mbit/s the middle rung takes 3.74 s of 4, the highest 7.4.
        (2.2, 1, 1),
        # At 0.8 even the lowest takes 5.1 s: there is nothing lower.
        (0.8, 0, 0),
    ],
)
def test_a_network_that_stays_as_it_is(mbps: float, last_rung: int, rung: int) -> None:
    assert told(build_rule(SURE), mbps).choose(seen(PRESENTATION, 3, 6.0, last_rung)).rung == rung


def test_the_last_segment_has_no_future() -> None:
    """10 s of buffer pay for 16 Mbit at 2.2 Mbit/s, 7.4 s; the change costs what it wins."""
    running = told(build_rule({**SURE, "change": 0.5}), 2.2)
    assert running.choose(seen(PRESENTATION, 9, 10.0, 1)).rung == 2
    assert running.choose(seen(PRESENTATION, 9, 5.0, 1)).rung == 1


def test_what_it_plans_does_not_depend_on_the_unit() -> None:
    """A ladder and a network 40 times as fast: the same rungs, by the default stall weight."""
    fast = constant_presentation((40e6, 80e6, 160e6), segments=10, segment_s=4.0)
    rule, answers = build_rule(read_bundled_policy().weights), []
    for what, times in ((PRESENTATION, 1.0), (fast, 40.0)):
        running = begin(rule, what)
        for k in range(3):
            done = Download(k, 0, 1e6 * times, 10.0 * k, 10.0 * k + 0.1, 10.0 * k + 3.0)
            running.delivered(seen(what, k, 10.0, 0), done)
        levels_s = (2.0, 5.0, 9.0, 20.0)
        answers += [running.choose(seen(what, 3, level_s, 1)).rung for level_s in levels_s]
        slow = Progress(105.0, 3, 2, 2e6 * times, 1e5 * times, 100.0, 100.1, 0.5)
        answer = running.reconsider(seen(what, 3, 4.0, 2), slow)
        answers.append(answer.rung if answer else -1)
    assert answers[:5] == answers[5:]
    assert len(set(answers)) > 1


def test_the_default_stall_weight_is_the_top_rung() -> None:
    """4 on a ladder up to 4 Mbit/s; a lower one dares more."""
    what, answers = seen(PRESENTATION, 3, 3.9, 1), []
    for stall_weight in (0.0, 4.0, 0.2):
        rule = build_rule({**SURE, "spread": 0.5}, Params(stall_weight=stall_weight))
        answers.append([told(rule, mbps).choose(what).rung for mbps in (2.0, 2.6, 3.2, 4.5, 5.5)])
    assert answers[0] == answers[1]
    assert sum(answers[2]) > sum(answers[0])


def test_short_segments_and_small_buffers_weigh_stalls_more() -> None:
    what = constant_presentation((1e6, 2e6, 4e6), segments=10, segment_s=1.0)
    doubt = {**SURE, "spread": 0.5}

    def rungs(weights: dict[str, float], max_buffer_s: float) -> int:
        near = seen(what, 3, 2.0, 1)._replace(max_buffer_s=max_buffer_s)
        levels = (1.5, 2.0, 2.6, 3.2, 4.5, 5.5)
        return sum(
            told(build_rule(weights), mbps, presentation=what).choose(near).rung for mbps in levels
        )

    assert rungs({**doubt, "stall_short": 2.0}, 30.0) < rungs(doubt, 30.0)
    assert rungs({**doubt, "stall_little": 2.0}, 30.0) == rungs(doubt, 30.0)
    assert rungs({**doubt, "stall_little": 2.0}, 4.0) < rungs(doubt, 4.0)


@pytest.mark.parametrize(
    "ladder_bps", [(2e6,), (1e6, 1e6, 1e6), tuple(2e5 * k for k in range(1, 21))]
)
def test_any_ladder_is_played(ladder_bps: tuple[float, ...]) -> None:
    what = constant_presentation(ladder_bps, segments=10, segment_s=4.0)
    running = told(build_rule(read_bundled_policy().weights), 3.0, presentation=what)
    assert 0 <= running.choose(seen(what, 3, 12.0, 0)).rung < len(ladder_bps)


def test_doubt_makes_it_careful() -> None:
    sure, unsure = build_rule(SURE), build_rule({**SURE, "spread": 0.8})
    what = seen(PRESENTATION, 3, 3.9, 1)
    assert told(unsure, 2.6).choose(what).rung < told(sure, 2.6).choose(what).rung


def test_a_download_that_crawls_is_abandoned() -> None:
    running = told(build_rule(SURE), 4.0)
    what = seen(PRESENTATION, 3, 4.0, 2)
    crawls = Progress(105.0, 3, 2, 2e6, 1e5, 100.0, 100.1, 0.5)
    answer = running.reconsider(what, crawls)
    assert answer is not None
    assert answer.rung == 0


def test_a_download_that_arrives_in_time_goes_on() -> None:
    running = told(build_rule(SURE), 4.0)
    comes = Progress(102.0, 3, 2, 2e6, 1e6, 100.0, 100.1, 4.0)
    assert running.reconsider(seen(PRESENTATION, 3, 4.0, 2), comes) is None
    silent = Progress(100.05, 3, 2, 2e6, 0.0, 100.0, math.nan, 8.0)
    assert running.reconsider(seen(PRESENTATION, 3, 4.0, 2), silent) is None


def test_abandoning_can_be_forbidden() -> None:
    running = told(build_rule(SURE, Params(may_abandon=False)), 4.0)
    crawls = Progress(105.0, 3, 2, 2e6, 1e5, 100.0, 100.1, 0.5)
    assert running.reconsider(seen(PRESENTATION, 3, 4.0, 2), crawls) is None


@pytest.mark.parametrize("params", [Params(stall_weight=-1.0), Params(ahead_s=0.0)])
def test_parameters_out_of_range(params: Params) -> None:
    with pytest.raises(ValueError, match="0 or more"):
        build_rule(SURE, params)


@pytest.mark.parametrize("weights", [SURE, read_bundled_policy().weights])
def test_it_passes_the_checks(weights: dict[str, float]) -> None:
    check_algorithm(build_rule(weights))


def bundled_rung(throughput_bps: float, buffer_s: float, max_buffer_s: float) -> int:
    """What the bundled policy chooses after six downloads, of 1, 2, 4 and 8 Mbit/s."""
    rule = read_bundled_policy().build_rule("bundled")
    running = begin(rule, observations.PRESENTATION)
    downloads: list[Download] = []
    for segment in range(6):
        download = observations.make_download(
            throughput_bps, segment=segment, end_s=10.0 + 4 * segment
        )
        looked = observations.seen(buffer_s, segment=segment, max_buffer_s=max_buffer_s)
        running.delivered(looked, download)
        downloads.append(download)
    return running.choose(
        observations.seen(
            buffer_s, segment=6, now_s=34.0, max_buffer_s=max_buffer_s, downloads=downloads
        )
    ).rung


def test_with_one_segment_of_buffer_a_stall_counts_whole() -> None:
    """A segment of 4 s at rate r stalls 4 r / C s, each worth 8 Mbit/s: it pays from C = 32 on."""
    assert [bundled_rung(bps, 0.0, 4.0) for bps in (6e6, 24e6, 60e6)] == [0, 0, 3]


def test_plans_know_that_a_full_buffer_waits_for_room() -> None:
    """What is saved up beyond the room for a segment cannot be used, so it may be spent."""
    assert bundled_rung(5e6, 8.0, 12.0) == 2
    assert bundled_rung(5e6, 4.0, 12.0) == 1
