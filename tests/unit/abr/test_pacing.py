"""When bytes may leave a shaper."""

from __future__ import annotations

import pytest

from abr.pacing import Pacer
from abr.trace import Trace

STEPS = Trace.from_periods([(1, 8e6), (1, 0), (1, 16e6)])


def test_a_busy_link_follows_the_integral_of_the_trace() -> None:
    """1 MB in the first second, an outage, then twice as fast."""
    pacer = Pacer(STEPS)
    assert pacer.departure_s(5e5) == 0.5
    pacer.spend(1e6)
    assert pacer.departure_s(5e5) == 2.25
    assert pacer.allowance_bytes(2.5) == 1e6


def test_late_timers_lose_no_capacity() -> None:
    """What was not sent in time may be sent at once, as long as data was waiting."""
    pacer = Pacer(STEPS)
    pacer.resume(0)
    assert pacer.allowance_bytes(0.9) == pytest.approx(9e5)


def test_after_silence_little_may_burst() -> None:
    pacer = Pacer(STEPS, saved_s=0.02)
    pacer.resume(0.9)
    assert pacer.allowance_bytes(0.9) == pytest.approx(2e4)
    pacer.spend(2e4)
    pacer.resume(0.9)
    assert pacer.allowance_bytes(0.9) == 0


def test_nothing_may_leave_ahead_of_the_trace() -> None:
    pacer = Pacer(STEPS)
    pacer.spend(5e5)
    assert pacer.allowance_bytes(0.25) == 0
    with pytest.raises(ValueError, match="saved_s"):
        Pacer(STEPS, saved_s=-1)
