"""What a report says of made-up results."""

from __future__ import annotations

import numpy as np
import pytest

from bench.analysis.pairing import align
from bench.analysis.standings import BenchReport, bench_report
from bench.experiments.results import Results, ResultsError
from bench.reports.cautions import write_cautions
from tests.fakes.results import results, row


def report(found: Results, **more: object) -> BenchReport:
    return bench_report(found, rng=np.random.default_rng(0), seed=0, **more)  # type: ignore[arg-type]


def three() -> Results:
    """12 networks. ``fast`` has 1 Mbit/s more and a stall; ``bad`` has the stall only."""
    rows = []
    for trace in range(12):
        rate = 1e6 * (1 + trace)
        kind = "3g" if trace < 6 else "lte"
        rows += [
            row("calm", trace, mean_bitrate_bps=rate, qoe_lin=1.0, **{"class": kind}),
            row(
                "fast",
                trace,
                mean_bitrate_bps=rate + 1e6,
                stall_s=5.0,
                qoe_lin=0.9,
                **{"class": kind},
            ),
            row("bad", trace, mean_bitrate_bps=rate, stall_s=6.0, qoe_lin=0.5, **{"class": kind}),
            row("oracle", trace, mean_bitrate_bps=2e7, qoe_lin=3.0, **{"class": kind}),
        ]
    return results(rows, foresees=["oracle"], names={"oracle": "optimal"})


def weak_bound() -> Results:
    """An optimum that is bettered."""
    rows = [row("calm", k, qoe_lin=2.0) for k in range(12)]
    rows += [row("oracle", k, qoe_lin=1.0) for k in range(12)]
    return results(rows, foresees=["oracle"], names={"oracle": "optimal"})


def test_differences_are_over_the_same_networks() -> None:
    """Bitrates range over 12 Mbit/s, and still the difference of 1 is exact."""
    _, fast, _, _ = report(three()).standings
    difference = fast.differences["bitrate_bps"]
    assert difference.estimate.value == pytest.approx(1e6)
    assert difference.estimate.high - difference.estimate.low < 1
    assert difference.verdict == "better"
    assert fast.differences["stall_ratio"].verdict == "worse"
    # 5 s stalled of 105 s.
    assert fast.figures["stall_ratio"].value == pytest.approx(5 / 105)


def test_the_frontier_holds_those_nobody_betters_and_no_upper_bound() -> None:
    calm, fast, bad, oracle = report(three()).standings
    assert (calm.on_frontier, fast.on_frontier, bad.on_frontier) == (True, True, False)
    assert (calm.frontier_share, bad.frontier_share) == (1.0, 0.0)
    assert oracle.frontier_share is None
    assert not oracle.on_frontier


def test_regret_is_against_the_optimum() -> None:
    found = report(three())
    assert found.optimum == "oracle"
    assert found.standings[0].regret is not None
    assert found.standings[0].regret.value == pytest.approx(2.0)
    assert write_cautions(found) == []
    assert "oracle is no bound here: calm scored more" in write_cautions(report(weak_bound()))[0]
    alone = results([row("a", k) for k in range(3)])
    assert report(alone).standings[0].regret is None


def test_classes_have_their_own_intervals() -> None:
    low, high = report(three()).classes
    assert (low.kind, low.networks, high.kind, high.networks) == ("3g", 6, "lte", 6)
    assert low.figures["bitrate_bps"]["calm"].value == pytest.approx(3.5e6)
    assert high.figures["bitrate_bps"]["calm"].value == pytest.approx(9.5e6)


def test_another_base_may_be_named() -> None:
    found = report(three(), base="fast")
    assert found.standings[0].differences["bitrate_bps"].estimate.value == pytest.approx(-1e6)
    assert found.standings[1].differences["bitrate_bps"].verdict == "base"
    with pytest.raises(ResultsError, match="no algorithm 'x'; expected one of calm, fast"):
        report(three(), base="x")


def test_a_session_that_one_lacks_is_in_no_pair_and_counted() -> None:
    """``a`` played five, the last at 9 Mbit/s; ``b`` four of them, all at 1 Mbit/s."""
    rows = [row("a", k, mean_bitrate_bps=9e6 if k == 4 else 1e6) for k in range(5)]
    rows += [row("b", k) for k in range(4)]
    found = report(results(rows))
    assert (found.sessions, found.left_out) == (5, 1)
    assert [each.played for each in found.standings] == [5, 4]
    assert found.standings[0].figures["bitrate_bps"].value == pytest.approx(2.6e6)
    assert found.standings[1].differences["bitrate_bps"].estimate.value == 0
    assert "1 session missing from some algorithm" in write_cautions(found)[1]


def test_sessions_over_one_network_are_one_unit() -> None:
    """Two presentations over three networks: six sessions, three units."""
    rows = [row("a", k, presentation_digest=digest) for k in range(3) for digest in ("x", "y")]
    sessions = align(results(rows))
    assert (sessions.places.shape, sessions.units) == ((1, 6), 3)


def test_nothing_in_common_is_said() -> None:
    with pytest.raises(ResultsError, match="no session was played by both a and another"):
        report(results([row("a", 0), row("b", 1)]))


def test_distributions_rise_to_all_sessions() -> None:
    points = report(three()).cdfs["bitrate_bps"]["calm"]
    assert points[0] == (1e6, 0.0)
    assert points[-1] == (1.2e7, 1.0)
    assert list(points) == sorted(points)


def test_decision_times_come_from_the_side() -> None:
    timing = {"decisions": {"calm": {"median_us": 3.0, "p99_us": 9.0}}}
    found = report(three(), timing=timing)
    assert found.standings[0].decision_us == {"median_us": 3.0, "p99_us": 9.0}
    assert found.standings[1].decision_us is None
