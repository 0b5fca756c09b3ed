"""Figures that are 0 in most clusters: how far up they may be."""

from __future__ import annotations

import math

import numpy as np
import pytest

from abr.media import FloatArray
from bench.analysis.rarity import chance_above, highest_share_unseen, most_of, reach
from bench.analysis.stats import Measured, measure


def rare(*rows: FloatArray) -> Measured:
    """One figure of some algorithms, over clusters of 1 s each."""
    top = np.stack(rows)[:, None, :]
    return measure(top, np.ones_like(top), is_rare=[True])


def test_a_mean_may_be_as_high_as_the_lognormal_tail_takes_it() -> None:
    """Two of four clusters stalled, 0.01 s and 0.01 e² s.

    ln(2/4) + ln(0.01) + (0 + 2) / 2 + 1.7² / 2 = −2.8533; its error is
    √((1 − 2/4 + 1.7²) / 2) = 1.3019, and 1.6449 times that 2.1415: e^−0.7118 = 0.4907. The mean is
    (0.01 + 0.0739) / 4 = 0.0210.
    """
    loads = np.array([0.01, 0.0, 0.01 * math.exp(2), 0.0])
    assert reach(loads, miss=0.05) == pytest.approx(0.4907 - 0.0210, abs=2e-4)
    assert chance_above(loads, 0.4907) == pytest.approx(0.05, abs=1e-4)


def test_what_was_seen_often_or_never_says_nothing_of_a_tail() -> None:
    for loads in (np.arange(1.0, 31.0), np.zeros(20)):
        assert reach(loads, miss=0.05) == 0
        assert chance_above(loads, 100.0) == 0


def test_an_interval_that_reaches_further_stays() -> None:
    """One cluster of 8 holds nearly all: the spread alone says more than the tail."""
    top = np.array([9e3, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3])
    alone = measure(top[None, None], np.ones((1, 1, 8))).estimate(0, 0)
    assert rare(top).estimate(0, 0) == alone


def test_clusters_without_a_part_count_for_nothing() -> None:
    top, bottom = np.array([[[1.0, 0.0, 2.0, 0.0]]]), np.full((1, 1, 4), 100.0)
    more = [np.append(each, np.zeros((1, 1, 2)), axis=-1) for each in (top, bottom)]
    plain, padded = (
        measure(*sums, is_rare=[True]).estimate(0, 0) for sums in ((top, bottom), more)
    )
    assert plain == padded


def test_what_was_never_seen_has_no_interval() -> None:
    found = rare(np.zeros(20)).estimate(0, 0)
    assert found.value == 0
    assert not found.has_interval


def test_a_heavy_tail_is_held_far_more_often_than_by_spread_alone() -> None:
    """One in ten of 20 clusters stalls, lognormally with σ = 1.7: θ = e^(1.7²/2) / 10."""
    rng, held = np.random.default_rng(1), np.zeros(2)
    truth, samples = math.exp(1.7**2 / 2) / 10, 0
    for _ in range(400):
        top = rng.lognormal(0, 1.7, 20) * (rng.random(20) < 0.1)
        if not top.any():
            continue
        samples += 1
        alone = measure(top[None, None], np.ones((1, 1, 20))).estimate(0, 0)
        held += [each.low <= truth <= each.high for each in (alone, rare(top).estimate(0, 0))]
    alone_share, share = held / samples
    assert alone_share < 0.85
    assert share > 0.9


def test_a_difference_has_a_tail_where_either_stalls_longer() -> None:
    """``b`` stalls in two of 20 clusters, and ``a`` never: it may be far more, and hardly less."""
    a, b = np.zeros(20), np.zeros(20)
    b[:2] = 1.0, 2.0
    both = np.stack([a, b])[:, None, :]
    alone = measure(both, np.ones_like(both)).difference(1, 0, 0)
    more, less = rare(a, b).difference(1, 0, 0), rare(a, b).difference(0, 1, 0)
    assert more.high > alone.high
    assert more.low == alone.low
    assert (less.low, less.high) == pytest.approx((-more.high, -more.low))


def test_p_values_of_what_is_rare_follow_from_its_intervals() -> None:
    rng, seen = np.random.default_rng(4), set()
    for _ in range(300):
        a, b = rng.lognormal(0, 1.7, (2, 15)) * (rng.random((2, 15)) < 0.3)
        found = rare(a + (rng.random() < 0.7) * rng.lognormal(1, 0.3, 15), b)
        bound = float(rng.choice([0.0, 0.5]))
        difference = found.difference(0, 1, 0)
        p = found.chance_beyond(0, 1, 0, bound, is_above=True)
        seen.add(difference.low > bound)
        assert (p < 0.05) == (difference.low > bound)
        if bound == 0:
            strict = found.difference(0, 1, 0, level=0.8)
            assert (found.chance(0, 1, 0, level=0.8) < 1 - 0.8) == (
                strict.low > 0 or strict.high < 0
            )
            assert (found.chance(0, 1, 0) < 0.05) == (difference.low > 0 or difference.high < 0)
    assert seen == {True, False}


def test_a_tail_leaves_a_difference_open_but_does_not_weigh_it() -> None:
    """40 of 60 clusters stall more with ``b``, and one less: as sure as without that one."""
    a, b = np.zeros(60), np.zeros(60)
    b[:40] = np.linspace(2.0, 3.0, 40)
    a[59] = 1.0
    both = np.stack([a, b])[:, None, :]
    assert rare(a, b).chance(1, 0, 0) == measure(both, np.ones_like(both)).chance(1, 0, 0) < 1e-6


def test_the_cluster_with_most_is_told_with_its_share() -> None:
    assert most_of(np.array([1.0, 6.0, 1.0])) == (1, 0.75)
    assert most_of(np.zeros(3))[1] == 0


def test_none_of_three_leaves_room_for_a_share() -> None:
    """(1 − p)³ = 0.125 where p = 0.5."""
    assert highest_share_unseen(3, level=0.875) == pytest.approx(0.5)
