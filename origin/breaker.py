"""A circuit breaker of one thing that is asked, such as a parent: closed, open, half-open.

While it is closed all requests pass and their outcomes are counted over a window. When enough
of them failed, or were slow, it opens: nothing passes for the sleep window. Then exactly one
request passes as a probe, and its outcome closes the breaker or opens it again, for twice as
long each time up to a limit. A probe that is given up (its client left) hands its place to the
next request. Requests that wait for longer than a slow call may take count before they end, so a
parent that is frozen is noticed before the first time limit runs out.

Sources: Nygard, "Release It!" (pattern "Circuit Breaker"); slow-call rate as in resilience4j.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from origin.outcomes import Window

State = Literal["closed", "open", "half-open"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerRules:
    """When a breaker opens, and for how long."""

    window_s: float = 10.0
    """Outcomes are counted over this long."""
    volume: int = 8
    """Fewer outcomes in the window never open it."""
    failed_share: float = 0.5
    """It opens when this share of the outcomes failed."""
    slow_share: float = 0.8
    """It opens when this share was slow."""
    slow_s: float = 2.0
    """A first byte later than this is slow."""
    in_a_row: int = 5
    """So many failures without a success between them open it, whatever the volume."""
    sleep_s: float = 1.0
    """How long it stays open at first."""
    longest_sleep_s: float = 30.0
    """How long it stays open at most, after failed probes."""


class Permit:
    """Permission for one request; ended once, by ``CircuitBreaker.record`` or ``give_up``."""

    __slots__ = ("begun_s", "ended", "is_probe")

    def __init__(self, *, is_probe: bool, begun_s: float) -> None:
        self.is_probe = is_probe
        self.begun_s = begun_s
        self.ended = False

    def __repr__(self) -> str:
        kind = "probe" if self.is_probe else "request"
        return f"<Permit of a {kind}, {'ended' if self.ended else 'under way'}>"


class CircuitBreaker:
    """The breaker of one thing that is asked."""

    def __init__(self, rules: BreakerRules) -> None:
        self.rules = rules
        self._window = Window(rules.window_s)
        self._state: State = "closed"
        self._failures_in_a_row = 0
        self._sleeps = 0
        self._open_until_s = float("-inf")
        self._probe: Permit | None = None
        self._waiting: dict[Permit, None] = {}  # in the order in which they began
        self._has_failed = False
        self.is_soft = False
        """It was opened by answers that came late, and by no failure: it may be well."""

    def __repr__(self) -> str:
        return f"<CircuitBreaker {self._state}, {self._failures_in_a_row} failures in a row>"

    def opens_in_s(self, now_s: float) -> float:
        """Seconds until a probe may pass; 0 when something may pass now."""
        return max(0.0, self._open_until_s - now_s) if self._state == "open" else 0.0

    def state(self, now_s: float) -> State:
        """``half-open`` once the sleep window is over, until a probe has ended."""
        if self._state == "open" and now_s >= self._open_until_s:
            return "half-open"
        return self._state

    def would_allow(self, now_s: float) -> bool:
        """Whether ``allow`` would give a permit now."""
        if self._state == "closed" and self._overdue(now_s) >= self.rules.in_a_row:
            self._has_failed = True
            self._open(now_s)
        state = self.state(now_s)
        return state == "closed" or (state == "half-open" and self._probe is None)

    def allow(self, now_s: float) -> Permit | None:
        """A permit for one request, or None: ask another, or nobody."""
        if not self.would_allow(now_s):
            return None
        if self.state(now_s) == "closed":
            permit = Permit(is_probe=False, begun_s=now_s)
            self._waiting[permit] = None
            return permit
        self._state = "half-open"
        self._probe = Permit(is_probe=True, begun_s=now_s)
        return self._probe

    def insist(self, now_s: float) -> Permit:
        """A permit although it is open: nobody else can be asked either, and it ``is_soft``."""
        return Permit(is_probe=False, begun_s=now_s)

    def record(
        self,
        permit: Permit,
        *,
        failed: bool,
        wait_s: float,
        now_s: float,
        was_late: bool = False,
    ) -> None:
        """Note how a permitted request ended.

        Args:
            permit: Its permit.
            failed: No usable answer came.
            wait_s: Seconds to the first byte, or until it failed.
            now_s: When it ended.
            was_late: It failed only in that another answered earlier.
        """
        if permit.ended:
            return
        permit.ended = True
        self._waiting.pop(permit, None)
        slow = wait_s > self.rules.slow_s
        if permit.is_probe:
            self._has_failed |= failed and not was_late
            self._end_probe(permit, failed=failed or slow, now_s=now_s)
            return
        if self._state != "closed":
            return  # it began before the breaker opened, and says nothing new
        self._window.add(now_s=now_s, failed=failed, slow=slow)
        self._failures_in_a_row = self._failures_in_a_row + 1 if failed else 0
        self._has_failed = failed and (self._has_failed or not was_late)
        if self._is_too_bad(now_s):
            self._open(now_s)

    def give_up(self, permit: Permit) -> None:
        """End a permit without an outcome: nobody waits for the request any more."""
        permit.ended = True
        self._waiting.pop(permit, None)
        if self._probe is permit:
            self._probe = None

    def _overdue(self, now_s: float) -> int:
        count = 0
        for permit in self._waiting:
            if now_s - permit.begun_s <= self.rules.slow_s or count == self.rules.in_a_row:
                break
            count += 1
        return count

    def _is_too_bad(self, now_s: float) -> bool:
        if self._failures_in_a_row >= self.rules.in_a_row:
            return True
        tally = self._window.tally(now_s)
        return tally.ended >= self.rules.volume and (
            tally.failed_share >= self.rules.failed_share
            or tally.slow_share >= self.rules.slow_share
        )

    def _end_probe(self, permit: Permit, *, failed: bool, now_s: float) -> None:
        if self._probe is not permit:
            return
        self._probe = None
        if failed:
            self._open(now_s)
            return
        self._state = "closed"
        self._sleeps = 0
        self._failures_in_a_row = 0
        self._has_failed = False
        self._window.clear()

    def _open(self, now_s: float) -> None:
        sleep_s = min(self.rules.sleep_s * 2.0**self._sleeps, self.rules.longest_sleep_s)
        self._sleeps = min(self._sleeps + 1, 30)
        self._state = "open"
        self.is_soft = not self._has_failed
        self._open_until_s = now_s + sleep_s
        self._window.clear()
        self._failures_in_a_row = 0
        self._waiting.clear()
