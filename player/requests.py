"""The requests of one playback: under way, waiting for another try, overdue.

Rules of residence: numbering, limits and retries of requests live here; what a
request is for, and what its failure means for playback, does not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from player.actions import Want
from player.config import PlayerConfig

INSTANT_S = 1e-9
"""Times nearer than this are the same: absorbs the rounding of added floats."""


@dataclass(slots=True)
class Request:
    """One try under way."""

    request_id: int
    want: Want
    attempt: int
    start_s: float
    first_byte_s: float = math.nan
    received_bytes: float = 0.0
    final_url: str = ""
    """Where redirects led; empty when nowhere."""
    asked_s: float = 0.0
    """When the first try was sent."""


@dataclass(slots=True)
class Retry:
    """A want whose next try is due; inf: once the token is renewed."""

    want: Want
    attempt: int
    due_s: float
    asked_s: float


@dataclass(slots=True)
class RequestBook:
    """Every request of a playback."""

    config: PlayerConfig
    active: dict[int, Request] = field(default_factory=dict)
    retries: list[Retry] = field(default_factory=list)
    _next_id: int = 0

    def open(self, want: Want, attempt: int, now_s: float, asked_s: float | None = None) -> Request:
        """Number a new try; ``asked_s`` is when the first was sent, now when there was none."""
        first_s = now_s if asked_s is None else asked_s
        request = Request(self._next_id, want, attempt, now_s, asked_s=first_s)
        self._next_id += 1
        self.active[request.request_id] = request
        return request

    def take_due(self, now_s: float) -> list[Retry]:
        """Remove and return the retries whose time has come."""
        due = [retry for retry in self.retries if retry.due_s <= now_s + INSTANT_S]
        self.retries = [retry for retry in self.retries if retry.due_s > now_s + INSTANT_S]
        return due

    def release_parked(self, now_s: float) -> None:
        """The token is renewed: what waited for it is due now."""
        for retry in self.retries:
            if math.isinf(retry.due_s):
                retry.due_s = now_s

    def overdue(self, now_s: float) -> Iterator[tuple[Request, str]]:
        """Tries that passed a limit, each with what the limit was."""
        for request in list(self.active.values()):
            if request.start_s + self.config.total_limit_s <= now_s + INSTANT_S:
                yield request, f"not complete after {self.config.total_limit_s:g} s"
            elif self._limit_s(request) <= now_s + INSTANT_S:
                yield request, f"no byte after {self.config.first_byte_limit_s:g} s"

    def next_time_s(self) -> float:
        """When something here is due next; inf when nothing is."""
        times = [retry.due_s for retry in self.retries]
        times += [self._limit_s(request) for request in self.active.values()]
        return min(times, default=math.inf)

    def _limit_s(self, request: Request) -> float:
        limit_s = self.config.total_limit_s
        if math.isnan(request.first_byte_s):
            limit_s = min(limit_s, self.config.first_byte_limit_s)
        return request.start_s + limit_s
