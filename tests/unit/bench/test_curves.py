"""Curves show what was logged, at computed instants."""

import pytest

from abr.log import SessionLog
from abr.qoe import Interval
from abr.trace import Trace
from bench.reports.curves import MAX_STEPS, Curve, capacity_curve, curves
from tests.fakes.logs import LADDER_BPS, played_log


def points(curve: Curve) -> list[tuple[float | None, float | None]]:
    return list(zip(curve.times_s, curve.values, strict=True))


def test_capacity_is_drawn_as_steps_and_loops() -> None:
    """Two seconds of 1 Mbit/s and one of none, looped to 5 s."""
    trace = Trace.from_periods([(2, 1e6), (1, 0)])
    curve = capacity_curve(trace, 5.0)
    expected = [(0, 1e6), (2, 1e6), (2, 0), (3, 0), (3, 1e6), (5, 1e6)]
    assert points(curve) == [pytest.approx(pair) for pair in expected]


def test_capacity_after_the_end_of_a_trace_follows_its_end_rule() -> None:
    """A trace that ends offers nothing more; one that holds goes on."""
    ended = capacity_curve(Trace.from_periods([(1, 1e6)], end="end"), 2.0)
    assert points(ended) == [(0, 1e6), (1, 1e6), (1, 0), (2, 0)]
    held = capacity_curve(Trace.constant(1e6), 2.0)
    assert points(held)[-1] == (2, 1e6)
    assert set(held.values) == {1e6}


@pytest.mark.parametrize("periods", [5_000, 100_000])
def test_a_trace_of_very_many_periods_is_drawn_as_means(periods: int) -> None:
    """The area, and so the bits, stay right."""
    trace = Trace.from_periods([(0.01, 1e6), (0.01, 3e6)] * (periods // 2))
    curve = capacity_curve(trace, 40.0)
    assert len(curve.times_s) <= 2 * (MAX_STEPS + 3)
    starts, stops = curve.times_s[::2], curve.times_s[1::2]
    area = sum(
        (stop_s - start_s) * bps
        for start_s, stop_s, bps in zip(starts, stops, curve.values[::2], strict=True)
        if start_s is not None and stop_s is not None and bps is not None
    )
    assert area == pytest.approx(trace.bits_by(40.0))


def test_the_bitrate_on_screen_is_not_drawn_through_a_stall() -> None:
    """Segment 1 comes 2 s late: nothing between 4.5 and 6.5 s."""
    drawn = curves(played_log(rungs=(0, 1), stall=(1, 2.0)))
    low, middle, _ = LADDER_BPS
    assert points(drawn.bitrate_bps) == [
        (0.5, low),
        (4.5, low),
        (None, None),
        (6.5, middle),
        (10.5, middle),
    ]
    assert drawn.stalls == (Interval(start_s=4.5, end_s=6.5),)
    assert (drawn.first_frame_s, drawn.end_s) == (0.5, 10.5)


def test_the_buffer_falls_while_playing_and_jumps_where_media_arrives() -> None:
    """One segment at 0.5 s, the next a second later: 4, 3, 7 and down to 0 at 8.5 s."""
    drawn = points(curves(played_log(rungs=(0, 0))).buffer_s)
    assert (0.5, 4.0) in drawn
    assert drawn[drawn.index((1.5, 3.0)) + 1] == (1.5, 7.0)
    assert drawn[-1] == (8.5, 0.0)


def test_the_buffer_stays_empty_in_a_stall() -> None:
    """Between the start of the stall and the late segment the level is 0."""
    drawn = points(curves(played_log(rungs=(0, 0), stall=(1, 2.0))).buffer_s)
    assert drawn[drawn.index((4.5, 0.0)) + 1] == (6.5, 0.0)
    assert (6.5, 4.0) in drawn


def test_throughput_counts_from_the_request() -> None:
    """200 kB in half a second are 3.2 Mbit/s."""
    dot = curves(played_log(rungs=(0,))).downloads[0]
    assert dot.throughput_bps == pytest.approx(3.2e6)
    assert (dot.segment, dot.rung, dot.took_s, dot.is_abandoned) == (0, 0, 0.5, False)


def test_abandoned_downloads_and_other_tracks_are_told_apart() -> None:
    """A given-up video segment is marked; audio and playlists make no dots."""
    log = SessionLog({"driver": "virtual"})
    log.add("start", 0.0)
    log.add("fetch", 0.0, id=0, kind="media", uri="v0/playlist.m3u8")
    log.add("fetch", 0.0, id=1, kind="segment", track="audio", segment=0)
    log.add("fetch", 0.0, id=2, kind="segment", track="video", segment=0, rung=2)
    log.add("finished", 0.1, id=0, size_bytes=100)
    log.add("finished", 0.2, id=1, size_bytes=1000)
    log.add("abort", 1.0, id=2, why="abandoned", received_bytes=50_000)
    (dot,) = curves(log).downloads
    assert dot.is_abandoned
    assert (dot.rung, dot.size_bytes, dot.throughput_bps) == (2, 50_000, 400_000)


def test_a_session_that_never_began_has_empty_curves() -> None:
    """Only a start and an end: no first frame, nothing on screen, an empty buffer."""
    log = SessionLog({"driver": "live"})
    log.add("start", 0.0)
    log.add("ended", 3.0, why="error: refused")
    drawn = curves(log, Trace.constant(1e6))
    assert drawn.first_frame_s is None
    assert drawn.bitrate_bps == Curve()
    assert drawn.downloads == ()
    assert set(drawn.buffer_s.values) == {0.0}
