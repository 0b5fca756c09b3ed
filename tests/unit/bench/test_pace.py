"""Time left is told from runs that are like those to come."""

from __future__ import annotations

from dataclasses import replace

from bench.experiments.experiment import in_turns, runs_of
from bench.experiments.pace import Pace
from tests.unit.bench.test_experiment import experiment


def test_the_first_run_of_each_algorithm_says_nothing_of_the_others() -> None:
    """Two algorithms with runs of 2 and 1 networks; compiling takes 100 s, the rest 1 s."""
    runs = [replace(run, engine="auto") for run in in_turns(runs_of(experiment()))]
    pace = Pace(runs, 0.0)
    pace.add(runs[0], 50.0)
    assert pace.left(50.0) == "compiling, 1 algorithm to go"
    pace.add(runs[1], 100.0)
    assert pace.left(100.0) == "time left not known yet"
    pace.add(runs[2], 101.0)
    assert pace.left(101.0) == "about 1 s left"
    assert (pace.sessions, pace.total) == (5, 6)


def test_in_plain_python_all_runs_are_alike() -> None:
    runs = [replace(run, engine="plain") for run in runs_of(experiment())]
    pace = Pace(runs, 0.0)
    pace.add(runs[0], 400.0)
    assert pace.left(400.0) == "about 13 min left"
