"""``panda`` by hand: its four steps."""

from __future__ import annotations

import pytest

from abr.algorithms import panda
from abr.decision import RunningAlgorithm, begin
from tests.fakes.observations import PRESENTATION, make_download, seen

PARAMS = panda.Params()


@pytest.mark.parametrize(
    ("share_bps", "throughput_bps", "interval_s", "expected_bps"),
    [
        (1e6, 5e6, 4, 1e6 + 0.14 * 4 * 0.3e6),  # far below: additive increase
        (1e6, 1.1e6, 4, 1e6 + 0.14 * 4 * 0.1e6),  # near: towards the throughput
        (3e6, 1e6, 4, 3e6 - 0.14 * 4 * 2e6),  # above: falls towards it
        (3e6, 1e6, 60, 1e6),  # not beyond it
        (1e6, 1.4e6, 60, 1.4e6),
    ],
)
def test_the_share_probes_upwards_and_falls_towards_the_throughput(
    share_bps: float, throughput_bps: float, interval_s: float, expected_bps: float
) -> None:
    got_bps = panda.next_share_bps(PARAMS, share_bps, throughput_bps, interval_s)
    assert got_bps == pytest.approx(expected_bps)


def after(throughput_bps: float) -> RunningAlgorithm:
    """A playback that has seen one download; share and smoothed share are its throughput."""
    running = begin(panda.make(), PRESENTATION)
    running.choose(seen(last_rung=0, downloads=[make_download(throughput_bps)]))
    return running


@pytest.mark.parametrize(
    ("throughput_bps", "last_rung", "rung"),
    # Up needs 0.85 y - 0.3 Mbit/s, down comes below y - 0.3 Mbit/s.
    [
        (5.05e6, 1, 1),  # 3.99
        (5.06e6, 1, 2),  # 4.001
        (4.31e6, 2, 2),  # 4.01 still pay for it
        (4.29e6, 2, 1),  # 3.99 do not
        (100e6, 0, 3),
        (0.5e6, 3, 0),
    ],
)
def test_a_dead_zone_lies_between_up_and_down(
    throughput_bps: float, last_rung: int, rung: int
) -> None:
    running = begin(panda.make(), PRESENTATION)
    looked = seen(last_rung=last_rung, downloads=[make_download(throughput_bps)])
    assert running.choose(looked).rung == rung


def test_the_next_request_waits_for_its_pace() -> None:
    """At 10 Mbit/s and rung 3: 8 x 4 / 10 + 0.2 (28 - 26) = 3.6 s after the last request.

    That request was 1 s ago, so 2.6 s are left to wait.
    """
    running = begin(panda.make(), PRESENTATION)
    first = seen(28, last_rung=3, downloads=[make_download(10e6)])
    assert running.choose(first).wait_s == 0
    newer = make_download(32e6, rung=3, segment=50, end_s=104)
    second = seen(28, last_rung=3, segment=51, now_s=104, downloads=[make_download(10e6), newer])
    assert running.choose(second).wait_s == pytest.approx(2.6)


def test_a_low_buffer_does_not_wait() -> None:
    """8 x 4 / 10 + 0.2 (5 - 26) is less than nothing."""
    running = begin(panda.make(), PRESENTATION)
    looked = seen(5, last_rung=3, downloads=[make_download(10e6)])
    assert [running.choose(looked).wait_s for _ in range(2)] == [0, 0]


def test_what_is_out_of_range_is_refused() -> None:
    for wrong in ({"kappa": 0.0}, {"beta": -1.0}):
        with pytest.raises(ValueError, match="must be"):
            panda.make(**wrong)
