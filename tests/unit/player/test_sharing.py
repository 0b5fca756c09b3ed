"""Cross-traffic and the buffer at the bottleneck, in the pacing core."""

import pytest

from abr.trace import Trace
from player.shaping.ledger import Ledger
from player.shaping.pacing import Grant, SharedPacer

MEGABIT = Trace.constant(8e6)  # one byte each microsecond


def drained(link: SharedPacer, *, step_s: float = 0.001, until_s: float = 1.0) -> dict[int, float]:
    """When each flow sent its last byte, looking every ``step_s``."""
    ends: dict[int, float] = {}
    for tick in range(int(until_s / step_s)):
        for grant in link.due(tick * step_s):
            ends[grant.flow] = tick * step_s
    return ends


def test_cross_traffic_takes_its_share_while_somebody_waits() -> None:
    link = SharedPacer(MEGABIT, quantum_bytes=1000, cross_flows=3)
    link.offer(0, 50_000, 0.0)
    assert drained(link)[0] == pytest.approx(0.2, abs=0.005)
    assert link.cross_bytes == pytest.approx(150_000, abs=4000)


def test_cross_traffic_leaves_no_trace_while_nobody_waits() -> None:
    link = SharedPacer(MEGABIT, quantum_bytes=1000, cross_flows=3)
    assert link.due(5.0) == []
    assert link.next_departure_s() == float("inf")
    link.offer(0, 1000, 5.0)
    assert link.cross_bytes == 0
    assert link.next_departure_s() == pytest.approx(5.004)


def test_a_newcomer_waits_behind_what_stands_in_the_buffer() -> None:
    """30 kB stand there: 30 ms, then both take turns."""
    link = SharedPacer(MEGABIT, quantum_bytes=1000, buffer_bytes=30_000)
    link.offer(0, 100_000, 0.0)
    link.offer(1, 1000, 0.0)
    assert link.standing_bytes() == 30_000
    assert drained(link)[1] == pytest.approx(0.031, abs=0.002)


def test_nobody_waits_behind_an_empty_buffer() -> None:
    link = SharedPacer(MEGABIT, quantum_bytes=1000, buffer_bytes=30_000)
    link.offer(1, 1000, 0.0)
    assert link.standing_bytes(1) == 0
    assert link.due(0.001) == [Grant(1, 1000)]


def test_the_buffer_holds_what_others_have_waiting_and_no_more() -> None:
    link = SharedPacer(MEGABIT, quantum_bytes=1000, buffer_bytes=30_000)
    link.offer(0, 5000, 0.0)
    assert link.standing_bytes() == 5000
    link.block(0, 0.0)
    assert link.standing_bytes() == 0


def test_cross_traffic_keeps_the_buffer_full() -> None:
    """10 kB stand there although nobody of ours waits: 10 ms and a turn of each."""
    link = SharedPacer(MEGABIT, quantum_bytes=1000, cross_flows=1, buffer_bytes=10_000)
    link.offer(1, 1000, 0.0)
    assert drained(link)[1] == pytest.approx(0.012, abs=0.002)


def test_a_sender_that_pauses_for_an_instant_does_not_queue_again() -> None:
    link = SharedPacer(MEGABIT, quantum_bytes=1000, buffer_bytes=30_000)
    link.offer(0, 500_000, 0.0)
    link.offer(1, 1000, 0.0)
    ends = drained(link, until_s=0.04)
    assert link.queued_bytes(1) == 0
    link.offer(1, 1000, ends[1] + 0.002)
    link.due(0.045)
    assert link.queued_bytes(1) == 0


def test_a_flow_that_leaves_the_buffer_is_forgotten() -> None:
    link = SharedPacer(MEGABIT, quantum_bytes=1000, buffer_bytes=30_000)
    link.offer(0, 2000, 0.0)
    link.offer(1, 1000, 0.0)
    link.drop(1, 0.0)
    assert drained(link) == {0: pytest.approx(0.002)}
    assert not link.is_backlogged


@pytest.mark.parametrize("setting", ["cross_flows", "buffer_bytes"])
def test_negative_settings_are_refused(setting: str) -> None:
    with pytest.raises(ValueError, match=setting):
        SharedPacer(MEGABIT, **{setting: -1})


def test_cross_traffic_counts_as_delivered_but_in_its_own_column() -> None:
    ledger = Ledger(MEGABIT)
    ledger.advance(0.5, backlogged=True)
    ledger.add_delivered(200_000, 0.4)
    ledger.add_crossed(300_000, 0.4)
    report = ledger.report()
    assert report.cross_bytes == (300_000,)
    assert report.delivered_ratio == pytest.approx(1.0)
    assert report.as_dict()["delivered_bytes"] == 200_000
