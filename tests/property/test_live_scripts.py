"""Playbacks of random live streams end, add up and replay."""

from __future__ import annotations

import pytest

from tests.fakes.randomlive import problems, random_live


@pytest.mark.parametrize("first", range(0, 24, 4))
def test_every_playback_of_a_live_stream_ends_and_adds_up_and_replays(first: int) -> None:
    """More of them: ``python -m tests.perf.live_scripts``."""
    for number in range(first, first + 4):
        script = random_live(number)
        assert problems(script, script.play()) == []
