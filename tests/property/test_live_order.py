"""Random live streams of one count: nothing is found twice, and nothing earlier after later.

Playlists of rungs and hosts with windows of any length are read now and then, in any order, and
what is due is taken from any of them. All list the same pictures under the same numbers, so that
what is taken must go up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from player.playback.actions import Want
from player.playback.broadcast import Broadcast
from player.playback.timeline import LOOKUP_TOLERANCE_S
from tests.scripts.draw import Draw
from transcode.playlist import MediaPlaylist, Segment

LENGTH_S = 4.0
STREAMS = 80


@dataclass(frozen=True, slots=True)
class Host:
    """One playlist of a stream, at one host."""

    url: str
    window: int
    late_s: float
    stops_at: int
    """It stands still once so many have come."""

    def at(self, time_s: float) -> MediaPlaylist:
        """What it lists then."""
        until = min(5 + int(max(time_s - self.late_s, 0.0) / LENGTH_S), self.stops_at)
        first = max(until - self.window, 0)
        return MediaPlaylist(
            target_duration_s=round(LENGTH_S),
            media_sequence=first,
            segments=tuple(
                Segment(uri=f"{n}.m4s", duration_s=LENGTH_S, sequence=n)
                for n in range(first, until)
            ),
            endlist=False,
        )


def taken(draw: Draw, hosts: list[Host]) -> list[int]:
    """The numbers of the pictures that a playback takes, one after the other."""
    broadcast, found, now_s, fetched_s = Broadcast(), [], 0.0, 0.0
    host = hosts[0]
    for _ in range(60):
        now_s += draw.one((0.1, 0.5, 1.0, 2.0, 4.0, 4.0, 8.0, 20.0))
        host = draw.one((host, draw.one(hosts)))
        want = Want(kind="media", url=host.url, track="video")
        broadcast.take(want, host.at(now_s), url=host.url, asked_s=now_s, now_s=now_s)
        for _ in range(draw.below(5)):
            broadcast.join_again(fetched_s, ahead_s=0.0)
            timelines = broadcast.timelines()
            listed = [timelines[each.url] for each in (host, *hosts) if each.url in timelines]
            due = [t.segments[i] for t in listed if (i := t.index_at(fetched_s)) is not None]
            ref = next((r for r in due if r.start_s <= fetched_s + LOOKUP_TOLERANCE_S), None)
            if ref is None:
                break
            found.append(int(ref.url.rpartition("/")[2].partition(".")[0]))
            fetched_s = ref.end_s
    return found


def random_hosts(draw: Draw) -> list[Host]:
    """Two to four."""
    urls = [f"http://host{n}.test/v.m3u8" for n in range(draw.between(2, 4))]
    return [
        Host(url, draw.one((1, 1, 2, 3, 5, 99)), late_s=0.0, stops_at=draw.between(12, 40))
        for url in urls
    ]


@pytest.mark.parametrize("late_s", [0.0, 6.0])
def test_what_is_taken_of_a_live_stream_goes_up(late_s: float) -> None:
    """Whatever came and went unseen, and though hosts are late by more than a segment."""
    for number in range(STREAMS):
        draw = Draw(number)
        hosts = random_hosts(draw)
        hosts = [replace(each, late_s=draw.one((0.0, late_s))) for each in hosts]
        found = taken(draw, hosts)
        assert len(found) > 3
        assert found == sorted(set(found)), f"number {number}"
