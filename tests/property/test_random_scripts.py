"""Random titles, servers, settings and viewers: every session ends as it must.

A small part of what ``tests.perf.random_scripts`` plays by the hundred thousand.
"""

from __future__ import annotations

from typing import get_args

import pytest

from tests.scripts.session import Clock, play, problems, random_script

FIRST, COUNT = 1_000_000, 60


@pytest.mark.parametrize("clock", get_args(Clock))
def test_every_session_ends_once_and_accounts_for_all_its_time(clock: Clock) -> None:
    """In bounded time, every request with one end, and its replay identical."""
    for seed in range(FIRST, FIRST + COUNT):
        script = random_script(seed)
        assert problems(script, play(script, clock)) == [], f"number {seed}"
