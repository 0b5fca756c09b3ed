"""Intervals of figures that are ratios of sums."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.analysis.stats import (
    Estimate,
    cluster_sums,
    expanded_tail,
    interval,
    student_quantile,
)
from tests.fakes.results import resample


@pytest.mark.parametrize(
    ("freedom", "table"),
    [(1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (10, 2.2281), (30, 2.0423)],
)
def test_quantiles_of_student_are_those_of_the_tables(freedom: int, table: float) -> None:
    assert student_quantile(0.975, freedom) == pytest.approx(table, abs=5e-5)


@pytest.mark.parametrize(("probability", "freedom"), [(0.2, 3), (1.0, 3), (0.9, 0)])
def test_quantiles_that_are_none_are_refused(probability: float, freedom: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        student_quantile(probability, freedom)


def test_few_units_cut_off_less_of_the_tails() -> None:
    """So intervals are wider; for many units the tail is the normal's."""
    assert expanded_tail(0.025, 5) < 0.01
    assert expanded_tail(0.025, 10_000) == pytest.approx(0.025, abs=3e-4)


def test_sums_are_per_network() -> None:
    values = np.array([[1.0, 2.0, 4.0], [10.0, 20.0, 40.0]])
    summed = cluster_sums(values, np.array([0, 1, 0]), 2)
    assert summed.tolist() == [[5.0, 2.0], [50.0, 20.0]]


def test_a_figure_is_a_ratio_of_sums_not_a_mean_of_ratios() -> None:
    """(1 + 9) / (10 + 10) = 0.5; two networks, one algorithm, one figure."""
    top, bottom = np.array([[[1.0, 9.0]]]), np.array([[[10.0, 10.0]]])
    found = resample(top, bottom, np.random.default_rng(0), resamples=200)
    assert found.values.tolist() == [[0.5]]
    # The only resamples of two networks: one twice, the other twice, or each once.
    assert set(np.round(found.samples[:, 0, 0], 9)) == {0.1, 0.5, 0.9}


def test_what_networks_do_to_both_cancels_in_differences() -> None:
    """The second algorithm has 1 more on every network, however they differ."""
    base = np.array([1.0, 50.0, 900.0])
    top = np.stack([base, base + 1])[:, None, :]
    found = resample(top, np.ones_like(top), np.random.default_rng(0), resamples=500)
    difference = found.difference(1, 0, 0)
    assert (difference.value, difference.low, difference.high) == pytest.approx((1, 1, 1))
    alone = found.estimate(0, 0)
    assert alone.high - alone.low > 100


def test_one_network_has_no_interval() -> None:
    ones = np.ones((1, 1, 1))
    found = resample(ones, ones, np.random.default_rng(0), resamples=100).estimate(0, 0)
    assert found.value == 1
    assert not found.has_interval


def test_nothing_to_divide_by_is_no_figure() -> None:
    zeros = np.zeros((1, 1, 3))
    found = resample(zeros, zeros, np.random.default_rng(0), resamples=100).estimate(0, 0)
    assert math.isnan(found.value)
    assert not found.has_interval


def test_the_same_seed_gives_the_same_interval() -> None:
    top = np.random.default_rng(1).random((2, 3, 20))
    ends = [
        resample(top, np.ones_like(top), np.random.default_rng(5)).estimate(1, 2) for _ in range(2)
    ]
    assert ends[0] == ends[1]


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    """Means of 20 exponential draws, 400 times: skewed, so somewhat less than 95 %."""
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(400):
        draws = rng.exponential(size=(1, 1, 20))
        found = resample(draws, np.ones_like(draws), rng, resamples=400).estimate(0, 0)
        held += found.low <= 1 <= found.high
    assert 0.90 <= held / 400 <= 0.98


def test_a_change_of_unit_may_turn_an_interval_round() -> None:
    turned = Estimate(value=2, low=1, high=5).scaled(-10)
    assert (turned.value, turned.low, turned.high) == (-20, -50, -10)


def test_percentiles_of_a_level_are_cut_off() -> None:
    """Of 0 … 1000 and very many networks, the middle 80 % are 100 to 900."""
    found = interval(500, np.arange(1001.0), 10**6, level=0.8)
    assert [found.low, found.high] == pytest.approx([100, 900], abs=0.5)
