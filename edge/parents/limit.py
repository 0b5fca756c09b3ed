"""How many requests one parent is sent at a time, learned from how long it takes.

The limit grows while waits for a first byte stay near the shortest ones, and shrinks when they
grow, so that the queue at an overloaded parent stays short. Requests over the limit wait here,
in order of urgency and only so many: playback goes before prefetch, and prefetch leaves a part
of the limit free.

Source: "Performance under load" (Netflix technology blog, 2018) and the gradient limit of its
library concurrency-limits: limit = limit * gradient + queue, gradient = base wait / wait.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Urgency = Literal["playback", "prefetch"]
"""Whether a viewer waits for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRules:
    """Bounds of the limit."""

    least: int = 4
    most: int = 256
    initial: int = 64
    tolerance: float = 2.0
    """Waits up to so many times the base do not shrink the limit."""
    smoothing: float = 0.2
    """Weight of one new limit against the old one."""
    prefetch_share: float = 0.5
    """Prefetch may use this share of the limit."""
    least_wait_s: float = 0.02
    """Shorter waits count as this: noise of a fast network shrinks nothing."""


class ConcurrencyLimit:
    """Requests in flight to one parent."""

    def __init__(self, rules: LimitRules) -> None:
        self._rules = rules
        self._limit = float(min(max(rules.initial, rules.least), rules.most))
        self._base_s: float | None = None
        self._in_flight = 0

    def __repr__(self) -> str:
        return f"<ConcurrencyLimit {self._in_flight} in flight, at most {self.limit}>"

    @property
    def limit(self) -> int:
        """Most requests in flight now."""
        return int(self._limit)

    @property
    def in_flight(self) -> int:
        """Requests in flight."""
        return self._in_flight

    def has_room(self, urgency: Urgency) -> bool:
        """Whether one more request may be sent."""
        share = 1.0 if urgency == "playback" else self._rules.prefetch_share
        return self._in_flight < max(1, math.floor(self.limit * share))

    def enter(self) -> None:
        """One more request is sent."""
        self._in_flight += 1

    def leave(self) -> None:
        """A request got its head, failed, or was given up: its connection is free again."""
        self._in_flight -= 1
        assert self._in_flight >= 0, "left more often than entered"

    def learn(self, wait_s: float, *, failed: bool) -> None:
        """Adjust the limit to one wait for a first byte."""
        rules = self._rules
        wait_s = max(wait_s, rules.least_wait_s)
        if failed:
            self._limit = max(rules.least, self._limit * 0.9)
            return
        if self._base_s is None or wait_s < self._base_s:
            self._base_s = wait_s
        else:
            # The base drifts up slowly: a parent that became slower for good is not throttled
            # for ever.
            self._base_s += (wait_s - self._base_s) * 0.01
        if self._in_flight * 2 < self._limit:
            return  # the limit was not what made it wait
        gradient = max(0.5, min(1.0, rules.tolerance * self._base_s / wait_s))
        target = self._limit * gradient + math.sqrt(self._limit)
        smoothed = self._limit + (target - self._limit) * rules.smoothing
        self._limit = min(float(rules.most), max(float(rules.least), smoothed))
