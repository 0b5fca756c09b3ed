"""The requests of one playback: under way, waiting for another try, overdue.

Numbering, limits and retries of requests are decided here; what a request is for, and
what its failure means for playback, is not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from player.config import PlayerConfig
from player.playback.actions import Resource, TrackName, Want
from player.playback.retry import Failure, Tries, Verdict, judge

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
    newest_byte_s: float = math.nan
    has_alternative: bool = False
    """The same can be had elsewhere at once, so that silence is not waited out."""
    """When bytes came last, as far as is known; nan before the first."""
    received_bytes: float = 0.0
    final_url: str = field(default="", repr=False)
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


class RequestBook:
    """Every request of a playback."""

    def __init__(self, config: PlayerConfig) -> None:
        self.active: dict[int, Request] = {}
        """By number; only ``open`` and its like add to it."""
        self._config = config
        self._rng = np.random.default_rng(config.seed)
        self._retries: list[Retry] = []
        self._asked: set[Resource] = set()
        self._next_id = 0

    def __repr__(self) -> str:
        active = ", ".join(request.want.kind for request in self.active.values()) or "nothing"
        return f"<RequestBook waiting for {active}, {len(self._retries)} to be tried again>"

    def open(self, want: Want, now_s: float, *, attempt: int = 1) -> Request:
        """A first try, or one more of what was tried elsewhere."""
        return self._open(want, attempt, now_s, now_s)

    def open_once(self, want: Want, now_s: float) -> Request | None:
        """A first try, unless the same was asked for before."""
        if want.resource in self._asked:
            return None
        self._asked.add(want.resource)
        return self.open(want, now_s)

    def open_due(self, now_s: float) -> list[Request]:
        """The next tries whose time has come."""
        due = [retry for retry in self._retries if retry.due_s <= now_s + INSTANT_S]
        self._retries = [retry for retry in self._retries if retry.due_s > now_s + INSTANT_S]
        return [self._open(each.want, each.attempt, now_s, each.asked_s) for each in due]

    def close(self, request_id: int) -> Request | None:
        """A request is over; None when there was none of that number."""
        return self.active.pop(request_id, None)

    def forget(self, want: Want) -> None:
        """``want`` may be asked for anew."""
        self._asked.discard(want.resource)

    def try_again(
        self, request: Request, failure: Failure, tries: Tries, *, can_renew: bool, now_s: float
    ) -> Verdict:
        """Note the next try of a request that failed, if there is to be one.

        Args:
            request: What failed; it is closed.
            failure: How.
            tries: What was tried so far.
            can_renew: An expired token can be exchanged.
            now_s: Now.

        Returns:
            What is to be done, which was noted for ``retry`` and ``renew``; after ``renew`` the
            next try waits for ``release_waiting``.
        """
        verdict = judge(failure, tries, config=self._config, rng=self._rng)
        if verdict.action == "renew" and not can_renew:
            refused = replace(failure, reason="")
            verdict = judge(refused, tries, config=self._config, rng=self._rng)
        if verdict.action == "retry":
            self.repeat(request, now_s + verdict.wait_s)
        elif verdict.action == "renew":
            self.repeat(request, math.inf)
        return verdict

    def repeat(self, request: Request, due_s: float) -> None:
        """Try a request again at ``due_s``; inf: once the token is renewed."""
        self._retries.append(Retry(request.want, request.attempt + 1, due_s, request.asked_s))

    def needed(self, track: TrackName) -> frozenset[Resource]:
        """What the segments of ``track`` need that are under way, or will be tried again."""
        wants = [each.want for each in self.active.values()]
        wants += [each.want for each in self._retries]
        needs = (want.needs for want in wants if (want.kind, want.track) == ("segment", track))
        return frozenset().union(*needs)

    def drop(self, is_dropped: Callable[[Want], bool]) -> None:
        """Of what waits to be tried again, some is not wanted any more: until it is anew."""
        for retry in self._retries:
            if is_dropped(retry.want):
                self.forget(retry.want)
        self._retries = [retry for retry in self._retries if not is_dropped(retry.want)]

    def release_waiting(self, now_s: float) -> None:
        """What waited for a new token is due now."""
        for retry in self._retries:
            if math.isinf(retry.due_s):
                retry.due_s = now_s

    def find_overdue(self, now_s: float) -> Iterator[tuple[Request, str]]:
        """Tries that passed a limit, each with what the limit was."""
        for request in list(self.active.values()):
            if request.request_id not in self.active:  # what another one's end has ended
                continue
            if request.start_s + self._config.total_limit_s <= now_s + INSTANT_S:
                yield request, f"not complete after {self._config.total_limit_s:g} s"
            elif self.is_idle(request, now_s):
                yield request, f"no byte for {self._config.idle_limit_s:g} s"
            elif self._limit_s(request) <= now_s + INSTANT_S:
                yield request, f"no byte after {self._first_byte_limit_s(request):g} s"

    def is_idle(self, request: Request, now_s: float) -> bool:
        """Whether its body came to a halt so long ago that it is given up."""
        return request.newest_byte_s + self._config.idle_limit_s <= now_s + INSTANT_S

    def next_time_s(self) -> float:
        """When something here is due next; inf when nothing is."""
        times = [retry.due_s for retry in self._retries]
        times += [self._limit_s(request) for request in self.active.values()]
        return min(times, default=math.inf)

    def _open(self, want: Want, attempt: int, now_s: float, asked_s: float) -> Request:
        request = Request(self._next_id, want, attempt, now_s, asked_s=asked_s)
        self._next_id += 1
        self.active[request.request_id] = request
        return request

    def _limit_s(self, request: Request) -> float:
        total_s = request.start_s + self._config.total_limit_s
        if math.isnan(request.newest_byte_s):
            return min(total_s, request.start_s + self._first_byte_limit_s(request))
        return min(total_s, request.newest_byte_s + self._config.idle_limit_s)

    def _first_byte_limit_s(self, request: Request) -> float:
        limit_s = self._config.first_byte_limit_s
        return min(limit_s, self._config.failover_limit_s) if request.has_alternative else limit_s
