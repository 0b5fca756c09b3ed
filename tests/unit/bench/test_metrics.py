"""Figures by hand."""

from __future__ import annotations

import numpy as np
import pytest

from abr.qoe import qoe_lin
from bench.analysis.metrics import BY_NAME, METRICS
from tests.fakes.results import results, row


def figure(name: str, *rows: dict[str, object]) -> float:
    numbers = results(rows).numbers
    metric = BY_NAME[name]
    return float(metric.top(numbers).sum() / metric.bottom(numbers).sum())


def test_the_linear_score_is_that_of_the_paper() -> None:
    """1 + 3 + 3 Mbit/s, one change of 2, 1 s stalled: (7 - 2 - 4.3) / 3."""
    assert qoe_lin([1e6, 3e6, 3e6], 1.0) == pytest.approx(0.7 / 3)
    assert qoe_lin([], 0.0) == 0


def test_the_stall_ratio_is_a_ratio_of_sums() -> None:
    """10 s of 110 s and 0 s of 890 s: 1 %, where the mean of the ratios is 4.5 %."""
    rows = [row("a", 0, stall_s=10.0), row("a", 1, played_s=890.0)]
    assert figure("stall_ratio", *rows) == pytest.approx(0.01)


def test_sessions_that_never_began_have_no_startup() -> None:
    rows = [row("a", 0, startup_s=2.0), row("a", 1, startup_s=None, played_s=0.0)]
    assert figure("startup_s", *rows) == 2.0


def test_rates_are_over_time_played_and_changes_over_pairs() -> None:
    """4 switches in 100 s are 2.4 a minute; 2 Mbit/s of change in 4 pairs are 0.5."""
    one = row("a", 0, switches=4, stall_events=1, segments=5, bitrate_change_bps=2e6)
    assert figure("switches_per_min", one) == pytest.approx(2.4)
    assert figure("stalls_per_h", one) == pytest.approx(36)
    assert figure("change_bps", one) == pytest.approx(5e5)
    assert figure("wasted_ratio", row("a", 0, wasted_bytes=1e5)) == pytest.approx(0.1)


def test_every_figure_has_a_formula_and_a_name_of_its_own() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    assert all(metric.formula for metric in METRICS)
    numbers = results([row("a", 0), row("a", 1)]).numbers
    assert all(np.isfinite(metric.top(numbers)).all() for metric in METRICS)
