"""A trace as rates of the kernel's filter."""

from itertools import islice

import pytest

from abr.trace import Trace
from player.shaping.tbf import FLOOR_BPS, FRAME_BYTES, burst_bytes, rate_text, steps, wire_bps

PAYLOAD_BPS = 1448e3
WIRE_BPS = 1_514_000


def test_rates_are_those_of_whole_frames() -> None:
    assert wire_bps(PAYLOAD_BPS) == WIRE_BPS


def test_an_outage_is_the_floor_and_never_zero() -> None:
    assert wire_bps(0.0) == FLOOR_BPS


def test_only_changes_are_steps() -> None:
    trace = Trace.from_periods([(1, PAYLOAD_BPS), (2, PAYLOAD_BPS), (1, 0.0)], end="hold")
    assert list(steps(trace)) == [(0.0, WIRE_BPS), (3.0, FLOOR_BPS)]


def test_a_loop_goes_on() -> None:
    trace = Trace.from_periods([(1, PAYLOAD_BPS), (1, 0.0)])
    times = [step.at_s for step in islice(steps(trace), 6)]
    assert times == [0, 1, 2, 3, 4, 5]


def test_a_loop_of_one_rate_needs_one_step() -> None:
    assert len(list(steps(Trace.constant(1e6)))) == 1


def test_a_trace_that_ends_ends_at_the_floor() -> None:
    trace = Trace.from_periods([(2, PAYLOAD_BPS)], end="end")
    assert list(steps(trace)) == [(0.0, WIRE_BPS), (2.0, FLOOR_BPS)]


def test_periods_without_length_are_passed_over() -> None:
    trace = Trace.from_periods([(0, 5e6), (1, PAYLOAD_BPS)], end="hold")
    assert [step.rate_bps for step in steps(trace)] == [WIRE_BPS]


def test_rates_are_spelled_in_bits() -> None:
    assert rate_text(2_000_000) == "2000000bit"


@pytest.mark.parametrize("bps", [1e3, 1e6, 1e9])
def test_the_bucket_holds_a_millisecond_and_two_frames(bps: float) -> None:
    size_bytes = burst_bytes(Trace.constant(bps))
    assert size_bytes >= 2 * FRAME_BYTES
    assert size_bytes >= bps / 8000
