"""How far simulation and HTTP are apart, from logs worked out by hand."""

from __future__ import annotations

import pytest

from abr.demotraces import demo_traces
from abr.log import SessionLog
from bench.analysis.agreement import gap_between


def log(*, stall_s: float, rung: int, extra_stall_s: float = 0.0) -> SessionLog:
    """4 s of a segment, a stall, 4 s of another at ``rung``; perhaps one more stall."""
    made = SessionLog({"rungs": 3, "trace": "t", "algorithm": "a"})
    made.add("start", 0.0)
    made.add("decision", 0.0, segment=0, rung=0)
    made.add("decision", 0.5, segment=1, rung=rung)
    made.add("state", 1.0, **{"from": "startup", "to": "playing"}, why="")
    made.add("play", 1.0, segment=0, rung=0, duration_s=4.0, bitrate_bps=1e6)
    made.add("state", 5.0, **{"from": "playing", "to": "stalled"}, why="")
    now_s = 5.0 + stall_s
    made.add("state", now_s, **{"from": "stalled", "to": "playing"}, why="")
    made.add("play", now_s, segment=1, rung=rung, duration_s=4.0, bitrate_bps=(rung + 1) * 1e6)
    if extra_stall_s:
        made.add("state", now_s + 1, **{"from": "playing", "to": "stalled"}, why="")
        made.add("state", now_s + 1 + extra_stall_s, **{"from": "stalled", "to": "playing"}, why="")
        now_s += extra_stall_s
    made.add("ended", now_s + 4.0, why="complete")
    made.add("state", now_s + 4.0, **{"from": "playing", "to": "ended"}, why="")
    return made


def test_the_same_playback_agrees() -> None:
    """Nothing differs."""
    gap = gap_between(log(stall_s=2.0, rung=1), log(stall_s=2.0, rung=1))
    assert gap.is_within_bounds
    assert (gap.same_decisions, gap.decisions) == (2, 2)


def test_a_tenth_of_the_stalled_time_is_the_bound() -> None:
    """2.0 against 2.1 s is 4.9 % of their mean; 2.0 against 2.4 s is 18 %."""
    assert gap_between(log(stall_s=2.0, rung=1), log(stall_s=2.1, rung=1)).is_within_bounds
    far = gap_between(log(stall_s=2.0, rung=1), log(stall_s=2.4, rung=1))
    assert far.stalled_ratio == pytest.approx(0.4 / 2.2)
    assert not far.is_within_bounds


def test_another_number_of_stalls_is_apart_however_short() -> None:
    """Events are counted exactly."""
    gap = gap_between(log(stall_s=2.0, rung=1), log(stall_s=2.0, rung=1, extra_stall_s=0.01))
    assert not gap.stalls_agree
    assert not gap.is_within_bounds


def test_another_rung_moves_the_bitrate() -> None:
    """1 and 2 Mbit/s against 1 and 3: means of 1.5 and 2, 29 % apart."""
    gap = gap_between(log(stall_s=2.0, rung=1), log(stall_s=2.0, rung=2))
    assert gap.bitrate_ratio == pytest.approx(0.5 / 1.75)
    assert gap.same_decisions == 1
    assert not gap.is_within_bounds


def test_two_that_never_began_do_not_agree() -> None:
    """No stalls, no bitrate, nothing apart: and nothing played."""
    failed = SessionLog({"rungs": 3, "trace": "t", "algorithm": "a"})
    failed.add("start", 0.0)
    failed.add("ended", 1.0, why="error: refused")
    gap = gap_between(failed, failed)
    assert not gap.is_within_bounds
    assert gap.failed == "simulation: refused; live: refused"


def test_demo_traces_scale_with_the_ladder() -> None:
    """Twice the ladder, twice the capacity; the commute has its outage."""
    small, large = demo_traces(1e6)[0], demo_traces(2e6)[0]
    assert (large.capacity_bps == 2 * small.capacity_bps).all()
    assert small.capacity_bps.min() == 0
