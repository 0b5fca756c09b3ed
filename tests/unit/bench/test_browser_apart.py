"""How far two playbacks are apart, and which bounds they break."""

from __future__ import annotations

import pytest

from abr.media import constant_presentation
from abr.qoe import Interval
from abr.trace import Trace
from bench.browser.apart import Apart, Case, Side, share_within, side_of_log
from player import simulate


def side(
    source: str = "hls.js",
    *,
    startup_s: float | None = 1.0,
    stalled_s: tuple[float, ...] = (),
    rungs: tuple[int, ...] = (0,) * 10,
) -> Side:
    """A playback with stalls of these lengths."""
    stalls = tuple(Interval(start_s=10.0 * n, end_s=10.0 * n + s) for n, s in enumerate(stalled_s))
    return Side(source=source, startup_s=startup_s, stalls=stalls, rungs=rungs)


def faults(browser: Side, ours: Side, *, chooses: bool = False) -> tuple[str, ...]:
    return Apart(browser=browser, ours=ours, chooses=chooses).faults


def test_startup_may_differ_by_a_quarter_of_a_second() -> None:
    """And two that never began agree in nothing."""
    assert faults(side(), side(startup_s=1.25)) == ()
    assert faults(side(), side(startup_s=1.26)) == ("startup",)
    assert faults(side(startup_s=None), side(startup_s=None)) == ("startup",)


def test_one_stall_more_is_within_the_bound_and_two_are_not() -> None:
    """What short ones add up to is little."""
    assert faults(side(), side(stalled_s=(0.2,))) == ()
    assert faults(side(), side(stalled_s=(0.2, 0.2))) == ("stalls",)


def test_stalled_time_may_differ_by_a_tenth_or_half_a_second() -> None:
    """Of 10 s a tenth is 1 s; of 2 s half a second is more than a tenth."""
    assert faults(side(stalled_s=(10.0,)), side(stalled_s=(10.9,))) == ()
    assert faults(side(stalled_s=(10.0,)), side(stalled_s=(8.9,))) == ("stalled",)
    assert faults(side(stalled_s=(2.0,)), side(stalled_s=(2.4,))) == ()
    assert faults(side(stalled_s=(2.0,)), side(stalled_s=(2.6,))) == ("stalled",)


def test_rungs_count_where_the_player_chooses() -> None:
    """Two of ten segments on another rung are too many; pinned ones are not compared."""
    other = side(rungs=(0,) * 8 + (1, 1))
    assert Apart(browser=side(), ours=other, chooses=True).same_rungs == pytest.approx(0.8)
    assert faults(side(), other, chooses=True) == ("rungs",)
    assert faults(side(), other) == ()


def test_pairs_are_counted_against_every_run_of_the_browser() -> None:
    """Two runs, of which one stalled thrice: ours, which did not, agrees with the other."""
    case = Case(
        package="film",
        player="hls.js",
        trace="t",
        pinned_rung=0,
        browser=(side(), side(stalled_s=(0.2, 0.2, 0.2))),
        ours=(side("abr play"),),
    )
    assert share_within([case], "abr play") == (1, 2)
    assert [each.stall_events for each in case.spread] == [3]


def test_a_log_has_the_rungs_that_were_fetched_whole_and_its_noticeable_stalls() -> None:
    """4 s segments of 1 Mbit/s over 0.5 Mbit/s: each stalls for 4 s or so."""
    presentation = constant_presentation([1e6], segments=3, segment_s=4)
    log = simulate(presentation, trace=Trace.constant(0.5e6), algorithm="fixed")
    found = side_of_log(log, "abr simulate")
    assert found.rungs == (0, 0, 0)
    assert [round(stall.length_s) for stall in found.stalls] == [4, 4]
    assert found.startup_s == pytest.approx(8.0, abs=0.3)
