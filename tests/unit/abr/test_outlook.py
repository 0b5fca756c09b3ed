"""What plans can still gain: bits spent where they buy most."""

from __future__ import annotations

import numpy as np
import pytest

from abr.planning.model import Problem, Weights, known_link
from abr.planning.outlook import bits_by_each, hopeful_plans, outlook_of
from abr.trace import Trace

LINK = known_link(Trace.constant(8e6), rtt_s=0.0, overhead_bytes=0.0, server_s=0.0)
"""A megabyte each second."""


def problem(sizes_bytes: list[list[float]], utility: list[float]) -> Problem:
    return Problem(
        np.array(utility),
        np.array(sizes_bytes),
        np.full(len(sizes_bytes[0]), 4.0),
        LINK,
        Weights(4.3, 4.3, 1.0),
        30.0,
        np.zeros(0),
        np.zeros(len(sizes_bytes)),
        np.zeros(0),
        np.zeros(0),
    )


def test_the_segment_in_which_bits_buy_most_comes_first() -> None:
    """Rung 1 adds 1 to either segment: for 300 bytes in the first, for 100 in the second."""
    outlook = outlook_of(problem([[100, 100], [400, 200]], [1.0, 2.0]))
    assert outlook.least_bits.tolist() == [1600, 800]
    assert outlook.least_utility.tolist() == [2, 1]
    assert outlook.more_bits.tolist() == [[0, 800, 3200], [0, 800, 800]]
    assert outlook.more_utility.tolist() == [[0, 1, 2], [0, 1, 1]]


def test_where_a_higher_rung_is_smaller_its_bytes_are_the_fewest() -> None:
    """Of the first segment rung 1 needs 100 bytes, rung 0 300: no plan needs more than 100."""
    outlook = outlook_of(problem([[300, 100], [100, 200]], [1.0, 2.0]))
    assert outlook.least_bits.tolist() == [1600, 800]
    assert outlook.more_bits.tolist() == [[0, 0, 800], [0, 0, 800]]


def test_a_rung_that_never_pays_is_passed_over() -> None:
    """Rung 1 buys 0.1 for 300 bytes, rung 2 buys 2 for 400: nobody would stop at rung 1."""
    outlook = outlook_of(problem([[100], [400], [500]], [1.0, 1.1, 3.0]))
    assert outlook.more_bits.tolist() == [[0, 3200]]
    assert outlook.more_utility.tolist() == [[0, 2]]


def test_bits_are_those_that_the_link_offers_by_then() -> None:
    offered = bits_by_each(LINK, np.array([1.0, 2.5]), 0.5)
    assert offered.tolist() == pytest.approx([12e6, 24e6])


@pytest.mark.parametrize(
    ("least_score", "hopeful"), [(1.0, [0, 1]), (1.5, [0, 1]), (1.6, [0]), (2.0, [0]), (2.1, [])]
)
def test_plans_that_cannot_reach_a_score_are_dropped(
    least_score: float, hopeful: list[int]
) -> None:
    """One segment is left: a megabyte for 1, another for 1 more.

    By when it is due, two megabytes can still come to the first plan and one to the second.
    A stall costs 100 a second, but the bound gives the first half second away.
    """
    left = outlook_of(problem([[1e6], [2e6]], [1.0, 2.0]))
    kept = hopeful_plans(
        left,
        0,
        LINK,
        offered_bits=np.array([8e6, 8e6]),
        due_s=np.array([3.0, 2.0]),
        scores=np.zeros(2),
        stall_per_s=100.0,
        least_score=least_score,
    )
    assert kept.tolist() == hopeful


def test_a_cheap_stall_keeps_a_plan_alive() -> None:
    """Late by a second, for 0.1 a second, the second plan comes to nearly 2 as well."""
    left = outlook_of(problem([[1e6], [2e6]], [1.0, 2.0]))
    kept = hopeful_plans(
        left, 0, LINK, np.array([8e6]), np.array([2.0]), np.zeros(1), 0.1, least_score=1.8
    )
    assert kept.tolist() == [0]
