"""Hand-computed questions to a trace."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest

from abr.errors import TraceFormatError
from abr.trace import Trace

# 8 Mbit in the first second, nothing for two, 16 Mbit in the fourth: 24 Mbit in 4 s.
STEPS = Trace.from_periods([(1, 8e6), (2, 0), (1, 16e6)], name="steps")


def test_duration_and_mean_are_those_of_one_pass() -> None:
    assert STEPS.duration_s == 4
    assert STEPS.mean_bps == 6e6


@pytest.mark.parametrize(
    ("t_s", "bits"),
    [
        (-1, 0),
        (0, 0),
        (0.5, 4e6),
        (1, 8e6),
        (2.7, 8e6),
        (3.25, 12e6),
        (4, 24e6),
        (5.5, 32e6),
        (404, 2424e6),
    ],
)
def test_bits_by_is_the_integral_of_the_capacity(t_s: float, bits: float) -> None:
    assert STEPS.bits_by(t_s) == bits


@pytest.mark.parametrize(
    ("bits", "t_s"),
    [(0, 0), (4e6, 0.5), (8e6, 1), (8e6 + 16, 3 + 1e-6), (24e6, 4), (32e6, 5), (2400e6, 400)],
)
def test_time_of_is_the_earliest_time(bits: float, t_s: float) -> None:
    assert STEPS.time_of(bits) == pytest.approx(t_s, abs=1e-12)


def test_the_last_bit_before_an_outage_arrives_before_it() -> None:
    """Also when the outage is at the end of the pass, and however the sums round."""
    trace = Trace.from_periods([(1, 3e6), (9, 0)])
    assert trace.time_of(3e6) == 1
    assert trace.time_of(30e6) == 91
    third = trace.time_of(1e6)
    assert trace.finish_time(third, 2e6 / 8) == pytest.approx(1)


def test_a_transfer_waits_out_an_outage() -> None:
    """4 Mbit by 1 s, none until 3 s, the other 4 Mbit at 16 Mbit/s."""
    assert STEPS.finish_time(0.5, 1e6) == 3.25


def test_a_transfer_of_nothing_takes_no_time() -> None:
    assert STEPS.finish_time(2.0, 0) == 2.0


def test_end_rules_decide_what_follows_the_last_period() -> None:
    periods = [(1, 8e6), (1, 4e6)]
    loop, hold, end = (Trace.from_periods(periods, end=e) for e in ("loop", "hold", "end"))
    assert [t.bits_by(3) for t in (loop, hold, end)] == [20e6, 16e6, 12e6]
    assert [t.time_of(16e6) for t in (loop, hold, end)] == [2.5, 3, math.inf]
    assert [t.capacity_at(2.5) for t in (loop, hold, end)] == [8e6, 4e6, 0]


def test_a_link_held_at_nothing_never_delivers_more() -> None:
    trace = Trace.from_periods([(1, 8e6), (1, 0)], end="hold")
    assert trace.time_of(8e6) == 1
    assert trace.time_of(8e6 + 1) == math.inf


def test_capacity_and_round_trip_time_at_a_bound_are_those_of_the_period_beginning() -> None:
    trace = Trace.from_periods([(1, 8e6, 0.1), (0, 5e6, 0.9), (1, 4e6, 0.2)])
    assert [trace.capacity_at(t) for t in (0, 0.999, 1, 2)] == [8e6, 8e6, 4e6, 8e6]
    assert [trace.rtt_at(t, 9) for t in (0, 1, 1.5, 2.5, 3)] == [0.1, 0.2, 0.2, 0.1, 0.2]
    assert STEPS.rtt_at(1, 0.04) == 0.04


def test_constant_is_the_same_for_ever() -> None:
    trace = Trace.constant(8e6)
    assert trace.finish_time(1e5, 1e6) == pytest.approx(1e5 + 1)
    assert trace.capacity_at(1e9) == 8e6


def test_digest_depends_on_everything_but_the_name() -> None:
    periods = [(1.0, 8e6, 0.1), (1.0, 4e6, 0.1)]
    same = Trace.from_periods(periods, name="a").digest()
    assert Trace.from_periods(periods, name="b").digest() == same
    assert Trace.from_periods(periods, end="hold").digest() != same
    assert Trace.from_periods([p[:2] for p in periods]).digest() != same


def test_losses_are_part_of_the_digest_only_when_there_are_any() -> None:
    """Logs written before traces held losses name digests that must stay."""
    plain = Trace.from_periods([(1, 1e6, 0.1), (2, 0, 0.1)])
    lossy = Trace.from_periods([(1, 1e6, 0.1, 0.02), (2, 0, 0.1, 0)])
    assert plain.digest().startswith("e0cb3481d732f8e8")
    assert Trace.from_periods([(1, 1e6), (2, 0)]).digest().startswith("1b7abf5e865b4cc5")
    assert len({plain.digest(), lossy.digest()}) == 2
    assert [plain.loss_at(0), lossy.loss_at(0), lossy.loss_at(2.5), lossy.loss_at(3)] == [
        0,
        0.02,
        0,
        0.02,
    ]


def test_arrays_are_read_only_and_copies() -> None:
    mine = np.array([1e6])
    trace = Trace(times_s=np.array([0.0, 1.0]), capacity_bps=mine)
    mine[0] = 5
    assert trace.capacity_bps[0] == 1e6
    with pytest.raises(ValueError, match="read-only"):
        trace.capacity_bps[0] = 1


def test_a_trace_can_be_sent_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(STEPS)).time_of(32e6) == 5


@pytest.mark.parametrize(
    ("periods", "says"),
    [
        ([], "periods have"),
        ([(1, 1e6), (1, 1e6, 0.1)], "for all of them"),
        ([(0, 1e6)], "lasts 0 s"),
        ([(1, 0), (5, 0)], "never delivers"),
        ([(1, 1e6), (-0.5, 1e6)], "times must not decrease"),
        ([(1, -1)], "capacity_bps is -1 in period 0"),
        ([(1, math.nan)], "capacity_bps is nan"),
        ([(math.inf, 1)], "finite"),
        ([(1, 1e6, -0.1)], "rtt_s is -0.1"),
        ([(1, 1e6, 0.1, 1.5)], "loss_ratio is 1.5 in period 0; expected a number from 0 to 1"),
        ([(1e200, 1e200)], "offers inf bits"),
    ],
)
def test_unusable_periods_are_refused(periods: list[tuple[float, ...]], says: str) -> None:
    with pytest.raises(TraceFormatError, match=says):
        Trace.from_periods(periods, name="bad")


def test_shapes_and_end_rule_are_checked() -> None:
    with pytest.raises(TraceFormatError, match="one time more"):
        Trace(times_s=np.array([0.0, 1, 2]), capacity_bps=np.array([1e6]))
    with pytest.raises(TraceFormatError, match="start at 0"):
        Trace(times_s=np.array([1.0, 2]), capacity_bps=np.array([1e6]))
    with pytest.raises(TraceFormatError, match="end rule 'stop'"):
        Trace(times_s=np.array([0.0, 2]), capacity_bps=np.array([1e6]), end="stop")  # type: ignore[arg-type]  # the point
    with pytest.raises(TraceFormatError, match="2 values of rtt_s"):
        Trace(times_s=np.array([0.0, 2]), capacity_bps=np.array([1e6]), rtt_s=np.ones(2))


def test_another_name_is_all_that_changes() -> None:
    other = STEPS.named("other")
    assert (other.name, other.digest()) == ("other", STEPS.digest())
    assert other.bits_by(1.5) == STEPS.bits_by(1.5)
    assert STEPS.name != "other"
    assert not other.capacity_bps.flags.writeable
