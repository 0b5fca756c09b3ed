"""``quetra`` by hand: the ladder is 1, 2, 4 and 8 Mbit/s, slacks from the queue."""

from __future__ import annotations

import pytest

from abr.algorithms import quetra
from abr.decision import RunningAlgorithm, begin
from tests.fakes.observations import PRESENTATION, make_download, seen


def start_informed(*mbps: float, **params: float) -> RunningAlgorithm:
    """A playback that was asked after each download."""
    running = begin(quetra.make(**params), PRESENTATION)
    for each in mbps:
        running.delivered(seen(), make_download(each * 1e6))
        running.choose(seen())
    return running


@pytest.mark.parametrize(
    ("buffer_s", "rung", "reason"),
    [
        # At 4 Mbit/s of a limit of 60 s: loads of 4, 2, 1 and 0.5, slacks of 0, 0, 29.92
        # and 59.25 s.
        (60.0, 3, 1),
        (44.7, 3, 1),
        (44.5, 2, 1),
        (23.0, 2, 1),
        (22.4, 0, 2),  # the reservoir is 0.375 of the limit
    ],
)
def test_the_nearest_slack_wins(buffer_s: float, rung: int, reason: int) -> None:
    decision = start_informed(4.0).choose(seen(buffer_s, max_buffer_s=60.0))
    assert (decision.rung, decision.reason) == (rung, reason)


def test_where_nothing_can_fill_the_buffer_it_is_the_lowest_rung() -> None:
    decision = start_informed(0.4).choose(seen(50.0, max_buffer_s=60.0))
    assert (decision.rung, decision.reason) == (0, 3)


def test_of_equal_slacks_the_higher_rung_wins() -> None:
    """At 40 Mbit/s every load is beyond 1.2, so every slack 0."""
    assert start_informed(40.0).choose(seen(30.0, max_buffer_s=60.0)).rung == 3


def test_the_mean_is_of_one_of_two_and_then_moves() -> None:
    """4; (4 + 8) / 2 = 6; 0.9 x 6 + 0.1 x 16 = 7; and 0.9 x 7 + 0.1 x 16 = 7.9 when asked again."""
    rule = quetra.make()
    state = rule.start(rule.params, PRESENTATION.bitrates_bps, PRESENTATION.durations_s)
    for each in (4e6, 8e6, 16e6):
        assert rule.delivered is not None
        rule.delivered(rule.params, state, seen(), make_download(each))
        rule.choose(rule.params, state, seen())
    assert state.throughput_bps[3] == pytest.approx(7e6)
    rule.choose(rule.params, state, seen())
    assert state.throughput_bps[3] == pytest.approx(7.9e6)


def test_fast_downloads_may_be_ignored_as_in_the_source() -> None:
    running = start_informed(12.0, ignore_above_bps=10e6)
    assert running.choose(seen(30.0)) == (0, 0.0, 0, -1)


def test_parameters_are_checked() -> None:
    with pytest.raises(ValueError, match="parts of 1"):
        quetra.make(alpha=0)
