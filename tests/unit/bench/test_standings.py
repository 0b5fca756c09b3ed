"""What a report says of made-up results."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from abr.qoe import linear, log
from bench.analysis.compare import compare
from bench.analysis.pairing import align
from bench.analysis.scores import score
from bench.analysis.standings import BenchReport, bench_report
from bench.experiments.results import Results, ResultsError
from bench.reports.cautions import write_cautions
from bench.reports.experiment_page import render_page
from bench.reports.experiment_text import comparison_text, report_csv, report_json, report_text
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
    assert not any("no bound" in each for each in write_cautions(found))
    assert "oracle is no bound here: calm scored more" in write_cautions(report(weak_bound()))[2]
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
    assert "1 session missing from some algorithm" in write_cautions(found)[2]


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


def test_sessions_over_one_file_are_one_unit_whatever_their_seed() -> None:
    """Three files from ten places each: three clusters, not 30 networks."""
    rows = [
        row("a", 10 * file + seed, seed=seed, mean_bitrate_bps=1e6 * (1 + file))
        | {"cluster": f"file:{file}"}
        for file in range(3)
        for seed in range(10)
    ]
    found = report(results(rows))
    assert (found.networks, found.units) == (30, {"file": 3})
    assert "Only 3 files in 30 networks: intervals are rough." in write_cautions(found)
    alone = report(results([row("a", k, mean_bitrate_bps=1e6 * (1 + k)) for k in range(3)]))
    estimates = [each.standings[0].figures["bitrate_bps"] for each in (found, alone)]
    ends = [[each.low, each.high] for each in estimates]
    assert ends[0] == pytest.approx(ends[1])


def test_a_household_may_have_networks_of_several_classes() -> None:
    rows = [
        row("a", k, **{"class": ("3g", "lte")[k % 2], "cluster": f"home:{k // 4}"})
        for k in range(12)
    ]
    found = report(results(rows))
    assert found.units == {"home": 3}
    assert [(each.kind, each.networks, each.units) for each in found.classes] == [
        ("3g", 6, {"home": 3}),
        ("lte", 6, {"home": 3}),
    ]


def test_stalls_that_are_seen_in_few_clusters_are_cautioned_about() -> None:
    """``a`` stalls in 3 files of 30, ``b`` in 12."""
    rows = [row("a", k, stall_s=1.0 if k < 3 else 0.0) for k in range(30)]
    rows += [row("b", k, stall_s=1.0 if k < 12 else 0.0) for k in range(30)]
    (caution,) = write_cautions(report(results(rows)))
    assert caution.startswith("Too few stalls to tell how rare they are: of 30 files, a in 3 st")


def test_what_never_stalled_has_no_interval_and_a_bound_of_how_often_it_may() -> None:
    """None of 30: 1 - 0.05 ** (1 / 30) = 9.5 %."""
    found = report(results([row("a", k, stall_s=0.0) for k in range(30)]))
    figure = found.standings[0].figures["stall_ratio"]
    assert figure.value == 0
    assert not figure.has_interval
    (caution,) = write_cautions(found)
    assert "a in none stalled" in caution
    assert "none of 30 files showed may still be in up to 9.5 % of all (95 % sure)" in caution


def test_a_network_with_most_of_the_time_stalled_is_named_with_its_share() -> None:
    """``a`` stalls for 11 s in 12 files and for 30 s in another: 30 / 41 is 73 %."""
    stalls = [30.0 if k == 7 else 1.0 if k < 12 else 0.0 for k in range(30)]
    found = report(results([row("a", k, stall_s=stalls[k]) for k in range(30)]))
    assert found.standings[0].stalled_most_share == pytest.approx(30 / 41)
    (caution,) = write_cautions(found)
    assert caution.startswith("Most of the time stalled is over one network: 73 % of a's in file 7")
    assert "stalls,a,,,most_in_one,0.7317" in report_csv(found)


def test_the_share_of_one_network_is_told_with_stalls_that_are_few() -> None:
    stalls = [30.0 if k == 7 else 1.0 if k < 3 else 0.0 for k in range(30)]
    rows = [row("a", k, stall_s=stalls[k]) for k in range(30)]
    (caution,) = write_cautions(report(results(rows)))
    assert "a in 4 (91 % of it in one) stalled" in caution


def test_equal_algorithms_are_seldom_marked_however_many_there_are() -> None:
    """Nine copies that differ by chance: eight times three differences, in 40 reports."""
    rng, marked, alone = np.random.default_rng(0), 0, 0
    for _ in range(40):
        rows = [
            row(
                f"copy {copy}",
                k,
                mean_bitrate_bps=1e6 * rng.normal(5, 1),
                stall_s=rng.exponential(),
                qoe_lin=rng.normal(),
            )
            for copy in range(9)
            for k in range(20)
        ]
        found = report(results(rows))
        every = [d for each in found.standings[1:] for d in each.differences.values()]
        assert found.comparisons == 24
        marked += any(each.verdict != "unclear" for each in every)
        known = [each.estimate for each in every if each.estimate.high > each.estimate.low]
        alone += any(not each.low <= 0 <= each.high for each in known)
    assert marked <= 5
    assert alone >= 20


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ({"preset": "sabre"}, "not for the rules of sabre"),
        ({"preset": "pensieve"}, "not for the rules of pensieve"),
        ({"player": {"startup_buffer_s": 8.0}}, "does not plan for startup_buffer_s"),
        ({"player": {"like": "hlsjs-chromium"}}, "does not plan for like"),
    ],
)
def test_where_the_optimum_does_not_plan_for_the_rules_it_is_marked(
    header: dict[str, object], why: str
) -> None:
    base = three()
    found = report(replace(base, header={**base.header, **header}))
    assert found.optimum is None
    assert all(each.regret is None for each in found.standings)
    assert why in found.standings[-1].no_bound
    assert any(why in each for each in write_cautions(found))
    assert "oracle (no bound here)" in report_text(found)
    assert report_json(found)["algorithms"][-1]["no_bound"] == found.standings[-1].no_bound
    assert f"bound,oracle,,,is_bound,0,,,{found.standings[-1].no_bound}" in report_csv(found)
    assert "no bound here</span>" in render_page(found)


def test_where_the_optimum_plans_for_the_rules_it_is_an_upper_bound() -> None:
    found = report(three())
    assert "oracle (upper bound)" in report_text(found)
    assert "bound,oracle,,,is_bound,1,,," in report_csv(found)
    assert {each.no_bound for each in found.standings} == {""}


def test_the_optimum_bounds_the_qoe_it_plans_for_and_no_other() -> None:
    """Its plan is for 4.3 a second; ``linear`` follows the ladder's top of 2 Mbit/s."""
    base = three()
    for model, is_bound in ((linear(stall_weight=4.3), True), (linear(), False), (log(), False)):
        scored, metrics = score(base, [model])
        found = report(scored, metrics=metrics)
        assert (found.optimum == "oracle") == is_bound
        assert ("plans for a linear QoE with 4.3" in found.standings[-1].no_bound) != is_bound


def test_a_comparison_of_a_bound_that_is_none_says_so() -> None:
    rows = [row("oracle", k) for k in range(20)]
    made = results(rows, foresees=["oracle"], names={"oracle": "optimal"})
    there = replace(made, header={**made.header, "preset": "sabre"})
    text = comparison_text(compare(there, there))
    assert "! oracle is no upper bound here: it plans for abrkit's own player" in text
    assert "no upper bound" not in comparison_text(compare(made, made))


def test_a_share_ends_at_all_of_it_and_a_difference_of_shares_too() -> None:
    """Half of six files stall nearly all the time."""
    rows = [row("a", k) for k in range(6)]
    rows += [row("b", k, stall_s=1e5 if k % 2 else 1.0) for k in range(6)]
    a, b = report(results(rows)).standings
    assert b.figures["stall_ratio"].high == 1.0
    assert b.differences["stall_ratio"].estimate.high == 1.0
    assert not a.figures["stall_ratio"].has_interval
