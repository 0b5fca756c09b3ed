"""Estimates worked out by hand."""

from __future__ import annotations

import math

import pytest

from abr import estimators
from abr.decision import NO_DOWNLOADS, Download, downloads_from

# 8, 4 and 2 Mbit/s over 1, 2 and 4 s, after waits of 0, 1 and 2 s.
SEEN = downloads_from(
    [
        Download(0, 0, 1e6, 0, 0, 1),
        Download(1, 0, 1e6, 2, 3, 5),
        Download(2, 0, 1e6, 5, 7, 11),
    ]
)


def test_nothing_is_known_before_the_first_download() -> None:
    assert math.isnan(estimators.harmonic_throughput_bps(NO_DOWNLOADS, 5))
    assert math.isnan(estimators.sliding_throughput_bps(NO_DOWNLOADS, 3))
    assert math.isnan(estimators.sliding_latency_s(NO_DOWNLOADS, 3))
    ewma = estimators.ewma_start(3, 8)
    assert math.isnan(estimators.ewma_throughput_bps(ewma))
    assert math.isnan(estimators.ewma_latency_s(ewma))


def test_sliding_means_take_the_last_downloads() -> None:
    assert estimators.sliding_throughput_bps(SEEN, 2) == 3e6
    assert estimators.sliding_throughput_bps(SEEN, 9) == pytest.approx(14e6 / 3)
    assert estimators.sliding_latency_s(SEEN, 2) == 1.5


def test_harmonic_mean_includes_the_wait_for_the_first_byte() -> None:
    """8 Mbit in 3 s and 8 Mbit in 6 s: 16 Mbit over 9 s."""
    assert estimators.harmonic_throughput_bps(SEEN, 2) == pytest.approx(16e6 / 9)


def test_three_means_of_throughputs_with_their_waits() -> None:
    """8 Mbit in 3 s and 8 in 6: the arithmetic mean is 2 Mbit/s, and of equal sizes both others."""
    means = [estimators.mean_throughput_bps(SEEN, 2, mean) for mean in (0, 1, 2)]
    assert means == pytest.approx([16e6 / 9, 2e6, 16e6 / 9])
    assert all(math.isnan(estimators.mean_throughput_bps(NO_DOWNLOADS, 5, k)) for k in range(3))


def test_one_sample_is_the_estimate_whatever_its_weight() -> None:
    ewma = estimators.ewma_start(3, 8)
    estimators.ewma_add(ewma, 1e6, 0.001, 0.2, 4)
    assert estimators.ewma_throughput_bps(ewma) == pytest.approx(8e9)
    assert estimators.ewma_latency_s(ewma) == pytest.approx(0.2)


def test_the_estimate_is_the_more_cautious_of_fast_and_slow() -> None:
    """Weights after 8 then 2 Mbit/s for one half-life each of 4 s: (8/4 + 2/2) / (3/4) = 4."""
    ewma = estimators.ewma_start(4, 8)
    estimators.ewma_add(ewma, 4e6, 4, 0.1, 4)
    estimators.ewma_add(ewma, 1e6, 4, 0.3, 4)
    assert estimators.ewma_throughput_bps(ewma) == pytest.approx(4e6)
    assert estimators.ewma_latency_s(ewma) == pytest.approx((0.1 / 4 + 0.3 / 2) / (3 / 4))


def test_a_transfer_that_took_no_time_teaches_nothing() -> None:
    ewma = estimators.ewma_start(3, 8)
    estimators.ewma_add(ewma, 1e6, 0.0, 0.2, 4)
    assert math.isnan(estimators.ewma_throughput_bps(ewma))
