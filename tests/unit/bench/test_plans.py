"""Algorithms that plan for another price of stalls than they are judged by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from abr.qoe import QOE_LIN, Model, linear, log
from bench.analysis.plans import planned_otherwise
from bench.analysis.scores import score
from bench.analysis.standings import bench_report
from bench.experiments.results import Results
from bench.reports.cautions import write_cautions
from tests.fakes.results import results, row


def played() -> Results:
    """A planner, the same for another price, and a rule of one's own with such a parameter."""
    names = {"mpc": "mpc", "told": "robust-mpc", "own": "mine.py:Own"}
    found = results([row(name, trace) for trace in range(4) for name in names], names=names)
    prices = {"mpc": 4.3, "told": 20.0, "own": 4.3}
    algorithms = [
        {**each, "params": {"stall_weight": prices[each["label"]]}}
        for each in found.header["algorithms"]
    ]
    return replace(found, header={**found.header, "algorithms": algorithms})


def planned(model: Model) -> dict[tuple[float, float], list[str]]:
    found, metrics = score(played(), (model,))
    return planned_otherwise(found.header, next(each for each in metrics if each.is_score))


def test_a_planner_for_another_price_of_stalls_is_named() -> None:
    assert planned(linear(stall_weight=20)) == {(4.3, 20.0): ["mpc"]}
    assert planned(QOE_LIN) == {(20.0, 4.3): ["told"]}
    assert planned(linear(stall_weight=4.5)) == {(20.0, 4.5): ["told"]}
    assert planned(log()) == {}


def test_the_report_says_so() -> None:
    found, metrics = score(played(), (linear(stall_weight=20),))
    report = bench_report(found, rng=np.random.default_rng(0), seed=0, metrics=metrics)
    assert (
        "mpc planned for 4.3 per second stalled, where linear:stall_weight=20 counts 20: "
        "a fair comparison sets stall_weight in params."
    ) in write_cautions(report)
