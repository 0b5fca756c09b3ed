"""Pieces of traces, faster and slower ones, several in a row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abr.errors import InputError, TraceFormatError
from abr.trace import Trace
from abr.traceedit import average, concatenate, cut, scale, scale_to_mean

STEPS = Trace.from_periods(
    [(1, 4e6, 0.1, 0.01), (2, 1e6, 0.2, 0.02), (1, 0, 0.3, 0.03)], name="steps", end="hold"
)


def test_a_piece_counts_from_its_own_start() -> None:
    """From 0.5 s to 3.5 s: half of the first period, the second, half of the last."""
    piece = cut(STEPS, 0.5, 3.5)
    assert piece.times_s.tolist() == [0, 0.5, 2.5, 3]
    assert piece.capacity_bps.tolist() == [4e6, 1e6, 0]
    assert piece.rtt_s is not None
    assert piece.loss_ratio is not None
    assert piece.rtt_s.tolist() == [0.1, 0.2, 0.3]
    assert piece.loss_ratio.tolist() == [0.01, 0.02, 0.03]
    assert (piece.name, piece.end) == ("steps", "hold")


def test_a_piece_at_bounds_takes_whole_periods() -> None:
    assert cut(STEPS, 1, 3).capacity_bps.tolist() == [1e6]
    assert cut(STEPS, 0).digest() == STEPS.digest()
    assert cut(STEPS, 1.25, 1.5).times_s.tolist() == [0, 0.25]


@pytest.mark.parametrize("ends", [(-1, 2), (2, 2), (3, 2), (0, 4.5), (4, None), (float("nan"), 2)])
def test_a_piece_lies_inside(ends: tuple[float, float | None]) -> None:
    with pytest.raises(InputError, match=r"^steps: a piece .* expected"):
        cut(STEPS, *ends)


def test_a_piece_of_nothing_but_outage_is_refused() -> None:
    with pytest.raises(TraceFormatError, match="steps: offers 0 bits"):
        cut(STEPS, 3)


def test_scaling_changes_capacity_only() -> None:
    """Mean (4 + 2 + 0) / 4 = 1.5 Mbit/s."""
    fast = scale(STEPS, 2)
    assert fast.capacity_bps.tolist() == [8e6, 2e6, 0]
    assert fast.times_s.tolist() == STEPS.times_s.tolist()
    assert fast.rtt_s is not None
    assert fast.rtt_s.tolist() == [0.1, 0.2, 0.3]
    assert scale_to_mean(STEPS, 3e6).digest() == fast.digest()


@pytest.mark.parametrize("bad", [0, -1, float("inf"), float("nan")])
def test_a_factor_is_a_number_above_nothing(bad: float) -> None:
    with pytest.raises(InputError, match="factor"):
        scale(STEPS, bad)
    with pytest.raises(InputError, match="Mbit/s"):
        scale_to_mean(STEPS, bad)


def test_traces_in_a_row() -> None:
    """Times go on; a trace without losses loses nothing; the last decides what follows."""
    tail = Trace.from_periods([(1, 7e6, 0.5)], end="loop", name="tail")
    both = concatenate([STEPS, tail], name="both")
    assert both.times_s.tolist() == [0, 1, 3, 4, 5]
    assert both.capacity_bps.tolist() == [4e6, 1e6, 0, 7e6]
    assert both.rtt_s is not None
    assert both.loss_ratio is not None
    assert both.rtt_s.tolist() == [0.1, 0.2, 0.3, 0.5]
    assert both.loss_ratio.tolist() == [0.01, 0.02, 0.03, 0]
    assert (both.name, both.end) == ("both", "loop")


def test_delays_of_some_only_need_a_word() -> None:
    plain = Trace.from_periods([(1, 7e6)], name="plain")
    assert concatenate([plain, plain]).rtt_s is None
    with pytest.raises(TraceFormatError, match="plain: no round-trip times"):
        concatenate([STEPS, plain])
    filled = concatenate([STEPS, plain], rtt_s=0.04).rtt_s
    assert filled is not None
    assert filled.tolist() == [0.1, 0.2, 0.3, 0.04]
    with pytest.raises(InputError, match="no traces"):
        concatenate([])


@given(st.floats(0.01, 3.99))
def test_two_pieces_in_a_row_offer_what_the_whole_does(at_s: float) -> None:
    trace = Trace.from_periods([(1, 4e6), (2, 1e6), (1, 3e6)])
    again = concatenate([cut(trace, 0, at_s), cut(trace, at_s)])
    for t_s in (0.3, 1, 1.7, 3.2, 4):
        assert again.bits_by(t_s) == pytest.approx(trace.bits_by(t_s))


def test_means_over_time_keep_what_is_offered() -> None:
    """4 and 1 make 2.5 Mbit/s; 1 and 0 make 0.5; the rest of 2.5 s pieces is shorter."""
    assert average(STEPS, 2).capacity_bps.tolist() == [2.5e6, 0.5e6]
    uneven = average(STEPS, 2.5)
    assert uneven.times_s.tolist() == [0, 2.5, 4]
    assert uneven.bits_by(2.5) == STEPS.bits_by(2.5)
    assert (uneven.end, uneven.rtt_s) == ("hold", None)
    assert average(STEPS, 99).capacity_bps.tolist() == [1.5e6]
    assert len(average(Trace.from_periods([(0.3, 1e6)]), 0.1).capacity_bps) == 3


@pytest.mark.parametrize("bad", [0, -1, float("nan"), float("inf"), 1e-9])
def test_means_need_a_sensible_time(bad: float) -> None:
    with pytest.raises(InputError, match="steps: means over"):
        average(STEPS, bad)
