"""Runs of an experiment: what decides results decides their ids."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from abr.trace import Trace
from abr.traceedit import rotate
from bench.experiments.experiment import (
    Contender,
    Experiment,
    NetworkTrace,
    blocks_of,
    in_turns,
    runs_of,
)
from bench.experiments.presentations import builtin


def network(mbps: float, seed: int = 0) -> NetworkTrace:
    trace = Trace.from_periods([(10, mbps * 1e6), (10, 1e6)], name=f"net{mbps}")
    return NetworkTrace(trace=trace, kind="made up", seed=seed, cluster="trace:x")


def experiment(**more: object) -> Experiment:
    base = Experiment(
        name="e",
        version="1",
        preset="abrkit",
        player={},
        contenders=(Contender(label="a", name="a"), Contender(label="b", name="b")),
        presentations=(builtin("vbr-6"),),
        networks=tuple(network(mbps) for mbps in (1, 2, 3)),
        block_size=2,
    )
    return replace(base, **more)  # type: ignore[arg-type]  # fields by name


def test_every_algorithm_meets_every_network_once() -> None:
    """Three networks in blocks of two: two runs for each of two algorithms."""
    runs, blocks = runs_of(experiment()), blocks_of(experiment())
    met = [(run.contender.label, each.trace.name) for run in runs for each in blocks[run.block]]
    assert met == [(label, f"net{mbps}") for label in "ab" for mbps in (1, 2, 3)]
    assert len({run.id for run in runs}) == len(runs) == 4
    assert [run.sessions for run in runs] == [2, 1, 2, 1]
    assert runs[1].label == "a on vbr-6 over 1 networks from 'net3'"


def test_ids_are_stable_and_change_with_what_decides() -> None:
    first = runs_of(experiment())[0]
    assert runs_of(experiment())[0].id == first.id
    changed = [
        experiment(version="2"),
        experiment(preset="sabre"),
        experiment(player={"max_buffer_s": 9.0}),
        experiment(presentations=(builtin("vbr-6", 1),)),
        experiment(networks=(network(5), network(2))),
        experiment(contenders=(Contender(label="a", name="a", effective={"gp": 3}),)),
        experiment(contenders=(Contender(label="a", name="a", code="edited"),)),
    ]
    assert first.id not in {runs_of(each)[0].id for each in changed}


def test_an_algorithm_added_to_a_plan_leaves_the_others_as_they_were() -> None:
    more = experiment(contenders=(*experiment().contenders, Contender(label="c", name="c")))
    assert {run.id for run in runs_of(experiment())} < {run.id for run in runs_of(more)}


def test_seeds_are_given_to_algorithms_that_take_one() -> None:
    """Runs never mix seeds, so each has one to give."""
    both = experiment(
        networks=(network(1, 0), network(1, 7)),
        contenders=(Contender(label="dice", name="dice", is_seeded=True),),
    )
    assert [run.contender.params for run in runs_of(both)] == [{"seed": 0}, {"seed": 7}]


def test_algorithms_take_turns() -> None:
    runs = runs_of(experiment())
    turns = in_turns(runs)
    assert [run.contender.label for run in turns] == ["a", "b", "a", "b"]
    assert sorted(run.id for run in turns) == sorted(run.id for run in runs)


def test_what_takes_longest_to_compile_comes_first() -> None:
    contenders = tuple(
        Contender(label=name, name=name, code_bytes=size) for name, size in (("a", 1), ("b", 2))
    )
    turns = in_turns(runs_of(experiment(contenders=contenders)))
    assert [run.contender.label for run in turns] == ["b", "a", "a", "b"]


def test_a_turned_trace_offers_the_same_from_elsewhere() -> None:
    trace = network(9).trace
    turned = rotate(trace, 3)
    assert turned.name != trace.name
    start_s = float(turned.name.partition("@")[2].rstrip("s"))
    assert turned.duration_s == trace.duration_s
    for t_s in np.linspace(0, 19, 7):
        want = trace.bits_by(start_s + t_s) - trace.bits_by(start_s)
        assert turned.bits_by(t_s) == pytest.approx(want)


def test_seed_0_and_traces_that_hold_stay_as_they_are() -> None:
    trace = network(9).trace
    assert rotate(trace, 0) is trace
    held = Trace.constant(1e6)
    assert rotate(held, 3) is held


def test_small_experiments_are_not_compiled() -> None:
    assert experiment().engine == "plain"
    many = tuple(network(1 + k / 100) for k in range(300))
    assert experiment(networks=many).engine == "auto"
    assert experiment(wanted_engine="compiled").engine == "auto"
    assert experiment(networks=many, wanted_engine="plain").engine == "plain"
