"""Orders under two QoEs."""

from __future__ import annotations

import numpy as np
import pytest

from abr.qoe import Model, Viewing, linear, log, own
from bench.analysis.metrics import METRICS, Metric, score_metric
from bench.analysis.rankings import kendall_tau
from bench.analysis.scores import score
from bench.analysis.standings import BenchReport, bench_report
from bench.experiments.results import Results
from bench.reports.experiment_page import render_page
from bench.reports.experiment_text import report_csv, report_json, report_text
from tests.fakes.results import results, row


def three() -> Results:
    """12 networks: ``fast`` has the higher rate and stalls, ``calm`` neither; ``bad`` is worse."""
    rows = []
    for k in range(12):
        rows.append(row("calm", k, rungs=[0, 0], played_s=8.0))
        stalled = 0.3 + 0.01 * k
        rows.append(row("fast", k, rungs=[1, 1], played_s=8.0, stall_s=stalled))
        rows.append(row("bad", k, rungs=[0, 0], played_s=8.0, stall_s=9.0))
        rows.append(row("oracle", k, rungs=[1, 1], played_s=8.0))
    return results(rows, foresees=["oracle"])


def report(*models: Model, found: Results | None = None, base: str | None = None) -> BenchReport:
    scored, metrics = score(found or three(), models)
    rng = np.random.default_rng(0)
    return bench_report(scored, rng=rng, seed=0, metrics=metrics, base=base)


def lenient() -> Model:
    return linear(stall_weight=1)


def strict() -> Model:
    return linear(stall_weight=100)


def test_orders_stand_side_by_side_with_their_ranges() -> None:
    """``fast``: 2 - 0.15 > 1 when a second costs 1 Mbit/s; far below 1 when it costs 100."""
    rankings = report(lenient(), strict()).rankings
    assert rankings is not None
    first, second = (
        rankings.ranks["linear:stall_weight=1"],
        rankings.ranks["linear:stall_weight=100"],
    )
    assert [first[label].place for label in ("calm", "fast", "bad")] == [2, 1, 3]
    assert [second[label].place for label in ("calm", "fast", "bad")] == [1, 2, 3]
    assert (first["fast"].low, first["fast"].high) == (1, 1)
    assert "oracle" not in first
    assert rankings.sessions == 12


def test_two_qoes_disagree_where_both_are_sure() -> None:
    (found,) = report(lenient(), strict()).rankings.agreements  # type: ignore[union-attr]
    # Of three pairs two are in the same order.
    assert found.tau.value == pytest.approx(1 / 3)
    (pair,) = found.disagreements
    assert (pair.better, pair.worse) == ("fast", "calm")
    assert pair.first.low > 0 > pair.second.high


def test_what_chance_explains_is_no_disagreement() -> None:
    """The second QoE prefers ``calm`` by nothing but noise around 0."""
    rng = np.random.default_rng(3)
    noise = iter(rng.normal(0, 1, 1000).tolist())
    found = report(lenient(), own(lambda viewing: next(noise), name="noise")).rankings
    assert found is not None
    assert found.agreements[0].disagreements == ()
    ranges = found.ranks["noise"].values()
    assert any((each.low or 0) < (each.high or 0) for each in ranges)


@pytest.mark.parametrize("seed", range(6))
def test_a_range_leaves_out_a_place_only_where_differences_do(seed: int) -> None:
    """Five algorithms, some better than others, over 15 networks, under two QoEs."""
    rng = np.random.default_rng(seed)
    labels = [f"a{k}" for k in range(5)]
    worth = {label: 0.4 * (k // 2) for k, label in enumerate(labels)}
    noise = {(label, f"trace-{k}"): rng.normal(0, 0.5) for label in labels for k in range(15)}

    def mine(viewing: Viewing) -> float:
        return worth[viewing.algorithm] + float(noise[viewing.algorithm, viewing.trace])

    rows = [row(label, k) for label in labels for k in range(15)]
    found = report(own(mine, name="mine"), log(), found=results(rows), base="a2")
    assert found.rankings is not None
    ranks, marked = found.rankings.ranks["mine"], set()
    for each in found.standings:
        rank, base = ranks[each.label], ranks["a2"]
        assert rank.low is not None
        assert rank.high is not None
        assert base.low is not None
        assert base.high is not None
        assert 1 <= rank.low <= rank.place <= rank.high <= 5
        verdict = each.differences["mine"].verdict
        marked.add(verdict)
        if rank.high < base.low:
            assert verdict == "better"
        if rank.low > base.high:
            assert verdict == "worse"
    assert marked > {"base"}
    # Nothing differs under the other QoE: every place is open to everyone.
    assert {(each.low, each.high) for each in found.rankings.ranks["log"].values()} == {(1, 5)}


def test_one_qoe_has_nothing_beside_it() -> None:
    assert report(log()).rankings is None
    assert "rank" not in report_text(report(log()))


def test_ranks_are_over_what_everyone_played() -> None:
    """``fast`` failed one session of twelve; or ``bad`` played only what ``calm`` did not."""
    rows = [dict(each) for each in three().rows]
    rows[1]["ended"] = "error: gone"
    assert "Ranks are over the 11 sessions" in report_text(
        report(lenient(), strict(), found=results(rows, foresees=["oracle"]))
    )
    for k, each in enumerate(rows):
        if (k // 4 < 6) != (each["algorithm"] == "bad"):
            each["ended"] = "complete"
        elif each["algorithm"] in ("bad", "calm"):
            each["ended"] = "error: gone"
    found = report(lenient(), strict(), found=results(rows, foresees=["oracle"]), base="fast")
    assert found.rankings is None
    assert "No session was played to its end by every algorithm" in report_text(found)
    assert "No session was played to its end by every algorithm" in render_page(found)


def test_tau_counts_pairs() -> None:
    """Of 6 pairs 4 are in order and 2 are not; ties count in neither."""
    order = np.array([1.0, 2.0, 3.0, 4.0])
    assert kendall_tau(order, np.array([2.0, 1.0, 4.0, 3.0])) == pytest.approx(2 / 6)
    assert kendall_tau(order, -order) == -1
    # One tie: 5 concordant of sqrt(6 * 5).
    assert kendall_tau(order, np.array([1.0, 1.0, 3.0, 4.0])) == pytest.approx(5 / 30**0.5)


def test_every_form_of_a_report_has_every_qoe() -> None:
    found = report(lenient(), strict())
    text, page, table = report_text(found), render_page(found), report_csv(found)
    for name in ("linear:stall_weight=1", "linear:stall_weight=100"):
        assert text.count(name) >= 4
        assert name in page
        assert f"figure,calm,,,{name},1.0" in table
        assert f"formula,,,,{name}" in table
    assert "− 100 · stalled s" in text
    assert "Order under each QoE" in page
    assert "rank,fast,,,linear:stall_weight=1,1,1,1," in table
    assert "tau,,linear:stall_weight=100,,linear:stall_weight=1,0.33" in table
    assert "beyond chance fast is better than calm by linear:stall_weight=1" in text
    plain = report_json(found)
    assert [each["name"] for each in plain["qoe"]] == list(plain["rankings"]["ranks"])
    assert plain["qoe"][1]["weights"]["film"]["stall"] == 100.0
    assert plain["qoe"][1]["source"]
    assert plain["classes"][0]["figures"]["linear:stall_weight=100"]["calm"]["value"] == 1.0


def test_a_metric_of_a_qoe_leads_findings() -> None:
    """The first QoE is what regret, classes and the first table are in."""
    found = report(strict(), lenient())
    assert found.scores[0].name == "linear:stall_weight=100"
    assert isinstance(METRICS[2], Metric)
    assert score_metric(log()).is_score
