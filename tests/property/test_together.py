"""Groups of responses against the shared link they are the closed form of."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from abr.link import SharedLink
from abr.trace import Trace
from player.batch.abrkit.together import (
    END_S,
    SIZE,
    others_end_s,
    received_of_last,
    request_group,
)
from player.batch.tables import MOST_TOGETHER, make_room
from tests.fakes.playbacks import traces


@settings(max_examples=300, deadline=None)
@given(
    trace=traces(),
    sizes=st.lists(st.integers(0, 400_000), min_size=1, max_size=MOST_TOGETHER),
    open_connections=st.integers(0, MOST_TOGETHER),
    start_s=st.floats(0, 30),
    rtt_s=st.sampled_from([0.0, 0.05]),
    overhead_bytes=st.sampled_from([1, 700]),
    share=st.floats(0, 1),
)
def test_a_group_is_what_the_shared_link_makes_of_it(
    trace: Trace,
    sizes: list[int],
    open_connections: int,
    start_s: float,
    rtt_s: float,
    overhead_bytes: int,
    share: float,
) -> None:
    """First bytes, last bytes and bytes on the way, to the last bit."""
    link = SharedLink(trace, rtt_s=rtt_s, overhead_bytes=overhead_bytes, server_s=0.004)
    flow = 0
    for _ in range(open_connections):  # a response each, one after the other in time
        link.request(flow, 0, 0.0)
        flow += 1
    finished = 0
    while link.next_event_s() < math.inf:
        start_s = max(start_s, link.next_event_s())
        finished += sum(e.kind == "finished" for e in link.advance(link.next_event_s()))
    assume(finished == open_connections)  # a link that ends may leave some under way for ever
    link.advance(start_s)
    room = make_room()
    room.responses[SIZE, : len(sizes)] = sizes
    table = trace.table(rtt_s)
    last = request_group(
        table, start_s, open_connections, len(sizes), room, overhead_bytes, 0.004, 0
    )
    flows = range(flow, flow + len(sizes))
    for number, size in zip(flows, sizes, strict=True):
        link.request(number, size, start_s)
    ends: dict[int, float] = {}
    begins: dict[int, float] = {}
    asked_s = start_s + share * (min(last.end_s, start_s + 1e4) - start_s)
    expected = None
    while (next_s := link.next_event_s()) < math.inf:
        if expected is None and next_s > asked_s:
            expected = link.received_bytes(flows[-1], asked_s)
        for event in link.advance(next_s):
            (begins if event.kind == "first_byte" else ends)[event.flow] = event.time_s
    got = room.responses[END_S, : len(sizes)].tolist()
    assert got == [ends.get(number, math.inf) for number in flows]
    assert last.first_byte_s == begins[flows[-1]]
    assert last.end_s == got[-1]
    assert others_end_s(room, len(sizes)) == max(got[:-1], default=-math.inf)
    if expected is not None:
        assert expected == received_of_last(table, last, len(sizes), room, overhead_bytes, asked_s)
    assert np.isfinite(last.first_byte_s)
