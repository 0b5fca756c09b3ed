"""Our own elementary functions against the standard library's."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from abr.generators.portable import exp, log, normal_quantile, normal_share, uniforms


def test_exp_is_right_to_two_units_in_the_last_place() -> None:
    x = np.linspace(-300, 300, 4001)
    assert exp(x) == pytest.approx([math.exp(v) for v in x], rel=5e-16)


def test_log_undoes_exp() -> None:
    x = np.exp(np.linspace(-300, 300, 4001))
    assert log(x) == pytest.approx([math.log(v) for v in x], rel=5e-16, abs=1e-15)


def test_quantiles_and_shares_are_those_of_the_normal_distribution() -> None:
    normal = NormalDist()
    u = np.concatenate([np.linspace(1e-6, 1 - 1e-6, 2001), [2.0**-53, 1e-12, 1 - 2.0**-52]])
    assert normal_quantile(u) == pytest.approx([normal.inv_cdf(v) for v in u], rel=2e-9, abs=1e-8)
    z = np.linspace(-9, 9, 2001)
    assert normal_share(z) == pytest.approx([math.erfc(-v / 2**0.5) / 2 for v in z], abs=2e-12)


def test_uniforms_are_inside_the_open_interval_and_spread_evenly() -> None:
    u = uniforms(1, 0, 20_000)
    assert 0 < u.min() < 0.001
    assert 0.999 < u.max() < 1
    assert u.mean() == pytest.approx(0.5, abs=0.01)


def test_more_uniforms_begin_with_the_fewer() -> None:
    assert uniforms(5, 2, 100)[:10].tolist() == uniforms(5, 2, 10).tolist()
    assert uniforms(5, 2, 10).tolist() != uniforms(5, 3, 10).tolist()


def test_the_stream_is_pcg64s() -> None:
    """The first raw words of seed 0; numpy keeps the streams of bit generators for good."""
    words = (11749869230777074271, 4976686463289251617)
    expected = [((word >> 12) + 0.5) * 2.0**-52 for word in words]
    assert uniforms(0, 0, 2).tolist() == expected
