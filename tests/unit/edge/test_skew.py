"""What the Date of an answer says about two clocks."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.skew import correction_s


@pytest.mark.parametrize(
    ("date_s", "asked_s", "arrived_s", "added_s"),
    [
        (None, 0.0, 1.0, 0.0),
        (1000, 1000.2, 1000.3, 0.0),
        (1000, 999.5, 1000.1, 0.0),
        (1000, 1000.99, 1001.4, 0.0),  # it was written just before the second ended
        (1000, 8200.5, 8200.6, -7199.5),  # ours is two hours ahead
        (8200, 1000.5, 1000.6, 7199.4),  # and behind
        (1006, 1000.0, 1000.1, 5.9),
    ],
)
def test_a_clock_is_corrected_by_what_is_certain(
    date_s: int | None, asked_s: float, arrived_s: float, added_s: float
) -> None:
    found = correction_s(date_s, asked_s=asked_s, arrived_s=arrived_s)
    assert found == pytest.approx(added_s, abs=1e-6)


@given(
    off_s=st.floats(-1e5, 1e5),
    there_s=st.floats(0.0, 5.0),
    back_s=st.floats(0.0, 5.0),
    begin_s=st.floats(2e5, 4e5),
)
def test_what_remains_is_at_most_the_wait_and_a_second(
    off_s: float, there_s: float, back_s: float, begin_s: float
) -> None:
    """Whatever the clocks, and however the wait is shared between the two ways."""
    date_s = math.floor(begin_s + there_s - off_s)
    added_s = correction_s(date_s, asked_s=begin_s, arrived_s=begin_s + there_s + back_s)
    assert abs(added_s + off_s) <= there_s + back_s + 1.0 + 1e-6
    assert abs(added_s) <= abs(off_s) + 1e-6
