"""Model files: those bundled, their text, and every way a file can be wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from abr.errors import ModelError
from abr.files.models import find_model, model, names, read_model_file
from abr.generators import KINDS, read_model, write_model

CLASSES = {
    "3g-commute",
    "lte-walking",
    "lte-driving",
    "5g-mmwave-walking",
    "5g-mmwave-driving",
    "fcc-home",
    "puffer-home",
    "wifi-weak-5mbps",
    "wifi-weak-50mbps",
    "starlink-driving",
}


def test_the_classes_that_come_along() -> None:
    assert set(names()) == CLASSES
    assert list(names()) == sorted(names())


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_a_model_states_where_it_comes_from_and_how_good_it_is(name: str) -> None:
    held = model(name)
    assert held.name == name
    assert held.source
    assert held.fitted_traces > 30
    assert set(held.goodness) == set(KINDS)
    assert all(len(each.acf_real) == 10 for each in held.goodness.values())
    worst = max(each.ks for each in held.goodness.values())
    assert worst <= 0.15 or "the bar of 0.15" in held.caution


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_what_is_written_reads_back_and_prints_the_same(name: str) -> None:
    text = write_model(model(name))
    assert read_model(text, name=name) == model(name)
    assert write_model(read_model(text, name=name)) == text


def test_names_are_liberal_and_near_misses_listed() -> None:
    assert model("LTE_Walking") == model("lte-walking")
    with pytest.raises(ModelError, match="unknown model '6g'; expected one of 3g-commute, "):
        model("6g")


def test_ones_own_file_is_found_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(write_model(model("starlink-driving")), encoding="utf-8")
    assert find_model(str(path)) == read_model_file(path) == model("starlink-driving")
    assert find_model("starlink-driving") == model("starlink-driving")
    with pytest.raises(ModelError, match=r"other\.json: no such file; expected a model file"):
        find_model(str(tmp_path / "other.json"))
    with pytest.raises(ModelError, match="cannot be read as text"):
        read_model_file(tmp_path)


@pytest.mark.parametrize("text", ["x" * 5000, "a\0b", "a\0b.json", "x" * 5000 + ".json", "", "."])
def test_what_no_file_can_be_called_is_refused_as_well(text: str) -> None:
    with pytest.raises(ModelError, match="expected"):
        find_model(text)


def change(*path: str | int, to: object) -> Callable[[dict[str, Any]], None]:
    """A change of one value of a model file."""

    def change(held: Any) -> None:
        for key in path[:-1]:
            held = held[key]
        held[path[-1]] = to

    return change


def without(key: str) -> Callable[[dict[str, Any]], None]:
    """A file that lacks a key."""

    def change(held: dict[str, Any]) -> None:
        del held[key]

    return change


WRONG = [
    (change("format", to="x"), "m: found 'x'; expected an object with format 'abrkit-model'"),
    (change("version", to=2), "m: found version '2'; this release reads version 1"),
    (change("version", to=True), "m: found version 'True'; this release reads version 1"),
    (without("chain"), "m: chain is missing; expected name, period_s, chain"),
    (change("colour", to=1), "m: unknown key 'colour'; expected name"),
    (change("name", to=3), "m: name: found 3; expected text"),
    (change("name", to="a/b"), "m: name is 'a/b'; expected letters"),
    (change("period_s", to="1"), "m: period_s: found '1'; expected a number"),
    (change("period_s", to=True), "m: period_s: found True; expected a number"),
    (change("period_s", to=0), "m: period_s is 0; expected 0.001 to 86400"),
    (change("period_s", to=float("nan")), "m: period_s is nan; expected 0.001"),
    (change("period_s", to=10**400), "expected a smaller number"),
    (change("fitted_traces", to=1.5), "m: fitted_traces: found 1.5; expected a whole number"),
    (change("default_kind", to="x"), "m: default_kind is 'x'; expected one of"),
    (change("chain", to=[]), "m: chain: found []; expected an object"),
    (change("chain", "within_phi", to=1), "m: chain: within_phi holds 1; expected 0 to"),
    (change("chain", "initial", to=4), "m: chain: initial: found 4; expected a list"),
    (change("chain", "initial", 0, to=0.9), "m: chain: initial has 7 shares that sum to 1."),
    (change("chain", "initial", 0, to=None), "m: chain: initial[0]: found None; expected a nu"),
    (change("chain", "transition", to=[[1]]), "m: chain: transition has 1 rows and initial 7"),
    (change("chain", "transition", 1, 1, to=2), "m: chain: transition[1] holds 2; expected"),
    (change("chain", "log_ratio_mean", to=[1]), "m: chain: log_ratio_mean and log_ratio_sig"),
    (change("chain", "mean_bps", "levels", 0, to=0.1), "levels must ascend from 0 to 1"),
    (change("chain", "mean_bps", "values", 8, to=1), "m: chain: mean_bps: values must not desc"),
    (change("chain", "mean_bps", "values", to=[0] * 9), "mean_bps: values are all 0"),
    (change("chain", "mean_bps", "values", to=[1]), "mean_bps: 9 levels and 1 values"),
    (change("copula", "ratios", "values", 0, to=-1), "copula: ratios: values holds -1"),
    (change("copula", "slow_weight", to=0.9), "copula: the three weights sum to 1."),
    (change("goodness", to={"x": {}}), "m: goodness: found {'x': {}}; expected an object"),
    (change("goodness", "chain", "ks", to=2), "m: goodness: chain: ks holds 2; expected 0 to 1"),
]


@pytest.mark.parametrize(("change", "says"), WRONG, ids=[says[:50] for _, says in WRONG])
def test_a_wrong_file_is_named_with_what_was_expected(
    change: Callable[[dict[str, Any]], None], says: str
) -> None:
    held = json.loads(write_model(model("lte-walking")))
    change(held)
    with pytest.raises(ModelError) as caught:
        read_model(json.dumps(held), name="m")
    assert says in str(caught.value)
    assert str(caught.value).startswith("m: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", '"x"', "[" * 100_000])
def test_what_is_no_model_is_refused(text: str) -> None:
    with pytest.raises(ModelError, match="expected"):
        read_model(text, name="m")
