"""Files of learned policies: as JSON, as arrays, by name, and every way they can be wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from abr import registry
from abr.algorithms.policy import WEIGHTS
from abr.decision import Rule, begin
from abr.errors import AlgorithmError
from abr.files.policies import read_bundled_policy, read_policy_file, write_policy_file
from abr.media import constant_presentation
from abr.neural import build_layers, vector_width
from abr.policytext import Policy, read_policy, write_policy
from abr.trace import Trace
from player import replay, simulate

FIRST = {each.name: each.initial for each in WEIGHTS}
LAYERS = build_layers(
    [
        (np.full((3, vector_width(2)), 0.5), np.zeros(3), "relu"),
        ([[0.1, 0.2, 0.3], [1.0, 0.0, -1.0]], [0.0, 0.5], "none"),
    ]
)


def test_both_kinds_are_read_as_they_were_written(tmp_path: Path) -> None:
    write_policy_file(Policy(weights=FIRST), tmp_path / "planner.json")
    assert read_policy_file(tmp_path / "planner.json").weights == FIRST
    write_policy_file(Policy(layers=LAYERS), tmp_path / "network.json")
    again = read_policy_file(tmp_path / "network.json")
    assert [layer.activation for layer in again.layers] == ["relu", "none"]
    assert all(
        (a.weights == b.weights).all() and (a.biases == b.biases).all()
        for a, b in zip(again.layers, LAYERS, strict=True)
    )


def test_arrays_are_a_network(tmp_path: Path) -> None:
    arrays: dict[str, Any] = {}
    for k, layer in enumerate(LAYERS):
        arrays |= {f"weights_{k}": layer.weights, f"biases_{k}": layer.biases}
    np.savez(tmp_path / "bare.npz", **arrays)
    np.savez(tmp_path / "named.npz", activations=np.array(["tanh", "none"]), **arrays)
    bare, named = (read_policy_file(tmp_path / f"{name}.npz") for name in ("bare", "named"))
    assert [layer.activation for layer in bare.layers] == ["relu", "none"]
    assert [layer.activation for layer in named.layers] == ["tanh", "none"]
    assert (bare.layers[1].weights == LAYERS[1].weights).all()


def test_a_file_is_an_algorithm_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "network.json"
    write_policy_file(Policy(layers=LAYERS), path)
    rule = registry.load(f"policy:{path}")
    assert isinstance(rule, Rule)
    assert rule.name == f"policy:{path}"
    same = registry.load("policy", weights=str(path))
    presentation = constant_presentation((1e6, 2e6), segments=3, segment_s=2.0)
    assert begin(rule, presentation).name == f"policy:{path}"
    assert isinstance(same, Rule)
    assert same.choose is rule.choose


def test_the_shipped_policy_is_small_and_legal() -> None:
    assert set(read_bundled_policy().weights) == set(FIRST)
    assert len(write_policy(read_bundled_policy())) < 100_000
    rule = registry.load("abrkit-policy", ahead_s="12")
    assert isinstance(rule, Rule)
    assert rule.params.ahead_s == 12.0


@pytest.mark.parametrize("policy", [Policy(weights=FIRST), Policy(layers=LAYERS)])
def test_a_recording_is_replayed_with_its_numbers_only(policy: Policy, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    write_policy_file(policy, path)
    presentation = constant_presentation((1e6, 2e6), segments=6, segment_s=2.0)
    log = simulate(
        presentation, trace=Trace.from_periods([(9.0, 3e6, 0.05)]), algorithm=f"policy:{path}"
    )
    assert replay(log).records == log.records
    changed = {**policy.weights, "bias": 0.1} if policy.weights else {}
    layers = (
        ()
        if policy.weights
        else (*LAYERS[:1], *build_layers([([[0.0] * 3] * 2, [0.0, 1.0], "none")]))
    )
    write_policy_file(Policy(weights=changed, layers=layers), path)
    with pytest.raises(AlgorithmError, match="not the ones used in the recording"):
        replay(log)


def planner(**changes: Any) -> str:
    found = {"format": "abrkit-policy", "version": 1, "kind": "planner", "weights": FIRST}
    return json.dumps(found | changes)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "p.json: not JSON"),
        ("[]", "p.json: not a policy; expected an object with format"),
        (planner(format="other"), "not a policy"),
        (planner(version=2), "version 2; expected 1"),
        (planner(kind="forest"), "kind 'forest'; expected planner or network"),
        (planner(weights={**FIRST, "spread": 0.0}), "spread is 0.0; expected .* above 0"),
        (planner(weights={**FIRST, "bias": float("nan")}), "bias is nan"),
        (planner(weights={**FIRST, "more": 1.0}), "more missing or unknown"),
        (planner(weights={"bias": 0.0}), "missing or unknown"),
        (planner(weights={**FIRST, "bias": "x"}), "ValueError"),
        (planner(weights=3), "AttributeError"),
        (planner(kind="network"), "KeyError: 'layers'"),
        (planner(kind="network", layers=[]), "without layers"),
        (planner(kind="network", layers=[{"weights": [[1.0]]}]), "KeyError"),
    ],
)
def test_text_that_is_no_policy(text: str, says: str) -> None:
    with pytest.raises(AlgorithmError, match=says):
        read_policy(text, name="p.json")


def test_files_that_are_no_policy(tmp_path: Path) -> None:
    with pytest.raises(AlgorithmError, match="no such file"):
        read_policy_file(tmp_path / "none.json")
    with pytest.raises(AlgorithmError, match="cannot be read"):
        read_policy_file(tmp_path)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(AlgorithmError, match="not UTF-8 text"):
        read_policy_file(tmp_path / "bytes")
    with pytest.raises(AlgorithmError, match="cannot be written"):
        write_policy_file(Policy(weights=FIRST), tmp_path)
    assert not tmp_path.with_name(f"{tmp_path.name}.part").exists()
    (tmp_path / "junk.npz").write_bytes(b"junk")
    with pytest.raises(AlgorithmError, match=r"not an \.npz file"):
        read_policy_file(tmp_path / "junk.npz")
    np.savez(tmp_path / "half.npz", weights_0=np.zeros((1, 1)))
    with pytest.raises(AlgorithmError, match="no array biases_0"):
        read_policy_file(tmp_path / "half.npz")
    np.savez(tmp_path / "empty.npz", other=np.zeros(1))
    with pytest.raises(AlgorithmError, match="no array weights_0"):
        read_policy_file(tmp_path / "empty.npz")
    np.savez(
        tmp_path / "words.npz",
        weights_0=np.zeros((1, 1)),
        biases_0=np.zeros(1),
        activations=np.array(["none", "none"]),
    )
    with pytest.raises(AlgorithmError, match="2 activations for 1 layers"):
        read_policy_file(tmp_path / "words.npz")
    np.savez(tmp_path / "shape.npz", weights_0=np.zeros((1, 1)), biases_0=np.zeros(2))
    with pytest.raises(AlgorithmError, match="biases of shape"):
        read_policy_file(tmp_path / "shape.npz")
    np.savez(tmp_path / "pickle.npz", weights_0=np.array([{}], dtype=object))
    with pytest.raises(AlgorithmError, match="plain arrays"):
        read_policy_file(tmp_path / "pickle.npz")
