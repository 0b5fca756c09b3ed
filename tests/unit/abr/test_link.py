"""Hand-computed transfers over the shared link."""

from __future__ import annotations

import math

import pytest

from abr.link import LinkEvent, SharedLink
from abr.trace import Trace

# One byte per microsecond.
MEGABYTE_PER_S = Trace.constant(8e6)


def run(link: SharedLink) -> list[LinkEvent]:
    """All events until nothing is coming."""
    events: list[LinkEvent] = []
    while (at_s := link.next_event_s()) < math.inf:
        events += link.advance(at_s)
    return events


def times(events: list[LinkEvent]) -> list[tuple[float, int, str]]:
    return [(round(e.time_s, 9), e.flow, e.kind) for e in events]


def test_a_first_request_costs_two_round_trips_and_the_next_one_only_one() -> None:
    link = SharedLink(MEGABYTE_PER_S, rtt_s=0.1)
    link.request(1, 1e6, 0)
    assert times(run(link)) == [(0.2, 1, "first_byte"), (1.2, 1, "finished")]
    link.request(2, 1e6, 2)
    assert times(run(link)) == [(2.1, 2, "first_byte"), (3.1, 2, "finished")]


def test_two_transfers_share_the_capacity_and_do_not_double_it() -> None:
    """Both get 0.5 MB/s until the small one ends at 1 s; the other has 0.5 MB left."""
    link = SharedLink(MEGABYTE_PER_S, rtt_s=0)
    link.request(1, 1e6, 0)
    link.request(2, 5e5, 0)
    assert times(run(link))[2:] == [(1.0, 2, "finished"), (1.5, 1, "finished")]


def test_a_late_comer_takes_its_share_from_then_on() -> None:
    """1 MB alone for 0.5 s leaves 0.5 MB; halved from then on it takes 1 s more."""
    link = SharedLink(MEGABYTE_PER_S, rtt_s=0)
    link.request(1, 1e6, 0)
    link.request(2, 9e6, 0.5)
    assert link.received_bytes(1, 1.0) == pytest.approx(7.5e5)
    assert link.received_bytes(2, 1.0) == pytest.approx(2.5e5)
    assert link.next_event_s() == 1.0  # the first bytes still wait to be reported
    assert times(list(link.advance(1.5)))[-1] == (1.5, 1, "finished")


def test_cancelling_frees_the_share_and_closes_the_connection() -> None:
    link = SharedLink(MEGABYTE_PER_S, rtt_s=0.1)
    link.request(1, 1e6, 0)
    link.request(2, 1e6, 0)
    link.cancel(2, 1.2)
    assert link.received_bytes(2, 5) == pytest.approx(5e5)
    # The first had 0.5 MB by 1.2 s and takes the rest alone.
    assert times(list(link.advance(5)))[-1] == (1.7, 1, "finished")
    link.request(3, 0, 5)
    link.request(4, 0, 5)  # the only idle connection is taken: this one opens another
    assert times(run(link)) == [
        (5.1, 3, "first_byte"),
        (5.1, 3, "finished"),
        (5.2, 4, "first_byte"),
        (5.2, 4, "finished"),
    ]


def test_requests_beyond_the_connections_wait_in_turn() -> None:
    link = SharedLink(MEGABYTE_PER_S, rtt_s=0.1, connections=1)
    for flow in (1, 2, 3):
        link.request(flow, 1e6, 0)
    link.cancel(2, 0.5)
    assert times(run(link)) == [
        (0.2, 1, "first_byte"),
        (1.2, 1, "finished"),
        (1.3, 3, "first_byte"),
        (2.3, 3, "finished"),
    ]


def test_a_cancelled_connection_is_opened_again_for_the_one_who_waits() -> None:
    link = SharedLink(MEGABYTE_PER_S, rtt_s=0.1, connections=1)
    link.request(1, 1e6, 0)
    link.request(2, 1e6, 0)
    link.cancel(1, 0.1)
    assert times(run(link)) == [(0.3, 2, "first_byte"), (1.3, 2, "finished")]


def test_round_trip_times_are_those_of_the_trace_at_that_time() -> None:
    """Connecting at 0 s takes 0.4 s, asking at 0.4 s another 0.4, at 1.9 s only 0.1."""
    trace = Trace.from_periods([(1, 8e6, 0.4), (9, 8e6, 0.1)])
    link = SharedLink(trace, rtt_s=7)
    link.request(1, 1e6, 0)
    assert times(run(link)) == [(0.8, 1, "first_byte"), (1.8, 1, "finished")]
    link.request(2, 0, 1.9)
    assert link.next_event_s() == pytest.approx(2.0)


def test_the_head_of_a_response_comes_before_its_body() -> None:
    link = SharedLink(MEGABYTE_PER_S, rtt_s=0, overhead_bytes=1e5)
    link.request(1, 1e6, 0)
    assert link.received_bytes(1, 0.05) == 0
    assert link.received_bytes(1, 0.6) == pytest.approx(5e5)
    assert link.next_event_s() == 0.6
    assert link.advance(9)[-1].time_s == pytest.approx(1.1)
    assert link.received_bytes(1, 9) == 1e6


def test_a_transfer_waits_out_an_outage_and_a_dead_link_never_ends_it() -> None:
    link = SharedLink(Trace.from_periods([(1, 8e6), (3, 0), (1, 8e6)], end="end"), rtt_s=0)
    link.request(1, 1.5e6, 0)
    link.request(2, 9e6, 0)
    # 0.5 MB each by 1 s, the same again from 4 to 5 s: nobody is done.
    assert [e.kind for e in link.advance(100)] == ["first_byte", "first_byte"]
    assert link.next_event_s() == math.inf
    assert link.received_bytes(1, 100) == pytest.approx(1e6)


def test_events_that_are_due_are_kept_for_the_next_advance() -> None:
    """Asking for bytes or requesting more loses no event."""
    link = SharedLink(MEGABYTE_PER_S, rtt_s=0.1)
    link.request(1, 1e6, 0)
    assert link.received_bytes(1, 3) == 1e6
    link.request(2, 1e6, 3)
    assert times(list(link.advance(3))) == [(0.2, 1, "first_byte"), (1.2, 1, "finished")]


def test_misuse_is_told() -> None:
    link = SharedLink(MEGABYTE_PER_S)
    link.request(1, 1e6, 1)
    with pytest.raises(ValueError, match="time goes back"):
        link.advance(0.5)
    with pytest.raises(ValueError, match="not finite"):
        link.advance(math.inf)
    with pytest.raises(ValueError, match="already under way"):
        link.request(1, 5, 1)
    with pytest.raises(ValueError, match="never requested"):
        link.received_bytes(7, 1)
    with pytest.raises(ValueError, match="size_bytes"):
        link.request(2, -1, 1)
    with pytest.raises(ValueError, match="connections"):
        SharedLink(MEGABYTE_PER_S, connections=0)
    link.cancel(99, 2)  # over already, or never there: nothing to do
