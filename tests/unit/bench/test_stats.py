"""Intervals of figures that are ratios of sums over clusters."""

from __future__ import annotations

import math

import numpy as np
import pytest

from abr.media import FloatArray
from bench.analysis.stats import (
    Estimate,
    cluster_sums,
    draw_weights,
    holm,
    interval,
    mean_of,
    measure,
    p_beyond,
    student_cdf,
    student_quantile,
)


@pytest.mark.parametrize(
    ("freedom", "table"),
    [(1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (10, 2.2281), (30, 2.0423)],
)
def test_quantiles_of_student_are_those_of_the_tables(freedom: int, table: float) -> None:
    assert student_quantile(0.975, freedom) == pytest.approx(table, abs=5e-5)
    assert student_cdf(table, freedom) == pytest.approx(0.975, abs=1e-5)


@pytest.mark.parametrize(("probability", "freedom"), [(0.2, 3), (1.0, 3), (0.9, 0)])
def test_quantiles_that_are_none_are_refused(probability: float, freedom: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        student_quantile(probability, freedom)


def test_sums_are_per_cluster() -> None:
    values = np.array([[1.0, 2.0, 4.0], [10.0, 20.0, 40.0]])
    summed = cluster_sums(values, np.array([0, 1, 0]), 2)
    assert summed.tolist() == [[5.0, 2.0], [50.0, 20.0]]


def test_a_figure_is_a_ratio_of_sums_not_a_mean_of_ratios() -> None:
    """(1 + 6) / (10 + 4) = 0.5; without the one it would be 1.5, without the other 0.1."""
    found = measure(np.array([[[1.0, 6.0]]]), np.array([[[10.0, 4.0]]]))
    assert found.values.tolist() == [[0.5]]
    assert found.parts[0, 0] == pytest.approx([0.5 - 1.5, 0.5 - 0.1])


def test_what_networks_do_to_both_cancels_in_differences() -> None:
    """The second algorithm has 1 more on every network, however they differ."""
    base = np.array([1.0, 50.0, 900.0])
    top = np.stack([base, base + 1])[:, None, :]
    found = measure(top, np.ones_like(top))
    difference = found.difference(1, 0, 0)
    assert (difference.value, difference.low, difference.high) == pytest.approx((1, 1, 1))
    alone = found.estimate(0, 0)
    assert alone.high - alone.low > 100


def test_one_cluster_has_no_interval() -> None:
    ones = np.ones((1, 1, 1))
    found = measure(ones, ones).estimate(0, 0)
    assert found.value == 1
    assert not found.has_interval


def test_nothing_to_divide_by_is_no_figure() -> None:
    zeros = np.zeros((1, 1, 3))
    found = measure(zeros, zeros).estimate(0, 0)
    assert math.isnan(found.value)
    assert not found.has_interval


def test_a_cluster_without_a_part_counts_for_nothing() -> None:
    top, bottom = np.array([[[1.0, 3.0, 0.0]]]), np.array([[[1.0, 1.0, 0.0]]])
    assert measure(top, bottom).estimate(0, 0) == measure(top[..., :2], bottom[..., :2]).estimate(
        0, 0
    )


def test_without_skewness_it_is_the_interval_of_student() -> None:
    """1 to 9: mean 5, standard deviation √7.5; κ = 1.77, so all 8 degrees of freedom are there."""
    found = mean_of(np.arange(1.0, 10.0))
    half = student_quantile(0.975, 8) * math.sqrt(7.5 / 9)
    assert (found.low, found.high) == pytest.approx((5 - half, 5 + half))


def test_a_long_tail_makes_the_interval_reach_further_to_its_side() -> None:
    found = mean_of(np.array([0.0] * 9 + [1.0] * 9 + [6.0, 12.0]))
    assert found.high - found.value > 2 * (found.value - found.low)


def test_one_cluster_that_holds_nearly_everything_leaves_little_to_know() -> None:
    """With 19 clusters of 20 without a stall, Student's t would end at 0.15."""
    stalls = np.array([0.0] * 19 + [1.0])
    plain = 0.05 + student_quantile(0.975, 19) * stalls.std(ddof=1) / math.sqrt(20)
    assert plain == pytest.approx(0.155, abs=1e-3)
    assert mean_of(stalls).high > 2 * plain


def covered(draw: object, truth: float, clusters: int, samples: int = 400) -> float:
    """Share of samples whose interval holds the truth, of a fixed seed."""
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(samples):
        found = mean_of(draw(rng, clusters))  # type: ignore[operator]
        held += found.low <= truth <= found.high
    return held / samples


def rare(rng: np.random.Generator, clusters: int) -> FloatArray:
    """No stall in three clusters of five, else an exponential one of 1 on average."""
    return rng.exponential(size=clusters) * (rng.random(clusters) < 0.4)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    normal = lambda rng, clusters: rng.normal(3, 1, clusters)  # noqa: E731  # shorter
    assert 0.93 <= covered(normal, 3.0, 20) <= 0.97
    assert 0.92 <= covered(rare, 0.4, 20) <= 0.98
    assert 0.92 <= covered(rare, 0.4, 200, samples=200) <= 0.98


def test_a_p_value_is_below_one_minus_the_level_where_the_interval_excludes_nothing() -> None:
    rng, seen = np.random.default_rng(5), set()
    for shift in np.linspace(-1, 1, 41):
        top = np.stack([rng.exponential(size=12) + shift, np.ones(12)])[:, None, :]
        found = measure(top, np.ones_like(top))
        difference = found.difference(0, 1, 0, level=0.9)
        excludes = not difference.low <= 0 <= difference.high
        seen.add(excludes)
        assert (found.chance(0, 1, 0) < 0.1) == excludes
    assert seen == {True, False}


def test_beyond_a_bound_is_where_the_whole_interval_is() -> None:
    rng, seen = np.random.default_rng(6), set()
    for shift in np.linspace(-1, 1, 41):
        values = rng.exponential(size=12) - 1 + shift
        value, parts = float(values.mean()), values - values.mean()
        found = interval(value, parts, level=0.9)
        for bound, is_above in ((0.2, True), (-0.2, False)):
            is_beyond = found.low > bound if is_above else found.high < bound
            seen.add((is_beyond, is_above))
            assert (p_beyond(value, parts, bound, is_above=is_above) < 0.1) == is_beyond
    assert len(seen) == 4


def test_what_does_not_differ_has_no_p_value() -> None:
    ones = np.ones((2, 1, 5))
    assert math.isnan(measure(ones, ones).chance(0, 1, 0))
    more = ones * np.array([1.0, 2.0])[:, None, None]
    assert measure(more, ones).chance(1, 0, 0) == 0.0
    assert math.isnan(measure(more[..., :1], ones[..., :1]).chance(1, 0, 0))


def test_p_values_of_a_family_are_those_of_holm() -> None:
    """The smallest times 3, the next times 2 and so on, never less than one before it."""
    assert holm([0.01, math.nan, 0.04, 0.03])[0] == pytest.approx(0.03)
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert math.isnan(holm([0.01, math.nan])[1])


def test_each_resample_has_as_many_clusters_as_there_are() -> None:
    weights = draw_weights(7, np.random.default_rng(0), resamples=50)
    assert (weights.sum(axis=1) == 7).all()
    assert len({tuple(each) for each in weights}) > 40


def test_a_change_of_unit_may_turn_an_interval_round() -> None:
    turned = Estimate(value=2, low=1, high=5).scaled(-10)
    assert (turned.value, turned.low, turned.high) == (-20, -50, -10)


def test_an_interval_ends_where_no_figure_can_be() -> None:
    cut = Estimate(value=0.2, low=-0.1, high=1.3).within(0, 1)
    assert (cut.low, cut.high) == (0, 1)
    assert not Estimate(value=0.2, low=math.nan, high=math.nan).within(0, 1).has_interval
