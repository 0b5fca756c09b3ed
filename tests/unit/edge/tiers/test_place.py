"""What a cache announces of itself."""

from __future__ import annotations

from edge.config import EdgeConfig
from edge.tiers.place import place_of, titles_of


def test_load_is_the_share_of_the_capacity_since_the_last_announcement() -> None:
    """1.25 MB in 10 s are 1 Mbit/s: a tenth of 10 Mbit/s. More than all counts as all."""
    sent = 0
    config = EdgeConfig(capacity_bps=10e6, name="isp-1", tier="isp", region="eu", port=8085)
    place = place_of(config, sent_bytes=lambda: sent, keys=lambda: ())
    assert place.server.address == "http://127.0.0.1:8085"
    assert place.state(now_s=0.0, draining=False).load == 0.0
    sent = 1_250_000
    assert place.state(now_s=10.0, draining=False).load == 0.1
    sent = 1_000_000_000
    state = place.state(now_s=11.0, draining=True)
    assert (state.load, state.draining) == (1.0, True)


def test_titles_are_counted_by_their_objects_and_not_too_often() -> None:
    """Eight objects of a title are worth announcing; a new count is made after 30 s."""
    keys = [f"/film/v0/{number}.m4s" for number in range(8)]
    place = place_of(EdgeConfig(), sent_bytes=lambda: 0, keys=lambda: keys)
    assert place.state(now_s=0.0, draining=False).titles == {"film"}
    keys.clear()
    assert place.state(now_s=29.0, draining=False).titles == {"film"}
    assert place.state(now_s=30.0, draining=False).titles == frozenset()


def test_few_objects_are_not_holding() -> None:
    """Seven of one title, and keys that are whole URLs, announce nothing."""
    keys = [f"/film/v0/{number}.m4s" for number in range(7)]
    assert titles_of([*keys, "example.org/a", "/"]) == frozenset()
