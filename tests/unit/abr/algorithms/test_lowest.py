"""``lowest`` risks nothing."""

from __future__ import annotations

from abr.algorithms import lowest
from abr.decision import begin
from tests.fakes.observations import PRESENTATION, make_download, seen


def test_whatever_is_seen_the_lowest_rung_is_chosen() -> None:
    running = begin(lowest.make(), PRESENTATION)
    assert running.choose(seen(30, last_rung=3, downloads=[make_download(1e9)])).rung == 0
