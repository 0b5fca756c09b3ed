"""The pacing core: exact to the trace whenever it is asked, however late."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abr.trace import Trace
from player.shaping.ledger import Lateness, Ledger
from player.shaping.pacing import Grant, SharedPacer

MEGABIT_BPS = 1e6


def pacer(*periods: tuple[float, ...], **settings: float) -> SharedPacer:
    """A link with 1000-byte quanta over ``periods``."""
    gap_s = settings.get("gap_s", 0.005)
    return SharedPacer(Trace.from_periods(periods), quantum_bytes=1000, gap_s=gap_s)


def test_a_quantum_leaves_when_the_trace_has_offered_its_bits() -> None:
    """8000 bits at 1 Mbit/s take 8 ms."""
    link = pacer((10, MEGABIT_BPS))
    link.offer(1, 2500, 0.0)
    assert link.next_departure_s() == pytest.approx(0.008)
    assert link.due(0.00799) == []
    assert link.due(0.008) == [Grant(1, 1000)]
    assert link.next_departure_s() == pytest.approx(0.016)


def test_the_last_piece_needs_only_its_own_bits() -> None:
    """500 bytes left: 4 ms, not 8."""
    link = pacer((10, MEGABIT_BPS))
    link.offer(1, 1500, 0.0)
    assert link.due(0.012) == [Grant(1, 1500)]
    assert not link.is_backlogged
    assert link.next_departure_s() == math.inf


def test_a_late_caller_sends_all_that_became_due() -> None:
    """After 1 s at 1 Mbit/s 125 quanta are due at once and none is lost."""
    link = pacer((10, MEGABIT_BPS))
    link.offer(1, 200_000, 0.0)
    assert link.due(1.0) == [Grant(1, 125_000)]
    assert link.due(1.008) == [Grant(1, 1000)]


def test_a_flow_alone_may_do_its_own_sums() -> None:
    """What is open, and what is told afterwards, is as if the pacer had been asked."""
    asked, told = pacer((0.1, MEGABIT_BPS), (10, 4e6)), pacer((0.1, MEGABIT_BPS), (10, 4e6))
    for link in (asked, told):
        link.offer(1, 30_000, 0.0)
        assert link.lone_flow == 1
    # 0.1 Mbit and 0.2 Mbit.
    assert told.open_bytes(0.15) == 37_500
    assert told.open_bytes(0.1) == 12_500
    told.take_alone(1, 12_000)
    assert asked.due(0.1) == [Grant(1, 12_000)]
    assert (asked.used_bits, asked.queued_bytes(1)) == (told.used_bits, told.queued_bytes(1))
    assert asked.due(0.102) == told.due(0.102) == [Grant(1, 1000)]


def test_nobody_is_alone_beside_others_or_behind_a_buffer() -> None:
    """Two flows, cross-traffic, or a newcomer that waits for its place."""
    assert pacer((10, MEGABIT_BPS)).lone_flow is None
    link = pacer((10, MEGABIT_BPS))
    for flow in (1, 2):
        link.offer(flow, 5000, 0.0)
    assert link.lone_flow is None
    crowded = SharedPacer(Trace.constant(8e6), cross_flows=1)
    crowded.offer(1, 5000, 0.0)
    assert crowded.lone_flow is None
    deep = SharedPacer(Trace.constant(8e6), buffer_bytes=5000)
    deep.offer(1, 5000, 0.0)
    deep.offer(2, 5000, 0.0)
    assert deep.lone_flow is None


def test_an_outage_blocks_exactly() -> None:
    """4 ms of capacity, then 2 s of none: the quantum leaves 4 ms after the outage."""
    link = pacer((0.004, MEGABIT_BPS), (2, 0), (10, MEGABIT_BPS))
    link.offer(1, 1000, 0.0)
    assert link.next_departure_s() == pytest.approx(2.008)
    assert link.due(2.0) == []
    assert link.due(2.008) == [Grant(1, 1000)]


def test_a_trace_that_ends_never_sends_again() -> None:
    """Past the end nothing is due and the next departure is never."""
    link = SharedPacer(Trace.from_periods([(1, 8000)], end="end"), quantum_bytes=1000)
    link.offer(1, 2000, 0.0)
    assert link.due(5.0) == [Grant(1, 1000)]
    assert link.next_departure_s() == math.inf
    assert link.due(1e6) == []


def test_silence_saves_nothing_up() -> None:
    """After 5 s of silence the first quantum takes as long as at the start."""
    link = pacer((60, MEGABIT_BPS))
    link.offer(1, 1000, 0.0)
    link.due(0.008)
    link.offer(1, 100_000, 5.0)
    assert link.next_departure_s() == pytest.approx(5.008)


def test_a_short_gap_of_the_sender_costs_nothing() -> None:
    """3 ms without data is scheduling noise: the next quantum leaves 8 ms after the last."""
    link = pacer((60, MEGABIT_BPS))
    link.offer(1, 1000, 0.0)
    link.due(0.008)
    link.offer(1, 1000, 0.011)
    assert link.next_departure_s() == pytest.approx(0.016)


def test_what_a_late_caller_could_not_use_is_kept_for_one_gap_at_most() -> None:
    """Drained 1 s late: 5 ms before and 3 ms in the gap, so 8 ms of capacity, are kept."""
    link = pacer((60, MEGABIT_BPS))
    link.offer(1, 1000, 0.0)
    link.due(1.0)
    link.offer(1, 50_000, 1.003)
    assert link.due(1.003) == [Grant(1, 1000)]
    assert link.next_departure_s() == pytest.approx(1.011)


def test_two_flows_share_one_link_by_turns() -> None:
    """100 ms at 1 Mbit/s are 12 whole quanta: six each."""
    link = pacer((10, MEGABIT_BPS))
    link.offer(1, 100_000, 0.0)
    link.offer(2, 100_000, 0.0)
    assert link.due(0.1) == [Grant(1, 6000), Grant(2, 6000)]


def test_a_flow_that_joins_late_gets_its_turn_next() -> None:
    """A short answer does not wait behind the whole queue of a long one."""
    link = pacer((10, MEGABIT_BPS))
    link.offer(1, 100_000, 0.0)
    link.due(0.016)
    link.offer(2, 1000, 0.016)
    assert link.due(0.032) == [Grant(1, 1000), Grant(2, 1000)]


def test_a_blocked_flow_leaves_its_share_to_the_others() -> None:
    """While the first client does not read, the second has the whole link."""
    link = pacer((10, MEGABIT_BPS))
    link.offer(1, 100_000, 0.0)
    link.offer(2, 100_000, 0.0)
    link.block(1, 0.0)
    assert link.due(0.08) == [Grant(2, 10_000)]
    link.unblock(1, 0.08)
    assert link.due(0.096) == [Grant(2, 1000), Grant(1, 1000)]


def test_a_blocked_client_saves_nothing_up() -> None:
    """Two seconds without reading are two seconds of capacity lost."""
    link = pacer((10, MEGABIT_BPS))
    link.offer(1, 100_000, 0.0)
    link.block(1, 0.0)
    link.offer(1, 1000, 1.0)
    assert not link.is_backlogged
    link.unblock(1, 2.0)
    assert link.next_departure_s() == pytest.approx(2.008)


def test_a_dropped_flow_frees_the_link_at_once() -> None:
    """Abandoning a download gives what it had waiting to nobody and its turn to the rest."""
    link = pacer((10, MEGABIT_BPS))
    link.offer(1, 100_000, 0.0)
    link.offer(2, 3000, 0.0)
    link.drop(1, 0.0)
    assert link.queued_bytes(1) == 0
    assert link.due(0.024) == [Grant(2, 3000)]
    assert not link.is_backlogged


def test_settings_out_of_range_are_refused() -> None:
    """A quantum needs a byte and a gap cannot be negative."""
    with pytest.raises(ValueError, match="quantum_bytes"):
        SharedPacer(Trace.constant(1e6), quantum_bytes=0)
    with pytest.raises(ValueError, match="gap_s"):
        SharedPacer(Trace.constant(1e6), gap_s=-1)
    with pytest.raises(ValueError, match="interval_s"):
        Ledger(Trace.constant(1e6), interval_s=0)


steps = st.lists(
    st.tuples(st.floats(0.0005, 0.3), st.integers(1, 3), st.integers(0, 40_000)),
    min_size=1,
    max_size=60,
)


@given(steps=steps, capacity=st.lists(st.sampled_from([0.0, 3e5, 2e6, 8e6]), max_size=5))
@settings(max_examples=200, deadline=None)
def test_no_stretch_carries_more_than_the_trace_and_a_gap(
    steps: list[tuple[float, int, int]], capacity: list[float]
) -> None:
    """From any asking to any later one: at most the trace's bits, what was owed and 10 ms."""
    trace = Trace.from_periods([(0.2, bps) for bps in [*capacity, 1e6]])
    link = SharedPacer(trace, quantum_bytes=1000, gap_s=0.005)
    now_s, sent_bits, offered_bytes = 0.0, 0.0, 0
    for wait_s, flow, size_bytes in steps:
        link.offer(flow, size_bytes, now_s)
        offered_bytes += size_bytes
        now_s += wait_s
        sent_bits += 8 * sum(grant.size_bytes for grant in link.due(now_s))
        assert sent_bits <= trace.bits_by(now_s) + 1e-3
        assert link.used_bits <= trace.bits_by(now_s) + 1e-3
        waiting_bits = 8 * sum(link.queued_bytes(flow) for flow in (1, 2, 3))
        assert sent_bits + waiting_bits == 8 * offered_bytes
        if link.is_backlogged:  # less than a quantum of what passed is unused
            assert link.used_bits > trace.bits_by(now_s) - 8000


@given(cuts=st.lists(st.floats(0, 4), max_size=30))
@settings(max_examples=100, deadline=None)
def test_how_often_the_link_is_asked_changes_nothing(cuts: list[float]) -> None:
    """While data waits, asked once or thirty times, the same bytes have left by the end."""
    trace = Trace.from_periods([(1, 1e6), (0.5, 0), (1, 3e6)])
    often, once = SharedPacer(trace), SharedPacer(trace)
    for link in (often, once):
        link.offer(1, 10_000_000, 0.0)
        link.offer(2, 10_000_000, 0.0)
    for cut_s in sorted(cuts):
        often.due(cut_s)
    often.due(4.0)
    once.due(4.0)
    assert [often.queued_bytes(flow) for flow in (1, 2)] == [
        once.queued_bytes(flow) for flow in (1, 2)
    ]


def test_the_ledger_splits_what_was_wanted_at_interval_bounds() -> None:
    """Backlogged from 0.2 to 0.8 s at 8000 bit/s: 300 bytes before 0.5 s, 300 after."""
    ledger = Ledger(Trace.constant(8000), interval_s=0.5)
    ledger.advance(0.2, backlogged=False)
    ledger.advance(0.8, backlogged=True)
    ledger.add_delivered(600, 0.8)
    report = ledger.report()
    assert report.offered_bytes == pytest.approx((500, 500))
    assert report.backlogged_bytes == pytest.approx((300, 300))
    assert report.delivered_bytes == (0, 600)
    assert report.delivered_ratio == pytest.approx(1.0)
    assert not report.is_overloaded


def test_lateness_quantiles_come_from_every_wake_up() -> None:
    """95 wake-ups on time and 5 at 40 ms: p50 and p95 small, the maximum is 40 ms."""
    ledger, lateness = Ledger(Trace.constant(8000)), Lateness()
    for _ in range(95):
        lateness.add(0.0001)
    for _ in range(5):
        lateness.add(0.04)
    report = ledger.report(lateness)
    assert (report.wakes, report.lateness_p50_s) == (100, 0.00025)
    assert report.lateness_p95_s == 0.00025
    assert report.lateness_max_s == 0.04
    lateness.add(0.04)
    assert ledger.report(lateness).lateness_p95_s == pytest.approx(0.04, abs=0.00026)
    assert ledger.report(lateness).is_overloaded


def test_an_unused_link_reports_no_ratio() -> None:
    """Nothing waited: no ratio, not overloaded, and JSON gets None."""
    report = Ledger(Trace.constant(8000)).report(refused_connections=2)
    assert math.isnan(report.delivered_ratio)
    assert not report.is_overloaded
    assert report.as_dict()["delivered_ratio"] is None
    assert report.as_dict()["refused_connections"] == 2
