"""What is done about each kind of failure."""

from __future__ import annotations

import numpy as np
import pytest

from player.config import PlayerConfig
from player.playback.retry import Failure, Tries, Verdict, backoff_s, judge
from player.presets import preset

OFTEN, ONCE = Tries(attempt=4), Tries(attempt=1)
BUSY, MISSING, BANNED = (Failure("status", status) for status in (503, 404, 403))
EXPIRED = Failure("status", 403, "expired")

CASES = [
    (Failure("connect"), ONCE, "retry"),
    (Failure("timeout"), Tries(attempt=3), "retry"),
    (Failure("truncated"), ONCE, "retry"),
    (Failure("unusable"), ONCE, "retry"),
    (Failure("timeout"), OFTEN, "give-up"),
    (Failure("content"), ONCE, "give-up"),
    (BUSY, ONCE, "retry"),
    (MISSING, ONCE, "give-up"),
    (EXPIRED, ONCE, "renew"),
    (EXPIRED, OFTEN, "give-up"),
    (Failure("status", 403, "wrong-title"), ONCE, "give-up"),
]


def decide(failure: Failure, tries: Tries) -> Verdict:
    """The verdict of a player that makes four tries."""
    rng = np.random.default_rng(0)
    return judge(failure, tries, config=PlayerConfig(attempts=4, jitter_ratio=0.0), rng=rng)


@pytest.mark.parametrize(("failure", "tries", "action"), CASES)
def test_verdict(failure: Failure, tries: Tries, action: str) -> None:
    """Transient failures are tried again, an expired token is renewed, the rest ends."""
    assert decide(failure, tries).action == action


@pytest.mark.parametrize(
    "failure", [BUSY, MISSING, Failure("connect"), Failure("content"), Failure("timeout")]
)
def test_another_pathway_is_taken_at_once(failure: Failure) -> None:
    """Whatever failed, and before it is tried a second time."""
    assert decide(failure, Tries(attempt=1, elsewhere="pathway")) == Verdict("move")


@pytest.mark.parametrize(
    ("failure", "attempt", "action"),
    [
        (BUSY, 1, "retry"),
        (BUSY, 4, "move"),
        (MISSING, 1, "move"),
        (Failure("content"), 1, "move"),
        (Failure("unusable"), 1, "retry"),
        (Failure("unusable"), 4, "move"),
        (Failure("status", 429, after_s=60.0), 1, "move"),
    ],
)
def test_another_rung_is_taken_when_this_one_is_refused_or_was_tried_often(
    failure: Failure, attempt: int, action: str
) -> None:
    """Or when its server wants to be left alone for longer than there is patience."""
    assert decide(failure, Tries(attempt=attempt, elsewhere="rung")).action == action


@pytest.mark.parametrize(
    ("failure", "tries", "action", "wait_s"),
    [
        (MISSING, Tries(attempt=1, total=3, may_heal=True), "anew", 1.0),
        (MISSING, Tries(attempt=1, total=4, may_heal=True), "give-up", 0.0),
        (MISSING, Tries(attempt=1, total=4, may_heal=True, patience_left_s=0.1), "anew", 2.0),
        (BANNED, Tries(attempt=1, total=1, may_heal=True), "anew", 0.25),
        (BANNED, Tries(attempt=1, total=1, patience_left_s=9.0), "give-up", 0.0),
        (Failure("content"), Tries(attempt=1, may_heal=True, patience_left_s=9.0), "give-up", 0.0),
        (BUSY, Tries(attempt=1, total=9), "give-up", 0.0),
        (BUSY, Tries(attempt=4, total=9), "give-up", 0.0),
        (BUSY, Tries(attempt=4, total=9, patience_left_s=0.1), "anew", 4.0),
    ],
)
def test_when_all_has_failed_patience_decides(
    failure: Failure, tries: Tries, action: str, wait_s: float
) -> None:
    """A refusal may be a passing one; media that are of no use stay so."""
    assert decide(failure, tries) == Verdict(action, wait_s)  # type: ignore[arg-type]  # literals


@pytest.mark.parametrize(
    ("patience_s", "action", "wait_s"),
    [(0.0, "give-up", 0.0), (9.9, "give-up", 0.0), (10.0, "retry", 10.0)],
)
def test_a_server_is_waited_for_as_long_as_it_says_within_patience(
    patience_s: float, action: str, wait_s: float
) -> None:
    """429 or 503 with Retry-After."""
    later = Failure("status", 429, after_s=10.0)
    tries = Tries(attempt=1, patience_left_s=patience_s)
    assert decide(later, tries) == Verdict(action, wait_s)  # type: ignore[arg-type]  # literals


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


@pytest.mark.parametrize(
    ("failure", "tries", "verdict"),
    [
        (Failure("timeout"), Tries(attempt=1), Verdict("retry", 0.0)),
        (Failure("timeout"), Tries(attempt=2, elsewhere="rung"), Verdict("retry", 0.0)),
        (Failure("timeout"), Tries(attempt=3), Verdict("give-up")),
        (Failure("timeout"), Tries(attempt=3, patience_left_s=9.0), Verdict("give-up")),
        (Failure("timeout"), Tries(attempt=3, elsewhere="rung"), Verdict("move")),
        (BUSY, Tries(attempt=3, elsewhere="rung"), Verdict("retry", 4.0)),
        (BUSY, Tries(attempt=4, elsewhere="rung"), Verdict("move")),
        (BUSY, Tries(attempt=6), Verdict("retry", 8.0)),
        (MISSING, Tries(attempt=1, elsewhere="rung"), Verdict("move")),
    ],
)
def test_hls_js_tries_timeouts_again_at_once_and_a_level_four_times(
    failure: Failure, tries: Tries, verdict: Verdict
) -> None:
    """Of 1.7.4 in Chromium: three timeouts of 10 s are fatal, 503 is tried after 1, 2, 4, 8 s."""
    config = preset("hlsjs-chromium").config
    assert judge(failure, tries, config=config, rng=np.random.default_rng(0)) == verdict
