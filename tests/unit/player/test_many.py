"""Tables of traces laid one after the other, and the loop that plays a session for each."""

from __future__ import annotations

import numpy as np

from abr.trace import Trace
from player.batch.many import Rows, copy, link_at, pack, rows_at
from player.batch.tables import TOTALS_DTYPE, link_of

TRACES = [
    Trace.constant(2e6),
    Trace.from_periods([(3.0, 1e6, 0.1), (2.0, 5e6, 0.2), (4.0, 2e6, 0.3)]),
    Trace.from_periods([(1.0, 4e6), (1.0, 0.0)]),
]


def test_every_trace_is_found_again_where_it_was_packed() -> None:
    """A round-trip time that never changes is one number, so that none is searched for."""
    links = [link_of(trace, rtt_s=0.05) for trace in TRACES]
    packed = pack(links)
    assert packed.first.tolist() == [0, 1, 4, 6]
    for k, link in enumerate(links):
        found = link_at(packed, k)
        for name, column in zip(found._fields, found, strict=True):
            told = getattr(link, name).tolist()
            is_constant = name == "rtt_s" and len(set(told)) == 1
            assert list(column) == (told[:1] if is_constant else told), (k, name)


def test_bounds_are_one_more_than_periods_for_each_trace() -> None:
    packed = pack([link_of(trace) for trace in TRACES])
    assert len(packed.times_s) == len(packed.capacity_bps) + len(TRACES)


def test_parts_that_are_not_kept_stay_empty_in_every_slice() -> None:
    rows = Rows(
        np.zeros(5, TOTALS_DTYPE), np.zeros((5, 3), np.int16), np.zeros((0, 2, 3), np.float64)
    )
    part = rows_at(rows, slice(1, 3))
    assert (len(part.totals), part.rungs.shape, part.columns.shape) == (2, (2, 3), (0, 2, 3))
    part.rungs[0, 0] = 7
    assert rows.rungs[1, 0] == 7  # a view: threads fill it in place


def test_a_state_is_copied_into_room_that_may_be_wider() -> None:
    room = np.full(4, 9.0)
    copy(np.array([1.0, 2.0]), room)
    assert room.tolist() == [1.0, 2.0, 9.0, 9.0]
