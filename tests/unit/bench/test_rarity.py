"""Figures that are 0 in most clusters: how far up they may be."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.analysis.rarity import highest_share_unseen, most_of, with_tail
from bench.analysis.stats import Estimate, measure


def test_the_upper_end_is_that_of_the_lognormal() -> None:
    """Two of four clusters stalled, 1 s and e² s of 100 s each.

    ln(2/4) + (0 + 2) / 2 + 1.7² / 2 = 1.7519; its error is √((1 − 2/4 + 1.7²) / 2) = 1.3019, and
    1.6449 times that 2.1415: e^3.8933 / 100 = 0.4907.
    """
    top, bottom = np.array([1.0, 0.0, math.exp(2), 0.0]), np.full(4, 100.0)
    narrow = Estimate(value=0.02, low=0.01, high=0.03)
    found = with_tail(narrow, top, bottom, level=0.95)
    assert (found.value, found.low) == (0.02, 0.01)
    assert found.high == pytest.approx(0.4907, abs=2e-4)


def test_an_interval_that_reaches_further_stays() -> None:
    wide = Estimate(value=0.02, low=0.0, high=0.9)
    top, bottom = np.array([1.0, 0.0, 2.0, 0.0]), np.full(4, 100.0)
    assert with_tail(wide, top, bottom, level=0.95) == wide


def test_clusters_without_a_part_count_for_nothing() -> None:
    narrow = Estimate(value=0.02, low=0.01, high=0.03)
    top, bottom = np.array([1.0, 0.0, 2.0, 0.0]), np.full(4, 100.0)
    more = (np.append(top, [0.0, 0.0]), np.append(bottom, [0.0, 0.0]))
    assert with_tail(narrow, *more, level=0.95) == with_tail(narrow, top, bottom, level=0.95)


def test_what_was_seen_often_is_judged_by_its_spread_alone() -> None:
    narrow = Estimate(value=0.02, low=0.01, high=0.03)
    top = np.arange(1.0, 31.0)
    assert with_tail(narrow, top, np.full(30, 100.0), level=0.95) == narrow


def test_what_was_never_seen_has_no_interval() -> None:
    zero = Estimate(value=0.0, low=0.0, high=0.0)
    found = with_tail(zero, np.zeros(20), np.ones(20), level=0.95)
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
        bottom = np.ones(20)
        alone = measure(top[None, None], bottom[None, None]).estimate(0, 0)
        tailed = with_tail(alone, top, bottom, level=0.95)
        held += [each.low <= truth <= each.high for each in (alone, tailed)]
    alone_share, share = held / samples
    assert alone_share < 0.85
    assert share > 0.9


def test_the_cluster_with_most_is_told_with_its_share() -> None:
    assert most_of(np.array([1.0, 6.0, 1.0])) == (1, 0.75)
    assert most_of(np.zeros(3))[1] == 0


def test_none_of_three_leaves_room_for_a_share() -> None:
    """(1 − p)³ = 0.125 where p = 0.5."""
    assert highest_share_unseen(3, level=0.875) == pytest.approx(0.5)
