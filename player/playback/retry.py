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
            return f"status {self.status}" + (f" ({self.reason})" if self.reason else "")
        return self.message or self.kind


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do next: ``retry`` after ``wait_s``, ``renew`` the token, or ``give-up``."""

    action: Literal["retry", "renew", "give-up"]
    wait_s: float = 0.0


def judge(
    failure: Failure,
    *,
    attempt: int,
    patience_left_s: float = 0.0,
    config: PlayerConfig,
    rng: np.random.Generator,
) -> Verdict:
    """Decide about try number ``attempt`` (1 is the first) that ended in ``failure``.

    Tries are limited to ``config.attempts``, except that transient failures are tried
    again while ``patience_left_s`` is positive.
    """
    if failure.kind == "content":
        return Verdict("give-up")
    is_refusal = failure.kind == "unusable" or (
        failure.kind == "status" and failure.status not in RETRYABLE_STATUS
    )
    if attempt >= config.attempts and (is_refusal or patience_left_s <= 0):
        return Verdict("give-up")
    if failure.kind == "status":
        if failure.status == 403 and failure.reason == RENEWABLE_REASON:
            return Verdict("renew")
        if failure.status not in RETRYABLE_STATUS:
            return Verdict("give-up")
    wait_s = backoff_s(attempt, config=config, rng=rng)
    if failure.after_s > max(patience_left_s, config.backoff_max_s):
        return Verdict("give-up")
    return Verdict("retry", max(wait_s, failure.after_s))


def backoff_s(attempt: int, *, config: PlayerConfig, rng: np.random.Generator) -> float:
    """Seconds to wait after failed try number ``attempt``: doubling, capped, jittered."""
    nominal = min(config.backoff_s * 2.0 ** (attempt - 1), config.backoff_max_s)
    return nominal * (1.0 - config.jitter_ratio * float(rng.random()))
