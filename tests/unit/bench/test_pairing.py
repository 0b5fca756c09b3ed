"""Figures are over the sessions an algorithm played, differences over those both played."""

from __future__ import annotations

import numpy as np
import pytest

from bench.analysis.metrics import BY_NAME, METRICS
from bench.analysis.pairing import Figures, align
from bench.experiments.results import Results
from tests.fakes.results import results, row

RATE = METRICS.index(BY_NAME["bitrate_bps"])
FAILED = {"startup_s": None, "ended": "error: refused"}


def made() -> Results:
    """``a`` plays 1 to 4 Mbit/s, ``b`` 1 Mbit/s less over the last three, ``c`` nothing."""
    rows = []
    for k in range(4):
        kind = {"class": "3g" if k < 2 else "lte"}
        rows.append(row("a", k, mean_bitrate_bps=1e6 * (k + 1), **kind))
        rows.append(row("b", k, mean_bitrate_bps=1e6 * k, **(FAILED if k == 0 else {}), **kind))
        rows.append(row("c", k, **FAILED, **kind))
    return results(rows)


def figures(found: Results) -> Figures:
    sessions = align(found)
    return Figures(sessions, found.numbers)


def test_sessions_are_put_side_by_side() -> None:
    sessions = align(made())
    assert sessions.labels == ("a", "b", "c")
    assert sessions.played.sum(axis=1).tolist() == [4, 3, 0]
    assert (sessions.planned, sessions.planned_networks, sessions.left_out) == (4, 4, 4)
    assert [sessions.kinds[k] for k in sessions.kind] == ["3g", "3g", "lte", "lte"]


def test_each_figure_has_its_own_sessions_and_each_difference_its_pairs() -> None:
    found = figures(made())
    assert found.own.estimate(0, RATE).value == pytest.approx(2.5e6)
    assert found.own.estimate(1, RATE).value == pytest.approx(2e6)
    difference = found.pair(1, 0).difference(0, 1, RATE)
    assert difference.value == pytest.approx(-1e6)
    assert (difference.low, difference.high) == pytest.approx((-1e6, -1e6))
    assert np.isfinite(found.pair(0, 1).parts[:, RATE]).sum(axis=1).tolist() == [3, 3]


def test_an_algorithm_that_played_nothing_has_no_figure_and_no_pair() -> None:
    found = figures(made())
    for estimate in (found.own.estimate(2, RATE), found.pair(2, 0).difference(0, 1, RATE)):
        assert np.isnan(estimate.value)
        assert not estimate.has_interval


def test_a_class_has_its_own_networks() -> None:
    sessions = align(made()).of_class("lte")
    assert (sessions.units, sessions.clusters) == (2, ("file:2", "file:3"))
    assert sessions.unit.tolist() == [0, 1]
    assert sessions.played.sum(axis=1).tolist() == [2, 2, 0]


def test_one_network_in_common_has_no_interval() -> None:
    rows = [row("a", k) for k in range(4)]
    rows += [row("b", k, **(FAILED if k else {})) for k in range(4)]
    difference = figures(results(rows)).pair(1, 0).difference(0, 1, RATE)
    assert difference.value == 0
    assert not difference.has_interval


def test_a_network_that_nobody_played_is_planned_and_counts_nowhere() -> None:
    rows = [row("a", 0), row("a", 1, **FAILED)]
    sessions = align(results(rows))
    assert (sessions.planned, sessions.planned_networks, sessions.units) == (2, 2, 1)
