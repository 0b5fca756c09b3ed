"""``bba-2`` by hand: steps up in startup, then the chunk map for good."""

from __future__ import annotations

import pytest

from abr.algorithms import bba2
from abr.decision import RunningAlgorithm, begin
from tests.fakes.observations import PRESENTATION, make_download, seen


def after(throughput_bps: float) -> RunningAlgorithm:
    """A playback whose segment 49, of the lowest rung, came at this throughput."""
    running = begin(bba2.make(), PRESENTATION)
    running.delivered(seen(), make_download(throughput_bps))
    return running


@pytest.mark.parametrize(
    ("throughput_bps", "buffer_s", "rung"),
    [
        (7.9e6, 0, 0),  # gained 0.873 of a segment
        (8.1e6, 0, 1),  # 0.8765
        (2.1e6, 7, 0),
    ],
)
def test_startup_steps_up_when_the_buffer_gains_enough(
    throughput_bps: float, buffer_s: float, rung: int
) -> None:
    decision = after(throughput_bps).choose(seen(buffer_s, max_buffer_s=1e4, last_rung=0))
    assert (decision.rung, decision.reason) == (rung, 3)


def test_the_threshold_falls_as_the_cushion_fills() -> None:
    """Half way to 216 s: 0.875 - 0.375 / 2 = 0.6875 of 4 s."""
    looked = seen(108, max_buffer_s=240)
    assert bba2.step_up_s(bba2.Params(), 4.0, looked) == pytest.approx(0.6875 * 4)


def test_startup_ends_when_the_map_suggests_more() -> None:
    """At 120 s of 240 s the map gives rung 2, startup only rung 1."""
    running = after(100e6)
    assert running.choose(seen(120, max_buffer_s=240)).rung == 2
    assert running.choose(seen(9, max_buffer_s=240, last_rung=2)).rung == 1


def test_startup_ends_when_the_buffer_falls() -> None:
    """Then in the reservoir the lowest rung is played, however fast the next segment comes."""
    running = after(0.9e6)
    assert running.choose(seen(6, max_buffer_s=240, last_rung=1)).rung == 0
    running.delivered(seen(), make_download(100e6))
    assert running.choose(seen(6, max_buffer_s=240)).reason == 0


def test_protection_grows_only_after_startup() -> None:
    rule = bba2.make()
    state = rule.start(rule.params, PRESENTATION.bitrates_bps, PRESENTATION.durations_s)
    bba2.delivered(rule.params, state, seen(), make_download(8e6))
    assert state.protection_s[0] == 0
    state.is_steady[0] = 1
    bba2.delivered(rule.params, state, seen(), make_download(8e6))
    assert state.protection_s[0] == pytest.approx(0.4)


def test_thresholds_must_fall() -> None:
    with pytest.raises(ValueError, match="startup_full_ratio"):
        bba2.make(startup_full_ratio=0.9)
