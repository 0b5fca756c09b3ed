"""Random titles, servers, settings and viewers: every session ends as it must.

A small part of what ``tests.perf.random_scripts`` plays by the hundred thousand.
"""

from __future__ import annotations

from typing import get_args

import pytest

from abr.log import SessionLog
from tests.perf.random_scripts import clock_of
from tests.scripts.session import Clock, play, problems, random_script

FIRST, COUNT = 1_000_000, 60


@pytest.mark.parametrize("clock", get_args(Clock))
def test_every_session_ends_once_and_accounts_for_all_its_time(clock: Clock) -> None:
    """In bounded time, every request with one end, and its replay identical."""
    for seed in range(FIRST, FIRST + COUNT):
        script = random_script(seed)
        assert problems(script, play(script, clock)) == [], f"number {seed}"


@pytest.mark.parametrize(
    "seed",
    [
        5003527,  # rungs of a live stream that begin and end at other times
        5012198,  # rungs whose windows move at other paces: playback joins again
        5015880,  # a playlist cut before its end, so that it looks like one of a live stream
        5024146,  # one that lies behind what was played
        2000197,  # a window that has moved on, while another rung lists all
        2001879,  # the same, with gaps
        2001961,  # joined again between two boundaries
        6000680,  # a rung whose window begins later than what is due
        6001847,  # a playlist that stands still, while playback goes on in another
        8003395,  # a server that counts anew and lists what was played
        6005295,  # the same, and another server that will
        6023976,  # a gap that is told again, for what is before it is fetched anew
        6003603,  # a section that is given up with its segment, both overdue
        11001843,  # the same rung elsewhere, when its server counts anew
        11002606,  # live playlists that nobody can decrypt
        6016167,  # nothing left but a playlist that was left out
        6000815,  # the same, and it was never loaded
        13001561,  # all have ended, and the one that lists more was not to be had
        13002470,  # media that came unseen, put before what was played
        17001914,  # sound that goes on where pictures are shown without it already
        7001115,  # a playlist of pictures that came as the sound of others
        17002855,  # two hosts with one window, which moves on unseen at both by turns
        30001111,  # another host of a rung, first seen after a server began to count anew
        7000812,  # playback joins again in a rung that stands still, beside one that has ended
    ],
)
def test_what_is_shown_was_fetched_and_is_shown_once(seed: int) -> None:
    script = random_script(seed)
    assert problems(script, play(script, clock_of(seed))) == []


@pytest.mark.parametrize("seed", [2001961])
def test_no_segment_is_shown_before_it_is_here(seed: int) -> None:
    """Not even its first millisecond, where boundaries of rungs differ by so much."""
    log = play(random_script(seed), clock_of(seed))
    segments = {r["id"]: r["segment"] for r in log.of("fetch") if r["kind"] == "segment"}
    here_s: dict[int, float] = {}
    for record in log.of("finished"):
        if record["id"] in segments:
            here_s.setdefault(segments[record["id"]], record["t"])
    for record in log.of("play"):
        assert record["t"] >= here_s.get(record["segment"], 0.0)


def test_it_is_told_once_where_sound_ends_before_its_picture() -> None:
    """Of a live stream, too: what is listed of the sound lies behind the picture."""
    log = play(random_script(16007167), "live")
    told = [r["text"] for r in log.of("note") if r["text"].startswith("no sound from")]
    assert told == ["no sound from 3 s on: no playlist lists more of it"]


def test_sound_goes_on_where_the_picture_goes_on_after_all() -> None:
    """One playlist of the picture has ended at 3 s, and another has not."""
    log = play(random_script(16004108), "virtual")
    sounds = [r for r in log.of("fetch") if r["kind"] == "segment" and r["track"] == "audio"]
    assert len(sounds) > 3


def test_media_that_did_not_come_are_found() -> None:
    """Or the test above could not fail: some of the segments shown are taken out of the log."""
    script = random_script(5024146)
    log = play(script, "virtual")
    asked = [r["id"] for r in log.of("fetch") if r["kind"] == "segment"][6:12]
    kept = [r for r in log.records if not (r["e"] == "finished" and r["id"] in asked)]
    found = problems(script, SessionLog(log.provenance, kept))
    assert any("s that came" in each for each in found)
