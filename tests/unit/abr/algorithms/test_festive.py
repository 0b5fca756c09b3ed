"""``festive`` by hand: one rung at a time, and only when the score says so."""

from __future__ import annotations

import pytest

from abr.algorithms import festive
from abr.decision import Download, begin
from tests.fakes.observations import PRESENTATION, make_download, seen


def history(rungs: list[int], throughput_bps: float) -> list[Download]:
    """Downloads, the newest ending at 100 s, one every 10 s."""
    count = len(rungs)
    return [
        make_download(
            throughput_bps, rung=rung, segment=50 - count + i, end_s=100 - 10 * (count - 1 - i)
        )
        for i, rung in enumerate(rungs)
    ]


def chosen(rungs: list[int], throughput_bps: float, **params: float) -> int:
    running = begin(festive.make(**params), PRESENTATION)
    looked = seen(last_rung=rungs[-1], downloads=history(rungs, throughput_bps))
    return running.choose(looked).rung


def test_the_first_segment_is_of_the_lowest_rung() -> None:
    assert begin(festive.make(), PRESENTATION).choose(seen(last_rung=-1)).rung == 0


@pytest.mark.parametrize(
    ("rungs", "throughput_bps", "rung"),
    [
        ([0], 2.3e6, 0),  # 0.85 of it is 1.96 Mbit/s
        ([0], 2.4e6, 1),
        ([0], 100e6, 1),  # one rung at a time
        ([1], 100e6, 1),  # at rung 1, the second, two segments are needed
        ([1, 1], 100e6, 2),
        ([1, 2, 2], 100e6, 2),
        ([2, 2, 2, 2], 4.8e6, 2),  # 0.85 of it sustains 4 Mbit/s
        ([3, 3, 3], 1e6, 2),  # down at once, one rung
    ],
)
def test_the_reference_moves_by_one(rungs: list[int], throughput_bps: float, rung: int) -> None:
    assert chosen(rungs, throughput_bps) == rung


def test_recent_switches_delay_the_next() -> None:
    """Wanted: 4 to 8 Mbit/s, of which 4 is 0.5 short: 12 x 0.5 = 6 for staying.

    With two switches in the last 20 s, 2 ** 3 - 2 ** 2 = 4 is less than 6; with three it is 8.
    """
    quick = [
        make_download(50e6, rung=r, segment=40 + i, end_s=90 + i) for i, r in enumerate([2, 1, 2])
    ]
    settled = [make_download(50e6, rung=2, segment=44 + i, end_s=94 + i) for i in range(4)]
    rule = festive.make()
    twice = seen(last_rung=2, downloads=quick + settled)
    assert begin(rule, PRESENTATION).choose(twice).rung == 3
    quick.insert(0, make_download(50e6, rung=1, segment=39, end_s=89))
    thrice = seen(last_rung=2, downloads=quick + settled)
    assert begin(rule, PRESENTATION).choose(thrice) == (2, 0.0, 4, -1)


def test_requests_wait_above_a_target_that_varies() -> None:
    """Target 30 s, give or take a segment of 4 s: at 40 s of buffer 6 to 14 s of waiting."""
    waits = [
        festive.scheduled_wait_s(festive.Params(), seen(40, segment=i, max_buffer_s=60))
        for i in range(99)
    ]
    assert 6 <= min(waits) < 6.2
    assert 13.8 < max(waits) <= 14
    assert sum(waits) / len(waits) == pytest.approx(10, abs=0.1)
    assert festive.scheduled_wait_s(festive.Params(), seen(25)) == 0


def test_what_is_out_of_range_is_refused() -> None:
    for wrong in ({"window": 0}, {"alpha": -1.0}):
        with pytest.raises(ValueError, match="must be"):
            festive.make(**wrong)
