"""A candidate is worse only where chance cannot explain it."""

from __future__ import annotations

import numpy as np
import pytest

from bench.analysis.compare import Margin, compare, compare_two, margin_from
from bench.experiments.results import Results, ResultsError
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
    findings = compare(same, same, rng=rng()).findings
    assert [each.is_worse for each in findings] == [False] * 3
    assert [each.is_proven for each in findings] == [True] * 3


def test_worse_by_more_than_the_margin_is_worse() -> None:
    base = made("a", noisy(5e6, 1e6, 1))
    lower = made("a", [bps - 2e5 for bps in noisy(5e6, 1e6, 1)])
    (finding,) = compare(base, lower, rng=rng(), margins=RATE).findings
    assert finding.is_worse
    assert finding.difference.value == pytest.approx(-2e5)
    (other_way,) = compare(lower, base, rng=rng(), margins=RATE).findings
    assert not other_way.is_worse
    assert other_way.is_proven


def test_worse_within_the_margin_passes_and_is_proven() -> None:
    base = made("a", noisy(5e6, 1e6, 1))
    lower = made("a", [bps - 2e4 for bps in noisy(5e6, 1e6, 1)])
    (finding,) = compare(base, lower, rng=rng(), margins=RATE).findings
    assert (finding.is_worse, finding.is_proven) == (False, True)


def test_noise_is_neither_worse_nor_proven() -> None:
    base, other = made("a", noisy(5e6, 2e6, 1)), made("a", noisy(5e6, 2e6, 2))
    (finding,) = compare(base, other, rng=rng(), margins=RATE).findings
    assert (finding.is_worse, finding.is_proven) == (False, False)


def test_one_network_proves_nothing() -> None:
    base, other = made("a", [5e6]), made("a", [1e6])
    (finding,) = compare(base, other, rng=rng(), margins=RATE).findings
    assert (finding.is_worse, finding.is_proven) == (False, False)


def test_more_figures_make_each_interval_wider() -> None:
    base, other = made("a", noisy(5e6, 2e6, 1)), made("a", noisy(5e6, 2e6, 2))
    alone = compare(base, other, rng=rng(), margins=RATE).findings[0].difference
    among = compare(base, other, rng=rng()).findings[0].difference
    assert among.low < alone.low < alone.high < among.high


def test_two_algorithms_of_one_folder_may_be_compared() -> None:
    rates = noisy(5e6, 1e6, 1)
    rows = [row("old", k, mean_bitrate_bps=b) for k, b in enumerate(rates)]
    rows += [row("new", k, mean_bitrate_bps=b / 2) for k, b in enumerate(rates)]
    (finding,) = compare_two(results(rows), "old", "new", rng=rng(), margins=RATE).findings
    assert finding.is_worse
    with pytest.raises(ResultsError, match="no algorithm 'x'; expected one of old, new"):
        compare_two(results(rows), "x", "new", rng=rng())


def test_results_that_share_nothing_are_refused() -> None:
    with pytest.raises(ResultsError, match="no algorithm is in both: a there, b here"):
        compare(made("a", [1e6]), made("b", [1e6]), rng=rng())
    apart = results([row("a", 99)])
    with pytest.raises(ResultsError, match="a: base and candidate share no session"):
        compare(made("a", [1e6]), apart, rng=rng())


def test_margins_are_of_figures_there_are() -> None:
    same = made("a", [1e6, 2e6])
    with pytest.raises(ResultsError, match="margin of 'x'; expected one of bitrate_bps, "):
        compare(same, same, rng=rng(), margins=[margin_from("x=1")])


def test_margins_are_read() -> None:
    assert margin_from("linear:stall_weight=2 = 1").metric == "linear:stall_weight=2"
    assert margin_from("stall_ratio=0.002") == Margin(metric="stall_ratio", by=0.002)
    assert margin_from("qoe_lin = 2%") == Margin(metric="qoe_lin", by=0.02, is_relative=True)


@pytest.mark.parametrize("text", ["", "=1", "qoe_lin", "qoe_lin=", "qoe_lin=-1", "qoe_lin=nan"])
def test_margins_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ResultsError, match="expected"):
        margin_from(text)
