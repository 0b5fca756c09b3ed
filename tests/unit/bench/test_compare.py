"""A candidate is worse only where chance cannot explain it."""

from __future__ import annotations

import numpy as np
import pytest

from bench.analysis.compare import Margin, compare, compare_two, margin_from
from bench.analysis.metrics import METRICS
from bench.experiments.results import Results, ResultsError
from bench.reports.experiment_text import comparison_text
from tests.fakes.results import results, row

RATE = [Margin(metric="bitrate_bps", by=0.01, is_relative=True)]


def made(label: str, rates_bps: list[float], **more: object) -> Results:
    return results([row(label, k, mean_bitrate_bps=b, **more) for k, b in enumerate(rates_bps)])


def noisy(mean_bps: float, spread_bps: float, seed: int, count: int = 40) -> list[float]:
    return list(mean_bps + spread_bps * np.random.default_rng(seed).standard_normal(count))


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_the_same_results_are_within_every_margin() -> None:
    same = made("a", noisy(5e6, 1e6, 1))
    findings = compare(same, same).findings
    assert [each.is_worse for each in findings] == [False] * 3
    assert [each.is_proven for each in findings] == [True] * 3


def test_worse_by_more_than_the_margin_is_worse() -> None:
    base = made("a", noisy(5e6, 1e6, 1))
    lower = made("a", [bps - 2e5 for bps in noisy(5e6, 1e6, 1)])
    (finding,) = compare(base, lower, margins=RATE).findings
    assert finding.is_worse
    assert finding.difference.value == pytest.approx(-2e5)
    (other_way,) = compare(lower, base, margins=RATE).findings
    assert not other_way.is_worse
    assert other_way.is_proven


def test_worse_within_the_margin_passes_and_is_proven() -> None:
    base = made("a", noisy(5e6, 1e6, 1))
    lower = made("a", [bps - 2e4 for bps in noisy(5e6, 1e6, 1)])
    (finding,) = compare(base, lower, margins=RATE).findings
    assert (finding.is_worse, finding.is_proven) == (False, True)


def test_noise_is_neither_worse_nor_proven() -> None:
    base, other = made("a", noisy(5e6, 2e6, 1)), made("a", noisy(5e6, 2e6, 2))
    (finding,) = compare(base, other, margins=RATE).findings
    assert (finding.is_worse, finding.is_proven) == (False, False)


def test_one_network_proves_nothing() -> None:
    base, other = made("a", [5e6]), made("a", [1e6])
    (finding,) = compare(base, other, margins=RATE).findings
    assert (finding.is_worse, finding.is_proven) == (False, False)


def test_what_is_worse_alone_may_not_be_among_many() -> None:
    """Intervals stand alone; marks hold for all figures together, as those of a report."""
    base = noisy(5e6, 1e6, 1)
    before = results([row("a", k, mean_bitrate_bps=bps) for k, bps in enumerate(base)])
    after = results(
        [
            row(
                "a",
                k,
                mean_bitrate_bps=bps - 2.7e5 + 4e5 * (k % 2),
                qoe_lin=1.1 - 0.2 * (k // 2 % 2),
                startup_s=1.1 - 0.2 * (k // 4 % 2),
            )
            for k, bps in enumerate(base)
        ]
    )
    alone, among = (
        compare(before, after, margins=[Margin(metric=name, by=0.0) for name in chosen])
        for chosen in (["bitrate_bps"], ["bitrate_bps", "qoe_lin", "startup_s"])
    )
    assert (alone.comparisons, alone.findings[0].is_worse) == (1, True)
    assert among.findings[0].difference == alone.findings[0].difference
    assert not among.findings[0].is_worse
    assert among.findings[0].p_value > alone.findings[0].p_value
    assert "of comparisons (Holm)" in comparison_text(among)


def test_two_algorithms_of_one_folder_may_be_compared() -> None:
    rates = noisy(5e6, 1e6, 1)
    rows = [row("old", k, mean_bitrate_bps=b) for k, b in enumerate(rates)]
    rows += [row("new", k, mean_bitrate_bps=b / 2) for k, b in enumerate(rates)]
    (finding,) = compare_two(results(rows), "old", "new", margins=RATE).findings
    assert finding.is_worse
    with pytest.raises(ResultsError, match="no algorithm 'x'; expected one of old, new"):
        compare_two(results(rows), "x", "new")


def test_results_that_share_nothing_are_refused() -> None:
    with pytest.raises(ResultsError, match="no algorithm is in both: a there, b here"):
        compare(made("a", [1e6]), made("b", [1e6]))
    apart = results([row("a", 99)])
    with pytest.raises(ResultsError, match="a: base and candidate share no session"):
        compare(made("a", [1e6]), apart)


def test_margins_are_of_figures_there_are() -> None:
    same = made("a", [1e6, 2e6])
    with pytest.raises(ResultsError, match="margin of 'x'; expected one of bitrate_bps, "):
        compare(same, same, margins=[margin_from("x=1")])


def test_the_margin_of_a_qoe_may_be_named_by_its_label() -> None:
    same = made("a", noisy(5e6, 1e6, 1))
    (finding,) = compare(same, same, margins=[margin_from("QoE_lin=1%")]).findings
    assert finding.metric == "qoe_lin"


def test_margins_are_read() -> None:
    assert margin_from("linear:stall_weight=2 = 1").metric == "linear:stall_weight=2"
    assert margin_from("stall_ratio=0.002") == Margin(metric="stall_ratio", by=0.002)
    assert margin_from("qoe_lin = 2%") == Margin(metric="qoe_lin", by=0.02, is_relative=True)


@pytest.mark.parametrize("text", ["", "=1", "qoe_lin", "qoe_lin=", "qoe_lin=-1", "qoe_lin=nan"])
def test_margins_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ResultsError, match="expected"):
        margin_from(text)


def test_better_by_more_than_the_margin_is_better() -> None:
    """4 % more bitrate, margin 1 %; the other way round it is worse; 0.4 % is within."""
    base = noisy(5e6, 1e6, 1)
    found = compare(made("a", base), made("a", [bps + 2e5 for bps in base]), margins=RATE)
    (more,) = found.findings
    assert (more.is_better, more.is_proven, more.is_worse) == (True, True, False)
    assert comparison_text(found).splitlines()[1].endswith("better")
    (less,) = compare(
        made("a", [bps + 2e5 for bps in base]), made("a", base), margins=RATE
    ).findings
    assert (less.is_better, less.is_worse) == (False, True)
    within = compare(made("a", base), made("a", [bps + 2e4 for bps in base]), margins=RATE)
    assert comparison_text(within).splitlines()[1].endswith("within")


def test_fewer_stalls_beyond_the_margin_are_better() -> None:
    stalls = np.random.default_rng(1).exponential(5, size=40)
    base = results([row("a", k, stall_s=each) for k, each in enumerate(stalls)])
    fewer = results([row("a", k, stall_s=each / 4) for k, each in enumerate(stalls)])
    margin = [Margin(metric="stall_ratio", by=0.001)]
    (finding,) = compare(base, fewer, margins=margin).findings
    assert finding.is_better


def test_a_comparison_is_over_what_is_independent() -> None:
    """Two files from 30 places each prove nothing: they are two, whatever differs."""
    rates = noisy(5e6, 1e4, 1, count=60)
    one, other = (
        results(
            [
                row("a", k, mean_bitrate_bps=bps + more, cluster=f"file:{k % 2}")
                for k, bps in enumerate(rates)
            ]
        )
        for more in (0.0, 1e5)
    )
    found = compare(one, other)
    assert found.pairings[0].units == {"file": 2}
    assert "! Only 2 files: intervals are rough." in comparison_text(found)
    assert "95 % intervals over 2 files. WORSE or better: beyond" in comparison_text(found)


@pytest.mark.parametrize("name", [metric.name for metric in METRICS])
def test_every_figure_may_have_a_margin(name: str) -> None:
    same = made("a", noisy(5e6, 1e6, 1))
    (finding,) = compare(same, same, margins=[margin_from(f"{name}=5%")]).findings
    assert (finding.metric, finding.is_proven) == (name, True)
