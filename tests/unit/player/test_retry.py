"""What is done about each kind of failure."""

from __future__ import annotations

import numpy as np
import pytest

from player.config import PlayerConfig
from player.playback.retry import Failure, backoff_s, judge

CASES = [
    (Failure("connect"), 1, "retry"),
    (Failure("timeout"), 3, "retry"),
    (Failure("truncated"), 1, "retry"),
    (Failure("timeout"), 4, "give-up"),
    (Failure("content"), 1, "give-up"),
    (Failure("status", 503), 1, "retry"),
    (Failure("status", 404), 1, "give-up"),
    (Failure("status", 403, "expired"), 1, "renew"),
    (Failure("status", 403, "wrong-title"), 1, "give-up"),
]


@pytest.mark.parametrize(("failure", "attempt", "action"), CASES)
def test_verdict(failure: Failure, attempt: int, action: str) -> None:
    """Transient failures are tried again, an expired token is renewed, the rest ends."""
    answer = judge(
        failure, attempt=attempt, config=PlayerConfig(attempts=4), rng=np.random.default_rng(0)
    )
    assert answer.action == action


def test_backoff_doubles_and_is_capped() -> None:
    """Without jitter: 0.25, 0.5, 1, 2, 4, 4 s."""
    config = PlayerConfig(jitter_ratio=0.0)
    rng = np.random.default_rng(0)
    waits = [backoff_s(attempt, config=config, rng=rng) for attempt in range(1, 7)]
    assert waits == [0.25, 0.5, 1.0, 2.0, 4.0, 4.0]


def test_jitter_only_shortens() -> None:
    """A fifth of jitter keeps each wait between 0.8 and 1 times its nominal length."""
    config = PlayerConfig(jitter_ratio=0.2)
    rng = np.random.default_rng(1)
    waits = [backoff_s(1, config=config, rng=rng) for _ in range(200)]
    assert 0.2 <= min(waits) < max(waits) <= 0.25


def test_patience_outlasts_the_tries_of_a_passing_failure_only() -> None:
    """A server that restarts is waited for; a refusal is not asked again."""
    rng = np.random.default_rng(0)
    patient = {"attempt": 9, "patience_left_s": 0.1, "config": PlayerConfig(attempts=4)}
    for failure, action in (
        (Failure("connect"), "retry"),
        (Failure("status", 503), "retry"),
        (Failure("status", 404), "give-up"),
        (Failure("status", 403, "expired"), "give-up"),
    ):
        assert judge(failure, rng=rng, **patient).action == action  # type: ignore[arg-type]  # passed on


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (Failure("status", 503), "status 503"),
        (Failure("status", 403, "expired"), "status 403 (expired)"),
        (Failure("timeout", message="no byte after 2 s"), "no byte after 2 s"),
        (Failure("truncated"), "truncated"),
    ],
)
def test_a_failure_reads_as_what_happened(failure: Failure, text: str) -> None:
    assert str(failure) == text
