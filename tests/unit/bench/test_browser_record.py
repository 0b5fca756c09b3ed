"""What a page wrote down, read as figures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from abr.errors import LogFormatError
from abr.qoe import Interval
from bench.browser.record import Request, Watched, read_record, request_cost_s, startup_of
from transcode.packaging.index import PresentationIndex, SegmentFacts, SourceFacts, Track


def index() -> PresentationIndex:
    """Two rungs and audio, two segments of 4 s; segments of rung r have 1000 (r + 1) bytes."""

    def track(folder: str, kind: Any, size_bytes: int) -> Track:
        facts = SegmentFacts(size_bytes=size_bytes, duration_s=4.0)
        return Track(folder=folder, kind=kind, codecs="", init_bytes=10, segments=(facts, facts))

    return PresentationIndex(
        title="film",
        source=SourceFacts(name="m", duration_s=8.0, width=0, height=0, frame_rate=25.0),
        video=(track("v0", "video", 1000), track("v1", "video", 2000)),
        audio=(track("a0", "audio", 500),),
    )


def request(path: str, end_s: float, size_bytes: int) -> dict[str, Any]:
    """One transfer, as a page writes it down."""
    times = {"start": end_s - 1, "sent": end_s - 1, "first": end_s - 0.9, "end": end_s}
    return {"path": path, **times, "size": size_bytes, "status": 200}


def raw(changes: list[tuple[float, str]], requests: list[dict[str, Any]]) -> dict[str, Any]:
    """A record of 20 s with these events of the element."""
    events: list[dict[str, Any]] = [{"t": t, "kind": kind} for t, kind in changes]
    return {
        "player": "hls.js",
        "versions": {"player": "1.7.4", "browser": "156"},
        "trace": "t",
        "rung": -1,
        "events": [*events, {"t": 20.0, "kind": "over", "why": "stopped", "at": 12.0}],
        "requests": requests,
        "shaper": {"is_overloaded": False},
    }


def watched(changes: list[tuple[float, str]], requests: list[dict[str, Any]] | None = None) -> Any:
    return read_record(raw(changes, requests or []), index())


def test_waiting_before_the_first_picture_is_startup_and_no_stall() -> None:
    """An element waits at once; playing ends the startup."""
    seen: Watched = watched([(0.1, "waiting"), (1.5, "playing")])
    assert (seen.startup_s, seen.stalls) == (1.5, ())


def test_a_stall_is_from_waiting_to_playing_and_one_still_open_ends_with_the_record() -> None:
    """5 to 7 s, then 18 s to the end at 20."""
    seen: Watched = watched([(1.0, "playing"), (5.0, "waiting"), (7.0, "playing"), (18, "waiting")])
    assert seen.stalls == (Interval(start_s=5.0, end_s=7.0), Interval(start_s=18, end_s=20.0))
    assert seen.stall_s == pytest.approx(4.0)


def test_what_nobody_notices_is_not_counted() -> None:
    """50 ms."""
    assert watched([(1.0, "playing"), (5.0, "waiting"), (5.05, "playing")]).stalls == ()


def test_waiting_at_the_end_of_the_media_is_no_stall() -> None:
    """An element may wait for an instant before it says that the media has ended."""
    assert watched([(1.0, "playing"), (19.0, "waiting"), (19.01, "ended")]).stalls == ()


def test_rungs_are_those_whose_segments_came_whole_the_last_of_each() -> None:
    """Rung 1 of segment 1 was abandoned after 700 of its bytes, and rung 0 came instead."""
    requests = [
        request("v1/00000.m4s", 2.0, 2000),
        request("a0/00000.m4s", 2.2, 500),
        request("v1/00001.m4s", 5.0, 700),
        request("v0/00001.m4s", 6.0, 1000),
    ]
    seen: Watched = watched([(2.5, "playing")], requests)
    assert seen.rungs == (1, 0)
    assert [each.is_whole for each in seen.requests] == [True, True, False, True]


def test_startup_is_the_median_of_those_that_began() -> None:
    """One of four never did."""
    runs = [watched([(at_s, "playing")]) for at_s in (2.3, 2.5, 3.0)]
    assert startup_of([*runs, watched([])]) == 2.5
    assert startup_of([watched([])]) is None


def test_a_request_costs_what_lies_between_two_segments_beside_the_round_trip() -> None:
    """The third is asked for 10 ms after the second ended, its first byte is 60 ms later."""
    seen: Watched = watched([(2.5, "playing")])
    second, third = (
        Request(
            path="", track="video", rung=0, segment=n, start_s=start_s,
            first_byte_s=start_s + 0.06, end_s=start_s + 1.0, size_bytes=1000, is_whole=True,
        )
        for n, start_s in ((1, 5.0), (2, 6.01))
    )  # fmt: skip
    first = replace(second, segment=0, start_s=3.0, end_s=4.0)
    assert request_cost_s([replace(seen, requests=(first, second, third))], 0.04) == pytest.approx(
        0.03
    )
    late = replace(third, start_s=9.0)
    assert request_cost_s([replace(seen, requests=(first, second, late))], 0.04) is None


def test_what_is_no_record_is_refused() -> None:
    """A file of something else."""
    with pytest.raises(LogFormatError, match="not a record of a playback in a browser"):
        read_record({"player": "hls.js"}, index())
