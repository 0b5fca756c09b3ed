"""What must hold for every trace."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from abr.capacity import End
from abr.errors import TraceFormatError
from abr.trace import Trace
from abr.traceformats import FORMATS, WRITABLE, read_trace, write_trace

Periods = list[tuple[float, float]]
PERIODS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.25, 1.0, 1.5, 7.0]), st.sampled_from([0.0, 1e5, 3e6, 8e6, 1e8])
    ),
    min_size=1,
    max_size=8,
).filter(lambda rows: sum(d * c for d, c in rows) > 0)
ENDS: st.SearchStrategy[End] = st.sampled_from(["loop", "hold", "end"])
TIMES = st.floats(0, 200, allow_nan=False)


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    return Trace.from_periods(draw(PERIODS), end=draw(ENDS))


@settings(max_examples=100)
@given(traces(), TIMES)
def test_time_of_inverts_bits_by(trace: Trace, t_s: float) -> None:
    """The earliest time is not after t, and by then just as many bits are there."""
    bits = trace.bits_by(t_s)
    earliest_s = trace.time_of(bits)
    assert earliest_s <= t_s + 1e-9
    assert trace.bits_by(earliest_s) == pytest.approx(bits, rel=1e-12, abs=1e-3)


@settings(max_examples=100)
@given(traces(), TIMES, TIMES)
def test_bits_never_decrease(trace: Trace, a_s: float, b_s: float) -> None:
    low_s, high_s = sorted((a_s, b_s))
    assert trace.bits_by(low_s) <= trace.bits_by(high_s) + 1e-3


@settings(max_examples=100)
@given(PERIODS, ENDS, TIMES, st.floats(1, 1e7), st.floats(1, 4))
def test_more_capacity_never_finishes_later(
    periods: Periods, end: End, start_s: float, size_bytes: float, factor: float
) -> None:
    slow = Trace.from_periods(periods, end=end)
    fast = Trace.from_periods([(d, c * factor) for d, c in periods], end=end)
    slow_s = slow.finish_time(start_s, size_bytes)
    assert fast.finish_time(start_s, size_bytes) <= slow_s * (1 + 1e-12) + 1e-9


@settings(max_examples=100)
@given(PERIODS, ENDS, st.data(), TIMES, st.floats(1, 1e7))
def test_cutting_a_period_in_two_changes_nothing(
    periods: Periods, end: End, data: st.DataObject, t_s: float, size_bytes: float
) -> None:
    k = data.draw(st.integers(0, len(periods) - 1))
    part = data.draw(st.floats(0, 1))
    duration_s, rate = periods[k]
    halves = [(part * duration_s, rate), (duration_s - part * duration_s, rate)]
    whole = Trace.from_periods(periods, end=end)
    cut = Trace.from_periods(periods[:k] + halves + periods[k + 1 :], end=end)
    assert cut.bits_by(t_s) == pytest.approx(whole.bits_by(t_s), rel=1e-12, abs=1e-2)
    before_s, after_s = (whole.finish_time(t_s, size_bytes + d) for d in (-1e-3, 1e-3))
    # A size that ends exactly at an outage has two neighbours on its two sides.
    assert before_s - 1e-9 <= cut.finish_time(t_s, size_bytes) <= after_s + 1e-9


@settings(max_examples=100)
@given(traces(), TIMES, st.floats(1, 1e7), st.floats(0, 1))
def test_a_transfer_can_be_cut_in_two(
    trace: Trace, start_s: float, size_bytes: float, part: float
) -> None:
    middle_s = trace.finish_time(start_s, part * size_bytes)
    assume(middle_s < math.inf)
    end_s = trace.finish_time(middle_s, size_bytes - part * size_bytes)
    low_s, high_s = (trace.finish_time(start_s, size_bytes + d) for d in (-1e-3, 1e-3))
    assert low_s - 1e-9 <= end_s <= high_s + 1e-9


@settings(max_examples=60)
@given(PERIODS, st.sampled_from(WRITABLE), st.booleans())
def test_what_is_written_reads_back(periods: Periods, kind: str, with_rtt: bool) -> None:
    """Same capacity over time, and the text of what was read is the same again."""
    rows = [(*row, 0.05) for row in periods] if with_rtt else periods
    trace = Trace.from_periods(rows)
    data = write_trace(trace, kind)
    back = read_trace(data, name="back")
    assert back.duration_s == pytest.approx(trace.duration_s)
    packet = 12000 if kind == "mahimahi" else 1e-3
    for k in range(9):
        t_s = trace.duration_s * k / 8
        slack = packet + 1e-3 * trace.capacity_bps.max() * (kind == "mahimahi")
        assert back.bits_by(t_s) == pytest.approx(trace.bits_by(t_s), abs=slack, rel=1e-9)
    assert write_trace(back, kind).replace(b"back", b"") == data.replace(b"back", b"")
    if with_rtt and kind in ("json", "csv", "sabre"):
        assert back.rtt_at(0.1, 9) == 0.05


@settings(max_examples=100)
@given(traces(), st.integers(0, 40), st.floats(0, 1))
def test_a_loop_is_the_same_in_every_pass(trace: Trace, rounds: int, part: float) -> None:
    """What a later pass offers by its middle is what the first did, and the ends join."""
    looped = Trace(times_s=trace.times_s, capacity_bps=trace.capacity_bps, end="loop")
    length_s, total = looped.duration_s, looped.bits_by(looped.duration_s)
    t_s = part * length_s
    later = looped.bits_by(rounds * length_s + t_s) - rounds * total
    slack = 1e-9 * (rounds + 1) * (total + length_s * looped.capacity_bps.max())
    assert later == pytest.approx(looped.bits_by(t_s), abs=slack + 1e-3)


@settings(max_examples=100)
@given(PERIODS, ENDS, st.data(), TIMES, st.sampled_from([0.0, 1e6, 9e9]))
def test_periods_of_no_length_change_nothing(
    periods: Periods, end: End, data: st.DataObject, t_s: float, rate: float
) -> None:
    """Whatever their capacity; but at the end of a trace that is held it is what is held."""
    k = data.draw(st.integers(0, len(periods) - (end == "hold")))
    plain = Trace.from_periods(periods, end=end)
    with_more = Trace.from_periods([*periods[:k], (0.0, rate), *periods[k:]], end=end)
    assert with_more.bits_by(t_s) == plain.bits_by(t_s)
    assert with_more.time_of(plain.bits_by(t_s)) == plain.time_of(plain.bits_by(t_s))
    assert with_more.finish_time(t_s, 1e5) == plain.finish_time(t_s, 1e5)


@settings(max_examples=60)
@given(PERIODS, st.integers(1, 30))
def test_a_trace_shorter_than_what_is_played_goes_on_as_if_written_out(
    periods: Periods, segments: int
) -> None:
    """Segment after segment over a loop ends when it would over the loop written many times."""
    loop = Trace.from_periods(periods)
    size_bytes = max(loop.bits_by(loop.duration_s) / 8 / 3, 1.0)
    written = Trace.from_periods(periods * (segments // 3 + 2), end="end")
    at_s = also_s = 0.0
    for _ in range(segments):
        at_s = loop.finish_time(at_s, size_bytes)
        also_s = written.finish_time(also_s, size_bytes - 1e-3)
        assert also_s <= at_s + 1e-6
        assert math.isfinite(at_s)
    share = loop.bits_by(at_s) / 8 / (segments * size_bytes)
    assert share == pytest.approx(1, rel=1e-9)


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(st.floats(0, 9), st.floats(0, 2e7), st.floats(0, 2), st.floats(0, 1)),
        min_size=1,
        max_size=6,
    ).filter(lambda rows: sum(row[0] * row[1] for row in rows) > 1e4),
    st.sampled_from(WRITABLE),
)
def test_a_round_trip_stays_within_a_packet_a_second(
    rows: list[tuple[float, float, float, float]], kind: str
) -> None:
    """Cumulated bits never differ by more than 1500 bytes for each second gone by."""
    trace = Trace.from_periods(rows)
    back = read_trace(write_trace(trace, kind), name="back", format=kind)
    times = np.linspace(0, trace.duration_s, 40)
    for t_s in [*times.tolist(), *range(int(trace.duration_s) + 1)]:
        packets = 12000 * max(1.0, t_s)
        # Mahimahi knows whole milliseconds: in between, it is off by what one of them carries.
        between = kind == "mahimahi" and t_s != int(t_s)
        grid = 1e-3 * trace.capacity_bps.max() if between else 0.0
        assert abs(back.bits_by(t_s) - trace.bits_by(t_s)) <= packets + grid
    if kind in ("json", "csv"):
        assert back.loss_ratio is not None
        assert back.loss_ratio.tolist() == pytest.approx([row[3] for row in rows], rel=1e-12)


@settings(max_examples=100)
@given(
    st.binary(max_size=60)
    | st.text('0123456789.,-+eE \t\n#[]{}:"nainft_skbprm', max_size=60).map(str.encode)
)
def test_garbage_raises_our_error_and_no_other(data: bytes) -> None:
    for kind in (None, *FORMATS):
        try:
            trace = read_trace(data, name="x", format=kind)
        except TraceFormatError as exc:
            assert str(exc).startswith("x")
            assert "\n" not in str(exc)
        else:
            assert trace.duration_s > 0
