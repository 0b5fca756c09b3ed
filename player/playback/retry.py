"""What the player does about a failed request: policy as data, one pure function.

This module knows nothing of HTTP libraries; drivers describe a failure in the words
below and the session asks ``judge`` what to do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from player.config import PlayerConfig

FailureKind = Literal["connect", "timeout", "status", "truncated", "unusable", "content"]
"""connect: no connection, or it broke before a response. timeout: a limit passed.
status: an HTTP status other than success. truncated: it broke off in the body.
unusable: the bytes are not what was asked for, such as an error page with status 200; another
try may bring it. content: the bytes came but cannot be used, and would not be the next time."""

RETRYABLE_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same request may succeed: RFC 9110, 15.5.9 and 15.6; RFC 8470, 5.2
(425); RFC 6585, 4 (429)."""

RENEWABLE_REASON = "expired"
"""Of a 403: the token was good once, so the server exchanges it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request failed."""

    kind: FailureKind
    status: int = 0
    """HTTP status; 0 when there was no response."""
    reason: str = ""
    """Machine-readable reason a server gave, such as ``expired``."""
    message: str = ""
    """One line for people; never a token or a key."""
    after_s: float = 0.0
    """Seconds that the server asks to wait (Retry-After); 0: it does not say."""

    def __str__(self) -> str:
        if self.kind == "status":
            why = self.reason or (
                "no valid Authorization; -H gives one" if self.status == 401 else ""
            )
            return f"status {self.status}" + (f" ({why})" if why else "")
        return self.message or self.kind


Elsewhere = Literal["", "pathway", "rung"]
"""Where else the same can be had: on another pathway, at another rung; empty: nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tries:
    """What was tried so far for one thing."""

    attempt: int
    """Tries of this request, this one included."""
    total: int = 0
    """Tries of it and of all that stood in for it; 0: as many."""
    patience_left_s: float = 0.0
    elsewhere: Elsewhere = ""
    may_heal: bool = False
    """A refusal may be a passing one, so that patience is worth while."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do next.

    ``retry`` the same after ``wait_s``, ``renew`` the token, ``move`` to where it can be had too,
    begin ``anew`` after ``wait_s`` with what failed before, or ``give-up``.
    """

    action: Literal["retry", "renew", "move", "anew", "give-up"]
    wait_s: float = 0.0


def judge(
    failure: Failure, tries: Tries, *, config: PlayerConfig, rng: np.random.Generator
) -> Verdict:
    """Decide about the last of ``tries``, which ended in ``failure``.

    Another pathway is taken at once; another rung when the request was tried often enough, or is
    refused. When nothing is left that has not failed, ``config.attempts`` tries in all are
    made, and more of them while there is patience.
    """
    is_passing, total = _is_passing(failure), max(tries.total, tries.attempt)
    is_expired = failure.status == 403 and failure.reason == RENEWABLE_REASON
    if is_expired and tries.attempt < config.attempts:
        return Verdict("renew")
    if tries.elsewhere == "pathway":
        return Verdict("move")
    if failure.kind == "timeout" and config.timeout_attempts:
        if tries.attempt < config.timeout_attempts:
            return Verdict("retry")
        return Verdict("move" if tries.elsewhere else "give-up")
    is_soon = failure.after_s <= max(tries.patience_left_s, config.backoff_max_s)
    most = (config.rung_attempts if tries.elsewhere else 0) or config.attempts
    if is_passing and is_soon and total < config.attempts and tries.attempt < most:
        wait_s = backoff_s(tries.attempt, config=config, rng=rng)
        return Verdict("retry", max(wait_s, failure.after_s))
    if tries.elsewhere:
        return Verdict("move")
    is_worth_it = is_passing or (tries.may_heal and failure.kind == "status")
    if is_worth_it and is_soon and (total < config.attempts or tries.patience_left_s > 0):
        wait_s = backoff_s(total, config=config, rng=rng)
        return Verdict("anew", max(wait_s, failure.after_s))
    return Verdict("give-up")


def is_of_server(failure: Failure) -> bool:
    """Whether the server is at fault, and not what was asked of it."""
    return failure.kind in ("connect", "timeout", "truncated") or (
        failure.kind == "status" and failure.status in RETRYABLE_STATUS
    )


def _is_passing(failure: Failure) -> bool:
    return failure.kind == "unusable" or is_of_server(failure)


def backoff_s(attempt: int, *, config: PlayerConfig, rng: np.random.Generator) -> float:
    """Seconds to wait after failed try number ``attempt``: doubling, capped, jittered."""
    nominal = min(config.backoff_s * 2.0 ** (attempt - 1), config.backoff_max_s)
    return nominal * (1.0 - config.jitter_ratio * float(rng.random()))
