"""The circuit breaker of one parent."""

from __future__ import annotations

import pytest

from origin.breaker import BreakerRules, CircuitBreaker, Permit

RULES = BreakerRules(
    window_s=10, volume=8, failed_share=0.5, slow_share=0.8, slow_s=2, in_a_row=5, sleep_s=1
)


def run(breaker: CircuitBreaker, now_s: float, *, failed: bool, wait_s: float = 0.1) -> None:
    """One request that ends at once."""
    permit = breaker.allow(now_s)
    assert permit is not None
    breaker.record(permit, failed=failed, wait_s=wait_s, now_s=now_s)


def opened(at_s: float = 0.0) -> CircuitBreaker:
    """A breaker that five failures in a row have opened."""
    breaker = CircuitBreaker(RULES)
    for _ in range(5):
        run(breaker, at_s, failed=True)
    return breaker


def test_failures_in_a_row_open_it() -> None:
    """The fifth failure opens; nothing passes until the sleep window is over."""
    breaker = opened()
    assert breaker.state(0.0) == "open"
    assert breaker.allow(0.99) is None
    assert breaker.opens_in_s(0.25) == 0.75


def test_a_success_between_failures_starts_the_row_anew() -> None:
    """Four failures, a success and three failures are 7 of 8: the share opens it, not the row."""
    breaker = CircuitBreaker(RULES)
    for failed in (True, True, True, True, False, True, True):
        run(breaker, 0.0, failed=failed)
    assert breaker.state(0.0) == "closed"  # 7 outcomes: below the volume
    run(breaker, 0.0, failed=True)
    assert breaker.state(0.0) == "open"


def test_few_failures_among_many_leave_it_closed() -> None:
    """A third of failures is below the share of one half."""
    breaker = CircuitBreaker(RULES)
    for number in range(300):
        run(breaker, number * 0.01, failed=number % 3 == 0)
    assert breaker.state(3.0) == "closed"


def test_old_outcomes_leave_the_window() -> None:
    """Seven failures count no more after ten seconds."""
    breaker = CircuitBreaker(RULES)
    for failed in (True, True, True, False, True, True, True):
        run(breaker, 0.0, failed=failed)
    run(breaker, 11.0, failed=True)
    assert breaker.state(11.0) == "closed"


def test_slow_answers_open_it() -> None:
    """Eight answers of 3 s each: none failed, all slow."""
    breaker = CircuitBreaker(RULES)
    for _ in range(8):
        run(breaker, 0.0, failed=False, wait_s=3.0)
    assert breaker.state(0.0) == "open"


def test_requests_without_an_end_open_it() -> None:
    """A frozen parent answers nothing at all: five waits over 2 s open the breaker."""
    breaker = CircuitBreaker(RULES)
    permits = [breaker.allow(0.1 * number) for number in range(5)]
    assert all(permits)
    assert breaker.would_allow(2.3)  # four waits are over 2 s, the fifth began at 0.4
    assert not breaker.would_allow(2.5)


def test_exactly_one_of_fifty_passes_when_half_open() -> None:
    """A parent that comes back is asked once, not by everybody."""
    breaker = opened()
    permits = [breaker.allow(1.0) for _ in range(50)]
    assert [permit for permit in permits if permit] == permits[:1]
    assert breaker.state(1.0) == "half-open"


def test_a_good_probe_closes_it_and_a_failed_one_doubles_the_sleep() -> None:
    """1 s, then 2 s, then closed."""
    breaker = opened()
    run(breaker, 1.0, failed=True)
    assert breaker.allow(2.9) is None
    run(breaker, 3.0, failed=False)
    assert breaker.state(3.0) == "closed"


def test_the_sleep_window_has_a_limit() -> None:
    """However often a probe fails, the next one comes within ``longest_sleep_s``."""
    breaker, now_s = opened(), 0.0
    for _ in range(40):
        now_s += breaker.opens_in_s(now_s)
        run(breaker, now_s, failed=True)
    assert breaker.opens_in_s(now_s) == RULES.longest_sleep_s


def test_a_slow_probe_is_a_failed_one() -> None:
    """A parent that takes 3 s is not well again."""
    breaker = opened()
    run(breaker, 1.0, failed=False, wait_s=3.0)
    assert breaker.state(1.5) == "open"


def test_a_probe_that_is_given_up_frees_its_place() -> None:
    """The client of the probe left: the next request becomes the probe."""
    breaker = opened()
    probe = breaker.allow(1.0)
    assert isinstance(probe, Permit)
    breaker.give_up(probe)
    following = breaker.allow(1.0)
    assert following is not None
    assert following.is_probe


def test_late_outcomes_of_earlier_requests_do_not_close_it() -> None:
    """A request from before the breaker opened succeeds late: it stays open."""
    breaker = CircuitBreaker(RULES)
    early = breaker.allow(0.0)
    assert early is not None
    for _ in range(5):
        run(breaker, 0.0, failed=True)
    breaker.record(early, failed=False, wait_s=0.5, now_s=0.5)
    assert breaker.state(0.5) == "open"


@pytest.mark.parametrize("failed", [True, False])
def test_a_permit_counts_once(failed: bool) -> None:
    """Recording a permit twice, or after giving it up, changes nothing."""
    breaker = CircuitBreaker(RULES)
    for _ in range(10):
        permit = breaker.allow(0.0)
        assert permit is not None
        breaker.give_up(permit)
        breaker.record(permit, failed=failed, wait_s=0.1, now_s=0.0)
    assert breaker.state(0.0) == "closed"
