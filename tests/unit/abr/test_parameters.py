"""Parameters of algorithms as logs hold them."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from abr import registry
from abr.decision import Observation, begin
from abr.errors import AlgorithmError
from abr.log import SessionLog
from abr.media import constant_presentation
from abr.parameters import MOST_VALUES, parameters_of, plain_values
from abr.trace import Trace
from bench.experiments.planfile import read_plan
from bench.experiments.run.materials import load_experiment
from player import replay, simulate


class Steady:
    """A class of the user's own."""

    def __init__(self, margin: float = 0.5, *, label: str = "a", **rest: Any) -> None:
        self.margin, self._label, self.rest = margin, label, rest

    def choose(self, _seen: Observation) -> int:
        return 0


@dataclass
class Cautious:
    """The same as a dataclass."""

    reservoir_s: float
    cushion_s: float = 10.0

    def choose(self, _seen: Observation) -> int:
        return 0


def make_steady(level: int, margin: float = 0.25) -> Steady:
    """A factory whose own argument the object does not keep."""
    return Steady(margin * level)


CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "a class and its defaults": (Steady, {"margin": 0.5, "label": "a"}),
    "a partial of a class": (
        functools.partial(Steady, 0.75, label="b"),
        {"margin": 0.75, "label": "b"},
    ),
    "a partial of a partial": (
        functools.partial(functools.partial(Steady, margin=0.1), label="c"),
        {"margin": 0.1, "label": "c"},
    ),
    "more arguments than are named": (
        functools.partial(Steady, seed=7),
        {"margin": 0.5, "label": "a", "seed": 7},
    ),
    "a closure": (lambda: Steady(0.9), {"margin": 0.9, "label": "a"}),
    "a partial of a function": (
        functools.partial(make_steady, 2),
        {"level": 2, "margin": 0.5, "label": "a"},
    ),
    "a dataclass": (
        functools.partial(Cautious, 4.0),
        {"reservoir_s": 4.0, "cushion_s": 10.0},
    ),
    "an object": (Cautious(5.0), {"reservoir_s": 5.0, "cushion_s": 10.0}),
}


@pytest.mark.parametrize("name", CASES)
def test_parameters_of_ones_own_algorithm_are_recorded(name: str) -> None:
    """However it was given, and what the object keeps wins over what its maker was given."""
    given, expected = CASES[name]
    running = begin(given, constant_presentation([1e5], segments=1, segment_s=1.0))
    assert running.params == expected


def test_an_object_may_say_itself_what_its_parameters_are() -> None:
    """As a mapping or as a named tuple."""
    said = Steady()
    said.params = {"net": Path("net.onnx"), "depth": np.int64(3)}  # type: ignore[attr-defined]
    assert parameters_of(said, said) == {"net": "net.onnx", "depth": 3}


def test_any_value_becomes_one_that_json_has() -> None:
    """A log that cannot be written after an hour of playing is worse than a description."""
    values = {
        "small": np.arange(3.0),
        "large": np.zeros(MOST_VALUES + 1),
        "never": float("inf"),
        "rate": np.float32(0.5),
        "nested": {"a": (1, {2})},
        "scorer": make_steady,
        "model": Steady(),
        "raw": b"\x00",
    }
    found = plain_values(values)
    assert json.loads(json.dumps(found, allow_nan=False)) == {
        "small": [0.0, 1.0, 2.0],
        "large": f"array of float64, shape ({MOST_VALUES + 1},)",
        "never": "inf",
        "rate": 0.5,
        "nested": {"a": [1, [2]]},
        "scorer": "make_steady",
        "model": "Steady",
        "raw": "bytes",
    }


def test_values_that_refer_to_themselves_end() -> None:
    circle: list[Any] = []
    circle.append({"again": circle})
    assert json.dumps(plain_values({"circle": circle}))


def test_secrets_among_parameters_are_not_recorded() -> None:
    """An algorithm that asks a service has its key."""
    assert plain_values({"api_key": "x", "authToken": "y", "password": "z", "tokens_per_s": 1}) == {
        "api_key": "-",
        "authToken": "-",
        "password": "-",
        "tokens_per_s": 1,
    }


THINGS = """
from collections import namedtuple
from dataclasses import dataclass
from functools import partial

from abr import registry


class Mine:
    def __init__(self, alpha=1.0, *, beta=(1, 2), seed=5, **rest):
        self.alpha, self._beta, self.seed = alpha, beta, seed

    def choose(self, seen):
        return 0


@dataclass
class Data:
    gamma: float = 2.0

    def choose(self, seen):
        return 0


class Pair(namedtuple("Pair", "x y")):
    def choose(self, seen):
        return 0


mine, data, pair, rule = Mine(3.5), Data(7.0), Pair(1, 2), registry.load("rate", window=3)
bound = partial(Mine, alpha=9.0)
"""


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("mine", {"alpha": 3.5, "beta": [1, 2], "seed": 5}),
        ("data", {"gamma": 7.0}),
        ("pair", {"x": 1, "y": 2}),
        ("bound", {"alpha": 9.0}),
        ("rule", {"window": 3}),
    ],
)
def test_an_object_of_a_file_is_known_by_what_it_has(
    name: str, params: dict[str, Any], tmp_path: Path
) -> None:
    """In the log, in its replay, and in the registry, which refuses what it does not have."""
    file = tmp_path / "things.py"
    file.write_text(THINGS)
    film = constant_presentation([1e6, 2e6], segments=4, segment_s=4.0)
    log = simulate(film, trace=Trace.constant(3e6), algorithm=f"{file}:{name}")
    said = log.provenance["params"]
    assert {key: said[key] for key in params} == params
    assert replay(SessionLog.loads(log.dumps())).records == log.records
    if name != "bound":
        key, value = next(iter(params.items()))
        registry.load(f"{file}:{name}", **{key: str(value)})  # as it is
        for wrong in ({key: value + 1}, {"delta": 3}):
            with pytest.raises(AlgorithmError, match=r"made already, with .*=.*; name its class"):
                registry.load(f"{file}:{name}", **wrong)


def test_an_object_is_part_of_what_a_plan_plays(tmp_path: Path) -> None:
    (tmp_path / "things.py").write_text(THINGS)
    plan = """
[[algorithm]]
name = "things.py:mine"
[[traces]]
generate = "3g-commute"
count = 1
[[presentation]]
builtin = "vbr-6"
"""
    (found,) = load_experiment(read_plan(plan, name="plan.toml"), folder=tmp_path).contenders
    assert found.effective == {"alpha": 3.5, "beta": [1, 2], "seed": 5}
    assert not found.is_seeded  # it has its own
